"""What bounds the memory and the time that reading a pickle may take, whatever the file says."""

from __future__ import annotations

from collections.abc import Callable

from .errors import Malformed, Refused

MAX_STEPS = 400_000  # the golden snapshots with three networks of 4 to 9 layers take up to 24,000
SHORT = 255  # byte strings up to this length are read at once, longer ones stay on disk
MAX_INT_BYTES = 32  # torch's magic number has 10
MAX_KEY = 1 << 16
MAX_TEXT = 1 << 24  # the longest text is the source of a module, which is thrown away


class Budget:
    """Counts steps over a file and everything nested in it; `watch(position)` is called every 2048 steps and may raise."""

    def __init__(self, watch: Callable[[int], None] | None = None, steps: int = MAX_STEPS):
        self.left, self.watch = steps, watch

    def spend(self, steps: int, position: int) -> None:
        before, self.left = self.left, self.left - steps
        if self.left < 0:
            raise Refused(f"refused: the file describes more than {MAX_STEPS:,} objects, which no network needs")
        if self.watch is not None and before >> 11 != self.left >> 11:
            self.watch(position)


def checked_key(key: object) -> object:
    """Keys of dicts and sets: short text, small numbers, or pairs of them. Their hashes cost next to nothing, nor does telling them apart:
    no more than a few thousand of them share a hash, and longer tuples could by the thousand (those of -1 and -2 do).
    """
    if isinstance(key, tuple) and len(key) <= 2:
        for part in key:
            if isinstance(part, tuple):
                raise Malformed("a dict key of nested tuples")
            checked_key(part)
    elif isinstance(key, str):
        if len(key) > MAX_KEY:
            raise Malformed(f"a dict key of {len(key):,} characters")
    elif not (key is None or isinstance(key, (float, bool)) or (isinstance(key, int) and abs(key) < 2**63)):
        raise Malformed(f"a dict key that is a {type(key).__name__}")
    return key


def copied(args: tuple) -> int:
    """How many elements a maker may copy: repeated copies of one long list would outgrow the file."""
    items = sum(len(a) for a in args if isinstance(a, (list, tuple, set, frozenset, dict)))
    return items + sum(len(a) >> 8 for a in args if isinstance(a, (str, bytes)))
