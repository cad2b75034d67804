"""What commands do: files, clipboard, settings, windows. The one place where a click in a panel becomes an effect."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from viz import (
    capture,
    commands,
    compare_pairs,
    compare_picture,
    figure_effects,
    film_file,
    latent_effects,
    latent_file,
    session,
    session_effects,
    tour_card,
    undo,
)
from viz.canvas import tone_map_of
from viz.compare import others, own_values, without
from viz.encoders import SUFFIXES
from viz.errors import CommandError
from viz.export import ExportOptions, check
from viz.export_job import ExportJob, finished_text
from viz.request import Frame
from viz.state import Source, StateError, Tone, ViewState

if TYPE_CHECKING:
    from viz.app import App

NETWORK_SUFFIXES = (".pkl", ".safetensors")
VIEW_SUFFIXES = (".json", ".png", *SUFFIXES)
DIALOGS = ("zenity", "kdialog", "qarma", "matedialog")


def carry_out(app: App, command: commands.Command) -> None:
    """Carries one command out; failures become a toast and a line in the log, and lose nothing."""
    match command:
        case commands.OpenNetwork(ref):
            open_network(app, ref)
        case commands.OpenPath(path):
            open_path(app, Path(path))
        case commands.OpenFile():
            app.start_file_dialog()
        case commands.ReloadNetwork():
            source = app.state.get(Source)
            app.state = app.state.edit(Source, reload=source.reload + 1, sha256="")
        case commands.CancelLoad():
            if app.good is not None:
                app.state = app.state.put(app.good.request.view.get(Source))
                app.state = without_loads(app.state, app.good)
        case commands.CapturePicture():
            _saved(app, "Picture", lambda: save_picture(app))
        case commands.CaptureWindow():
            app.window_capture_due = 2  # drawn once without menus and tooltips first
        case commands.SaveRaw():
            _saved(app, "Raw values", lambda: save_raw(app))
        case commands.SaveMeasurement(what, arrays, figure):
            _saved(app, what, lambda: save_measurement(app, arrays, figure))
        case commands.SaveView():
            _saved(app, "View", lambda: save_view(app))
        case commands.StartExport():
            start_export(app, command)
        case commands.CancelExport():
            if app.context.film.job is not None:
                app.context.film.job.cancel()
        case commands.SaveSession(shown):
            whole = session_effects.current(app) if shown is None else session_effects.complete(app, shown)
            _saved(app, "Session", lambda: session.save(_free(app, ".session.json"), whole))
        case commands.CopyText(text):
            app.window.clipboard = text
            app.toasts.add("info", "Copied.")
        case commands.MakeFigure(name, suffix):
            figure_effects.start(app, name, suffix)
        case commands.Bookmark() | commands.UseLatent() | commands.SaveLatent() | commands.CopyView() | commands.Paste():
            latent_effects.carry_out(app, command)
        case commands.ChooseWorkspace(number):
            app.choose_workspace(number)
        case commands.ChangeSettings(changes):
            app.change_settings(**dict(changes))
            latent_effects.forget_pictures(app)
        case commands.Undo():
            undo.take_back(app)
        case commands.Redo():
            undo.make_again(app)
        case commands.ResetLayout():
            app.layout_reset_due = True
        case commands.ToggleHelp():
            app.help_shown = not app.help_shown
        case commands.StartTour():
            tour_card.start(app)
        case commands.ShowGuide():
            app.guide.toggle()
        case commands.ToggleChrome():
            app.chrome_shown = not app.chrome_shown
        case commands.ToggleCompare():
            app.state = compare_pairs.toggled(app.state, app.context.catalogue)
        case commands.RetryRender():
            app.submit()
        case commands.Quit():
            app.window.request_close()


def open_network(app: App, ref: str) -> None:
    ref = ref.strip()
    if ref and not app.missing.found(app, ref):
        app.state = app.state.put(Source(network=ref))


def open_path(app: App, path: Path) -> None:
    """Opens a file by what it is. A folder is a folder of snapshots."""
    if latent_file.holds_latents(path):
        latent_effects.open_latent(app, path)
        return
    if latent_effects.is_plain_picture(path):
        latent_effects.look_for(app, path)
        return
    if path.suffix.lower() in VIEW_SUFFIXES:
        try:
            session_effects.show(app, film_file.read(path), path.name, path.parent)
        except (StateError, CommandError, OSError) as e:
            app.toasts.add("error", f"{path.name} was not opened: {e}", "Nothing was changed.")
        return
    if path.is_dir() or path.suffix.lower() in NETWORK_SUFFIXES:
        open_network(app, str(path))
        return
    kinds = ", ".join(dict.fromkeys((*NETWORK_SUFFIXES, *VIEW_SUFFIXES, *latent_file.SUFFIXES)))
    app.toasts.add("error", f"{path.name} was not opened: files of these kinds can be: {kinds}.", "Nothing was changed.")


def without_loads(state: ViewState, shown: Frame) -> ViewState:
    """The comparison with the other networks that are on screen; a view without one is left out."""
    for number in reversed(others(state)):
        own, beside = own_values(state, number), shown.others.get(number)
        if beside is not None and beside.frame.network is not None and not beside.stale:
            continue
        last = own_values(shown.request.view, number)
        back = beside is not None and last.network != own.network
        state = state.put(last) if back else without(state, number)
    return state


def start_export(app: App, command: commands.StartExport) -> None:
    """Begins an export unless one runs; `poll_export` tells its end."""
    suffix = "" if command.kind == "png" else f".{command.kind}"
    try:
        options = ExportOptions(_free(app, suffix), command.size, command.lossless)
        check(command.session, options)
    except (OSError, CommandError) as e:
        app.toasts.add("error", f"The film was not exported: {e}")
        return
    if app.context.film.job is None:
        app.context.film.job = ExportJob(command.session, options, app.window.wake)


def poll_export(app: App) -> None:
    """Says how a finished export ended."""
    job = app.context.film.job
    if job is None or job.running:
        return
    app.context.film.job = None
    if job.error:
        app.toasts.add("error", job.error, job.details)
    else:
        app.toasts.add("info", finished_text(job.result))


def _free(app: App, suffix: str) -> Path:
    """A numbered name in the captures folder that nothing has."""
    app.capture_folder.mkdir(parents=True, exist_ok=True)
    path = capture.next_number(app.capture_folder).with_suffix("")
    number = int(path.name)
    taken = {p.name.split(".")[0] for p in app.capture_folder.iterdir()}
    while f"{number:05d}" in taken:
        number += 1
    return path.with_name(f"{number:05d}{suffix}")


def save_picture(app: App) -> Path:
    """The shown picture at the network's resolution, through the same tone mapping as on screen, with the view inside."""
    from gui_utils.tone import tone_map

    frame = shown_frame(app)
    assert frame.picture is not None
    if compare_picture.compared(app.state):
        pixels = compare_picture.captured(frame, app.state)
    else:
        pixels = tone_map(frame.picture.values, tone_map_of(app.state.get(Tone)))
    return capture.save_png(capture.next_number(app.capture_folder), pixels, view_to_save(app, frame))


