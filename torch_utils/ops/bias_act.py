"""Bias, activation, gain and clamp: y = clamp(gain * act(x + b))."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from . import checks
from .backend import Call
from .dispatch import define, dispatch
from .reference import accumulation_dtype

SQRT2 = 2.0**0.5
DEFAULT_SLOPE = 0.2


@dataclass(frozen=True, slots=True)
class Activation:
    """A point-wise function and the gain that keeps the variance of its output near 1."""

    function: Callable[[Tensor], Tensor]
    gain: float = 1.0


ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(lambda x: x),
    "relu": Activation(torch.relu, SQRT2),
    "lrelu": Activation(lambda x: F.leaky_relu(x, DEFAULT_SLOPE), SQRT2),
    "tanh": Activation(torch.tanh),
    "sigmoid": Activation(torch.sigmoid),
    "elu": Activation(F.elu),
    "selu": Activation(F.selu),
    "softplus": Activation(F.softplus),
    "swish": Activation(F.silu, SQRT2),
}


@dataclass(frozen=True, slots=True, eq=False)
class BiasActOptions:
    """`bias_act`'s arguments, checked and filled in. `alpha` is lrelu's slope, None for the others."""

    dim: int
    act: str
    alpha: float | None
    gain: float
    clamp: float | None


@lru_cache(maxsize=1024)
def _options(dim: int, act: str, alpha: float | None, gain: float | None, clamp: float | None) -> BiasActOptions:
    if act not in ACTIVATIONS:
        raise ValueError(f"bias_act: act must be one of {', '.join(ACTIVATIONS)}, got {act!r}")
    if act != "lrelu" and alpha is not None:
        raise ValueError(f"bias_act: alpha is the slope of lrelu; {act} has none, got {alpha!r}")
    if act == "lrelu":
        alpha = DEFAULT_SLOPE if alpha is None else checks.finite("bias_act", "alpha", alpha)
    gain = ACTIVATIONS[act].gain if gain is None else checks.finite("bias_act", "gain", gain)
    return BiasActOptions(dim, act, alpha, gain, checks.optional_clamp("bias_act", clamp))


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    *,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Add a bias along axis `dim`, apply an activation, multiply by a gain, clamp to [-clamp, clamp].

    x has any shape; b has shape (x.shape[dim],) or is None. `act` is a key of `ACTIVATIONS`. `alpha` is the slope of lrelu (0.2);
    `gain` None is the activation's own: √2 for relu, lrelu and swish, else 1. 16-bit types are computed in float32 and rounded once.
    Raises TypeError and ValueError naming the argument.

    y = clamp(gain · act(x + b))
    """
    return dispatch("bias_act", (x, b), _options(dim, act, alpha, gain, clamp))


def _check(call: Call) -> None:
    checks.check_floating(call)
    dim, rank = call.options.dim, len(call.x.shape)
    if call.tensors[1] is not None:
        if not -rank <= dim < rank:
            raise ValueError(f"bias_act: dim must be an axis of x, which has {rank}, got {dim}")
        checks.check_bias(call, call.tensors[1], dim)


def bias_act_reference(x: Tensor, b: Tensor | None, options: BiasActOptions) -> Tensor:
    """The definition, in plain torch."""
    dtype = x.dtype
    x = x.to(accumulation_dtype(dtype))
    if b is not None:
        shape = [1] * x.ndim
        shape[options.dim] = -1
        x = x + b.to(x.dtype).reshape(shape)
    x = ACTIVATIONS[options.act].function(x) if options.alpha is None else F.leaky_relu(x, options.alpha)
    if options.gain != 1:
        x = x * options.gain
    if options.clamp is not None:
        x = x.clamp(-options.clamp, options.clamp)
    return x.to(dtype)


define("bias_act", bias_act_reference, _check)
