"""The file that remembers where windows stand. What cannot be read or written is no reason to stop: the default layout is used."""

from __future__ import annotations

import os
from pathlib import Path

from gui_utils.layout import built, set_length
from gui_utils.layout_scale import Lengths, em_of, fitting, side_lengths, with_em, with_lengths
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

    Panels at the sides keep the lengths that the user gave them, in em, as far as the window has room; where it has not, they are
    shorter on screen only. So going back to a larger window or a smaller font gives back what was there before.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.found = ""  # what the file held
        self._due = ""
        self._em = 0.0  # the font's height; 0: not known yet
        self._room = (0.0, 0.0)  # what the docked windows share
        self._wanted: Lengths = {}  # in em
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
        """As it is now, at the lengths that there would be with enough room."""
        text = imgui.save_ini_settings_to_memory()
        if not self._em:
            return text
        self._note(text)
        return with_em(with_lengths(text, self._in_px()), self._em)

    def restore(self, text: str) -> None:
        """Puts everything where this text says, with the next frame. It must be one that can be trusted (`layout_text.usable`)."""
        self._due = text

    def begin_frame(self, em: float, size: tuple[float, float]) -> None:
        """`em`: the font's height; `size`: the window's. Both in screen coordinates."""
        viewport = imgui.get_main_viewport()
        bars = viewport.size.y - viewport.work_size.y  # of the frame before
        room = (float(size[0]), size[1] - bars)
        if self._due:
            text, self._due = self._due, ""
            made_for = em_of(text) or em
            self._wanted = {id: length / made_for for id, length in side_lengths(text).items()}
            self._em, self._room = em, room
            imgui.load_ini_settings_from_memory(self._fitted(text))
        elif (em, room) != (self._em, self._room):
            text = imgui.save_ini_settings_to_memory()
            if self._em:
                self._note(text)
            self._em, self._room = em, room
            self._fitted(text)
            for id, length in self._given.items():
                set_length(id, length)

    def _note(self, text: str) -> None:
        """What the user has moved, or what was built, since lengths were given."""
        lengths = side_lengths(text)
        for id, length in lengths.items():
            built_px, asked_em = built.pop(id, (-2.0, 0.0))
            if abs(length - built_px) <= 1:
                self._wanted[id], self._given[id] = asked_em, length
            elif abs(length - self._given.get(id, -2.0)) > 1:  # Dear ImGui may round a pixel away
                self._wanted[id], self._given[id] = length / self._em, length
        self._wanted = {id: self._wanted[id] for id in lengths}

    def _in_px(self) -> Lengths:
        return {id: self._em * length for id, length in self._wanted.items()}

    def _fitted(self, text: str) -> str:
        fitted = with_lengths(text, fitting(text, self._in_px(), self._room))
        self._given = side_lengths(fitted)
        return fitted
