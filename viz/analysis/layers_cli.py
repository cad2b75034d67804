"""Commands `nonlinearity`, `out-of-band`, `health` and `channel-effect`: what one latent's layers hold, lose, and what for."""

from __future__ import annotations

import argparse

import numpy as np

from viz.analysis import channel_effect, layer_health, layer_shares, nonlinearity_chart
from viz.analysis.measuring import Measurement, add_view_arguments, array_of, finite, shown, view_of
from viz.errors import CommandError
from viz.figures.drawing import Drawing
from viz.figures.figure import Axis
from viz.state import ChannelEffect, LayerHealth, LayerShares, Nonlinearity, Tap, ViewState


def add_nonlinearity_arguments(parser: argparse.ArgumentParser) -> None:
    add_view_arguments(parser, num=0, counted="")
    parser.add_argument("--layer", metavar="NAME", default="", help="as `inspect` names it, or L5 (default: the last with a nonlinearity)")


def nonlinearity_view(options: argparse.Namespace) -> ViewState:
    return view_of(options, Tap(options.layer), Nonlinearity(on=True))


def run_nonlinearity(options: argparse.Namespace) -> int:
    asked = Measurement.of(options, nonlinearity_view(options), nonlinearity_chart.NAME)
    inside: nonlinearity_chart.Inside | None = asked.values
    network = asked.network
    if inside is None:
        raise CommandError(f"{network.titled} has no filtered nonlinearity there")
    rows = nonlinearity_chart.rows(inside)
    facts = {"layer": inside.name, "channels": inside.channels, "marks": inside.marks,
             "beyond_half_rate": {name: finite(share) for name, share in rows}, "folded": inside.shares.folded,
             "removed": inside.shares.removed}  # fmt: skip
    lines = (f"{network.ref}: {inside.name}, {asked.latent}; shares of power beyond s/2",
             *(f"  {name:<22}{nonlinearity_chart.percent_text(share):>28}" for name, share in rows))  # fmt: skip
    arrays = {
        f"{name}, {what}": values for name, pair in inside.curves.items() for what, values in zip(("cycles", "db"), pair, strict=True)
    }

    def figure() -> Drawing:
        from viz.analysis.figures import line_chart
        from viz.figures.chart import Scales

        high = max(float(np.nanmax(level)) for _, level in inside.curves.values())
        last = max(float(frequency[-1]) for frequency, _ in inside.curves.values())
        levels = Axis("dB, mean over circles", high - nonlinearity_chart.DEEPEST_DB, high + 6)
        marked = ", ".join(f"{name} {frequency:.4g}" for name, frequency in inside.marks.items())
        return line_chart(
            inside.curves, Scales(Axis("cycles per image", 0.0, last), levels), f"inside {inside.name}: {marked}", marks=inside.marks
        )

    return asked.tell(facts, lines, arrays, figure)


def add_out_of_band_arguments(parser: argparse.ArgumentParser) -> None:
    add_view_arguments(parser, num=0, counted="")


def out_of_band_view(options: argparse.Namespace) -> ViewState:
    return view_of(options, LayerShares(on=True))


def run_out_of_band(options: argparse.Namespace) -> int:
    asked = Measurement.of(options, out_of_band_view(options), layer_shares.NAME)
    found: tuple[layer_shares.LayerShare, ...] = asked.values.found
    fields = tuple(layer_shares.CURVES.values())
    if all(getattr(share, field) is None for share in found for field in fields):
        raise CommandError(f"{asked.network.titled}: {layer_shares.NOTHING[0].lower()}{layer_shares.NOTHING[1:-1]}")
    layers = [{"name": share.name, **{field: finite(getattr(share, field)) for field in fields}} for share in found]
    lines = (f"{asked.network.ref}: shares of each layer's power, {asked.latent}",
             f"  {'':<20}" + "".join(f"{title:>14}" for title in layer_shares.CURVES),
             *(f"  {share.name:<20}" + "".join(f"{shown(layer_shares.decibels(getattr(share, field)), 'dB'):>14}" for field in fields)
               for share in found))  # fmt: skip
    arrays = {"layer": np.array([share.name for share in found])}
    arrays |= {field: array_of(getattr(share, field) for share in found) for field in fields}

    def figure() -> Drawing:
        from viz.analysis.figures import layers_chart

        curves = {title: array_of(layer_shares.decibels(getattr(share, field)) for share in found)
                  for title, field in layer_shares.CURVES.items()}  # fmt: skip
        axis = Axis("dB of the layer's power", layer_shares.LOWEST_DB, 3.0)
        return layers_chart([share.name for share in found], curves, axis, "power out of band")

    return asked.tell({"layers": layers}, lines, arrays, figure)


