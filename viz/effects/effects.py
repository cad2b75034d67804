"""What commands do. The one place where a click in a panel becomes an effect; what an effect is stands in the modules beside this one."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from viz import commands, undo
from viz.canvas.overlay import keep_first
from viz.compare import pairs as compare_pairs
from viz.effects import export as export_effects, figure as figure_effects, latent as latent_effects, opening, saving
from viz.errors import UNFORESEEN
from viz.motion import stopped
from viz.session import autosave
from viz.state import Source, Spectrum
from viz.tour import card as tour_card

if TYPE_CHECKING:
    from viz.app import App

WAY_BACK = "way back"  # the name of the notice
WAY_BACK_TEXT = "The picture alone. Tab brings the panels back."


def attempt(app: App, command: commands.Command) -> None:
    """Carries one command out, the border of the window: what nobody has foreseen is told as well, and must not end it."""
    if isinstance(command, commands.OF_WHAT_IS_SHOWN) and (reason := keep_first(app.state, app.good)):
        app.toasts.add("warning", reason)
        return
    guarded(app, type(command).__name__, lambda: carry_out(app, command))


def guarded(app: App, name: str, do: Callable[[], object]) -> None:
    try:
        do()
    except Exception as e:
        what = f"{name} {UNFORESEEN}: {type(e).__name__}: {e}"
        app.toasts.add("error", what, "".join(traceback.format_exception(e)))


def show_or_hide(app: App, command: commands.Command) -> None:
    """What is there or not, at the press of a key."""
    match command:
        case commands.ToggleHelp():
            app.help_shown = not app.help_shown
        case commands.ShowGuide():
            app.guide.toggle()
        case commands.ToggleChrome():
            app.chrome_shown = not app.chrome_shown
            if app.chrome_shown:
                app.toasts.close(WAY_BACK)
            else:
                app.toasts.add_once("info", WAY_BACK_TEXT, name=WAY_BACK)  # nothing else on screen says how
        case commands.ToggleFullscreen():
            app.window.fullscreen = not app.window.fullscreen
        case commands.ToggleOutput():
            app.output.toggle(app)
        case commands.ToggleSpectrum():
            app.state = app.state.edit(Spectrum, on=not app.state.get(Spectrum).on)
            if app.state.get(Spectrum).on:
                app.show_panel("Spectrum")


def carry_out(app: App, command: commands.Command) -> None:
    """Carries one command out; failures become a toast and a line in the log, and lose nothing."""
    match command:
        case commands.OpenNetwork(ref):
            opening.open_network(app, ref)
        case commands.OpenPath(path):
            opening.open_path(app, Path(path))
        case commands.OpenFile():
            app.file_dialog.start(app)
        case commands.OpenLastSession():
            autosave.open_last(app)
        case commands.ReloadNetwork():
            source = app.state.get(Source)
            app.state = app.state.edit(Source, reload=source.reload + 1, sha256="")
        case commands.CancelLoad():
            opening.cancel_load(app)
        case commands.CaptureWindow():
            app.window_capture_due = 2  # drawn once without menus and tooltips first
        case (
            commands.CapturePicture()
            | commands.SaveRaw()
            | commands.SaveMeasurement()
            | commands.SaveValues()
            | commands.SaveView()
            | commands.SaveSession()
        ):
            saving.carry_out(app, command)
        case commands.StartExport() | commands.CancelExport() | commands.ResumeExport() | commands.DiscardExport():
            export_effects.carry_out(app, command)
        case commands.CopyText(text):
            app.window.clipboard = text
            app.toasts.add("info", "Copied.")
        case commands.MakeFigure(name, suffix):
            figure_effects.start(app, name, suffix)
        case commands.Bookmark() | commands.UseLatent() | commands.SaveLatent() | commands.OpenDirections():
            latent_effects.carry_out(app, command)
        case commands.CopyView():
            saving.copy_view(app)
        case commands.Paste():
            opening.paste(app)
        case commands.ChooseWorkspace(number):
            _choose_workspace(app, number)
        case commands.ChangeSettings(changes):
            app.change_settings(**dict(changes))
            latent_effects.forget_pictures(app)
        case commands.Undo():
            undo.take_back(app)
        case commands.Redo():
            undo.make_again(app)
        case commands.StopMotion():
            app.state, app.context.film.playing = stopped(app.state), False
        case commands.ResetLayout():
            app.layout_reset_due = True
        case commands.StartTour() | commands.ShowSticking():
            tour_card.carry_out(app, command)
        case commands.ToggleHelp() | commands.ShowGuide() | commands.ToggleChrome() | commands.ToggleSpectrum():
            show_or_hide(app, command)
        case commands.ToggleFullscreen() | commands.ToggleOutput():
            show_or_hide(app, command)
        case commands.ToggleCompare():
            app.state = compare_pairs.toggled(app.state, app.context.catalogue)
        case commands.RetryRender():
            app.submit()
        case commands.Quit():
            app.window.request_close()


def _choose_workspace(app: App, number: int) -> None:
    undo.observe(app, in_gesture=False)
    app.state, app.lent = app.lent.moved(app.state, app.settings.workspace, number)
    app.history = replace(app.history, present=app.state, lent=app.lent.kind)  # it is no step to undo
    app.context.film.shown = app.state  # nor a change that makes the timeline pause
    app.choose_workspace(number)
