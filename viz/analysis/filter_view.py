"""Overlay "Filters": figures 4a and 4c of the paper, drawn for the loaded network: every layer's filters and what they were designed to do.

The taps are those that the network holds, not those that its configuration promises; where the two differ, the panel says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field
from gui_utils.libraries import imgui, implot
from gui_utils.scopes import dim_text
from gui_utils.text import MISSING, number_text
from viz.analysis import Overlay
from viz.analysis.filter_responses import PLANE, FilterResponse, FlexibleLayers, LayerFilters, designed_db, flexible_layers, response_of
from viz.analysis.parts import nothing, result_of, switch
from viz.panels import Panel, PanelContext
from viz.panels.invitation import SHOW, invitation
from viz.panels.parts import BY_CONTENT, NO_NETWORK, cached, significant, text_table, wrapped_text
from viz.panels.spectrum_math import colors
from viz.request import NetworkFacts, OverlayResult
from viz.state import Filters, Tap, ViewState

if TYPE_CHECKING:
    from viz.stages import Run

NAME = "filters"
SAME = 1e-5  # of the largest tap: float32 taps that differ by less are the designed ones
RANGE_DB = 100.0  # of the response in two dimensions


@dataclass(frozen=True, eq=False)
class NetworkFilters:
    """Of every layer: both filters, and the curves over all layers."""

    layers: tuple[LayerFilters, ...]
    curves: FlexibleLayers


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult]:
    yield OverlayResult(filters_of(run.inputs["load"].network))


def filters_of(network: Any) -> NetworkFilters | None:
    """All filters of a network, with the taps that it holds; None for one whose layers were not designed (StyleGAN2)."""
    layers = [network.synthesis.layer(tap.spec) for tap in network.taps if tap.spec is not None]
    if not layers:
        return None
    return NetworkFilters(tuple(map(_filters, layers)), flexible_layers([layer.spec for layer in layers]))


def _filters(layer: Any) -> LayerFilters:
    spec = layer.spec
    pool = getattr(layer, "pool", "") if spec.down_factor > 1 else ""  # of a layer that was broken on purpose
    down = None if pool else _response(spec.down_lowpass, layer.down_filter)
    return LayerFilters(spec, _response(spec.up_lowpass, layer.up_filter), down, pool)


def _response(lowpass: Any, taps: Any) -> FilterResponse | None:
    from networks.filters import design

    return None if taps is None else response_of(lowpass, taps.detach().cpu().double().numpy(), design(lowpass))


OVERLAY = Overlay(NAME, Filters, (), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Filters", "Filters.on", "Draws the filters of the layer on screen, from the taps that the network holds, and the "
           "design of all layers.", default=False)  # fmt: skip
EMPTY = "Taps, frequency responses and design of every layer: Figures 4a and 4c of the paper for this network."
NOTHING = "This network has no designed filters: its layers go up with fixed taps and down not at all."
NO_FILTER = "no filter: the rate stays"
UP, DOWN = plots.series_color(0), plots.series_color(1)
F_C, F_T, RATE, STOP = plots.series_color(0), plots.series_color(1), plots.series_color(3), plots.series_color(2)
LOW_DB = -110.0


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    state = switch(state, ON, Filters, disabled=NO_NETWORK if facts is None else "")
    if facts is None or not state.get(Filters).on:
        return invitation(state, ON, Filters, EMPTY, disabled=NO_NETWORK if facts is None else "", label=SHOW)
    result = result_of(context, NAME)
    found: NetworkFilters | None = result.values if result is not None else None
    if nothing(result):
        wrapped_text(NOTHING)
    if found is None:
        return state
    selected = layer_index(found, facts.tap_name(state.get(Tap).layer), facts)
    layer = found.layers[selected]
    em = imgui.get_font_size()
    clicked = _over_layers(found.curves, selected)
    imgui.separator_text(f"{layer.spec.name}: up {layer.spec.up_factor}×, down {layer.spec.down_factor}×")
    _design(layer)
    _taps(layer)
    _responses(layer)
    planar = layer.down or layer.up
    if planar is not None:
        dim_text(f"the {'down' if layer.down else 'up'} filter in two dimensions, {-RANGE_DB:g} to 0 dB".replace("-", "−"))
        _plane(planar, context, min(18.0, imgui.get_content_region_avail().x / em))
    return state if clicked is None else state.edit(Tap, layer=found.layers[clicked].spec.name)


def layer_index(found: NetworkFilters, tap: str, facts: NetworkFacts) -> int:
    """The layer that is looked at; for the input the first, for the picture the last one with filters."""
    names = [layer.spec.name for layer in found.layers]
    if tap in names:
        return names.index(tap)
    if tap == facts.taps[0].name:
        return 0
    return max((i for i, layer in enumerate(found.layers) if layer.up or layer.down), default=0)


def _over_layers(curves: FlexibleLayers, selected: int) -> int | None:
    """Figure 4c. A click chooses a layer."""
    count = len(curves.names)
    at = np.arange(count, dtype=np.float64)
    high = math.log2(max(curves.sampling_rate.max(), curves.filter_stopband.max())) + 0.3
    axes = plots.Axes("", "cycles / image", x=(-0.4, count - 0.6), y=(math.log2(curves.cutoff.min()) - 0.3, high), legend="out")
    with plots.plot(f"##layers {count} {high:g}", axes, (-1, 15)) as shown:
        if not shown:
            return None
        implot.setup_axis_ticks(implot.ImAxis_.x1, list(at), [name.split("_")[0] for name in curves.names])
        powers = list(range(0, math.ceil(high)))
        implot.setup_axis_ticks(implot.ImAxis_.y1, list(map(float, powers)), [str(2**p) for p in powers])
        named = (("s", curves.sampling_rate, RATE), ("f_c + f_h", curves.filter_stopband, STOP), ("f_t", curves.stopband, F_T))
        for label, values, color in (*named, ("f_c", curves.cutoff, F_C)):
            plots.line(label, at, np.log2(values), color, weight=2.0)
        plots.vertical_line(selected)
        mouse = plots.cursor_text(lambda x, _: curve_text(curves, round(x)))
        if mouse is not None and imgui.is_mouse_clicked(0) and 0 <= round(mouse[0]) < count:
            return round(mouse[0])
    return None


def curve_text(curves: FlexibleLayers, index: int) -> str:
    if not 0 <= index < len(curves.names):
        return MISSING
    f_c, f_t, stop, rate = (values[index] for values in (curves.cutoff, curves.stopband, curves.filter_stopband, curves.sampling_rate))
    return f"{curves.names[index]}   s {rate:g}\nf_c {number_text(f_c)}  f_t {number_text(f_t)}  f_c + f_h {number_text(stop)}"


ROWS = (
    ("n, taps", "Support in samples of the lower rate, and the number of taps along one axis."),
    ("window", "Kaiser: the design of the paper. The taps of a radial filter are the same in all directions."),
    ("f_c", "Cutoff, in cycles per image width: where an ideal filter would end."),
    ("f_h", "Half the width of the transition band."),
    ("gain at f_c", "−6 dB is a half; where the transition is wide against f_c, the window moves it."),
    ("attenuation", "From f_c + f_h on: the weakest that is measured, and what Kaiser's formula says for so many taps. Where the "
     "transition does not end below half the rate, there is nothing beyond it."),
    ("Kaiser β", "Shape parameter of the window."),
    ("taps against design", "Largest difference from the taps that the design gives, of the largest tap."),
)  # fmt: skip


def _design(layer: LayerFilters) -> None:
    sides = design_texts(layer.up), design_texts(layer.down, f"{layer.pool}-pool instead" if layer.pool else NO_FILTER)
    names, tooltips = zip(*ROWS, strict=True)
    text_table("##design", ("", "up", "down"), list(zip(names, *sides, strict=True)), tooltips=tooltips, sizing=BY_CONTENT)


def design_texts(found: FilterResponse | None, missing: str = NO_FILTER) -> tuple[str, ...]:
    """A text for each of ROWS; `missing` stands in the first where there is no filter."""
    if found is None:
        return (missing, *[MISSING] * (len(ROWS) - 1))
    lowpass = found.lowpass
    promised, beta = designed_db(lowpass)
    attenuation = number_text(found.attenuation_db, "dB")
    shape = f"{lowpass.window}, {'radial' if found.taps.ndim == 2 else 'separable'}"
    return (
        f"{lowpass.support}, {len(found.taps)}{f' × {len(found.taps)}' if found.taps.ndim == 2 else ''}",
        shape,
        number_text(lowpass.cutoff, decimals=2),
        number_text(lowpass.half_width, decimals=2),
        number_text(found.at_cutoff_db, "dB"),
        attenuation if promised is None else f"{attenuation} ({number_text(promised, 'dB')})",
        number_text(beta, decimals=2),
        "as designed" if found.deviation < SAME else significant(found.deviation, 2) if math.isfinite(found.deviation) else "other taps",
    )


def _taps(layer: LayerFilters) -> None:
    """Figure 4a, left: the impulse responses."""
    pair = [(label, f, color) for label, f, color in (("up", layer.up, UP), ("down", layer.down, DOWN)) if f is not None]
    if not pair:
        return
    extent = max(f.lowpass.support for _, f, _ in pair) / 2
    high = max(float((f.profile * f.lowpass.factor).max()) for _, f, _ in pair)
    low = min(float((f.profile * f.lowpass.factor).min()) for _, f, _ in pair)
    axes = plots.Axes("samples of the lower rate", "tap × factor", x=(-extent, extent), y=(low - 0.1, high + 0.1), legend="in")
    with plots.plot(f"##taps {extent:g} {high:.3f}", axes, (-1, 9)) as shown:
        if not shown:
            return
        for label, f, color in pair:
            plots.line(f"##stems {label}", *stems(f.lowpass.positions(), f.profile * f.lowpass.factor), color, weight=1.0)
            plots.line(label, f.lowpass.positions(), f.profile * f.lowpass.factor, color, weight=2.0)
        plots.cursor_text(lambda x, _: "\n".join(f"{label}: {tap_text(f, x)}" for label, f, _ in pair))


def stems(x: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line from 0 to each height, as one broken line."""
    gaps = np.full_like(heights, np.nan)
    return np.repeat(x, 3), np.stack([np.zeros_like(heights), heights, gaps], axis=1).ravel()


