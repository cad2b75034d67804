"""The system's dialog for choosing a file: it runs beside the window, which asks once a frame whether it has an answer."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viz.effects import opening

if TYPE_CHECKING:
    from viz.app import App

DIALOGS = ("zenity", "kdialog", "qarma", "matedialog")
TITLE, KINDS = "Open a network, a saved view or a captured picture", ("Networks and views", "*.pkl *.safetensors *.json *.png")
NO_DIALOG = "No dialog program (zenity or kdialog) is installed: type a path in the panel, or drop a file on the window."
Opens = Callable[["App", Path], None]


class FileDialog:
    """One at a time."""

    def __init__(self) -> None:
        self._open: Any = None
        self._opens: Opens = opening.open_path

    def start(self, app: App, opens: Opens = opening.open_path, title: str = TITLE, kinds: Sequence[str] = KINDS) -> None:
        """Asks for a file and opens it by `opens`; without a dialog program, a panel's text field serves. `kinds`: a name, its patterns."""
        if not available():
            app.toasts.add("info", NO_DIALOG)
            return
        from imgui_bundle import portable_file_dialogs as dialogs

        folder = str(app.options.browse_folder or Path.cwd())
        self._open, self._opens = dialogs.open_file(title, folder, [*kinds, "All files", "*"]), opens

    def poll(self, app: App) -> None:
        """Opens what was chosen."""
        if self._open is not None and self._open.ready(0):
            paths, self._open = self._open.result(), None
            for path in paths[:1]:
                self._opens(app, Path(path))


def available() -> bool:
    """Whether the system has a dialog program; on Windows and macOS it always has."""
    return not sys.platform.startswith("linux") or any(shutil.which(name) for name in DIALOGS)
