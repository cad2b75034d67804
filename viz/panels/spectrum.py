"""Panel "Spectrum": the power spectrum of the layer or of what is on screen, as a map and as a mean over circles."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np

from gui_utils import plots, theme
from gui_utils.controls import Field, checkbox, choice, combo, slider_float
from gui_utils.libraries import imgui, implot
from gui_utils.scopes import item_width
from gui_utils.text import MISSING, number_text
from viz.groups.compare import NAMES
from viz.panels import Panel, PanelContext
from viz.panels.invitation import SHOW, invitation
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
WHAT = "The frequencies that what is shown is made of, with circles at the cutoff f_c, the stopband f_t and s/2. F does the same."
F_C, F_T, NYQUIST = plots.series_color(4), plots.series_color(1), (1.0, 1.0, 1.0)
PROFILE_EM, SCALE_EM, SMALLEST_EM = 11.0, 3.0, 14.0
SMALLEST_BESIDE_EM = 11.0  # of a map with its profile at the side
BESIDE_EM = 30.0  # from this width, the profile stands beside the map
CAPTION_EM, LEAST_EM, GAP_EM = 1.6, 10.5, 0.3  # of maps side by side
STEPS = 64  # of the scale of colours
EDGE = 1.04  # of the map, over s/2: the circle there is seen whole
Spectra = dict[int, SpectrumResult]  # by the number of the view


def draw(state: ViewState, context: PanelContext) -> ViewState:
    state = _drawn(_computed(state))
    spectrum = context.frame.spectrum if context.frame else None
    if not state.get(Spectrum).on:
        return invitation(state, ON, Spectrum, WHAT, label=SHOW)
    if spectrum is None:
        wrapped_text("There is no spectrum yet.")
        return state
    _plots(shown_spectra(context), state.get(SpectrumView), context)
    return state


def shown_spectra(context: PanelContext) -> dict[int, SpectrumResult]:
    """The spectra of all views that are compared, by number; of the first alone otherwise."""
    frame = context.frame
    views = {} if frame is None else {1: frame, **{n: beside.frame for n, beside in sorted(frame.others.items())}}
    return {n: each.spectrum for n, each in views.items() if each.spectrum is not None}


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


def _plots(spectra: Spectra, view: SpectrumView, context: PanelContext) -> None:
    """The maps over the profiles, or beside them where the panel is wide; no higher than the panel if that leaves readable maps."""
    room = imgui.get_content_region_avail()
    em = imgui.get_font_size()
    width_em, height_em = room.x / em, room.y / em - SCALE_EM
    if width_em < BESIDE_EM or len(spectra) > 1:
        _maps(spectra, view, context, (width_em, max(SMALLEST_EM, height_em - PROFILE_EM)))
        _scale(view)
        _profile(spectra, view, context, PROFILE_EM)
        return
    side_em = min(width_em / 2, max(SMALLEST_BESIDE_EM, height_em))
    with columns("spectrum", (side_em, 0)) as visible:
        if visible:
            imgui.table_next_column()
            _maps(spectra, view, context, (side_em, max(SMALLEST_BESIDE_EM, height_em)))
            _scale(view)
            imgui.table_next_column()
            _profile(spectra, view, context, side_em)


def _maps(spectra: Spectra, view: SpectrumView, context: PanelContext, room_em: tuple[float, float]) -> None:
    """One map; or one for each view that is compared, side by side, with the same axes and the same range of colours."""
    edge = EDGE * max(spectrum.nyquist for spectrum in spectra.values())
    if len(spectra) == 1:
        for number, spectrum in spectra.items():
            _map(number, spectrum, view, context, (min(room_em), edge))
        return
    count = max(1, min(len(spectra), int(room_em[0] / LEAST_EM), 2 if len(spectra) == 4 else 3))
    rows = math.ceil(len(spectra) / count)
    side_em = min(room_em[0] / count, max(LEAST_EM, room_em[1] / rows - CAPTION_EM)) - GAP_EM
    with columns("maps", (side_em,) * count, rows=rows) as visible:
        if visible:
            for number, spectrum in spectra.items():
                imgui.table_next_column()
                imgui.text_unformatted(_caption(number, context))
                _map(number, spectrum, view, context, (side_em, edge))


def _caption(number: int, context: PanelContext) -> str:
    frame = context.frame
    assert frame is not None
    facts = frame.network if number == 1 else frame.others[number].frame.network
    return f"{NAMES[number]}: {facts.config_name}" if facts is not None else NAMES[number]


def _map(number: int, spectrum: SpectrumResult, view: SpectrumView, context: PanelContext, side: tuple[float, float]) -> None:
    """`side`: of the plot in em, and of its axes from the middle in cycles per image."""
    side_em, edge = side
    most_cells = max(64, int((side_em - 4) * imgui.get_font_size()))
    key = (view.absolute, most_cells)
    levels = cached(context, f"spectrum.map.{number}", spectrum, lambda: make_map(spectrum, view, most_cells), key=key)
    axes = plots.Axes("cycles / image", "", x=(-edge, edge), y=(-edge, edge), equal=True, legend="")
    with plots.plot(f"##map {number} {edge:g}", axes, (side_em, side_em)) as shown:
        if not shown:
            return
        if context.image is not None:
            key = (view.range_db, view.colormap)
            name = f"spectrum.pixels.{number}"
            pixels = cached(context, name, levels, lambda: colors(levels.db, view.range_db, view.colormap), key=key)
            plots.picture("##power", context.image(f"spectrum {number}" if number > 1 else "spectrum", pixels), levels.x, levels.up)
        for i, (frequency, name, color) in enumerate(marks(spectrum) if view.circles else ()):
            plots.circle(frequency, "", color)
            angle = math.pi * (0.25 + 0.5 * i)  # each in a corner of its own
            _name(name, frequency * math.cos(angle), frequency * math.sin(angle), color)
        plots.cursor_text(lambda x, y: read_out(x, y, levels))


def _scale(view: SpectrumView) -> None:
    """The colours with the levels they stand for."""
    em, width = imgui.get_font_size(), imgui.get_content_region_avail().x
    at, lines = imgui.get_cursor_screen_pos(), imgui.get_window_draw_list()
    edges = [round(at.x + width * i / STEPS) for i in range(STEPS + 1)]
    for (left, right), color in zip(pairwise(edges), steps_of(view.colormap), strict=True):
        lines.add_rect_filled((left, at.y), (right, at.y + 0.5 * em), theme.packed(color))
    imgui.dummy((width, 0.5 * em))
    low, high = number_text(-view.range_db, decimals=0), number_text(view.range_db, decimals=0)
    middle = "0 dB = 1 squared unit" if view.absolute else "0 dB = mean"
    start = imgui.get_cursor_pos_x()
    imgui.text_disabled(low)
    imgui.same_line(start + (width - imgui.calc_text_size(middle).x) / 2)
    imgui.text_disabled(middle)
    imgui.same_line(start + width - imgui.calc_text_size(f"+{high}").x)
    imgui.text_disabled(f"+{high}")


@lru_cache(maxsize=8)
def steps_of(colormap: str) -> tuple[plots.Color, ...]:
    """The colours of the scale, from its low end to its high one."""
    middles = (np.arange(STEPS) + 0.5) / STEPS
    return tuple((r, g, b) for r, g, b in (colors(2 * middles - 1, 1.0, colormap) / 255).tolist())


def _name(name: str, x: float, y: float, color: plots.Color) -> None:
    implot.annotation(x, y, imgui.ImVec4(0.75 * color[0], 0.75 * color[1], 0.75 * color[2], 1.0), imgui.ImVec2(0, 0), True, name)


def profiles(spectra: Spectra, context: PanelContext, view: SpectrumView) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Radii and levels of every view's spectrum, by number; each has its own mean as 0 dB, where that is chosen."""
    found = {}
    for number, spectrum in spectra.items():
        radii, power = cached(context, f"spectrum.profile.{number}", spectrum, lambda spectrum=spectrum: radial_profile(spectrum))
        zero = reference(spectrum, view)
        name = f"spectrum.levels.{number}"
        found[number] = radii, cached(context, name, power, lambda power=power, zero=zero: decibels(power, zero), key=view.absolute)
    return found


