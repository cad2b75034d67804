"""Overlay "Flow": arrows over the picture that say which way fine detail moves when the pose moves, and whether it is attached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, choice, input_int, slider_float
from gui_utils.libraries import imgui
from gui_utils.text import MISSING, number_text
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.flow import FINE
from viz.analysis.parts import headline, over_the_picture, progress, result_of, switch, without_grid
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.panels.parts import beside
from viz.request import OverlayArrows, OverlayImage, OverlayResult
from viz.state import Flow, Pose, ViewState

if TYPE_CHECKING:
    from viz.analysis.flow import Motion
    from viz.stages import Run

NAME = "flow"
ARROWS, MAP = f"{NAME}.arrows", f"{NAME}.attached"
IMAGES = {ARROWS: "arrows", MAP: "arrows over the share attached"}
ARROW_CELLS = 0.75  # length of the longest expected arrow, in distances between patches
BINS = np.linspace(-0.25, 1.25, 31)


@dataclass(frozen=True)
class Attachment:
    """What the window knows of a Motion: the mean, the part of the detail that makes less than half of the motion, each patch's
    share and weight."""

    count: int
    total: int
    low: float
    attached: float | None
    stuck_share: float | None
    shares: tuple[float, ...]
    weights: tuple[float, ...]


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    from viz.analysis.flow import flow
    from viz.stages.synthesis import conditions, pose_matrix

    ready, options = run.inputs["load"], run.view.get(Flow)
    if not ready.facts.has_pose:
        yield OverlayResult()
        return
    ws, pose, rate = run.inputs["latent"].ws, pose_matrix(run.view, ready), ready.facts.resolution
    for found in flow(ready.network, ws, pose, options, conditions(run), run.superseded):
        yield None if found is None else OverlayResult(attachment(found, rate), found.count / found.total, images_of(found, rate))


def attachment(found: Motion, rate: float) -> Attachment:
    shares, weights = (tuple(float(v) for v in values) for values in (found.along, found.weight))
    return Attachment(found.count, found.total, FINE * rate, found.attached, found.stuck_share, shares, weights)


def images_of(found: Motion, rate: float) -> dict[str, OverlayImage]:
    asked = found.weight > 0
    if not asked.any():
        return {}
    rows, columns = found.grid
    longest_px = float(np.hypot(*found.expected_px[asked].T).max())
    step = float(np.ptp(found.centres[:, 0])) / (columns - 1) if columns > 1 else 1.0  # image widths between patches
    scale = ARROW_CELLS * step / max(longest_px, 1e-9)
    arrows = OverlayArrows(found.centres[asked], found.measured_px[asked] * scale, found.expected_px[asked] * scale, found.along[asked])
    shares, mask = (values.reshape(rows, columns) for values in (found.along.astype(np.float32), asked))
    rect = ((columns - 1 / step) / 2, (rows - 1 / step) / 2, (columns + 1 / step) / 2, (rows + 1 / step) / 2)
    nothing = np.zeros((0, 0), np.float32)
    return {
        ARROWS: OverlayImage("share attached", nothing, rect, 0.0, 1.0, "viridis", arrows=arrows),
        MAP: OverlayImage("share attached", shares, rect, 0.0, 1.0, "viridis", mask=mask, arrows=arrows),
    }


OVERLAY = Overlay(NAME, Flow, (*LATENT, *CONDITIONS, Pose), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Flow of detail", "Flow.on", "Moves the pose a little and looks, patch by patch, how far fine detail moves.", default=False)
OVER = Field("", "Flow.over", "Shifts in all directions, or turns both ways.", default="shift")
OVERS_EM, CONTROLS_EM = 9.5, 9.5  # width of the two choices; height of what stands below the result
OVERS = {"shift": "shift", "turn": "turn"}
REACH = Field("Reach", "Flow.reach_px", "How far the pose moves; turning, at the middle of the image's edge. Less than half the period of "
              "the finest detail, or that may be mistaken for the period beside it.", "px", default=0.5, low=0.05, high=8,
              power=2)  # fmt: skip
NUM = Field("Poses", "Flow.num", "How many poses around the current one.", default=8, low=1, high=10_000)
IMAGE = Field("Show", "Flow.image", "White arrows: where detail should go. Coloured ones: where it goes, a dot if nowhere.", default="")

OFF = "Moves the pose a little and follows the fine detail of the pictures: does it go along, or stay on the pixels?"


def draw(state: ViewState, context: PanelContext) -> ViewState:
    reason = without_grid(context.network)
    state = switch(state, ON, Flow, disabled=reason)
    beside(OVERS_EM, gap_em=1)
    state = state.edit(Flow, over=choice(OVER, state.get(Flow).over, OVERS, disabled=reason))
    options = state.get(Flow)
    result = result_of(context, NAME) if options.on and not reason else None
    found: Attachment | None = result.values if result is not None else None
    if not reason:
        state = progress(state, Flow, result, f"{found.count if found else 0} of {options.num} poses", stays=True)
    if reason or not options.on:
        state = invitation(state, ON, Flow, OFF, disabled=reason, fill=False)
    else:
        headline(*texts(found))
        _distribution(found)
    state = over_the_picture(state, IMAGE, IMAGES, Flow, disabled=reason)
    options = state.get(Flow)
    state = state.put(
        replace(
            options,
            reach_px=slider_float(REACH, options.reach_px, disabled=reason),
            num=input_int(NUM, options.num, disabled=reason),
        )
    )
    return state


def texts(found: Attachment | None) -> tuple[str, str, str]:
    if found is None:
        return "detail attached", MISSING, OFF
    attached, stuck = (number_text(None if v is None else 100 * v, "%") for v in (found.attached, found.stuck_share))
    note = f"100 %: it moves with the pose; 0 %: it stays on the pixels. {stuck} of the detail makes less than half of the motion."
    return f"detail attached, from {number_text(found.low, decimals=0)} cycles per image", attached, note


def _distribution(found: Attachment | None) -> None:
    """How much of the detail is attached how well: a histogram over patches, each counting by its detail."""
    heights, room_em = np.zeros(len(BINS) - 1), imgui.get_content_region_avail().y / imgui.get_font_size()
    if found is not None and sum(found.weights) > 0:
        weights = np.array(found.weights) / sum(found.weights)
        heights = 100 * np.histogram(np.clip(found.shares, BINS[0], BINS[-1]), BINS, weights=weights)[0]
    axes = plots.Axes("share of the motion made", "% of detail", x=(BINS[0], BINS[-1]), y=(0, max(10.0, 1.1 * heights.max())), follow=True,
                      legend="")  # fmt: skip
    with plots.plot("##attached", axes, (-1, max(6.2, min(9.0, room_em - CONTROLS_EM)))) as shown:
        if shown:
            plots.bars("% of detail", (BINS[:-1] + BINS[1:]) / 2, heights, BINS[1] - BINS[0], plots.series_color(0))
            plots.vertical_line(0.0, "stuck")
            plots.vertical_line(1.0, "attached")


PANEL = Panel("Flow", "right", 72, draw, workspaces=(4, 5))
