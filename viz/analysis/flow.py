"""Which way fine detail moves when the pose moves: along with it, as on a surface, or not at all, as on glass.

Pictures at poses around the current one are compared with the picture at it, patch by patch: the displacement of what lies
above a frequency (phase correlation, sub-pixel), against the displacement that the poses imply there. "Attached" is how much
of that displacement the detail makes: 1 for detail that moves with the pose, 0 for detail that stays on the pixel grid.
Torch is imported inside functions. Source: Karras et al. 2021, figure 1 ("texture sticking"); phase correlation: Kuglin and
Hines 1975, refined as in Guizar-Sicairos et al. 2008.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.analysis.patience import Stop, synthesized

if TYPE_CHECKING:
    import torch

    from viz.groups import Flow

FINE = 1 / 8  # of the sampling rate: what lies above, in cycles per image, is detail
PATCH_SHARE, SMALLEST_PATCH = 1 / 8, 16
QUIET = 1e-3  # patches with less than this part of the strongest patch's detail say nothing
LEAST_PX = 0.05  # of motion that the poses must imply for a patch to be asked
COARSE_PX, FINE_STEPS, ROUNDS = 0.25, 8, 2  # search on a grid of this pitch, refined that many times, twice
SLACK_PX = 0.75  # how much farther than one and a half times the expected motion is looked


@dataclass(frozen=True, eq=False)
class Patches:
    """A grid of overlapping windows of `size` pixels, centres [P, 2] (x, y) in pixels; `grid` = (rows, columns)."""

    size: int
    corners: tuple[tuple[int, int], ...]
    grid: tuple[int, int]

    @staticmethod
    def over(resolution: int) -> Patches:
        """Half overlapping, covering the whole picture."""
        size = min(resolution, max(SMALLEST_PATCH, round(resolution * PATCH_SHARE)))
        starts = [round(s) for s in np.linspace(0, resolution - size, max(1, round(2 * resolution / size) - 1))]
        return Patches(size, tuple((x, y) for y in starts for x in starts), (len(starts), len(starts)))

    @property
    def centres(self) -> np.ndarray:
        return np.array(self.corners, dtype=np.float64) + self.size / 2

    def of(self, picture: torch.Tensor) -> torch.Tensor:
        """Windows [P, C, size, size] of a picture [C, H, W], each under a Hann window, which hides what enters and leaves."""
        import torch

        window = torch.hann_window(self.size + 2, periodic=False, dtype=picture.dtype, device=picture.device)[1:-1]
        cut = torch.stack([picture[:, y : y + self.size, x : x + self.size] for x, y in self.corners])
        return cut * (window[:, None] * window)


@dataclass(frozen=True, eq=False)
class Motion:
    """What was found after `count` of `total` poses. All arrays have one row for each patch.

    `centres` in image widths from the image's centre; `along`, `across`: the detail's motion in units of the expected one, in
    its direction and a quarter turn (clockwise on screen) from it; `expected_px` the first pose's expected displacement; `weight` the
    detail's root power, 0 where there is too little of it or nothing was expected.
    """

    count: int
    total: int
    centres: np.ndarray
    along: np.ndarray
    across: np.ndarray
    expected_px: np.ndarray
    weight: np.ndarray
    grid: tuple[int, int]

    @property
    def measured_px(self) -> np.ndarray:
        """Displacement [P, 2] of the detail, for the expected one of the first pose."""
        x, y = self.expected_px.T
        return np.stack([self.along * x - self.across * y, self.along * y + self.across * x], axis=1)

    @property
    def attached(self) -> float | None:
        """Mean of `along`, each patch counting by its detail; None where there was none. Noise and false peaks move it past 0 and 1."""
        total = float(self.weight.sum())
        return float((self.along * self.weight).sum()) / total if total > 0 else None

    @property
    def stuck_share(self) -> float | None:
        """Part of the detail that makes less than half of the motion."""
        total = float(self.weight.sum())
        return float(self.weight[self.along < 0.5].sum()) / total if total > 0 else None


def displaced_poses(pose: Any, options: Flow, rate: float) -> Iterator[np.ndarray]:
    """Forward matrices of the poses that are compared with `pose` (3x3, image widths).

    "shift": by `reach_px` in `num` directions, the first to the right. "turn": both ways around the image's centre, by angles
    up to the one that moves the middle of the image's edge by `reach_px`.
    """
    from torch_utils.resample import pose_matrix

    base = np.asarray(pose, dtype=np.float64)
    for i in range(options.num):
        if options.over == "turn":
            part = 1 - i // 2 / max(1, (options.num + 1) // 2)
            yield pose_matrix((-1) ** i * part * options.reach_px / rate / 0.5) @ base
        else:
            angle = i * math.pi * (3 - math.sqrt(5))
            x, y = (options.reach_px / rate * f(angle) for f in (math.cos, math.sin))
            yield np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]) @ base


def flow(
    network: Any, ws: torch.Tensor, pose: Any, options: Flow, conditions: Mapping[str, Any], stop: Stop | None = None
) -> Iterator[Motion | None]:
    """Yields a Motion after every pose around `pose` (forward 3x3, image widths), None whenever `stop()` interrupts."""
    import torch

    rate = network.img_resolution
    patches = Patches.over(rate)
    base = (yield from synthesized(network, ws, stop, pose=pose, **conditions))[0]
    with torch.inference_mode():
        still = _detail(base, patches)
        power = still.square().sum(dim=(1, 2, 3)).sqrt().cpu().numpy().astype(np.float64)
    centres = (patches.centres - rate / 2) / rate
    first, dots, crosses, squares = None, *np.zeros((3, len(centres)))
    for count, other in enumerate(displaced_poses(pose, options, rate), start=1):
        moved = (yield from synthesized(network, ws, stop, pose=other, **conditions))[0]
        expected = expected_px(pose, other, centres, rate)
        with torch.inference_mode():
            found = displacement(still, _detail(moved, patches), reach_px=1.5 * float(np.hypot(*expected.T).max()) + SLACK_PX)
        first = expected if first is None else first
        dots += (found * expected).sum(axis=1)
        crosses += expected[:, 0] * found[:, 1] - expected[:, 1] * found[:, 0]
        squares += (expected**2).sum(axis=1)
        asked = (power > math.sqrt(QUIET) * power.max()) & (squares > count * LEAST_PX**2)
        along, across = (np.where(asked, part / np.maximum(squares, 1e-12), 0.0) for part in (dots, crosses))
        yield Motion(count, options.num, centres, along, across, first, power * asked, patches.grid)


def expected_px(before: Any, after: Any, centres: np.ndarray, rate: float) -> np.ndarray:
    """Displacement [P, 2] in pixels, from pose to pose, of what lies at `centres` [P, 2] (image widths)."""
    step = np.asarray(after, dtype=np.float64) @ np.linalg.inv(np.asarray(before, dtype=np.float64))
    return (centres @ step[:2, :2].T + step[:2, 2] - centres) * rate


def displacement(before: torch.Tensor, after: torch.Tensor, *, reach_px: float) -> np.ndarray:
    """How far (x, y) [P, 2] windows [P, C, n, n] have moved, by at most `reach_px` pixels along each axis.

    The cross power of both spectra, summed over channels, is divided by the root of its own magnitude, half way between
    correlation and pure phase correlation: strong low frequencies do not blunt the peak, and noise is not raised to their level.
    Its inverse transform, over the windows' own autocorrelation (which pulls it towards zero), peaks at the displacement. It is
    evaluated only near zero, on a grid that is refined around the peak, in the end by a parabola.
    """
    import torch

    spectra = [torch.fft.fft2(windows) for windows in (before, after)]
    cross = (spectra[1] * spectra[0].conj()).sum(dim=1)
    cross = cross / (cross.abs() + 1e-30).sqrt()
    frequency = torch.fft.fftfreq(before.shape[-1], dtype=torch.float32, device=before.device)
    cross = torch.where((frequency.abs() < 0.5) & (frequency.abs() < 0.5)[:, None], cross, 0)  # half the rate has no sign
    steps = math.ceil(reach_px / COARSE_PX)
    offsets, pitch = torch.arange(-steps, steps + 1, device=before.device) * COARSE_PX, COARSE_PX
    best = torch.zeros(len(before), 2, device=before.device)
    for _ in range(ROUNDS + 1):
        surface = _surface(cross, frequency, best[:, :1] + offsets, best[:, 1:] + offsets)
        over_x, over_y = (_overlap(best[:, i : i + 1] + offsets, len(frequency)) for i in (0, 1))
        surface = surface / (over_y[:, :, None] * over_x[:, None])
        row, column = (surface.flatten(1).argmax(dim=1) // len(offsets), surface.flatten(1).argmax(dim=1) % len(offsets))
        best = best + torch.stack([offsets[column], offsets[row]], dim=1)
        last, pitch = (surface, row, column, pitch), pitch / FINE_STEPS * 2
        offsets = torch.arange(-FINE_STEPS // 2 - 1, FINE_STEPS // 2 + 2, device=before.device) * pitch
    return (best + _parabola(*last)).cpu().numpy().astype(np.float64)


def _surface(cross: torch.Tensor, frequency: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Real part of the inverse transform [P, Y, X] at displacements x [P, X] and y [P, Y]."""
    import torch

    along_x = torch.polar(torch.ones_like(x[..., None] * frequency), 2 * math.pi * x[..., None] * frequency)  # [P, X, n]
    along_y = torch.polar(torch.ones_like(y[..., None] * frequency), 2 * math.pi * y[..., None] * frequency)
    return (along_y @ cross @ along_x.transpose(1, 2)).real


