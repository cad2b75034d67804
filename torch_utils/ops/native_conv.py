"""The CPU kernels of `modulated_conv2d` and of plain convolution: binds the native library and registers with the dispatch.

y = d * conv(x * s, W) + b. The scales ride along where data is read and written anyway: s as the input is packed, d and b as the output
is stored, so that W is a constant, kept in the kernels' own form by `conv_weights`. `conv_choice` picks the algorithm by shape.

Error, relative to the largest output: "gemm", "strassen" (one level, 1x1), "strassen2" (two) and "winograd" (F(4x4, 3x3)) are tested to
4e-6, 1e-5, 2e-5 and 2e-5 of a float64 convolution; "bf16", which rounds inputs and weights to 8 significant bits, to 1e-2. It is off
unless asked for: `use("native-bf16", op="modulated_conv2d")`, and then takes demodulated convolutions only: the mixing of the Fourier
input and ToRGB are a small share of the work, and their rounding would reach every pixel. An infinite input sample makes the whole 4x4
tile NaN under "winograd", the outputs of two pixels under "strassen" and of four under "strassen2". Forward only.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..native_library import describe
from .conv_choice import Choice, ConvShape, choices, choose, thread_count
from .conv_weights import ALGORITHMS, PackedWeight, aligned_floats, entries, has_bf16, pack, weights
from .dispatch import Call, Implementation, Unavailable, register
from .modulated_conv2d import ModulatedConvOptions
from .reference import HALVES

__all__ = [
    "Choice",
    "ConvShape",
    "PackedWeight",
    "choices",
    "choose",
    "conv2d",
    "memory",
    "modulated_conv2d_native",
    "pack",
    "release",
    "weights",
]


TINY = torch.finfo(torch.float32).tiny


class ConvCall(ctypes.Structure):
    """ConvCall of conv_call.h."""

    _fields_ = [
        (name, ctypes.c_int64) for name in ("batch", "in_channels", "out_channels", "in_height", "in_width", "kernel", "padding", "threads")
    ] + [(name, ctypes.c_void_p) for name in ("x", "weight", "in_scale", "out_scale", "bias", "out", "scratch")]


class ScratchPool:
    """Working memory for the kernels: each call borrows a piece, so calls from several threads do not meet."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, nbytes: int) -> Iterator[int]:
        """The address of at least `nbytes` bytes, aligned for the kernels; uninitialised."""
        with self._lock:
            piece = self._free.pop() if self._free else None
        if piece is None or piece.nbytes < nbytes:
            piece = aligned_floats(-(-nbytes // 4), large_pages=True)
        try:
            yield piece.data_ptr()
        finally:
            with self._lock:
                self._free.append(piece)

    def nbytes(self) -> int:
        """Memory held, not counting what calls have borrowed."""
        with self._lock:
            return sum(piece.nbytes for piece in self._free)

    def clear(self) -> None:
        """Give it back."""
        with self._lock:
            self._free.clear()


scratch = ScratchPool()


def memory() -> dict[str, int]:
    """Bytes held between calls: packed weights, and working memory."""
    return {"packed weights": weights.nbytes(), "scratch": scratch.nbytes()}


def release() -> None:
    """Give back all memory held between calls."""
    weights.clear()
    scratch.clear()


def _vector(name: str, value: Tensor | None, shape: tuple[int, ...]) -> Tensor | None:
    if value is None:
        return None
    if tuple(value.shape) != shape:
        raise ValueError(f"conv2d: {name} must have shape {shape}, got {tuple(value.shape)}")
    return value.detach().to("cpu", torch.float32).contiguous()


def _shape(x: Tensor, weight: Tensor, padding: int) -> ConvShape:
    if x.ndim != 4 or weight.ndim != 4 or weight.shape[2] != weight.shape[3] or x.shape[1] != weight.shape[1] or 0 in weight.shape:
        raise ValueError(f"conv2d: weight of shape {tuple(weight.shape)} does not fit x of shape {tuple(x.shape)}; kernels are square")
    if padding < 0:
        raise ValueError(f"conv2d: padding must be at least 0, got {padding}")
    shape = ConvShape(x.shape[0], x.shape[1], weight.shape[0], x.shape[2], x.shape[3], weight.shape[2], padding)
    if shape.out_height < 1 or shape.out_width < 1:
        raise ValueError(f"conv2d: x of {x.shape[3]}x{x.shape[2]} samples is smaller than the kernel")
    return shape


def _output(out: Tensor | None, shape: ConvShape) -> Tensor:
    size = (shape.batch, shape.out_channels, shape.out_height, shape.out_width)
    if out is None:
        return torch.empty(size, dtype=torch.float32)
    if tuple(out.shape) != size or out.dtype != torch.float32 or not out.is_contiguous() or out.device.type != "cpu":
        raise ValueError(f"conv2d: out must be contiguous float32 of shape {size} on the CPU, got {out.dtype} of {tuple(out.shape)}")
    return out


def conv2d(
    x: Tensor,
    weight: Tensor,
    *,
    padding: int = 0,
    in_scale: Tensor | None = None,
    out_scale: Tensor | None = None,
    bias: Tensor | None = None,
    out: Tensor | None = None,
    algorithm: str | None = None,
    bf16: bool = False,
) -> Tensor:
    """out_scale · (weight ⋆ (in_scale · x)) + bias, on the CPU, without gradients.

    x is N x I x H x W (16- or 32-bit), weight O x I x k x k, in_scale N x I, out_scale N x O, bias O; stride 1, zeros of width `padding`
    on every side. The result is float32, in `out` where given (contiguous, not overlapping x). `algorithm` forces "winograd" (3x3),
    "strassen" or "strassen2" (1x1 without padding), "gemm", "bf16" or "torch" (torch's own); None chooses by shape, among "bf16" too if
    `bf16` is set. The packed weight is remembered for as long as `weight` lives unchanged. Raises ValueError naming the argument,
    NativeUnavailable.
    """
    shape = _shape(x, weight, padding)
    vectors = (
        _vector("in_scale", in_scale, (shape.batch, shape.in_channels)),
        _vector("out_scale", out_scale, (shape.batch, shape.out_channels)),
        _vector("bias", bias, (shape.out_channels,)),
    )
    y = _output(out, shape)
    if y.numel() == 0:
        return y
    x = x.detach().resolve_neg().to("cpu", torch.float32)
    name = algorithm if algorithm is not None else choose(shape, bf16=bf16 and has_bf16()).algorithm
    if name == "torch" or weight.is_inference():  # torch does not count the versions of inference tensors: nothing to remember by
        return _by_torch(x, weight, padding, vectors, y)
    if name not in ALGORITHMS:
        raise ValueError(f"conv2d: algorithm is {name!r}; there are torch, {', '.join(ALGORITHMS)}")
    if name in ("strassen", "strassen2") and padding > 0:
        raise ValueError(f"conv2d: {name} takes padding 0, got {padding}")
    _run(shape, x.contiguous(), weights.packed(weight, name), vectors, y)
    return y


def _by_torch(x: Tensor, weight: Tensor, padding: int, vectors: tuple[Tensor | None, ...], y: Tensor) -> Tensor:
    in_scale, out_scale, bias = vectors
    if in_scale is not None:
        x = x * in_scale[:, :, None, None]
    with torch.no_grad():
        result = F.conv2d(x, weight.detach().to(torch.float32), padding=padding)
        if out_scale is not None:
            result *= out_scale[:, :, None, None]
        if bias is not None:
            result += bias[:, None, None]
        return y.copy_(result)


def _run(shape: ConvShape, x: Tensor, packed: PackedWeight, vectors: tuple[Tensor | None, ...], y: Tensor) -> None:
    opened = entries()
    if packed.level != opened.af_level():
        raise ValueError("conv2d: the weight was packed for another instruction set")
    call = ConvCall(
        *(shape.batch, shape.in_channels, shape.out_channels, shape.in_height, shape.in_width, shape.kernel, shape.padding),
        thread_count(shape, torch.get_num_threads()),
        x.data_ptr(),
        packed.data.data_ptr(),
        *(None if v is None else v.data_ptr() for v in vectors),
        y.data_ptr(),
    )
    with scratch.borrow(getattr(opened, f"af_conv_{packed.algorithm}_scratch_bytes")(ctypes.byref(call))) as address:
        call.scratch = address
        getattr(opened, f"af_conv_{packed.algorithm}")(ctypes.byref(call))


def _demodulation(styles: Tensor, energy: Tensor, gain: Tensor | None) -> Tensor:
    """gain / sqrt(s^2 E'^T) [N, O]; in one pass by our own kernel: five of torch's take twice as long, a visible share of a picture."""
    scales = torch.empty(styles.shape[0], energy.shape[0], dtype=torch.float32)
    entries().af_demodulate(
        *(styles.data_ptr(), energy.data_ptr(), None if gain is None else gain.data_ptr(), TINY, scales.data_ptr()),
        *(styles.shape[0], *energy.shape),
    )
    return scales


def modulated_conv2d_native(
    x: Tensor, weight: Tensor, styles: Tensor, input_gain: Tensor | None, options: ModulatedConvOptions, *, bf16: bool = False
) -> Tensor:
    """`modulated_conv2d` for calls that `_refuses` does not refuse."""
    styles = styles.detach().to(torch.float32).contiguous()
    out_scale: Tensor | None = None
    gain = None if input_gain is None else input_gain.detach().to(torch.float32)
    if options.demodulate:
        out_scale = _demodulation(styles, weights.energy(weight), gain)
    elif gain is not None:
        out_scale = gain.reshape(1, 1).expand(x.shape[0], weight.shape[0])
    return conv2d(x, weight, padding=options.padding, in_scale=styles, out_scale=out_scale, bf16=bf16 and options.demodulate).to(x.dtype)


def available() -> str:
    """What the kernels are. Raises NativeUnavailable."""
    entries()
    return describe()


def _available_bf16() -> str:
    description = available()
    if not has_bf16():
        raise Unavailable(f"{description} does not multiply bfloat16")
    return description


def _refuses(call: Call) -> str | None:
    if call.x.dtype not in (torch.float32, *HALVES):
        return f"takes 16- and 32-bit types, not {call.x.dtype}"
    _, weight, styles, input_gain = call.tensors
    assert weight is not None and styles is not None
    if torch.float64 in (weight.dtype, styles.dtype):
        return "weight or styles are float64"
    if input_gain is not None and input_gain.dtype == torch.float64 and len(input_gain.shape) > 0:
        return "input_gain is float64"
    if weight.shape[2] != weight.shape[3]:
        return f"takes square kernels, not {weight.shape[3]}x{weight.shape[2]}"
    if 0 in call.x.shape:
        return "nothing to compute"
    return None


def _register(name: str, *, bf16: bool, rank: int) -> None:
    run = partial(modulated_conv2d_native, bf16=bf16)
    exists = _available_bf16 if bf16 else available
    register(Implementation("modulated_conv2d", name, run, available=exists, refuses=_refuses, devices=("cpu",), rank=rank))


_register("native", bf16=False, rank=0)
_register("native-bf16", bf16=True, rank=2000)  # after the reference, which takes every call: only where asked for
