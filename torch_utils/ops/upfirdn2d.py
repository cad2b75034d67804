"""Upsample, pad, filter, downsample: the one linear operator of resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from . import checks
from .backend import Call
from .dispatch import define, dispatch
from .reference import Resampling, accumulation_dtype, filter_images, restore, taps_of


@dataclass(frozen=True, slots=True, eq=False)
class UpfirdnOptions:
    """`upfirdn2d`'s arguments, checked: factors (x, y), paddings (x_lo, x_hi, y_lo, y_hi) at the upsampled rate."""

    up: tuple[int, int]
    down: tuple[int, int]
    padding: tuple[int, int, int, int]
    flip_filter: bool
    gain: float

    @property
    def resampling(self) -> Resampling:
        """Factors and paddings."""
        return Resampling(self.up, self.down, self.padding)


@lru_cache(maxsize=1024)
def _options(up: int | tuple, down: int | tuple, padding: int | tuple, flip_filter: bool, gain: float) -> UpfirdnOptions:
    return UpfirdnOptions(
        checks.factors("upfirdn2d", "up", up),
        checks.factors("upfirdn2d", "down", down),
        checks.paddings("upfirdn2d", padding),
        bool(flip_filter),
        checks.finite("upfirdn2d", "gain", gain),
    )


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Follow each sample by `up - 1` zeros, pad (or crop, where negative), filter, keep every `down`-th sample.

    x is N x C x H x W; every channel meets the same filter f: 1-D (standing for its outer product with itself), 2-D (rows,
    columns), or None (one tap of 1). `up` and `down` are ints or (x, y); `padding`, in upsampled samples, an int or
    (x_lo, x_hi, y_lo, y_hi). The result is multiplied by `gain`, once. `flip_filter=False` is convolution, True correlation. 16-bit
    types are summed in float32 and rounded once.
    Returns N x C x H' x W', W' = floor((W up + x_lo + x_hi - taps) / down) + 1. Raises TypeError and ValueError naming the argument,
    also where no sample is left.

    y[n] = gain · Σ_j x[j] f[n·down + taps - 1 - lo - j·up] along each axis
    """
    return dispatch("upfirdn2d", (x, f), _options(checks.hashable(up), checks.hashable(down), checks.hashable(padding), flip_filter, gain))


def _check(call: Call) -> None:
    checks.check_images(call)
    f = call.tensors[1]
    checks.check_filter(call, "f", f)
    _, _, height, width = call.x.shape
    checks.output_size(call, call.options.resampling.size(width, height, taps_of(None if f is None else f.shape)))


def upfirdn2d_reference(x: Tensor, f: Tensor | None, options: UpfirdnOptions) -> Tensor:
    """The definition, in plain torch, without multiplying by the inserted zeros."""
    wide = x.to(accumulation_dtype(x.dtype))
    return restore(filter_images(wide, f, options.resampling, gain=options.gain, flip_filter=options.flip_filter), x)


define("upfirdn2d", upfirdn2d_reference, _check)
