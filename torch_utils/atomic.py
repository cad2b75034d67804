"""Files that appear whole or not at all. Standard library only."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UMASK = os.umask(0)  # asked once, before there are threads: asking sets it, for the whole process
os.umask(_UMASK)
LONGEST = 200  # bytes of a name in that of its temporary file: 255 are the limit


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """`with atomic(path) as temporary:` - write `temporary`; it becomes `path` on success and vanishes on failure.

    What a link leads to is written, and the link stays; a file that is written again keeps its rights.
    Raises OSError; one about the temporary file, or about no file, names `path`.
    """
    temporary = None
    try:
        place = Path(os.path.realpath(path)) if path.is_symlink() else path
        name = os.fsencode(place.name)[:LONGEST].decode("utf-8", "ignore")
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(_rights(place))  # mkstemp makes private files
        temporary.replace(place)
    except OSError as e:
        if e.errno is not None and (e.filename is None or str(e.filename).endswith(".part")):
            raise OSError(e.errno, e.strerror, str(path)) from e
        raise
    finally:  # also where the name is a folder's, or on Windows that of a file that somebody has open
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _rights(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0o666 & ~_UMASK
