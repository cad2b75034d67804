"""The alias-free non-linearity: a leaky ReLU at a higher sampling rate, between two low-pass filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch.nn.functional as F
from torch import Tensor

from . import checks
from .backend import Call
from .dispatch import define, dispatch
from .reference import Resampling, accumulation_dtype, filter_images, restore, taps_of

SQRT2 = 2.0**0.5


@dataclass(frozen=True, slots=True, eq=False)
class FilteredLreluOptions:
    """`filtered_lrelu`'s arguments, checked: factors (x, y), paddings (x_lo, x_hi, y_lo, y_hi) at the upsampled rate."""

    up: tuple[int, int]
    down: tuple[int, int]
    padding: tuple[int, int, int, int]
    gain: float
    slope: float
    clamp: float | None
    flip_filter: bool

    @property
    def upsampling(self) -> Resampling:
        """The first half, up to the non-linearity; all padding is here."""
        return Resampling(self.up, (1, 1), self.padding)

    @property
    def downsampling(self) -> Resampling:
        """The second half."""
        return Resampling((1, 1), self.down, (0, 0, 0, 0))


@lru_cache(maxsize=1024)
def _options(
    up: int | tuple, down: int | tuple, padding: int | tuple, gain: float, slope: float, clamp: float | None, flip_filter: bool
) -> FilteredLreluOptions:
    op = "filtered_lrelu"
    return FilteredLreluOptions(
        checks.factors(op, "up", up),
        checks.factors(op, "down", down),
        checks.paddings(op, padding),
        checks.finite(op, "gain", gain),
        checks.finite(op, "slope", slope),
        checks.optional_clamp(op, clamp),
        bool(flip_filter),
    )


def filtered_lrelu(
    x: Tensor,
    fu: Tensor | None = None,
    fd: Tensor | None = None,
    b: Tensor | None = None,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    gain: float = SQRT2,
    slope: float = 0.2,
    clamp: float | None = None,
    flip_filter: bool = False,
) -> Tensor:
    """Bias, upsample by `up` with filter fu, leaky ReLU, gain, clamp, downsample by `down` with filter fd.

    x is N x C x H x W, b has shape (C,) or is None, the filters are as in `upfirdn2d`. Upsampling has gain up_x · up_y, so that a filter of
    unit sum keeps the level; downsampling has gain 1. `padding` (int, or (x_lo, x_hi, y_lo, y_hi), in upsampled samples, negative to
    crop) is applied before fu and must make up for both filters. `clamp` bounds the magnitude between the filters, None leaves it free.
    `flip_filter` holds for both filters. 16-bit types are computed in float32 throughout and rounded once.
    Raises TypeError and ValueError naming the argument, also where no sample is left.

    y = D · clamp(gain · lrelu(U · (x + b), slope)); paper, section 3.2 and figure 4
    """
    return dispatch(
        "filtered_lrelu",
        (x, fu, fd, b),
        _options(checks.hashable(up), checks.hashable(down), checks.hashable(padding), gain, slope, clamp, flip_filter),
    )


def _check(call: Call) -> None:
    checks.check_images(call)
    _, fu, fd, b = call.tensors
    checks.check_filter(call, "fu", fu)
    checks.check_filter(call, "fd", fd)
    checks.check_bias(call, b, 1)
    _, _, height, width = call.x.shape
    options: FilteredLreluOptions = call.options
    middle = options.upsampling.size(width, height, taps_of(None if fu is None else fu.shape))
    checks.output_size(call, middle)
    checks.output_size(call, options.downsampling.size(*middle, taps_of(None if fd is None else fd.shape)))


def filtered_lrelu_reference(x: Tensor, fu: Tensor | None, fd: Tensor | None, b: Tensor | None, options: FilteredLreluOptions) -> Tensor:
    """The definition, in plain torch.

    A gain that is not negative commutes with the leaky ReLU, so that it joins the filter's: one pass over the large images less.
    """
    wide = x.to(accumulation_dtype(x.dtype))
    if b is not None:
        wide = wide + b.to(wide.dtype).reshape(1, -1, 1, 1)
    before, after = (options.gain, 1.0) if options.gain >= 0 else (1.0, options.gain)
    gain = before * options.up[0] * options.up[1]
    y = filter_images(wide, fu, options.upsampling, gain=gain, flip_filter=options.flip_filter)
    if options.slope != 1:
        y = F.leaky_relu(y, options.slope)
    if after != 1:
        y = y * after
    if options.clamp is not None:
        y = y.clamp(-options.clamp, options.clamp)
    return restore(filter_images(y, fd, options.downsampling, gain=1.0, flip_filter=options.flip_filter), x)


define("filtered_lrelu", filtered_lrelu_reference, _check)
