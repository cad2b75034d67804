"""Runs the CUDA resampling kernels on tensors, with gradients of every order. Which GPU, if any, is `launch`'s affair.

Two kernels compute the same: `banded` on tensor cores where `cuda_banded.objection` has nothing to say and the GPU has them, `resample`
otherwise, and always for float32. What a launch needs beside its tensors is made once for each kind of call (`Prepared`).
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.utils.weak import WeakTensorKeyDictionary

from ..cuda_build import Kernel
from . import cuda_banded
from .cuda_plan import VECTOR, Mode, Plan, ResampleCall, Shape, Variant, all_taps, kernel_for, variant_for

Launch = Callable[[Kernel, int, int, ctypes.Structure, torch.device], None]


def _launch_on_gpu(kernel: Kernel, blocks: int, shared_bytes: int, call: ctypes.Structure, device: torch.device) -> None:
    from ..cuda_driver import launch

    launch(kernel, blocks, shared_bytes, call, device)


def _tensor_cores_of_gpu(device: torch.device) -> bool:
    return device.type == "cuda" and capability_of(device) >= cuda_banded.OLDEST


def capability_of(device: torch.device) -> int:
    """90 for sm_90."""
    from ..cuda_driver import capability

    return capability(torch.cuda.current_device() if device.index is None else device.index)


tensor_core_faults: dict[torch.dtype, str] = {}  # why the tensor cores are not used although they are there
launch: Launch = _launch_on_gpu  # tests put an emulator here
_tensor_cores: Callable[[torch.device], bool] = _tensor_cores_of_gpu  # and here what it emulates


def launching() -> tuple[object, object]:
    """Who launches, and on what: as long as both stay, what was prepared may be used again."""
    return launch, _tensor_cores


def using_tensor_cores(x: Tensor) -> bool:
    """Whether they are there, on x's device, and compute its type as they should."""
    return x.dtype not in tensor_core_faults and _tensor_cores(x.device)


_host_copies: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
_lock = threading.Lock()


def host_taps(f: Tensor) -> np.ndarray:
    """A filter's values, float32. Read from the GPU once for each tensor and change of it, since reading waits for the GPU."""
    if f.device.type == "cpu" or f.is_inference():  # the latter do not count their changes
        return f.detach().to("cpu", torch.float32).contiguous().numpy()
    with _lock:
        kept = _host_copies.get(f)
        if kept is None or kept[0] != f._version:
            kept = (f._version, f.detach().to("cpu", torch.float32).contiguous().numpy())
            _host_copies[f] = kept
        return kept[1]


@lru_cache(maxsize=4096)  # a few kilobytes each; recorded CUDA graphs go on pointing to them
def _taps_on(device: torch.device, taps: bytes) -> Tensor:
    return torch.frombuffer(bytearray(taps), dtype=torch.float32).to(device)


@dataclass(frozen=True, slots=True, eq=False)
class Middle:
    """What happens between the filters, and with which numbers."""

    mode: Mode
    slope: float = 1.0
    gain: float = 1.0
    clamp: float = math.inf
    marks_offset: tuple[int, int] = (0, 0)
    marks_size: tuple[int, int] = (0, 0)


def fits(shape: Shape, out_size: tuple[int, int], planes: int) -> bool:
    """Whether there is a kernel for the call, with and without marks, and its blocks can be counted."""
    variants = [variant_for(shape, out_size, marks=marks) for marks in (False, True)]
    return all(v is not None and math.prod(_tiles(v, out_size)) * planes < 2**31 for v in variants)