def add_health_arguments(parser: argparse.ArgumentParser) -> None:
    add_view_arguments(parser, num=0, counted="")
    parser.add_argument("--dtype", choices=("float16", "bfloat16"), default="float16", help="the 16 bits compared (default float16)")


def health_view(options: argparse.Namespace) -> ViewState:
    return view_of(options, LayerHealth(on=True, dtype=options.dtype))


def run_health(options: argparse.Namespace) -> int:
    asked = Measurement.of(options, health_view(options), layer_health.NAME)
    found: tuple[layer_health.Health, ...] | None = asked.values
    if not found:
        raise CommandError(f"{asked.network.titled} has no filtered layers")
    dtype = asked.view.get(LayerHealth).dtype
    numbers = ("own_db", "chain_db", "clamped", "largest")
    layers = [
        {"name": h.name, **{field: finite(getattr(h, field)) for field in numbers}, "dead": h.dead, "channels": h.channels} for h in found
    ]
    facts = {"dtype": dtype, "layers": layers}
    titles = ("layer", "dB alone", "dB up to it", "clamped", "largest", "dead channels")
    table = (f"  {row[0]:<8}" + "".join(f"{cell:>14}" for cell in row[1:]) for row in (titles, *map(layer_health.texts, found)))
    lines = (f"{asked.network.ref}: {dtype} against float32, {asked.latent}", *table)
    arrays: dict[str, np.ndarray] = {"layer": np.array([h.name for h in found]), "dead": np.array([len(h.dead) for h in found])}
    arrays |= {field: array_of(getattr(h, field) for h in found) for field in numbers}

    def figure() -> Drawing:
        from viz.analysis.figures import layers_chart

        levels = {"alone": array_of(h.own_db for h in found), "up to it": array_of(h.chain_db for h in found)}
        high = max(float(level[np.isfinite(level)].max(initial=0.0)) for level in levels.values())
        axis = Axis("dB of detail over the difference", 0.0, high + 6)
        return layers_chart([h.name for h in found], levels, axis, f"{dtype} against float32")

    return asked.tell(facts, lines, arrays, figure)


def add_channel_effect_arguments(parser: argparse.ArgumentParser) -> None:
    add_view_arguments(parser, num=0, counted="")
    parser.add_argument("--layer", metavar="NAME", required=True, help="as `inspect` names it, or L5")


def channel_effect_view(options: argparse.Namespace) -> ViewState:
    return view_of(options, Tap(options.layer), ChannelEffect(on=True))


def run_channel_effect(options: argparse.Namespace) -> int:
    asked = Measurement.of(options, channel_effect_view(options), channel_effect.NAME)
    found: channel_effect.Effects | None = asked.values
    if found is None:
        raise CommandError(
            f"--layer {options.layer}: {asked.network.name} has no channels there that can be turned off; `inspect` lists layers"
        )
    facts = {"layer": found.layer, "order": found.order, "db": [finite(found.db(channel)) for channel in range(found.channels)]}
    lines = (f"{asked.network.ref}: change of the picture without each channel of {found.layer}, {asked.latent}",
             *(f"  {channel:<8}{shown(found.db(channel), 'dB'):>14}" for channel in found.order))  # fmt: skip

    def figure() -> Drawing:
        from viz.analysis.figures import line_chart
        from viz.figures.chart import Scales

        levels = array_of(finite(found.db(channel)) for channel in found.order)
        low, high = float(np.nanmin(levels, initial=0.0)), float(np.nanmax(levels, initial=-120.0))
        scales = Scales(Axis("rank", 0.0, max(1.0, found.channels - 1.0)), Axis("dB of the full range", low - 3, high + 6))
        return line_chart({"change": (np.arange(found.channels), levels)}, scales, f"the picture without each channel of {found.layer}")

    rows = [{"channel": channel, "db": finite(found.db(channel))} for channel in found.order]
    return asked.tell(facts, lines, {"order": np.array(found.order), "rms": array_of(found.rms)}, figure, rows)
