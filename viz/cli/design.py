"""Command `design`: the layers of a configuration of the paper at any resolution, without a network."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from viz.cli.arguments import check_out
from viz.errors import CommandError

TITLES = ("layer", "channels", "size", "s", "f_c", "f_t", "f_h", "up", "down", "taps up", "taps down", "radial")
WIDTHS = (14, 9, 6, 6, 9, 9, 8, 4, 6, 9, 11, 8)  # of the table's columns, as long as everything fits


def add_design_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="E, F, G, H, T or R, as in Figure 3 of the paper")
    parser.add_argument("--resolution", metavar="PX", type=int, default=1024, help="of the picture, a power of two (default 1024)")
    parser.add_argument("--layers", metavar="N", type=int, help="layers before ToRGB (default: as configured, 14 in T and R)")
    parser.add_argument("--out", metavar="FILE", type=Path, help=".csv: the table")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run_design(options: argparse.Namespace) -> int:
    if options.out is not None:
        check_out(options.out, (".csv",))
    facts = design(options.config.upper(), options.resolution, options.layers)
    from viz.analysis.value_table import as_json, rows_of, save_table

    if options.out is not None:
        save_table(options.out, rows_of(facts))
    print(as_json(facts) if options.json else as_text(facts))
    return 0


def design(name: str, resolution: int, layers: int | None = None) -> dict[str, Any]:
    """What the layer rule gives, as JSON values: rates in samples, frequencies in cycles per image width.

    CommandError for what has no such design.
    """
    from networks.configs import rung
    from networks.layer_rule import input_spec, layer_specs
    from networks.spec import STYLEGAN2, ConfigError

    try:
        config = rung(name, resolution, **({} if layers is None else {"num_layers": layers}))
    except ConfigError as e:
        raise CommandError(f"{name} at {resolution} pixels: {_in_words(name, layers, str(e))}") from e
    if config.family == STYLEGAN2:
        raise CommandError(f"{name} is a StyleGAN2: it has no designed layers; E, F, G, H, T and R have")
    first = input_spec(config)
    return {
        "config": name,
        "resolution": resolution,
        "input": {"channels": first.channels, "size": first.size[0], "s": first.sampling_rate, "f_c": first.bandwidth},
        "layers": [
            {"layer": spec.name, "channels": spec.out_channels, "size": spec.out_size[0], "s": spec.out_sampling_rate,
             "f_c": spec.out_cutoff, "f_t": spec.out_stopband, "f_h": spec.out_half_width, "up": spec.up_factor, "down": spec.down_factor,
             "taps_up": spec.up_taps, "taps_down": spec.down_taps, "radial": spec.down_radial and spec.down_factor > 1}
            for spec in layer_specs(config)
        ],
    }  # fmt: skip


def _in_words(name: str, layers: int | None, said: str) -> str:
    """What a configuration says of itself, by the names that the command has for it."""
    if said.startswith("num_critical"):
        from networks.configs import rung

        return f"--layers is {layers}, but must be at least {rung(name, 1024).num_critical + 1}"
    return said.replace("num_layers", "--layers").replace("img_resolution", "--resolution")


def as_text(facts: dict[str, Any]) -> str:
    """A line for each layer; "-" for no filter."""
    first = facts["input"]
    lines = [f"config {facts['config']} at {facts['resolution']} pixels; sizes in samples, s in samples and f in cycles per image width",
             f"input: {first['channels']} waves up to {first['f_c']:g}, {first['size']} samples at s = {first['s']:g}"]  # fmt: skip
    table: list[tuple[str, ...]] = [TITLES]
    for row in facts["layers"]:
        frequencies = (f"{row[key]:.2f}" for key in ("f_c", "f_t", "f_h"))
        taps = (str(row[f"taps_{way}"]) if row[way] > 1 else "—" for way in ("up", "down"))
        cells = (row["layer"], row["channels"], row["size"], row["s"], *frequencies, row["up"], row["down"], *taps)
        table.append((*map(str, cells), "yes" if row["radial"] else ""))
    needed = (max(map(len, column)) + (2 if at else 0) for at, column in enumerate(zip(*table, strict=True)))
    widths = list(map(max, WIDTHS, needed))
    return "\n".join((*lines, *(_columns(cells, widths) for cells in table)))


def _columns(cells: tuple[str, ...], widths: Sequence[int]) -> str:
    return f"{cells[0]:<{widths[0]}}{''.join(f'{cell:>{width}}' for cell, width in zip(cells[1:], widths[1:], strict=True))}".rstrip()
