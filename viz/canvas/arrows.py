"""Arrows over the picture: what was measured in colours, above what was expected in faint white."""

from __future__ import annotations

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.scopes import clip_scope
from gui_utils.tone import colormap_table
from viz.canvas.arrow_strokes import Point, arrow
from viz.canvas.placement import Placement
from viz.request import OverlayArrows

SHADOW, EXPECTED = (0.0, 0.0, 0.0, 0.65), (1.0, 1.0, 1.0, 0.55)


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


def _arrow(lines: imgui.ImDrawList, start: Point, end: Point, rgba: tuple[float, ...], weight: float) -> None:
    tint, shadow = (theme.packed(c[:3], c[3]) for c in (rgba, SHADOW))
    for stroke in arrow(start, end, weight, imgui.get_font_size()):
        color = shadow if stroke.shadow else tint
        if stroke.start == stroke.end:
            lines.add_circle_filled(stroke.start, stroke.width / 2, color)
        else:
            lines.add_line(stroke.start, stroke.end, color, stroke.width)
