"""StyleGAN2's step to twice the resolution: a modulated convolution between samples and zeros, then a low-pass filter."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from . import checks
from .backend import Call
from .dispatch import define, dispatch
from .modulated_conv2d import demodulation, weight_energy
from .reference import accumulation_dtype, full_precision
from .upfirdn2d import upfirdn2d

GAIN = 4.0  # of the filter: of four samples three were zeros


def doubling_conv2d(x: Tensor, weight: Tensor, styles: Tensor, taps: Tensor) -> Tensor:
    """Twice the resolution: zeros between the samples, convolution with `weight` scaled by `styles`, low-pass `taps`, demodulation.

    x is N x I x H x W, weight O x I x 3 x 3, styles N x I, taps a 2-D filter of at least two taps a side. Returns N x O x 2H x 2W in x's
    type, whatever the types of the others. Unlike `modulated_conv2d` this convolves, that is, the kernel is flipped. Raises TypeError and
    ValueError naming the argument.

    y = d · 4 taps * (W * up(s · x)), d as in `modulated_conv2d`; StyleGAN2, appendix B
    """
    return dispatch("doubling_conv2d", (x, weight, styles, taps), None)


def _check(call: Call) -> None:
    checks.check_images(call)
    x, weight, styles, taps = call.tensors
    assert x is not None
    for name, facts in (("weight", weight), ("styles", styles), ("taps", taps)):
        if facts is None:
            raise ValueError(f"doubling_conv2d: {name} is missing")
        checks.check_companion(call, name, facts)
    assert weight is not None and styles is not None and taps is not None
    if len(weight.shape) != 4 or weight.shape[1:] != (x.shape[1], 3, 3) or weight.shape[0] == 0:
        raise ValueError(f"doubling_conv2d: weight must have shape (O, {x.shape[1]}, 3, 3), got {tuple(weight.shape)}")
    if tuple(styles.shape) != tuple(x.shape[:2]):
        raise ValueError(f"doubling_conv2d: styles must have shape {tuple(x.shape[:2])}, as x has, got {tuple(styles.shape)}")
    if len(taps.shape) != 2 or taps.shape[0] != taps.shape[1] or taps.shape[0] < 2:
        raise ValueError(f"doubling_conv2d: taps must be square, of at least two a side, got {tuple(taps.shape)}")


def doubling_conv2d_reference(x: Tensor, weight: Tensor, styles: Tensor, taps: Tensor, options: None) -> Tensor:
    """The definition, in plain torch and `upfirdn2d`.

    The scales of weight and styles cancel in the demodulation, so in float16 both are normalised first: nothing overflows.
    """
    wide = accumulation_dtype(x.dtype)
    weight, styles = weight.to(wide), styles.to(wide)
    if x.dtype == torch.float16:
        styles = styles / styles.abs().amax(dim=1, keepdim=True).clamp_min(1e-12)
        weight = weight / weight.square().sum(dim=(1, 2, 3), keepdim=True).clamp_min(1e-24).sqrt()
    y = x * styles[:, :, None, None].to(x.dtype)
    with full_precision(y):
        y = F.conv_transpose2d(y, weight.transpose(0, 1).to(x.dtype), stride=2)  # uncropped: one more sample than twice
    count = taps.shape[-1]
    low = (count + 1) // 2 - 1
    high = count - 2 - low
    y = upfirdn2d(y, taps, padding=(low, high, low, high), gain=GAIN)
    return y * demodulation(weight_energy(weight), styles)[:, :, None, None].to(x.dtype)


define("doubling_conv2d", doubling_conv2d_reference, _check)
