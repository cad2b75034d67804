"""Which calls the tensor cores serve, and what a launch of their kernel needs: fragments of filters, strips, reads. Needs no GPU.

`csrc/cuda/banded.cuh` computes in float16 with float32 sums. The taps are rounded to float16 together, not one by one: of the values
below and above each tap that combination is taken whose error passes least of what such filters are given (see `rounded`), and of all
scales that come to nothing in the end those that leave the least error (`rounded_pair`).

bfloat16 images are served where there is a clamp, which says how large values are: on the way they are float16, which loses none of their
eight digits from 6e-5 to 65504. A larger one becomes infinite there.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..cuda_build import Kernel
from .cuda_plan import TYPES, Mode, Plan

WARPS = 4  # of a block, each with a task of its own; as in banded.cuh
OLDEST = 80  # compute capability: the first whose tensor cores multiply 16 x 16 by 16 x 8
LARGEST = 65504.0  # half
MOST_RANK = 4  # registers
MOST_FALL_TAPS = 16  # two blocks of 16 hold 8 outputs; and that the roundings can be tried in no time
_SCALES = tuple(2.0 ** (k / 16 - (k > 8)) for k in range(16))  # by which a filter may be scaled before it is rounded

_POINTER, _LONG, _INT, _FLOAT = ctypes.c_void_p, ctypes.c_longlong, ctypes.c_int, ctypes.c_float


@dataclass(frozen=True, slots=True)
class Division:
    """How the work is divided; the defaults are of an H100. `tests.bench.gpu_tune` measures others."""

    groups: tuple[int, ...] = (4,)  # of eight columns of a strip, to choose from by the number of products
    tasks: int = 48000  # more do not help every multiprocessor of a large GPU to be busy until near the end
    fewest_rows: int = 160  # of a part, since each computes eight more and begins with an empty pipeline


DIVISION = Division()


class BandedCall(ctypes.Structure):
    """The same structure in banded.cuh."""

    _fields_ = (
        [(name, _POINTER) for name in ("x", "y", "bias", "table")]
        + [(name, _LONG) for name in ("x_batch", "x_channel", "x_row", "x_column", "y_batch", "y_channel", "y_row", "y_column")]
        + [(name, _INT) for name in ("channels", "w", "h", "out_w", "out_h", "strips", "parts", "part_rows", "tasks")]
        + [(name, _INT) for name in ("in_x", "in_y", "vector_out")]
        + [(name, ctypes.c_uint32) for name in ("slope", "rest", "clamp")]
        + [("lift", _FLOAT)]
    )


def _twice(value: float) -> int:
    """A half, twice in a word."""
    return int(np.float16(value).view(np.uint16)) * 0x10001


def objection(plan: Plan, mode: Mode, slope: float, dtype: torch.dtype, clamp: float = math.inf) -> str | None:
    """Why the tensor cores do not serve this call, whatever the GPU; None if they do."""
    if dtype not in (torch.float16, torch.bfloat16):
        return f"{str(dtype).removeprefix('torch.')} is computed in float32"
    if dtype == torch.bfloat16 and not (mode == Mode.ACTIVATE and clamp <= LARGEST):
        return "bfloat16 without a clamp is computed in float32"
    if mode not in (Mode.LINEAR, Mode.ACTIVATE):
        return "gradients are computed in float32"
    if not (set(plan.up) <= {2, 4} and plan.down == (2, 2)):
        return "only for up 2 or 4 and down 2"
    if plan.rise.rank != 1 or plan.fall.rank > MOST_RANK or max(plan.fall_taps) > MOST_FALL_TAPS:
        return "filters too large"
    if slope > 1:
        return "only for slopes up to 1"
    if any(_Axis.of(plan, axis).slack < 0 for axis in (0, 1)):
        return "filters too large"
    return None


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of the rise. Its products take 16 inputs, from `first` for middle sample 0; `slack` of them are not needed."""

    first: int
    phase: int
    slack: int

    @classmethod
    def of(cls, plan: Plan, axis: int) -> _Axis:
        up, padding = plan.up[axis], plan.padding[axis]
        first = -(padding // up)
        phase = first * up + padding
        last = (plan.rise_taps[axis] - 1 - phase + 15) // up + (4 if up == 4 else 0)
        return cls(first, phase, 15 - last)

    def aligned(self) -> int:
        """`first`, or as few samples before it as bring it to a multiple of 4, or of 2."""
        for multiple in (4, 2):
            if self.first % multiple <= self.slack:
                return self.first - self.first % multiple
        return self.first


def rounded(taps: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """The taps as float16 values e away from them, each next to its tap, with the least eᵀ C e; and that."""
    taps = taps.astype(np.float64)
    near = taps.astype(np.float16)
    far = np.where(near <= taps, np.nextafter(near, np.float16(np.inf)), np.nextafter(near, np.float16(-np.inf)))
    chosen = (np.arange(2 ** len(taps))[:, None] >> np.arange(len(taps))) & 1
    e = np.where(chosen == 1, far.astype(np.float64) - taps, near.astype(np.float64) - taps)
    costs = ((e @ covariance) * e).sum(1)
    best = int(costs.argmin())
    return np.where(chosen[best] == 1, far, near), float(costs[best])


def rounded_rise(taps: np.ndarray, up: int) -> tuple[np.ndarray, float]:
    """A rise meets white noise and constants, phase by phase."""
    result, cost = np.empty(taps.shape, np.float16), 0.0
    for phase in range(min(up, len(taps))):
        count = len(taps[phase::up])
        result[phase::up], more = rounded(taps[phase::up], np.eye(count) + 3.0)
        cost += more
    return result, cost


def rounded_fall(taps: np.ndarray, up: int) -> tuple[np.ndarray, float]:
    """A fall meets what the rise lets through, and constants."""
    apart = np.arange(len(taps))[:, None] - np.arange(len(taps))
    return rounded(taps, np.sinc(apart / up) + 1.0 + 0.05 * np.eye(len(taps)))


@lru_cache(maxsize=256)
def _roundings(taps: bytes, rank: int, up: int, *, rise: bool) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The terms of one axis (float64), rounded at each of `_SCALES`, and the errors' part of the whole at each."""
    terms = np.frombuffer(taps, np.float64).reshape(rank, -1)
    rounding = rounded_rise if rise else rounded_fall
    made = [[rounding(term * scale, up) for term in terms] for scale in _SCALES]
    whole = max(float(np.square(terms).sum()), 1e-60)
    costs = [sum(cost for _, cost in each) / whole / scale**2 for each, scale in zip(made, _SCALES, strict=True)]
    return tuple(np.stack([term for term, _ in each]) for each in made), np.array(costs)


def rounded_pair(x: np.ndarray, y: np.ndarray, up: tuple[int, int], *, rise: bool) -> tuple[np.ndarray, np.ndarray]:
    """A rise's or a fall's filters (terms x taps) in float16.

    Scaling one up and the other down changes nothing but the roundings: of `_SCALES` those are taken whose errors are least. (Nothing is
    scaled across the non-linearity, so that a clamp that is a half stays one.)
    """
    made_x, costs_x = _roundings(x.astype(np.float64).tobytes(), len(x), up[0], rise=rise)
    made_y, costs_y = _roundings(y.astype(np.float64).tobytes(), len(y), up[1], rise=rise)
    count = len(_SCALES)
    best = min(range(count), key=lambda k: costs_x[k] + costs_y[-k % count])
    surplus = round(math.log2(_SCALES[best] * _SCALES[-best % count]))
    return made_x[best] * np.float16(2.0**-surplus), made_y[-best % count]


def _at(taps: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Taps by index, 0 outside."""
    return np.where((index >= 0) & (index < len(taps)), taps[np.clip(index, 0, len(taps) - 1)], np.float16(0))


_ROW, _COLUMN = np.arange(16)[:, None], np.arange(16)


def _rise_matrices(taps: np.ndarray, up: int, shift: int, phase: int) -> list[np.ndarray]:
    """16 middle samples from 16 inputs; for up 4 blocks begin at the first and at the fifth input in turns."""
    return [_at(taps, (_COLUMN - offset - shift) * up + phase - _ROW) for offset in ((0,) if up == 2 else (0, 4))]


def _fall_x_matrices(taps: np.ndarray) -> list[np.ndarray]:
    """Pairs of terms, eight outputs of each from two blocks; a last single one, sixteen outputs from three."""
    pairs = [
        np.where(_ROW < 8, _at(taps[k], 16 * s + _COLUMN - 2 * _ROW), _at(taps[k + 1], 16 * s + _COLUMN - 2 * (_ROW - 8)))
        for k in range(0, len(taps) - 1, 2)
        for s in range(2)
    ]
    return pairs + [_at(taps[-1], 16 * s + _COLUMN - 2 * _ROW) for s in range(3) if len(taps) % 2]


def _fall_y_matrices(taps: np.ndarray) -> list[np.ndarray]:
    """Eight outputs whose first block this is, and the eight before."""
    return [np.where(_ROW < 8, _at(each, _COLUMN - 2 * _ROW), _at(each, 16 + _COLUMN - 2 * (_ROW - 8))) for each in taps]


def fragment(matrix: np.ndarray) -> np.ndarray:
    """The words (4 x 32 lanes) of a 16 x 16 matrix of float16 as a left factor; see warp.cuh."""
    lane, register = np.arange(32), np.arange(4)[:, None]
    row, column = lane // 4 + 8 * (register % 2), 2 * (lane % 4) + 8 * (register // 2)
    bits = np.ascontiguousarray(matrix, np.float16).view(np.uint16).astype(np.uint32)
    return bits[row, column] | bits[row, column + 1] << 16


@dataclass(frozen=True, slots=True, eq=False)
class Banded:
    """All of a call that does not depend on where its tensors lie."""

    table: bytes
    first: tuple[int, int]
    lift: float
    groups: int
    rank: int
    up: tuple[int, int]
    out_size: tuple[int, int]
    division: Division = DIVISION

    def kernel(self, mode: Mode, grain: int, dtype: torch.dtype = torch.float16) -> Kernel:
        sizes = {
            "TYPE": TYPES[dtype],
            "UP_X": self.up[0],
            "UP_Y": self.up[1],
            "RANK": self.rank,
            "GROUPS": self.groups,
            "GRAIN": grain,
            "MODE": int(mode),
        }
        return Kernel("banded", tuple(sizes.items()), 32 * WARPS)

    @property
    def strips(self) -> int:
        return -(-self.out_size[0] // (8 * self.groups))

    def part_rows(self, planes: int) -> int:
        """Rows of the output, a multiple of 8, so that there are enough tasks."""
        parts = min(max(1, self.division.tasks // (planes * self.strips)), max(1, self.out_size[1] // self.division.fewest_rows))
        return 8 * math.ceil(self.out_size[1] / parts / 8)


def products(groups: int, rank: int, up: tuple[int, int]) -> float:
    """Products of 16 x 16 by 16 x 8 for eight rows of a strip; as counted in banded.cuh."""
    blocks, single = groups + 1, rank % 2 * (3 * ((groups + 1) // 2) - groups % 2)
    return 2 * blocks / up[1] + 2 * blocks + 2 * (2 * groups * (rank // 2) + single) + groups * rank


def banded(plan: Plan, gain: float, division: Division = DIVISION) -> Banded:
    """For a plan without objection; `gain` is the non-linearity's, and joins the rise (its sign, the fall)."""
    rises = [plan.rise.x, plan.rise.y * abs(gain)]
    falls = [plan.fall.x * math.copysign(1.0, gain), plan.fall.y]
    made = [*rounded_pair(rises[0], rises[1], plan.up, rise=True), *rounded_pair(falls[0], falls[1], plan.up, rise=False)]
    matrices, firsts = [], []
    for axis in (0, 1):
        at = _Axis.of(plan, axis)
        firsts.append(at.aligned())
        matrices += _rise_matrices(made[axis][0], plan.up[axis], at.first - firsts[axis], at.phase)
    matrices += [*_fall_x_matrices(made[2]), *_fall_y_matrices(made[3])]
    lift = math.prod(float(rises[axis].sum()) / plan.up[axis] for axis in (0, 1))
    rank = plan.fall.rank
    groups = min(division.groups, key=lambda g: -(-plan.out_size[0] // (8 * g)) * products(g, rank, plan.up))
    table = np.stack([fragment(m) for m in matrices]).tobytes()
    return Banded(table, (firsts[0], firsts[1]), lift, groups, rank, plan.up, plan.out_size, division)


@lru_cache(maxsize=4096)  # a few kilobytes each; recorded CUDA graphs go on pointing to them
def _table_on(device: torch.device, table: bytes) -> Tensor:
    return torch.frombuffer(bytearray(table), dtype=torch.int32).to(device)


def grain_of(x: Tensor, in_x: int) -> int:
    """Neighbours (4, 2 or 1) that can be read at once everywhere: all rows begin at their multiple, and none is parted by the border."""
    for grain in (4, 2):
        steps = [x.shape[3], in_x, *(step for step, size in zip(x.stride()[:3], x.shape[:3], strict=True) if size > 1)]
        if x.stride(3) == 1 and x.data_ptr() % (2 * grain) == 0 and all(step % grain == 0 for step in steps):
            return grain
    return 1


def call_of(made: Banded, x: Tensor, y: Tensor, slope: float, clamp: float) -> tuple[BandedCall, Tensor]:
    """The kernel's argument, but for the bias; and the table that it points to."""
    vector_out = y.stride(3) == 1 and y.data_ptr() % 8 == 0 and y.shape[3] % 4 == 0 and all(step % 4 == 0 for step in y.stride()[:3])
    planes = x.shape[0] * x.shape[1]
    rows = made.part_rows(planes)
    parts = -(-made.out_size[1] // rows)
    table = _table_on(x.device, made.table)
    call = BandedCall(
        *(x.data_ptr(), y.data_ptr(), None, table.data_ptr()),
        *(*x.stride(), *y.stride()),
        *(x.shape[1], x.shape[3], x.shape[2], *made.out_size, made.strips, parts, rows, made.strips * parts * planes),
        *(*made.first, vector_out),
        *(_twice(slope), _twice(slope - float(np.float16(slope))), _twice(clamp), made.lift),
    )
    return call, table
