"""Exports from the window: begun, stopped, gone on with, and how they ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from viz import commands
from viz.effects import session as session_effects
from viz.effects.saving import free_name
from viz.errors import CommandError, sentence
from viz.export import process as export_process
from viz.export.export import check, export
from viz.export.job import ExportJob, finished_text
from viz.export.left_over import left_over
from viz.export.options import ExportOptions

if TYPE_CHECKING:
    from viz.app import App
    from viz.session.session import Session

Command = commands.StartExport | commands.CancelExport | commands.ResumeExport | commands.DiscardExport


def carry_out(app: App, command: Command) -> None:
    film = app.context.film
    match command:
        case commands.StartExport():
            start(app, command)
        case commands.CancelExport():
            if film.job is not None:
                film.job.cancel()
        case commands.ResumeExport():
            if film.stopped is not None and film.job is None:
                stopped, film.stopped = film.stopped, None
                _begin(app, stopped.session, stopped.options)
        case commands.DiscardExport():
            if film.stopped is not None:
                film.stopped.discard()
                film.stopped, film.looked = None, False


def start(app: App, command: commands.StartExport) -> None:
    """Begins an export unless one runs; `poll` tells its end. Frames of a film are kept until it is complete, so that it can go on."""
    sequence = command.kind in ("png", "exr")
    try:
        out = free_name(app, "" if sequence else f".{command.kind}")
        options = ExportOptions(out, command.size, command.lossless, not sequence, command.what, "png", command.window)
        if sequence:
            options = ExportOptions(out, command.size, what=command.what, frames=command.kind, window=command.window)
        check(command.session, options)
    except (OSError, CommandError) as e:
        app.toasts.add("error", f"The film was not exported: {sentence(e)}")
        return
    film = app.context.film
    if film.job is not None:
        return
    session, stopped = session_effects.complete(app, command.session), film.stopped
    if stopped is not None and stopped.session == session and stopped.options == replace(options, out=stopped.options.out):
        return carry_out(app, commands.ResumeExport())  # the same again
    if isinstance(stopped, ExportJob):
        carry_out(app, commands.DiscardExport())  # nobody could go on with it any more
    film.stopped = None  # that of a run before waits for another turn
    _begin(app, session, options)


def _begin(app: App, session: Session, options: ExportOptions) -> None:
    """The whole window is drawn by a process of its own: OpenGL and Dear ImGui have one thread here."""
    run = export_process.export if options.what == "window" else export
    app.context.film.job = ExportJob(session, options, app.window.wake, run)


def _look_for_left_over(app: App) -> None:
    """Offers the film that a run before was killed over, once nothing of this run is to be told."""
    film, remembers = app.context.film, app.options.settings_folder is not None
    left = left_over(app.capture_folder) if remembers else ()
    film.looked, film.stopped = True, left[0] if left else None
    if left and not film.told:
        film.told = True
        more = f", and {len(left) - 1} more" if left[1:] else ""
        name, done, total = left[0].options.out.name, left[0].progress.done, left[0].progress.total
        ended = f"The export of {name}{more} ended early, after {done} of {total} frames."
        app.toasts.add("info", f"{ended} The panel Timeline goes on with it.")


def poll(app: App) -> None:
    """Says how a finished export ended."""
    film = app.context.film
    job = film.job
    if job is None and not film.looked:
        _look_for_left_over(app)
    if job is None or job.running:
        return
    film.job, film.stopped = None, job if job.can_go_on else None
    film.looked = film.stopped is not None
    if job.error:
        app.toasts.add("error", job.error, job.details)
    else:
        app.toasts.add("info", finished_text(job.result))
