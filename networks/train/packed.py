"""What a computation is given, in one piece of memory, so that one copy brings it to a GPU; and what the next step is given, made ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import prod
from typing import Generic, TypeVar

import torch
from torch import Tensor

ALIGNMENT = 16  # bytes
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in the bytes."""

    name: str
    start: int
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def stop(self) -> int:
        """The byte after it."""
        return self.start + self.dtype.itemsize * prod(self.shape)

    def within(self, data: Tensor) -> Tensor:
        """The tensor, a view of the bytes."""
        return data[self.start : self.stop].view(self.dtype).view(self.shape)


@dataclass(frozen=True)
class Packed:
    """Tensors by name in one tensor of bytes on the host; numbers are tensors without axes. `form` says how they lie there."""

    data: Tensor
    form: tuple[Place, ...]

    def views(self, data: Tensor) -> dict[str, Tensor]:
        """The tensors within a copy of the bytes, on whatever device."""
        return {place.name: place.within(data) for place in self.form}

    def sent(self, device: torch.device) -> Tensor:
        """The bytes on the device, by way of pinned memory, so that nothing waits until a GPU has done what it was asked before."""
        return self.data.to(device, non_blocking=True)


def packed(values: Mapping[str, Tensor | float], *, pinned: bool) -> Packed:
    """Tensors of the host, and numbers."""
    tensors = {name: v if isinstance(v, Tensor) else torch.tensor(v, dtype=torch.float32) for name, v in values.items()}
    places, end = [], 0
    for name, tensor in tensors.items():
        places.append(Place(name, -(-end // ALIGNMENT) * ALIGNMENT, tensor.dtype, tuple(tensor.shape)))
        end = places[-1].stop
    data = torch.empty(max(end, 1), dtype=torch.uint8, pin_memory=pinned)
    for place in places:
        place.within(data).copy_(tensors[place.name])
    return Packed(data, tuple(places))


class Ahead(Generic[T]):
    """What is made for the next step by a thread of its own while this one is under way. It is what would be made at once, since it depends
    on the step alone.
    """

    def __init__(self, make: Callable[[int, int], T], *, wanted: bool) -> None:
        self._make = make
        self._thread = ThreadPoolExecutor(1, "training, the next step") if wanted else None
        self._next: tuple[tuple[int, int], Future[T]] | None = None

    def take(self, number: int, images: int, batch: int) -> T:
        """For the step of this number, after so many images; then the next, a batch later, is begun."""
        if self._thread is None:
            return self._make(number, images)
        if self._next is not None and self._next[0] != (number, images):
            self.forget()
        found = self._make(number, images) if self._next is None else self._next[1].result()
        following = (number + 1, images + batch)
        self._next = following, self._thread.submit(self._make, *following)
        return found

    def forget(self) -> None:
        """What was made so far is not what will be needed. Waits for what is being made."""
        if self._next is not None and not self._next[1].cancel():
            wait([self._next[1]])
        self._next = None
