"""Power spectra of pictures and layers: one view, profiles, shares of energy, band filters.

Frequencies are in cycles per image (per image width): a tensor of `n` samples of a layer with sampling rate `s` has the
frequencies `k s / n`, up to `s / 2`, whatever its margin.

A `Spectrum` holds absolute power per bin: the mean of the squared (windowed) signal that the bin accounts for, summed
over channels, so that all bins together are the signal's variance, in squared units of the signal. Spectra of
different sizes are compared by `density`: power per squared cycle per image.

Window functions: Kaiser, symmetric.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

ON_A_BIN = 1e-6  # of a frequency: a bin this near is at it; float32 rounds bins by a tenth of that
FLOOR = 1e-30  # of the reference; what is below (an all-black layer) is shown as -300 dB
Shape = Literal["disc", "square"]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Centred power spectrum. power [H, W] float32 on the device of the input; fx [W] and fy [H] in cycles per image, ascending."""

    power: torch.Tensor
    fx: torch.Tensor
    fy: torch.Tensor

    @property
    def bin_area(self) -> float:
        """Squared cycles per image that one bin covers."""
        return float((self.fx[1] - self.fx[0]) * (self.fy[1] - self.fy[0])) if min(self.power.shape) > 1 else 1.0

    @property
    def density(self) -> torch.Tensor:
        """Power per squared cycle per image: comparable between layers and networks."""
        return self.power / self.bin_area

    @property
    def radius(self) -> torch.Tensor:
        """Distance of each bin from zero frequency [H, W], in cycles per image."""
        return torch.hypot(self.fx, self.fy[:, None])

    def db(self, *, absolute: bool = False) -> torch.Tensor:
        """In dB, relative to the mean over all bins; `absolute`: relative to 1 squared unit of the signal per bin."""
        return decibels(self.power, 1.0 if absolute else float(self.power.mean()))


def decibels(power: torch.Tensor, reference: float = 1.0) -> torch.Tensor:
    """10 log10(power / reference), not below -300 dB."""
    return 10 * (power / max(reference, FLOOR)).clamp_min(FLOOR).log10()


# ----------------------------------------------------------------------------------------------------------- one view


def view_spectrum(
    x: torch.Tensor,
    beta: float = 8.0,
    *,
    sampling_rate: float | None = None,
    crop_margin: bool = False,
) -> Spectrum:
    """Spectrum of one picture or layer x [C, H, W] (or [H, W]): each channel's mean removed, separable Kaiser window.

    `sampling_rate`: samples per image width, None for a picture without margins. `crop_margin` leaves out the margin,
    which holds what the layers after this one will crop. Raises ValueError for another number of dimensions.
    """
    x = _channels(x)
    rate = float(x.shape[-1] if sampling_rate is None else sampling_rate)
    if crop_margin:
        x = cropped_to_image(x, rate)
    height, width = x.shape[-2:]
    window = kaiser(height, beta, like=x)[:, None] * kaiser(width, beta, like=x)
    x = (x - x.mean(dim=(-2, -1), keepdim=True)) * window
    power = torch.view_as_real(torch.fft.fft2(x)).square().sum(dim=(0, -1))
    power = torch.fft.fftshift(power) / (height * width * float(window.square().sum()))
    return Spectrum(power, frequencies(width, rate, like=x), frequencies(height, rate, like=x))


def cropped_to_image(x: torch.Tensor, sampling_rate: float) -> torch.Tensor:
    """The samples of a layer [..., H, W] whose centres lie within the image: its margins cut off."""
    ends = (((n - sampling_rate) / 2, (n + sampling_rate) / 2, n) for n in x.shape[-2:])
    rows, columns = (slice(max(0, round(low)), min(n, round(high))) for low, high, n in ends)
    return x[..., rows, columns]


def kaiser(size: int, beta: float, *, like: torch.Tensor) -> torch.Tensor:
    """Symmetric Kaiser window [size]; beta = 0 is a rectangle."""
    return torch.kaiser_window(size, periodic=False, beta=beta, dtype=like.dtype, device=like.device)


def frequencies(size: int, sampling_rate: float, *, like: torch.Tensor) -> torch.Tensor:
    """Frequencies [size] of a centred spectrum, in cycles per image."""
    return torch.fft.fftshift(torch.fft.fftfreq(size, 1 / sampling_rate, dtype=like.dtype, device=like.device))


# -------------------------------------------------------------------------------------------- profiles and shares


