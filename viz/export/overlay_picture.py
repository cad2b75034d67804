"""A measurement over a picture, as pixels for a file: what `viz.canvas.overlay` and `viz.canvas.arrows` draw on the canvas. No OpenGL."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from gui_utils.tone import PictureView, colormap_table, paint
from viz.canvas.arrow_strokes import Point, arrow
from viz.canvas.overlay_tone import end_texts, tone_of
from viz.figures.figure import drawable, figure_font
from viz.request import OverlayArrows, OverlayImage
from viz.state import OverlayView

Part = tuple[float, float, float, float]  # (x0, y0, x1, y1) in image widths from the centre
SMOOTH, LARGEST_LAYER = 4, 4096  # lines are drawn this many times larger, and made smaller by averaging
SHADOW, EXPECTED = (0, 0, 0, 166), (255, 255, 255, 140)
EM = 1 / 36  # of the picture's width
LEGIBLE_EM = 8.0  # pixels; smaller pictures have no scale


def overlaid(
    pixels: np.ndarray, image: OverlayImage, view: OverlayView, part: Part, magnify: str = "lanczos", *, scale: bool = True
) -> np.ndarray:
    """uint8 [H, W, 3]: the picture, of which `part` is shown, under the measurement with its opacity, gain, arrows and scale."""
    height, width = pixels.shape[:2]
    out = pixels
    if image.values.size:
        x0, y0, x1, y1 = image.frame_rect
        rate, mx, my = x1 - x0, (x0 + x1) / 2, (y0 + y1) / 2
        source = part[0] * rate + mx, part[1] * rate + my, part[2] * rate + mx, part[3] * rate + my
        mask = None if image.mask is None else image.mask.astype(np.float32)
        over = paint(image.values, PictureView(source, (width, height), tone_of(image, view.gain_db), magnify), mask)
        mixed = pixels.astype(np.float32) * (1 - view.opacity) + over.astype(np.float32) * view.opacity
        out = np.floor(mixed + 0.5).astype(np.uint8)
    if image.arrows is not None:
        out = _with_arrows(out, image.arrows, image.colormap, part)
    return _with_scale(out, image, view) if scale else out


def with_line(pixels: np.ndarray, ends: tuple[float, float, float, float], part: Part, color: tuple[int, int, int]) -> np.ndarray:
    """The picture with a line from (x0, y0) to (x1, y1), in image widths, as the canvas draws the scan line."""
    drawn = _Lines(pixels, part)
    start, end = drawn.place(*ends[:2]), drawn.place(*ends[2:])
    for tint, width in (((0, 0, 0, 153), 4.0), ((*color, 242), 2.0)):
        drawn.line(start, end, tint, width * drawn.em / 16)
    return drawn.merged()


class _Lines:
    """Smooth lines over pixels, in image coordinates."""

    def __init__(self, pixels: np.ndarray, part: Part) -> None:
        self.pixels, self.part = pixels, part
        height, width = pixels.shape[:2]
        self.factor = max(1, min(SMOOTH, LARGEST_LAYER // max(width, height)))
        self.em = max(4.0, width * EM) * self.factor
        self.layer = Image.new("RGBA", (width * self.factor, height * self.factor), (0, 0, 0, 0))
        self._ink = ImageDraw.Draw(self.layer)

    def place(self, x: float, y: float) -> tuple[float, float]:
        x0, y0, x1, y1 = self.part
        return (x - x0) / (x1 - x0) * self.layer.width, (y - y0) / (y1 - y0) * self.layer.height

    def line(self, a: tuple[float, float], b: tuple[float, float], tint: tuple[int, ...], width: float) -> None:
        self._ink.line((*a, *b), fill=tint, width=max(1, round(width)))

    def dot(self, at: tuple[float, float], radius: float, tint: tuple[int, ...]) -> None:
        self._ink.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=tint)

    def merged(self) -> np.ndarray:
        values = np.asarray(self.layer, dtype=np.float32)
        alpha = values[:, :, 3:] / 255
        both = np.concatenate([values[:, :, :3] * alpha, alpha], axis=2)
        height, width = self.pixels.shape[:2]
        mean = both.reshape(height, self.factor, width, self.factor, 4).mean(axis=(1, 3))
        return np.floor(self.pixels * (1 - mean[:, :, 3:]) + mean[:, :, :3] + 0.5).astype(np.uint8)


def _with_arrows(pixels: np.ndarray, arrows: OverlayArrows, colormap: str, part: Part) -> np.ndarray:
    drawn, table = _Lines(pixels, part), colormap_table(colormap)
    for at, moved, expected, share in zip(arrows.at, arrows.moved, arrows.expected, arrows.shares, strict=True):
        start = drawn.place(*map(float, at))
        _arrow(drawn, start, drawn.place(*map(float, at + expected)), EXPECTED, 1.0)
        rgb = table[round(min(max(float(share), 0.0), 1.0) * (len(table) - 1))]
        _arrow(drawn, start, drawn.place(*map(float, at + moved)), (*(round(255 * float(c)) for c in rgb), 255), 2.0)
    return drawn.merged()


def _arrow(drawn: _Lines, start: Point, end: Point, tint: tuple[int, ...], weight: float) -> None:
    for stroke in arrow(start, end, weight, drawn.em):
        color = SHADOW if stroke.shadow else tint
        if stroke.start == stroke.end:
            drawn.dot(stroke.start, stroke.width / 2, color)
        else:
            drawn.line(stroke.start, stroke.end, color, stroke.width)


def _with_scale(pixels: np.ndarray, image: OverlayImage, view: OverlayView) -> np.ndarray:
    """The label, and the colours with the values they stand for, at the lower left; nothing where it could not be read."""
    width = pixels.shape[1]
    em = width * EM
    if em < LEGIBLE_EM:
        return pixels
    canvas, font = Image.fromarray(np.ascontiguousarray(pixels)), figure_font(0.85 * em)
    colors = image.values.ndim == 3 or not (image.values.size or image.arrows is not None)
    label, length = drawable(image.label), 11 * em
    left, top = 0.8 * em, canvas.height - (1.6 if colors else 3.2) * em
    ink = ImageDraw.Draw(canvas, "RGBA")
    right = left + max(length * (not colors), font.getlength(label)) + 0.5 * em
    ink.rectangle((left - 0.5 * em, top - 0.3 * em, right, canvas.height - 0.3 * em), fill=(20, 20, 20, 204))
    ink.text((left, top), label, (237, 237, 237), font, anchor="la")
    if not colors:
        table = colormap_table(tone_of(image, view.gain_db).colormap)
        for x in range(round(length)):
            rgb = table[round((x + 0.5) / length * 256)]
            ink.line((left + x, top + 1.1 * em, left + x, top + 1.6 * em), fill=tuple(round(255 * float(c)) for c in rgb))
        low, high = map(drawable, end_texts(image, view.gain_db))
        ink.text((left, top + 1.7 * em), low, (237, 237, 237), font, anchor="la")
        ink.text((left + length, top + 1.7 * em), high, (237, 237, 237), font, anchor="ra")
    return np.asarray(canvas)
