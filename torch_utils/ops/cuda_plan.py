"""What a launch of the CUDA resampling kernel needs: sizes, tiles, shared memory, and the variant of the kernel. Needs no GPU."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
import torch

from ..cuda_build import Kernel
from .native import Separable

MOST_TAPS = 640  # in the kernel's argument; as in resample.cuh
SHARED_BYTES = 48 * 1024  # what every GPU gives a block without asking
MOST_UNROLLED = 1600  # multiply-adds written out in a kernel of constant sizes, so that it compiles in about a second
_WIDTHS = (4, *range(8, 65, 8))  # of tiles; multiples of eight, so that 16-bit rows of a tile are whole vectors
_HEIGHTS = tuple(range(4, 65, 4))
_SMALL = (1, 2)

_POINTER, _LONG, _INT, _FLOAT = ctypes.c_void_p, ctypes.c_longlong, ctypes.c_int, ctypes.c_float
TYPES = {torch.float32: "Float32", torch.float16: "Float16", torch.bfloat16: "Bfloat16"}
VECTOR = {torch.float32: 4, torch.float16: 8, torch.bfloat16: 8}  # elements in 16 bytes


class Mode(IntEnum):
    """What happens between the filters; as in resample.cuh."""

    LINEAR = 0
    ACTIVATE = 1
    ACTIVATE_AND_MARK = 2
    SCALE_AS_MARKED = 3


class ResampleCall(ctypes.Structure):
    """The same structure in resample.cuh."""

    _fields_ = (
        [(name, _POINTER) for name in ("x", "y", "bias", "marks", "filters")]
        + [(name, _LONG) for name in ("x_batch", "x_channel", "x_row", "x_column", "y_batch", "y_channel", "y_row", "y_column")]
        + [(name, _INT) for name in ("channels", "w", "h", "out_w", "out_h", "tiles_x", "tiles_y", "vector_in", "vector_out")]
        + [(name, _INT) for name in ("marks_w", "marks_h", "marks_x", "marks_y")]
        + [(name, _INT) for name in ("up_x", "up_y", "down_x", "down_y", "pad_x", "pad_y")]
        + [(name, _INT) for name in ("rise_x", "rise_y", "fall_x", "fall_y", "rises", "falls", "tile_x", "tile_y")]
        + [(name, _FLOAT) for name in ("slope", "gain", "clamp")]
        + [("taps", _FLOAT * MOST_TAPS)]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A rise by `up`, something point by point, a fall by `down`. Pairs are (x, y); `padding` is the low side's, of the risen image."""

    up: tuple[int, int]
    down: tuple[int, int]
    padding: tuple[int, int]
    size: tuple[int, int]
    out_size: tuple[int, int]
    rise: Separable
    fall: Separable

    @property
    def rise_taps(self) -> tuple[int, int]:
        return self.rise.x.shape[1], self.rise.y.shape[1]

    @property
    def fall_taps(self) -> tuple[int, int]:
        return self.fall.x.shape[1], self.fall.y.shape[1]

    @property
    def middle_size(self) -> tuple[int, int]:
        """Of the samples between the filters that the output depends on."""
        x, y = ((self.out_size[a] - 1) * self.down[a] + self.fall_taps[a] for a in (0, 1))
        return x, y

    @property
    def marks_shape(self) -> tuple[int, int]:
        """Words (rows, columns) for the marks of one plane: 16 rows in a word."""
        width, height = self.middle_size
        return (height + 15) // 16, width

    @property
    def marks_offset(self) -> tuple[int, int]:
        """Which of this plan's middle samples is the first of its transpose's."""
        x, y = (self.padding[a] - (self.rise_taps[a] - 1) for a in (0, 1))
        return x, y

    def transposed(self) -> Plan:
        """The transpose of the linear map, which takes gradients back: the filters change places and are turned round.

        From y[i] = Σ_m fall[m - i down] middle[m], middle[m] = Σ_j rise[j up + padding - m] x[j].
        """
        x, y = (self.fall_taps[a] - 1 - self.marks_offset[a] for a in (0, 1))
        return Plan(self.down, self.up, (x, y), self.out_size, self.size, _turned(self.fall), _turned(self.rise))


