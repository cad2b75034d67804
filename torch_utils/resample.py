"""The operators that equivariance is measured with: shifts, band-limited warps, and the undoing of a pose.

Positions are in image widths with the origin at the centre of the image, x to the right, y down; a matrix is the
*forward* 3x3 transform of the picture, `[[cos, sin, tx], [-sin, cos, ty], [0, 0, 1]]` (rotate, then translate). A layer
has `sampling_rate` samples per image width and may have margins around the image, the same on opposite sides, so that
the centre of the tensor is the centre of the image.

Every operator takes values [..., H, W] and returns `(values, mask)`; the mask [H, W] (bool) is True where no sample
from outside the tensor had a say. Half precision is computed and returned in float32.

Source: Karras et al. 2021, appendix E.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from torch_utils.lanczos import REACH, A, Linear, oriented_filter, shift_taps
from torch_utils.ops.reference import full_precision

Matrix = Sequence[Sequence[float]] | np.ndarray
Result = tuple[torch.Tensor, torch.Tensor]

UP = 4  # a warp reads, bilinearly, from a grid this much finer than the samples
BLOCK = 2  # input samples per side that one step of the upsampling convolution answers for: the fastest on CPUs
PSEUDO_REACH = REACH - 1
MIRROR = np.diag([-1.0, 1.0, 1.0])  # left and right


def pose_matrix(angle: float = 0.0, tx: float = 0.0, ty: float = 0.0) -> np.ndarray:
    """Forward matrix of a rotation by `angle` radians (positive = counter-clockwise on screen), then a shift in image widths."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, s, tx], [-s, c, ty], [0.0, 0.0, 1.0]])


# ----------------------------------------------------------------------------------------------------------- shifts


