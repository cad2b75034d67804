"""Of which strokes an arrow is made, on the canvas and in files alike. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

Point = tuple[float, float]
HEAD_EM, SHORTEST_EM = 0.5, 0.12
BARB = math.cos(0.45), math.sin(0.45)  # how far the barbs stand off


@dataclass(frozen=True)
class Stroke:
    """A line, as wide as `width` in pixels; or a dot of that diameter, where both ends are one. The shadow lies below the others."""

    start: Point
    end: Point
    width: float
    shadow: bool


def arrow(start: Point, end: Point, weight: float, em: float) -> Iterator[Stroke]:
    """In the order in which they are drawn; `weight` is the width in sixteenths of an em. Nothing moved: a dot."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length, unit = math.hypot(dx, dy), em / 16
    if length < SHORTEST_EM * em:
        yield Stroke(start, start, 2 * (weight + 2.5) * unit, shadow=True)
        yield Stroke(start, start, 2 * (weight + 1.2) * unit, shadow=False)
        return
    x, y, head = dx / length, dy / length, min(HEAD_EM * em, 0.5 * length)
    c, s = BARB
    barbs = [(end[0] - head * (x * c + side * y * s), end[1] - head * (y * c - side * x * s)) for side in (-1, 1)]
    for shadow, width in ((True, weight + 1.6), (False, weight)):
        for tail, tip in ((start, end), *((barb, end) for barb in barbs)):
            yield Stroke(tail, tip, width * unit, shadow)
