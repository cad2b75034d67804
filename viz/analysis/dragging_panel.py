"""Panel "Drag points": places handles and targets on the picture, starts and stops, keeps what came out or discards it."""

from __future__ import annotations

import math
from dataclasses import replace

from gui_utils.controls import Field, button, checkbox, choice, combo, input_int, section, slider_float
from gui_utils.libraries import icons, imgui
from gui_utils.text import MISSING, number_text
from viz import commands
from viz.analysis.dragging import NAME, NO_POINTS, PICTURE, Progress, followed, rows_of
from viz.analysis.parts import result_of
from viz.canvas.drag_points import ON_A_SHEET
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, columns, reset_button, wrapped_text
from viz.request import NetworkFacts
from viz.state import Channels, DragPair, DragPoints, DragPointsView, OverlayView, ViewState

PLACE = Field("Place points", "DragPointsView.place", "A left-drag on the picture, from a handle to its target, then places a pair. "
              "Ends can be dragged; a right-click removes the pair. Off: a drag walks on the seeds, as always.", default=False)  # fmt: skip
START = Field("Start", "DragPoints.run", "Moves what is under the handles towards the targets, step by step, behind the picture.")
STOP = Field("Stop", "DragPoints.run.stop", "Pauses at this step.")
GO_ON = Field("Go on", "DragPoints.run.again", "Continues from this step.")
KEEP = Field("Keep", "DragPoints.keep_it", "Saves the latent as .npz in the captures folder and makes it the view's own, neither truncated "
             "nor mixed nor moved. The handles stay where they are now.")  # fmt: skip
DISCARD = Field("Discard", "DragPoints.discard", "Back to the picture that was dragged. The points stay.")
RESET = Field("Reset", "DragPoints.reset", "No points, nothing dragged, default settings.")
REMOVE = Field(icons.ICON_FA_XMARK, "DragPoints.remove", "Removes this pair.")
LAYER = Field("Layer", "DragPoints.layer", "Whose features are followed. Late layers see details and run slowly; early ones see coarse "
              "shapes.", default="")  # fmt: skip
MOTION_RADIUS = Field("Moved within", "DragPoints.motion_radius", "Radius around a handle of what is moved one sample towards the target.",
                      "widths", symbol="r1", default=0.04, low=0, high=0.25, decimals=3)  # fmt: skip
TRACKING_RADIUS = Field("Found within", "DragPoints.tracking_radius", "How far from its last place a handle is looked for after a step.",
                        "widths", symbol="r2", default=0.05, low=0, high=0.25, decimals=3)  # fmt: skip
FIRST = Field("First row", "DragPoints.first", "The first row of ws that may change. From 1 on, the pose that the network learns from row "
              "0 stays.", default=0, high=255)  # fmt: skip
LAST = Field("Last row", "DragPoints.last", "The last row of ws that may change; −1: that of the layer. Later rows do not affect it.",
             default=-1, low=-1, high=255)  # fmt: skip
STEP_SIZE = Field("Step size", "DragPoints.step_size", "How far a step moves w, against its spread.", default=0.01, low=1e-4, high=0.1,
                  decimals=4, logarithmic=True)  # fmt: skip
STEPS = Field("Steps", "DragPoints.steps", "Ends after this many, or earlier when all handles have arrived.", default=200, low=1,
              high=10_000)  # fmt: skip
SIDE = Field("Must stay", "DragPoints.keep", "The side of a circle on the picture that should not change. Its centre and its rim can be "
             "dragged while points are placed.", default="")  # fmt: skip
SIDES = {"": "nothing", "inside": "inside", "outside": "outside"}
WEIGHT = Field("Weight", "DragPoints.weight", "How much staying counts against moving.", symbol="λ", default=3.0, low=0, high=100,
               decimals=1, power=3)  # fmt: skip
EMPTY = "Tick “Place points”, then drag on the picture from what should move to where it should go."
ENDED = "It has ended: keep it, move a target, or allow more steps."
LIMITS = (
    "Handles follow features, not things: give them something distinct. A straight edge can slide along itself, and the bundled landscapes "
    "may grow what they cannot move."
)
NO_RESULT, NO_STEP = "No result is shown.", "Nothing has moved yet."
WIDTHS_EM = (1.4, 0, 5.0, 1.9)


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    sheet = ON_A_SHEET if state.get(Channels).mode == "sheet" else ""
    reason = NO_NETWORK if facts is None else sheet
    state = state.edit(DragPointsView, place=checkbox(PLACE, state.get(DragPointsView).place, disabled=reason))
    imgui.same_line(0, imgui.get_font_size())
    shown = state.get(DragPoints).on
    state = reset_button(state, RESET, DragPoints)
    state = discarded(state) if shown and not state.get(DragPoints).on else state
    found = _found(state, context)
    state = _pairs(state, found, facts)
    state = _buttons(state, found, context, reason="" if facts is not None else NO_NETWORK)
    if found is not None:
        wrapped_text(_said(found, state.get(DragPoints)), dim=False)
    with section("How") as opened:
        state = _settings(state, facts) if opened else state
    return state


def _found(state: ViewState, context: PanelContext) -> Progress | None:
    """The newest result, if it is an answer to these points."""
    points = state.get(DragPoints)
    result = result_of(context, NAME) if points.on else None
    if result is None or context.frame is None or context.frame.request.view.get(DragPoints).pairs != points.pairs:
        return None
    return result.values


def _ended(found: Progress | None, points: DragPoints) -> bool:
    return found is not None and (found.done or found.step >= points.steps)


