"""Transform the input grid, then generate, against generate, then transform the picture: one squared error, one PSNR.

Torch is imported inside functions, so that importing this module is cheap. Matrices are forward 3x3 transforms in image
widths (see `torch_utils.resample`). Source: Karras et al. 2021, section 4.2 and appendix E.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import torch

Kind = Literal["eq_t", "eq_t_frac", "eq_r"]
KINDS: tuple[Kind, ...] = ("eq_t", "eq_t_frac", "eq_r")
LABELS: Mapping[Kind, str] = {"eq_t": "EQ-T", "eq_t_frac": "EQ-T_frac", "eq_r": "EQ-R"}
PEAK = 2.0  # pictures lie in [-1, 1]
WHOLE = 1e-6  # samples; a translation this near to whole samples is whole


@dataclass(frozen=True, eq=False)
class Difference:
    """error = generated - reference, both [C, H, W] float32, zero outside the mask [H, W] (bool)."""

    kind: Kind
    error: torch.Tensor
    reference: torch.Tensor
    mask: torch.Tensor

    @property
    def squared_error(self) -> float:
        """Sum over valid pixels and channels."""
        import torch

        exact = torch.float32 if self.error.device.type == "mps" else torch.float64
        return float(self.error.to(exact).square().sum())

    @property
    def valid(self) -> int:
        """Number of valid values: pixels times channels."""
        return int(self.mask.sum()) * self.error.shape[0]

    @property
    def db(self) -> float | None:
        return psnr_db(self.squared_error, self.valid)

    @property
    def signal_db(self) -> float | None:
        """Power of the reference over that of the error, in dB, for layers, which have no peak value. A channel's mean is no signal."""
        import torch

        inside = self.reference[:, self.mask].to(torch.float64 if self.reference.device.type != "mps" else torch.float32)
        signal = float((inside - inside.mean(dim=1, keepdim=True)).square().sum())
        return ratio_db(signal, self.squared_error)


def grid_change(before: int, after: int) -> np.ndarray:
    """[after, before]: brings `before` samples across an image to `after`, in the band that both grids have; float64.

    Samples are centred in their pixels, and images go on beyond their edges as in a mirror: the cosine transform (DCT-II) is cut off, or
    followed by zeros.
    """
    kept = min(before, after)
    return _cosines(after)[:kept].T @ _cosines(before)[:kept] * math.sqrt(after / before)


def _cosines(size: int) -> np.ndarray:
    """The orthonormal DCT-II, a row for each frequency."""
    order = np.arange(size)
    waves = np.cos(math.pi / size * np.outer(order, order + 0.5)) * math.sqrt(2 / size)
    waves[0] /= math.sqrt(2)
    return waves


def psnr_db(squared_error: float, valid: int) -> float | None:
    """20 log10(PEAK) - 10 log10(squared_error / valid); None where nothing was valid, inf for no error at all."""
    return ratio_db(PEAK**2 * valid, squared_error) if valid else None


def ratio_db(power: float, error: float) -> float | None:
    """10 log10(power / error); None for nothing against nothing and for what is no number, inf for no error, -inf for an infinite one."""
    if error == 0:
        return math.inf if power > 0 else None
    ratio = power / error
    if math.isnan(ratio):
        return None
    return 10 * math.log10(ratio) if ratio > 0 else -math.inf


def kind_of(matrix: Any, sampling_rate: float) -> Kind:
    """The metric whose operators fit a transform: whole-sample shift, other shift, or anything that turns."""
    m = np.asarray(matrix, dtype=np.float64)
    if not np.allclose(m[:2, :2], np.eye(2), rtol=0, atol=1e-12):
        return "eq_r"
    shift = m[:2, 2] * sampling_rate
    return "eq_t" if np.abs(shift - np.round(shift)).max() < WHOLE else "eq_t_frac"


def difference(base: torch.Tensor, moved: torch.Tensor, matrix: Any, *, sampling_rate: float) -> Difference:
    """Compares `moved`, generated under the transform, with `base` [C, H, W], generated without and transformed now.

    The operators are those of the metric that fits the transform (`kind_of`). Both tensors may have margins.
    """
    from torch_utils.resample import fractional_shift, integer_shift, pseudo_warp, warp

    kind = kind_of(matrix, sampling_rate)
    shift_x, shift_y = (float(row[2]) * sampling_rate for row in matrix[:2])
    if kind == "eq_t":
        reference, mask = integer_shift(base, (round(shift_x), round(shift_y)))
    elif kind == "eq_t_frac":
        reference, mask = fractional_shift(base, (shift_x, shift_y))
    else:
        reference, mask = warp(base, matrix, sampling_rate=sampling_rate)
        moved, inner = pseudo_warp(moved, matrix)
        mask = mask & inner
    return Difference(kind, (moved - reference) * mask, reference, mask)


def restricted(found: Difference, mask: np.ndarray) -> Difference:
    """The same difference on a smaller valid region [H, W]."""
    import torch

    kept = found.mask & torch.from_numpy(mask).to(found.mask.device)
    return Difference(found.kind, found.error * kept, found.reference, kept)


def image_frame(size: tuple[int, int], matrix: Any, sampling_rate: float) -> np.ndarray:
    """Mask [H, W]: samples inside the image whose place before the transform was inside it too.

    A layer's margin is computed from less than a picture's inside is (its border sees zeros), so it is no reference.
    """
    width, height = size
    margin = max(0.0, (width - sampling_rate) / 2)
    half = np.array([width / 2 - margin, height / 2 - margin]) / sampling_rate
    x = (np.arange(width) + 0.5 - width / 2) / sampling_rate
    y = (np.arange(height)[:, None] + 0.5 - height / 2) / sampling_rate
    inverse = np.linalg.inv(np.asarray(matrix, dtype=np.float64))
    u, v = (row[0] * x + row[1] * y + row[2] for row in inverse[:2])
    return (np.abs(x) <= half[0]) & (np.abs(y) <= half[1]) & (np.abs(u) <= half[0]) & (np.abs(v) <= half[1])
