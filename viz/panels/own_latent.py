"""The rows of the latent panel while a latent out of a file is shown: which file, which of its latents, and the way out."""

from __future__ import annotations

from pathlib import Path

from gui_utils.controls import Field, button, choice, input_int, value_row
from gui_utils.libraries import imgui
from viz.panels import PanelContext
from viz.state import OwnLatent, ViewState

FILE = Field("From file", "OwnLatent.file", "The file of latents that is shown in place of the seeds.")
INDEX = Field("Number", "OwnLatent.index", "Which latent of the file, counted from 0; beyond its end, the last one.", default=0, low=0,
              high=10**6)  # fmt: skip
KIND = Field("Taken as", "OwnLatent.space", "A file may hold the same latent as z, w and ws.", default="")
KINDS = {"": "as it says", "z": "z", "w": "w", "ws": "ws"}
LEAVE = Field("Back to the seeds", "OwnLatent.leave", "Shows the lattice of seeds again, as any move on it does.")


def rows(state: ViewState, context: PanelContext) -> ViewState:
    """Nothing while the seeds are shown."""
    own = state.get(OwnLatent)
    if not own.file:
        return state
    value_row(FILE, Path(own.file).name)
    state = state.edit(OwnLatent, space=choice(KIND, own.space, KINDS), index=input_int(INDEX, own.index))
    if button(LEAVE):
        state = state.reset(OwnLatent)
    imgui.separator()
    return state
