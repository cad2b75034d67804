"""A picture with axes, as a file for a report: frame, ticks, labels and units around an array of pixels. PIL only."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, PAPER = (0, 0, 0), (255, 255, 255)
LEFT, BELOW, ABOVE, RIGHT = 74, 50, 30, 16
TICK = 5
PLAIN = {ord("−"): "-", ord("–"): "-", ord("—"): "-", ord("∞"): "inf"}
SMALLEST = (480, 240)


@dataclass(frozen=True)
class Axis:
    """`low` at the left (or top) edge of the picture, `high` at the other; the label has the unit."""

    label: str
    low: float
    high: float


def figure_font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The window's font, which comes with imgui-bundle and has minus signs and superscripts; PIL's own where it is missing."""
    spec = importlib.util.find_spec("imgui_bundle")
    path = Path(spec.origin or "").parent / "assets/fonts/Roboto/Roboto-Regular.ttf" if spec is not None else Path()
    return ImageFont.truetype(path, size) if path.is_file() else ImageFont.load_default(size)


def ticks(axis: Axis, most: int = 6) -> tuple[float, ...]:
    """Round numbers within the axis."""
    low, high = sorted((axis.low, axis.high))
    if not high > low:
        return (low,)
    raw = (high - low) / most
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw)
    return tuple(step * i for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1))


def framed(pixels: np.ndarray, x: Axis, y: Axis, title: str = "", *, equal: bool = False) -> np.ndarray:
    """uint8 [H', W', 3]: the picture (uint8 [H, W, 3]), whole samples enlarged by whole factors (one for both: `equal`), with its axes."""
    height, width = pixels.shape[:2]
    sx, sy = max(1, math.ceil(SMALLEST[0] / width)), max(1, math.ceil(SMALLEST[1] / height))
    sx, sy = (max(sx, sy),) * 2 if equal else (sx, sy)
    large = pixels.repeat(sy, axis=0).repeat(sx, axis=1)
    height, width = large.shape[:2]
    canvas = Image.new("RGB", (LEFT + width + RIGHT, ABOVE + height + BELOW), PAPER)
    canvas.paste(Image.fromarray(np.ascontiguousarray(large)), (LEFT, ABOVE))
    ink, font = ImageDraw.Draw(canvas), figure_font(14)
    ink.rectangle((LEFT - 1, ABOVE - 1, LEFT + width, ABOVE + height), outline=INK)
    for value in ticks(x):
        at = LEFT + (value - x.low) / (x.high - x.low) * width
        ink.line((at, ABOVE + height, at, ABOVE + height + TICK), fill=INK)
        ink.text((at, ABOVE + height + TICK + 2), _number(value), INK, font, anchor="mt")
    for value in ticks(y):
        at = ABOVE + (value - y.low) / (y.high - y.low) * height
        ink.line((LEFT - TICK, at, LEFT, at), fill=INK)
        ink.text((LEFT - TICK - 3, at), _number(value), INK, font, anchor="rm")
    ink.text((LEFT + width / 2, ABOVE + height + BELOW - 6), drawable(x.label), INK, font, anchor="mb")
    ink.text((LEFT, ABOVE - 8), drawable(title), INK, font, anchor="lb")
    _upright(canvas, y.label, font, ABOVE + height / 2)
    return np.asarray(canvas)


def _upright(canvas: Image.Image, text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, middle: float) -> None:
    text = drawable(text)
    left, _, right, bottom = font.getbbox(text)
    label = Image.new("RGB", (math.ceil(right - left) + 2, math.ceil(bottom) + 4), PAPER)
    ImageDraw.Draw(label).text((1 - left, 1), text, INK, font)
    turned = label.rotate(90, expand=True)
    canvas.paste(turned, (4, round(middle - turned.height / 2)))


def _number(value: float) -> str:
    return f"{value:.6g}"


def drawable(text: str) -> str:
    """The text in characters that PIL's own font has; what it has not would be drawn as a box."""
    return text.translate(PLAIN)