def _turned(filters: Separable) -> Separable:
    return Separable(np.ascontiguousarray(filters.x[:, ::-1]), np.ascontiguousarray(filters.y[:, ::-1]))


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides a variant of the kernel, beside mode and type: all sizes but the image's."""

    up: tuple[int, int]
    down: tuple[int, int]
    rise_taps: tuple[int, int]
    fall_taps: tuple[int, int]
    rises: int
    falls: int

    @classmethod
    def of(cls, plan: Plan) -> Shape:
        return cls(plan.up, plan.down, plan.rise_taps, plan.fall_taps, plan.rise.rank, plan.fall.rank)

    @property
    def taps(self) -> int:
        """Of all filters together."""
        return self.rises * sum(self.rise_taps) + self.falls * sum(self.fall_taps)

    @property
    def short(self) -> bool:
        """Whether its taps fit into the kernel's argument, and its loops written out into a kernel that compiles in about a second."""
        unrolled = self.rises * sum(self.rise_taps) + 4 * self.falls * sum(self.fall_taps)
        return self.taps <= MOST_TAPS and unrolled <= MOST_UNROLLED

    def middle(self, tile: tuple[int, int]) -> tuple[int, int]:
        """The middle samples (x, y) of an output tile."""
        x, y = ((tile[a] - 1) * self.down[a] + self.fall_taps[a] for a in (0, 1))
        return x, y

    def shared_bytes(self, tile: tuple[int, int]) -> int:
        """As resample.cuh lays it out: input and what the horizontal rise makes of it, or what the vertical fall makes; the middle."""
        middle_w, middle_h = self.middle(tile)
        in_w, in_h = (-(-(size - 1) // self.up[a]) - (-self.rise_taps[a] // self.up[a]) for a, size in enumerate((middle_w, middle_h)))
        pitch = middle_w | 1
        return 4 * (max(in_h * ((in_w | 1) + pitch), self.falls * tile[1] * pitch) + middle_h * pitch)


@dataclass(frozen=True, slots=True)
class Variant:
    """The size of a block's tile of the output, and whether sizes are constants in the kernel: one kernel serves all that is rare."""

    tile: tuple[int, int]
    fixed: bool


@lru_cache(maxsize=4096)
def variant_for(shape: Shape, out_size: tuple[int, int], *, marks: bool) -> Variant | None:
    """The tile with the fewest middle samples over the whole image; larger tiles win ties. None if none fits into shared memory.

    With `marks`, a tile's rows of middle samples are whole words of marks.
    """

    def work(tile: tuple[int, int]) -> tuple[int, int]:
        count = math.prod(-(-out_size[a] // tile[a]) for a in (0, 1))
        return count * math.prod(shape.middle(tile)), -math.prod(tile)

    def fits(tile: tuple[int, int]) -> bool:
        return (not marks or tile[1] * shape.down[1] % 16 == 0) and shape.shared_bytes(tile) <= SHARED_BYTES

    for fixed in (True, False) if shape.short else (False,):
        few = () if fixed else _SMALL
        tile = min(((x, y) for y in (*few, *_HEIGHTS) for x in (*few, *_WIDTHS) if fits((x, y))), key=work, default=None)
        if tile is not None:
            return Variant(tile, fixed)
    return None


def kernel_for(shape: Shape, variant: Variant, mode: Mode, dtype: torch.dtype) -> Kernel:
    """The kernel for these sizes."""
    defines: list[tuple[str, str | int]] = [("TYPE", TYPES[dtype]), ("MODE", int(mode))]
    if variant.fixed:
        pairs = {"UP": shape.up, "DOWN": shape.down, "RISE": shape.rise_taps, "FALL": shape.fall_taps, "TILE": variant.tile}
        defines += [(f"{name}_{axis}", pair["XY".index(axis)]) for name, pair in pairs.items() for axis in "XY"]
        defines += [("RISES", shape.rises), ("FALLS", shape.falls), ("FIXED", 1)]
    return Kernel("resample", tuple(defines))


def all_taps(plan: Plan) -> np.ndarray:
    """The filters in the kernel's order."""
    return np.concatenate([part.ravel() for part in (plan.rise.x, plan.rise.y, plan.fall.x, plan.fall.y)])
