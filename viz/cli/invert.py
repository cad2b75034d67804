"""Command `invert`: the latent whose picture is one of your own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from viz import latent_file
from viz.cli.arguments import add_engine_arguments, check_out
from viz.errors import CommandError
from viz.state import Device, Inversion, Source, ViewState


def add_invert_arguments(parser: argparse.ArgumentParser) -> None:
    default, kinds = Inversion(), ", ".join(latent_file.SUFFIXES)
    parser.add_argument("picture", metavar="PICTURE", type=Path, help="a picture file; its middle square is taken")
    parser.add_argument("--network", metavar="NETWORK", required=True, help="path, URL, or a name that --list shows")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help=f"where ws goes: {kinds}; `render --latent FILE` shows it")
    parser.add_argument(
        "--space", choices=("w", "w+"), default=default.space, help=f"one row, or one for each layer (default {default.space})"
    )
    parser.add_argument("--steps", metavar="N", type=int, default=default.steps, help=f"of optimisation (default {default.steps})")
    parser.add_argument("--plain", action="store_true", help="compare Laplacian pyramids only, without features of EfficientNet-Lite1")
    add_engine_arguments(parser)


def run_invert(options: argparse.Namespace) -> int:
    check_out(options.out, latent_file.SUFFIXES)
    if not 10 <= options.steps <= 100_000:
        raise CommandError(f"--steps {options.steps}: from 10 to 100000 are expected")
    if not options.picture.is_file():
        raise CommandError(f"{options.picture} is not a file")
    from viz.analysis.inversion import ON_WHITE
    from viz.analysis.measuring import facts_of, measured

    group = Inversion(True, str(options.picture), options.space, options.steps, not options.plain)
    view = ViewState().put(Source(network=options.network)).put(Device(device=options.device, backend=options.backend)).put(group)
    frame, result = measured(view, "inversion")
    found = result.values
    latent_file.write(options.out, {"ws": found.ws})
    facts = f"{facts_of(frame).ref}, {options.space}, {found.steps} steps, PSNR {found.psnr_db:.2f} dB"
    print(f"{options.out}: {facts}, compared by {found.measure}")
    if found.on_white:
        print(ON_WHITE, file=sys.stderr)
    return 0
