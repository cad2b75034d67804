"""Filters for resampling: Lanczos taps of a shift, and the oriented filter that band-limits a warp. numpy only.

The oriented filter limits a picture to the frequencies that both the grid it comes from and the grid it goes to can
hold: two 2-D sincs, one along the axes of each grid, are convolved, and so are the two 2-D Lanczos windows (a = 3) of
those grids; the filter is the product of the two results. Source: Karras et al. 2021, appendix E.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

Linear = tuple[tuple[float, float], tuple[float, float]]

A = 3  # Lanczos window: zero crossings on each side
REACH = 6  # taps at less than this many samples from the centre are kept
SINC_REACH = 64  # samples at which the (endless) sincs are cut before they are convolved: part of the operator's definition


def shift_taps(fraction: float) -> np.ndarray:
    """Correlation taps [2 A] that move a signal right by `fraction` in [0, 1) samples; tap k reads the sample `k - A` away.

    `sinc(d) sinc(d / A)` at the distances d, normalised to sum 1.
    """
    d = A - np.arange(2 * A) - fraction
    taps = np.sinc(d) * np.sinc(d / A)
    return taps / taps.sum()


@lru_cache(maxsize=32)
def oriented_filter(linear: Linear, up: int) -> np.ndarray:
    """Taps [n, n], n = 2 REACH up - 1, of the filter for a warp whose forward linear part is `linear`, on a grid `up` times finer.

    Each of the `up`^2 phases sums to 1, which is the gain wanted after zeros were put between the samples. Symmetric
    about its centre. Cached, because an animation of the latent keeps the pose. The array is read-only.
    """
    kept = np.arange(-REACH * up + 1, REACH * up)
    taps = _convolved_sincs(linear, up, kept) * _convolved_windows(linear, up, kept)
    for row in range(up):
        for column in range(up):
            taps[row::up, column::up] /= taps[row::up, column::up].sum()
    taps.flags.writeable = False
    return taps


def _convolved_sincs(linear: Linear, up: int, kept: np.ndarray) -> np.ndarray:
    """Input-grid sinc * output-grid sinc, at the kept positions only; periodic convolution over 2 SINC_REACH samples.

    The input-grid sinc is a product over x and y, so the convolution is one matrix product from each side.
    """
    reach = SINC_REACH * up - 1
    grid = np.arange(-reach, reach + 1)
    upper = _on_output_axes(_sinc, linear, grid[: reach + 1] / up, grid / up)  # the rest is its mirror image
    output_sinc = np.concatenate([upper, upper[-2::-1, ::-1]])
    distance = kept[:, None] - grid
    distance = (distance + reach) % (2 * reach + 1) - reach
    input_sinc = _sinc(distance / up)
    return input_sinc @ output_sinc @ input_sinc.T


def _convolved_windows(linear: Linear, up: int, kept: np.ndarray) -> np.ndarray:
    reach = kept[-1] + A * up
    grid = np.arange(-reach, reach + 1)
    output_window = _on_output_axes(_window, linear, grid / up, grid / up)
    input_window = _window((kept[:, None] - grid) / up)
    return input_window @ output_window @ input_window.T


def _on_output_axes(profile: Callable[[np.ndarray], np.ndarray], linear: Linear, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """profile(u) profile(v) at the positions (columns, rows) of the input grid, u and v being their output coordinates."""
    (xx, xy), (yx, yy) = linear
    return profile(xx * columns + xy * rows[:, None]) * profile(yx * columns + yy * rows[:, None])


def _sinc(x: np.ndarray) -> np.ndarray:
    y = math.pi * x
    small = np.abs(y) < 1e-9
    y[small] = 1.0
    y = np.sin(y) / y
    y[small] = 1.0
    return y


def _window(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < A, np.sinc(x / A), 0.0)
