"""Panel "Spectrum": the power spectrum of the layer or of what is on screen, as a map and as a mean over circles."""

from __future__ import annotations

import math

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, checkbox, choice, combo, slider_float
from gui_utils.libraries import imgui, implot
from gui_utils.scopes import item_width
from gui_utils.text import MISSING, number_text
from viz.panels import Panel, PanelContext
from viz.panels.parts import cached, columns, reset_button, wrapped_text
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
COLORMAP = Field("", "SpectrumView.colormap", "From dB to colours.", default="viridis")
COLORMAPS = ("viridis", "magma", "cividis", "gray")
RESET = Field("Reset", "Spectrum.reset", "The published settings, switched off.")
OFF = "The spectrum is switched off."
F_C, F_T, NYQUIST = plots.series_color(4), plots.series_color(1), (1.0, 1.0, 1.0)
PROFILE_EM, SCALE_EM, SMALLEST_EM = 11.0, 3.0, 14.0
BESIDE_EM = 30.0  # from this width, the profile stands beside the map


def draw(state: ViewState, context: PanelContext) -> ViewState:
    state = _drawn(_computed(state))
    spectrum = context.frame.spectrum if context.frame else None
    if not state.get(Spectrum).on:
        return state
    if spectrum is None:
        wrapped_text("There is no spectrum yet.")
        return state
    _plots(spectrum, state.get(SpectrumView), context)
    return state


def _computed(state: ViewState) -> ViewState:
    state = state.edit(Spectrum, on=checkbox(ON, state.get(Spectrum).on))
    imgui.same_line(0, imgui.get_font_size())
    state = reset_button(state, RESET, Spectrum, SpectrumView)
    spectrum = state.get(Spectrum)
    reason = "" if spectrum.on else OFF
    return state.edit(
        Spectrum,
        all_channels=choice(OF, spectrum.all_channels, CHANNELS, disabled=reason),
        beta=slider_float(BETA, spectrum.beta, disabled=reason),
    )


def _drawn(state: ViewState) -> ViewState:
    view, reason = state.get(SpectrumView), "" if state.get(Spectrum).on else OFF
    absolute = choice(ABSOLUTE, view.absolute, REFERENCES, disabled=reason)
    range_db = slider_float(RANGE, view.range_db, disabled=reason)
    circles = checkbox(CIRCLES, view.circles, disabled=reason)
    imgui.same_line(0, imgui.get_font_size())
    with item_width(-0.01):
        colormap = combo(COLORMAP, view.colormap, COLORMAPS, disabled=reason)
    return state.put(SpectrumView(range_db, absolute, circles, colormap))


def marks(spectrum: SpectrumResult) -> tuple[tuple[float, str, plots.Color], ...]:
    """Frequencies worth a line: (cycles per image, name, colour)."""
    named = ((spectrum.nyquist, "s/2", NYQUIST), (spectrum.cutoff, "f_c", F_C), (spectrum.stopband, "f_t", F_T))
    found: dict[float, tuple[str, plots.Color]] = {}
    for frequency, name, color in named:
        if frequency:
            before = found.get(frequency)
            found[frequency] = (f"{name} = {before[0]}" if before else name, color)  # one line, one label
    return tuple((frequency, name, color) for frequency, (name, color) in sorted(found.items()))


def read_out(right: float, up: float, levels: Map) -> str:
    """What the cursor reads: the frequency, its two parts, and the level there."""
    level = number_text(levels.at(right, -up), "dB")
    return f"{number_text(math.hypot(right, up))} cycles / image\n→ {number_text(right)}  ↑ {number_text(up)}   {level}"


def _plots(spectrum: SpectrumResult, view: SpectrumView, context: PanelContext) -> None:
    """The map over the profile, or beside it where the panel is wide; no higher than the panel if that leaves a readable map."""
    room = imgui.get_content_region_avail()
    em = imgui.get_font_size()
    width_em, height_em = room.x / em, room.y / em - SCALE_EM
    if width_em < BESIDE_EM:
        side_em = min(width_em, max(SMALLEST_EM, height_em - PROFILE_EM))
        _map(spectrum, view, context, side_em)
        _scale(view)
        _profile(spectrum, view, context, PROFILE_EM)
        return
    side_em = min(width_em / 2, max(SMALLEST_EM, height_em))
    with columns("spectrum", (side_em, 0)) as visible:
        if visible:
            imgui.table_next_column()
            _map(spectrum, view, context, side_em)
            _scale(view)
            imgui.table_next_column()
            _profile(spectrum, view, context, side_em)


