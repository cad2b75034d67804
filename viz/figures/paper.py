"""The paper's figures for any network: Figure 1 left and right, 4a, 4c, 6, and a strip of all layers. Each is a drawing.

They are made for print at their own size, letters of 7 to 9 points: Figure 1 (right) and 4c for a column of 3.5 inches, the others for
the width of a page, 7 inches.

All numbers come from the same functions as the window's: overlays, the slice, the filter view. Imports torch only inside the
pipeline that it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gui_utils.tone import ToneMap, tone_map
from viz.compare.caption import shared
from viz.errors import CommandError
from viz.figures.chart import COLORS, Curve, Place, Scales, chart, color_scale, picture
from viz.figures.drawing import Drawing, Item, Text
from viz.figures.figure import Axis
from viz.figures.page import EDGE, page
from viz.headless import first_frame, refined
from viz.panels.spectrum_math import radial_profile
from viz.request import Frame, OverlayImage
from viz.state import (
    ANALYSES,
    MOTION,
    AverageSpectrum,
    BreakIt,
    Channels,
    Filters,
    Latent,
    LatentPath,
    OwnLatent,
    Slice,
    Spectrum,
    Sticking,
    Tap,
    Tone,
    Unwarp,
    ViewState,
)

if TYPE_CHECKING:
    from viz.pipeline import Pipeline

Report = Callable[[float | None], None]
WALK_SEEDS, WALK_PICTURES = 2.0, 128
SPECTRUM_DB = (-60.0, 30.0)
RESPONSE_DB = -110.0
SPECTRUM_RANGE_DB = 150.0  # at most, of the spectra of all layers
GAP, MARGIN, ROW = 46.0, 44.0, 26.0
BAR = 36.0  # room for a colour scale; EDGE: right of the last chart
OF_THE_NETWORK = ("Figure 4a", "Figure 4c", "Figure 6")  # whatever the latent and the pose
NO_VALUE = 225  # grey where there is nothing to measure


@dataclass(frozen=True)
class Recipe:
    """What a figure is made from: the view (its network, latent, pose, layer), a pipeline of its own, how many pictures (0: as usual)."""

    view: ViewState
    pipeline: Pipeline
    num: int = 0
    report: Report = lambda fraction: None

    def frame(self, view: ViewState) -> Frame:
        """Raises CommandError with the failing stage's sentence."""
        return first_frame(self.pipeline, view)

    def measured(self, view: ViewState, name: str) -> tuple[Frame, Any]:
        """The frame, and the finished result of the overlay `name`, which the view has switched on."""
        return refined(self.pipeline, self.frame(view), name, lambda _text, fraction, _cancel: self.report(fraction))

    @property
    def plain(self) -> ViewState:
        """The view without measurements and motion, showing the finished image. What is broken stays so: it is asked for, as edits are."""
        return self.view.reset(*ANALYSES, *MOTION, Tap, Channels, Unwarp).put(self.view.get(BreakIt))


# ------------------------------------------------------------------------------------------------------- Figure 1


def average(recipe: Recipe) -> Drawing:
    """Figure 1, left: a picture, the average of its neighbourhood, and where detail survives the averaging."""
    from viz.analysis import sticking_average as overlay

    options = replace(recipe.view.get(Sticking), on=True, num=recipe.num or recipe.view.get(Sticking).num)
    frame, result = recipe.measured(recipe.plain.put(options), overlay.NAME)
    kept: overlay.Kept = result.values
    share = "—" if kept.share is None else f"{100 * kept.share:.1f} %"
    shown = ((frame.toned, "the picture"), (_pixels(result.images[overlay.MEAN]), f"mean of {kept.count} around it"),
             (_pixels(result.images[overlay.DETAIL]), f"detail kept: {share}"))  # fmt: skip
    side, items = 106.0, []
    for i, (pixels, title) in enumerate(shown):
        assert pixels is not None
        axis = Axis("image widths", -0.5, 0.5)
        place = Place(MARGIN + i * (side + GAP), ROW, side, side)
        items += picture(place, pixels, axis, axis, title)
    items += color_scale(place, result.images[overlay.DETAIL].colormap, Axis("", 0.0, 1.0))
    return _drawing(recipe, frame, "Figure 1 (left)", MARGIN + 3 * side + 2 * GAP + BAR, side + ROW + 32, items)


