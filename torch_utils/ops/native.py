"""The CPU kernels of `filtered_lrelu` and `upfirdn2d`: binds the native library and registers it with the dispatch.

Filters are brought into the form that the kernels take: correlation order, gains folded in, and a 2-D filter as the shortest sum of
separable ones that equals it to RANK_TOLERANCE. (The radial filters of configuration R have 12 x 12 taps and rank 2 to 4.) Forward only.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from ..native_library import describe, library
from .backend import Implementation
from .dispatch import register
from .filtered_lrelu import FilteredLreluOptions
from .native_rules import in_phases, refuses_activation, refuses_filter, yields_activation, yields_filter
from .upfirdn2d import UpfirdnOptions

RANK_TOLERANCE = 1e-6  # of the largest tap
MOST_TERMS = 6  # that the fused kernel takes where rows are wider than NARROW; tap by tap, narrow rows have too little to do
NARROW = 24

_FLOATS = np.ndarray
_POINTER = ctypes.c_void_p
_INT = ctypes.c_int32


class ResampleCall(ctypes.Structure):
    """AfResample of resample.h."""

    _fields_ = (
        [("x", _POINTER), ("y", _POINTER)]
        + [(name, ctypes.c_int64) for name in ("x_batch", "x_channel", "x_row")]
        + [(name, _INT) for name in ("n", "c", "h", "w", "out_h", "out_w")]
        + [(name, _POINTER) for name in ("bias", "in_scale", "out_scale")]
        + [(name, _INT) for name in ("up_x", "up_y", "down_x", "down_y", "pad_x", "pad_y")]
        + [(name, _INT) for name in ("up_taps_x", "up_taps_y", "down_taps_x", "down_taps_y", "rank", "activate")]
        + [(name, _POINTER) for name in ("up_filter_x", "up_filter_y", "down_filter_x", "down_filter_y")]
        + [("slope", ctypes.c_float), ("clamp", ctypes.c_float), ("threads", _INT), ("rows", _INT)]
    )


class DirectCall(ctypes.Structure):
    """AfDirect of resample.h."""

    _fields_ = (
        [("x", _POINTER), ("y", _POINTER)]
        + [(name, ctypes.c_int64) for name in ("x_batch", "x_channel", "x_row")]
        + [(name, _INT) for name in ("n", "c", "h", "w", "out_h", "out_w")]
        + [(name, _INT) for name in ("up_x", "up_y", "down_x", "down_y", "pad_x", "pad_y", "taps_x", "taps_y")]
        + [("filter", _POINTER), ("threads", _INT)]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Separable:
    """A filter as a sum of outer products: `y[k]` x `x[k]`, summed over k; float32, contiguous, correlation order."""

    x: _FLOATS
    y: _FLOATS

    @property
    def rank(self) -> int:
        return self.x.shape[0]

    def scaled(self, gain_x: float, gain_y: float) -> Separable:
        return Separable(_contiguous(self.x * np.float32(gain_x)), _contiguous(self.y * np.float32(gain_y)))


def _contiguous(values: np.ndarray) -> _FLOATS:
    return np.ascontiguousarray(values, dtype=np.float32)


def decompose(f: np.ndarray, tolerance: float = RANK_TOLERANCE) -> Separable:
    """The shortest sum of separable filters within `tolerance` of f's largest tap, by the singular value decomposition.

    f is rows x columns. Where f is its own mirror image the terms are too, exactly, so that the kernels can add pairs of samples first.
    """
    f = f.astype(np.float64)
    peak = np.abs(f).max()
    columns, weights, rows = np.linalg.svd(f)
    terms = np.sqrt(weights)
    y, x = (columns[:, : len(terms)] * terms).T, rows[: len(terms)] * terms[:, None]
    if np.abs(f - f[::-1]).max() <= 0.1 * tolerance * peak:
        y = (y + y[:, ::-1]) / 2
    if np.abs(f - f[:, ::-1]).max() <= 0.1 * tolerance * peak:
        x = (x + x[:, ::-1]) / 2
    y, x = y.astype(np.float32), x.astype(np.float32)
    rest = f.copy()
    rank = 0
    for rank in range(1, len(terms) + 1):
        rest = rest - np.outer(y[rank - 1].astype(np.float64), x[rank - 1].astype(np.float64))
        if np.abs(rest).max() <= tolerance * peak:
            break
    return Separable(_contiguous(x[:rank]), _contiguous(y[:rank]))


PIVOTS = {1: (5,), 2: (3, 5), 3: (1, 3, 5), 4: (0, 1, 3, 5)}  # by the number of terms; as in resample_kernels.h
PIVOTED_TAPS = 12
MOST_PIVOTED_TAP = 4.0  # more would cost precision


@lru_cache(maxsize=256)
def pivoted(filters: Separable) -> Separable:
    """The same sum by other terms: `y[k]` has tap 1 at the k-th of PIVOTS and 0 at the others, which then need no products.

    A sum Y^T X is (G^-1 Y)^T (G^T X) for any invertible G. With Y's columns at the pivots as G, K^2 of the 6 K products of K symmetric
    terms go. At these pivots no tap of a radial low-pass filter is above 1. Returns `filters` where they do not suit it.
    """
    pivots = list(PIVOTS.get(filters.rank, ()))
    y, x = filters.y.astype(np.float64), filters.x.astype(np.float64)
    if not pivots or y.shape[1] != PIVOTED_TAPS or not np.array_equal(y, y[:, ::-1]):
        return filters
    mixing = y[:, pivots]
    try:
        y = np.linalg.solve(mixing, y)
    except np.linalg.LinAlgError:
        return filters
    if np.abs(y).max() > MOST_PIVOTED_TAP:
        return filters
    y[:, pivots] = np.eye(filters.rank)
    return Separable(_mirrored_like(filters.x, mixing.T @ x), _mirrored_like(filters.y, y))


def _mirrored_like(like: np.ndarray, values: np.ndarray) -> _FLOATS:
    """`values`, their second half mirroring the first exactly where that is so in `like`."""
    half = like.shape[1] // 2
    if np.array_equal(like, like[:, ::-1]):
        values = np.concatenate([values[:, : like.shape[1] - half], values[:, :half][:, ::-1]], axis=1)
    return _contiguous(values)


@lru_cache(maxsize=256)
def separable(taps: bytes, shape: tuple[int, ...], flip_filter: bool, gain_x: float, gain_y: float) -> Separable:
    """A filter's float32 values as the kernels take them: in correlation order, short sums for 2-D ones, gains folded in; remembered."""
    f = np.frombuffer(taps, np.float32).reshape(shape)
    if not flip_filter:
        f = np.flip(f)
    filters = Separable(_contiguous(f[None]), _contiguous(f[None])) if f.ndim == 1 else decompose(f)
    return filters.scaled(gain_x, gain_y)


