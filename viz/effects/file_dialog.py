"""The system's dialog for choosing a file: it runs beside the window, which asks once a frame whether it has an answer."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viz.effects import opening

if TYPE_CHECKING:
    from viz.app import App

DIALOGS = ("zenity", "kdialog", "qarma", "matedialog")
KINDS = ("Networks and views", "*.pkl *.safetensors *.json *.png", "All files", "*")
NO_DIALOG = "No dialog program (zenity or kdialog) is installed: type a path in the Network panel, or drop a file on the window."


class FileDialog:
    """One at a time."""

    def __init__(self) -> None:
        self._open: Any = None

    def start(self, app: App) -> None:
        """Asks for a file to open; without a dialog program, the Network panel's text field serves."""
        if not available():
            app.toasts.add("info", NO_DIALOG)
            return
        from imgui_bundle import portable_file_dialogs as dialogs

        folder = str(app.options.browse_folder or Path.cwd())
        self._open = dialogs.open_file("Open a network, a saved view or a captured picture", folder, list(KINDS))

    def poll(self, app: App) -> None:
        """Opens what was chosen."""
        if self._open is not None and self._open.ready(0):
            paths, self._open = self._open.result(), None
            for path in paths[:1]:
                opening.open_path(app, Path(path))


def available() -> bool:
    """Whether the system has a dialog program; on Windows and macOS it always has."""
    return not sys.platform.startswith("linux") or any(shutil.which(name) for name in DIALOGS)
