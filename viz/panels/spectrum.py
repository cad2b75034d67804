"""Panel "Spectrum": the power spectrum of the layer or of what is on screen, as a map and as a mean over circles."""

from __future__ import annotations

import math

from gui_utils import plots
from gui_utils.controls import Field, checkbox, choice, combo, slider_float
from gui_utils.libraries import imgui
from gui_utils.text import MISSING, number_text
from viz.panels import Panel, PanelContext
from viz.panels.parts import cached, reset_button, wrapped_text
from viz.panels.spectrum_math import Map, colors, decibels, make_map, radial_profile, reference
from viz.request import SpectrumResult
from viz.state import Spectrum, SpectrumView, ViewState

ON = Field("Spectrum", "Spectrum.on", "Computes the power spectrum of what the Layers panel has chosen. F does the same.", default=False)
OF = Field("Of", "Spectrum.all_channels", "The sum over all channels of the layer, or over those on screen (untransformed, if that is on).",
           default=True)  # fmt: skip
CHANNELS = {True: "all channels", False: "on screen"}
RANGE = Field("Range ±", "SpectrumView.range_db", "From the middle of the colours to either end.", "dB", default=50.0, low=0.1, high=100,
              decimals=1)  # fmt: skip
BETA = Field("Kaiser β", "Spectrum.beta", "Shape of the Kaiser window that the picture is multiplied by: 0 is none (sharp peaks, but what "
             "leaks from the borders hides weak ones), larger values leak less and blur more.", symbol="β", default=8.0, low=0, high=50,
             power=2.63)  # fmt: skip
ABSOLUTE = Field("0 dB is", "SpectrumView.absolute", "The spectrum's own mean power (as published; shows the shape), or 1 squared unit of "
                 "the signal per bin (layers and networks can be compared).", default=False)  # fmt: skip
REFERENCES = {False: "own mean", True: "absolute"}
CIRCLES = Field("Circles", "SpectrumView.circles", "Marks the layer's cutoff f_c, its stopband f_t, and the Nyquist frequency s/2.",
                default=True)  # fmt: skip
COLORMAP = Field("Colours", "SpectrumView.colormap", "From dB to colours.", default="viridis")
COLORMAPS = ("viridis", "magma", "cividis", "gray")
RESET = Field("Reset", "Spectrum.reset", "The published settings, switched off.")
OFF = "The spectrum is switched off."
F_C, F_T, NYQUIST = plots.series_color(4), plots.series_color(1), (1.0, 1.0, 1.0)
PROFILE_EM = 11.0


def draw(state: ViewState, context: PanelContext) -> ViewState:
    state = _controls(state)
    spectrum = context.frame.spectrum if context.frame else None
    if not state.get(Spectrum).on:
        return state
    if spectrum is None:
        wrapped_text("There is no spectrum yet.")
        return state
    view = state.get(SpectrumView)
    _map(spectrum, view, context)
    _scale(view)
    _profile(spectrum, view, context)
    return state


def _controls(state: ViewState) -> ViewState:
    state = state.edit(Spectrum, on=checkbox(ON, state.get(Spectrum).on))
    spectrum, view = state.get(Spectrum), state.get(SpectrumView)
    reason = "" if spectrum.on else OFF
    state = state.edit(
        Spectrum,
        all_channels=choice(OF, spectrum.all_channels, CHANNELS, disabled=reason),
        beta=slider_float(BETA, spectrum.beta, disabled=reason),
    )
    state = state.edit(
        SpectrumView,
        absolute=choice(ABSOLUTE, view.absolute, REFERENCES, disabled=reason),
        range_db=slider_float(RANGE, view.range_db, disabled=reason),
        colormap=combo(COLORMAP, view.colormap, COLORMAPS, disabled=reason),
        circles=checkbox(CIRCLES, view.circles, disabled=reason),
    )
    imgui.same_line(0, imgui.get_font_size())
    return reset_button(state, RESET, Spectrum, SpectrumView)


def marks(spectrum: SpectrumResult) -> tuple[tuple[float, str, plots.Color], ...]:
    """Frequencies worth a line: (cycles per image, name, colour)."""
    stopband = None if spectrum.stopband == spectrum.nyquist else spectrum.stopband  # one line, one label
    named = ((spectrum.cutoff, "f_c", F_C), (stopband, "f_t", F_T), (spectrum.nyquist, "s/2", NYQUIST))
    return tuple((frequency, name, color) for frequency, name, color in named if frequency)