_ONE = np.ones(1, np.float32)


def _filters(f: Tensor | None, *, flip_filter: bool, gain_x: float = 1.0, gain_y: float = 1.0) -> Separable:
    taps = _ONE if f is None else f.detach().to("cpu", torch.float32).contiguous().numpy()
    return separable(taps.tobytes(), taps.shape, flip_filter, gain_x, gain_y)


@lru_cache(maxsize=1)
def _entries() -> tuple:
    opened = library()
    resample, direct = opened.af_resample, opened.af_direct
    resample.argtypes = [ctypes.POINTER(ResampleCall)]
    direct.argtypes = [ctypes.POINTER(DirectCall)]
    return resample, direct


def _rows_of(x: Tensor) -> Tensor:
    """float32, with neighbouring columns side by side in memory; x itself where that is so already."""
    x = x.detach().resolve_neg().to(torch.float32)
    return x if x.stride(3) == 1 or x.shape[3] == 1 else x.contiguous()


def _raise_for(code: int) -> None:
    if code == 1:
        raise MemoryError("the native kernels found no memory to work in")
    if code != 0:
        raise RuntimeError(f"the native kernels refused the call ({code})")


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """Everything of one call that is not a tensor."""

    up: tuple[int, int]
    down: tuple[int, int]
    padding: tuple[int, int]
    size: tuple[int, int]
    activate: bool = False
    slope: float = 1.0
    clamp: float = math.inf


def _resample(x: Tensor, fu: Separable, fd: Separable, spec: _Pass, vectors: tuple[Tensor | None, Tensor | None, Tensor | None]) -> Tensor:
    """Runs the fused kernel; `vectors` are the bias, the scale of the input and that of the output."""
    rows = _rows_of(x)
    n, c, h, w = rows.shape
    y = torch.empty((n, c, spec.size[1], spec.size[0]), dtype=torch.float32)
    kept = [None if v is None else v.detach().to("cpu", torch.float32).contiguous() for v in vectors]
    call = ResampleCall(
        rows.data_ptr(),
        y.data_ptr(),
        *(rows.stride(0), rows.stride(1), rows.stride(2)),
        *(n, c, h, w, spec.size[1], spec.size[0]),
        *(None if v is None else v.data_ptr() for v in kept),
        *(*spec.up, *spec.down, *spec.padding),
        *(fu.x.shape[1], fu.y.shape[1], fd.x.shape[1], fd.y.shape[1], fd.rank, spec.activate),
        *(fu.x.ctypes.data, fu.y.ctypes.data, fd.x.ctypes.data, fd.y.ctypes.data),
        *(spec.slope, spec.clamp, torch.get_num_threads(), 0),
    )
    _raise_for(_entries()[0](ctypes.byref(call)))
    return y.to(x.dtype)


def _direct(x: Tensor, f: Tensor, options: UpfirdnOptions, size: tuple[int, int]) -> Tensor:
    rows = _rows_of(x)
    n, c, h, w = rows.shape
    taps = f.detach().to("cpu", torch.float32)
    taps = (taps if options.flip_filter else taps.flip((0, 1))).contiguous() * options.gain
    y = torch.empty((n, c, size[1], size[0]), dtype=torch.float32)
    call = DirectCall(
        rows.data_ptr(),
        y.data_ptr(),
        *(rows.stride(0), rows.stride(1), rows.stride(2)),
        *(n, c, h, w, size[1], size[0]),
        *(*options.up, *options.down, options.padding[0], options.padding[2], taps.shape[1], taps.shape[0]),
        *(taps.data_ptr(), torch.get_num_threads()),
    )
    _raise_for(_entries()[1](ctypes.byref(call)))
    return y.to(x.dtype)