def _overlap(offset_px: torch.Tensor, size: int) -> torch.Tensor:
    """Autocorrelation of the Hann window at these shifts, 1 at none."""
    import torch

    t = (offset_px / size).abs().clamp_max(0.7)
    return (1 - t) * (2 + torch.cos(2 * math.pi * t)) / 3 + torch.sin(2 * math.pi * t) / (2 * math.pi)


def _parabola(surface: torch.Tensor, row: torch.Tensor, column: torch.Tensor, pitch: float) -> torch.Tensor:
    """Where the peak lies between the samples of the last grid, from its neighbours along each axis; [P, 2] in pixels."""
    import torch

    every = torch.arange(len(surface), device=surface.device)
    parts = []
    for axis, at in ((2, column), (1, row)):
        middle = at.clamp(1, surface.shape[axis] - 2)
        left, here, right = (surface[every, *((row, middle + d) if axis == 2 else (middle + d, column))] for d in (-1, 0, 1))
        bend = left - 2 * here + right
        parts.append(torch.where((bend < 0) & (at == middle), 0.5 * (left - right) / bend.clamp_max(-1e-30), torch.zeros_like(bend)))
    return torch.stack(parts, dim=1).clamp(-1, 1) * pitch


def _detail(picture: torch.Tensor, patches: Patches) -> torch.Tensor:
    from torch_utils.spectra import Band, band_filter

    return patches.of(band_filter(picture, Band(low=FINE * picture.shape[-1])))
