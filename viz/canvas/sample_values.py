"""The numbers of the samples, written on them where the picture is zoomed in so far that they have room."""

from __future__ import annotations

import math

import numpy as np

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.text import signed_text
from viz.canvas.placement import Content, Placement
from viz.request import Picture

WIDEST = "+0.000"
ROOM = 1.25  # a sample is this much wider and higher than its numbers
MOST_SAMPLES = 2_000  # more have no room on any screen; a limit for tiny fonts


def value_text(value: float) -> str:
    """Three digits or four with a sign: +0.154, −12.3, +1235; an em dash for what is no number."""
    size = abs(value)
    if 1e5 <= size < math.inf:
        return f"{value:+.1e}".replace("-", "−")
    return signed_text(value, decimals=3 if size < 10 else 1 if size < 100 else 0)


def have_room(picture: Picture, placement: Placement, content: Content, text: tuple[float, float]) -> bool:
    """Whether `text` pixels (width, height of a line) a channel fit on a sample."""
    needed = max(text[0], text[1] * picture.shape[2])
    return placement.pixels_per_sample(content) >= ROOM * needed


def visible_samples(picture: Picture, placement: Placement, content: Content, *, margins: bool) -> tuple[range, range]:
    """Rows and columns of which something is on screen; without margins those of the image frame alone."""
    left, top, right, bottom = placement.source(content)
    x0, y0, x1, y1 = (0, 0, content.width, content.height) if margins or picture.grid else picture.frame_rect
    columns = range(max(math.floor(left), math.ceil(x0)), min(math.ceil(right), math.floor(x1)))
    rows = range(max(math.floor(top), math.ceil(y0)), min(math.ceil(bottom), math.floor(y1)))
    return rows, columns


def draw_sample_values(lines: imgui.ImDrawList, picture: Picture, placement: Placement, content: Content, *, margins: bool) -> None:
    """One line a channel, centred on the sample. Nothing where there is no room, or where undoing a pose left nothing to show."""
    line = imgui.calc_text_size(WIDEST)
    if not have_room(picture, placement, content, (line.x, line.y)):
        return
    rows, columns = visible_samples(picture, placement, content, margins=margins)
    if len(rows) * len(columns) > MOST_SAMPLES:
        return
    for row in rows:
        for column in columns:
            if picture.mask is None or picture.mask[row, column]:
                _write(lines, placement, content, (row, column), picture.values[row, column], line.y)


def _write(
    lines: imgui.ImDrawList, placement: Placement, content: Content, sample: tuple[int, int], values: np.ndarray, height: float
) -> None:
    row, column = sample
    rate = content.sampling_rate
    x, y = placement.to_screen((column + 0.5 - content.width / 2) / rate, (row + 0.5 - content.height / 2) / rate)
    for index, value in enumerate(values):
        text = value_text(float(value))
        left, top = x - imgui.calc_text_size(text).x / 2, y + (index - len(values) / 2) * height
        theme.shadowed_text(lines, (round(left), round(top)), text)
