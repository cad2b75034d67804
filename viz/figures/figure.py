"""Axes and their round numbers, and the letters of figures. PIL only."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFont

PLAIN = {ord("−"): "-", ord("–"): "-", ord("—"): "-", ord("∞"): "inf"}


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


def drawable(text: str) -> str:
    """The text in characters that PIL's own font has; what it has not would be drawn as a box."""
    return text.translate(PLAIN)
