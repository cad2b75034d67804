"""`doubling_conv2d` on a CPU: the filter goes into the weight, and the four phases of the output become one 3x3 convolution.

Nothing is cropped between the convolution and the filter of n = 4 taps, so their kernels compose to g = taps * W of 6 x 6, and each
output sample meets every other row and column of it:

    y[2 i + a, 2 j + b] = sum over p, q of g[a + 2 (2 - p), b + 2 (2 - q)] x[i + p - 1, j + q - 1]

Four kernels of 3 x 3, that is, computed as four times the channels by Winograd's algorithm, which then multiplies no more often than the
transposed convolution alone; samples and zeros, and the images between the passes, are never made. The composed weights are kept.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .conv_choice import ConvShape, choose
from .dispatch import Call, Implementation, register
from .doubling_conv2d import GAIN
from .native_conv import available, conv2d, weights
from .reference import HALVES

TAPS = 4
LEAST_PIXELS = 64 * 64  # of the input: smaller images wait for the weights, of which there are sixteen times as many


def phase_weights(weight: Tensor, taps: Tensor) -> Tensor:
    """The kernels of the four phases, 4 O x I x 3 x 3, of output channel 0 first; phases in the order of `pixel_shuffle`."""
    outs, ins = weight.shape[:2]
    flipped = taps.double().flip(0, 1)[None, None]  # torch correlates
    composed = F.conv2d(weight.double().reshape(outs * ins, 1, 3, 3), flipped, padding=TAPS - 1).reshape(outs, ins, 6, 6)
    phases = [composed[:, :, a::2, b::2].flip(2, 3) for a in (0, 1) for b in (0, 1)]
    return (GAIN * torch.stack(phases, 1)).reshape(4 * outs, ins, 3, 3).to(torch.float32).contiguous()


def doubling_conv2d_native(x: Tensor, weight: Tensor, styles: Tensor, taps: Tensor, options: None) -> Tensor:
    """`doubling_conv2d` for calls that `_refuses` does not refuse."""
    styles = styles.detach().to(torch.float32)
    factor = (styles.square() @ weights.energy(weight).T).clamp_min(torch.finfo(torch.float32).tiny).rsqrt()
    phases = weights.derived(weight, ("phases", *taps.flatten().tolist()), lambda: phase_weights(weight.detach(), taps))
    y = conv2d(x, phases, padding=1, in_scale=styles, out_scale=factor.repeat_interleave(4, dim=1))
    return F.pixel_shuffle(y, 2).to(x.dtype)


def _refuses(call: Call) -> str | None:
    x, weight, styles, taps = call.tensors
    assert x is not None and weight is not None and styles is not None and taps is not None
    if x.dtype not in (torch.float32, *HALVES) or torch.float64 in (weight.dtype, styles.dtype):
        return "takes 16- and 32-bit types"
    if taps.shape[0] != TAPS:
        return f"takes filters of {TAPS} taps, not {taps.shape[0]}"
    count, ins, height, width = x.shape
    if height * width < LEAST_PIXELS:
        return f"takes images from {LEAST_PIXELS} pixels on"
    if choose(ConvShape(count, ins, 4 * weight.shape[0], height, width, 3, 1)).algorithm != "winograd":
        return "too few channels for Winograd's algorithm"
    return None


register(Implementation("doubling_conv2d", "native", doubling_conv2d_native, available=available, refuses=_refuses, devices=("cpu",)))
