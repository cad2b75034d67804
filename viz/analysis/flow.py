"""Which way fine detail moves when the pose moves: along with it, as on a surface, or not at all, as on glass.

Pictures at poses around the current one are compared with the picture at it, patch by patch: the displacement of what lies
above a frequency (phase correlation, sub-pixel), against the displacement that the poses imply there. "Attached" is how much
of that displacement the detail makes: 1 for detail that moves with the pose, 0 for detail that stays on the pixel grid.
Torch is imported inside functions. Source: Karras et al. 2021, figure 1 ("texture sticking"); phase correlation: Kuglin and
Hines 1975.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from networks.measures.patience import Stop, synthesized

if TYPE_CHECKING:
    import torch

    from viz.groups.groups import Flow

FINE = 1 / 8  # of the sampling rate: what lies above, in cycles per image, is detail
PATCH_SHARE, SMALLEST_PATCH = 1 / 8, 16
QUIET = 1e-3  # patches with less than this part of the strongest patch's detail say nothing
LEAST_SURE = 0.01  # of the agreement: patches that agree with half the motion more or less as well say nothing either
PITCH_PX = 0.125  # of the correlation: several samples for the finest detail
ALONG, ACROSS, STEP = (-0.75, 1.75), (-1.0, 1.0), 1 / 16  # motions that are tried, in units of the expected one


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

    def templates(self, picture: torch.Tensor) -> torch.Tensor:
        """Windows [P, C, n, n] of a picture [C, H, W], under a Hann window."""
        import torch

        return self._cut(picture, 0) * _outer(torch.hann_window(self.size + 2, periodic=False).to(picture)[1:-1])

    def surroundings(self, picture: torch.Tensor, margin: int) -> torch.Tensor:
        """The same places with `margin` pixels more on every side, over which they fade out; zero beyond the picture's border."""
        import torch

        fade = torch.hann_window(2 * margin + 2, periodic=False).to(picture)[1:-1]
        flat = torch.ones(self.size).to(picture)
        return self._cut(picture, margin) * _outer(torch.cat([fade[:margin], flat, fade[margin:]]))

    def _cut(self, picture: torch.Tensor, margin: int) -> torch.Tensor:
        import torch

        padded, side = torch.nn.functional.pad(picture, (margin,) * 4), self.size + 2 * margin
        return torch.stack([padded[:, y : y + side, x : x + side] for x, y in self.corners])


def _outer(window: torch.Tensor) -> torch.Tensor:
    return window[:, None] * window


