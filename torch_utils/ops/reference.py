"""What the four references share: the type they accumulate in, and filtering by phases.

`filter_images` is upsampling, padding, filtering and downsampling in one: it never multiplies by an inserted zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

HALVES = (torch.float16, torch.bfloat16)


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for the 16-bit types, so that sums are rounded once, at the end; otherwise the type itself."""
    return torch.float32 if dtype in HALVES else dtype


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


def taps_of(shape: torch.Size | None) -> tuple[int, int]:
    """(x, y) taps of a filter's shape: a missing filter has one, a 1-D filter stands for its outer product with itself."""
    if shape is None:
        return (1, 1)
    return (shape[-1], shape[0])


def filter_images(x: Tensor, f: Tensor | None, resampling: Resampling, *, gain: float, flip_filter: bool) -> Tensor:
    """y = downsample(f * pad(upsample(x))) times gain; x is N x C x H x W, f 1-D (separable) or 2-D; in x's own type.

    A 1-D filter takes two passes, one an axis.
    """
    up, down, padding = resampling.up, resampling.down, resampling.padding
    if x.numel() == 0:
        width, height = resampling.size(x.shape[3], x.shape[2], taps_of(None if f is None else f.shape))
        return F.pad(x, (0, width - x.shape[3], 0, height - x.shape[2]))
    if f is None:
        f = x.new_ones(1)
    f = f.to(x.dtype)
    if not flip_filter:
        f = f.flip(tuple(range(f.ndim)))
    if f.ndim == 2:
        return _pass(x, f * gain, up, down, padding)
    x = _pass(x, f[None, :] * gain, (up[0], 1), (down[0], 1), (padding[0], padding[1], 0, 0))
    return _pass(x, f[:, None], (1, up[1]), (1, down[1]), (0, 0, padding[2], padding[3]))


def _pass(x: Tensor, kernel: Tensor, up: tuple[int, int], down: tuple[int, int], padding: tuple[int, int, int, int]) -> Tensor:
    """One pass with a 2-D kernel, applied as correlation."""
    channels = x.shape[1]
    weight = kernel.expand(channels, 1, *kernel.shape)
    if up == (1, 1):
        return F.conv2d(F.pad(x, padding), weight, stride=(down[1], down[0]), groups=channels)
    # Sample j meets tap t in sample up*j + t of the full convolution, which starts taps-1 before the first padded-with-nothing output.
    full = F.conv_transpose2d(x, weight.flip(2, 3), stride=(up[1], up[0]), groups=channels)
    taps_y, taps_x = kernel.shape
    x_lo, x_hi, y_lo, y_hi = padding
    lost_x, lost_y = taps_x - 1, taps_y - 1
    y = F.pad(full, (x_lo - lost_x, x_hi - lost_x + up[0] - 1, y_lo - lost_y, y_hi - lost_y + up[1] - 1))
    return y if down == (1, 1) else y[:, :, :: down[1], :: down[0]]
