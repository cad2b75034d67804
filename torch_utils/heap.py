"""Keeps freed memory in the process, so that the next frame's activations do not have to be fetched from the system again.

torch's CPU allocator is the C library's `malloc`, which returns large blocks to the kernel as soon as they are freed; every
frame then pays a page fault for each 4 KiB it touches, which was most of the time of the published CPU path. With these
settings freed blocks stay in the heap and are reused, whatever their size: the heap is the arena.
"""

from __future__ import annotations

import ctypes
import os
import sys

# glibc's mallopt parameters (malloc.h)
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
TOP_PAD_BYTES = 64 << 20  # the heap grows by at least this much


def keep_freed_memory() -> str:
    """Applies the settings for the whole process; call it before the first large allocation. Returns what was done, for people.

    Only glibc has these settings; elsewhere nothing is changed and the text says so.
    """
    if not sys.platform.startswith("linux"):
        return "the system's allocator as it is"
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return "the C library has no mallopt: its allocator as it is"
    # One arena: threads would otherwise get heaps of 64 MiB at most and fetch anything larger from the system each time.
    wanted = ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, TOP_PAD_BYTES))
    refused = [parameter for parameter, value in wanted if mallopt(parameter, value) != 1]
    return "heap that keeps freed memory" if not refused else f"the C library refused {len(refused)} of {len(wanted)} heap settings"


def machine_bytes() -> int | None:
    """The memory that this machine has; None where the system does not say (Windows, which refuses what it has not)."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return found if found > 0 else None
