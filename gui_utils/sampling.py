"""Which samples make a screen pixel, and with what weight: the filter tables that the shader and its numpy twin share.

A picture is shown by two one-dimensional passes. For each axis a table lists, for every destination pixel, the first source
sample and the weights of the samples from there on. Enlarging uses the kernel that was asked for; reducing always uses
Lanczos-4, stretched by the factor of reduction times 1.2. Its response falls from 1 at 0.31 cycles per screen pixel to 0 at 0.52, so
what the screen cannot hold (above 0.5) is removed instead of aliased. (Without the 1.2 the fall would be centred on 0.5, as is common,
and half of what lies just above would come back as moiré.) At 1:1 and on the pixel grid nothing is filtered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MAGNIFY = ("nearest", "bicubic", "lanczos")
MAX_TAPS = 1000  # per axis; reached only when 100 or more samples fall on one pixel
REDUCE_LOBES, REDUCE_STRETCH = 4, 1.2


@dataclass(frozen=True, eq=False)
class AxisTable:
    """Filter of one axis. Destination pixel `j` is the sum over `k` of `weights[j, k] * source[clamp(start[j] + k)]`.

    weights: float32 [dst, taps], each row sums to 1.   core: bool [dst, taps], samples that lie in the pixel itself (a value
    that is not finite marks the pixel only through these).   coverage: float32 [dst], the part of the pixel that lies inside
    the picture.   first, last: the source samples that are read, [first, last).
    """

    start: np.ndarray
    weights: np.ndarray
    core: np.ndarray
    coverage: np.ndarray
    first: int
    last: int

    def texels(self) -> np.ndarray:
        """The table as a float32 [dst, 1 + taps, 2] texture: (start, coverage), then (weight, core) for each tap."""
        head = np.stack([self.start.astype(np.float32), self.coverage], axis=-1)[:, None, :]
        return np.ascontiguousarray(np.concatenate([head, np.stack([self.weights, self.core], axis=-1)], axis=1, dtype=np.float32))


def lanczos(x: np.ndarray, lobes: int = 3) -> np.ndarray:
    """sinc(x) sinc(x / lobes) for |x| < lobes, else 0."""
    return np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)


def catmull_rom(x: np.ndarray) -> np.ndarray:
    """The interpolating cubic of Catmull and Rom (Keys, a = -1/2), support 2."""
    x = np.abs(x)
    return np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0.0))


@lru_cache(maxsize=64)
def axis_table(source_length: int, low: float, high: float, pixels: int, magnify: str = "lanczos") -> AxisTable:
    """The filter that shows source samples [low, high) on `pixels` pixels; sample i covers [i, i + 1).

    `low` and `high` may be fractional and lie outside the picture. magnify: "nearest", "bicubic" (Catmull-Rom) or "lanczos".
    """
    if magnify not in MAGNIFY:
        raise ValueError(f"magnify is {magnify!r}; one of {', '.join(MAGNIFY)} is expected")
    if not (high > low and pixels > 0 and source_length > 0):
        raise ValueError(f"cannot show samples {low} to {high} of {source_length} on {pixels} pixels")
    step = (high - low) / pixels  # source samples per pixel
    edges = low + step * np.arange(pixels + 1, dtype=np.float64)
    centers = (edges[:-1] + edges[1:]) / 2
    coverage = np.clip(np.minimum(edges[1:], source_length) - np.maximum(edges[:-1], 0), 0, step) / step
    start, weights, core = _taps(centers, step, magnify)
    inside = coverage > 0
    reach = np.clip(np.array([start[inside].min(), start[inside].max() + weights.shape[1]]) if inside.any() else [0, 1], 0, source_length)
    first = int(min(reach[0], source_length - 1))
    return AxisTable(start, weights.astype(np.float32), core, coverage.astype(np.float32), first, int(max(reach[1], first + 1)))


def _taps(centers: np.ndarray, step: float, magnify: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(start, weights, core) for pixel centres in samples, `step` samples apart."""
    if step > 1 + 1e-9:
        stretch, radius = step * REDUCE_STRETCH, step * REDUCE_STRETCH * REDUCE_LOBES
    elif magnify == "nearest":
        return np.floor(centers).astype(np.int64), np.ones((len(centers), 1)), np.ones((len(centers), 1), bool)
    else:
        stretch, radius = 1.0, 2 if magnify == "bicubic" else 3
    taps = min(int(np.ceil(2 * radius)) + 1, MAX_TAPS)
    start = np.ceil(centers - 0.5 - taps / 2).astype(np.int64)
    distance = start[:, None] + np.arange(taps) + 0.5 - centers[:, None]
    weights = catmull_rom(distance) if radius == 2 else lanczos(distance / stretch, round(radius / stretch))
    weights[np.abs(weights) < 1e-7] = 0  # samples hit exactly: sinc of a whole number is not quite zero
    core = np.abs(distance) <= 0.5 * max(1.0, step) + 1e-9
    used = np.flatnonzero((weights != 0).any(axis=0) | core.any(axis=0))
    keep = slice(used[0], used[-1] + 1)  # one tap is left at 1:1
    return start + used[0], weights[:, keep] / weights.sum(axis=1, keepdims=True), core[:, keep]