def _profile(spectra: Spectra, view: SpectrumView, context: PanelContext, height_em: float) -> None:
    lines = profiles(spectra, context, view)
    inner = [levels[1:] for _, levels in lines.values() if len(levels) > 1]
    high = max((float(levels.max()) for levels in inner), default=0.0)
    low = max(min((float(levels.min()) for levels in inner), default=-1.0), high - 2 * view.range_db)
    nyquist = max(spectrum.nyquist for spectrum in spectra.values())
    several = len(spectra) > 1
    axes = plots.Axes(
        "cycles / image", "dB, mean over circles", x=(0.0, 1.06 * nyquist), y=(low - 5, high + 5), legend="in" if several else ""
    )
    with plots.plot(f"##profile {nyquist:g} {view.absolute}", axes, (-1, height_em)) as shown:
        if not shown:
            return
        for number, (radii, levels) in lines.items():
            color = plots.series_color(number - 1)
            plots.line(NAMES[number].lower() if several else "mean over circles", radii, levels, color)
            if several:  # a number on the line, so that not the colour alone tells them apart
                at = round((0.2 + 0.12 * number) * (len(radii) - 1))
                _name(str(number), float(radii[at]), float(levels[at]), color)
        first = next(iter(spectra.values()))
        for i, (frequency, name, color) in enumerate(marks(first) if view.circles else ()):
            plots.vertical_line(frequency, "", color)
            _name(name, frequency, high + 5 - (0.16 * i + 0.1) * (high - low + 10), color)  # one below the other
        plots.cursor_text(lambda x, _: read_profiles(x, lines))


def read_profiles(x: float, lines: dict[int, tuple[np.ndarray, np.ndarray]]) -> str:
    """What the cursor reads at this frequency, of every line."""
    texts = []
    for number, (radii, levels) in lines.items():
        ring = round(x / float(radii[1])) if len(radii) > 1 else 0
        level = number_text(float(levels[ring]), "dB") if 0 <= ring < len(levels) else MISSING
        texts.append(level if len(lines) == 1 else f"{NAMES[number].lower()} {level}")
    return f"{number_text(x)} cycles / image: {', '.join(texts)}"


PANEL = Panel("Spectrum", "right", 30, draw)
