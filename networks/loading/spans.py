"""Reading a file without holding it: a checked reader, and spans of bytes that are fetched only when asked for.

A snapshot holds three networks and we want one. The reader therefore never copies a long byte string: it notes where it
lies (`Span`) and skips it, so that the generator and discriminator that nobody asked for cost no memory.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

from .errors import Malformed


@dataclass(frozen=True, eq=False)
class Span:
    """`length` bytes of `file` from `offset` on; the file must stay open while the span is in use."""

    file: BinaryIO
    offset: int
    length: int

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """Bytes [start, start + count) of the span. Raises Malformed if the file has become shorter."""
        count = self.length - start if count is None else count
        if start < 0 or count < 0 or start + count > self.length:
            raise Malformed(f"bytes {start} to {start + count} of a block of {self.length} were asked for")
        self.file.seek(self.offset + start)
        data = self.file.read(count)
        if len(data) != count:
            raise Malformed("the file became shorter while it was read")
        return data


class Reader:
    """Reads forward through a span; every length is checked against what is left before anything is allocated."""

    def __init__(self, span: Span):
        self.span, self.position = span, 0
        self._buffer, self._start = b"", 0

    @property
    def left(self) -> int:
        return self.span.length - self.position

    def read(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise Malformed(f"the data ends early: {count} bytes are announced at byte {self.position}, {self.left} are left")
        at = self.position - self._start
        if at < 0 or at + count > len(self._buffer):
            ahead = min(max(count, io.DEFAULT_BUFFER_SIZE), self.left)
            self._buffer, self._start, at = self.span.read(self.position, ahead), self.position, 0
        self.position += count
        return self._buffer[at : at + count]

    def line(self, limit: int = 1024) -> str:
        """Text up to the next newline, which is consumed."""
        data = self.read(min(limit, self.left))
        end = data.find(b"\n")
        if end < 0:
            raise Malformed("a name without an end")
        self.position -= len(data) - end - 1
        return data[:end].decode("utf-8", "replace")

    def skip(self, count: int) -> Span:
        """The next `count` bytes as a span, unread."""
        if count > self.left:
            raise Malformed(f"the data ends early: {count} bytes are announced at byte {self.position}, {self.left} are left")
        self.position += count
        return Span(self.span.file, self.span.offset + self.position - count, count)
