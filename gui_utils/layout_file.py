"""The file that remembers where windows stand. What cannot be read or written is no reason to stop: the default layout is used."""

from __future__ import annotations

from pathlib import Path

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
        partial = path.with_name(path.name + ".part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:
        return False
    return True


class KeptLayout:
    """The layout of the window that is open, in its file (None: nowhere) and as text. `begin_frame` comes before Dear ImGui's own."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.found = ""  # what the file held
        self._due = ""

    def load(self) -> None:
        self.found = read_layout(self.path)
        if self.found:
            imgui.load_ini_settings_from_memory(self.found)

    def save(self) -> None:
        imgui.get_io().want_save_ini_settings = False
        if self.path is not None:
            write_layout(self.path, self.text)

    @property
    def text(self) -> str:
        """As it is now."""
        return imgui.save_ini_settings_to_memory()

    def restore(self, text: str) -> None:
        """Puts everything where this text says, with the next frame. It must be one that can be trusted (`layout_text.usable`)."""
        self._due = text

    def begin_frame(self) -> None:
        if self._due:
            imgui.load_ini_settings_from_memory(self._due)
            self._due = ""
