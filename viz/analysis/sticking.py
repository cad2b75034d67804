"""The average of many pictures around one latent: detail that rides on the surface blurs away, detail stuck to pixels stays.

Figure 1 (left) of Karras et al. 2021: pictures from a small Gaussian neighbourhood of a latent, at one pose, are
averaged. The score "detail kept" puts a number on it, for any band of frequencies: the share of the band's power that
survives the averaging, 1 for detail that never moves, 0 for detail that is elsewhere in every picture. The neighbourhood may
also be one of poses: then it is the motion that is known, and what survives beyond its blur is stuck to the pixels.
Torch is imported inside functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from networks.measures.patience import Stop, synthesized

if TYPE_CHECKING:
    import torch

    from torch_utils.spectra import Band, Spectrum


NORMAL = NormalDist()
EVEN_STEPS = (0.7548776662466927, 0.5698402909980532)  # 1 / p and 1 / p^2, p^3 = p + 1: what the golden ratio is in one dimension
BETA = 8.0  # of the Kaiser window, as in the published average spectra: of a wave, less than a millionth is more than 3 cycles away
LEAST_HELD = 1e-5  # of all power, ten times what the window lets through: a band that holds less says nothing about detail


@dataclass(frozen=True)
class Jitter:
    """A neighbourhood of a latent: w + strength (w_i - w_avg), w_i being the latents of seeds (seed, i).

    This Gaussian cloud has the shape that the network's own latents have in W, `strength` times as large. `hold_pose`
    keeps the pose that the unjittered latent learned, so that only the detail differs.
    """

    strength: float = 0.1
    seed: int = 0
    hold_pose: bool = True


@dataclass(frozen=True, eq=False)
class Average:
    """Where an average stands: mean and variance [C, H, W] of `count` of `total` pictures, the statistics behind the scores, and
    the picture that came last."""

    count: int
    total: int
    mean: torch.Tensor
    variance: torch.Tensor
    detail: DetailKept
    newest: torch.Tensor


class RunningMoments:
    """Mean and (population) variance of pictures that come one by one, without keeping them. Stable for any level."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: Any = 0.0
        self._squares: Any = 0.0

    def add(self, picture: torch.Tensor) -> None:
        self.count += 1
        step = picture - self._mean
        self._mean = self._mean + step / self.count
        self._squares = self._squares + step * (picture - self._mean)

    @property
    def mean(self) -> torch.Tensor:
        return self._mean

    @property
    def variance(self) -> torch.Tensor:
        return self._squares / max(1, self.count)


class DetailKept:
    """Shares of power that survive averaging, from power spectra: any band can be asked for at any time.

    The window keeps the picture's borders, where opposite edges meet, out of the finer bands: without it a band that holds little
    would tell of the coarse ones. So it is the middle of the picture that counts: half way to the border, a tenth as much.
    `independent`: the pictures were drawn at random, so that a part 1 / count survives by chance, which is taken off.
    """

    def __init__(self, beta: float = BETA, *, independent: bool = True) -> None:
        self.beta, self.independent = beta, independent
        self.moments = RunningMoments()
        self._power: Any = 0.0
        self._spectra: tuple[Spectrum, Spectrum] | None = None

    def add(self, picture: torch.Tensor) -> None:
        """One picture [C, H, W]."""
        from torch_utils.spectra import view_spectrum

        self._spectra = None
        self.moments.add(picture)
        self._power = self._power + view_spectrum(picture, self.beta).power

    def spectra(self) -> tuple[Spectrum, Spectrum]:
        """Power spectrum of the average, and average power spectrum of the pictures."""
        from torch_utils.spectra import Spectrum, view_spectrum

        if self._spectra is None:
            of_mean = view_spectrum(self.moments.mean, self.beta)
            self._spectra = of_mean, Spectrum(self._power / self.moments.count, of_mean.fx, of_mean.fy)
        return self._spectra

    def score(self, low: float, high: float | None = None) -> float | None:
        """Share kept (0 to 1) in the band from `low` up to `high` cycles per image (None: no end).

        None below two pictures, and where the band holds less than `LEAST_HELD` of all power.
        """
        return self._share(*self.spectra(), low, np.inf if high is None else high)

    def scores(self, bands: tuple[Band, ...]) -> Mapping[Band, float | None]:
        """The share kept in each of these bands (`torch_utils.spectra.octaves` gives a set)."""
        of_mean, mean_power = self.spectra()
        return {band: self._share(of_mean, mean_power, band.low, band.high) for band in bands}

    def held(self, low: float, high: float = np.inf) -> float:
        """Share (0 to 1) of all power of the pictures, but for their mean level, that lies in this band."""
        mean_power = self.spectra()[1]
        total = float(mean_power.power.sum())
        return float(mean_power.power[_ring(mean_power, low, high)].sum()) / total if total > 0 else 0.0

    def _share(self, of_mean: Spectrum, mean_power: Spectrum, low: float, high: float) -> float | None:
        inside = _ring(of_mean, low, high)
        powers = float(of_mean.power[inside].sum()), float(mean_power.power[inside].sum())
        if not LEAST_HELD * float(mean_power.power.sum()) < powers[1] < math.inf:
            return None
        if not self.independent and self.moments.count > 1:
            return min(1.0, powers[0] / powers[1])
        return share_kept(*powers, self.moments.count)


def _ring(spectrum: Spectrum, low: float, high: float) -> torch.Tensor:
    return (spectrum.radius >= low) & (spectrum.radius < high)


