"""Low-pass filters of the up- and downsampling steps: designed once in float64, stored as float32 buffers.

A filter belongs to a change of rate by an integer `factor`, between `sampling_rate / factor` (the lower rate) and
`sampling_rate` (the temporary rate of a filtered nonlinearity, at which the filter runs). Rates and frequencies are in
cycles per image width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Taps = npt.NDArray[np.float64]

LANCZOS_A = 2.0  # lobes, in samples of the lower rate (ablation of the paper, appendix)
GAUSSIAN_SIGMA = 0.4  # standard deviation, in samples of the lower rate (ditto)


@dataclass(frozen=True)
class Lowpass:
    """What a low-pass filter is asked to do.

    `support` is its extent in samples of the lower rate (n of the paper), `cutoff` the frequency f_c where it has fallen
    to one half, `half_width` the half width f_h of the transition around it, `radial` asks for radial symmetry, and
    `window` names the design: one of `DESIGNS`.
    """

    support: int
    factor: int
    cutoff: float
    half_width: float
    sampling_rate: float
    radial: bool = False
    window: str = "kaiser"

    @property
    def taps(self) -> int:
        """Number of taps along one axis."""
        return self.support * self.factor

    def positions(self) -> Taps:
        """Where the taps lie, in samples of the lower rate, symmetric around 0."""
        return (np.arange(self.taps) - (self.taps - 1) / 2) / self.factor


def design(lowpass: Lowpass) -> Taps | None:
    """The taps of a filter: [taps] for a separable one, [taps, taps] for a radial one, None where the rate stays.

    The sum of the taps is 1. Raises ValueError for a window that does not exist or a band that cannot be kept.
    """
    if lowpass.window not in DESIGNS:
        raise ValueError(f"window must be one of {', '.join(DESIGNS)}, not {lowpass.window!r}")
    if lowpass.factor == 1:
        return None
    if not 0 < lowpass.cutoff < lowpass.sampling_rate / 2:
        raise ValueError(f"cutoff {lowpass.cutoff:g} must lie between 0 and half the sampling rate, {lowpass.sampling_rate / 2:g}")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        taps = DESIGNS[lowpass.window](lowpass)
        taps = taps / taps.sum()
    if not np.isfinite(taps).all():
        raise ValueError(f"no filter of {lowpass.taps} taps has a transition of {2 * lowpass.half_width:g} around {lowpass.cutoff:g}")
    return taps


def _kaiser(lowpass: Lowpass) -> Taps:
    return _jinc(lowpass) if lowpass.radial else _sinc(lowpass)


def _sinc(lowpass: Lowpass) -> Taps:
    """Kaiser-windowed sinc, 2 f_c sinc(2 f_c t) w(t), with the window of the taps and the width 2 f_h (section 3)."""
    cutoff = 2 * lowpass.cutoff / lowpass.sampling_rate
    return cutoff * np.sinc(cutoff * lowpass.positions() * lowpass.factor) * _window(lowpass)


def _jinc(lowpass: Lowpass) -> Taps:
    """The radial counterpart, J1(2 pi f_c r) / (pi r), times the outer product of the same Kaiser window (section 3)."""
    t = lowpass.positions() * lowpass.factor / lowpass.sampling_rate
    radius = np.hypot(t[:, None], t[None, :])
    at_centre = radius == 0
    safe = np.where(at_centre, 1.0, radius)
    window = _window(lowpass)
    return np.where(at_centre, lowpass.cutoff, _bessel_j1(2 * np.pi * lowpass.cutoff * safe) / (np.pi * safe)) * np.outer(window, window)


def _bessel_j1(x: Taps) -> Taps:
    """J1 as Bessel's integral, the mean of cos(angle - x sin angle) over a turn: evenly spaced angles are exact to float64's last digits.

    Not torch's, which is off by 5e-7 beyond x = 5, and not scipy's, which would add half a second to every start.
    """
    count = 64 + 2 * int(x.max())
    angle = np.arange(count) * (2 * np.pi / count)
    return np.cos(angle - x[..., None] * np.sin(angle)).mean(axis=-1)


def _window(lowpass: Lowpass) -> Taps:
    """The symmetric Kaiser window whose beta gives the attenuation that the taps and the width 2 f_h allow (Kaiser 1974)."""
    return np.kaiser(lowpass.taps, kaiser_beta(kaiser_attenuation_db(lowpass)))


def kaiser_attenuation_db(lowpass: Lowpass) -> float:
    """The stopband attenuation that this many taps and a transition of width 2 f_h allow (Kaiser 1974)."""
    width = 2 * lowpass.half_width / (lowpass.sampling_rate / 2)  # as a share of the Nyquist frequency
    return 2.285 * (lowpass.taps - 1) * np.pi * width + 7.95


def kaiser_beta(attenuation_db: float) -> float:
    """Shape parameter of the Kaiser window for a stopband attenuation (Kaiser 1974, equations for beta)."""
    if attenuation_db > 50:
        return 0.1102 * (attenuation_db - 8.7)
    if attenuation_db > 21:
        return 0.5842 * (attenuation_db - 21) ** 0.4 + 0.07886 * (attenuation_db - 21)
    return 0.0


def _lanczos(lowpass: Lowpass) -> Taps:
    """sinc(x) sinc(x / a) within a = 2 lobes. Always separable: the ablation has no radial form, which is what it costs R."""
    x = lowpass.positions()
    return np.where(np.abs(x) < LANCZOS_A, np.sinc(x) * np.sinc(x / LANCZOS_A), 0.0)


def _gaussian(lowpass: Lowpass) -> Taps:
    """exp(-x^2 / 2 sigma^2), sigma = 0.4; separable and radial at once."""
    return np.exp(-0.5 * np.square(lowpass.positions() / GAUSSIAN_SIGMA))


def _bilinear(lowpass: Lowpass) -> Taps:
    """The triangle of linear interpolation: a naive filter, to show what aliasing does."""
    return np.maximum(1 - np.abs(lowpass.positions()), 0.0)


def _nearest(lowpass: Lowpass) -> Taps:
    """The box of nearest-neighbour interpolation: the most naive filter."""
    return np.where(np.abs(lowpass.positions()) < 0.5, 1.0, 0.0)


DESIGNS = {"kaiser": _kaiser, "lanczos": _lanczos, "gaussian": _gaussian, "bilinear": _bilinear, "nearest": _nearest}
