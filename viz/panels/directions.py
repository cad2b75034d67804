"""Panel "Directions": the latent moves along principal components of W, and along directions out of a file."""

from __future__ import annotations

from dataclasses import replace

from gui_utils.controls import Field, button, drag_int, input_int, slider_float, text_input
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import item_width
from gui_utils.text import MISSING, number_text
from viz import commands
from viz.panels import Panel, PanelContext
from viz.panels.mixing import row_help
from viz.panels.parts import NO_NETWORK, columns, reset_button, wrapped_text
from viz.request import NetworkFacts
from viz.state import Direction, Directions, ViewState

AMOUNT = Field("", "Direction.amount", "How far w moves: x in w' = w + x σ v.", "σ", default=0.0, low=-10, high=10, power=2)
FIRST = Field("", "Direction.first", "The first row of ws that is moved.", default=0)
LAST = Field("", "Direction.last", "The last row of ws that is moved. At its end: up to the last row of any network.")
REMOVE = Field(icons.ICON_FA_XMARK, "Direction.remove", "Removes this direction.")
NUMBER = Field("Component", "Directions.number", "Which principal component to add: 0 is the direction in which w varies most.")
ADD = Field("Add", "Directions.add", "Adds a slider for this component.")
OWN_NUMBER = Field("Own", "Directions.own_number", "Which direction of the file to add, counted from 0.")
ADD_OWN = Field("Add", "Directions.add_own", "Adds a slider for this direction of the file.")
FILE = Field("Own file", "Directions.file", "Directions of your own: .npy, .npz or .safetensors of shape [w_dim], [K, w_dim], or [num_ws, "
             "w_dim] with a row for each input. Dropped on the window, a file is taken as such if its name says “direction”.")  # fmt: skip
OPEN = Field(f"{icons.ICON_FA_FOLDER_OPEN} Open…", "Directions.open", "Chooses a file of directions.")
SAVE = Field("Save latent", "Directions.save", "Saves the latent as it is now, moved, as ws (.npz) in the captures folder.")
RESET = Field("Reset", "Directions.reset", "Removes all directions.")
EMPTY = "Add a component: its slider moves w along the direction in which it varies most, then second most, and so on."
MOVES_POSE = "Row 0 feeds the input: moving it also changes the pose that the network learns from w. From row 1 on, the pose stays."
NEXT, NEXT_OWN = "directions: next", "directions: next own"  # where the panel keeps the numbers typed
WIDTHS_EM, ADD_EM = (5.9, 0, 2.0, 2.0, 1.9), 2.9


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts, before = context.network, state.get(Directions)
    if facts is None:
        wrapped_text(NO_NETWORK)
        return reset_button(state, RESET, Directions)
    styles = context.frame.styles if context.frame else None
    shares, names = (styles.choices.shares, styles.choices.own) if styles is not None else ((), ())
    found = _list(before, facts, shares, names) if before.edits else before
    if not before.edits:
        wrapped_text(EMPTY)
    elif context.frame is not None and context.frame.learned_pose is not None and any(0 in e.rows(facts.num_ws) for e in before.acting):
        wrapped_text(MOVES_POSE)
    imgui.spacing()
    found = _add(found, (NUMBER, ADD, NEXT), context, facts.w_dim)
    path = text_input(FILE, found.file, hint="drop a file, or type its path").strip().strip('"')
    if path and path != found.file:
        context.emit(commands.OpenDirections(path))
    if found.file:
        found = _add(found, (OWN_NUMBER, ADD_OWN, NEXT_OWN), context, len(names) or 4096)
    if button(OPEN):
        context.emit(commands.OpenDirections())
    imgui.same_line()
    if button(SAVE):
        context.emit(commands.SaveLatent())
    imgui.same_line()
    return reset_button(state.put(found), RESET, Directions)


def title(edit: Direction, shares: tuple[float, ...], names: tuple[str, ...]) -> tuple[str, str]:
    """What stands before a slider, and the share of variance behind it ("" for one's own)."""
    if edit.own:
        return (names[edit.number] if edit.number < len(names) else f"own {edit.number}"), ""
    return f"PC {edit.number}", number_text(100 * shares[edit.number], "%") if edit.number < len(shares) else MISSING


