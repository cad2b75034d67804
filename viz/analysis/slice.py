"""The x-t slice: the same short line of pixels from every frame, side by side; and how much of it is stuck.

Figure 1 (right) of Karras et al. 2021: position along one axis, time along the other. Moving hair draws wavy strands,
stuck hair straight horizontal streaks. numpy only; positions are in image widths, the origin at the image's centre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from viz.analysis.sticking import share_kept

FINE = 1 / 8  # of the sampling rate, in cycles per image: what counts as detail
ENOUGH = 8  # lines before a score says anything
NO_LENGTH = "The line ends where it begins: drag one of its ends away."


@dataclass(frozen=True)
class ScanLine:
    """From (x0, y0) to (x1, y1), read at a pixel's distance. The default is a vertical segment around the centre."""

    x0: float = 0.0
    y0: float = -0.15
    x1: float = 0.0
    y1: float = 0.15

    @property
    def length(self) -> float:
        """In image widths."""
        return math.hypot(self.x1 - self.x0, self.y1 - self.y0)

    def parts(self, rate: float) -> np.ndarray:
        """Where it is read, as parts of its length [n]: once a sample, of so many per image width."""
        count = max(2, round(self.length * rate))
        return (np.arange(count) + 0.5) / count

    def at(self, part: float | np.ndarray) -> tuple[Any, Any]:
        """The place (x, y) at a part of its length."""
        return self.x0 + (self.x1 - self.x0) * part, self.y0 + (self.y1 - self.y0) * part

    def nearest(self, x: float, y: float) -> float:
        """The part of its length, from 0 to 1, at its point that is nearest to a place."""
        dx, dy = self.x1 - self.x0, self.y1 - self.y0
        return min(max(((x - self.x0) * dx + (y - self.y0) * dy) / max(dx * dx + dy * dy, 1e-30), 0.0), 1.0)

    def read(self, picture: np.ndarray, *, sampling_rate: float | None = None) -> np.ndarray:
        """Values [n, C] along the line, one a pixel, of a picture [H, W, C] (bilinear; the border is continued).

        `sampling_rate`: samples per image width of a layer with margins, None for a picture without.
        """
        height, width = picture.shape[:2]
        rate = float(width if sampling_rate is None else sampling_rate)
        x, y = self.at(self.parts(rate))
        x, y = np.clip(x * rate + width / 2 - 0.5, 0, width - 1), np.clip(y * rate + height / 2 - 0.5, 0, height - 1)
        column, row = (np.minimum(p.astype(np.intp), max(0, n - 2)) for p, n in ((x, width), (y, height)))
        right, below = np.minimum(column + 1, width - 1), np.minimum(row + 1, height - 1)
        fx, fy = (x - column)[:, None], (y - row)[:, None]
        upper = picture[row, column] * (1 - fx) + picture[row, right] * fx
        lower = picture[below, column] * (1 - fx) + picture[below, right] * fx
        return (upper * (1 - fy) + lower * fy).astype(np.float32)


class SliceStrip:
    """The last `capacity` lines, oldest first. A line of another length (another network, another line) starts afresh."""

    def __init__(self, capacity: int = 512) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; at least 1 is expected")
        self.capacity = capacity
        self._lines: np.ndarray | None = None
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, self.capacity)

    def push(self, line: np.ndarray) -> None:
        """Adds a line [n, C]."""
        if self._lines is None or self._lines.shape[1:] != line.shape:
            self._lines = np.zeros((self.capacity, *line.shape), dtype=np.float32)
            self._count = 0
        self._lines[self._count % self.capacity] = line
        self._count += 1

    def clear(self) -> None:
        self._lines, self._count = None, 0

    def picture(self) -> np.ndarray:
        """[n, time, C]: position down, time to the right. Empty before the first line."""
        if self._lines is None:
            return np.zeros((0, 0, 1), dtype=np.float32)
        newest = self._count % self.capacity if self._count > self.capacity else 0
        ordered = np.concatenate([self._lines[newest : len(self)], self._lines[:newest]])
        return np.ascontiguousarray(ordered.transpose(1, 0, 2))

    def score(self, length: float, rate: float) -> float | None:
        """The share of detail that stands still, of a line this long (in image widths) with so many samples per image width."""
        if len(self) < ENOUGH or length <= 0:
            return None
        return streak_score(self.picture(), length=length, low=FINE * rate)


def streak_score(strip: np.ndarray, *, length: float, low: float, high: float = math.inf) -> float | None:
    """How much of the detail in a slice [n, time, C] stands still: 1 for straight horizontal streaks, 0 for strands that move.

    The share of power that the lines of all times have in common (`share_kept`), in the band from `low` to `high` cycles
    per image along the line, which is `length` image widths long. The line is windowed (Hann), so that its ends do not
    count. Says something once the picture has moved by more than one period of `low`; None before two lines, or where
    the band has no power.
    """
    samples, count = strip.shape[:2]
    if samples < 2 or count < 2:
        return None
    window = np.hanning(samples + 2)[1:-1, None, None]
    detail = np.fft.rfft((strip - strip.mean(axis=0)) * window, axis=0)
    frequency = np.arange(len(detail)) / length
    detail = detail[(frequency >= low) & (frequency < high)]
    power_of_mean = float((np.abs(detail.mean(axis=1)) ** 2).sum())
    mean_power = float((np.abs(detail) ** 2).sum()) / count
    return share_kept(power_of_mean, mean_power, count)
