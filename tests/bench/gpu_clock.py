"""What the benchmarks of a GPU share: time that is left, the time of a call, the rate that its units reach."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import lru_cache

import torch

from torch_utils.cuda_build import CudaUnavailable
from torch_utils.cuda_driver import describe


def gpu_named() -> bool:
    """Whether there is a GPU; which, and by what it is programmed, or why there is none, is said beside the rows."""
    try:
        print(f"{describe()}; Python {sys.version.split()[0]}, torch {torch.__version__}, CUDA {torch.version.cuda}", file=sys.stderr)
    except CudaUnavailable as error:
        print(f"no GPU: {error}", file=sys.stderr)
        return False
    return True


class Deadline:
    """Seconds left of the time given."""

    def __init__(self, minutes: float) -> None:
        self.end = time.monotonic() + 60 * minutes

    def left(self) -> float:
        return self.end - time.monotonic()


def milliseconds(function: Callable[[], object], rounds: int = 20) -> float:
    """The median over `rounds` of the time between two events around a call, after three calls that do not count."""
    for _ in range(3):
        function()
    times = []
    for _ in range(rounds):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        function()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


@lru_cache(maxsize=2)
def peak_tflops(dtype: torch.dtype) -> float:
    """What a product of large matrices reaches: the tensor cores in 16 bits, the ordinary units in float32 (no TF32)."""
    a, b = (torch.randn(6144, 6144, device="cuda", dtype=dtype) for _ in range(2))
    return 2 * a.shape[0] ** 3 / milliseconds(lambda: a @ b, 10) / 1e9
