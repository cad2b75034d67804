"""What the references share: the type they accumulate in, and filtering without ever multiplying by an inserted zero.

Upsampling and filtering is a transposed convolution, filtering and downsampling a strided one, with one filter for each channel; both skip
the zeros and the samples that are dropped. On a CPU they are two to three times faster on channels-last images, whatever the number
of channels, so that images are brought into that layout once and back at the end.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

HALVES = (torch.float16, torch.bfloat16)


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for the 16-bit types, so that sums are rounded once, at the end; otherwise the type itself."""
    return torch.float32 if dtype in HALVES else dtype


class _FullPrecision:
    """cuDNN's switch, which the whole process has in common: threads may be inside at once, and the last one out puts it back."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, ""

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before, _convolution.fp32_precision = _convolution.fp32_precision, "ieee"
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                _convolution.fp32_precision = self._before


_convolution = torch.backends.cudnn.conv  # pyright: ignore[reportAttributeAccessIssue]
_ON_A_GPU, _ELSEWHERE = _FullPrecision(), nullcontext()


def full_precision(x: Tensor) -> AbstractContextManager[None]:
    """Keep cuDNN from rounding float32 convolutions to ten bits (TF32), which is its default. Does nothing on other devices."""
    return _ON_A_GPU if x.is_cuda else _ELSEWHERE


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


def _kept(size: int, up: int, lo: int, hi: int) -> tuple[slice, int, int]:
    """The input samples that cropping leaves along one axis, and what then remains to pad: hi may still crop a sample's own zeros."""
    start, stop = max(0, -(lo // up)), min(size, size - (-hi // up))
    if start >= stop:
        return slice(0, 0), size * up + lo + hi, 0
    return slice(start, stop), lo + start * up, hi + (size - stop) * up


def _trim(x: Tensor, up: tuple[int, int], padding: tuple[int, int, int, int]) -> tuple[Tensor, tuple[int, int, int, int]]:
    """x without the samples that padding crops, and what remains of the padding."""
    if min(padding) >= 0:
        return x, padding
    columns, x_lo, x_hi = _kept(x.shape[3], up[0], padding[0], padding[1])
    rows, y_lo, y_hi = _kept(x.shape[2], up[1], padding[2], padding[3])
    return x[:, :, rows, columns], (x_lo, x_hi, y_lo, y_hi)


def _zeros(empty: Tensor, width: int, height: int) -> Tensor:
    """What an image without samples becomes: nothing but padding. Adding the sum, 0, keeps gradients connected."""
    return empty.new_zeros(*empty.shape[:2], height, width) + empty.sum()


def _place(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """Pad with zeros, or crop where negative, without copying where only cropped."""
    x_lo, x_hi, y_lo, y_hi = padding
    height, width = x.shape[2:]
    if x.numel() == 0:
        return _zeros(x, width + x_lo + x_hi, height + y_lo + y_hi)
    if min(padding) < 0:
        x = x[:, :, max(0, -y_lo) : height + min(0, y_hi), max(0, -x_lo) : width + min(0, x_hi)]
    return F.pad(x, (max(0, x_lo), max(0, x_hi), max(0, y_lo), max(0, y_hi))) if max(padding) > 0 else x


def filter_images(x: Tensor, f: Tensor | None, resampling: Resampling, *, gain: float, flip_filter: bool) -> Tensor:
    """y = gain * downsample(f * pad(upsample(x))); x is N x C x H x W, f 1-D (separable: two passes), 2-D or None; in x's own type.

    The result has channels-last layout unless there was nothing to filter.
    """
    up, down = resampling.up, resampling.down
    x, padding = _trim(x, up, resampling.padding)
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
    """One pass with a 2-D kernel, applied as correlation, on a trimmed image."""
    channels, (height, width), (taps_y, taps_x) = x.shape[1], x.shape[2:], kernel.shape
    if x.numel() == 0:
        return _zeros(x, *Resampling(up, down, padding).size(width, height, (taps_x, taps_y)))
    weight = kernel.expand(channels, 1, taps_y, taps_x)
    if up == (1, 1):
        within, rest = _split(padding, (taps_x, taps_y))
        return F.conv2d(_place(x, rest), weight, stride=(down[1], down[0]), padding=within, groups=channels)
    # The transposed convolution starts taps - 1 samples before the first one sought, and ends with the last sample, without its zeros.
    surplus = (taps_x - 1 - padding[0], taps_x - up[0] - padding[1], taps_y - 1 - padding[2], taps_y - up[1] - padding[3])
    within, rest = _split(surplus, (taps_x, taps_y))
    y = F.conv_transpose2d(x, weight.flip(2, 3), stride=(up[1], up[0]), padding=within, groups=channels)
    x_lo, x_hi, y_lo, y_hi = rest
    return _place(y, (-x_lo, -x_hi, -y_lo, -y_hi))[:, :, :: down[1], :: down[0]]


def _split(padding: tuple[int, int, int, int], taps: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """The part (y, x) of a padding that a convolution can do itself, being the same on both sides, and the rest."""
    x_lo, x_hi, y_lo, y_hi = padding
    x, y = (max(0, min(lo, hi, count - 1)) for lo, hi, count in ((x_lo, x_hi, taps[0]), (y_lo, y_hi, taps[1])))
    return (y, x), (x_lo - x, x_hi - x, y_lo - y, y_hi - y)
