"""A paper figure in the background: a thread with a pipeline of its own, as for an export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from viz.background import Job, Wake
from viz.cli.figure import figure_command
from viz.errors import CommandError, sentence
from viz.state import ViewState

FAILED = "The figure was not made"


def build(name: str, view: ViewState, out: Path, report: Callable[[float | None], None]) -> Path:
    """Draws figure `name` of the view and writes it. Raises CommandError or OSError."""
    from viz.figures.drawing_file import save
    from viz.figures.paper import FIGURES, Recipe
    from viz.pipeline import Pipeline

    drawing = FIGURES[name][1](Recipe(view, Pipeline(headless=True), report=report))
    return save(out, drawing, view.to_json(), figure_command(name, out))


class FigureJob(Job[Path]):
    """`result` is the file."""

    def __init__(self, name: str, view: ViewState, out: Path, wake: Wake) -> None:
        super().__init__("figure", lambda: self._made(name, view, out), FAILED, wake)

    def _made(self, name: str, view: ViewState, out: Path) -> Path:
        try:
            return build(name, view, out, self._go_on)
        except (CommandError, OSError) as e:
            raise CommandError(f"{FAILED}: {sentence(e)}") from e

    def _go_on(self, _fraction: float | None) -> None:
        """After each step: whether there is a next one."""
        if self._cancelled.is_set():
            raise CommandError("cancelled")
