"""Numbers that arrive with the frame: read back from the GPU without waiting for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from torch import Tensor

T = TypeVar("T")


class Later(Generic[T]):
    """A few numbers on their way from the GPU. `get` makes something of them, once the frame's wait is over."""

    nbytes = 64

    def __init__(self, numbers: Tensor, make: Callable[[list[float]], T]) -> None:
        self._coming: tuple[Tensor, Callable[[list[float]], T]] | None = (numbers.to("cpu", non_blocking=True), make)
        self._value: T | None = None

    def get(self) -> T:
        """The value, made on the first call; what it was made from is let go then."""
        if self._coming is not None:
            numbers, make = self._coming
            self._value, self._coming = make(numbers.tolist()), None
        return self._value  # type: ignore[return-value]


def arrived(value: Any) -> Any:
    """What `Later` stands for, or the value itself."""
    return value.get() if isinstance(value, Later) else value