def read_out(right: float, up: float, levels: Map) -> str:
    """What the cursor reads: the frequency, its two parts, and the level there."""
    level = number_text(levels.at(right, -up), "dB")
    return f"{number_text(math.hypot(right, up))} cycles / image\n→ {number_text(right)}  ↑ {number_text(up)}   {level}"


def _map(spectrum: SpectrumResult, view: SpectrumView, context: PanelContext) -> None:
    em = imgui.get_font_size()
    side_em = max(8.0, imgui.get_content_region_avail().x / em)
    most_cells = max(64, int((side_em - 4) * em))
    levels = cached(context, "spectrum.map", (id(spectrum), view.absolute, most_cells), lambda: make_map(spectrum, view, most_cells))
    edge = 1.04 * spectrum.nyquist  # the circle at s/2 is seen whole
    axes = plots.Axes("cycles / image", "", x=(-edge, edge), y=(-edge, edge), equal=True, legend="")
    with plots.plot(f"##map {edge:g}", axes, (-1, side_em)) as shown:
        if not shown:
            return
        if context.image is not None:
            key = (id(levels), view.range_db, view.colormap)
            pixels = cached(context, "spectrum.pixels", key, lambda: colors(levels.db, view.range_db, view.colormap))
            plots.picture("##power", context.image("spectrum", pixels), levels.x, levels.up)
        for frequency, name, color in marks(spectrum) if view.circles else ():
            plots.circle(frequency, name, color)
        plots.cursor_text(lambda x, y: read_out(x, y, levels))


def _scale(view: SpectrumView) -> None:
    """The colours with the levels they stand for."""
    em, width = imgui.get_font_size(), imgui.get_content_region_avail().x
    at, lines = imgui.get_cursor_screen_pos(), imgui.get_window_draw_list()
    steps = 64
    for i in range(steps):
        r, g, b = colors_at(i / (steps - 1), view.colormap)
        left, right = at.x + width * i / steps, at.x + width * (i + 1) / steps
        lines.add_rect_filled((left, at.y), (right, at.y + 0.5 * em), imgui.get_color_u32(imgui.ImVec4(r, g, b, 1.0)))
    imgui.dummy((width, 0.5 * em))
    low, high = number_text(-view.range_db, decimals=0), number_text(view.range_db, decimals=0)
    middle = "0 dB = 1 squared unit" if view.absolute else "0 dB = mean"
    start = imgui.get_cursor_pos_x()
    imgui.text_disabled(low)
    imgui.same_line(start + (width - imgui.calc_text_size(middle).x) / 2)
    imgui.text_disabled(middle)
    imgui.same_line(start + width - imgui.calc_text_size(f"+{high}").x)
    imgui.text_disabled(f"+{high}")


def colors_at(position: float, colormap: str) -> tuple[float, float, float]:
    import numpy as np

    r, g, b = colors(np.array([2 * position - 1]), 1.0, colormap)[0] / 255
    return float(r), float(g), float(b)


def _profile(spectrum: SpectrumResult, view: SpectrumView, context: PanelContext) -> None:
    radii, power = cached(context, "spectrum.profile", id(spectrum), lambda: radial_profile(spectrum))
    levels = cached(context, "spectrum.levels", (id(power), view.absolute), lambda: decibels(power, reference(spectrum, view)))
    high = float(levels[1:].max()) if len(levels) > 1 else 0.0
    low = max(float(levels[1:].min()) if len(levels) > 1 else -1.0, high - 2 * view.range_db)
    axes = plots.Axes("cycles / image", "dB, mean over circles", x=(0.0, float(radii[-1])), y=(low - 5, high + 5), legend="")
    with plots.plot(f"##profile {radii[-1]:g} {view.absolute}", axes, (-1, PROFILE_EM)) as shown:
        if not shown:
            return
        plots.line("mean over circles", radii, levels, plots.series_color(0))
        for frequency, name, color in marks(spectrum) if view.circles else ():
            plots.vertical_line(frequency, name, color)

        def read(x: float, _: float) -> str:
            ring = round(x / float(radii[1])) if len(radii) > 1 else 0
            level = number_text(float(levels[ring]), "dB") if 0 <= ring < len(levels) else MISSING
            return f"{number_text(x)} cycles / image: {level}"

        plots.cursor_text(read)


PANEL = Panel("Spectrum", "right", 30, draw, resets=(Spectrum, SpectrumView))
