"""A badge over the picture while something in the network is broken or edited, so that no such picture passes for the network's own, and
while what lies over it is not kept, so that it does not pass for the view's."""

from __future__ import annotations

from gui_utils import theme
from gui_utils.libraries import imgui
from viz.canvas.placement import Area
from viz.request import Frame


def badge_text(frame: Frame | None) -> str:
    """What is broken or edited in this very picture; "" for nothing."""
    return "\n".join(frame.altered) if frame is not None else ""


def draw_badge(text: str, area: Area) -> None:
    """At the top of the picture's area, in the middle; "" draws nothing."""
    if not text:
        return
    lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
    room = max(8 * em, area.width - 2 * em)
    size = imgui.calc_text_size(text, wrap_width=room)
    left = max(area.x + 0.5 * em, area.x + (area.width - size.x) / 2)
    top = area.y + 0.7 * em
    ground, ink = theme.packed(theme.WARNING, 0.92), theme.packed((0.05, 0.05, 0.05))
    lines.add_rect_filled((left - 0.6 * em, top - 0.25 * em), (left + size.x + 0.6 * em, top + size.y + 0.25 * em), ground, 0.3 * em)
    lines.add_text(imgui.get_font(), em, (left, top), ink, text, wrap_width=room)
