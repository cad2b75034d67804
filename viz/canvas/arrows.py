"""Arrows over the picture: what was measured in colours, above what was expected in faint white."""

from __future__ import annotations

import math

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.scopes import clip_scope
from gui_utils.tone import colormap_table
from viz.canvas.placement import Placement
from viz.request import OverlayArrows

SHADOW, EXPECTED = (0.0, 0.0, 0.0, 0.65), (1.0, 1.0, 1.0, 0.55)
HEAD_EM, SHORTEST_EM = 0.5, 0.12


def draw_arrows(arrows: OverlayArrows, colormap: str, placement: Placement) -> None:
    """In image coordinates, so that they stay on their places under zoom and pan. Nothing moved: a dot."""
    lines, area = imgui.get_window_draw_list(), placement.area
    table = colormap_table(colormap)
    with clip_scope(lines, *area.corners):
        for at, moved, expected, share in zip(arrows.at, arrows.moved, arrows.expected, arrows.shares, strict=True):
            start = placement.to_screen(*map(float, at))
            _arrow(lines, start, placement.to_screen(*map(float, at + expected)), EXPECTED, 1.0)
            r, g, b = table[round(min(max(float(share), 0.0), 1.0) * (len(table) - 1))]
            _arrow(lines, start, placement.to_screen(*map(float, at + moved)), (float(r), float(g), float(b), 1.0), 2.0)


def _arrow(lines: imgui.ImDrawList, start: tuple[float, float], end: tuple[float, float], rgba: tuple[float, ...], weight: float) -> None:
    em = imgui.get_font_size()
    dx, dy = end[0] - start[0], end[1] - start[1]
    length, unit = math.hypot(dx, dy), em / 16
    tint, shadow = (theme.packed(c[:3], c[3]) for c in (rgba, SHADOW))
    if length < SHORTEST_EM * em:
        lines.add_circle_filled(start, (weight + 2.5) * unit, shadow)
        lines.add_circle_filled(start, (weight + 1.2) * unit, tint)
        return
    along, head = (dx / length, dy / length), min(HEAD_EM * em, 0.5 * length)
    barbs = [
        (end[0] - head * (along[0] * c + side * along[1] * s), end[1] - head * (along[1] * c - side * along[0] * s))
        for side in (-1, 1)
        for c, s in ((math.cos(0.45), math.sin(0.45)),)
    ]
    for color, wide in ((shadow, weight + 1.6), (tint, weight)):
        for a, b in ((start, end), *((barb, end) for barb in barbs)):
            lines.add_line(a, b, color, wide * unit)
