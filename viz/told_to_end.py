"""Being told to end (SIGTERM, SIGHUP) while the window is open."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Closing(Protocol):
    def request_close(self) -> None: ...


@contextmanager
def told_to_end(window: Closing) -> Iterator[list[int]]:
    """Closes the window as Ctrl+Q does; yields the signals that came.

    Where no handler was set, none is. Raising SystemExit, as elsewhere, is no use here: in a callback of GLFW it would be dropped.
    """
    told: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        told.append(number)
        window.request_close()

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP
    before = {number: signal.signal(number, end) for number in numbers if callable(signal.getsignal(number))}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
