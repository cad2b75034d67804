"""The file that remembers where windows stand. What cannot be read or written is no reason to stop: the default layout is used."""

from __future__ import annotations

import os
from pathlib import Path

from gui_utils.layout_scale import Lengths, em_of, rescaled, side_lengths, with_em
from gui_utils.libraries import imgui


def read_layout(path: Path | None) -> str:
    """Its text; "" where there is none yet, or none that can be read."""
    try:
        return path.read_text(encoding="utf-8") if path is not None else ""
    except (OSError, UnicodeDecodeError):
        return ""


def write_layout(path: Path, text: str) -> bool:
    """Replace the file in one step, so that a crash never leaves half of it; False where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")  # another window may write its own
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:
        return False
    return True


class KeptLayout:
    """The layout of the window that is open, in its file (None: nowhere) and as text. `begin_frame` comes before Dear ImGui's own.

    `em` is the height of the font: when it changes, panels at the sides change with it. Going back gives back the widths of before,
    unless the user has moved them since.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.found = ""  # what the file held
        self._due = ""
        self._em = 0.0  # that the layout is made for; 0: not known yet
        self._chosen: tuple[Lengths, float] = ({}, 1.0)  # lengths as the user had them, and at which em
        self._given: Lengths = {}  # what was made of them

    def load(self) -> None:
        self.found = read_layout(self.path)
        self._due = self.found

    def save(self) -> None:
        imgui.get_io().want_save_ini_settings = False
        if self.path is not None:
            write_layout(self.path, self.text)

    @property
    def text(self) -> str:
        """As it is now."""
        text = imgui.save_ini_settings_to_memory()
        return with_em(text, self._em) if self._em else text

    def restore(self, text: str) -> None:
        """Puts everything where this text says, with the next frame. It must be one that can be trusted (`layout_text.usable`)."""
        self._due = text

    def begin_frame(self, em: float) -> None:
        """`em`: the font's height, in screen coordinates."""
        if self._due:
            made_for = em_of(self._due) or em
            imgui.load_ini_settings_from_memory(self._due if made_for == em else self._fitted(self._due, made_for, em))
            self._due = ""
        elif self._em and em != self._em:
            imgui.load_ini_settings_from_memory(self._fitted(self.text, self._em, em))
        self._em = em

    def _fitted(self, text: str, made_for: float, em: float) -> str:
        lengths = side_lengths(text)
        if not _same(lengths, self._given):
            self._chosen = (lengths, made_for)
        fitted = rescaled(text, self._chosen[0], em / self._chosen[1])
        self._given = side_lengths(fitted)
        return fitted


def _same(one: Lengths, other: Lengths) -> bool:
    """Up to the pixel that Dear ImGui may round away."""
    return one.keys() == other.keys() and all(abs(a - b) <= 1 for id in one for a, b in zip(one[id], other[id], strict=True))
