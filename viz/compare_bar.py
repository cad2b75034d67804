"""A row under the toolbar while two views are compared: layout, gain of the difference, and their distance."""

from __future__ import annotations

from gui_utils import controls
from gui_utils.libraries import imgui
from gui_utils.scopes import dim_text, item_width
from viz.canvas_compare import number_of
from viz.canvas_view import Probe
from viz.compare import MODE_NAMES
from viz.panels.compare import GAIN, MODE, ONE_STEP
from viz.request import Frame
from viz.state import Compare, CompareView, ViewState


def compare_bar(state: ViewState, frame: Frame | None) -> ViewState:
    """The state with what was chosen in the row."""
    if not state.get(Compare).on:
        return state
    shown = state.get(CompareView)
    imgui.set_cursor_pos_x(0.4 * imgui.get_font_size())
    with item_width(10):
        mode = controls.combo(_bar(MODE), shown.mode, MODE_NAMES)
    imgui.same_line()
    with item_width(7):
        gain = controls.slider_float(_bar(GAIN), shown.gain_db, disabled="" if mode == "difference" else ONE_STEP)
    imgui.same_line()
    imgui.align_text_to_frame_padding()
    dim_text(number_of(frame.beside if frame else None))
    return state.edit(CompareView, mode=mode, gain_db=gain)


def second_values(found: Probe | None) -> str:
    """What the second view holds under the cursor, for the status line."""
    return "" if found is None else "   second:  " + "  ".join(f"{v:+.4f}" for v in found.values)


def _bar(field: controls.Field) -> controls.Field:
    """The same control once more in the window, under an id of its own and without a label."""
    return controls.Field(
        "", f"Toolbar.{field.id}", field.help, field.unit, default=field.default, low=field.low, high=field.high, decimals=field.decimals
    )
