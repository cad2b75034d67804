"""A row under the toolbar while views are compared: layout, which view, gain of the difference, and how far the two are apart."""

from __future__ import annotations

from collections.abc import Mapping

from gui_utils import controls
from gui_utils.libraries import imgui
from gui_utils.scopes import dim_text, item_width
from viz.canvas_captions import number_of
from viz.canvas_view import Probe
from viz.compare import MODE_NAMES, chosen, others
from viz.compare_groups import NAMES
from viz.panels.compare import GAIN, MODE, ONE_STEP, OTHER
from viz.request import Frame
from viz.state import Compare, CompareView, ViewState


def compare_bar(state: ViewState, frame: Frame | None) -> ViewState:
    """The state with what was chosen in the row."""
    if not state.get(Compare).on:
        return state
    shown, numbers = state.get(CompareView), others(state)
    imgui.set_cursor_pos_x(0.4 * imgui.get_font_size())
    with item_width(8):
        mode = controls.combo(_bar(MODE), shown.mode, MODE_NAMES)
    other = shown.other
    if len(numbers) > 1 and mode != "side":
        imgui.same_line()
        with item_width(6):
            other = controls.combo(_bar(OTHER), chosen(state), {n: NAMES[n] for n in numbers})
    imgui.same_line()
    with item_width(6):
        gain = controls.slider_float(_bar(GAIN), shown.gain_db, disabled="" if mode == "difference" else ONE_STEP)
    imgui.same_line()
    imgui.align_text_to_frame_padding()
    beside = frame.others.get(chosen(state)) if frame else None
    dim_text(number_of(beside) if mode != "side" or len(numbers) == 1 else "")
    return state.edit(CompareView, mode=mode, gain_db=gain, other=other)


def other_values(found: Mapping[int, Probe]) -> str:
    """What the other views hold under the cursor, for the status line."""
    return "".join(f"   {NAMES[n].lower()}:  {'  '.join(f'{v:+.4f}' for v in p.values)}" for n, p in found.items())


def _bar(field: controls.Field) -> controls.Field:
    """The same control once more in the window, under an id of its own and without a label."""
    return controls.Field(
        "", f"Toolbar.{field.id}", field.help, field.unit, default=field.default, low=field.low, high=field.high, decimals=field.decimals
    )
