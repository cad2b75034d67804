"""Overlay "Sweep": dB over shifts from 0 to 1 pixel, or over all angles. Click a point to go to that pose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, choice, input_int
from gui_utils.libraries import imgui
from gui_utils.scopes import item_width
from gui_utils.text import number_text
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.layer_chart import finite
from viz.analysis.parts import progress, result_of, switch, without_grid
from viz.analysis.polar import draw_polar, nearest
from viz.canvas.gestures import wrapped
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.panels.parts import beside, wrapped_text
from viz.request import NetworkFacts, OverlayResult
from viz.state import Pose, Sweep, ViewState

if TYPE_CHECKING:
    from viz.analysis.equivariance import SweepPoint
    from viz.stages import Run

NAME = "sweep"
SHIFTS_PX = tuple(i / 16 for i in range(17))
ANGLES_TURNS = tuple(i / 48 for i in range(49))


@dataclass(frozen=True)
class Curve:
    """Points measured so far, in order, out of `total`; values in pixels or turns."""

    over: str
    points: tuple[SweepPoint, ...]
    total: int


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    from viz.analysis.equivariance import sweep_angle, sweep_shift
    from viz.stages.synthesis import conditions

    ready, over = run.inputs["load"], run.view.get(Sweep).over
    if not ready.facts.has_pose:
        yield OverlayResult()
        return
    measure, values = (sweep_shift if over == "shift" else sweep_angle), places(run.view.get(Sweep))
    points: tuple[SweepPoint, ...] = ()
    for point in measure(ready.network, run.inputs["latent"].ws, values, conditions(run), run.superseded):
        if point is None:
            yield None
            continue
        points = (*points, point)
        yield OverlayResult(Curve(over, points, len(values)), len(points) / len(values))


def places(options: Sweep) -> tuple[float, ...]:
    """Where the curve is measured, in pixels or turns: `num` points from 0 to 1, both ends among them."""
    usual = SHIFTS_PX if options.over == "shift" else ANGLES_TURNS
    return usual if options.num < 2 else tuple(i / (options.num - 1) for i in range(options.num))


OVERLAY = Overlay(NAME, Sweep, (*LATENT, *CONDITIONS), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Sweep", "Sweep.on", "Compares this latent's picture with the transformed one over a range of poses.", default=False)
OVER = Field("", "Sweep.over", "Shifts to the right from 0 to 1 pixel, or turns all the way around.", default="shift")
AUTOMATIC = "automatic"
OVERS = {"shift": "shift", "angle": "angle"}
NUM = Field("Points", "Sweep.num", "How many poses are compared; 0: 17 shifts, or 49 angles.", default=0, low=0, high=10_000)
NOTES = {
    "shift": "Whole shifts are exact; between them the six-tap reference has a small error of its own, which caps the curve.",
    "angle": "Quarter turns map the grid onto itself; a network that is only symmetric to those peaks there.",
}
ONE_ROW_EM = 34.0  # of the switches; narrower panels have two
OVERS_EM = 9.5  # of the two choices
EMPTY = "dB over sub-pixel shifts (dips between whole pixels are aliasing), or over angles. Click a point to go there."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    reason = without_grid(facts)
    em = imgui.get_font_size()
    one_row = imgui.get_content_region_avail().x > ONE_ROW_EM * em
    state = switch(state, ON, Sweep, disabled=reason)
    beside(OVERS_EM, gap_em=1)
    state = state.edit(Sweep, over=choice(OVER, state.get(Sweep).over, OVERS, disabled=reason))
    if one_row:
        imgui.same_line(0, em)
    with item_width(9):
        num = state.get(Sweep).num
        state = state.edit(Sweep, num=input_int(NUM, num, disabled=reason, shown="" if num else AUTOMATIC))
    if facts is None or reason or not state.get(Sweep).on:
        return invitation(state, ON, Sweep, EMPTY, disabled=reason)
    result = result_of(context, NAME)
    curve: Curve | None = result.values if result is not None else None
    if curve is not None and curve.over != state.get(Sweep).over:
        curve = None  # the frame of a moment ago
    state = progress(state, Sweep, result, f"{len(curve.points)} of {curve.total} poses" if curve else "")
    return _plots(state, facts, curve)


def _plots(state: ViewState, facts: NetworkFacts, curve: Curve | None) -> ViewState:
    """Against the shift; or against the angle, around a circle and along an axis."""
    over, points = state.get(Sweep).over, curve.points if curve else ()
    unit = 360.0 if over == "angle" else 1.0
    x, y = np.array([p.value * unit for p in points]), np.array([finite(p.db) for p in points])
    here = place(state.get(Pose), over, facts.resolution)
    here = None if here is None else here * unit
    room, em = imgui.get_content_region_avail(), imgui.get_font_size()
    note_em = imgui.calc_text_size(NOTES[over], False, room.x).y / em + 0.6
    height_em, clicked = max(5.5, room.y / em - note_em), None
    if over == "angle":
        beside = room.x / em > 1.6 * height_em  # else one above the other
        side_em = height_em if beside else min(room.x / em, 0.6 * height_em)
        clicked = draw_polar(x, y, here, side_em)
        if beside:
            imgui.same_line()
        else:
            height_em = max(6.0, height_em - side_em)
    on_axis = _along(over, x, y, here, height_em)
    clicked = on_axis if clicked is None else clicked
    if clicked is not None and points:
        state = go_to(state, points[clicked].value, facts.resolution)
    wrapped_text(NOTES[over])
    return state


def _along(over: str, x: np.ndarray, y: np.ndarray, here: float | None, height_em: float) -> int | None:
    """dB along an axis. Returns the index of the point that was clicked, None for none."""
    known = y[np.isfinite(y)]
    low, high = (float(known.min()) - 4, float(known.max()) + 6) if len(known) else (0.0, 70.0)
    label, end = ("degrees, counter-clockwise", 360.0) if over == "angle" else ("shift to the right (pixels)", 1.0)
    axes = plots.Axes(label, "dB", x=(0.0, end), y=(low, high), follow=True, legend="")
    with plots.plot(f"##sweep {over}", axes, (-1, height_em)) as shown:
        if not shown:
            return None
        plots.line("dB", x, y, plots.series_color(0))
        if here is not None:
            plots.vertical_line(here, "", plots.series_color(1))
        at = plots.cursor_text(lambda at, _: text_at(x, y, at, "°" if over == "angle" else "px"))
        return nearest(x, at[0]) if at is not None and imgui.is_mouse_clicked(0) else None


def text_at(x: np.ndarray, y: np.ndarray, at: float, unit: str) -> str:
    i = nearest(x, at)
    if i is None:
        return number_text(at, unit, 2)
    return f"{number_text(float(x[i]), unit, 2)}: {number_text(float(y[i]), 'dB')}"


def place(pose: Pose, over: str, resolution: int) -> float | None:
    """Where the pose on screen lies on the axis (pixels or turns); None where it is not on it at all."""
    if over == "angle":
        return pose.turns % 1.0 if (pose.x, pose.y) == (0, 0) and not pose.deformed else None
    shift = pose.x * resolution
    return shift if (pose.y, pose.turns) == (0, 0) and not pose.deformed and 0 <= shift <= 1 else None


def go_to(state: ViewState, value: float, resolution: int) -> ViewState:
    """The pose of a point of the curve."""
    if state.get(Sweep).over == "angle":
        return state.put(Pose(turns=wrapped(value), snap=state.get(Pose).snap))
    return state.put(Pose(x=value / resolution))


PANEL = Panel("Sweep", "bottom", 30, draw, workspaces=(4,))
