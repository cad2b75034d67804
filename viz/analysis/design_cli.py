"""Commands `filters`, `fourier` and `break-it`: what the network was designed to do, what it begins with, and what breaking that costs."""

from __future__ import annotations

import argparse
import colorsys
from dataclasses import asdict
from typing import Any

import numpy as np

from networks.measures.comparison import KINDS, Kind
from viz.analysis import break_it, break_it_panel, filter_view, fourier_view
from viz.analysis.measuring import (
    Measurement,
    add_network_argument,
    add_result_arguments,
    add_view_arguments,
    array_of,
    finite,
    shown,
    view_of,
)
from viz.errors import CommandError
from viz.figures.drawing import Drawing
from viz.figures.figure import Axis
from viz.state import BreakIt, Filters, FourierView, Tap, ViewState

# ---------------------------------------------------------------------------------------------------------- filters


def add_filters_arguments(parser: argparse.ArgumentParser) -> None:
    add_view_arguments(parser, num=0, counted="", posed=False)
    parser.add_argument(
        "--layer",
        metavar="NAME",
        default="",
        help="the layer that a figure shows, as `inspect` names it, or L5 (default: the last with filters)",
    )


def filters_view(options: argparse.Namespace) -> ViewState:
    return view_of(options, Tap(options.layer), Filters(on=True))


def run_filters(options: argparse.Namespace) -> int:
    asked = Measurement.of(options, filters_view(options), filter_view.NAME)
    found: filter_view.NetworkFilters | None = asked.values
    if found is None:
        raise CommandError(f"{asked.network.titled} has no designed filters")
    network, asked_layer = asked.network, asked.view.get(Tap).layer
    if asked_layer and all(layer.spec.name != asked_layer for layer in found.layers):
        raise CommandError(f"--layer {asked_layer} has no filters; there are {', '.join(layer.spec.name for layer in found.layers)}")
    layers = [{"name": layer.spec.name, "sampling_rate": layer.spec.out_sampling_rate, "f_c": layer.spec.out_cutoff,
               "f_t": layer.spec.out_stopband, "pool": layer.pool, "up": _design(layer.up), "down": _design(layer.down)}
              for layer in found.layers]  # fmt: skip
    titles = ("layer", "s", "f_c", "f_t", "up: n, window", "f_h", "attenuation", "down: n, window", "f_h", "attenuation")
    lines = (f"{asked.network.ref}: filters, frequencies in cycles per image", _columns(titles), *(_columns(_row(x)) for x in layers))
    arrays = {f"{layer.spec.name}, {side}, {what}": values for layer in found.layers for side in ("up", "down")
              if (one := getattr(layer, side)) is not None
              for what, values in (("taps", one.taps), ("cycles", one.frequency), ("db", one.axis_db))}  # fmt: skip
    chosen = found.layers[filter_view.layer_index(found, network.tap_name(asked_layer), network)]

    def figure() -> Drawing:
        from viz.analysis.figures import line_chart
        from viz.figures.chart import Scales

        pair = {side: one for side in ("up", "down") if (one := getattr(chosen, side)) is not None}
        if not pair:
            raise CommandError(f"--out: {chosen.spec.name} has no filters, its rate stays; --layer chooses another")
        edge = max(one.lowpass.sampling_rate for one in pair.values()) / 2
        marks = {name: frequency for frequency, name, _ in filter_view.marks(chosen, list(pair.values())[-1])}
        scales = Scales(Axis("cycles per image", 0.0, edge), Axis("dB", filter_view.LOW_DB, 6.0))
        title = f"{chosen.spec.name}: the response of its filters"
        return line_chart({side: (one.frequency, one.axis_db) for side, one in pair.items()}, scales, title, marks=marks)

    return asked.tell({"layers": layers}, lines, arrays, figure)


def _design(found: Any) -> dict[str, Any] | None:
    """What the panel's table says of one filter; None where there is none."""
    if found is None:
        return None
    promised, beta = filter_view.designed_db(found.lowpass)
    return {"n": found.lowpass.support, "taps": len(found.taps), "radial": found.taps.ndim == 2, "window": found.lowpass.window,
            "f_c": found.lowpass.cutoff, "f_h": found.lowpass.half_width, "gain_at_f_c_db": found.at_cutoff_db,
            "attenuation_db": finite(found.attenuation_db), "kaiser_db": promised, "kaiser_beta": beta,
            "deviation": finite(found.deviation)}  # fmt: skip


def _row(layer: dict[str, Any]) -> tuple[str, ...]:
    sides = []
    for side in ("up", "down"):
        one = layer[side]
        missing = f"{layer['pool']}-pool" if side == "down" and layer["pool"] else "—"
        shape = "" if one is None else f"{one['n']}, {one['window']}{', radial' if one['radial'] else ''}"
        sides += [shape or missing, *(("—", "—") if one is None else (f"{one['f_h']:.4g}", shown(one["attenuation_db"], "dB")))]
    return (layer["name"], f"{layer['sampling_rate']:g}", f"{layer['f_c']:.4g}", f"{layer['f_t']:.4g}", *sides)