def integer_shift(x: torch.Tensor, shift: tuple[int, int]) -> Result:
    """`x` moved by whole samples (right, down), zeros coming in; the mask is the part that was there before."""
    height, width = x.shape[-2:]
    dx, dy = max(-width, min(width, int(shift[0]))), max(-height, min(height, int(shift[1])))
    y = torch.zeros_like(x)
    kept = x[..., max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
    y[..., max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = kept
    return y, _rectangle((height, width), (dx, width + dx), (dy, height + dy), x.device)


def fractional_shift(x: torch.Tensor, shift: tuple[float, float]) -> Result:
    """`x` moved by (right, down) samples with a Lanczos filter (a = 3) per axis; zeros outside.

    The mask is where all six taps of both axes are inside.
    """
    if not all(math.isfinite(s) for s in shift):
        raise ValueError(f"shift is {shift}; two finite numbers of samples are expected")
    x = _as_float(x)
    height, width = x.shape[-2:]
    whole_x, whole_y = (math.floor(s) for s in shift)
    taps_x, taps_y = (torch.from_numpy(shift_taps(s - math.floor(s))).to(x) for s in shift)
    y = F.pad(x.reshape(-1, 1, height, width), (2 * A - 1,) * 4)
    with full_precision(x):
        y = F.conv2d(F.conv2d(y, taps_x.view(1, 1, 1, -1)), taps_y.view(1, 1, -1, 1))
    first = 1 - A  # the output begins at this sample
    y = _slide(_slide(y, whole_x + first, width, -1), whole_y + first, height, -2)
    columns, rows = (whole_x + A, whole_x + width + first), (whole_y + A, whole_y + height + first)
    return y.reshape(x.shape), _rectangle((height, width), columns, rows, x.device)


def _slide(x: torch.Tensor, begin: int, size: int, dim: int) -> torch.Tensor:
    """`size` samples along `dim` of a signal that begins at index `begin` and is zero elsewhere."""
    low, high = max(begin, 0), min(begin + x.shape[dim], size)
    shape = list(x.shape)
    shape[dim] = size
    y = x.new_zeros(shape)
    if high > low:
        y.narrow(dim, low, high - low).copy_(x.narrow(dim, low - begin, high - low))
    return y


# ------------------------------------------------------------------------------------------------------------ warps


def warp(x: torch.Tensor, matrix: Matrix, *, sampling_rate: float | None = None) -> Result:
    """The picture (or layer) after the forward 3x3 transform, limited to the band that both grids can hold.

    `sampling_rate`: samples per image width, None for a picture without margins (its width). The values are upsampled
    4x with the oriented filter of the transform and read bilinearly; zeros outside. The filter reaches six input
    samples, which is enough for rotations, shifts, enlargements, and reductions (in any direction) to half; a further one
    keeps what fits in that. A mirror and nothing else only reorders samples: nothing is filtered.
    Raises ValueError when the matrix has no inverse.
    """
    x = _as_float(x)
    height, width = x.shape[-2:]
    forward, inverse = _checked(matrix)
    if np.array_equal(forward, MIRROR):
        return x.flip(-1), torch.ones(height, width, dtype=torch.bool, device=x.device)
    rate = float(width if sampling_rate is None else sampling_rate)
    inverse[:2, 2] *= rate
    u, v = _source_positions(inverse, (height, width), x.device)
    fine, first = _upsampled(x.reshape(-1, height, width), _linear(forward))
    values = _read(fine, UP * (u - 0.5) - first, UP * (v - 0.5) - first)
    values = values.reshape(*x.shape[:-2], height, width)
    return values, _reachable(u, width) & _reachable(v, height)


def unwarp(x: torch.Tensor, matrix: Matrix, *, sampling_rate: float | None = None) -> Result:
    """Undoes the forward transform `matrix` on a picture or on a layer with margins: the warp by its inverse."""
    return warp(x, _checked(matrix)[1], sampling_rate=sampling_rate)


def pseudo_warp(x: torch.Tensor, matrix: Matrix) -> Result:
    """The band limit of `warp(., matrix)` on what is already warped: nothing moves.

    A warp loses the corners of the band that its own grid could not hold; a generated picture keeps other corners.
    After this filter (11 x 11) both hold the same band. The mask is a border of five samples. A mirror loses nothing.
    """
    x = _as_float(x)
    height, width = x.shape[-2:]
    forward, inverse = _checked(matrix)
    if np.array_equal(forward, MIRROR):
        return x, torch.ones(height, width, dtype=torch.bool, device=x.device)
    taps = torch.from_numpy(oriented_filter(_linear(inverse), 1).copy()).to(x)
    with full_precision(x):
        y = F.conv2d(x.reshape(-1, 1, height, width), taps[None, None], padding=PSEUDO_REACH)
    edge = PSEUDO_REACH
    return y.reshape(x.shape), _rectangle((height, width), (edge, width - edge), (edge, height - edge), x.device)


def _source_positions(inverse: np.ndarray, size: tuple[int, int], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each output sample comes from: x and y [H, W], in samples from the tensor's left and top edge (float64)."""
    height, width = size
    where = torch.device("cpu") if device.type == "mps" else device  # which has no float64
    column = torch.arange(width, dtype=torch.float64, device=where) + (0.5 - width / 2)
    row = torch.arange(height, dtype=torch.float64, device=where)[:, None] + (0.5 - height / 2)
    m = inverse.tolist()
    u = m[0][0] * column + (m[0][1] * row + (m[0][2] + width / 2))
    v = m[1][0] * column + (m[1][1] * row + (m[1][2] + height / 2))
    return u, v


def _reachable(position: torch.Tensor, size: int) -> torch.Tensor:
    """Whether the nearest fine sample is at least the filter's reach away from both ends."""
    nearest = torch.round(UP * position)
    return (nearest >= UP * REACH) & (nearest < UP * (size - REACH))


def _upsampled(x: torch.Tensor, linear: Linear) -> tuple[torch.Tensor, int]:
    """`x` [N, H, W] on the 4x grid as [N, H / 2, W / 2, 8, 8] blocks, and the fine index (from x[0]) that the first holds.

    A convolution over blocks of 2 x 2 samples with one output channel for each of the 8 x 8 fine samples of a block: no
    zeros are multiplied, and the shapes suit the convolution libraries. Goes on for the filter's reach on all sides.
    """
    taps = oriented_filter(linear, UP)
    height, width = x.shape[-2:]
    block = UP * BLOCK
    ends = -(-REACH // BLOCK) * 2  # blocks beyond each end: one reach of output, another of input
    extra = (-width % BLOCK, -height % BLOCK)
    x = F.pad(x, (ends * BLOCK, ends * BLOCK + extra[0], ends * BLOCK, ends * BLOCK + extra[1]))
    coarse = F.pixel_unshuffle(x[:, None], BLOCK).contiguous(memory_format=torch.channels_last)
    with full_precision(x):
        fine = F.conv2d(coarse, torch.from_numpy(_block_weights(taps)).to(x)).permute(0, 2, 3, 1)
    return fine.unflatten(-1, (block, block)), -(ends // 2) * block


def _block_weights(taps: np.ndarray) -> np.ndarray:
    """Weights [8 * 8, 2 * 2, n, n] of the convolution over blocks: fine sample r of a block takes tap `centre + r - 4 j` of sample j."""
    reach = -(-REACH // BLOCK)  # blocks
    sample = np.arange(-reach * BLOCK, (reach + 1) * BLOCK)
    index = len(taps) // 2 + np.arange(UP * BLOCK)[:, None] - UP * sample
    padded = np.pad(taps, 1)  # one ring of zeros, for all that is out of reach
    index = np.clip(index + 1, 0, len(taps) + 1)
    full = padded[index[:, None, :, None], index[None, :, None, :]]  # [row, column, sample row, sample column]
    full = full.reshape(UP * BLOCK, UP * BLOCK, 2 * reach + 1, BLOCK, 2 * reach + 1, BLOCK).transpose(0, 1, 3, 5, 2, 4)
    return np.ascontiguousarray(full.reshape((UP * BLOCK) ** 2, BLOCK**2, 2 * reach + 1, 2 * reach + 1))


def _read(fine: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Bilinear values [N, P, Q] at the fine coordinates u, v [P, Q] of the blocks `fine` [N, rows, columns, 8, 8]; zeros outside."""
    _, rows, columns, block, _ = fine.shape
    u, v = u.clamp(0, columns * block - 1.001), v.clamp(0, rows * block - 1.001)  # the outermost samples are zeros
    u0, v0 = u.floor(), v.floor()
    fu, fv = ((p - p0).to(fine) for p, p0 in ((u, u0), (v, v0)))
    u0, v0 = (p0.to(fine.device, torch.int64) for p0 in (u0, v0))
    low = block - 1  # block is a power of two: i & low is i % block, i - (i & low) is block * (i // block)
    x_index = [(i - (i & low)) * block + (i & low) for i in (u0, u0 + 1)]
    y_index = [(i - (i & low)) * (columns * block) + (i & low) * block for i in (v0, v0 + 1)]
    flat = fine.reshape(len(fine), -1)

    def at(y: int, x: int) -> torch.Tensor:
        return flat.index_select(1, (y_index[y] + x_index[x]).flatten()).view(-1, *u.shape)

    top, bottom = torch.lerp(at(0, 0), at(0, 1), fu), torch.lerp(at(1, 0), at(1, 1), fu)
    return torch.lerp(top, bottom, fv)


# ------------------------------------------------------------------------------------------------------------ small


def _checked(matrix: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """The forward matrix and its inverse, float64; raises ValueError naming what is wrong."""
    forward = np.array(matrix, dtype=np.float64)
    if forward.shape != (3, 3) or not np.isfinite(forward).all() or np.any(forward[2] != (0, 0, 1)):
        raise ValueError(f"matrix is {forward.tolist()}; an affine 3x3 matrix of finite numbers is expected")
    if abs(np.linalg.det(forward[:2, :2])) < 1e-9:
        raise ValueError(f"matrix is {forward.tolist()}; it flattens the picture and cannot be undone")
    return forward, np.linalg.inv(forward)


def _linear(matrix: np.ndarray) -> Linear:
    (xx, xy), (yx, yy) = matrix[:2, :2].tolist()
    return (xx, xy), (yx, yy)


def _rectangle(size: tuple[int, int], columns: tuple[int, int], rows: tuple[int, int], device: torch.device) -> torch.Tensor:
    """Mask [H, W], True from the first to before the last column and row."""
    column = torch.arange(size[1], device=device)
    row = torch.arange(size[0], device=device)[:, None]
    return (column >= columns[0]) & (column < columns[1]) & (row >= rows[0]) & (row < rows[1])


def _as_float(x: torch.Tensor) -> torch.Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()