def walk(recipe: Recipe) -> Drawing:
    """Figure 1, right: the scan line of every picture of a walk through the latents, side by side."""
    from viz.analysis.slice_strip import Collected, pixels_of

    line = replace(recipe.view.get(Slice), on=True)
    count, collected, start = recipe.num or WALK_PICTURES, Collected(), recipe.plain.reset(LatentPath, OwnLatent)
    frame = recipe.frame(start)
    for i in range(count):
        latent = start.get(Latent)
        frame = recipe.frame(start.put(replace(latent, x=latent.x + WALK_SEEDS * i / max(1, count - 1))))
        collected.see(line, frame.picture)
        recipe.report((i + 1) / count)
    score, half = collected.score(), collected.length / 2
    stuck = "" if score is None else f"; {100 * score:.1f} % of detail stands still"
    place = Place(MARGIN, ROW, 194.0, 90.0)
    axes = Axis(f"seeds, from {recipe.view.get(Latent).x:g} on", 0.0, WALK_SEEDS), Axis("image widths", -half, half)
    items = picture(place, pixels_of(collected.values, Tone()), *axes, f"{count} pictures{stuck}")
    return _drawing(replace(recipe, view=start), frame, "Figure 1 (right)", place.width + MARGIN + EDGE, place.height + ROW + 32, items)


# ------------------------------------------------------------------------------------------------------- Figure 4


def filters(recipe: Recipe) -> Drawing:
    """Figure 4a: the filters of a layer (the one on screen, else the first with both): their taps and their responses."""
    frame, found = _filters(recipe)
    asked = recipe.view.get(Tap).layer
    layer = next((one for one in found.layers if one.spec.name == asked), None)
    layer = layer or next((one for one in found.layers if one.up is not None and one.down is not None), found.layers[0])
    items: list[Item] = []
    present = [(name, response) for name, response in (("up", layer.up), ("down", layer.down)) if response is not None]
    if not present:
        raise CommandError(f"{layer.spec.name} has no filters: its rate stays the same")
    for row, (name, response) in enumerate(present):
        y = ROW + row * 170
        lowpass, rate = response.lowpass, response.lowpass.sampling_rate
        taps = response.profile
        t = (np.arange(len(taps)) - (len(taps) - 1) / 2) / rate
        reach, peak = float(abs(t).max() * 1.05), float(taps.max())
        low = min(0.0, float(taps.min())) - 0.08 * peak
        scales = Scales(Axis("image widths", -reach, reach), Axis("tap", low, 1.1 * peak))
        kind = "radial" if response.taps.ndim == 2 else "separable"
        items += chart(Place(MARGIN, y, 160, 110), scales, [Curve("", t, taps, COLORS[0], stems=True)],
                       f"{layer.spec.name}, {name}: {len(taps)} taps, {kind}")  # fmt: skip
        lines = [Curve("along an axis", response.frequency, response.axis_db, COLORS[0]),
                 Curve("at 45°", response.frequency, response.diagonal_db, COLORS[1], (3, 2))]  # fmt: skip
        scales = Scales(Axis("cycles per image", 0.0, rate / 2), Axis("dB", RESPONSE_DB, 6.0))
        marks = ((lowpass.cutoff, "f_c"), (response.stopband, "f_c + f_h"))
        fallen = response.attenuation_db
        title = "response" if fallen is None else f"response: {fallen:.1f} dB down beyond f_c + f_h"
        items += chart(Place(MARGIN + 160 + GAP, y, 230, 110), scales, lines, title, marks)
    return _drawing(recipe, frame, "Figure 4a", MARGIN + 160 + GAP + 230 + EDGE, ROW + 170 * len(present) - 26, items)


