"""Overlay "Average spectrum": of the pictures of many seeds, as a map and as curves, beside a reference and their difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, button, choice, input_int, text_input
from gui_utils.libraries import imgui
from gui_utils.text import MISSING, number_text
from viz.analysis import Overlay
from viz.analysis.average_spectrum import Curves, network_pictures, save_arrays
from viz.analysis.parts import progress, result_of, switch
from viz.analysis.spectrum_cli import RANGE_DB, figure
from viz.analysis.spectrum_reference import NAME as REFERENCE
from viz.analysis.spectrum_reference import averaged
from viz.commands import SaveMeasurement
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, cached, wrapped_text
from viz.panels.spectrum_math import colors
from viz.request import NetworkFacts, OverlayResult
from viz.state import AverageSpectrum, Device, SpectrumReference, ViewState

if TYPE_CHECKING:
    from viz.stages import Run

NAME = "average spectrum"


def run(run: Run) -> Iterator[OverlayResult | None]:
    ready, options = run.inputs["load"], run.view.get(AverageSpectrum)
    pictures = network_pictures(ready.network, num=options.num, seed=options.seed, stop=run.superseded)
    yield from averaged(pictures, options.num, ready.facts.name)


OVERLAY = Overlay(NAME, AverageSpectrum, (Device,), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Average", "AverageSpectrum.on", "Averages the power spectra of the pictures of many seeds, without truncation: whitened, "
           "Kaiser window, padded four times, as published.", default=False)  # fmt: skip
NUM = Field("Pictures", "AverageSpectrum.num", "How many seeds.", default=50, low=1, high=1_000_000)
SEED = Field("First seed", "AverageSpectrum.seed", "The seeds go on from here.", default=0, high=2**32 - 1)
SOURCE = Field("Reference", "SpectrumReference.source", "A saved spectrum (.npz), a folder of pictures, or a network.", default="")
SHOW = Field("Show", "AverageSpectrum.show", "Curves, curves minus those of the reference, or the map.")
SHOWN = {"curves": "curves", "difference": "A − B", "map": "map"}
EXPORT = Field("Save", "AverageSpectrum.export", "Saves the map as a figure and the curves as .npz, which can be a reference later.")
NO_REFERENCE = "There is no reference yet."
EMPTY = "0 dB is white noise with the pictures' own deviation."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    state = switch(state, ON, AverageSpectrum, disabled=NO_NETWORK if facts is None else "")
    result = result_of(context, NAME) if state.get(AverageSpectrum).on else None
    found: Curves | None = result.values if result is not None else None
    imgui.same_line(0, imgui.get_font_size())
    if button(EXPORT, disabled="" if found else "Nothing was measured yet.") and found:
        context.emit(SaveMeasurement("Spectrum", save_arrays(found), lambda: figure(found)))
    num, seed = state.get(AverageSpectrum).num, state.get(AverageSpectrum).seed
    state = progress(state, AverageSpectrum, result, f"{found.count if found else 0} of {num} pictures")
    state = state.edit(AverageSpectrum, num=input_int(NUM, num), seed=input_int(SEED, seed))
    source = state.get(SpectrumReference).source
    state = state.edit(SpectrumReference, source=text_input(SOURCE, source, hint=".npz, folder or network").strip())
    reference = result_of(context, REFERENCE) if state.get(SpectrumReference).on else None
    if reference is not None and reference.fraction < 1:
        imgui.text_disabled(f"reference: {100 * reference.fraction:.0f} %")
    other: Curves | None = reference.values if reference is not None else None
    shown = context.scratch.get("average.show", "curves")
    shown = context.scratch["average.show"] = choice(SHOW, shown, SHOWN)
    if facts is None or found is None:
        wrapped_text(EMPTY)
        return state
    _plots(shown, found, other, facts, context)
    wrapped_text(caption(found, other))
    return state


def caption(found: Curves, other: Curves | None) -> str:
    text = f"A: {found.label}, {found.count} pictures, deviation {number_text(found.std)} of 255."
    return text if other is None else f"{text}  B: {other.label}, {other.count} pictures, deviation {number_text(other.std)}."


def difference(a: Curves, b: Curves) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A - B in dB at A's frequencies, as far as B's go."""
    lines = {}
    for (name, (x, y)), (u, v) in zip(a.lines().items(), b.lines().values(), strict=True):
        inside = (x >= u[0]) & (x <= u[-1])
        lines[name] = (x[inside], y[inside] - np.interp(x[inside], u, v))
    return lines


