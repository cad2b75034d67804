"""Command `figure`: one of the paper's figures for a network, as SVG, PDF or PNG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from viz.cli.arguments import add_engine_arguments, at_least_one, check_out, psi_number, seed_number
from viz.cli.render import impossible
from viz.cli.saved import add_fetch_argument, refuse_to_fetch
from viz.cli.values import add_set_argument, with_settings
from viz.errors import CommandError
from viz.export.film_file import read
from viz.headless import with_full_names
from viz.session.origin import PROGRAM
from viz.state import Device, Latent, LatentPath, OwnLatent, Source, Tap, Truncation, ViewState

if TYPE_CHECKING:
    from viz.figures.paper import Recipe
    from viz.request import Frame

OUTPUTS = (".svg", ".pdf", ".png")


def add_figure_arguments(parser: argparse.ArgumentParser) -> None:
    from viz.figures.paper import FIGURES

    listed = "; ".join(f"{name}: {title[0].lower() + title[1:]}" for name, (title, _) in FIGURES.items())
    parser.add_argument("name", metavar="NAME", choices=tuple(FIGURES), help=listed)
    parser.add_argument("--network", metavar="NETWORK", default=None, help="path, URL, or a name that --list shows")
    parser.add_argument(
        "--view", metavar="FILE", type=Path, default=None, help="a saved view, or any file of this program, that gives all other values"
    )
    add_fetch_argument(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help=".svg and .pdf keep lines and text; .png has pixels")
    parser.add_argument("--seed", metavar="N", type=seed_number, default=None, help="of the latent (default 0)")
    parser.add_argument("--psi", metavar="P", type=psi_number, default=None, help="truncation: 1 none, 0 the mean w (default 1)")
    parser.add_argument(
        "--layer", metavar="NAME", default="", help="fig4a: the layer, as `inspect` names it, or L5 (default: the first with both filters)"
    )
    parser.add_argument(
        "--num", metavar="N", type=at_least_one, default=0, help="pictures of fig1-left, fig1-right, fig6 (default 64, 128, 50)"
    )
    add_set_argument(parser)
    add_engine_arguments(parser)


def run_figure(options: argparse.Namespace) -> int:
    out: Path = options.out
    check_out(out, OUTPUTS)
    if options.num == 1:
        raise CommandError(f"--num {options.num}: at least 2 pictures are needed")
    view = with_settings(_view(options), options.settings)
    from viz.analysis.measuring import facts_of
    from viz.figures.drawing_file import save
    from viz.figures.paper import FIGURES, Recipe
    from viz.pipeline import Pipeline
    from viz.progress import terminal_progress

    with terminal_progress() as report:
        recipe = Recipe(view, Pipeline(headless=True), options.num, lambda part: report(f"drawing {options.name}", part, True))
        frame = recipe.frame(recipe.plain)
        view = with_full_names(view, facts_of(frame))
        recipe = replace(recipe, view=view)
        for sentence in _impossible(options, recipe, frame):
            if options.view is None or (options.layer and sentence.startswith("--layer")):
                raise CommandError(sentence)
            print(sentence, file=sys.stderr)  # a saved view is drawn as the window shows it, which passes over what a network cannot do
        drawing = FIGURES[options.name][1](recipe)
    save(out, drawing, view.to_json(), figure_command(options.name, out, options.num))
    print(f"{out}: {drawing.title}")
    return 0


def _impossible(options: argparse.Namespace, recipe: Recipe, frame: Frame) -> Iterator[str]:
    """What the network of a figure cannot do; the layer on show in a saved view counts where it is the one that is drawn."""
    from viz.analysis.measuring import facts_of

    asked = options.view is None or options.layer or options.name == "fig4a"
    if asked and (sentence := facts_of(frame).no_layer(recipe.view.get(Tap).layer)):
        yield f"--layer {sentence}"
    yield from impossible(recipe.plain, frame)


def figure_command(name: str, out: Path, num: int = 0) -> str:
    """What draws a figure again from itself."""
    return f"python {PROGRAM} figure {name} --view FILE --out again{out.suffix}" + (f" --num {num}" if num else "")


def _view(options: argparse.Namespace) -> ViewState:
    """The view that the flags ask for, starting from the saved one."""
    if options.view is None and options.network is None:
        raise CommandError("--network or --view is needed: which network is drawn?")
    view = held = ViewState() if options.view is None else read(options.view).views[0]
    if options.network is not None:
        view = view.put(Source(network=options.network))
    if options.view is not None:
        refuse_to_fetch(options, options.view, held, view)
    if options.seed is not None:
        view = view.edit(Latent, x=float(options.seed), y=0.0).reset(LatentPath, OwnLatent)
    if options.psi is not None:
        view = view.edit(Truncation, psi=options.psi)
    if options.layer:
        view = view.put(Tap(layer=options.layer))
    return view.edit(Device, **{name: value for name in ("device", "backend") if (value := getattr(options, name)) != "auto"})
