"""Files that one process at a time holds: a lock goes with its process, however that ends. Standard library only."""

from __future__ import annotations

import errno
import os
from pathlib import Path

HELD_BY_ANOTHER = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


def hold(path: Path) -> int | None:
    """A descriptor that holds `path` (made if it is not there) until `let_go` or the end of this process; None where another has it.

    Raises OSError where the file cannot be made, or where its folder knows no locks.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        os.close(lock)
        if e.errno in HELD_BY_ANOTHER:
            return None
        raise
    return lock


def let_go(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
