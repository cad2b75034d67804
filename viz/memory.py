"""Bounded memory for results that may be asked for again: least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from typing import Any

PASSES_KEPT = 8  # two rounds of four views


def nbytes(value: Any) -> int:
    """Bytes held by arrays and tensors inside `value` (tuples, lists, dicts and dataclasses are looked into)."""
    own = getattr(value, "nbytes", None)
    if isinstance(own, int):
        return own
    if isinstance(value, tuple | list):
        return sum(nbytes(v) for v in value)
    if isinstance(value, dict):
        return sum(nbytes(v) for v in value.values())
    if is_dataclass(value):
        return sum(nbytes(getattr(value, f.name)) for f in fields(value))
    return 0


class Memory:
    """Keyed results within `limit_bytes`. A result larger than the limit is not kept at all. One thread at a time.

    Those put as `passing` are large and rarely wanted again, as the layers behind a picture: they go when `PASSES_KEPT` further passes
    have begun and none of them used them. A drag then goes round in memory that the process already has; touching fresh pages for every
    picture until the limit is reached took longer than a small network.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._passing: OrderedDict[Hashable, int] = OrderedDict()  # the pass that used it last
        self._passes = 0

    def begin_pass(self) -> None:
        """New passing results are about to come; those of several views beside each other are a pass each."""
        self._passes += 1
        while self._passing and next(iter(self._passing.values())) <= self._passes - PASSES_KEPT:
            self._drop(next(iter(self._passing)))

    def get(self, key: Hashable) -> Any | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        if key in self._passing:
            self._use(key)
        return entry[0]

    def put(self, key: Hashable, value: Any, *, passing: bool = False) -> None:
        self._drop(key)
        size = nbytes(value) + 256
        if size > self.limit_bytes:
            return
        self._entries[key] = (value, size)
        self.used_bytes += size
        if passing:
            self._use(key)
        while self.used_bytes > self.limit_bytes:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        self._entries.clear()
        self._passing.clear()
        self.used_bytes = 0

    def _use(self, key: Hashable) -> None:
        self._passing[key] = self._passes
        self._passing.move_to_end(key)

    def _drop(self, key: Hashable) -> None:
        self._passing.pop(key, None)
        if (entry := self._entries.pop(key, None)) is not None:
            self.used_bytes -= entry[1]

    def __len__(self) -> int:
        return len(self._entries)
