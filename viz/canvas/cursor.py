"""The canvas and the other parts of the window that show the picture's plane: each marks where the mouse is in the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gui_utils import theme
from gui_utils.libraries import imgui
from viz.canvas import shared_cursor
from viz.panels import PanelContext
from viz.request import Picture

if TYPE_CHECKING:
    from viz.canvas.canvas import Canvas

NAME = "canvas"
ARM_EM = 0.6


def share_cursor(canvas: Canvas, context: PanelContext, picture: Picture) -> None:
    """Says where the mouse is on the canvas and what the canvas shows, and marks where the mouse is elsewhere."""
    assert canvas.placement is not None and canvas.content is not None
    found = None if canvas.probe is None or picture.grid else (canvas.probe.x, canvas.probe.y)
    shared_cursor.point(context.scratch, NAME, found)
    placement, content, area = canvas.placement, canvas.content, canvas.placement.area
    (x0, y0), (x1, y1) = (placement.to_image(*corner) for corner in area.corners)
    fits = x1 - x0 >= content.fit_width and y1 - y0 >= content.fit_height
    shared_cursor.show_region(context.scratch, None if fits or picture.grid else (x0, y0, x1, y1))
    at = shared_cursor.cursor(context.scratch, outside=NAME)
    if at is None or picture.grid:
        return
    (x, y), arm, lines = placement.to_screen(*at), ARM_EM * imgui.get_font_size(), imgui.get_window_draw_list()
    for rgb, alpha, weight in (((0.0, 0.0, 0.0), 0.7, 3.5), ((1.0, 1.0, 1.0), 0.95, 1.5)):
        color, width = theme.packed(rgb, alpha), theme.px(weight)
        lines.add_line((x - arm, y), (x + arm, y), color, width)
        lines.add_line((x, y - arm), (x, y + arm), color, width)