class DetailMap:
    """Where detail is kept: the share of the power above `low` cycles per image that survives, around every pixel."""

    def __init__(self, low: float, *, independent: bool = True) -> None:
        self.low, self.independent, self.count = low, independent, 0
        self._sum: Any = 0.0
        self._power: Any = 0.0
        self._all_power: Any = 0.0

    def add(self, picture: torch.Tensor) -> None:
        """One picture [C, H, W]."""
        from torch_utils.spectra import Band, band_filter

        detail = band_filter(picture, Band(low=self.low))
        self.count += 1
        self._sum = self._sum + detail
        self._power = self._power + _around(detail)
        self._all_power = self._all_power + picture.var(dim=(-2, -1), correction=0).sum()

    def power(self) -> torch.Tensor:
        """Mean power [H, W] of the detail around every pixel."""
        return self._power / self.count

    def share(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Share kept [H, W] (0 to 1), and a mask [H, W] of where there is any detail to keep; nowhere below two pictures."""
        import torch

        mean_power = self.power()
        there = (mean_power > 1e-3 * mean_power.max()) & (mean_power.mean() > LEAST_HELD * self._all_power / self.count)
        if self.count < 2:
            return torch.zeros_like(mean_power), torch.zeros_like(there)
        ratio = _around(self._sum / self.count) / mean_power.clamp_min(1e-30)
        share = (self.count * ratio - 1) / (self.count - 1) if self.independent else ratio
        return share.clamp(0, 1) * there, there


def _around(detail: torch.Tensor) -> torch.Tensor:
    """Power [H, W] of [C, H, W] in the neighbourhood of each pixel: a window of about a sixteenth of the picture."""
    import torch

    reach = max(1, round(detail.shape[-1] / 32))
    power = detail.square().sum(dim=0)[None, None]
    for _ in range(2):
        power = torch.nn.functional.avg_pool2d(power, 2 * reach + 1, 1, reach, count_include_pad=False)
    return power[0, 0]


def share_kept(power_of_mean: float, mean_power: float, count: int) -> float | None:
    """Power of what `count` signals have in common, as a share of their mean power; None where that does not exist.

    The mean of N signals, common part m and independent parts of power v, has the expected power m + v / N, and their mean
    power is m + v; hence m / (m + v) = (N P(mean) / mean P - 1) / (N - 1), not biased by how few signals there are. What
    chance makes negative is 0.
    """
    if count < 2 or not 0 < mean_power < math.inf:
        return None
    return min(1.0, max(0.0, (count * power_of_mean / mean_power - 1) / (count - 1)))


def jittered(network: Any, ws: torch.Tensor, index: int, jitter: Jitter) -> torch.Tensor:
    """Latent `index` of the neighbourhood of ws [1, num_ws, w_dim]; the same for every batch size and order."""
    import torch

    random = np.random.default_rng([jitter.seed, index])
    z = torch.from_numpy(random.standard_normal((1, network.z_dim)).astype(np.float32)).to(ws.device)
    c = None
    if network.c_dim:
        c = torch.nn.functional.one_hot(torch.tensor([int(random.integers(network.c_dim))], device=ws.device), network.c_dim).float()
    return ws + jitter.strength * (network.map(z, c) - network.w_avg)


def shifted(pose: Any, index: int, reach_px: float, rate: float, seed: int = 0) -> np.ndarray:
    """Pose `index` of a neighbourhood of `pose` (forward 3x3, image widths): shifted by normal numbers of deviation `reach_px`.

    They fill the neighbourhood evenly (an additive recurrence, begun at random by `seed`), so that few pictures are enough. Of a
    wave of f cycles per pixel that moves along, exp(-(2 pi f reach_px)^2) of the power survives the average.
    """
    places = (np.random.default_rng(seed).random(2) + index * np.array(EVEN_STEPS)) % 1
    x, y = (NORMAL.inv_cdf(min(max(float(u), 1e-6), 1 - 1e-6)) * reach_px / rate for u in places)
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]) @ np.asarray(pose, dtype=np.float64)


def average(
    network: Any,
    ws: torch.Tensor,
    *,
    num: int = 64,
    jitter: Jitter | None = None,
    conditions: Mapping[str, Any] | None = None,
    neighbour: Callable[[int], torch.Tensor] | None = None,
    pose: Callable[[int], Any] | None = None,
    stop: Stop | None = None,
) -> Iterator[Average | None]:
    """Yields an Average after every picture, and None whenever `stop()` interrupts; end it by not asking for the next.

    `conditions` are further arguments of `Generator.synthesize` (pose, noise, learned_pose, ...); a learned_pose given
    there is kept. `neighbour(index)` gives the latents [1, num_ws, w_dim] of another neighbourhood than that of `jittered`,
    `pose(index)` a pose for each picture.
    """
    import torch

    jitter = jitter or Jitter()
    conditions = dict(conditions or {})
    if jitter.hold_pose and network.has_pose and conditions.get("learned_pose") is None:
        conditions["learned_pose"] = tuple(network.learned_pose(ws[:, 0])[0].tolist())
    detail = DetailKept(independent=pose is None)
    for index in range(num):
        with torch.inference_mode():
            latents = jittered(network, ws, index, jitter) if neighbour is None else neighbour(index)
        posed = conditions if pose is None else {**conditions, "pose": pose(index)}
        picture = (yield from synthesized(network, latents, stop, **posed))[0]
        with torch.inference_mode():
            detail.add(picture)
        yield Average(index + 1, num, detail.moments.mean, detail.moments.variance, detail, picture)
