"""The groups of the view that set others in motion: which animations run, and how fast."""

from __future__ import annotations

from dataclasses import dataclass

from viz.groups.groups import ranged


@dataclass(frozen=True)
class LatentMotion:
    """Walks to the right through the seeds; with a `radius`, on a circle around the nearest seed."""

    on: bool = False
    seeds_per_s: float = ranged(0.25, -100, 100)
    radius: float = ranged(0.0, 0, 0.45)


@dataclass(frozen=True)
class MixingMotion:
    on: bool = False
    seeds_per_s: float = ranged(2.0, 0, 240)
    phase: float = ranged(0.0, 0, 1)  # how far the next seed has come


@dataclass(frozen=True)
class NoiseMotion:
    on: bool = False
    seeds_per_s: float = ranged(10.0, 0, 240)
    phase: float = ranged(0.0, 0, 1)


@dataclass(frozen=True)
class TranslateMotion:
    """Spirals onto a circle around the origin; its radius is in image widths."""

    on: bool = False
    widths_per_s: float = ranged(0.01, 0, 10)
    radius: float = ranged(0.1, 0, 4)


@dataclass(frozen=True)
class RotateMotion:
    on: bool = False
    turns_per_s: float = ranged(0.005, -10, 10)
