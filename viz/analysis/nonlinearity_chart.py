"""Overlay "Nonlinearity": inside the selected layer, the harmonics that the leaky ReLU makes and the filter removes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field
from gui_utils.libraries import imgui
from gui_utils.scopes import table_scope
from gui_utils.text import MISSING, number_text
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.layer_shares import decibels
from viz.analysis.nonlinearity import ACTIVATED, DOWNSAMPLED, FILTERED, UPSAMPLED, filtered_tap
from viz.analysis.parts import headline, result_of, switch
from viz.errors import CommandError
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.panels.parts import NO_NETWORK, wrapped_text
from viz.request import OverlayResult
from viz.state import Nonlinearity, Pose, Tap, ViewState

if TYPE_CHECKING:
    from networks.spec import TapInfo
    from viz.analysis.nonlinearity import Harmonics
    from viz.stages import Run

NAME = "nonlinearity"
DEEPEST_DB = 110.0  # of the plot, below its highest curve


@dataclass(frozen=True, eq=False)
class Inside:
    """One layer: curves (cycles per image, dB) by step, frequencies worth a line by name, and the shares beyond s / 2."""

    name: str
    curves: dict[str, tuple[np.ndarray, np.ndarray]]
    marks: dict[str, float]
    shares: Harmonics
    channels: int
    total_channels: int


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    from viz.analysis.nonlinearity import harmonics, steps_of
    from viz.stages.synthesis import layer_memo, posed_conditions

    ready = run.inputs["load"]
    tap = filtered_tap(ready.facts.taps, ready.facts.tap_name(run.view.get(Tap).layer))
    if tap is None or tap.spec is None:
        yield OverlayResult()
        return
    arguments = {**posed_conditions(run), "memo": layer_memo(run)}
    steps = steps_of(ready.network, run.inputs["latent"].ws, tap, arguments)
    if not math.isfinite(float(steps.activated.power.sum())):
        raise CommandError(f"{tap.name} computes values that are not finite (NaN or infinity), which have no spectrum.")
    shares = harmonics(steps, tap.spec.out_sampling_rate)
    yield OverlayResult(Inside(tap.name, curves_of(steps), marks(tap), shares, steps.channels, tap.channels))


def curves_of(steps) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """0 dB is the highest density after upsampling."""
    from viz.analysis.nonlinearity import levels

    found = {name: levels(spectrum) for name, spectrum in steps.named().items()}
    top = float(np.nanmax(found[UPSAMPLED][1]))
    return {name: (frequency, level - top) for name, (frequency, level) in found.items()}


def marks(tap: TapInfo) -> dict[str, float]:
    """The frequencies that the layer is designed around; equal ones share a line."""
    spec = tap.spec
    assert spec is not None
    named = (("f_c", spec.out_cutoff), ("f_t", getattr(spec, "out_stopband", None)), ("s/2", tap.sampling_rate / 2))
    found: dict[float, str] = {}
    for name, frequency in named:
        if frequency:
            found[frequency] = f"{found[frequency]} = {name}" if frequency in found else name
    return {name: frequency for frequency, name in found.items()}


OVERLAY = Overlay(NAME, Nonlinearity, (*LATENT, *CONDITIONS, Pose, Tap), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Nonlinearity", "Nonlinearity.on", "Repeats the layer on screen step by step: upsampling, leaky ReLU, filter, downsampling.",
           default=False)  # fmt: skip
EMPTY = "The harmonics that the leaky ReLU of the layer on screen makes, and what its filter leaves of them to fold back."
BEYOND = "Share of power beyond s/2 after"
NONE = "No layer up to the one on screen has a filtered nonlinearity."
COLORS = {UPSAMPLED: 0, ACTIVATED: 1, FILTERED: 2, DOWNSAMPLED: 3}


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    state = switch(state, ON, Nonlinearity, disabled=NO_NETWORK if facts is None else "")
    if facts is None or not state.get(Nonlinearity).on:
        return invitation(state, ON, Nonlinearity, EMPTY, disabled=NO_NETWORK if facts is None else "")
    result = result_of(context, NAME)
    inside: Inside | None = result.values if result is not None else None
    if inside is None:
        wrapped_text(NONE if filtered_tap(facts.taps, facts.tap_name(state.get(Tap).layer)) is None else "Not measured yet.")
        return state
    headline(*texts(inside))
    wrapped_text(BEYOND)
    _numbers(inside)
    _plot(inside)
    return state


def texts(inside: Inside) -> tuple[str, str, str]:
    folded = inside.shares.folded
    value = MISSING if folded is None else number_text(decibels(folded), "dB")
    of = "" if inside.channels == inside.total_channels else f" Measured on {inside.channels} of {inside.total_channels} channels."
    return f"{inside.name}: energy that folds back", value, f"What its filter leaves beyond s/2, of its power.{of}"


def rows(inside: Inside) -> tuple[tuple[str, float | None], ...]:
    """Shares of the power beyond s / 2, 0 to 1."""
    shares = inside.shares
    return (UPSAMPLED, shares.before), (ACTIVATED, shares.made), (FILTERED, shares.folded)


def percent_text(share: float | None) -> str:
    """dB, and per cent beside it, for shares that may be tiny."""
    return MISSING if share is None else f"{number_text(decibels(share), 'dB')}  ({100 * share:.3g} %)"


def _numbers(inside: Inside) -> None:
    with table_scope("harmonics", 2, imgui.TableFlags_.sizing_stretch_prop.value) as visible:
        if not visible:
            return
        for name, share in rows(inside):
            imgui.table_next_row()
            imgui.table_next_column()
            imgui.text_disabled(short(name))
            imgui.table_next_column()
            imgui.text_unformatted(percent_text(share))


def _plot(inside: Inside) -> None:
    high = max(float(np.nanmax(level)) for _, level in inside.curves.values())
    last = max(float(frequency[-1]) for frequency, _ in inside.curves.values())
    axes = plots.Axes("cycles / image, mean over circles", "dB", x=(0.0, last), y=(high - DEEPEST_DB, high + 6), legend="out")
    with plots.plot(f"##inside {inside.name}", axes, (-1, -10)) as shown:
        if not shown:
            return
        for name, (frequency, level) in inside.curves.items():
            plots.line(short(name), frequency, level, plots.series_color(COLORS[name]))
        plots.vertical_lines((frequency, name, plots.WHITE) for name, frequency in inside.marks.items())
        plots.cursor_text(lambda x, _: f"{number_text(x)} cycles / image   {read(inside, x)}")


def short(name: str) -> str:
    return name.removeprefix("after ").removeprefix("the ")


def read(inside: Inside, at: float) -> str:
    """The levels of all steps at a frequency."""
    found = []
    for name, (frequency, level) in inside.curves.items():
        inside_axis = 0 <= at <= frequency[-1]
        value = float(level[int(np.abs(frequency - at).argmin())]) if inside_axis else None
        found.append(f"{short(name)} {number_text(value, 'dB')}")
    return "  ".join(found)


PANEL = Panel("Nonlinearity", "right", 57, draw, workspaces=(2, 3))