def tap_text(found: FilterResponse, x: float) -> str:
    positions = found.lowpass.positions()
    index = int(np.abs(positions - x).argmin())
    return f"tap {index} at {number_text(float(positions[index]), decimals=2)} is {significant(float(found.profile[index]))}"


def _responses(layer: LayerFilters) -> None:
    """Figure 4a, right: the magnitude over frequency."""
    pair = [(label, f, color) for label, f, color in (("up", layer.up, UP), ("down", layer.down, DOWN)) if f is not None]
    if not pair:
        return
    edge = max(f.lowpass.sampling_rate for _, f, _ in pair) / 2
    axes = plots.Axes("cycles / image", "dB", x=(0, edge), y=(LOW_DB, 6), legend="in")
    with plots.plot(f"##responses {edge:g}", axes, (-1, 13)) as shown:
        if not shown:
            return
        for label, f, color in pair:
            plots.line(label, f.frequency, f.axis_db, color, weight=2.0)
            if f.taps.ndim == 2:
                plots.line(f"{label}, at 45°", f.frequency, f.diagonal_db, plots.series_color(4))
        shown_filter = pair[-1][1]
        plots.vertical_lines(marks(layer, shown_filter))
        plots.cursor_text(lambda x, _: "\n".join([f"{number_text(x)} cycles / image", *(f"{n}: {level_text(f, x)}" for n, f, _ in pair)]))


