"""Files that hold views and sessions, on the command line: what they name is not fetched unless that was asked for.

A picture that somebody sent must not make this machine call out. The window asks; a command says what to add.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from viz.errors import CommandError
from viz.session.moved_files import changed
from viz.session.networks import not_here, refs_of
from viz.session.session import Session
from viz.state import ViewState


def add_fetch_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fetch", action="store_true", help="download a network that the file names by its URL (else nothing is fetched)")


def refuse_to_fetch(options: argparse.Namespace, file: str | Path, read: Session | ViewState, shown: Session | ViewState) -> None:
    """CommandError for a URL that stands in `file` (as `read`), is shown, and is not on this machine, unless --fetch is there."""
    named = refs_of(_session(read))
    for ref in refs_of(_session(shown)):
        if not options.fetch and ref in named and not_here(ref):
            raise CommandError(f"{Path(file).name} names the network {ref}, which is not on this machine; --fetch downloads it from there")


def tell_of_changed_files(shown: Session | ViewState) -> None:
    """Latents and directions that no longer are those that a view was saved with, on standard error."""
    for sentence in changed(_session(shown)):
        print(sentence, file=sys.stderr)


def _session(of: Session | ViewState) -> Session:
    return of if isinstance(of, Session) else Session((of,))
