"""Command `figure`: one of the paper's figures for a network, as SVG, PDF or PNG."""

from __future__ import annotations

import argparse
from pathlib import Path

from viz.cli_render import add_engine_arguments, seed_number
from viz.errors import CommandError
from viz.state import Device, Latent, Source, Tap, Truncation, ViewState

OUTPUTS = (".svg", ".pdf", ".png")


def add_figure_arguments(parser: argparse.ArgumentParser) -> None:
    from viz.paper_figures import FIGURES

    listed = "; ".join(f"{name}: {title[0].lower() + title[1:]}" for name, (title, _) in FIGURES.items())
    parser.add_argument("name", metavar="NAME", choices=tuple(FIGURES), help=listed)
    parser.add_argument("--network", metavar="NETWORK", required=True, help="path, URL, or a name that --list shows")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help=".svg and .pdf keep lines and text; .png has pixels")
    parser.add_argument("--seed", metavar="N", type=seed_number, default=0, help="of the latent (default 0)")
    parser.add_argument("--psi", metavar="P", type=float, default=1.0, help="truncation: 1 none, 0 the mean w (default 1)")
    parser.add_argument("--layer", metavar="NAME", default="", help="fig4a: the layer (default: the first with both filters)")
    parser.add_argument("--num", metavar="N", type=int, default=0, help="pictures of fig1-left, fig1-right, fig6 (default 64, 128, 50)")
    add_engine_arguments(parser)


def run_figure(options: argparse.Namespace) -> int:
    out: Path = options.out
    if out.suffix.lower() not in OUTPUTS:
        raise CommandError(f"--out {out.name} ends in {out.suffix or 'nothing'}; {', '.join(OUTPUTS)} is expected")
    if out.parent != Path() and not out.parent.is_dir():
        raise CommandError(f"--out: the folder {out.parent} does not exist")
    if options.num < 0 or options.num == 1:
        raise CommandError(f"--num {options.num}: at least 2 pictures are needed")
    view = ViewState().put(Source(network=options.network)).put(Latent(x=float(options.seed))).put(Truncation(psi=options.psi))
    view = view.put(Tap(layer=options.layer)).put(Device(device=options.device, backend=options.backend))
    from viz.drawing_file import save
    from viz.paper_figures import FIGURES, Recipe
    from viz.pipeline import Pipeline
    from viz.progress import terminal_progress

    with terminal_progress() as report:
        recipe = Recipe(view, Pipeline(headless=True), options.num, lambda part: report(f"drawing {options.name}", part, True))
        if options.layer and options.layer not in (tap.name for tap in recipe.frame(recipe.plain).network.taps):  # type: ignore[union-attr]
            raise CommandError(f"--layer {options.layer} is not a layer of {options.network}")
        drawing = FIGURES[options.name][1](recipe)
    save(out, drawing, view.to_json())
    print(f"{out}: {drawing.title}")
    return 0
