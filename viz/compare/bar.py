"""A row under the toolbar while views are compared: layout, which view, gain of the difference."""

from __future__ import annotations

from collections.abc import Mapping

from gui_utils import controls
from gui_utils.text import signed_text
from viz.canvas.placement import Probe
from viz.canvas.tool_row import Tool, tool_row
from viz.compare.compare import MODE_NAMES, chosen, others
from viz.groups.compare import NAMES
from viz.panels.compare import CHOSEN, GAIN, MODE
from viz.state import Compare, CompareView, ViewState


def compare_bar(state: ViewState) -> ViewState:
    """The state with what was chosen in the row."""
    if not state.get(Compare).on:
        return state
    mode, numbers = state.get(CompareView).mode, others(state)
    tools = [Tool(_bar(MODE), _mode, 8, label="Layout")]
    if len(numbers) > 1 and mode != "side":
        tools.append(Tool(_bar(CHOSEN), _other, 6, label="With"))
    if mode == "difference":
        tools.append(Tool(_bar(GAIN), _gain, 6, label="Gain"))
    return tool_row(state, "compare", tools)


def _mode(field: controls.Field, state: ViewState) -> ViewState:
    return state.edit(CompareView, mode=controls.combo(field, state.get(CompareView).mode, MODE_NAMES))


def _other(field: controls.Field, state: ViewState) -> ViewState:
    names = {n: NAMES[n] for n in others(state)}
    return state.edit(CompareView, other=controls.combo(field, chosen(state), names)) if names else state


def _gain(field: controls.Field, state: ViewState) -> ViewState:
    return state.edit(CompareView, gain_db=controls.slider_float(field, state.get(CompareView).gain_db))


def other_values(found: Mapping[int, Probe]) -> str:
    """What the other views hold under the cursor, for the status line."""
    return "".join(f"   {NAMES[n].lower()}:  {'  '.join(signed_text(v, decimals=4) for v in p.values)}" for n, p in found.items())


def _bar(field: controls.Field) -> controls.Field:
    """The same control once more in the window, under an id of its own and without a label."""
    return controls.Field(
        "", f"Toolbar.{field.id}", field.help, field.unit, default=field.default, low=field.low, high=field.high, decimals=field.decimals
    )
