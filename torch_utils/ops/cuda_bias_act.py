"""Runs the CUDA kernel of `bias_act` on tensors, with its gradient."""

from __future__ import annotations

import ctypes
import math

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.autograd.function import FunctionCtx

from ..cuda_build import THREADS, Kernel
from . import cuda_resample
from .bias_act import ACTIVATIONS, BiasActOptions, bias_act_reference
from .cuda_plan import TYPES, VECTOR

CODES = {name: code for code, name in enumerate(("linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"))}
assert CODES.keys() == ACTIVATIONS.keys()  # a new one needs its lines in bias_act.cuh


class BiasActCall(ctypes.Structure):
    """The same structure in bias_act.cuh."""

    _fields_ = (
        [(name, ctypes.c_void_p) for name in ("x", "y", "bias", "gradient")]
        + [(name, ctypes.c_uint) for name in ("count", "bias_step", "biases")]
        + [(name, ctypes.c_int) for name in ("activation", "vector")]
        + [(name, ctypes.c_float) for name in ("slope", "gain", "clamp")]
    )


def _dense(x: Tensor) -> tuple[Tensor, torch.memory_format]:
    """x without gaps, plain or channels-last, and which of the two."""
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        return x, torch.channels_last
    return x.contiguous(), torch.contiguous_format


def _run(x: Tensor, b: Tensor | None, gradient: Tensor | None, options: BiasActOptions) -> Tensor:
    """y, or the gradient of x from that of y."""
    x, layout = _dense(x.detach().resolve_neg())
    y = torch.empty_like(x, memory_format=layout)
    bias = None if b is None else b.detach().float().contiguous()
    if gradient is not None:
        gradient = gradient.detach().resolve_neg().to(x.dtype).contiguous(memory_format=layout)
    step, count = (1, 1) if bias is None else (max(1, x.stride(options.dim)), x.shape[options.dim])
    there = [t for t in (x, y, gradient) if t is not None]
    call = BiasActCall(
        *(x.data_ptr(), y.data_ptr(), None if bias is None else bias.data_ptr(), None if gradient is None else gradient.data_ptr()),
        *(x.numel(), step, count, CODES[options.act], all(t.data_ptr() % 16 == 0 for t in there)),
        *(1.0 if options.alpha is None else options.alpha, options.gain, math.inf if options.clamp is None else options.clamp),
    )
    kernel = Kernel("bias_act", (("TYPE", TYPES[x.dtype]), ("ACTIVATION", CODES[options.act])))
    cuda_resample.launch(kernel, -(-x.numel() // (THREADS * VECTOR[x.dtype])), 0, call, x.device)
    return y


class BiasAct(torch.autograd.Function):
    """The operator with a gradient by the same kernel. Gradients of gradients are the reference's."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, b: Tensor | None, options: BiasActOptions) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(x, *(() if b is None else (b,)))
        ctx.options = options  # type: ignore[attr-defined]
        return _run(x, b, None, options)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, *rest = ctx.saved_tensors  # type: ignore[attr-defined]
        b = rest[0] if rest else None
        options: BiasActOptions = ctx.options  # type: ignore[attr-defined]
        if torch.is_grad_enabled():  # the gradient itself is to have gradients
            return *_by_reference(x, b, gradient, options), None
        dx = _run(x, b, gradient, options)
        if b is None or not ctx.needs_input_grad[1]:  # type: ignore[attr-defined]
            return dx, None, None
        others = [axis for axis in range(x.ndim) if axis != options.dim % x.ndim]
        db = dx.float() if not others else dx.sum(others, dtype=torch.float32)
        return dx, db.to(b.dtype), None


def _by_reference(x: Tensor, b: Tensor | None, gradient: Tensor, options: BiasActOptions) -> tuple[Tensor | None, Tensor | None]:
    wanted = [t for t in (x, b) if t is not None and t.requires_grad]
    found = iter(torch.autograd.grad(bias_act_reference(x, b, options), wanted, gradient, create_graph=True))
    dx, db = (next(found) if t is not None and t.requires_grad else None for t in (x, b))
    return dx, db


def bias_act_cuda(x: Tensor, b: Tensor | None, options: BiasActOptions) -> Tensor:
    """`bias_act`, for calls that are not refused."""
    if forward_ad._current_level >= 0:
        return bias_act_reference(x, b, options)
    if torch.is_grad_enabled() and (x.requires_grad or (b is not None and b.requires_grad)):
        return BiasAct.apply(x, b, options)  # type: ignore[return-value]
    return _run(x, b, None, options)
