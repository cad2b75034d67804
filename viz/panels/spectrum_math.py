"""What the spectrum panel draws, as arrays: the map in dB, its colours, and the mean over circles. numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gui_utils.tone import colormap_table
from viz.request import SpectrumResult
from viz.state import SpectrumView

FLOOR = 1e-30  # relative power below which there is nothing to show: -300 dB


@dataclass(frozen=True, eq=False)
class Map:
    """db: float32 [h, w], each cell the mean power of `cell` x `cell` bins (fewer at the end).

    Ranges in cycles per image; frequencies of y count downwards like rows, `up` is their range on an axis that goes up.
    """

    db: np.ndarray
    x: tuple[float, float]
    y: tuple[float, float]
    cell: int

    @property
    def up(self) -> tuple[float, float]:
        return -self.y[1], -self.y[0]

    def at(self, fx: float, fy: float) -> float | None:
        """dB of the cell at a frequency; None outside the map."""
        height, width = self.db.shape
        column = int((fx - self.x[0]) / (self.x[1] - self.x[0]) * width) if fx >= self.x[0] else -1
        row = int((fy - self.y[0]) / (self.y[1] - self.y[0]) * height) if fy >= self.y[0] else -1
        return float(self.db[row, column]) if 0 <= row < height and 0 <= column < width else None


def reference(spectrum: SpectrumResult, view: SpectrumView) -> float:
    """The power at 0 dB."""
    return 1.0 if view.absolute else max(spectrum.mean_power, FLOOR)


def decibels(power: np.ndarray, reference: float) -> np.ndarray:
    """10 log10(power / reference), not below -300 dB."""
    return 10 * np.log10(np.maximum(power / reference, FLOOR))


def make_map(spectrum: SpectrumResult, view: SpectrumView, most_cells: int) -> Map:
    """The spectrum with at most `most_cells` cells a side. Bins are averaged, not left out, so that no line vanishes."""
    height, width = spectrum.power.shape
    cell = max(1, -(-max(height, width) // max(1, most_cells)))
    power = pooled(spectrum.power, cell)
    step = float(spectrum.axis[1] - spectrum.axis[0]) if len(spectrum.axis) > 1 else 1.0
    left = float(spectrum.axis[0]) - step / 2
    db = decibels(power, reference(spectrum, view)).astype(np.float32)
    height, width = (n * cell for n in db.shape)  # all cells are drawn alike, also the last ones where they hold fewer bins
    return Map(db, (left, left + width * step), (left, left + height * step), cell)


def pooled(power: np.ndarray, cell: int) -> np.ndarray:
    """Means over cells of `cell` x `cell`; the last row and column of cells may be smaller."""
    if cell == 1:
        return power
    return _pooled_rows(_pooled_rows(power, cell).T, cell).T


def _pooled_rows(power: np.ndarray, cell: int) -> np.ndarray:
    """Means over `cell` rows each: sums of strided slices, many times faster than `reduceat` along short groups."""
    starts = range(0, len(power), cell)
    sums = power[::cell].copy()
    for i in range(1, cell):
        part = power[i::cell]
        sums[: len(part)] += part
    counts = np.array([min(cell, len(power) - start) for start in starts], power.dtype)
    return sums / counts[:, None]


def colors(db: np.ndarray, range_db: float, colormap: str) -> np.ndarray:
    """uint8 [h, w, 3]: the colormap's position is (dB / range + 1) / 2, so 0 dB has its middle colour; what is no number, its first."""
    position = np.nan_to_num(np.clip((db / range_db + 1) * (255 / 2) + 0.5, 0, 255), nan=0.0).astype(np.uint8)
    return _bytes_of(colormap)[position]


@lru_cache(maxsize=8)
def _bytes_of(colormap: str) -> np.ndarray:
    """256 colours, uint8 [256, 3]."""
    table = colormap_table(colormap)
    at = np.linspace(0, len(table) - 1, 256)
    low = np.minimum(at.astype(int), len(table) - 2)
    return np.floor((table[low] + (at - low)[:, None] * (table[low + 1] - table[low])) * 255 + 0.5).astype(np.uint8)


def radial_profile(spectrum: SpectrumResult) -> tuple[np.ndarray, np.ndarray]:
    """Radii in cycles per image, one bin apart, up to the Nyquist frequency, and the mean power over each circle."""
    step = float(spectrum.axis[1] - spectrum.axis[0]) if len(spectrum.axis) > 1 else 1.0
    rows = len(spectrum.power) // 2 + 1  # the spectrum of real values is the same on the other side of the centre
    ring, counts = _rings((rows, spectrum.power.shape[1]), float(spectrum.axis[0]) / step)
    sums = np.bincount(ring, weights=spectrum.power[:rows].ravel(), minlength=len(counts))
    last = int(max(abs(spectrum.axis[0]), abs(spectrum.axis[-1])) / step + 0.5)
    radii = np.arange(last + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums[: last + 1] / counts[: last + 1]
    return radii * step, means


@lru_cache(maxsize=4)
def _rings(shape: tuple[int, int], first: float) -> tuple[np.ndarray, np.ndarray]:
    """For each bin the number of its circle, and how many bins each circle has. `first`: frequency of column 0, in bins."""
    fx, fy = np.arange(shape[1]) + first, np.arange(shape[0]) + first
    ring = np.floor(np.hypot(fx, fy[:, None]) + 0.5).astype(np.int64).ravel()
    return ring, np.bincount(ring)
