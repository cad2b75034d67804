"""`--edit LAYERS:CHANNELS:WHAT=AMOUNT`: edits activations from the command line, as the panel "Edits" does."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from viz.edit_text import EXAMPLE, edit_of, text_of
from viz.errors import CommandError
from viz.groups.edits import Edit, EditActivations
from viz.state import StateError, ViewState

HELP = (
    f"edit activations as the panel Edits does, e.g. {EXAMPLE}, L3-L5:all:move=0.1,0,30deg or all:3:offset=1; may be repeated, in order. "
    "LAYERS: all, L3, L3-L5, b16, b16.conv1, input. WHAT: gain (0 turns off), offset (added), threshold (1 above it, else 0), move (X,Y in "
    "image widths, then an angle such as 30deg and a scale such as 1.2x)"
)


@dataclass(frozen=True)
class Editing:
    """What one `--edit` says."""

    edit: Edit

    def applied(self, view: ViewState) -> ViewState:
        """With this edit after all others. Raises CommandError for a value that a saved view could not have."""
        edits = view.get(EditActivations)
        new = edits.with_edit(len(edits.edits), self.edit)
        try:
            return view.put(ViewState.from_dict(ViewState().put(new).to_dict()).get(EditActivations))
        except StateError as e:
            raise CommandError(f"--edit: {e}") from e


def editing(text: str) -> Editing:
    """argparse type."""
    try:
        return Editing(edit_of(text))
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from None


def words(edits: EditActivations) -> list[str]:
    """The options that say the same as these edits, those that act."""
    return [word for edit in edits.acting for word in ("--edit", text_of(edit))]
