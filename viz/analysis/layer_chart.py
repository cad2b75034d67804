"""Overlay "By layer": how well every layer follows the pose, as bars: where equivariance breaks. Click a bar to look at that layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field
from gui_utils.libraries import imgui, implot
from gui_utils.text import MISSING, number_text
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.parts import progress, result_of, switch, without_grid
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.panels.parts import wrapped_text
from viz.request import LayerColumn, NetworkFacts, OverlayResult
from viz.state import LayerEquivariance, Pose, Tap, ViewState

if TYPE_CHECKING:
    from viz.stages import Run

NAME = "by layer"
COLUMN = (
    "How well the layer follows this pose: its own variance over the error, in dB. "
    "EQ-T and EQ-R have the square of the full range (2) in place of the variance, which is larger, the more so at low contrast."
)


@dataclass(frozen=True)
class Layers:
    """(name, signal over error in dB) in order of computation, as far as measured; `posed`: whether there is a pose to follow."""

    found: tuple[tuple[str, float | None], ...]
    posed: bool = True


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult]:
    from viz.analysis.equivariance import per_layer
    from viz.stages.synthesis import conditions, pose_matrix

    ready = run.inputs["load"]
    pose = pose_matrix(run.view, ready)
    if not ready.facts.has_pose or pose == Pose().matrix():
        yield OverlayResult(Layers((), posed=False) if ready.facts.has_pose else None)
        return
    found: tuple[tuple[str, float | None], ...] = ()
    for layer in per_layer(ready.network, run.inputs["latent"].ws, pose, conditions(run)):
        found = (*found, (layer.name, layer.signal_db))
        column = LayerColumn("EQ, dB", COLUMN, dict(found))
        yield OverlayResult(Layers(found), len(found) / len(ready.facts.taps), columns=(column,))


OVERLAY = Overlay(NAME, LayerEquivariance, (*LATENT, *CONDITIONS, Pose), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("By layer", "LayerEquivariance.on", "Makes the same comparison at every layer, each at its own sampling rate and with its "
           "margin: the layer's own variance over the error, in dB.", default=False)  # fmt: skip
IDENTITY = "The pose is the identity. Move or turn the picture to see which layers follow."
MEANING = "Each layer's own variance over its error."
EMPTY = "Where equivariance breaks: one bar for each layer. Click a bar to look at its layer."
NAME_EM, MARGINS_EM = 2.1, 4.0  # room for the name of a layer, and beside the plot


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    reason = without_grid(facts)
    state = switch(state, ON, LayerEquivariance, disabled=reason)
    if facts is None or reason or not state.get(LayerEquivariance).on:
        return invitation(state, ON, LayerEquivariance, EMPTY, disabled=reason)
    result = result_of(context, NAME)
    layers: Layers | None = result.values if result is not None else None
    state = progress(state, LayerEquivariance, result, f"{len(layers.found) if layers else 0} of {len(facts.taps)} layers")
    if layers is not None and not layers.posed:
        wrapped_text(IDENTITY)
        return state
    wrapped_text(MEANING)
    return _bars(state, facts, layers.found if layers else ())


def tick_names(facts: NetworkFacts, room_em: float) -> list[str]:
    """Of every layer, such as L5; where there is no room, of every second or third."""
    step = math.ceil(NAME_EM * len(facts.taps) / max(1.0, room_em - MARGINS_EM))
    return [tap.name.split("_")[0] if i % step == 0 else "" for i, tap in enumerate(facts.taps)]


@contextmanager
def layer_plot(name: str, facts: NetworkFacts, y_db: tuple[float, float], *, legend: str = "") -> Iterator[bool]:
    """A plot over the layers, which stand at 0, 1, ...; yields whether it is visible."""
    count, width_em = len(facts.taps), imgui.get_content_region_avail().x / imgui.get_font_size()
    with plots.plot(name, plots.Axes("", "dB", x=(-0.6, count - 0.4), y=y_db, follow=True, legend=legend), (-1, -7)) as shown:
        if shown:
            implot.setup_axis_ticks(implot.ImAxis_.x1, list(map(float, range(count))), tick_names(facts, width_em))
        yield shown


def clicked_layer(state: ViewState, facts: NetworkFacts, mouse: tuple[float, float] | None) -> ViewState:
    """With the layer on screen that was clicked, in such a plot."""
    index = -1 if mouse is None or not imgui.is_mouse_clicked(0) else round(mouse[0])
    if not 0 <= index < len(facts.taps):
        return state
    return state.edit(Tap, layer="" if index == len(facts.taps) - 1 else facts.taps[index].name)


def finite(db: float | None) -> float:
    """What can be drawn; nan for no number and for no error at all."""
    return db if db is not None and math.isfinite(db) else math.nan


def _bars(state: ViewState, facts: NetworkFacts, found: tuple[tuple[str, float | None], ...]) -> ViewState:
    heights = np.array([finite(db) for _, db in found])
    known = heights[np.isfinite(heights)]
    low, high = (min(0.0, float(known.min()) - 3), float(known.max()) + 6) if len(known) else (0.0, 60.0)
    with layer_plot("##by layer", facts, (low, high)) as shown:
        if not shown:
            return state
        selected = facts.taps.index(facts.tap(state.get(Tap).layer))
        plots.bars("dB", np.arange(len(heights)), np.nan_to_num(heights), 0.7, plots.series_color(0))
        if selected < len(heights):
            plots.bars("selected", np.array([selected]), np.nan_to_num(heights[selected : selected + 1]), 0.7, plots.series_color(1))
        return clicked_layer(state, facts, plots.cursor_text(lambda x, _: text_of(facts, found, round(x))))


def text_of(facts: NetworkFacts, found: tuple[tuple[str, float | None], ...], index: int) -> str:
    if not 0 <= index < len(facts.taps):
        return MISSING
    return f"{facts.taps[index].name}: {number_text(found[index][1] if index < len(found) else None, 'dB')}"


PANEL = Panel("By layer", "bottom", 20, draw, workspaces=(4,))
