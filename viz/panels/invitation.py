"""Where a result will stand, as long as it is switched off: a sentence about what it will show, and the button that starts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gui_utils import theme
from gui_utils.controls import Field, button
from gui_utils.libraries import imgui
from viz.state import ViewState

MEASURE, SHOW, START = "Measure", "Show", "Start"  # what the button says: something new is computed; what is known is shown; it goes on
GROUND = (0.105, 0.105, 0.105)
TEXT_EM, PAD_EM, BUTTON_EM = 34.0, 0.9, 7.0


def invitation(
    state: ViewState, switch: Field, options: type, text: str, *, disabled: str = "", label: str = MEASURE, fill: bool = True
) -> ViewState:
    """The view, with `switch` on if the button was clicked. `disabled`: why it cannot be, said instead.

    `fill`: takes the room that is left; else no more than it needs, with controls below.
    """
    em, room, at = imgui.get_font_size(), imgui.get_content_region_avail(), imgui.get_cursor_screen_pos()
    lines = wrapped(disabled or text, min(TEXT_EM * em, room.x - 2 * PAD_EM * em), lambda part: imgui.calc_text_size(part).x)
    text_height = len(lines) * imgui.get_text_line_height_with_spacing()
    needed = text_height + (0 if disabled else imgui.get_frame_height() + 0.4 * em)
    height = max(needed + 2 * PAD_EM * em, room.y - 0.3 * em if fill else 0.0)
    drawing, y = imgui.get_window_draw_list(), at.y + (height - needed) / 2
    drawing.add_rect_filled((at.x, at.y), (at.x + room.x, at.y + height), theme.packed(GROUND), 4.0)
    ink = imgui.get_color_u32(imgui.Col_.text_disabled if disabled else imgui.Col_.text, 0.8)
    for line in lines:
        drawing.add_text((at.x + (room.x - imgui.calc_text_size(line).x) / 2, y), ink, line)
        y += imgui.get_text_line_height_with_spacing()
    started = False
    if not disabled:
        imgui.set_cursor_screen_pos((at.x + max(0.0, room.x - BUTTON_EM * em) / 2, y + 0.4 * em))
        started = button(replace(switch, label=label, id=f"{switch.id}.start"), width_em=min(BUTTON_EM, room.x / em))
    imgui.set_cursor_screen_pos(at)
    imgui.dummy((room.x, height))
    return state.edit(options, **{switch.id.partition(".")[2]: True}) if started else state


def wrapped(text: str, width: float, measured: Callable[[str], float]) -> list[str]:
    """The text in lines no wider than this, where words allow it."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and measured(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
