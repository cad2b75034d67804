"""Long computations that make way between two layers of a network, and go on from there.

Torch is imported inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
Stop = Callable[[], bool]  # whether something more urgent waits


class LastStep:
    """A memo for `synthesize` that remembers the newest step only: enough to walk along the taps. It also looks into `beyond`."""

    def __init__(self, beyond: Any = None) -> None:
        self._held: tuple[Any, Any] | None = None
        self._beyond = beyond

    def get(self, key: Any) -> Any | None:
        if self._held is not None and self._held[0] == key:
            return self._held[1]
        found = self._beyond.get(key) if self._beyond is not None else None
        if found is not None:
            self._held = (key, found)
        return found

    def put(self, key: Any, value: Any) -> None:
        self._held = (key, value)


def synthesized(
    network: Any, ws: torch.Tensor, stop: Stop | None, within: Callable[[], AbstractContextManager[Any]] = nullcontext, **arguments: Any
) -> Generator[None, None, torch.Tensor]:
    """`pictures = yield from synthesized(...)`: yields None whenever `stop()` interrupts it, and goes on from the layer it had reached.

    Every piece of work is done inside `within()` (and without gradients); between two of them the caller's mode is the caller's.
    """
    import torch

    if stop is not None:
        arguments = {"memo": LastStep(), "superseded": stop, **arguments}
    while True:
        with torch.inference_mode(), within():
            found = network.synthesize(ws, **arguments)
        if found is not None:
            return found
        yield


def finished(steps: Generator[None, None, T]) -> T:
    """The result of a computation that nothing interrupts."""
    while True:
        try:
            next(steps)
        except StopIteration as e:
            return e.value
