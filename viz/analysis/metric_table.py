"""Overlay "Metrics": EQ-T, EQ-T_frac and EQ-R of the network over many samples, with 95 % intervals: the numbers of `metrics`."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, button, checkbox, input_int, label_column
from gui_utils.text import MISSING, number_text
from networks.measures.comparison import KINDS, LABELS, Kind
from networks.measures.metrics import Estimate, Measurement, measure
from networks.spec import ALIAS_FREE
from viz.analysis import Overlay
from viz.analysis.parts import progress, result_of, switch, without_grid
from viz.cli.edits import words as edit_words
from viz.commands import CopyText
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.panels.parts import BY_CONTENT, beside, text_table, wrapped_text
from viz.request import NetworkFacts, OverlayResult
from viz.state import BreakIt, Device, EditActivations, Metrics, ViewState

if TYPE_CHECKING:
    from viz.stages import Run

NAME = "metrics"
BATCH = {"cuda": 4}  # elsewhere one sample a step, so that a step stays short
MOST_POINTS = 400  # of a curve


@dataclass(frozen=True)
class Progressed:
    """The newest measurement, and what it said on the way: kind -> (samples, dB, low, high)."""

    newest: Measurement
    track: dict[Kind, tuple[tuple[float, float, float, float], ...]]


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    ready, options = run.inputs["load"], run.view.get(Metrics)
    kinds = chosen(options)
    if not kinds or not ready.facts.has_pose:
        yield OverlayResult()
        return
    track: dict[Kind, tuple[tuple[float, float, float, float], ...]] = dict.fromkeys(kinds, ())
    every = max(1, options.num // MOST_POINTS)
    batch = BATCH.get(ready.device.type, 1)
    for found in measure(ready.network, kinds=kinds, num=options.num, seed=options.seed, batch=batch, stop=run.superseded):
        if found is None:
            yield None
            continue
        if found.done % every == 0 or found.done == found.total:
            track = {kind: (*points, point(found.done, found.estimates[kind])) for kind, points in track.items()}
        yield OverlayResult(Progressed(found, track), found.done / found.total)


def chosen(options: Metrics) -> tuple[Kind, ...]:
    return tuple(kind for kind in KINDS if getattr(options, kind))


def point(done: int, found: Estimate) -> tuple[float, float, float, float]:
    """Samples, dB and interval; nan for what does not exist."""
    numbers = (math.nan if v is None or not math.isfinite(v) else v for v in (found.db, found.low, found.high))
    return (float(done), *numbers)  # type: ignore[return-value]


OVERLAY = Overlay(NAME, Metrics, (Device,), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Measure", "Metrics.on", "Measures the network over random latents and transforms, until done or changed.", default=False)
CHOICES = {
    "eq_t": Field("EQ-T", "Metrics.eq_t", "Translations by whole pixels, up to an eighth of the image.", default=True),
    "eq_t_frac": Field("EQ-T_frac", "Metrics.eq_t_frac", "Translations by fractions of pixels.", default=True),
    "eq_r": Field("EQ-R", "Metrics.eq_r", "Rotations by any angle.", default=True),
}
CHOICE_EM = 7.0  # of each
NUM = Field("Samples", "Metrics.num", "How many latents, each with a transform of its own.", default=100, low=1, high=1_000_000)
SEED = Field("Seed", "Metrics.seed", "Of latents and transforms.", default=0, high=2**32 - 1)
COPY = Field("Copy command", "Metrics.copy", "The command that prints the same numbers, also over several processes.")
EMPTY = "The paper's three equivariance metrics of this network, over many latents and transforms, with their intervals."
NOTE = "95 % intervals over the samples. Pictures on screen come first; the measurement goes on in between."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    reason = without_grid(facts)
    state = switch(state, ON, Metrics, disabled=reason)
    if facts is not None:
        beside(COPY, gap_em=1)
        if button(COPY):
            context.emit(CopyText(command(facts, state)))
    result = result_of(context, NAME) if state.get(Metrics).on else None
    found: Progressed | None = result.values if result is not None else None
    done = found.newest.done if found else 0
    if not reason and chosen(state.get(Metrics)):
        state = progress(state, Metrics, result, f"{done} of {state.get(Metrics).num} samples", stays=True)
    if reason or not state.get(Metrics).on:
        return _options(invitation(state, ON, Metrics, EMPTY, disabled=reason, fill=False))
    rows = [texts(found, kind) for kind in chosen(state.get(Metrics)) or KINDS]
    text_table("##metrics", ("Metric", "Value", "95 % interval"), rows, sizing=BY_CONTENT)
    state = _options(state)
    wrapped_text(NOTE)
    if found is not None:
        _curves(found)
    return state


def command(facts: NetworkFacts, state: ViewState) -> str:
    """With what is broken and edited in this network."""
    options, whole = state.get(Metrics), asdict(BreakIt())
    flags = [f"--{kind.replace('_', '-')}" for kind in chosen(options)]
    broken = asdict(state.get(BreakIt)) if facts.kind == ALIAS_FREE else whole
    settings = [word for name in broken if broken[name] != whole[name] for word in ("--set", f"BreakIt.{name}={json.dumps(broken[name])}")]
    settings += edit_words(state.get(EditActivations).found_in(facts.taps))
    words = ("visualizer.py", "metrics", facts.ref, *flags, "--num", str(options.num), "--seed", str(options.seed), *settings)
    return shlex.join(words)


def texts(found: Progressed | None, kind: Kind) -> tuple[str, str, str]:
    """Name, value and interval; em dashes for what does not exist."""
    estimate = found.newest.estimates.get(kind) if found else None
    if estimate is None:
        return LABELS[kind], MISSING, MISSING
    interval = MISSING if estimate.low is None else f"{number_text(estimate.low)} to {number_text(estimate.high)}"
    return LABELS[kind], number_text(estimate.db, "dB"), interval


def _options(state: ViewState) -> ViewState:
    options = state.get(Metrics)
    values: dict[str, bool] = {}
    with label_column(CHOICE_EM - 2):
        for kind, field in CHOICES.items():
            if values:
                beside(CHOICE_EM, gap_em=1)
            values[kind] = checkbox(field, getattr(options, kind))
    return state.put(replace(options, **values, num=input_int(NUM, options.num), seed=input_int(SEED, options.seed)))


def _curves(found: Progressed) -> None:
    """How the estimates settle."""
    lines: dict[Kind, np.ndarray] = {kind: np.array(points) for kind, points in found.track.items() if points}
    known = np.concatenate([points[:, 1:].ravel() for points in lines.values()]) if lines else np.zeros(0)
    known = known[np.isfinite(known)]
    if not len(known):
        return
    low, high = np.percentile(known, (2, 98))
    axes = plots.Axes("samples", "dB", x=(0, found.newest.total), y=(float(low) - 3, float(high) + 3), follow=True, legend="out")
    with plots.plot("##estimates", axes, (-1, -10)) as shown:
        if shown:
            for i, (kind, points) in enumerate(lines.items()):
                color = plots.series_color(i)
                plots.band(LABELS[kind], points[:, 0], points[:, 2], points[:, 3], color)
                plots.line(LABELS[kind], points[:, 0], points[:, 1], color)


PANEL = Panel("Metrics", "right", 65, draw, workspaces=(4,))
