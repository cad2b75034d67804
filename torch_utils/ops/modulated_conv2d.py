"""Convolution whose weights are scaled by a style, without ever forming the scaled weights.

With W' = d · W · s, convolution being linear, conv(x, W') = d · conv(x · s, W): the styles scale the input's channels and the
demodulation the output's. W stays a constant that a backend may pack once, and a batch with many styles is an ordinary convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from . import checks
from .backend import Call
from .dispatch import define, dispatch
from .reference import accumulation_dtype, full_precision

EPSILON = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class ModulatedConvOptions:
    """`modulated_conv2d`'s arguments, checked."""

    demodulate: bool
    padding: int


@lru_cache(maxsize=64)
def _options(demodulate: bool, padding: int) -> ModulatedConvOptions:
    if not isinstance(padding, int) or padding < 0:
        raise ValueError(f"modulated_conv2d: padding must be an int, at least 0, got {padding!r}")
    return ModulatedConvOptions(bool(demodulate), padding)


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    demodulate: bool = True,
    padding: int = 0,
    input_gain: Tensor | float | None = None,
) -> Tensor:
    """Correlate x with weights whose input channels are scaled by `styles`, each output channel brought back to unit variance.

    x is N x I x H x W, weight O x I x k_y x k_x, styles N x I; zeros of width `padding` on every side. `demodulate=False` leaves out d.
    `input_gain`, a scalar, multiplies the result, after demodulation. Returns N x O x H' x W' in x's type, whatever the types of weight and
    styles. Raises TypeError and ValueError naming the argument.

    y = input_gain · d · (W ⋆ (s · x)), d = `demodulation(weight, styles)`; StyleGAN2, section 2.2
    """
    if isinstance(input_gain, (int, float)):  # without axes it widens no type and fits every device
        input_gain = torch.tensor(checks.finite("modulated_conv2d", "input_gain", input_gain), dtype=torch.float64)
    return dispatch("modulated_conv2d", (x, weight, styles, input_gain), _options(demodulate, padding))


def weight_energy(weight: Tensor) -> Tensor:
    """Σ over the kernel of W²: O x I. With it kept, `demodulation` costs a small product for each new style."""
    return weight.square().sum((2, 3))


def demodulation(energy: Tensor, styles: Tensor) -> Tensor:
    """The factor for each sample and output channel, N x O, from `weight_energy(weight)`, O x I, and styles, N x I.

    d = 1 / √(Σ (W s)² + ε), the sum over input channels and kernel, ε = 1e-8 · mean(energy) · mean(s²): relative, so that the scales
    of W and s cancel exactly, as if both were normalised first. No energy gives a finite factor, so that 0 stays 0.
    """
    squares = styles.square()
    floor = EPSILON * energy.mean(1) * squares.mean(1, keepdim=True)
    return (squares @ energy.T + floor).clamp_min(torch.finfo(styles.dtype).tiny).rsqrt()


def _check(call: Call) -> None:
    checks.check_images(call)
    x, weight, styles, input_gain = call.tensors
    assert x is not None
    for name, facts, axes in (("weight", weight, 4), ("styles", styles, 2)):
        if facts is None or len(facts.shape) != axes:
            got = None if facts is None else f"shape {tuple(facts.shape)}"
            raise ValueError(f"modulated_conv2d: {name} must have {axes} axes, got {got}")
        checks.check_companion(call, name, facts)
    assert weight is not None and styles is not None
    if weight.shape[1] != x.shape[1] or 0 in weight.shape:
        raise ValueError(f"modulated_conv2d: weight of shape {tuple(weight.shape)} does not fit the {x.shape[1]} channels of x")
    if tuple(styles.shape) != tuple(x.shape[:2]):
        raise ValueError(f"modulated_conv2d: styles must have shape {tuple(x.shape[:2])}, as x has, got {tuple(styles.shape)}")
    if input_gain is not None:
        checks.check_companion(call, "input_gain", input_gain)
        if input_gain.shape.numel() != 1:
            raise ValueError(f"modulated_conv2d: input_gain must be one number, got shape {tuple(input_gain.shape)}")
    extent = 2 * call.options.padding + 1
    checks.output_size(call, (x.shape[3] + extent - weight.shape[3], x.shape[2] + extent - weight.shape[2]))


def modulated_conv2d_reference(
    x: Tensor, weight: Tensor, styles: Tensor, input_gain: Tensor | None, options: ModulatedConvOptions
) -> Tensor:
    """The definition, in plain torch.

    16-bit images are convolved in float32 on a CPU, where 16-bit convolutions are slow or missing; elsewhere in their own type, which
    accumulates in float32 there, with weights and styles brought to unit size first, so that nothing overflows on the way.
    """
    wide = accumulation_dtype(x.dtype)
    weight, styles = weight.to(wide), styles.to(wide)
    energy = weight_energy(weight)
    factor = demodulation(energy, styles) if options.demodulate else styles.new_ones(1, 1)
    narrow = x.dtype != wide and _convolves_halves(x)
    if narrow:
        tiny = torch.finfo(wide).tiny
        weight_size, style_size = energy.sum(1).clamp_min(tiny).sqrt(), styles.square().mean(1, keepdim=True).clamp_min(tiny).sqrt()
        weight, styles = (weight / weight_size[:, None, None, None]).to(x.dtype), (styles / style_size).to(x.dtype)
        factor = factor * weight_size * style_size
    if input_gain is not None:
        factor = factor * input_gain.to(wide)
    scaled = (x if narrow else x.to(wide)) * styles[:, :, None, None]
    with full_precision(x):
        y = F.conv2d(scaled, weight, padding=options.padding)
    return (y * factor[:, :, None, None]).to(x.dtype)


def _convolves_halves(x: Tensor) -> bool:
    return x.device.type != "cpu"


define("modulated_conv2d", modulated_conv2d_reference, _check)