def marks(layer: LayerFilters, found: FilterResponse) -> tuple[tuple[float, str, plots.Color], ...]:
    """Frequencies worth a line: (cycles per image, name, colour), those of the layer's last filter."""
    rate = layer.spec.out_sampling_rate if found is layer.down else layer.spec.in_sampling_rate
    named = ((found.lowpass.cutoff, "f_c", F_C), (found.stopband, "f_c + f_h", STOP), (rate / 2, "s/2", (1.0, 1.0, 1.0)))
    merged: dict[float, tuple[str, plots.Color]] = {}
    for frequency, name, color in named:
        before = merged.get(round(frequency, 6))
        merged[round(frequency, 6)] = (f"{before[0]} = {name}" if before else name, color)  # one line, one label
    return tuple((frequency, *rest) for frequency, rest in merged.items())


def level_text(found: FilterResponse, frequency: float) -> str:
    inside = 0 <= frequency <= found.frequency[-1]
    return number_text(float(np.interp(frequency, found.frequency, found.axis_db)) if inside else None, "dB")


def _plane(found: FilterResponse, context: PanelContext, side_em: float) -> None:
    """The response in two dimensions: a disc for a radial filter, a square for a separable one."""
    edge = found.lowpass.sampling_rate / 2
    axes = plots.Axes("cycles / image", "", x=(-edge, edge), y=(-edge, edge), equal=True, legend="")
    with plots.plot(f"##plane {edge:g}", axes, (side_em, side_em)) as shown:
        if not shown:
            return
        if context.image is not None:
            pixels = cached(context, f"{NAME}.plane", found, lambda: colors(found.plane_db + RANGE_DB / 2, RANGE_DB / 2, "viridis"))
            outer = edge * PLANE / (PLANE - 1)  # of the first and last samples, whose middles lie at half the rate
            plots.picture("##response", context.image(NAME, pixels), (-outer, outer), (-outer, outer))
        plots.circle(found.lowpass.cutoff, "f_c", (1.0, 1.0, 1.0))

        def read(x: float, y: float) -> str:
            column, row = (round((v / edge + 1) / 2 * (len(found.plane_db) - 1)) for v in (x, y))
            inside = 0 <= column < len(found.plane_db) and 0 <= row < len(found.plane_db)
            return f"→ {number_text(x)}  ↑ {number_text(y)}   {number_text(float(found.plane_db[row, column]) if inside else None, 'dB')}"

        plots.cursor_text(read)


PANEL = Panel("Filters", "right", 33, draw, workspaces=(2, 3))
