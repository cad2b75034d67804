"""Files that appear whole or not at all. Standard library only."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UMASK = os.umask(0)  # asked once, before there are threads: asking sets it, for the whole process
os.umask(_UMASK)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """`with atomic(path) as temporary:` - write `temporary`; it becomes `path` on success and vanishes on failure.

    Raises OSError; one about the temporary file, or about no file, names `path`.
    """
    temporary = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)  # mkstemp makes private files
        temporary.replace(path)
    except OSError as e:
        if e.errno is not None and (e.filename is None or str(e.filename).endswith(".part")):
            raise OSError(e.errno, e.strerror, str(path)) from e
        raise
    finally:  # also where the name is a folder's, or on Windows that of a file that somebody has open
        if temporary is not None:
            temporary.unlink(missing_ok=True)
