"""Pictures and charts of measurements, as files: no window, no OpenGL, PIL only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gui_utils.theme import SERIES
from viz.canvas.overlay_tone import pixels_of
from viz.figures.figure import Axis, framed
from viz.request import OverlayArrows, OverlayImage

SIZE, SMOOTH = (720, 400), 3  # of a chart's inside, and how many times larger it is drawn
SQUARE = 560  # pixels along the side of a plane
DOTS = 55  # longer lines are drawn without their points
GRID, INK = (225, 225, 225), (0, 0, 0)


def picture_figure(image: OverlayImage, title: str) -> np.ndarray:
    """A measurement over the picture, with axes in image widths, and its range in the title."""
    scale = max(1, -(-480 // image.values.shape[1]))
    pixels = pixels_of(image).repeat(scale, axis=0).repeat(scale, axis=1)
    rate = image.frame_rect[2] - image.frame_rect[0]
    half = [n / rate / 2 for n in image.values.shape[:2]]
    spanned = "" if image.values.ndim == 3 else f", {image.low:g} to {image.high:g} {image.unit}".rstrip()
    x, y = (Axis("image widths", -h, h) for h in (half[1], half[0]))
    return framed(pixels, x, y, f"{title}{spanned}")


def arrows_figure(picture: np.ndarray, arrows: OverlayArrows, colors: np.ndarray, title: str) -> np.ndarray:
    """Arrows over a picture (uint8 [H, W, 3], one image width): expected ones white, measured ones in `colors` [n, 3] (0 to 1)."""
    scale = max(1, -(-960 // picture.shape[1]))
    large = Image.fromarray(picture.repeat(scale, axis=0).repeat(scale, axis=1))
    ink, side = ImageDraw.Draw(large), large.width
    for at, moved, expected, color in zip(arrows.at, arrows.moved, arrows.expected, colors, strict=True):
        for vector, tint, wide in ((expected, (255, 255, 255), 2), (moved, tuple(int(255 * c) for c in color), 5)):
            start, end = ((at + 0.5) * side, (at + vector + 0.5) * side)
            ink.line((*start, *end), fill=tint, width=wide)
            ink.ellipse((*(end - wide - 2), *(end + wide + 2)), fill=tint)
    half = np.asarray(large.resize((side // 2, side * picture.shape[0] // picture.shape[1] // 2), Image.Resampling.LANCZOS))
    axis = Axis("image widths", -0.5, 0.5)
    return framed(half, axis, axis, title)


def line_chart(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]], x: Axis, y: Axis, title: str, *, marks: Mapping[str, float] | None = None
) -> np.ndarray:
    """Lines (x values, y values) by name; nan breaks them. The names stand at the upper right, in the lines' colours.

    `marks`: values of x that get a line with their name.
    """
    canvas, ink, place = _canvas(x, y)
    for name, value in (marks or {}).items():
        at = place(value, 0)[0]
        ink.line((at, 0, at, canvas.height), fill=(120, 120, 120), width=SMOOTH)
        ink.text((at + 3 * SMOOTH, canvas.height - 22 * SMOOTH), name, (90, 90, 90), ImageFont.load_default(13 * SMOOTH))
    for i, (u, v) in enumerate(lines.values()):
        points = [place(a, b) for a, b in zip(u, v, strict=True)]
        whole = np.isfinite(np.asarray(v, dtype=np.float64))
        for k in range(len(points) - 1):
            if whole[k] and whole[k + 1]:
                ink.line((*points[k], *points[k + 1]), fill=_rgb(i), width=2 * SMOOTH)
        for point in (p for p, there in zip(points, whole, strict=True) if there and len(points) < DOTS):
            r = 3 * SMOOTH
            ink.ellipse((point[0] - r, point[1] - r, point[0] + r, point[1] + r), fill=_rgb(i))
    font = ImageFont.load_default(14 * SMOOTH)
    for i, name in enumerate(lines if len(lines) > 1 else ()):
        ink.text((canvas.width - 8 * SMOOTH, (8 + 18 * i) * SMOOTH), name, _rgb(i), font, anchor="ra")
    return _finished(canvas, x, y, title)


def dots_figure(
    at: np.ndarray, colors: np.ndarray, sizes: np.ndarray, x: Axis, y: Axis, title: str, *, circles: Mapping[str, float]
) -> np.ndarray:
    """Dots [n, 2] in `colors` [n, 3] (0 to 1) of radius `sizes` [n] (parts of the width) on a square; `circles` by name and radius."""
    side = SQUARE * SMOOTH
    canvas = Image.new("RGB", (side, side), (255, 255, 255))
    ink, font = ImageDraw.Draw(canvas), ImageFont.load_default(13 * SMOOTH)

    def place(u: float, v: float) -> tuple[float, float]:
        return (u - x.low) / (x.high - x.low) * side, (v - y.low) / (y.high - y.low) * side

    for name, radius in ((name, radius) for name, radius in circles.items() if radius < max(x.high, y.high)):
        ink.ellipse((*place(-radius, -radius), *place(radius, radius)), outline=(120, 120, 120), width=SMOOTH)
        right = min(place(radius * 0.7072, 0)[0] + 4 * SMOOTH, side - 30 * SMOOTH)
        ink.text((right, max(place(0, -radius * 0.7072)[1] - 18 * SMOOTH, 2)), name, (90, 90, 90), font)
    for (u, v), color, size in sorted(zip(at, colors, sizes, strict=True), key=lambda dot: -dot[2]):
        (cx, cy), r = place(float(u), float(v)), float(size) * side
        ink.ellipse((cx - r, cy - r, cx + r, cy + r), fill=tuple(round(255 * c) for c in color))
    return framed(np.asarray(canvas.resize((SQUARE, SQUARE), Image.Resampling.LANCZOS)), x, y, title)


def bar_chart(names: Sequence[str], heights: Sequence[float | None], y: Axis, title: str) -> np.ndarray:
    """One bar for each name, which is written along it; no bar where there is no number."""
    x = Axis("in order of computation", -0.6, len(names) - 0.4)
    canvas, ink, place = _canvas(x, y)
    font = ImageFont.load_default(13 * SMOOTH)
    for i, (name, height) in enumerate(zip(names, heights, strict=True)):
        if height is not None and np.isfinite(height):
            (left, a), (right, b) = place(i - 0.35, max(y.low, min(0.0, height))), place(i + 0.35, height)
            ink.rectangle((left, min(a, b), right, max(a, b)), fill=_rgb(0))
        label = Image.new("L", (round(ink.textlength(name, font)) + 4, 18 * SMOOTH), 0)
        ImageDraw.Draw(label).text((0, 0), name, 255, font)
        turned = label.rotate(90, expand=True)
        corner = (round(place(i, 0)[0] - turned.width / 2), canvas.height - turned.height - 6 * SMOOTH)
        canvas.paste(INK, corner, turned)
    return _finished(canvas, x, y, title)


def _canvas(x: Axis, y: Axis):
    """An empty chart, drawn larger than shown, with its grid; and where a point lies on it."""
    from viz.figures.figure import ticks

    width, height = (n * SMOOTH for n in SIZE)
    canvas = Image.new("RGB", (width, height), (255, 255, 255))
    ink = ImageDraw.Draw(canvas)

    def place(u: float, v: float) -> tuple[float, float]:
        v = v if np.isfinite(v) else y.low
        return (u - x.low) / (x.high - x.low) * width, (y.high - v) / (y.high - y.low) * height

    for value in ticks(x):
        ink.line((place(value, 0)[0], 0, place(value, 0)[0], height), fill=GRID, width=SMOOTH)
    for value in ticks(y):
        ink.line((0, place(0, value)[1], width, place(0, value)[1]), fill=GRID, width=SMOOTH)
    return canvas, ink, place


def _finished(canvas: Image.Image, x: Axis, y: Axis, title: str) -> np.ndarray:
    pixels = np.asarray(canvas.resize(SIZE, Image.Resampling.LANCZOS))
    return framed(pixels, x, Axis(y.label, y.high, y.low), title)


def _rgb(index: int) -> tuple[int, int, int]:
    """The colours of lines in the window, a little darker for white paper."""
    r, g, b = (int(255 * 0.8 * c) for c in SERIES[index % len(SERIES)])
    return r, g, b
