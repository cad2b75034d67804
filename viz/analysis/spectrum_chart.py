"""Overlay "Average spectrum": of the pictures of many seeds, as a map and as curves, beside a reference and their difference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, button, checkbox, choice, input_int, text_input
from gui_utils.libraries import imgui, implot
from gui_utils.text import number_text
from gui_utils.toasts import progress_bar
from viz.analysis import Overlay
from viz.analysis.average_spectrum import Curves, difference, network_pictures, save_arrays
from viz.analysis.filter_responses import response_of
from viz.analysis.nonlinearity import filtered_tap
from viz.analysis.nonlinearity_chart import marks
from viz.analysis.parts import progress, result_of, switch
from viz.analysis.spectrum_cli import RANGE_DB, figure
from viz.analysis.spectrum_reference import NAME as REFERENCE, averaged
from viz.commands import SaveMeasurement
from viz.figures.drawing_file import pixels
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.panels.parts import NO_NETWORK, cached, wrapped_text
from viz.panels.spectrum_math import colors
from viz.request import NetworkFacts, OverlayResult
from viz.state import AverageSpectrum, Device, SpectrumReference, Tap, ViewState

if TYPE_CHECKING:
    from networks.spec import TapInfo
    from viz.stages import Run

NAME = "average spectrum"


def run(run: Run) -> Iterator[OverlayResult | None]:
    ready, options = run.inputs["load"], run.view.get(AverageSpectrum)
    pictures = network_pictures(ready.network, num=options.num, seed=options.seed, stop=run.superseded)
    yield from averaged(pictures, options.num, lambda: ready.facts.name)


OVERLAY = Overlay(NAME, AverageSpectrum, (Device,), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Average", "AverageSpectrum.on", "Averages the power spectra of the pictures of many seeds, without truncation: whitened, "
           "Kaiser window, padded four times, as published.", default=False)  # fmt: skip
NUM = Field("Pictures", "AverageSpectrum.num", "How many seeds.", default=50, low=1, high=1_000_000)
SEED = Field("First seed", "AverageSpectrum.seed", "The seeds go on from here.", default=0, high=2**32 - 1)
SOURCE = Field("Reference", "SpectrumReference.source", "A saved spectrum (.npz), a folder of pictures, or a network.", default="")
SHOW = Field("Show", "AverageSpectrum.show", "Curves, curves minus those of the reference, or the map.")
SHOWN = {"curves": "curves", "difference": "A − B", "map": "map"}
DESIGN = Field("Design", "AverageSpectrum.design", "Draws f_c, f_t, s/2 and the response of the downsampling filter of the layer on screen "
               "(or the last one before it that has a filter): 0 dB lets white noise through as it is.")  # fmt: skip
EXPORT = Field("Save", "AverageSpectrum.export", "Saves the map as a figure and the curves as .npz, which can be a reference later.")
RESPONSE = ((0.95, 0.95, 0.95), (0.6, 0.6, 0.6))
NO_REFERENCE = "There is no reference yet."
EMPTY = "The mean power of many pictures at every frequency, beside what a layer was designed for and beside real pictures."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    state = switch(state, ON, AverageSpectrum, disabled=NO_NETWORK if facts is None else "")
    result = result_of(context, NAME) if state.get(AverageSpectrum).on else None
    found: Curves | None = result.values if result is not None else None
    imgui.same_line(0, imgui.get_font_size())
    if button(EXPORT, disabled="" if found else "Nothing was measured yet.") and found:
        context.emit(SaveMeasurement("Spectrum", save_arrays(found), lambda: pixels(figure(found))))
    num, seed = state.get(AverageSpectrum).num, state.get(AverageSpectrum).seed
    state = progress(state, AverageSpectrum, result, f"{found.count if found else 0} of {num} pictures", stays=True)
    state = state.edit(AverageSpectrum, num=input_int(NUM, num), seed=input_int(SEED, seed))
    source = state.get(SpectrumReference).source
    state = state.edit(SpectrumReference, source=text_input(SOURCE, source, hint=".npz, folder or network").strip())
    reference = result_of(context, REFERENCE) if state.get(SpectrumReference).on else None
    if reference is not None and reference.fraction < 1:
        text = f"reference: {reference.values.count} pictures" if reference.values is not None else "reference: reading"
        if progress_bar(text, reference.fraction, can_cancel=True, name="reference"):
            state = state.edit(SpectrumReference, source="")
    other: Curves | None = reference.values if reference is not None else None
    shown = context.scratch.get("average.show", "curves")
    shown = context.scratch["average.show"] = choice(SHOW, shown, SHOWN)
    design = context.scratch["average.design"] = checkbox(DESIGN, context.scratch.get("average.design", True))
    if facts is None or not state.get(AverageSpectrum).on:
        return invitation(state, ON, AverageSpectrum, EMPTY, disabled=NO_NETWORK if facts is None else "")
    if found is None:
        return state
    tap = filtered_tap(facts.taps, facts.tap_name(state.get(Tap).layer)) if design else None
    _plots(shown, (found, other), Design.of(tap, facts, context), facts, context)
    wrapped_text(caption(found, other) + (f"  Design: {tap.name}." if tap is not None else ""))
    return state


@dataclass(frozen=True, eq=False)
class Design:
    """What a layer was designed for: frequencies by name, and its filter's response (cycles per image, dB) by direction."""

    marks: dict[str, float]
    responses: dict[str, tuple[np.ndarray, np.ndarray]]

    @staticmethod
    def of(tap: TapInfo | None, facts: NetworkFacts, context: PanelContext) -> Design:
        """Without a layer there is only s/2 of the picture."""
        if tap is None:
            return Design({"s/2": facts.resolution / 2}, {})
        return cached(context, "average.design of", tap, lambda: Design(marks(tap), responses(tap)))


