"""The colours of a measurement: which values its colormap spans, and how they are said, on the canvas and in files. No OpenGL."""

from __future__ import annotations

import math

import numpy as np

from gui_utils.text import number_text
from gui_utils.tone import ToneMap, tone_map
from viz.request import OverlayImage


def shown_range(image: OverlayImage, gain_db: float) -> tuple[float, float]:
    """The values at both ends of the colours. Gain multiplies values; those that are in dB already, it shifts."""
    if image.unit == "dB":
        return image.low - gain_db, image.high - gain_db
    gain = 10 ** (gain_db / 20)
    return image.low / gain, image.high / gain


def end_texts(image: OverlayImage, gain_db: float) -> tuple[str, str]:
    """What stands below both ends of the colours."""
    low, high = shown_range(image, gain_db)
    decimals = max(0, min(6, 2 - math.floor(math.log10(max(abs(low), abs(high))))))
    return number_text(low, decimals=decimals), number_text(high, image.unit, decimals)


def tone_of(image: OverlayImage, gain_db: float) -> ToneMap:
    low, high = shown_range(image, gain_db)
    if low == -high:
        return ToneMap(gain=1 / high, signed=True, colormap=image.colormap)
    return ToneMap(gain=1 / (high - low), offset=-low / (high - low), signed=False, colormap=image.colormap)


def pixels_of(image: OverlayImage) -> np.ndarray:
    """uint8 [H, W, 3]: its values in its colours."""
    return tone_map(image.values, tone_of(image, 0.0))