def filtered_lrelu_native(
    x: Tensor,
    fu: Tensor | None,
    fd: Tensor | None,
    b: Tensor | None,
    options: FilteredLreluOptions,
    *,
    in_scale: Tensor | None = None,
    out_scale: Tensor | None = None,
) -> Tensor:
    """`filtered_lrelu` of `in_scale * x`, the result times `out_scale`; both N x C or None. For calls that `refuses` does not refuse.

    With these two a modulated convolution needs no weights of its own for each w: the demodulation is the input's scale, and the next
    layer's style the output's.
    """
    up, down, padding = options.up, options.down, options.padding
    rise = _filters(fu, flip_filter=options.flip_filter, gain_x=up[0], gain_y=up[1] * options.gain)
    fall = pivoted(_filters(fd, flip_filter=options.flip_filter))
    taps_up, taps_down = (rise.x.shape[1], rise.y.shape[1]), (fall.x.shape[1], fall.y.shape[1])
    middle = options.upsampling.size(x.shape[3], x.shape[2], taps_up)
    size = options.downsampling.size(*middle, taps_down)
    clamp = math.inf if options.clamp is None else options.clamp
    if rise.rank == 1 and (fall.rank <= MOST_TERMS or size[0] <= NARROW):
        spec = _Pass(up, down, (padding[0], padding[2]), size, True, options.slope, clamp)
        return _resample(x, rise, fall, spec, (b, in_scale, out_scale))
    return _unfused(x, fu, fd, b, options, in_scale=in_scale, out_scale=out_scale)


def _unfused(
    x: Tensor, fu: Tensor | None, fd: Tensor | None, b: Tensor | None, options: FilteredLreluOptions, **scales: Tensor | None
) -> Tensor:
    """The same in three steps, for 2-D filters of high rank."""
    dtype, x = x.dtype, x.to(torch.float32)
    if (scale := scales["in_scale"]) is not None:
        x = x * scale.to(x.dtype)[:, :, None, None]
    if b is not None:
        x = x + b.to(x.dtype)[None, :, None, None]
    flip, padding = options.flip_filter, options.padding
    if fu is not None or options.up != (1, 1):
        gain = float(options.up[0] * options.up[1]) * options.gain
        x = upfirdn2d_native(x, fu, UpfirdnOptions(options.up, (1, 1), padding, flip, gain))
        padding = (0, 0, 0, 0)
        x = torch.nn.functional.leaky_relu_(x, options.slope)
    else:
        x = torch.nn.functional.leaky_relu(x, options.slope).mul_(options.gain)
    if options.clamp is not None:
        x.clamp_(-options.clamp, options.clamp)
    x = upfirdn2d_native(x, fd, UpfirdnOptions((1, 1), options.down, padding, flip, 1.0))  # what is padded stays 0
    if (scale := scales["out_scale"]) is not None:
        x = x * scale.to(x.dtype)[:, :, None, None]
    return x.to(dtype)


def upfirdn2d_native(x: Tensor, f: Tensor | None, options: UpfirdnOptions) -> Tensor:
    """`upfirdn2d`: separable filters in two passes, 2-D ones as a sum of separable ones where that is less work, otherwise tap by tap."""
    filters = _filters(f, flip_filter=options.flip_filter, gain_y=options.gain)
    taps = (filters.x.shape[1], filters.y.shape[1])
    size = options.resampling.size(x.shape[3], x.shape[2], taps)
    up, down = options.up, options.down
    padding = (options.padding[0], options.padding[2])
    one = _filters(None, flip_filter=False)
    none = (None, None, None)
    separable_serves = in_phases(up, down)
    if filters.rank == 1 and separable_serves:
        if up == (1, 1):
            return _resample(x, one, pivoted(filters), _Pass(up, down, padding, size), none)
        return _resample(x, filters, one, _Pass(up, down, padding, size), none)
    if up == (1, 1) and separable_serves and filters.rank * (taps[0] + taps[1] * down[0]) < taps[0] * taps[1]:
        return _resample(x, one, pivoted(filters), _Pass(up, down, padding, size), none)
    if f is None or f.ndim == 1:
        f = torch.from_numpy(np.outer(filters.y[0], filters.x[0]))
        options = UpfirdnOptions(up, down, options.padding, True, 1.0)
    return _direct(x, f, options, size)


def _available() -> str:
    _entries()
    return describe()


_implementation = partial(Implementation, name="native", available=_available, devices=("cpu",))
register(_implementation("filtered_lrelu", run=filtered_lrelu_native, refuses=refuses_activation, yields=yields_activation))
register(_implementation("upfirdn2d", run=upfirdn2d_native, refuses=refuses_filter, yields=yields_filter))
