"""A row of tools over the canvas. What does not fit into the window goes behind a button at its end, with labels; nothing is cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gui_utils import controls
from gui_utils.controls import Field
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import item_width, popup_scope
from viz.state import ViewState

MARGIN_EM = 0.4
LABEL_EM = 6.0


@dataclass(frozen=True)
class Tool:
    """`draw(field, state)` draws it under this field's label and id and gives the state back.

    `width_em`: of a control; 0: as wide as `text`, which stands in a frame. `label` is what it is called in the menu, where a
    control has none in the row.
    """

    field: Field
    draw: Callable[[Field, ViewState], ViewState]
    width_em: float = 0.0
    text: str = ""
    label: str = ""

    def width(self, em: float) -> float:
        padding = 2 * imgui.get_style().frame_padding.x
        return self.width_em * em or imgui.calc_text_size(self.text or self.field.label).x + padding


def tool_row(state: ViewState, name: str, tools: Sequence[Tool]) -> ViewState:
    """The row, from the cursor to the right edge of the window."""
    em, spacing = imgui.get_font_size(), imgui.get_style().item_spacing.x
    imgui.set_cursor_pos_x(MARGIN_EM * em)
    room = imgui.get_content_region_avail().x - MARGIN_EM * em
    more = Field(icons.ICON_FA_ELLIPSIS, f"Toolbar.more.{name}", "Tools that do not fit here.")
    shown = fitting([tool.width(em) for tool in tools], room, spacing, Tool(more, lambda field, state: state).width(em))
    for i, tool in enumerate(tools[:shown]):
        if i:
            imgui.same_line()
        with item_width(min(tool.width(em), room) / em):
            state = tool.draw(tool.field, state)
    if shown == len(tools):
        return state
    if shown:
        imgui.same_line()
    if controls.button(more):
        imgui.open_popup(f"tools.{name}")
    with popup_scope(f"tools.{name}") as opened:
        if opened:
            with controls.label_column(LABEL_EM):
                for tool in tools[shown:]:
                    state = tool.draw(replace(tool.field, label=tool.label or tool.field.label), state)
    return state


def fitting(widths: Sequence[float], room: float, spacing: float, more: float) -> int:
    """How many of the tools fit into the room, the button for the rest included, if there is a rest."""
    if sum(widths) + spacing * (len(widths) - 1) <= room:
        return len(widths)
    used = more
    for count, width in enumerate(widths):
        used += width + spacing
        if used > room:
            return count
    return len(widths)
