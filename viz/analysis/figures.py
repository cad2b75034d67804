"""Pictures and charts of measurements, as drawings on white paper: no window, no OpenGL."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from viz.canvas.overlay_tone import pixels_of
from viz.figures.chart import COLORS, Curve, Place, Scales, chart, color_scale, picture, placing
from viz.figures.drawing import Color, Disc, Drawing, Item, Line, Text
from viz.figures.drawing_file import SCALE
from viz.figures.figure import Axis
from viz.request import OverlayArrows, OverlayImage

INSIDE = (400.0, 220.0)  # of a chart, points
SQUARE = 300.0  # along the side of a plane, at least
LEFT, ABOVE, RIGHT, BELOW = 52.0, 26.0, 16.0, 32.0  # room around it
BELOW_NAMES = 56.0  # the same, where long names stand upright
BAR = 36.0  # room for a colour scale
DOTS = 55  # longer lines are drawn without their points
CIRCLE = np.linspace(0, 2 * np.pi, 91)
FAINT_INK: Color = (120, 120, 120)
WHITE: Color = (255, 255, 255)


def picture_figure(image: OverlayImage, title: str) -> Drawing:
    """A measurement over the picture, with axes in image widths, and its range as a scale of colours beside it."""
    rate = image.frame_rect[2] - image.frame_rect[0]
    x, y = (Axis("image widths", -n / rate / 2, n / rate / 2) for n in reversed(image.values.shape[:2]))
    scale = None if image.values.ndim == 3 else (image.colormap, Axis(image.unit, image.low, image.high))
    return map_figure(pixels_of(image), x, y, title, scale)


def map_figure(pixels: np.ndarray, x: Axis, y: Axis, title: str, scale: tuple[str, Axis] | None = None) -> Drawing:
    """uint8 [H, W, 3] with axes, whole samples enlarged by one whole factor; `scale`: its colours and what they stand for."""
    factor = max(1, math.ceil(SQUARE * SCALE / max(pixels.shape[:2])))
    place = Place(LEFT, ABOVE, *(n * factor / SCALE for n in pixels.shape[1::-1]))
    items = picture(place, pixels, x, y, title)
    items += color_scale(place, *scale) if scale is not None else []
    return _sheet(place, items, title, right=RIGHT + (BAR if scale is not None else 0))


def strip_figure(pixels: np.ndarray, x: Axis, y: Axis, title: str) -> Drawing:
    """The same of a strip, whose width and height are enlarged each by a whole factor of its own."""
    sides = (n * max(1, math.ceil(side * SCALE / n)) / SCALE for n, side in zip(pixels.shape[1::-1], (INSIDE[0], 120.0), strict=True))
    place = Place(LEFT, ABOVE, *sides)
    return _sheet(place, picture(place, pixels, x, y, title), title)


def arrows_figure(pixels: np.ndarray, arrows: OverlayArrows, colors: np.ndarray, title: str) -> Drawing:
    """Arrows over a picture (uint8 [H, W, 3], one image width): expected ones white, measured ones in `colors` [n, 3] (0 to 1)."""
    axis = Axis("image widths", -0.5, 0.5)
    drawn = map_figure(pixels, axis, axis, title)
    side = pixels.shape[1] * max(1, math.ceil(SQUARE * SCALE / max(pixels.shape[:2]))) / SCALE
    items: list[Item] = []
    for at, moved, expected, color in zip(arrows.at, arrows.moved, arrows.expected, colors, strict=True):
        for vector, ink, wide in ((expected, WHITE, 0.8), (moved, _color(color), 2.0)):
            start, end = ((LEFT + (p[0] + 0.5) * side, ABOVE + (p[1] + 0.5) * side) for p in (at, at + vector))
            items += [Line((start, end), ink, wide), Disc(*end, wide + 0.5, ink)]
    return Drawing(drawn.width, drawn.height, (*drawn.items, *items), title)


def line_chart(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]], scales: Scales, title: str, *, marks: Mapping[str, float] | None = None
) -> Drawing:
    """Lines (x values, y values) by name, which the legend has; nan breaks them. `marks`: values of x that get a line with their name."""
    curves = [Curve(name, x, y, COLORS[i % len(COLORS)], dots=len(x) < DOTS) for i, (name, (x, y)) in enumerate(lines.items())]
    return _charted(scales, curves, title, marks or {})


def layers_chart(names: Sequence[str], lines: Mapping[str, np.ndarray], y: Axis, title: str) -> Drawing:
    """A number for each layer, in order of computation; several by lines, one alone by stems from 0."""
    at = np.arange(len(names))
    scales = Scales(Axis("", -0.6, len(names) - 0.4), y, named=tuple(enumerate(names)))
    curves = [
        Curve(name, at, level, COLORS[i % len(COLORS)], dots=True, stems=len(lines) == 1) for i, (name, level) in enumerate(lines.items())
    ]
    return _charted(scales, curves, title, {})


def dots_figure(
    at: np.ndarray, colors: np.ndarray, sizes: np.ndarray, x: Axis, y: Axis, title: str, *, circles: Mapping[str, float]
) -> Drawing:
    """Dots [n, 2] in `colors` [n, 3] (0 to 1) of radius `sizes` [n] (parts of the width) on a square; `circles` by name and radius."""
    place, scales = Place(LEFT, ABOVE, SQUARE, SQUARE), Scales(x, Axis(y.label, y.high, y.low))
    on_page, items = placing(place, scales), chart(place, scales, [], title)
    for name, radius in circles.items():
        if radius < max(x.high, y.high):
            ring = tuple(on_page(radius * math.cos(turn), radius * math.sin(turn)) for turn in CIRCLE)
            items += [Line(ring, FAINT_INK, 0.7)]
            right, up = on_page(radius * 0.7072, -radius * 0.7072)
            items += [Text(min(right + 2, LEFT + SQUARE - 16), max(up - 2, ABOVE + 8), name, 7, color=FAINT_INK)]
    for (u, v), color, size in sorted(zip(at, colors, sizes, strict=True), key=lambda dot: -dot[2]):
        items += [Disc(*on_page(float(u), float(v)), float(size) * SQUARE, _color(color))]
    return _sheet(place, items, title)


def _charted(scales: Scales, curves: Sequence[Curve], title: str, marks: Mapping[str, float]) -> Drawing:
    place = Place(LEFT, ABOVE, *INSIDE)
    items = chart(place, scales, curves, title, [(value, name) for name, value in marks.items()])
    return _sheet(place, items, title, below=BELOW_NAMES if scales.named else BELOW)


def _sheet(place: Place, items: Sequence[Item], title: str, *, right: float = RIGHT, below: float = BELOW) -> Drawing:
    return Drawing(place.x + place.width + right, place.y + place.height + below, tuple(items), title)


def _color(color: np.ndarray) -> Color:
    r, g, b = (round(255 * float(c)) for c in color)
    return r, g, b