def design(recipe: Recipe) -> Drawing:
    """Figure 4c: over the layers, cutoff, stopband and sampling rate, in octaves."""
    frame, found = _filters(recipe)
    curves, count = found.curves, len(found.layers)
    x = np.arange(count, dtype=np.float64)
    lines = [
        Curve("s / 2", x, np.log2(curves.sampling_rate / 2), COLORS[4], (1, 1.5)),
        Curve("f_t, asked for", x, np.log2(np.maximum(curves.stopband, 1e-9)), COLORS[1]),
        Curve("f_c + f_h, of the filter", x, np.log2(curves.filter_stopband), COLORS[2], (4, 2)),
        Curve("f_c", x, np.log2(curves.cutoff), COLORS[0]),
    ]
    values = np.concatenate([line.y[np.isfinite(line.y) & (line.y > -20)] for line in lines])
    low, high = math.floor(values.min()), math.ceil(values.max() + 1.2)
    names = tuple((float(i), name) for i, name in enumerate(curves.names))
    scales = Scales(Axis("layer", -0.4, count - 0.6), Axis("cycles per image", low, high), names, log2=True, legend="left")
    items = chart(Place(MARGIN, ROW, 194, 170), scales, lines, "design of the layers")
    return _drawing(recipe, frame, "Figure 4c", MARGIN + 194 + EDGE, ROW + 170 + 54, items)


def _filters(recipe: Recipe) -> tuple[Frame, Any]:
    from viz.analysis import filter_view as overlay

    frame, result = recipe.measured(recipe.plain.put(Filters(on=True)), overlay.NAME)
    if result.values is None:
        assert frame.network is not None
        raise CommandError(f"{frame.network.titled} has no designed filters to draw")
    return frame, result.values


# ------------------------------------------------------------------------------------------------ Figure 6, layers


def spectra(recipe: Recipe) -> Drawing:
    """Figure 6: the average power spectrum of the network's pictures, and slices of it."""
    from viz.analysis import spectrum_chart as overlay

    options = replace(recipe.view.get(AverageSpectrum), on=True, num=recipe.num or recipe.view.get(AverageSpectrum).num)
    frame, result = recipe.measured(recipe.plain.put(options), overlay.NAME)
    found = result.values
    low, high = SPECTRUM_DB
    tone = ToneMap(gain=1 / (high - low), offset=-low / (high - low), signed=False, colormap="viridis")
    right, (bottom, top) = found.spans
    x, y = Axis("cycles per image", *right), Axis("cycles per image", -top, -bottom)
    heat, title = Place(MARGIN, ROW, 160, 160), f"mean of {found.count} pictures"
    items = picture(heat, tone_map(found.heat_db, tone), x, y, title)
    items += color_scale(heat, "viridis", Axis("dB", low, high))
    lines = [
        Curve(label, line[0], line[1], COLORS[i], ((), (4, 2), (1, 1.5))[i % 3]) for i, (label, line) in enumerate(found.lines().items())
    ]
    scales = Scales(Axis("cycles per image", 0.0, float(max(line.x.max() for line in lines))), Axis("dB over white noise", low, high))
    items += chart(Place(MARGIN + 160 + BAR + GAP, ROW, 204, 160), scales, lines, "slices", ((found.edge, "s/2"),))
    return _drawing(recipe, frame, "Figure 6", MARGIN + 160 + BAR + GAP + 204 + EDGE, ROW + 160 + 32, items)


