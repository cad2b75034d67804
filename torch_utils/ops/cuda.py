"""The CUDA kernels of `filtered_lrelu`, `upfirdn2d` and `bias_act`: registers them with the dispatch, for GPUs only.

The first two are one kernel (`csrc/cuda/resample.cuh`), compiled for the sizes at hand when first met; a 2-D filter is the shortest sum of
separable ones that equals it to `native.RANK_TOLERANCE`. In float16, without gradients, tensor cores take its place
(`csrc/cuda/banded.cuh`), in bfloat16 too where there is a clamp: `backends()` says where. Gradients flow to x and b by kernels too, to any
order. Calls that ask for a gradient of a filter, or for derivatives forward, are computed by the reference: nobody trains a filter, and a
decision does not see which tensor it is that needs a gradient.
"""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from ..cuda_build import CudaUnavailable
from ..cuda_driver import describe
from .backend import Call, Facts, Implementation, Unavailable
from .bias_act import BiasActOptions, bias_act_reference
from .cuda_bias_act import bias_act_cuda
from .cuda_plan import TYPES, Mode, Plan, Shape
from .cuda_resample import (
    ApplyLinearMap,
    FilteredLrelu,
    LinearMap,
    Middle,
    Prepared,
    fits,
    host_taps,
    launching,
    prepare,
    tensor_core_faults,
    using_tensor_cores,
)
from .dispatch import register
from .filtered_lrelu import FilteredLreluOptions, filtered_lrelu_reference
from .native import Separable, separable
from .reference import taps_of
from .upfirdn2d import UpfirdnOptions, upfirdn2d_reference

_log = logging.getLogger(__name__)
_ONE = np.ones(1, np.float32)
MOST_READY = 1024  # kinds of call; an animation of sizes must not grow memory for ever


def _filters(f: Tensor | None, *, flip_filter: bool, gain_x: float = 1.0, gain_y: float = 1.0) -> Separable:
    taps = _ONE if f is None else host_taps(f)
    return separable(taps.tobytes(), taps.shape, flip_filter, gain_x, gain_y)


