"""Below what time no picture can be made: the operations and bytes of each operator's call, over ceilings measured in the same run.

Counted are the multiply-adds of the products that the chosen algorithm needs (Winograd's 36 for a 4x4 tile, Strassen's seven eighths a
level, a filter's phases pass by pass at its own rank, half of them where it mirrors itself) and each tensor once, read or written;
transforms, additions alone, packing and what would be read twice are not, so that it stays a floor. A call takes at least the larger of
operations over the arithmetic rate and bytes over the bandwidth of a copy; a picture at least the sum. What stays in a cache may beat
the second.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from tests.bench.conv import measured_peak
from torch_utils.ops.conv_choice import ConvShape, choose
from torch_utils.ops.native import Separable, decompose, pivoted, separable
from torch_utils.ops.reference import taps_of

SHARE_OF_PRODUCTS = {"winograd": 36 / (16 * 9), "strassen": 7 / 8, "strassen2": 49 / 64}
OPERATORS = ("modulated_conv2d", "filtered_lrelu", "upfirdn2d", "bias_act", "doubling_conv2d")


@dataclass(frozen=True)
class Work:
    """Of one call: floating point operations (a multiply-add is two), bytes read and written."""

    name: str
    operations: float
    nbytes: int


@dataclass(frozen=True)
class Ceilings:
    """What this machine reaches now: float32 operations a second in torch's matrix product and in our innermost loop on data in the
    first cache, bytes a second in a copy."""

    gemm_s: float
    loop_s: float
    bytes_s: float

    def floor_s(self, work: Work) -> float:
        """Seconds; arithmetic by the faster of the two, since a vendor's library may favour another vendor's processors."""
        return max(work.operations / max(self.gemm_s, self.loop_s), work.nbytes / self.bytes_s)


class CeilingMeter:
    """Measured in turns with what is compared to them, so that other programs disturb both alike; medians."""

    def __init__(self, side: int = 1536, copied_bytes: int = 1 << 28) -> None:
        self._a, self._b, self._product = (torch.randn(side, side) for _ in range(3))
        self._source, self._target = (torch.zeros(copied_bytes // 4) for _ in range(2))
        self._rates: list[Ceilings] = []
        self.measure()
        self._rates.clear()  # the first warms caches and clock

    def measure(self) -> None:
        """With torch's number of threads; a copy counts what it reads and what it writes."""
        start = time.perf_counter()
        torch.mm(self._a, self._b, out=self._product)
        middle = time.perf_counter()
        self._target.copy_(self._source)
        end = time.perf_counter()
        loop_s = 1e9 * measured_peak(torch.get_num_threads(), time.perf_counter, repeats=1)
        self._rates.append(Ceilings(2 * len(self._a) ** 3 / (middle - start), loop_s, 2 * self._source.nbytes / (end - middle)))

    def ceilings(self) -> Ceilings:
        return Ceilings(*(statistics.median(getattr(rate, field.name) for rate in self._rates) for field in fields(Ceilings)))


def counted(picture: Callable[[], object]) -> list[Work]:
    """The work of every call that `picture` makes."""
    done: list[Work] = []
    with ExitStack() as stack:
        for name in OPERATORS:
            module = sys.modules[f"torch_utils.ops.{name}"]
            stack.enter_context(mock.patch.object(module, "dispatch", _noting(module.dispatch, done)))
        picture()
    return done


def _noting(dispatch: Callable[..., Tensor], done: list[Work]) -> Callable[..., Tensor]:
    def noted(op: str, tensors: tuple[Tensor | None, ...], options: Any) -> Tensor:
        so_far = len(done)
        y = dispatch(op, tensors, options)
        del done[so_far:]  # what an operator asks of others is its own affair
        nbytes = y.nbytes + sum(t.nbytes for t in tensors if t is not None)
        done.append(Work(op, COUNTS[op](tensors, options, y), nbytes))
        return y

    return noted


def _convolution(tensors: tuple[Tensor | None, ...], options: Any, y: Tensor) -> float:
    x, weight = tensors[:2]
    assert x is not None and weight is not None
    shape = ConvShape(x.shape[0], x.shape[1], weight.shape[0], x.shape[2], x.shape[3], weight.shape[2], options.padding)
    return 2.0 * shape.macs * SHARE_OF_PRODUCTS.get(choose(shape).algorithm, 1.0)


def _ranks(filter: Tensor | None) -> int:
    return 0 if filter is None else 1 if filter.ndim == 1 else decompose(filter.cpu().numpy()).rank


def _products(filter: Tensor | None, terms: Callable[[Separable], Separable] = lambda parts: parts) -> tuple[float, float]:
    """Products for one sample of a pass along x, along y, all terms together: none for a tap of 0 or 1, one for two mirrored taps."""
    if filter is None:
        return 0.0, 0.0
    taps = filter.cpu().contiguous().numpy()
    parts = terms(separable(taps.tobytes(), taps.shape, False, 1.0, 1.0))
    x, y = (np.count_nonzero((f != 0) & (f != 1)) / (2 if np.array_equal(f, f[:, ::-1]) else 1) for f in (parts.x, parts.y))
    return x, y


def _filtered(tensors: tuple[Tensor | None, ...], options: Any, y: Tensor) -> float:
    x, fu, fd = tensors[:3]
    assert x is not None
    planes, (high_in, width, height) = x.shape[0] * x.shape[1], (x.shape[2], y.shape[3], y.shape[2])
    (up_x, up_y), (down_x, down_y) = _products(fu), _products(fd, pivoted)
    wide, high = width * options.down[0], height * options.down[1]
    rise = up_x / options.up[0] * high_in * wide + up_y / options.up[1] * high * wide
    fall = down_y * height * wide + down_x * height * width
    return 2.0 * planes * (rise + fall)


def _resampled(tensors: tuple[Tensor | None, ...], options: Any, y: Tensor) -> float:
    x, f = tensors[:2]
    assert x is not None
    taps, height, width = taps_of(None if f is None else f.shape), y.shape[2], y.shape[3]
    along_x, along_y = taps[0] / options.up[0], taps[1] / options.up[1]  # products for a sample of that pass
    x_first = along_x * x.shape[2] * width + along_y * height * width
    y_first = along_y * height * x.shape[3] + along_x * height * width
    return 2.0 * y.shape[0] * y.shape[1] * _ranks(f) * min(x_first, y_first)


COUNTS: dict[str, Callable[[tuple[Tensor | None, ...], Any, Tensor], float]] = {
    "modulated_conv2d": _convolution,
    "filtered_lrelu": _filtered,
    "upfirdn2d": _resampled,
    "bias_act": lambda tensors, options, y: 2.0 * y.numel(),
    "doubling_conv2d": lambda tensors, options, y: 2.0 * 9 * y.numel() / 4 * tensors[0].shape[1],  # type: ignore[union-attr]
}