def _map(spectrum: SpectrumResult, view: SpectrumView, context: PanelContext, side_em: float) -> None:
    most_cells = max(64, int((side_em - 4) * imgui.get_font_size()))
    key = (view.absolute, most_cells)
    levels = cached(context, "spectrum.map", spectrum, lambda: make_map(spectrum, view, most_cells), key=key)
    edge = 1.04 * spectrum.nyquist  # the circle at s/2 is seen whole
    axes = plots.Axes("cycles / image", "", x=(-edge, edge), y=(-edge, edge), equal=True, legend="")
    with plots.plot(f"##map {edge:g}", axes, (-1, side_em)) as shown:
        if not shown:
            return
        if context.image is not None:
            key = (view.range_db, view.colormap)
            pixels = cached(context, "spectrum.pixels", levels, lambda: colors(levels.db, view.range_db, view.colormap), key=key)
            plots.picture("##power", context.image("spectrum", pixels), levels.x, levels.up)
        for i, (frequency, name, color) in enumerate(marks(spectrum) if view.circles else ()):
            plots.circle(frequency, "", color)
            angle = math.pi * (0.25 + 0.5 * i)  # each in a corner of its own
            _name(name, frequency * math.cos(angle), frequency * math.sin(angle), color)
        plots.cursor_text(lambda x, y: read_out(x, y, levels))


def _scale(view: SpectrumView) -> None:
    """The colours with the levels they stand for."""
    em, width = imgui.get_font_size(), imgui.get_content_region_avail().x
    at, lines = imgui.get_cursor_screen_pos(), imgui.get_window_draw_list()
    steps = 64
    edges = [round(at.x + width * i / steps) for i in range(steps + 1)]
    for i in range(steps):
        r, g, b = colors_at((i + 0.5) / steps, view.colormap)
        lines.add_rect_filled((edges[i], at.y), (edges[i + 1], at.y + 0.5 * em), imgui.get_color_u32(imgui.ImVec4(r, g, b, 1.0)))
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
    r, g, b = colors(np.array([2 * position - 1]), 1.0, colormap)[0] / 255
    return float(r), float(g), float(b)


def _name(name: str, x: float, y: float, color: plots.Color) -> None:
    implot.annotation(x, y, imgui.ImVec4(0.75 * color[0], 0.75 * color[1], 0.75 * color[2], 1.0), imgui.ImVec2(0, 0), True, name)


def second_profile(context: PanelContext, view: SpectrumView) -> tuple[np.ndarray, np.ndarray] | None:
    """Radii and levels of the second view's spectrum, while two are compared; each has its own mean as 0 dB, where that is chosen."""
    beside = context.frame.beside if context.frame else None
    spectrum = beside.frame.spectrum if beside else None
    if spectrum is None:
        return None
    radii, power = cached(context, "spectrum.second", spectrum, lambda: radial_profile(spectrum))
    return radii, decibels(power, reference(spectrum, view))


def _profile(spectrum: SpectrumResult, view: SpectrumView, context: PanelContext, height_em: float) -> None:
    radii, power = cached(context, "spectrum.profile", spectrum, lambda: radial_profile(spectrum))
    levels = cached(context, "spectrum.levels", power, lambda: decibels(power, reference(spectrum, view)), key=view.absolute)
    high = float(levels[1:].max()) if len(levels) > 1 else 0.0
    low = max(float(levels[1:].min()) if len(levels) > 1 else -1.0, high - 2 * view.range_db)
    second = second_profile(context, view)
    legend = "" if second is None else "in"
    axes = plots.Axes("cycles / image", "dB, mean over circles", x=(0.0, 1.06 * spectrum.nyquist), y=(low - 5, high + 5), legend=legend)
    with plots.plot(f"##profile {radii[-1]:g} {view.absolute}", axes, (-1, height_em)) as shown:
        if not shown:
            return
        plots.line("mean over circles" if second is None else "first", radii, levels, plots.series_color(0))
        if second is not None:
            plots.line("second", *second, plots.series_color(1))
        for i, (frequency, name, color) in enumerate(marks(spectrum) if view.circles else ()):
            plots.vertical_line(frequency, "", color)
            _name(name, frequency, high + 5 - (0.16 * i + 0.1) * (high - low + 10), color)  # one below the other

        def read(x: float, _: float) -> str:
            ring = round(x / float(radii[1])) if len(radii) > 1 else 0
            level = number_text(float(levels[ring]), "dB") if 0 <= ring < len(levels) else MISSING
            return f"{number_text(x)} cycles / image: {level}"

        plots.cursor_text(read)


PANEL = Panel("Spectrum", "right", 30, draw, resets=(Spectrum, SpectrumView))
