"""A paper figure in the background: a thread with a pipeline of its own, as for an export."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from viz.cli.figure import figure_command
from viz.errors import CommandError
from viz.state import ViewState

Build = Callable[[str, ViewState, Path, Callable[[float | None], None]], Path]


def build(name: str, view: ViewState, out: Path, report: Callable[[float | None], None]) -> Path:
    """Draws figure `name` of the view and writes it. Raises CommandError or OSError."""
    from viz.figures.drawing_file import save
    from viz.figures.paper import FIGURES, Recipe
    from viz.pipeline import Pipeline

    drawing = FIGURES[name][1](Recipe(view, Pipeline(headless=True), report=report))
    return save(out, drawing, view.to_json(), figure_command(name, out))


class FigureJob:
    """Starts at once. `path` or `error` is there when it is over; `fraction` tells how far it is."""

    def __init__(self, name: str, view: ViewState, out: Path, wake: Callable[[], None] = lambda: None, run: Build = build) -> None:
        self.name, self.fraction = name, 0.0
        self.path: Path | None = None
        self.error, self.details = "", ""
        self._wake, self._run = wake, run
        self._cancelled = False
        self._thread = threading.Thread(target=self._work, args=(name, view, out), name="figure", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self.path is None and not self.error

    def close(self, timeout_s: float = 10.0) -> None:
        """Stops at the next step."""
        self._cancelled = True
        self._thread.join(timeout_s)

    def join(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self, name: str, view: ViewState, out: Path) -> None:
        try:
            self.path = self._run(name, view, out, self._report)
        except (CommandError, OSError) as e:
            self.error = f"The figure was not made: {e}"
        except Exception as e:  # the border of the thread: whatever happens becomes a sentence in the window
            self.details = "".join(traceback.format_exception(e))
            self.error = f"The figure was not made: {type(e).__name__}: {e}"
        self._wake()

    def _report(self, fraction: float | None) -> None:
        if self._cancelled:
            raise CommandError("cancelled")
        self.fraction = self.fraction if fraction is None else fraction
        self._wake()
