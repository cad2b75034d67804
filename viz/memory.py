"""Bounded memory for results that may be asked for again: least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any


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
    """Keyed results within `limit_bytes`. A result larger than the limit is not kept at all. One thread at a time."""

    def __init__(self, limit_bytes: int, on_put: Callable[[Hashable], None] | None = None) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._on_put = on_put

    def get(self, key: Hashable) -> Any | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: Any) -> None:
        if self._on_put:
            self._on_put(key)
        if (old := self._entries.pop(key, None)) is not None:
            self.used_bytes -= old[1]
        size = nbytes(value) + 256
        if size > self.limit_bytes:
            return
        self._entries[key] = (value, size)
        self.used_bytes += size
        while self.used_bytes > self.limit_bytes:
            self.used_bytes -= self._entries.popitem(last=False)[1][1]

    def clear(self) -> None:
        self._entries.clear()
        self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)
