"""The native CPU filters with gradients: training on a CPU several times faster than by the reference.

Resampling is linear, and its adjoint is a resampling too: up and down change places and the filter is mirrored. So the forward-only
kernels of `torch_utils.ops.native` give gradients of any order. `enable` registers two backends of the operators' dispatch, for calls
that need gradients and that the native kernels take.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from torch_utils.ops import dispatch
from torch_utils.ops.backend import Call, Implementation
from torch_utils.ops.filtered_lrelu import FilteredLreluOptions
from torch_utils.ops.native_rules import too_many_phases, yields_activation, yields_filter
from torch_utils.ops.reference import taps_of
from torch_utils.ops.upfirdn2d import UpfirdnOptions

Filters = tuple[Tensor | None, Tensor | None]  # of the way up and the way down

NAME = "native with gradients"
NO_PADDING = (0, 0, 0, 0)
GRADIENT_TOLERANCE = 1e-4  # of the largest tap, for the terms of a 2-D filter in gradients
BLOCK_CHANNELS = 32  # channels of one sample whose upsampled signal is made at once: few enough for the cache


def adjoint(options: UpfirdnOptions, f: Tensor | None, x: Tensor, y: Tensor) -> UpfirdnOptions:
    """The options of the transposed operator, from images like y to images like x.

    Along an axis y[n] = g sum_j x[j] f[n d + T - 1 - lo - j u], and the transposed sum over n is the same with u and d exchanged, f
    mirrored, lo' = T - 1 - lo, and hi' so that all samples of x come out.
    """
    up, down, taps = options.up, options.down, taps_of(None if f is None else f.shape)
    padding = []
    for axis, dim in enumerate((3, 2)):
        low = taps[axis] - 1 - options.padding[2 * axis]
        padding += [low, (x.shape[dim] - 1) * up[axis] + taps[axis] - y.shape[dim] * down[axis] - low]
    return UpfirdnOptions(down, up, (padding[0], padding[1], padding[2], padding[3]), not options.flip_filter, options.gain)


def resample(x: Tensor, f: Tensor | None, options: UpfirdnOptions) -> Tensor:
    """`upfirdn2d` by the native kernels, without gradients. A 2-D filter is a sum of separable ones in every case: also where it
    upsamples, which the inference kernels do tap by tap, since no generator does it.
    """
    from torch_utils.ops.native import upfirdn2d_native

    if f is None or f.ndim == 1 or options.up == (1, 1):
        return upfirdn2d_native(x, f, options)
    first, *rest = _terms(f)
    y = upfirdn2d_native(x, first, options)
    for term in rest:
        y += upfirdn2d_native(x, term, options)
    return y


def _terms(f: Tensor) -> tuple[Tensor, ...]:
    taps = f.detach().to("cpu", torch.float32).contiguous().numpy()
    return _separable_terms(taps.tobytes(), taps.shape)


@lru_cache(maxsize=256)
def _separable_terms(taps: bytes, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """A filter as 2-D filters of rank 1. They serve gradients only, whose noise from batch to batch is far above the tolerance."""
    import numpy as np

    from torch_utils.ops.native import decompose

    parts = decompose(np.frombuffer(taps, np.float32).reshape(shape), GRADIENT_TOLERANCE)
    return tuple(torch.from_numpy(np.outer(parts.y[k], parts.x[k])) for k in range(parts.rank))


class Resampled(torch.autograd.Function):
    """`upfirdn2d`; gradients reach x only, and can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, f: Tensor | None, options: UpfirdnOptions) -> Tensor:
        y = resample(x, f, options)
        ctx.f, ctx.transposed = f, adjoint(options, f, x, y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        return Resampled.apply(grads[0], ctx.f, ctx.transposed), None, None


class FilteredLrelu(torch.autograd.Function):
    """`filtered_lrelu`; gradients reach x and the bias.

    Nothing is kept but x: the upsampled signal, which decides where the slope is, is computed again, some channels of a sample at a
    time, so that it stays in the cache. Where the gradient itself is to be differentiated (`create_graph`), it is that of `composed`.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, b: Tensor | None, filters: Filters, options: FilteredLreluOptions) -> Tensor:
        from torch_utils.ops.native import filtered_lrelu_native

        ctx.save_for_backward(x, b)
        ctx.filters, ctx.options = filters, options
        return filtered_lrelu_native(x, *filters, b, options)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        x, b = ctx.saved_tensors
        if torch.is_grad_enabled():
            wanted = [t for t in (x, b) if t is not None and t.requires_grad]
            found = iter(torch.autograd.grad(composed(x, b, ctx.filters, ctx.options), wanted, grads[0], create_graph=True))
            by_input = [next(found) if t is not None and t.requires_grad else None for t in (x, b)]
            return *by_input, None, None
        grad = torch.empty_like(x)
        for n in range(x.shape[0]):
            for c in range(0, x.shape[1], BLOCK_CHANNELS):
                block = (slice(n, n + 1), slice(c, c + BLOCK_CHANNELS))
                bias = None if b is None else b[block[1]]
                grad[block] = _block_gradient(x[block], bias, ctx.filters, ctx.options, grads[0][block])
        return grad, None if b is None else grad.sum(dim=(0, 2, 3)), None, None


def composed(x: Tensor, b: Tensor | None, filters: Filters, options: FilteredLreluOptions) -> Tensor:
    """The same of differentiable parts."""
    rise, fall = _passes(options)
    y = F.leaky_relu(Resampled.apply(x if b is None else x + b[:, None, None], filters[0], rise), options.slope)
    if options.clamp is not None:
        y = y.clamp(-options.clamp, options.clamp)
    return Resampled.apply(y, filters[1], fall)


def _passes(options: FilteredLreluOptions) -> tuple[UpfirdnOptions, UpfirdnOptions]:
    """Up with the gain, and down."""
    rise = UpfirdnOptions(options.up, (1, 1), options.padding, options.flip_filter, options.up[0] * options.up[1] * options.gain)
    return rise, UpfirdnOptions((1, 1), options.down, NO_PADDING, options.flip_filter, 1.0)


def _block_gradient(x: Tensor, b: Tensor | None, filters: Filters, options: FilteredLreluOptions, grad: Tensor) -> Tensor:
    """The gradient at x of some channels, U^T (slope(U (x + b)) * D^T grad)."""
    rise, fall = _passes(options)
    biased = x if b is None else x + b[:, None, None]
    signal = resample(biased, filters[0], rise)
    spread = resample(grad, filters[1], adjoint(fall, filters[1], signal, grad))
    if options.clamp is not None:
        low, high = -options.clamp / max(options.slope, 1e-12), options.clamp
        spread = torch.ops.aten.hardtanh_backward(spread, signal, low, high)
    spread = torch.ops.aten.leaky_relu_backward(spread, signal, options.slope, False)
    return resample(spread, filters[0], adjoint(rise, filters[0], biased, signal))


def _run_filtered(x: Tensor, fu: Tensor | None, fd: Tensor | None, b: Tensor | None, options: FilteredLreluOptions) -> Tensor:
    return FilteredLrelu.apply(x, b, (fu, fd), options)


def _available() -> str:
    from torch_utils.native_library import describe

    return f"{describe()}, gradients by the adjoint"


def _refuses(call: Call) -> str | None:
    if call.x.dtype != torch.float32:
        return f"takes float32, not {call.x.dtype}"
    if 0 in call.x.shape:
        return "nothing to compute"
    if any(t is not None and t.dtype != torch.float32 for t in call.tensors[1:]):
        return "a filter or bias is not float32"
    return None


def _refuses_filtered(call: Call) -> str | None:
    options: FilteredLreluOptions = call.options
    if not (0 < options.slope <= 1 and options.gain > 0):
        return f"needs 0 < slope <= 1 and gain > 0, not {options.slope:g} and {options.gain:g}"
    return too_many_phases(options) or _refuses(call)


def enable() -> None:
    """Let calls that need gradients use the native kernels, from now on in the whole process. Does nothing where there are none."""
    common = {"available": _available, "devices": ("cpu",), "differentiable": True, "rank": 10}
    dispatch.register(Implementation("filtered_lrelu", NAME, _run_filtered, refuses=_refuses_filtered, yields=yields_activation, **common))
    dispatch.register(Implementation("upfirdn2d", NAME, Resampled.apply, refuses=_refuses, yields=yields_filter, **common))