def _said(found: Progress, points: DragPoints) -> str:
    rate = f", {number_text(found.steps_per_s, decimals=1)} steps/s" if found.steps_per_s else ""
    how = "Stopped at" if points.stopped_at else "Ended after" if found.step >= points.steps else "Step"
    if found.done:
        how = "Arrived, or slid, after" if found.slid.any() else "Arrived after"
    return f"{how} {found.step} of {points.steps}{rate}, by {found.layer}, rows {found.rows[0]} to {found.rows[1]} of ws"


# ---------------------------------------------------------------------------------------------------- the points


def _pairs(state: ViewState, found: Progress | None, facts: NetworkFacts | None) -> ViewState:
    """One line a pair: how long its way is, and how many pixels of the picture are still to go."""
    points = state.get(DragPoints)
    if not points.pairs:
        wrapped_text(EMPTY)
        return state
    with columns("drag points", WIDTHS_EM, rows=len(points.pairs) + 1) as visible:
        if not visible:
            return state
        for heading in ("", "way", "to go", ""):
            imgui.table_next_column()
            imgui.text_disabled(heading)
        for index, pair in enumerate(points.pairs):
            if _row(index, pair, found, facts):
                state = state.put(points.with_pair(index, None))
    return state


def slid_text(doubt: float, resolution: int) -> str:
    """Of a handle that may not be on what it began on."""
    return f"It may have slid: {number_text(doubt * resolution, 'px', 1)} from where it began, it looked no less alike."


def _row(index: int, pair: DragPair, found: Progress | None, facts: NetworkFacts | None) -> bool:
    """Whether the pair is to be removed."""
    imgui.table_next_column()
    imgui.align_text_to_frame_padding()
    imgui.text_unformatted(str(index + 1))
    imgui.table_next_column()
    imgui.text_unformatted(number_text(math.dist(pair.handle, pair.target), "widths", 3))
    places = [number_text(value, decimals=3) for value in (*pair.handle, *pair.target)]
    imgui.set_item_tooltip("From {}, {} to {}, {}, in image widths from the centre.".format(*places))
    imgui.table_next_column()
    known = found is not None and facts is not None and index < len(found.distances)
    if known and found and facts:
        text = number_text(float(found.distances[index]) * facts.resolution, "px", 1)
        mark = icons.ICON_FA_QUESTION if found.slid[index] else icons.ICON_FA_CHECK
        imgui.text_unformatted(f"{text} {mark}" if found.arrived[index] else text)
        if found.slid[index]:
            imgui.set_item_tooltip(slid_text(float(found.doubts[index]), facts.resolution))
    else:
        imgui.text_unformatted(MISSING)
    imgui.table_next_column()
    return button(replace(REMOVE, id=f"{REMOVE.id}.{index}"))


def _buttons(state: ViewState, found: Progress | None, context: PanelContext, *, reason: str) -> ViewState:
    points = state.get(DragPoints)
    reason = reason or ("" if points.pairs else NO_POINTS)
    if points.on and not points.stopped_at and not _ended(found, points):
        if button(STOP, disabled=reason):
            step = found.step if found is not None else 0
            state = state.edit(DragPoints, stopped_at=step) if step else discarded(state)
    elif button(GO_ON if points.on else START, disabled=reason or (ENDED if _ended(found, points) else "")):
        state = state.edit(DragPoints, on=True, stopped_at=0).put(OverlayView(PICTURE))
    imgui.same_line()
    nothing = "" if found is not None and found.step else NO_STEP
    if button(KEEP, disabled=nothing) and found is not None:
        context.emit(commands.UseLatent(found.ws, (kept(points, found),)))
    imgui.same_line()
    if button(DISCARD, disabled="" if points.on else NO_RESULT):
        state = discarded(state)
    return state


def kept(points: DragPoints, found: Progress) -> DragPoints:
    """The points once the result is the view's own: handles stand where they have got to."""
    pairs = (replace(pair, x=float(x), y=float(y)) for pair, (x, y) in zip(points.pairs, found.handles, strict=True))
    return replace(points, on=False, stopped_at=0, pairs=tuple(pairs))


def discarded(state: ViewState) -> ViewState:
    """Without the result; its picture no longer lies over the view's."""
    state = state.edit(DragPoints, on=False, stopped_at=0)
    return state.reset(OverlayView) if state.get(OverlayView).image == PICTURE else state


# ---------------------------------------------------------------------------------------------------- settings


def _settings(state: ViewState, facts: NetworkFacts | None) -> ViewState:
    points = state.get(DragPoints)
    layers = {"": "chosen by its rate"}
    if facts is not None:
        chosen = followed(facts.taps, facts.resolution)
        layers = {"": f"{chosen.name} (by its rate)", **{tap.name: tap.name for tap in facts.taps[:-1]}}
        if points.layer and points.layer not in layers:
            layers[points.layer] = f"{points.layer} (not in this network)"
    points = replace(
        points,
        layer=combo(LAYER, points.layer, layers),
        motion_radius=slider_float(MOTION_RADIUS, points.motion_radius),
        tracking_radius=slider_float(TRACKING_RADIUS, points.tracking_radius),
        first=input_int(FIRST, points.first),
        last=input_int(LAST, points.last),
        step_size=slider_float(STEP_SIZE, points.step_size),
        steps=input_int(STEPS, points.steps),
        keep=choice(SIDE, points.keep, SIDES),
        weight=slider_float(WEIGHT, points.weight, disabled="" if points.keep else "Nothing must stay."),
    )
    if facts is not None and not rows_of(points, facts.taps, followed(facts.taps, facts.resolution, points.layer)):
        wrapped_text("The layer depends on none of these rows.", dim=False)
    wrapped_text(LIMITS)
    return state.put(points)


PANEL = Panel("Drag points", "left", 91, draw, workspaces=(1,))
