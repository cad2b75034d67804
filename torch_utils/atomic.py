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
    """`with atomic(path) as temporary:` - write `temporary`; it becomes `path` on success and vanishes on failure. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)  # mkstemp makes private files
        temporary.replace(path)
    finally:  # also where the name is a folder's, or on Windows that of a file that somebody has open
        temporary.unlink(missing_ok=True)
