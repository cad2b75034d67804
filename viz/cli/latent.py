"""`--latent` and `--save-latent` of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from viz import latent_file
from viz.cli.arguments import check_out
from viz.errors import CommandError
from viz.request import Frame
from viz.state import OwnLatent, ViewState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_latent_argument(parser)
    kinds = ", ".join(latent_file.SUFFIXES)
    parser.add_argument("--save-latent", metavar="FILE", type=Path, default=None, help=f"also write the latent ({kinds})")


def add_latent_argument(parser: argparse.ArgumentParser) -> None:
    kinds = ", ".join(latent_file.SUFFIXES)
    parser.add_argument("--latent", metavar="FILE[:N]", default="", help=f"z, w or ws in place of the seed ({kinds}); N counts from 0")


def with_latent(view: ViewState, text: str) -> ViewState:
    """The view with the latent in a file, "walk.npz:3" being the fourth of it. Raises LatentError, OSError or CommandError."""
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