def _tiles(variant: Variant, out_size: tuple[int, int]) -> tuple[int, int]:
    x, y = (-(-out_size[a] // variant.tile[a]) for a in (0, 1))
    return x, y


def empty_like(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images of (width, height) with x's type, and its layout where x has only one of plain and channels-last."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return torch.empty((*x.shape[:2], size[1], size[0]), dtype=x.dtype, device=x.device, memory_format=layout)


def _in_words(x: Tensor) -> bool:
    """Whether every row starts at a multiple of 16 bytes and runs without gaps."""
    strides = [step for step, size in zip(x.stride()[:3], x.shape[:3], strict=True) if size > 1]
    return x.stride(3) == 1 and x.data_ptr() % 16 == 0 and all(step % VECTOR[x.dtype] == 0 for step in strides)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A launch without its tensors: for every x with these shape, strides, type, device and alignment."""

    kernel: Kernel
    blocks: int
    shared_bytes: int
    call: ctypes.Structure
    size: tuple[int, ...]
    layout: torch.memory_format
    marked: bool
    kept: Tensor | None  # what the call points to

    def __call__(self, x: Tensor, bias: Tensor | None, marks: Tensor | None) -> Tensor:
        """One launch. `bias` is float32 or None, `marks` written or read as the mode says."""
        y = torch.empty(self.size, dtype=x.dtype, device=x.device, memory_format=self.layout)
        call: Any = type(self.call).from_buffer_copy(self.call)
        call.x, call.y = x.data_ptr(), y.data_ptr()
        if bias is not None:
            call.bias = bias.data_ptr()
        if self.marked and marks is not None:
            call.marks = marks.data_ptr()
        launch(self.kernel, self.blocks, self.shared_bytes, call, x.device)
        return y


def prepare(x: Tensor, plan: Plan, middle: Middle, division: cuda_banded.Division = cuda_banded.DIVISION) -> Prepared:
    """What launches for x and all like it need; on tensor cores, divided so."""
    y = empty_like(x, plan.out_size)
    layout = torch.contiguous_format if y.is_contiguous() else torch.channels_last
    if cuda_banded.objection(plan, middle.mode, middle.slope, x.dtype, middle.clamp) is None and using_tensor_cores(x):
        gain = middle.gain if middle.mode == Mode.ACTIVATE else 1.0
        made = cuda_banded.banded(plan, gain, division)
        call, table = cuda_banded.call_of(made, x, y, middle.slope, middle.clamp)
        kernel = made.kernel(middle.mode, cuda_banded.grain_of(x, made.first[0]), x.dtype)
        return Prepared(kernel, -(-call.tasks // cuda_banded.WARPS), 0, call, tuple(y.shape), layout, False, table)
    shape = Shape.of(plan)
    variant = variant_for(shape, plan.out_size, marks=middle.mode == Mode.ACTIVATE_AND_MARK)
    if variant is None:
        raise RuntimeError(f"no tile of {shape} fits into shared memory")
    tiles = _tiles(variant, plan.out_size)
    taps = all_taps(plan)
    filters = None if variant.fixed else _taps_on(x.device, taps.tobytes())
    call = ResampleCall(
        *(x.data_ptr(), y.data_ptr(), None, None, None if filters is None else filters.data_ptr()),
        *(*x.stride(), *y.stride()),
        *(x.shape[1], *plan.size, *plan.out_size, *tiles, _in_words(x), _in_words(y) and variant.tile[0] % VECTOR[x.dtype] == 0),
        *(*middle.marks_size, *middle.marks_offset),
        *(*plan.up, *plan.down, *plan.padding),
        *(*shape.rise_taps, *shape.fall_taps, shape.rises, shape.falls, *variant.tile),
        *(middle.slope, middle.gain, middle.clamp),
    )
    if variant.fixed:
        call.taps[: len(taps)] = taps.tolist()
    kernel = kernel_for(shape, variant, middle.mode, x.dtype)
    blocks, shared_bytes = math.prod(tiles) * x.shape[0] * x.shape[1], shape.shared_bytes(variant.tile)
    return Prepared(kernel, blocks, shared_bytes, call, tuple(y.shape), layout, True, filters)


def run(x: Tensor, plan: Plan, middle: Middle, bias: Tensor | None, marks: Tensor | None) -> Tensor:
    """Prepare a launch and make it. `bias` is float32 or None, `marks` written or read as the mode says."""
    x = x.detach().resolve_neg()
    return prepare(x, plan, middle)(x, bias, marks)


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap:
    """A plan without its non-linearity, which marks (or nothing) stand for; or the transpose of that."""

    forward: Plan
    middle: Middle
    transposed: bool = False

    def __call__(self, x: Tensor, marks: Tensor | None) -> Tensor:
        if not self.transposed:
            return run(x, self.forward, self.middle, None, marks)
        middle = replace(self.middle, marks_offset=self.forward.marks_offset)
        return run(x, self.forward.transposed(), middle, None, marks)

    def transpose(self) -> LinearMap:
        return replace(self, transposed=not self.transposed)


class ApplyLinearMap(torch.autograd.Function):
    """A linear map; its gradient is its transpose, and so on for every order."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, marks: Tensor | None, linear: LinearMap) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(*(() if marks is None else (marks,)))
        ctx.linear = linear  # type: ignore[attr-defined]
        return linear(x, marks)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        marks = next(iter(ctx.saved_tensors), None)  # type: ignore[attr-defined]
        return ApplyLinearMap.apply(gradient, marks, ctx.linear.transpose()), None, None  # type: ignore


class FilteredLrelu(torch.autograd.Function):
    """The fused operator; it keeps two bits for each sample between the filters, neither its input nor its output."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, b: Tensor | None, plan: Plan, middle: Middle) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        marks = torch.empty((x.shape[0] * x.shape[1], *plan.marks_shape), dtype=torch.int32, device=x.device)
        marking = replace(middle, mode=Mode.ACTIVATE_AND_MARK, marks_size=plan.middle_size)
        y = run(x, plan, marking, None if b is None else b.detach().float().contiguous(), marks)
        ctx.save_for_backward(marks)
        ctx.linear = LinearMap(plan, replace(marking, mode=Mode.SCALE_AS_MARKED))  # type: ignore[attr-defined]
        ctx.bias_dtype = None if b is None else b.dtype  # type: ignore[attr-defined]
        return y

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (marks,) = ctx.saved_tensors  # type: ignore[attr-defined]
        dx: Tensor = ApplyLinearMap.apply(gradient, marks, ctx.linear.transpose())  # type: ignore
        dtype = ctx.bias_dtype  # type: ignore[attr-defined]
        return dx, None if dtype is None else dx.sum((0, 2, 3), dtype=torch.float32).to(dtype), None, None
