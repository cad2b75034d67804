"""`--latent`, `--direction`, `--directions` and `--save-latent` of the command line."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

from viz import directions_file, latent_file
from viz.cli.arguments import check_out
from viz.errors import CommandError
from viz.request import Frame
from viz.state import Direction, Directions, OwnLatent, ViewState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_latent_arguments(parser)
    kinds = ", ".join(latent_file.SUFFIXES)
    parser.add_argument("--save-latent", metavar="FILE", type=Path, default=None, help=f"also write the latent ({kinds})")


def add_latent_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = ", ".join(latent_file.SUFFIXES)
    parser.add_argument("--latent", metavar="FILE[:N]", default="", help=f"z, w or ws in place of the seed ({kinds}); N counts from 0")
    parser.add_argument("--direction", metavar="N=X[@ROWS]", dest="edits", action="append", default=[], type=direction,
                        help="move w by X standard deviations along its principal component N, counted from 0, in these rows of ws "
                        "(2=1.5@0-6; default all); own:N=X: X times arrow N of --directions; may be repeated")  # fmt: skip
    parser.add_argument("--directions", metavar="FILE", type=Path, default=None, help=f"directions of your own in W ({kinds})")


DIRECTION = re.compile(r"(own:)?(\d{1,4})=([^@]+)(?:@(\d{1,3})(-(\d{1,3})?)?)?")
FORM = "N=AMOUNT, N=AMOUNT@FIRST-LAST or own:N=AMOUNT, such as 0=2.5@0-6"


def direction(text: str) -> Direction:
    """argparse type: "0=2.5", "0=2.5@3-6" (rows of ws), "0=2.5@3" (one row), "0=2.5@3-" (to the last); "own:0=2.5" of a file."""
    found = DIRECTION.fullmatch(text.strip())
    try:
        amount = float(found[3]) if found else math.nan
    except ValueError:
        amount = math.nan
    if found is None or not abs(amount) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not {FORM}; amounts reach from -1000 to 1000")
    first = int(found[4] or 0)
    last = -1 if not found[4] else int(found[6]) if found[6] else -1 if found[5] else first
    if max(first, last) > 255 or 0 <= last < first:
        raise argparse.ArgumentTypeError(f"{text!r}: rows of ws go from a first to a last one, up to 255")
    return Direction(int(found[2]), amount, first, last, bool(found[1]))


def with_latent(view: ViewState, options: argparse.Namespace) -> ViewState:
    """The view with the latent and the directions that the flags name. Raises LatentError, OSError or CommandError."""
    return with_directions(with_own_latent(view, options.latent), tuple(options.edits), options.directions)


def with_directions(view: ViewState, edits: tuple[Direction, ...], file: Path | None) -> ViewState:
    own = [f"own:{edit.number}" for edit in edits if edit.own]
    if own and file is None:
        raise CommandError(f"--direction {own[0]} is one of a file: --directions FILE is missing")
    if file is None:
        return view.edit(Directions, edits=edits) if edits else view
    if not own:
        raise CommandError(f"--directions {file} is not used: --direction own:0=AMOUNT moves along its first one")
    directions_file.read(file)
    return view.put(Directions(edits, str(file), latent_file.digest(file)))


def with_own_latent(view: ViewState, text: str) -> ViewState:
    """The view with the latent in a file, "walk.npz:3" being the fourth of it."""
    if not text:
        return view
    path, number = Path(text), 0
    name, colon, last = text.rpartition(":")
    if colon and last.isdecimal() and not path.exists():
        path, number = Path(name), int(last)
    count = latent_file.read(path).count
    if number >= count:
        raise CommandError(f"--latent {text}: {path.name} holds {count} latents, counted from 0")
    return view.put(OwnLatent(str(path), index=number, sha256=latent_file.digest(path)))


def check(path: Path | None) -> None:
    """Before anything is computed: whether latents can be written under this name."""
    if path is not None:
        check_out(path, latent_file.SUFFIXES, "--save-latent")


def save(path: Path | None, frame: Frame) -> None:
    from viz.effects.latent import arrays_of

    if path is not None:
        latent_file.write(path, arrays_of(frame.styles, frame))