def _plots(shown: str, found: Curves, other: Curves | None, facts: NetworkFacts, context: PanelContext) -> None:
    room = imgui.get_content_region_avail()
    height = max(10.0, room.y / imgui.get_font_size() - 3.0)
    if shown == "map":
        _map(found, context, min(height, room.x / imgui.get_font_size()))
    elif shown == "difference" and other is None:
        wrapped_text(NO_REFERENCE)
    elif shown == "difference" and other is not None:
        _lines("##difference", "dB, A − B", difference(found, other), {}, facts, height)
    else:
        _lines("##curves", "dB", found.lines(), other.lines() if other else {}, facts, height)


def _lines(name: str, label: str, lines: dict, faint: dict, facts: NetworkFacts, height_em: float) -> None:
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
        for title, frequency in marks(facts).items():
            plots.vertical_line(frequency, title)

        def read(x: float, _: float) -> str:
            levels = "  ".join(f"{t}: {number_text(level(line, x), 'dB')}" for t, line in lines.items())
            return f"{number_text(x)} cycles / image   {levels}"

        plots.cursor_text(read)


def marks(facts: NetworkFacts) -> dict[str, float]:
    """The frequencies of the last filtered layer, which bound the picture's band; equal ones share a line."""
    spec = next((tap.spec for tap in reversed(facts.taps) if tap.spec is not None), None)
    named = (("f_c", getattr(spec, "out_cutoff", None)), ("f_t", getattr(spec, "out_stopband", None)), ("s/2", facts.resolution / 2))
    found: dict[float, str] = {}
    for name, frequency in named:
        if frequency:
            found[frequency] = f"{found[frequency]} = {name}" if frequency in found else name
    return {name: frequency for frequency, name in found.items()}


def level(line: tuple[np.ndarray, np.ndarray], frequency: float) -> float | None:
    """dB at the nearest frequency of a line; None beyond it."""
    x, y = line
    if not len(x) or not 0 <= frequency <= x[-1]:
        return None
    return float(y[int(np.abs(x - frequency).argmin())])


def _map(found: Curves, context: PanelContext, side_em: float) -> None:
    edge, (low, high) = found.edge, RANGE_DB
    axes = plots.Axes("cycles / image", "", x=(-edge, edge), y=(-edge, edge), equal=True, legend="")
    with plots.plot(f"##average map {edge:g}", axes, (-1, side_em)) as shown:
        if not shown or context.image is None:
            return
        half, middle = (high - low) / 2, (high + low) / 2
        pixels = cached(context, "average.pixels", found, lambda: colors(found.heat_db - middle, half, "viridis"))
        plots.picture("##average", context.image("average spectrum", pixels), (-edge, edge), (-edge, edge))

        def read(x: float, y: float) -> str:
            size = found.heat_db.shape[0]
            column, row = int((x + edge) / (2 * edge) * size), int((edge - y) / (2 * edge) * size)
            inside = 0 <= column < size and 0 <= row < size
            return f"→ {number_text(x)}  ↑ {number_text(y)}   {number_text(float(found.heat_db[row, column]), 'dB') if inside else MISSING}"

        plots.cursor_text(read)


PANEL = Panel("Average spectrum", "right", 55, draw, resets=(AverageSpectrum, SpectrumReference), workspaces=(3,))
