"""Code that is kept on disk, for whoever runs it next: only what nobody else can have put there is run. Standard library only.

A checksum in a file says that it is whole, not who wrote it. A cache may lie in a folder that several people share (XDG_CACHE_HOME names
one), where another could make our folders first, or put a library of theirs into them.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
ADVICE = "code that is kept there is not run; set XDG_CACHE_HOME to a folder of your own"


def trusted() -> tuple[int, ...] | None:
    """The users whose code may be run, root and this one; None on Windows, where a user's cache is that user's own."""
    return (0, os.geteuid()) if hasattr(os, "geteuid") else None


def why_not_own(*folders: Path) -> str:
    """Why code in these folders may be somebody else's; "" where it cannot be, also where they are still to be made.

    From folders of this user's in which others may write (made under a generous umask), that right is taken away.
    """
    users = trusted()
    if users is None:
        return ""
    for folder in folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = folder.stat()
            if found.st_uid not in users:
                return f"{folder} belongs to another user"
            if found.st_mode & WRITABLE_BY_OTHERS:
                with contextlib.suppress(OSError):
                    folder.chmod(stat.S_IMODE(found.st_mode) & ~WRITABLE_BY_OTHERS)
                if folder.stat().st_mode & WRITABLE_BY_OTHERS:
                    return f"others may write into {folder}"
    return ""


def is_own(file: Path) -> bool:
    """Whether a file is there, is this user's or root's, and nobody else may have changed it."""
    users = trusted()
    try:
        found = file.stat()
    except OSError:
        return False
    return users is None or (found.st_uid in users and not found.st_mode & WRITABLE_BY_OTHERS)