@dataclass(frozen=True, eq=False)
class Motion:
    """What was found after `count` of `total` poses. All arrays have one row for each patch.

    `centres` in image widths from the image's centre; `along`, `across`: the detail's motion in units of the expected one, in
    its direction and a quarter turn (clockwise on screen) from it; `expected_px` the first pose's expected displacement; `weight` the
    detail's root power times how sure the patch is, 0 where there is too little of either.
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
        still = patches.templates(_detail(base))
        power = still.square().sum(dim=(1, 2, 3)).sqrt().cpu().numpy().astype(np.float64)
    centres = (patches.centres - rate / 2) / rate
    first, agreement = None, Agreement(len(centres))
    for count, other in enumerate(displaced_poses(pose, options, rate), start=1):
        moved = (yield from synthesized(network, ws, stop, pose=other, **conditions))[0]
        if stop is not None and stop():
            yield None  # between making the picture and looking at it
        expected = expected_px(pose, other, centres, rate)
        with torch.inference_mode():
            agreement.add(still, lambda margin, moved=moved: patches.surroundings(_detail(moved), margin), expected)
            along, across, sure = agreement.best()
        first = expected if first is None else first
        asked = (power > math.sqrt(QUIET) * power.max()) & (sure > LEAST_SURE)
        along, across = (np.where(asked, part, 0.0) for part in (along, across))
        yield Motion(count, options.num, centres, along, across, first, power * sure * asked, patches.grid)


def expected_px(before: Any, after: Any, centres: np.ndarray, rate: float) -> np.ndarray:
    """Displacement [P, 2] in pixels, from pose to pose, of what lies at `centres` [P, 2] (image widths)."""
    step = np.asarray(after, dtype=np.float64) @ np.linalg.inv(np.asarray(before, dtype=np.float64))
    return (centres @ step[:2, :2].T + step[:2, 2] - centres) * rate


class Agreement:
    """How well each patch agrees with every motion (a, b): a times the expected one, b times that turned by a quarter.

    One pair of pictures cannot tell how an edge moves along itself. All pairs together can: their directions differ, and (a, b)
    are the same for all, so what is summed up over pairs is the correlation at the motion that (a, b) would mean for each.
    """

    def __init__(self, count: int) -> None:
        self.a, self.b = (np.linspace(low, high, round((high - low) / STEP) + 1) for low, high in (ALONG, ACROSS))
        self._sum: Any = np.zeros((count, len(self.b), len(self.a)))
        self.pairs = 0

    def add(self, before: torch.Tensor, after: Callable[[int], torch.Tensor], expected: np.ndarray) -> None:
        """Windows [P, C, n, n] before; after, with a margin (in pixels) that it is asked for; and the displacement [P, 2] in pixels
        that was expected of each.
        """
        import torch

        e = torch.from_numpy(expected).to(before.device, torch.float32)[:, :, None, None]
        a, b = (torch.from_numpy(v).to(e) for v in (self.a, self.b[:, None]))
        at = torch.stack([a * e[:, 0] - b * e[:, 1], a * e[:, 1] + b * e[:, 0]], dim=-1)  # [P, b, a, (x, y)]
        reach = float(at.abs().max()) + 2 * PITCH_PX
        steps = math.ceil(reach / PITCH_PX)
        offsets = torch.arange(-steps, steps + 1, device=before.device, dtype=torch.float32) * PITCH_PX
        surface = correlation(before, after(math.ceil(reach) + 1), offsets)
        found = torch.nn.functional.grid_sample(surface[:, None], at / (steps * PITCH_PX), mode="bicubic", align_corners=True)[:, 0]
        self._sum = self._sum + found.cpu().numpy()
        self.pairs += 1

    def best(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where each patch agrees most: a [P] and b [P], between the grid's points by a parabola along each axis; and how sure
        a is [P]: by how much less it agrees with half of the expected motion more and less. An edge that moves along itself is not.
        """
        count, rows, columns = self._sum.shape
        row, column = np.unravel_index(self._sum.reshape(count, -1).argmax(axis=1), (rows, columns))
        every = np.arange(count)
        a = self.a[column] + STEP * _vertex(column, columns, lambda at: self._sum[every, row, at])
        b = self.b[row] + STEP * _vertex(row, rows, lambda at: self._sum[every, at, column])
        every_a, half = self._sum.max(axis=1), round(0.5 / STEP)
        aside = [every_a[every, np.clip(column + d, 0, columns - 1)] for d in (-half, half)]
        sure = np.maximum(self._sum[every, row, column] - (aside[0] + aside[1]) / 2, 0.0) / self.pairs
        return a, b, sure * ((column > 0) & (column < columns - 1))  # the best at the end of what was tried is no peak


def _vertex(peak: np.ndarray, count: int, read: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """How far from its sample a peak lies, in samples: the vertex of a parabola through it and its neighbours; 0 at the ends."""
    middle = np.clip(peak, 1, count - 2)
    left, here, right = (read(middle + d) for d in (-1, 0, 1))
    bend = left - 2 * here + right
    inside = (middle == peak) & (bend < 0)
    return np.where(inside, 0.5 * (left - right) / np.where(inside, bend, -1.0), 0.0)


def correlation(before: torch.Tensor, after: torch.Tensor, offsets_px: torch.Tensor) -> torch.Tensor:
    """How well windows [P, C, n, n], moved by these offsets along y and x, agree with their surroundings [P, C, m, m]: [P, o, o].

    The cross power of both spectra, summed over channels, is divided by the root of its own magnitude, half way between
    correlation and pure phase correlation: strong low frequencies do not blunt the peak, and noise is not raised to their level.
    Only one of the two is windowed to the patch: with both, the window itself, which does not move, would pull the peak to zero.
    """
    import torch

    margin, side = (after.shape[-1] - before.shape[-1]) // 2, after.shape[-1]
    spectra = [torch.fft.fft2(x) for x in (torch.nn.functional.pad(before, (margin,) * 4), after)]
    cross = (spectra[1] * spectra[0].conj()).sum(dim=1)
    cross = cross / (cross.abs() + 1e-30).sqrt()
    frequency = torch.fft.fftfreq(side, dtype=torch.float32, device=before.device)
    cross = torch.where((frequency.abs() < 0.5) & (frequency.abs() < 0.5)[:, None], cross, 0)  # half the rate has no sign
    cross = cross / cross.abs().sum(dim=(-2, -1), keepdim=True).clamp_min(1e-30)
    phase = torch.polar(torch.ones_like(offsets_px[:, None] * frequency), 2 * math.pi * offsets_px[:, None] * frequency)  # [o, m]
    return (phase @ cross @ phase.T).real


def _detail(picture: torch.Tensor) -> torch.Tensor:
    from torch_utils.spectra import Band, band_filter

    return band_filter(picture, Band(low=FINE * picture.shape[-1]))