def layers(recipe: Recipe) -> Drawing:
    """A strip of all layers: the first three channels of each, every one divided by its largest magnitude."""
    first = recipe.frame(recipe.plain)
    assert first.network is not None
    taps = first.network.taps
    columns, side = min(6, len(taps)), 68.0
    items: list[Item] = []
    for i, tap in enumerate(taps):
        last = tap is taps[-1]
        view = recipe.plain if last else recipe.plain.edit(Tap, layer=tap.name).put(Channels(normalize=True))
        frame = recipe.frame(view)
        assert frame.toned is not None
        height, width = frame.toned.shape[:2]
        place = Place(EDGE + i % columns * (side + 12), ROW + i // columns * (side + 34), side, side * height / width)
        items += picture(place, frame.toned, title=tap.name)
        items.append(Text(place.x, place.y + place.height + 10, f"{tap.channels} × {tap.size[0]}², s = {tap.sampling_rate:g}", 7))
        recipe.report((i + 1) / len(taps))
    rows = -(-len(taps) // columns)
    return _drawing(recipe, first, "Layers", 2 * EDGE - 12 + columns * (side + 12), ROW + rows * (side + 34) - 16, items)


def layer_spectra(recipe: Recipe) -> Drawing:
    """The spectrum of each layer, averaged over circles, up to half its sampling rate, with f_c and f_t; 0 dB is its own mean power."""
    first = recipe.frame(recipe.plain)
    assert first.network is not None
    taps, found = first.network.taps, []
    for i, tap in enumerate(taps):
        spectrum = recipe.frame(recipe.plain.edit(Tap, layer=tap.name).put(replace(recipe.view.get(Spectrum), on=True))).spectrum
        assert spectrum is not None
        radii, power = radial_profile(spectrum)
        found.append((spectrum, radii, 10 * np.log10(np.maximum(power, 1e-30) / max(spectrum.mean_power, 1e-30))))
        recipe.report((i + 1) / len(taps))
    high = math.ceil(max(levels.max() for _, _, levels in found) / 10) * 10.0
    low = math.floor(max(min(levels.min() for _, _, levels in found), high - SPECTRUM_RANGE_DB) / 10) * 10.0
    columns, rows, width, height = 4, -(-len(taps) // 4), 88.0, 66.0
    items: list[Item] = []
    for i, (tap, (spectrum, radii, levels)) in enumerate(zip(taps, found, strict=True)):
        place = Place(MARGIN + i % columns * (width + 24), ROW + i // columns * (height + 42), width, height)
        x = Axis("cycles per image" if i + columns >= len(taps) else "", 0.0, spectrum.nyquist)
        y = Axis("" if i % columns else "dB, mean over circles", low, high)
        marks = tuple((at, name) for at, name in ((spectrum.cutoff, "f_c"), (spectrum.stopband, "f_t")) if at and at < spectrum.nyquist)
        title = f"{tap.name}: f_c = s/2" if spectrum.cutoff == spectrum.nyquist else tap.name
        items += chart(place, Scales(x, y), [Curve("", radii, levels, COLORS[0])], title, marks)
    return _drawing(recipe, first, "Spectra", MARGIN + columns * (width + 24) - 24 + EDGE, ROW + rows * (height + 42) - 10, items)


FIGURES: dict[str, tuple[str, Callable[[Recipe], Drawing]]] = {
    "fig1-left": ("Figure 1, left: average around a latent", average),
    "fig1-right": ("Figure 1, right: a line over a latent walk", walk),
    "fig4a": ("Figure 4a: filters of a layer", filters),
    "fig4c": ("Figure 4c: design of the layers", design),
    "fig6": ("Figure 6: average spectrum", spectra),
    "layers": ("Strip of all layers", layers),
    "layer-spectra": ("Spectra of all layers", layer_spectra),
}


def _pixels(image: OverlayImage) -> np.ndarray:
    from viz.canvas.overlay_tone import pixels_of

    pixels = pixels_of(image)
    return pixels if image.mask is None else np.where(image.mask[:, :, None], pixels, np.uint8(NO_VALUE))


def _drawing(recipe: Recipe, frame: Frame, title: str, width: float, height: float, items: list[Item]) -> Drawing:
    """The page, with a line that says what was measured."""
    return page(Drawing(width, height, tuple(items), title), frame, "" if title in OF_THE_NETWORK else shared(recipe.plain, frame.network))