def save_raw(app: App) -> Path:
    frame = shown_frame(app)
    assert frame.picture is not None
    values = frame.picture.values.transpose(2, 0, 1)
    return capture.save_npy(capture.next_number(app.capture_folder).with_suffix(".npy"), values)


def save_measurement(app: App, arrays: Mapping[str, Any], figure: Callable[[], Any]) -> Path:
    path = capture.save_png(capture.next_number(app.capture_folder), figure(), view_to_save(app, app.good))
    with capture.atomic(path.with_suffix(".npz")) as temporary, temporary.open("wb") as f:
        np.savez_compressed(f, **arrays)
    return path


def save_view(app: App) -> Path:
    path = capture.next_number(app.capture_folder).with_suffix(".json")
    while path.exists():
        path = path.with_name(f"{int(path.stem) + 1:05d}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    with capture.atomic(path) as temporary:
        temporary.write_text(view_to_save(app, app.good).to_json(indent=1), encoding="utf-8")
    return path


def save_window(app: App) -> None:
    _saved(
        app,
        "Window",
        lambda: capture.save_png(capture.next_number(app.capture_folder), app.window.screenshot(), view_to_save(app, app.good)),
    )


def shown_frame(app: App) -> Frame:
    if app.good is None or app.good.picture is None:
        raise StateError("there is no picture yet")
    return app.good


def view_to_save(app: App, frame: Frame | None) -> ViewState:
    """The state, with the hash of the weights that it was seen with."""
    sha256 = frame.network.sha256 if frame and frame.network else ""
    state = app.state.put(dataclasses.replace(app.state.get(Source), sha256=sha256))
    return state if frame is None else compare_picture.with_hash(state, frame)


def file_dialog_available() -> bool:
    """Whether the system has a dialog program; on Windows and macOS it always has."""
    import sys

    return not sys.platform.startswith("linux") or any(shutil.which(name) for name in DIALOGS)


free_name = _free


def saved(app: App, what: str, save: Callable[[], Path]) -> None:
    """Saves, and says where, or why not."""
    _saved(app, what, save)


def _saved(app: App, what: str, save) -> None:
    try:
        path = save()
    except (OSError, StateError) as e:
        app.toasts.add("error", f"{what} was not saved: {e}", f"Folder: {app.capture_folder}")
        return
    app.toasts.add("info", f"{what} saved: {path}")