def radial_profile(spectrum: Spectrum, bins: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Frequencies [n] and mean power [n] over rings of equal width, up to the nearer edge of the spectrum.

    Without `bins`, one ring for each pair of columns. Rings without a bin hold nan.
    """
    limit = float(min(-spectrum.fx[0], -spectrum.fy[0]))
    bins = bins or max(1, min(spectrum.power.shape) // 2)
    ring = (spectrum.radius / limit * bins).long()
    inside = ring < bins
    total = torch.zeros(bins, dtype=torch.float64).index_add_(0, ring[inside].cpu(), spectrum.power[inside].cpu().double())
    count = torch.bincount(ring[inside].cpu(), minlength=bins)
    return (torch.arange(bins) + 0.5) * (limit / bins), (total / count).to(spectrum.power.dtype)


def slice_at(spectrum: Spectrum, angle_turns: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Frequencies [n] and power [n] from zero outwards in one direction: 0 along x, 1/8 the diagonal, 1/4 along y.

    Samples are one column apart (along the axes and the diagonal: exactly the bins), the nearest bin is read.
    Raises ValueError for any other angle, which would need interpolation.
    """
    steps = {0.0: (1, 0), 0.125: (1, 1), 0.25: (0, 1), 0.375: (-1, 1)}
    if angle_turns not in steps:
        raise ValueError(f"angle is {angle_turns} turns; 0, 1/8, 1/4 or 3/8 is expected")
    dx, dy = steps[angle_turns]
    height, width = spectrum.power.shape
    row, column = height // 2, width // 2
    count = min([(n + 1) // 2 for n, d in ((width, dx), (height, dy)) if d])
    k = torch.arange(count, device=spectrum.power.device)
    rows, columns = row + dy * k, column + dx * k
    return torch.hypot(spectrum.fx[columns], spectrum.fy[rows]), spectrum.power[rows, columns]


def share_above(spectrum: Spectrum, frequency: float, *, shape: Shape = "disc") -> float:
    """Share (0 to 1) of all power that lies beyond `frequency` in cycles per image; nan where there is no power.

    "disc": beyond that radius (radially symmetric filters, config R); "square": beyond it along x or y (separable
    filters, config T). Power at the frequency itself counts as inside, however its bin was rounded: cutoffs often lie on bins.
    """
    fx, fy = spectrum.fx.abs(), spectrum.fy.abs()[:, None]
    distance = torch.hypot(fx, fy) if shape == "disc" else torch.maximum(fx, fy)
    power = spectrum.power.double() if spectrum.power.device.type != "mps" else spectrum.power
    total = float(power.sum())
    return float(power[distance > frequency * (1 + ON_A_BIN)].sum()) / total if total > 0 else math.nan


# ----------------------------------------------------------------------------------------------------------- bands


@dataclass(frozen=True)
class Band:
    """A ring of frequencies in cycles per image; `softness` is the width of its edges as a part of their frequency."""

    low: float = 0.0
    high: float = math.inf
    softness: float = 0.25

    def response(self, radius: torch.Tensor) -> torch.Tensor:
        """Gain at each radius: raised cosines over log frequency, half way at `low` and `high`. Adjacent bands sum to 1."""
        return self._above(radius, self.low) * (1 - self._above(radius, self.high))

    def _above(self, radius: torch.Tensor, edge: float) -> torch.Tensor:
        if edge <= 0:
            return torch.ones_like(radius)
        if math.isinf(edge):
            return torch.zeros_like(radius)
        if self.softness <= 0:
            return (radius >= edge).to(radius.dtype)
        position = (radius / edge).clamp_min(1e-12).log() / math.log1p(self.softness)  # -1/2 to 1/2 over the edge
        return 0.5 + 0.5 * torch.sin(math.pi * position.clamp(-0.5, 0.5))


def band_filter(x: torch.Tensor, band: Band, *, sampling_rate: float | None = None, mirror: bool = True) -> torch.Tensor:
    """x [..., H, W] with only the frequencies of `band` left, by FFT; zero frequency stays only if `band.low` is 0.

    `mirror` continues the tensor by its mirror image, so that its opposite edges, which have nothing to do with one
    another, do not ring; False continues it periodically. `sampling_rate` as in `view_spectrum`.
    """
    x = x if x.dtype == torch.float64 else x.float()
    height, width = x.shape[-2:]
    rate = float(width if sampling_rate is None else sampling_rate)
    if mirror:
        x = torch.cat([x, x.flip(-1)], -1)
        x = torch.cat([x, x.flip(-2)], -2)
    fx = torch.fft.rfftfreq(x.shape[-1], 1 / rate, dtype=x.dtype, device=x.device)
    fy = torch.fft.fftfreq(x.shape[-2], 1 / rate, dtype=x.dtype, device=x.device)
    gain = band.response(torch.hypot(fx, fy[:, None]))
    y = torch.fft.irfft2(torch.fft.rfft2(x) * gain, s=x.shape[-2:])
    return y[..., :height, :width]


def octaves(sampling_rate: float, first: float = 2.0) -> tuple[Band, ...]:
    """Bands that cover everything from `first` cycles per image to the sampling limit, each twice as high as the one before."""
    edges = [first]
    while edges[-1] * 2 < sampling_rate / 2:
        edges.append(edges[-1] * 2)
    return tuple(Band(low, high) for low, high in zip(edges, [*edges[1:], math.inf], strict=True))


def _channels(x: torch.Tensor) -> torch.Tensor:
    if x.ndim not in (2, 3):
        raise ValueError(f"x has shape {tuple(x.shape)}; [C, H, W] or [H, W] is expected")
    x = x if x.ndim == 3 else x[None]
    return x if x.dtype == torch.float64 else x.float()
