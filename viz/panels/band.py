"""Band panel: shows only a chosen band of the picture, of a layer, or of the error."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from gui_utils.controls import Field, checkbox, combo, slider_float
from gui_utils.libraries import imgui
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, reset_button, wrapped_text
from viz.request import NetworkFacts
from viz.state import BandFilter, ViewState

HIGHEST = 512.0  # of the sliders, in cycles per image; values beyond can be typed into a saved view

ON = Field("Band filter", "BandFilter.on", "Shows only a band of frequencies of the picture or of the layer on screen.", default=False)
ERROR = Field("Of the error", "BandFilter.error", "Shows only the band of the error map of the Equivariance panel.", default=False)
LOW = Field("From", "BandFilter.low", "Where the band begins; 0 keeps the mean.", "cycles / image", default=8.0, low=0, high=HIGHEST,
            decimals=1, power=2)  # fmt: skip
HIGH = Field("To (0: all)", "BandFilter.high", "Where the band ends.", "cycles / image", default=0.0, low=0, high=HIGHEST, decimals=1,
             power=2)  # fmt: skip
SOFTNESS = Field("Softness", "BandFilter.softness", "Width of the band's edges, as a fraction of their frequency; sharp edges ring.",
                 default=0.25, low=0, high=1, decimals=2)  # fmt: skip
OCTAVE = Field("Octave", "BandFilter.octave", "Bands that add up to the whole picture.", default="")
RESET = Field("Reset", "BandFilter.reset", "The defaults, switched off.")
OFF = "Shows only these frequencies of the picture, or of the layer. Low ones are shapes and colours, high ones fine detail."
EMPTY = "Nothing lies between these frequencies: the band ends before it begins."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts, options = context.network, state.get(BandFilter)
    reason = NO_NETWORK if facts is None else ""
    options = replace(options, on=checkbox(ON, options.on, disabled=reason))
    options = replace(options, error=checkbox(ERROR, options.error, disabled=reason))
    state = state.put(options)
    imgui.same_line(0, imgui.get_font_size())
    state = reset_button(state, RESET, BandFilter)
    options = state.get(BandFilter)
    octaves = octaves_of(facts)
    names = {"": "choose", **{name: name for name in octaves}}
    chosen = combo(OCTAVE, next((n for n, band in octaves.items() if band == (options.low, options.high)), ""), names, disabled=reason)
    if chosen and octaves[chosen] != (options.low, options.high):
        options = replace(options, low=octaves[chosen][0], high=octaves[chosen][1], on=options.on or not options.error)
    state = state.put(
        replace(
            options,
            low=slider_float(LOW, options.low, disabled=reason),
            high=slider_float(HIGH, options.high, disabled=reason),
            softness=slider_float(SOFTNESS, options.softness, disabled=reason),
        )
    )
    if state.get(BandFilter).end <= state.get(BandFilter).low:
        wrapped_text(EMPTY)
    elif not (state.get(BandFilter).on or state.get(BandFilter).error):
        wrapped_text(OFF)
    return state


def octaves_of(facts: NetworkFacts | None) -> dict[str, tuple[float, float]]:
    """Bands by name that cover all frequencies of the network's pictures: up to 2 cycles per image, to 4, ... and no end."""
    limit = facts.resolution / 2 if facts is not None else 2.0
    edges = [0.0, 2.0]
    while edges[-1] * 2 < limit:
        edges.append(edges[-1] * 2)
    found = {f"{low:g} to {high:g}": (low, high) for low, high in pairwise(edges)}
    return {**found, f"from {edges[-1]:g}": (edges[-1], 0.0)}


PANEL = Panel("Band", "right", 35, draw, workspaces=(2, 3, 4))
