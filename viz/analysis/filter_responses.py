"""What the low-pass filters of a network do: their taps, their response over frequency, and the design they follow.

Pure numbers from a layer's specification and the taps that the network really holds; numpy only. Frequencies are in cycles per
image width, positions in samples of the filter's lower rate, as in figure 4a of the paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from networks.filters import Lowpass, kaiser_attenuation_db, kaiser_beta
from networks.spec import LayerSpec

Array = npt.NDArray[np.float64]

FREQUENCIES = 513  # of a response, from 0 to half the filter's rate
PLANE = 129  # samples along each axis of a response in two dimensions; odd, so that 0 is one of them
FLOOR_DB = -140.0


@dataclass(frozen=True, eq=False)
class FilterResponse:
    """One filter: what it was asked to do, what it is, and what it does.

    `taps` [T] or [T, T]; `axis_db` and `diagonal_db` are the response at `frequency`, along an axis and at 45 degrees (in two
    dimensions also where the filter is separable); `plane_db` [PLANE, PLANE] spans +-half the rate on both axes. `deviation` is the
    largest difference from the designed taps, as a part of the largest tap.
    """

    lowpass: Lowpass
    taps: Array
    frequency: Array
    axis_db: Array
    diagonal_db: Array
    plane_db: Array
    deviation: float

    @property
    def stopband(self) -> float:
        """Where the transition ends: f_c + f_h."""
        return self.lowpass.cutoff + self.lowpass.half_width

    @property
    def profile(self) -> Array:
        """The taps along one axis: the middle of a radial filter, summed over the other axis as a horizontal wave sees it."""
        return self.taps if self.taps.ndim == 1 else self.taps.sum(axis=0)

    @property
    def attenuation_db(self) -> float | None:
        """How far the worst frequency beyond f_c + f_h along an axis lies below the gain at 0; None where none is beyond."""
        beyond = self.axis_db[self.frequency >= self.stopband]
        return float(self.axis_db[0] - max(beyond.max(), self._gain_db(self.stopband))) if len(beyond) else None

    @property
    def at_cutoff_db(self) -> float:
        """The gain at f_c; a half, -6 dB, by design."""
        return self._gain_db(self.lowpass.cutoff)

    def _gain_db(self, frequency: float) -> float:
        """Between the samples of the response, too: the worst of a stopband is often at its very edge."""
        return float(decibels(axis_response(self.profile, np.array([frequency]), self.lowpass.sampling_rate))[0])


@dataclass(frozen=True, eq=False)
class LayerFilters:
    """A layer's two filters; None where the rate stays the same and there is no filter, or where `pool` says what stands in its place."""

    spec: LayerSpec
    up: FilterResponse | None
    down: FilterResponse | None
    pool: str = ""


@dataclass(frozen=True, eq=False)
class FlexibleLayers:
    """Figure 4c: over the layers, the cutoff f_c, the stopband asked for f_t, the one the filter has f_c + f_h, and the rate s."""

    names: tuple[str, ...]
    cutoff: Array
    stopband: Array
    filter_stopband: Array
    sampling_rate: Array


def response_of(lowpass: Lowpass, taps: Array, designed: Array | None) -> FilterResponse:
    """The response of these taps, [T] or [T, T], at `lowpass.sampling_rate`; `designed` is what they are compared with."""
    rate = lowpass.sampling_rate
    frequency = np.linspace(0.0, rate / 2, FREQUENCIES)
    plane = taps if taps.ndim == 2 else np.outer(taps, taps)
    sideways = np.cos(2 * np.pi * np.outer(frequency / math.sqrt(2), _times(len(taps), rate)))
    diagonal = np.einsum("ft,tu,fu->f", sideways, plane, sideways, optimize=True)
    edge = np.linspace(-rate / 2, rate / 2, PLANE)
    gains = axis_response(plane.sum(axis=0), frequency, rate), diagonal, plane_response(plane, edge, edge, rate)
    same_shape = designed is not None and designed.shape == taps.shape
    deviation = float(np.abs(taps - designed).max() / np.abs(designed).max()) if same_shape and designed is not None else math.inf
    axis, diagonal, plane = map(decibels, gains)
    return FilterResponse(lowpass, taps, frequency, axis, diagonal, plane, deviation)


def axis_response(taps: Array, frequency: Array, sampling_rate: float) -> Array:
    """The real gain [F] of symmetric taps [T] at these frequencies: the sum of taps times cos(2 pi f t)."""
    return np.cos(2 * np.pi * np.outer(frequency, _times(len(taps), sampling_rate))) @ taps


def plane_response(taps: Array, right: Array, up: Array, sampling_rate: float) -> Array:
    """The real gain [up, right] of taps [T, T], symmetric on both axes, at each pair of frequencies."""
    t = _times(len(taps), sampling_rate)
    columns, rows = (np.cos(2 * np.pi * np.outer(f, t)) for f in (right, up))
    return rows @ taps @ columns.T


def decibels(gain: Array) -> Array:
    """20 log10 of the gain's magnitude, no lower than `FLOOR_DB`."""
    return 20 * np.log10(np.maximum(np.abs(gain), 10 ** (FLOOR_DB / 20)))


def designed_db(lowpass: Lowpass) -> tuple[float | None, float | None]:
    """The attenuation that Kaiser's formula promises, and the window's beta; None for designs without that window."""
    if lowpass.window != "kaiser":
        return None, None
    attenuation = kaiser_attenuation_db(lowpass)
    return attenuation, kaiser_beta(attenuation)


def flexible_layers(specs: Iterable[LayerSpec]) -> FlexibleLayers:
    """The curves of figure 4c for the layers L0 to LN."""
    rows = [(s.out_cutoff, s.out_stopband, s.out_cutoff + s.out_half_width, s.out_sampling_rate, s.name) for s in specs]
    numbers = [np.array([row[i] for row in rows], dtype=np.float64) for i in range(4)]
    return FlexibleLayers(tuple(row[4] for row in rows), *numbers)


def _times(taps: int, sampling_rate: float) -> Array:
    """Where the taps lie, in image widths around their middle."""
    return (np.arange(taps, dtype=np.float64) - (taps - 1) / 2) / sampling_rate
