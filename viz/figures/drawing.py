"""A drawing as a value: lines, rectangles, text and pictures, in points from the upper left. `viz.figures.drawing_file` writes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Color = tuple[int, int, int]
Point = tuple[float, float]
INK: Color = (0, 0, 0)
FAINT: Color = (215, 215, 215)


@dataclass(frozen=True)
class Line:
    """Through the points; `dash` in points of line and gap, () for a solid one."""

    points: tuple[Point, ...]
    color: Color = INK
    width: float = 0.8
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Box:
    """From the corner (x, y); `fill` and `stroke` None for none."""

    x: float
    y: float
    width: float
    height: float
    fill: Color | None = None
    stroke: Color | None = INK


@dataclass(frozen=True)
class Text:
    """`anchor` "start", "middle" or "end" of the line stands at (x, y), its baseline there; `upright` reads from below."""

    x: float
    y: float
    text: str
    size: float = 8.0
    anchor: str = "start"
    upright: bool = False
    color: Color = INK


@dataclass(frozen=True, eq=False)
class Picture:
    """uint8 [H, W, 3] in a box; samples are shown as squares."""

    x: float
    y: float
    width: float
    height: float
    pixels: np.ndarray


@dataclass(frozen=True)
class Disc:
    """Filled, around (x, y)."""

    x: float
    y: float
    radius: float
    color: Color = INK


Item = Line | Box | Text | Picture | Disc


@dataclass(frozen=True, eq=False)
class Drawing:
    """`width` and `height` in points; later items lie over earlier ones."""

    width: float
    height: float
    items: tuple[Item, ...]
    title: str = ""