def _columns(cells: tuple[str, ...]) -> str:
    widths = (14, 6, 8, 8, 20, 8, 13, 20, 8, 13)
    return "  " + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


# ---------------------------------------------------------------------------------------------------------- fourier


def add_fourier_arguments(parser: argparse.ArgumentParser) -> None:
    add_view_arguments(parser, num=0, counted="")


def fourier_input_view(options: argparse.Namespace) -> ViewState:
    return view_of(options, FourierView(on=True))


def run_fourier(options: argparse.Namespace) -> int:
    asked = Measurement.of(options, fourier_input_view(options), fourier_view.NAME)
    found: fourier_view.Fourier | None = asked.values
    if found is None:
        raise CommandError(f"{asked.network.titled} starts from a learned constant, not from waves")
    rows = zip(found.freqs, found.phases, found.amplitudes, found.strengths, strict=True)
    waves = [{"right": float(f[0]), "down": float(f[1]), "phase_degrees": 360 * float(p), "amplitude": float(a), "used": float(s)}
             for f, p, a, s in rows]  # fmt: skip
    corners = {"image": found.outline(width=1, height=1), "canvas": found.outline(width=found.canvas[0], height=found.canvas[1])}
    facts = {"f_c": found.bandwidth, "half_rate": found.nyquist, "canvas": list(found.canvas),
             "learned_pose": list(found.learned), "damped": found.damped, "matrix": found.matrix.tolist(), "waves": waves}  # fmt: skip
    used = sorted(range(len(waves)), key=lambda i: -waves[i]["used"])[:8]
    lines = (
        f"{asked.network.ref}: {len(waves)} waves up to {found.bandwidth:g} cycles per image, {found.damped or 'none'} damped",
        f"learned pose: {fourier_view.learned_text(found.learned)}; canvas {found.canvas[0]:.3g} x {found.canvas[1]:.3g} images",
        f"the {len(used)} most used:",
        *(f"  wave {i:<5}{waves[i]['right']:8.3f} right {waves[i]['down']:8.3f} down  {waves[i]['phase_degrees']:7.1f} degrees"
          f"  amplitude {waves[i]['amplitude']:.3f}  used {waves[i]['used']:.2f}".replace("-", "−") for i in used),
    )  # fmt: skip
    arrays = {"freqs": found.freqs, "phases": found.phases, "amplitudes": found.amplitudes, "strengths": found.strengths,
              "matrix": found.matrix, **corners}  # fmt: skip
    return asked.tell(facts, lines, arrays, lambda: waves_figure(found))


def waves_figure(found: fourier_view.Fourier) -> Drawing:
    """The plane of frequencies: a dot a wave, its hue the phase, its size what the network uses of it."""
    from viz.analysis.figures import dots_figure

    hues = [colorsys.hsv_to_rgb((phase + 0.5) % 1.0, 0.9, 0.85) for phase in found.phases]
    edge = 1.08 * max(found.bandwidth, float(np.abs(found.freqs).max()))
    axes = Axis("cycles per image, right", -edge, edge), Axis("cycles per image, down", -edge, edge)
    title = f"{len(found.freqs)} waves; hue: phase, size: how much the network uses"
    sizes = 0.006 + 0.012 * found.strengths * found.amplitudes
    return dots_figure(found.freqs, np.array(hues), sizes, *axes, title, circles={"f_c": found.bandwidth, "s/2": found.nyquist})


# ---------------------------------------------------------------------------------------------------------- break it


def add_break_it_arguments(parser: argparse.ArgumentParser) -> None:
    """No seed: as in the window, both networks are measured on the same latents and transforms, those of seed 0."""
    add_network_argument(parser)
    add_result_arguments(parser)


def run_break_it(options: argparse.Namespace) -> int:
    view = view_of(options)
    if not view.get(BreakIt).on:
        raise CommandError("Nothing is broken; --break LAYERS:NAME=VALUE breaks something, e.g. --break all:m=1")
    asked = Measurement.of(options, view, break_it.NAME)
    toll: break_it.Toll = asked.values
    pairs: dict[Kind, tuple[float | None, float | None]] = {kind: toll.db(kind) for kind in KINDS}
    facts = {"broken": asdict(view.get(BreakIt)),
             "num": toll.broken.done if toll.broken else 0,
             **{kind: {"whole": finite(whole), "broken": finite(broken), "change": toll.change(kind)}
                for kind, (whole, broken) in pairs.items()},
             "psnr": finite(toll.likeness),
             "seconds": {"whole": toll.whole_s, "broken": toll.broken_s, "ratio": toll.time_ratio}}  # fmt: skip
    table = (break_it_panel.TITLES, *break_it_panel.rows(toll))
    lines = (f"{asked.network.ref}: {asked.facts['breaks']}", *("  " + "".join(f"{cell:>12}" for cell in row) for row in table))
    numbers = {"psnr": (toll.likeness,), "seconds": (toll.whole_s, toll.broken_s)}
    arrays = {kind: array_of(pair) for kind, pair in pairs.items()} | {name: array_of(found) for name, found in numbers.items()}
    return asked.tell(facts, lines, arrays)
