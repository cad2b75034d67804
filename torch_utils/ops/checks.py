"""Checks of operators' arguments: each names the operator, the argument and its value. They run once for each kind of call."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch

from .backend import Call, Facts

FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_floating(call: Call) -> None:
    """x must be of one of the four floating types; the others must lie on its device."""
    if call.x.dtype not in FLOATING:
        raise TypeError(f"{call.op}: x must be float16, bfloat16, float32 or float64, got {call.x.dtype}")


def check_images(call: Call) -> None:
    """x must be N x C x H x W of a floating type."""
    check_floating(call)
    if len(call.x.shape) != 4:
        raise ValueError(f"{call.op}: x must be N x C x H x W, got shape {tuple(call.x.shape)}")


def check_companion(call: Call, name: str, facts: Facts) -> None:
    """Another tensor must be floating and on x's device."""
    if facts.dtype not in FLOATING:
        raise TypeError(f"{call.op}: {name} must be of a floating type, got {facts.dtype}")
    if facts.device != call.x.device and facts.shape:
        raise ValueError(f"{call.op}: {name} is on {facts.device}, x on {call.x.device}")


def check_filter(call: Call, name: str, facts: Facts | None) -> None:
    """A filter must be None, or 1-D or 2-D with at least one tap in each axis."""
    if facts is None:
        return
    check_companion(call, name, facts)
    if len(facts.shape) not in (1, 2) or 0 in facts.shape:
        raise ValueError(f"{call.op}: {name} must be a 1-D or 2-D filter with at least one tap, got shape {tuple(facts.shape)}")


def check_bias(call: Call, facts: Facts | None, dim: int) -> None:
    """A bias must be None, or have one number for each index of x's axis `dim`."""
    if facts is None:
        return
    check_companion(call, "b", facts)
    if tuple(facts.shape) != (call.x.shape[dim],):
        raise ValueError(
            f"{call.op}: b must have shape ({call.x.shape[dim]},) for x of shape {tuple(call.x.shape)}, got {tuple(facts.shape)}"
        )


def hashable(value: int | Sequence[int]) -> int | tuple[int, ...]:
    """A list as a tuple, so that checked options can be remembered."""
    return tuple(value) if isinstance(value, list) else value  # type: ignore[return-value]


def factors(op: str, name: str, value: object) -> tuple[int, int]:
    """An int, or (x, y), as (x, y); at least 1."""
    pair = (value, value) if isinstance(value, Integral) else value
    if not isinstance(pair, tuple) or len(pair) != 2 or not all(isinstance(v, Integral) and int(v) >= 1 for v in pair):
        raise ValueError(f"{op}: {name} must be a positive int or a pair (x, y) of them, got {value!r}")
    return (int(pair[0]), int(pair[1]))


def paddings(op: str, value: object) -> tuple[int, int, int, int]:
    """An int, or (x_lo, x_hi, y_lo, y_hi), as the latter. Negative ones crop."""
    four = (value,) * 4 if isinstance(value, Integral) else value
    if not isinstance(four, tuple) or len(four) != 4 or not all(isinstance(v, Integral) for v in four):
        raise ValueError(f"{op}: padding must be an int or (x_lo, x_hi, y_lo, y_hi), got {value!r}")
    return (int(four[0]), int(four[1]), int(four[2]), int(four[3]))


def finite(op: str, name: str, value: float) -> float:
    """A finite number, as a float."""
    if not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{op}: {name} must be a finite number, got {value!r}")
    return float(value)


def optional_clamp(op: str, value: float | None) -> float | None:
    """None, or a number that is not negative."""
    if value is None:
        return None
    if finite(op, "clamp", value) < 0:
        raise ValueError(f"{op}: clamp must be None or at least 0, got {value!r}")
    return float(value)


def output_size(call: Call, size: tuple[int, int]) -> None:
    """The output, (width, height), must have at least one sample in each axis."""
    if min(size) < 1:
        height, width = call.x.shape[2:]
        sizes = f"{width} x {height} (width x height) would give {size[0]} x {size[1]}"
        raise ValueError(f"{call.op}: nothing is left: x of {sizes}; {call.options}")
