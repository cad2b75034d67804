"""What the references share: the type they accumulate in, and filtering without ever multiplying by an inserted zero.

Upsampling and filtering is a transposed convolution, filtering and downsampling a strided one, with one filter for each channel; both skip
the zeros and the samples that are dropped. On a CPU they are two to three times faster on channels-last images, whatever the number
of channels, so that images are brought into that layout once and back at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

HALVES = (torch.float16, torch.bfloat16)


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for the 16-bit types, so that sums are rounded once, at the end; otherwise the type itself."""
    return torch.float32 if dtype in HALVES else dtype


@contextmanager
def full_precision(x: Tensor) -> Iterator[None]:
    """Keep cuDNN from rounding float32 convolutions to ten bits (TF32), which is its default. Does nothing on other devices."""
    if not x.is_cuda:
        yield
        return
    convolution = torch.backends.cudnn.conv  # pyright: ignore[reportAttributeAccessIssue]
    before = convolution.fp32_precision
    convolution.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolution.fp32_precision = before


@dataclass(frozen=True, slots=True)
class Resampling:
    """Factors (x, y) and paddings (x_lo, x_hi, y_lo, y_hi) at the upsampled rate; negative paddings crop."""

    up: tuple[int, int]
    down: tuple[int, int]
    padding: tuple[int, int, int, int]

    def size(self, width: int, height: int, taps: tuple[int, int]) -> tuple[int, int]:
        """Output (width, height): floor((in up + lo + hi - taps) / down) + 1."""
        x_lo, x_hi, y_lo, y_hi = self.padding
        return (
            (width * self.up[0] + x_lo + x_hi - taps[0]) // self.down[0] + 1,
            (height * self.up[1] + y_lo + y_hi - taps[1]) // self.down[1] + 1,
        )


def restore(y: Tensor, x: Tensor) -> Tensor:
    """y with x's type and, where x has only one of the two, x's layout: channels-last or plain."""
    if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        return y.to(x.dtype).contiguous(memory_format=torch.channels_last)
    return y.to(x.dtype).contiguous()


def taps_of(shape: torch.Size | None) -> tuple[int, int]:
    """(x, y) taps of a filter's shape: a missing filter has one, a 1-D filter stands for its outer product with itself."""
    return (1, 1) if shape is None else (shape[-1], shape[0])


@dataclass(frozen=True, slots=True)
class _Axis:
    """How one axis is filtered: input samples `start:stop`, padding done by the convolution itself, and the rest (negative: crop).

    The rest comes before a strided convolution and after a transposed one.
    """

    start: int
    stop: int
    within: int
    lo: int
    hi: int


def _strided_axis(size: int, taps: int, lo: int, hi: int) -> _Axis:
    start, stop, lo, hi = max(0, -lo), max(0, min(size, size + hi)), max(0, lo), max(0, hi)
    within = min(lo, hi, taps - 1)
    return _Axis(start, stop, within, lo - within, hi - within)


def _transposed_axis(size: int, up: int, taps: int, lo: int, hi: int) -> _Axis:
    # Cropped input samples touch no output. What is left of lo and hi counts from the first and from behind the last kept sample's zeros.
    start, stop = max(0, -(lo // up)), max(0, min(size, size - (-hi // up)))
    lo, hi = lo + start * up, hi + (size - stop) * up
    # The transposed convolution starts taps - 1 samples before the first one sought and ends with the last sample, without its zeros.
    left, right = taps - 1 - lo, taps - up - hi
    within = max(0, min(left, right))
    return _Axis(start, stop, within, within - left, within - right)


def _zeros(empty: Tensor, width: int, height: int) -> Tensor:
    """What an image without samples becomes: nothing but padding. Adding the sum, 0, keeps gradients connected."""
    return empty.new_zeros(*empty.shape[:2], height, width) + empty.sum()


def _place(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """Pad with zeros, or crop where negative, without copying where only cropped."""
    x_lo, x_hi, y_lo, y_hi = padding
    height, width = x.shape[2:]
    if min(padding) < 0:
        x = x[:, :, max(0, -y_lo) : max(0, height + min(0, y_hi)), max(0, -x_lo) : max(0, width + min(0, x_hi))]
    if x.numel() == 0:
        return _zeros(x, width + x_lo + x_hi, height + y_lo + y_hi)
    return F.pad(x, (max(0, x_lo), max(0, x_hi), max(0, y_lo), max(0, y_hi))) if max(padding) > 0 else x


def filter_images(x: Tensor, f: Tensor | None, resampling: Resampling, *, gain: float, flip_filter: bool) -> Tensor:
    """y = gain * downsample(f * pad(upsample(x))); x is N x C x H x W, f 1-D (separable: two passes), 2-D or None; in x's own type.

    The result has channels-last layout unless there was nothing to filter.
    """
    up, down, padding = resampling.up, resampling.down, resampling.padding
    if f is None and up == (1, 1):
        x = _place(x, padding)[:, :, :: down[1], :: down[0]]
        return x if gain == 1 else x * gain
    kernel = x.new_ones(1) if f is None else f.to(x.dtype)
    if not flip_filter:
        kernel = kernel.flip(tuple(range(kernel.ndim)))
    x = x.contiguous(memory_format=torch.channels_last)
    with full_precision(x):
        if kernel.ndim == 2:
            return _filter(x, kernel * gain, up, down, padding)
        x = _filter(x, kernel[None, :] * gain, (up[0], 1), (down[0], 1), (padding[0], padding[1], 0, 0))
        return _filter(x, kernel[:, None], (1, up[1]), (1, down[1]), (0, 0, padding[2], padding[3]))


def _filter(x: Tensor, kernel: Tensor, up: tuple[int, int], down: tuple[int, int], padding: tuple[int, int, int, int]) -> Tensor:
    """One pass with a 2-D kernel, applied as correlation."""
    (height, width), (taps_y, taps_x) = x.shape[2:], kernel.shape
    if up == (1, 1):
        column = _strided_axis(width, taps_x, padding[0], padding[1])
        row = _strided_axis(height, taps_y, padding[2], padding[3])
    else:
        column = _transposed_axis(width, up[0], taps_x, padding[0], padding[1])
        row = _transposed_axis(height, up[1], taps_y, padding[2], padding[3])
    x = x[:, :, row.start : row.stop, column.start : column.stop]
    rest = (column.lo, column.hi, row.lo, row.hi)
    within = (row.within, column.within)
    weight = kernel.expand(x.shape[1], 1, taps_y, taps_x)
    if x.numel() == 0:
        return _zeros(x, *Resampling(up, down, padding).size(width, height, (taps_x, taps_y)))
    if up == (1, 1):
        return F.conv2d(_place(x, rest), weight, stride=(down[1], down[0]), padding=within, groups=x.shape[1])
    y = F.conv_transpose2d(x, weight.flip(2, 3), stride=(up[1], up[0]), padding=within, groups=x.shape[1])
    return _place(y, rest)[:, :, :: down[1], :: down[0]]
