"""The render thread on a GPU: a stream of its own, one wait a frame, and memory given back when it runs out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from viz.gpu.replay import Replays
from viz.stages.load import DeviceError, choose_device
from viz.state import Device, ViewState

T = TypeVar("T")


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on whichever device."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


class GpuWork:
    """What belongs to one pipeline: its stream on each GPU, and its graphs. On other devices everything here does nothing."""

    def __init__(self, replays: Replays | None = None) -> None:
        self.replays = Replays() if replays is None else replays
        self._streams: dict[torch.device, torch.cuda.Stream] = {}
        self._used = False

    @contextmanager
    def scope(self, view: ViewState) -> Iterator[None]:
        """Work within the `with` block goes to our own stream, if the view is computed with CUDA."""
        device = cuda_device(view)
        self._used = device is not None
        if device is None:
            yield
            return
        if device not in self._streams:
            self._streams[device] = torch.cuda.Stream(device)
            self._streams[device].wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(self._streams[device]):
            yield

    def along(self, view: ViewState, frames: Iterator[T]) -> Iterator[T]:
        """The same frames, each made on our stream; between two of them the caller's stream is the caller's."""
        while True:
            with self.scope(view):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def wait(self) -> tuple[tuple[str, float], ...]:
        """The frame's one wait, until all that was put into the stream has happened; with its time, for the panel. The processor sleeps."""
        if not self._used:
            return ()
        start = time.perf_counter()
        finished = torch.cuda.Event(blocking=True)
        finished.record()
        finished.synchronize()
        return (("GPU", time.perf_counter() - start),)

    def give_back(self) -> None:
        """Drop graphs and what torch keeps for reuse, so that the next request finds memory."""
        self.replays.clear()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.empty_cache()


def cuda_device(view: ViewState) -> torch.device | None:
    """The GPU that a view is computed on, if it is one of CUDA's."""
    try:
        device = choose_device(view.get(Device).device)
    except DeviceError:
        return None
    return device if device.type == "cuda" else None