def responses(tap: TapInfo) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The response of the layer's downsampling filter as designed, at 0 and at 45 degrees; nothing where it has none."""
    lowpass = getattr(tap.spec, "down_lowpass", None)
    if lowpass is None or lowpass.factor == 1:
        return {}
    from networks.filters import design

    taps = design(lowpass)
    if taps is None:
        return {}
    found = response_of(lowpass, taps, None)
    return {"filter 0°": (found.frequency, found.axis_db), "filter 45°": (found.frequency, found.diagonal_db)}


def caption(found: Curves, other: Curves | None) -> str:
    text = f"A: {found.label}, {found.count} pictures, deviation {number_text(found.std)} of 255."
    return text if other is None else f"{text}  B: {other.label}, {other.count} pictures, deviation {number_text(other.std)}."


def _plots(shown: str, pair: tuple[Curves, Curves | None], design: Design, facts: NetworkFacts, context: PanelContext) -> None:
    (found, other), (no_lines, no_response) = pair, ({}, Design(design.marks, {}))
    room = imgui.get_content_region_avail()
    height = max(10.0, room.y / imgui.get_font_size() - 3.0)
    if shown == "map":
        _map(found, design, context, min(height, room.x / imgui.get_font_size()))
    elif shown == "difference" and other is None:
        wrapped_text(NO_REFERENCE)
    elif shown == "difference" and other is not None:
        _lines("##difference", "dB, A − B", (difference(found, other), no_lines), no_response, facts, height)
    else:
        _lines("##curves", "dB", (found.lines(), other.lines() if other else no_lines), design, facts, height)


def _lines(name: str, label: str, both: tuple[dict, dict], design: Design, facts: NetworkFacts, height_em: float) -> None:
    """Curves, fainter ones of the reference, and the design."""
    lines, faint = both
    values = np.concatenate([y[1:] for _, y in (*lines.values(), *faint.values())])
    low, high = (float(np.nanmin(values)), float(np.nanmax(values))) if len(values) else (0.0, 1.0)
    axes = plots.Axes("cycles / image", label, x=(0.0, 0.75 * facts.resolution), y=(max(low, high - 120) - 3, high + 5), legend="out")
    with plots.plot(f"{name} {facts.name}", axes, (-1, height_em)) as shown:
        if not shown:
            return
        for i, (title, (x, y)) in enumerate(lines.items()):
            plots.line(title, x, y, plots.series_color(i))
        for i, (title, (x, y)) in enumerate(faint.items()):
            plots.line(f"B {title}", x, y, tuple(0.5 * c + 0.25 for c in plots.series_color(i)), weight=1.0)  # type: ignore[arg-type]
        for i, (title, (x, y)) in enumerate(design.responses.items()):
            plots.line(title, x, y, RESPONSE[i], weight=1.0)
        plots.vertical_lines((frequency, title, plots.WHITE) for title, frequency in design.marks.items())

        def read(x: float, _: float) -> str:
            levels = "  ".join(f"{t}: {number_text(level(line, x), 'dB')}" for t, line in lines.items())
            return f"{number_text(x)} cycles / image   {levels}"

        plots.cursor_text(read)


def level(line: tuple[np.ndarray, np.ndarray], frequency: float) -> float | None:
    """dB at the nearest frequency of a line; None beyond it."""
    x, y = line
    if not len(x) or not 0 <= frequency <= x[-1]:
        return None
    return float(y[int(np.abs(x - frequency).argmin())])


def _map(found: Curves, design: Design, context: PanelContext, side_em: float) -> None:
    low, high = RANGE_DB
    seen = 1.05 * max(found.edge, *design.marks.values())  # all circles are seen whole
    axes = plots.Axes("cycles / image", "", x=(-seen, seen), y=(-seen, seen), equal=True, legend="")
    with plots.plot(f"##average map {seen:g}", axes, (side_em, side_em)) as shown:
        if not shown or context.image is None:
            return
        half, middle = (high - low) / 2, (high + low) / 2
        pixels = cached(context, "average.pixels", found, lambda: colors(found.heat_db - middle, half, "viridis"))
        plots.picture("##average", context.image("average spectrum", pixels), *found.spans)

        for i, (name, frequency) in enumerate(design.marks.items()):
            color, angle = plots.series_color((4, 1, 0)[i]), math.pi * (0.25 + 0.5 * i)  # each name in a corner of its own
            plots.circle(frequency, "", color)
            at = frequency * math.cos(angle), frequency * math.sin(angle)
            implot.annotation(*at, imgui.ImVec4(0.75 * color[0], 0.75 * color[1], 0.75 * color[2], 1.0), imgui.ImVec2(0, 0), True, name)

        def read(x: float, y: float) -> str:
            return f"→ {number_text(x)}  ↑ {number_text(y)}   {number_text(found.heat_at(x, y), 'dB')}"

        plots.cursor_text(read)


PANEL = Panel("Average spectrum", "right", 55, draw, workspaces=(3,))
