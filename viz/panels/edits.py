"""Panel "Edits": channels of layers that are turned off, scaled, raised, thresholded or moved before the next layer sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gui_utils import theme
from gui_utils.controls import Field, button, checkbox, choice, drag_float, label_column, slider_float, text_input
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import color_scope, tooltip_scope
from viz.edit_text import channel_list, channels_text, layer_list, layers_text, what, where
from viz.groups.edits import editable, names
from viz.panels import Panel, PanelContext
from viz.panels.layers import SELECTED
from viz.panels.parts import NO_NETWORK, beside, columns, reset_button, wrapped_text
from viz.request import NetworkFacts, Picture
from viz.state import Channels, Edit, EditActivations, Tap, ViewState

CHOSEN, WRONG = "edits: chosen", "edits: wrong"  # what the panel keeps: which edit is changed below, and what was typed in vain
ON = Field("", "Edit.on", "Switches this edit on or off.", default=True)
EDIT = Field("", "Edit.select", "The controls below change this edit. Edits act in this order.")
UP = Field(icons.ICON_FA_ARROW_UP, "Edit.up", "Moves this edit up, before the one above.")
REMOVE = Field(icons.ICON_FA_XMARK, "Edit.remove", "Removes this edit.")
ADD = Field("Add", "EditActivations.add", "Adds an edit, of the channels on screen where a layer is on screen: a gain of 1, which changes "
            "nothing yet.")  # fmt: skip
RESET = Field("Reset", "EditActivations.reset", "The network as it is: no edits.")
HERE = Field("On screen", "Edit.here", "Takes the layer and the channels on screen. From a contact sheet, that is its page, in its "
             "order: the channels with the most energy, for example.")  # fmt: skip
LAYERS = Field("Layers", "Edit.layer_list", "Which layers: all, L3, L3-L5, or several with commas; input. In StyleGAN2 b16 or "
               "b16.conv1.")  # fmt: skip
CHANNELS = Field("Channels", "Edit.channel_list", "Which channels: all, 12, or 12-40,77.")
OPERATION = Field("", "Edit.operation", "Gain multiplies the channels, offset is added, threshold makes them 1 where they are above it "
                  "and 0 elsewhere, move shifts, turns and scales their picture. All of it after the layer's nonlinearity, before the next "
                  "layer.", default="gain")  # fmt: skip
OPERATIONS = {"gain": "gain", "offset": "offset", "threshold": "threshold", "move": "move"}
AMOUNTS = {
    "gain": Field("Gain", "Edit.gain", "0 turns the channels off, 1 leaves them, −1 inverts them. Equivariance stays.", "×", default=1.0,
                  low=-4, high=4, power=2),
    "offset": Field("Offset", "Edit.offset", "Added, in the values that the layer has: those under the cursor. The standard deviation of "
                    "what is on screen stands in the panel Channels. Equivariance stays.", default=0.0, low=-10, high=10, power=2),
    "threshold": Field("Threshold", "Edit.threshold", "In the values that the layer has. It is applied sample by sample, with no filter "
                       "around it.", default=0.0, low=-10, high=10, power=2),
}  # fmt: skip
NEUTRAL = {name: field.default for name, field in AMOUNTS.items()}
SHIFTS = {
    "x": Field("Right", "Edit.x", "How far the channels move to the right, on screen.", "widths", default=0.0, low=-1, high=1, decimals=3,
               power=2),
    "y": Field("Down", "Edit.y", "How far the channels move down, on screen.", "widths", default=0.0, low=-1, high=1, decimals=3, power=2),
}  # fmt: skip
TURN = Field("Turn", "Edit.turns", "Turns the channels about the middle of the image, counter-clockwise.", "°", default=0.0, low=-1e6,
             high=1e6, decimals=1, speed=0.25)  # fmt: skip
SCALE = Field("Scale", "Edit.scale", "Enlarges the channels about the middle of the image.", "×", default=1.0, low=0.1, high=10.0,
              logarithmic=True)  # fmt: skip
EMPTY = (
    "Nothing is edited. Add an edit, or turn channels off where you see them: in the panel Channels, or with a right-click in its sheet."
)
MOVED = "Band-limited, at the layer's own rate; what comes from beyond the layer's margin is 0."
NOT_HERE = "This network has no such layer or channel, so the edit changes nothing."
NO_LAYER = "Show a layer with a nonlinearity (panel Layers) first."
MIXED = "Principal components are not channels."
LABELS_EM = 6.0


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts, edits = context.network, state.get(EditActivations)
    if facts is None or not edits.edits:
        wrapped_text(NO_NETWORK if facts is None else EMPTY)
    chosen = max(0, min(context.scratch.get(CHOSEN, 0), len(edits.edits) - 1))
    before = edits
    if edits.edits:
        edits, chosen = _list(edits, facts, chosen)
    picture = context.frame.picture if context.frame is not None else None
    if button(ADD, disabled=NO_NETWORK if facts is None else ""):
        edits, chosen = edits.with_edit(len(edits.edits), on_screen(Edit(), state, facts, picture)), len(edits.edits)
    beside(RESET)
    state = reset_button(state.put(edits), RESET, EditActivations)
    edits = state.get(EditActivations)
    if len(edits.edits) != len(before.edits) or chosen != context.scratch.get(CHOSEN, 0):
        context.scratch.pop(WRONG, None)
    context.scratch[CHOSEN] = chosen
    if not edits.edits:
        return state
    old = edits.edits[chosen]
    imgui.separator_text(f"{chosen + 1}: {where(old)}")
    reason = no_channels(state, facts)
    new = old
    with label_column(LABELS_EM):
        new = _typed(new, context, facts)
        if button(HERE, disabled=reason):
            new = on_screen(new, state, facts, picture)
            context.scratch.pop(WRONG, None)
        new = _amount(new)
    return state if new == old else state.put(edits.with_edit(chosen, new))


def no_channels(state: ViewState, facts: NetworkFacts | None) -> str:
    """Why what is on screen are no channels that can be edited; "" if they can."""
    if facts is None:
        return NO_NETWORK
    if facts.tap(state.get(Tap).layer) not in editable(facts.taps):
        return NO_LAYER
    return MIXED if state.get(Channels).mode == "pca" else ""


def on_screen(edit: Edit, state: ViewState, facts: NetworkFacts | None, picture: Picture | None) -> Edit:
    """The edit for the layer and the channels that are on screen, where there are such."""
    if facts is None or picture is None or no_channels(state, facts) or picture.tap != facts.tap_name(state.get(Tap).layer):
        return edit
    chosen = () if len(picture.channels) == picture.total_channels else tuple(sorted(set(picture.channels)))
    return replace(edit, layers=names(facts.tap(picture.tap))[:1], channels=chosen)


# ---------------------------------------------------------------------------------------------------- the list


def _list(edits: EditActivations, facts: NetworkFacts | None, chosen: int) -> tuple[EditActivations, int]:
    """Every edit with its switch; a click chooses the one that is changed below."""
    changed = edits
    with columns("edits", (1.6, 0, 1.9, 1.9), rows=len(edits.edits)) as visible:
        for index, edit in enumerate(edits.edits if visible else ()):
            imgui.table_next_column()
            on = checkbox(replace(ON, id=f"{ON.id}.{index}"), edit.on)
            if on != edit.on:
                changed, chosen = edits.with_edit(index, replace(edit, on=on)), index
            imgui.table_next_column()
            if _selectable(index, edit, facts, chosen == index):
                chosen = index
            imgui.table_next_column()
            if button(replace(UP, id=f"{UP.id}.{index}"), disabled="" if index else "This one acts first."):
                order = [*edits.edits[: index - 1], edit, edits.edits[index - 1], *edits.edits[index + 1 :]]
                changed, chosen = replace(edits, edits=tuple(order)), index - 1
            imgui.table_next_column()
            if button(replace(REMOVE, id=f"{REMOVE.id}.{index}")):
                changed, chosen = edits.with_edit(index, None), max(0, chosen - (chosen >= index))
    return changed, chosen


def _selectable(index: int, edit: Edit, facts: NetworkFacts | None, is_chosen: bool) -> bool:
    text, absent = f"{where(edit)} {what(edit)}", facts is not None and edit.changes and not acts(edit, facts)
    imgui.align_text_to_frame_padding()
    dim = imgui.get_style_color_vec4(imgui.Col_.text_disabled if not edit.on else imgui.Col_.text)
    ink = theme.WARNING if absent else (dim.x, dim.y, dim.z, dim.w)
    with color_scope(header=SELECTED, text=ink):
        clicked, _ = imgui.selectable(f"{text}###{EDIT.id}.{index}", is_chosen)
    with tooltip_scope() as shown:
        if shown:
            imgui.text_unformatted(f"{text}\n{NOT_HERE if absent else EDIT.help}")
    return clicked


def acts(edit: Edit, facts: NetworkFacts) -> bool:
    """Whether the network has any of what the edit names."""
    return any(edit.at(tap) for tap in edit.layers_among(facts.taps))


# ---------------------------------------------------------------------------------------------------- one edit


def _typed(edit: Edit, context: PanelContext, facts: NetworkFacts | None) -> Edit:
    """Layers and channels as text; what cannot be read changes nothing, and is said."""
    known = f" This network has {layers_text([names(tap)[0] for tap in editable(facts.taps)], '–')}." if facts is not None else ""
    layers = text_input(replace(LAYERS, help=LAYERS.help + known), before := layers_text(edit.layers))
    if layers != before:
        edit = replace(edit, layers=_read(layer_list, layers, edit.layers, context))
    channels = text_input(CHANNELS, before := channels_text(edit.channels))
    if channels != before:
        edit = replace(edit, channels=_read(channel_list, channels, edit.channels, context))
    if wrong := context.scratch.get(WRONG):
        with color_scope(text=theme.ERROR):
            wrapped_text(wrong, dim=False)
    return edit


def _read(read: Callable[[str], Any], text: str, old: Any, context: PanelContext) -> Any:
    context.scratch.pop(WRONG, None)
    try:
        return read(text)
    except ValueError as e:
        context.scratch[WRONG] = str(e)
        return old


def _amount(edit: Edit) -> Edit:
    operation = choice(OPERATION, edit.operation, OPERATIONS)
    if operation != edit.operation:
        edit = replace(edit, operation=operation, amount=NEUTRAL.get(operation, 1.0))
    if operation != "move":
        return replace(edit, amount=slider_float(AMOUNTS[operation], edit.amount))
    x, y = (slider_float(SHIFTS[axis], getattr(edit, axis)) for axis in ("x", "y"))
    degrees = edit.turns * 360
    new = drag_float(TURN, degrees)
    edit = replace(edit, x=x, y=y, turns=edit.turns if new == degrees else new / 360, scale=slider_float(SCALE, edit.scale))
    wrapped_text(MOVED)
    return edit


PANEL = Panel("Edits", "right", 38, draw, workspaces=(2, 4))
