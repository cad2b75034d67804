"""Which calls of `filtered_lrelu` and `upfirdn2d` the CPU kernels take, and which ones they leave to torch because it is faster."""

from __future__ import annotations

import math

import torch

from .backend import Call
from .filtered_lrelu import FilteredLreluOptions
from .reference import HALVES, taps_of

MOST_PLANES = 16  # least common multiple of a row's factors; as in resample_plan.h
MOST_STEP = 240  # upsampled rows from one output row to the next: a chunk has no more; as in resample_plan.h
MANY_CHANNELS, LARGE_PHASE, BUSY_LANES, LANES = 8, 200, 0.75, 16  # see `yields_filter`
MANY_TAPS = 100


def _refuses(call: Call) -> str | None:
    if call.x.dtype not in (torch.float32, *HALVES):
        return f"takes 16- and 32-bit types, not {call.x.dtype}"
    if any(t is not None and t.dtype == torch.float64 for t in call.tensors[1:]):
        return "a filter or bias is float64"
    if 0 in call.x.shape:
        return "nothing to compute"
    if max(call.x.shape) >= 2**24:
        return "too large for 32-bit sizes"
    return None


def refuses_filter(call: Call) -> str | None:
    return "there is no filter" if call.tensors[1] is None else _refuses(call)


def yields_filter(call: Call) -> str | None:
    """Torch computes channels side by side, we columns: with many taps, whoever has more lanes idle is slower."""
    filter_facts, options = call.tensors[1], call.options
    if filter_facts is None or len(filter_facts.shape) != 2 or call.x.shape[1] < MANY_CHANNELS:
        return None
    taps = filter_facts.shape.numel() / (options.up[0] * options.up[1])
    width, _ = options.resampling.size(call.x.shape[3], call.x.shape[2], taps_of(filter_facts.shape))
    columns = width / (options.up[0] // math.gcd(options.up[0], options.down[0]))  # of one phase
    if taps < LARGE_PHASE or columns >= BUSY_LANES * LANES * math.ceil(columns / LANES):
        return None
    return f"{taps:g} taps a sample are faster across {call.x.shape[1]} channels than along rows of {width}"


def refuses_activation(call: Call) -> str | None:
    options: FilteredLreluOptions = call.options
    if not (0 <= options.slope <= 1 and options.gain > 0):
        return f"needs 0 <= slope <= 1 and gain > 0, not {options.slope:g} and {options.gain:g}"
    return too_many_phases(options) or _refuses(call)


def yields_activation(call: Call) -> str | None:
    """Small images, raised much and lowered by many 2-D taps, as in `yields_filter`; and nothing but a point-wise function."""
    options: FilteredLreluOptions = call.options
    rise, fall, channels = call.tensors[1], call.tensors[2], call.x.shape[1]
    if rise is None and fall is None and options.up == options.down == (1, 1):
        return "without filters there is nothing to be fast at"
    if fall is None or len(fall.shape) == 1 or fall.shape.numel() < MANY_TAPS or min(options.up) < 4:
        return None
    across = max(call.x.shape[2:])
    return f"images of {across} samples are narrower than {channels} channels" if across < LANES and channels >= 2 * LANES else None


def too_many_phases(options: FilteredLreluOptions) -> str | None:
    """Why the kernels refuse these factors; None if they take them."""
    return None if in_phases(options.up, options.down) else f"factors {options.up} and {options.down} need too many phases"


def in_phases(up: tuple[int, int], down: tuple[int, int]) -> bool:
    """Whether factors (x, y) suit the kernels that hold each phase of a row, and as many rows as one output row steps over."""
    return math.lcm(up[0], down[0]) <= MOST_PLANES and down[1] <= MOST_STEP
