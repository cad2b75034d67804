"""Paper figures from the menu: one at a time, in the background, into the captures folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz import commands
from viz.effects.saving import free_name, view_to_save
from viz.errors import sentence
from viz.figures.job import FigureJob

if TYPE_CHECKING:
    from viz.app import App

MENU = (  # names of viz.figures.paper.FIGURES, which is imported with its first figure only
    ("Figure 1, left: average around this latent", "fig1-left"),
    ("Figure 1, right: a line over a latent walk", "fig1-right"),
    ("Figure 4a: filters of this layer", "fig4a"),
    ("Figure 4c: design of the layers", "fig4c"),
    ("Figure 6: average spectrum", "fig6"),
    ("Strip of all layers", "layers"),
    ("Spectra of all layers", "layer-spectra"),
)
SUFFIXES = (".svg", ".pdf", ".png")


def entries() -> tuple[tuple[str, str, commands.Command], ...]:
    """The menu: every figure in every format, as (text, key, command)."""
    return tuple((f"{text}|{suffix}", "", commands.MakeFigure(name, suffix)) for text, name in MENU for suffix in SUFFIXES)


def start(app: App, name: str, suffix: str) -> None:
    """Begins a figure of the view on screen, unless one is being made; `poll` tells its end."""
    if app.figure_job is not None:
        app.toasts.add("warning", "A figure is being made already.")
        return
    try:
        out = free_name(app, suffix)
    except OSError as e:
        app.toasts.add("error", f"The figure was not made: {sentence(e)}")
        return
    app.figure_job = FigureJob(name, view_to_save(app, app.good), out, app.window.wake)
    app.toasts.add("info", f"Figure {name} is being made in the background.")


def poll(app: App) -> None:
    """Says how a figure ended."""
    job = app.figure_job
    if job is None or job.running:
        return
    app.figure_job = None
    if job.error:
        app.toasts.add("error", job.error, job.details)
    else:
        app.toasts.add("info", f"Figure saved: {job.result}")