# ---------------------------------------------------------------------------------------------------- the sliders


def _list(directions: Directions, facts: NetworkFacts, shares: tuple[float, ...], names: tuple[str, ...]) -> Directions:
    changed = directions
    with columns("directions", WIDTHS_EM, rows=len(directions.edits) + 1) as visible:
        if not visible:
            return directions
        for heading in ("direction", "amount", "rows", "", ""):
            imgui.table_next_column()
            imgui.text_disabled(heading)
        for index, edit in enumerate(directions.edits):
            new = _row(index, edit, facts, title(edit, shares, names))
            if new is not edit:
                changed = directions.with_edit(index, new)
    return changed


def _row(index: int, edit: Direction, facts: NetworkFacts, titled: tuple[str, str]) -> Direction | None:
    """The edit after this frame, None where it was removed."""
    name, share = titled
    imgui.table_next_column()
    imgui.begin_group()
    imgui.align_text_to_frame_padding()
    imgui.text_unformatted(name)
    if share:
        imgui.same_line()
        imgui.text_disabled(share)
    imgui.end_group()
    said = f"Principal component {edit.number}: {share} of the variance of w." if share else f"{name}: direction {edit.number} of the file."
    imgui.set_item_tooltip(said)
    imgui.table_next_column()
    with item_width(-0.01):
        reason = f"w of this network has {facts.w_dim} components, counted from 0." if not edit.own and edit.number >= facts.w_dim else ""
        field = replace(AMOUNT, id=f"{AMOUNT.id}.{index}", unit="×" if edit.own else AMOUNT.unit)
        amount = slider_float(field, edit.amount, disabled=reason)
    first, last = _rows(index, edit, facts)
    imgui.table_next_column()
    if button(replace(REMOVE, id=f"{REMOVE.id}.{index}")):
        return None
    same = (amount, first, last) == (edit.amount, edit.first, edit.last)
    return edit if same else replace(edit, amount=amount, first=first, last=last)


def _rows(index: int, edit: Direction, facts: NetworkFacts) -> tuple[int, int]:
    """From which row to which; the last one of the network is kept as -1, so that it follows the network."""
    end = facts.num_ws - 1
    shown = (min(edit.first, end), end if edit.last < 0 else min(edit.last, end))
    found = []
    for field, value in zip((FIRST, LAST), shown, strict=True):
        imgui.table_next_column()
        text = f"{field.help}\n{row_help(facts, value)}"
        with item_width(-0.01):
            found.append(drag_int(replace(field, id=f"{field.id}.{index}", help=text, low=0, high=end, speed=0.1), value))
    first, last = found
    if (first, last) == shown:
        return edit.first, edit.last
    if first > last:  # whichever was dragged takes the other along
        first, last = (first, first) if first != shown[0] else (last, last)
    return first, -1 if last == end else last


# ---------------------------------------------------------------------------------------------------- adding


def _add(directions: Directions, kind: tuple[Field, Field, str], context: PanelContext, count: int) -> Directions:
    """A number and a plus; the number is the next one that is not in the list yet, unless another was typed."""
    field, add, kept = kind
    own = field is OWN_NUMBER
    taken = {edit.number for edit in directions.edits if edit.own == own}
    following = next((number for number in range(count) if number not in taken), count - 1)
    with columns(field.id, (0, ADD_EM)) as visible:
        if not visible:
            return directions
        imgui.table_next_column()
        number = input_int(replace(field, high=count - 1), context.scratch.get(kept, following))
        if number != context.scratch.get(kept, following):
            context.scratch[kept] = number
        imgui.table_next_column()
        if not button(add):
            return directions
    context.scratch.pop(kept, None)
    return directions.with_edit(len(directions.edits), Direction(number, own=own))


PANEL = Panel("Directions", "left", 25, draw, workspaces=(1,))