def _tracked(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def _only_reference(*filters: Tensor | None) -> bool:
    return forward_ad._current_level >= 0 or _tracked(*filters)


def filtered_lrelu_plan(x: Tensor, fu: Tensor | None, fd: Tensor | None, options: FilteredLreluOptions) -> Plan:
    """What the kernel does for this call."""
    up = options.up
    rise = _filters(fu, flip_filter=options.flip_filter, gain_x=up[0], gain_y=up[1])
    fall = _filters(fd, flip_filter=options.flip_filter)
    size = (x.shape[3], x.shape[2])
    middle = options.upsampling.size(*size, (rise.x.shape[1], rise.y.shape[1]))
    out_size = options.downsampling.size(*middle, (fall.x.shape[1], fall.y.shape[1]))
    return Plan(up, options.down, (options.padding[0], options.padding[2]), size, out_size, rise, fall)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A prepared launch, for as long as the filters that it holds are there and unchanged."""

    launch: Prepared
    filters: tuple[tuple[weakref.ref[Tensor], int] | None, ...]

    def holds(self, *filters: Tensor | None) -> bool:
        return all(
            known is None if f is None else known is not None and known[0]() is f and known[1] == f._version
            for known, f in zip(self.filters, filters, strict=True)
        )


_ready: dict[tuple, _Ready] = {}  # so that a call costs microseconds; by what decides a launch, see `_prepared`


def _prepared(x: Tensor, fu: Tensor | None, fd: Tensor | None, options: FilteredLreluOptions) -> Prepared:
    """The launch for x and all that lie in memory as it does."""
    key = (options, x.shape, x.stride(), x.dtype, x.device, x.data_ptr() % 16, id(fu), id(fd), *launching())
    ready = _ready.get(key)
    if ready is not None and ready.holds(fu, fd):
        return ready.launch
    middle = Middle(Mode.ACTIVATE, options.slope, options.gain, math.inf if options.clamp is None else options.clamp)
    launch = prepare(x, filtered_lrelu_plan(x, fu, fd, options), middle)
    if not any(f is not None and f.is_inference() for f in (fu, fd)):  # those do not count their changes
        if len(_ready) >= MOST_READY:
            _ready.clear()
        _ready[key] = _Ready(launch, tuple(None if f is None else (weakref.ref(f), f._version) for f in (fu, fd)))
    return launch


def filtered_lrelu_cuda(x: Tensor, fu: Tensor | None, fd: Tensor | None, b: Tensor | None, options: FilteredLreluOptions) -> Tensor:
    """`filtered_lrelu`, for calls that are not refused."""
    if _only_reference(fu, fd):
        return filtered_lrelu_reference(x, fu, fd, b, options)
    if _tracked(x, b):
        middle = Middle(Mode.ACTIVATE, options.slope, options.gain, math.inf if options.clamp is None else options.clamp)
        return FilteredLrelu.apply(x, b, filtered_lrelu_plan(x, fu, fd, options), middle)  # type: ignore[return-value]
    if x.is_neg():
        x = x.resolve_neg()
    if b is not None and (b.dtype != torch.float32 or not b.is_contiguous() or b.is_neg()):
        b = b.detach().resolve_neg().float().contiguous()
    return _prepared(x, fu, fd, options)(x, b, None)


def upfirdn2d_plan(x: Tensor, f: Tensor | None, options: UpfirdnOptions) -> Plan:
    """The filter is the rise's where there is one, otherwise the fall's."""
    filters, none = _filters(f, flip_filter=options.flip_filter, gain_y=options.gain), _filters(None, flip_filter=False)
    size = (x.shape[3], x.shape[2])
    out_size = options.resampling.size(*size, (filters.x.shape[1], filters.y.shape[1]))
    rise, fall = (none, filters) if options.up == (1, 1) else (filters, none)
    return Plan(options.up, options.down, (options.padding[0], options.padding[2]), size, out_size, rise, fall)


def upfirdn2d_cuda(x: Tensor, f: Tensor | None, options: UpfirdnOptions) -> Tensor:
    """`upfirdn2d`, for calls that are not refused."""
    if _only_reference(f):
        return upfirdn2d_reference(x, f, options)
    linear = LinearMap(upfirdn2d_plan(x, f, options), Middle(Mode.LINEAR))
    return ApplyLinearMap.apply(x, None, linear) if _tracked(x) else linear(x, None)  # type: ignore[return-value]


_Sample = tuple[str, Callable[..., Tensor], Callable[..., Tensor], tuple[Any, ...]]


def _samples(device: str) -> tuple[_Sample, ...]:
    """A small call of each operator, for the kernel and for its definition."""
    x = torch.linspace(-3, 3, 2 * 3 * 21 * 24, device=device).sin().reshape(2, 3, 21, 24)
    f, b = torch.linspace(0.02, 0.14, 12, device=device), torch.tensor([0.1, 0.0, -0.2], device=device)
    filtered = FilteredLreluOptions((2, 2), (2, 2), (9, 10, 8, 11), 2**0.5, 0.2, 0.9, False)
    resampled = UpfirdnOptions((2, 1), (1, 2), (6, 5, 6, 5), False, 1.5)
    return (
        ("filtered_lrelu", filtered_lrelu_cuda, filtered_lrelu_reference, (x, f, f, b, filtered)),
        ("upfirdn2d", upfirdn2d_cuda, upfirdn2d_reference, (x, f, resampled)),
        ("bias_act", bias_act_cuda, bias_act_reference, (x, b, BiasActOptions(1, "lrelu", 0.2, 2**0.5, 0.9))),
    )


def check_kernels(device: str) -> None:
    """Run one small call of each kind and compare it with the reference, so that kernels that fail on a GPU are not used on it.

    Raises Unavailable. The first time on a machine this compiles three kernels; it must not happen within the capture of a CUDA graph.
    """
    with torch.no_grad():
        for name, kernel, reference, arguments in _samples(device):
            try:
                error = (kernel(*arguments) - reference(*arguments)).abs().max().item()
            except (RuntimeError, CudaUnavailable) as failure:
                raise Unavailable(f"the kernel of {name} does not run on this GPU: {failure}") from failure
            if not error <= 1e-4:
                raise Unavailable(f"the kernel of {name} differs from its definition by {error:.1e} on this GPU; please report it")


def check_tensor_cores(device: str) -> str:
    """Run a small call in each 16-bit type and compare it with its definition; where it fails, that type goes without tensor cores, and the
    reason is kept. For people.
    """
    name, kernel, reference, (x, *rest) = _samples(device)[0]
    if not using_tensor_cores(x):
        return "float16 without tensor cores, which are used from compute capability 8.0 on"
    told = {torch.float16: "float16 on tensor cores where there are no gradients", torch.bfloat16: "bfloat16 too where there is a clamp"}
    for dtype, bound in ((torch.float16, 2e-3), (torch.bfloat16, 8e-3)):
        try:
            with torch.no_grad():
                error = (kernel(x.to(dtype), *rest).float() - reference(x.to(dtype).float(), *rest)).abs().max().item()
            fault = None if error <= bound else f"it differs from its definition by {error:.1e} on this GPU; please report it"
        except (RuntimeError, CudaUnavailable) as failure:
            fault = f"it does not run on this GPU: {failure}"
        if fault is not None:
            kind = str(dtype).removeprefix("torch.")
            told[dtype] = tensor_core_faults[dtype] = f"the kernel of {name} for tensor cores is not used in {kind}: {fault}"
            _ready.clear()
            _log.warning("%s", told[dtype])
    return "; ".join(told.values())


@lru_cache(maxsize=1)
def _available() -> str:
    description = describe()
    check_kernels("cuda")
    return description


@lru_cache(maxsize=1)
def _activation_available() -> str:
    return f"{_available()}; {check_tensor_cores('cuda')}"


def refuses_type(call: Call) -> str | None:
    """What all three have in common."""
    if call.x.dtype not in TYPES:
        return f"takes 16- and 32-bit types, not {call.x.dtype}"
    if any(t is not None and t.dtype == torch.float64 for t in call.tensors[1:]):
        return "a filter or bias is float64"
    if call.x.shape.numel() >= 2**31 and call.op == "bias_act":
        return "too large for 32-bit sizes"
    return "nothing to compute" if 0 in call.x.shape else None


def _rank(f: Facts | None) -> int:
    """The most terms that a filter of this shape can have."""
    return 1 if f is None or len(f.shape) == 1 else min(f.shape)


def _refuses_sizes(call: Call, rise: Facts | None, fall: Facts | None, out_size: tuple[int, int]) -> str | None:
    if max(*call.x.shape, *out_size) >= 2**24:
        return "too large for 32-bit sizes"
    up, down = call.options.up, call.options.down
    rise_taps, fall_taps = (taps_of(None if f is None else f.shape) for f in (rise, fall))
    there = Shape(up, down, rise_taps, fall_taps, _rank(rise), _rank(fall))
    back = Shape(down, up, fall_taps, rise_taps, _rank(fall), _rank(rise))
    planes, size = call.x.shape[0] * call.x.shape[1], (call.x.shape[3], call.x.shape[2])
    if fits(there, out_size, planes) and (not call.needs_grad or fits(back, size, planes)):
        return None
    return "filters or factors too large for shared memory"


def _refuses_activation(call: Call) -> str | None:
    _, fu, fd, _ = call.tensors
    options: FilteredLreluOptions = call.options
    middle = options.upsampling.size(call.x.shape[3], call.x.shape[2], taps_of(None if fu is None else fu.shape))
    out_size = options.downsampling.size(*middle, taps_of(None if fd is None else fd.shape))
    return refuses_type(call) or _refuses_sizes(call, fu, fd, out_size)


def _refuses_filter(call: Call) -> str | None:
    f = call.tensors[1]
    out_size = call.options.resampling.size(call.x.shape[3], call.x.shape[2], taps_of(None if f is None else f.shape))
    rise, fall = (None, f) if call.options.up == (1, 1) else (f, None)
    return refuses_type(call) or _refuses_sizes(call, rise, fall, out_size)


for _op, _run, _is_available, _refuses in (
    ("filtered_lrelu", filtered_lrelu_cuda, _activation_available, _refuses_activation),
    ("upfirdn2d", upfirdn2d_cuda, _available, _refuses_filter),
    ("bias_act", bias_act_cuda, _available, refuses_type),
):
    register(Implementation(_op, "cuda", _run, available=_is_available, refuses=_refuses, devices=("cuda",), differentiable=True))
