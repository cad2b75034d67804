"""What commands do: files, clipboard, settings, windows. The one place where a click in a panel becomes an effect."""

from __future__ import annotations

import dataclasses
import shutil
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viz import capture, commands, latent_file, undo
from viz.canvas.canvas import tone_map_of
from viz.cli.render import write_values
from viz.cli.window import screenshot_command
from viz.compare import pairs as compare_pairs, picture as compare_picture
from viz.compare.compare import others, own_values, without
from viz.effects import export as export_effects, figure as figure_effects, latent as latent_effects, session as session_effects
from viz.errors import UNFORESEEN, CommandError
from viz.export import film_file
from viz.export.encoders import SUFFIXES
from viz.request import Frame
from viz.session import autosave, session
from viz.session.origin import PROGRAM, sidecar
from viz.state import Source, StateError, Tone, ViewState
from viz.tour import card as tour_card

if TYPE_CHECKING:
    from viz.app import App

NETWORK_SUFFIXES = (".pkl", ".safetensors")
VIEW_SUFFIXES = (".json", ".png", ".exr", ".svg", ".pdf", *SUFFIXES)
OPEN_AGAIN = f"python {PROGRAM} --view FILE"  # a measurement goes on in the window
DIALOGS = ("zenity", "kdialog", "qarma", "matedialog")


def attempt(app: App, command: commands.Command) -> None:
    """Carries one command out, the border of the window: what nobody has foreseen is told as well, and must not end it."""
    try:
        carry_out(app, command)
    except Exception as e:
        what = f"{type(command).__name__} {UNFORESEEN}: {type(e).__name__}: {e}"
        app.toasts.add("error", what, "".join(traceback.format_exception(e)))


def cancel_load(app: App) -> None:
    """Back to the network on screen, if there is one."""
    if app.good is not None:
        app.state = without_loads(app.state.put(app.good.request.view.get(Source)), app.good)


def carry_out(app: App, command: commands.Command) -> None:
    """Carries one command out; failures become a toast and a line in the log, and lose nothing."""
    match command:
        case commands.OpenNetwork(ref):
            open_network(app, ref)
        case commands.OpenPath(path):
            open_path(app, Path(path))
        case commands.OpenFile():
            app.start_file_dialog()
        case commands.OpenLastSession():
            autosave.open_last(app)
        case commands.ReloadNetwork():
            source = app.state.get(Source)
            app.state = app.state.edit(Source, reload=source.reload + 1, sha256="")
        case commands.CancelLoad():
            cancel_load(app)
        case commands.CapturePicture():
            _saved(app, "Picture", lambda: save_picture(app))
        case commands.CaptureWindow():
            app.window_capture_due = 2  # drawn once without menus and tooltips first
        case commands.SaveRaw():
            _saved(app, "Raw values", lambda: save_raw(app))
        case commands.SaveMeasurement(what, arrays, figure):
            _saved(app, what, lambda: save_measurement(app, arrays, figure))
        case commands.SaveValues():
            _saved(app, "Values", lambda: save_values(app))
        case commands.SaveView():
            _saved(app, "View", lambda: save_view(app))
        case commands.StartExport() | commands.CancelExport() | commands.ResumeExport() | commands.DiscardExport():
            export_effects.carry_out(app, command)
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
        case commands.StartTour() | commands.ShowSticking():
            tour_card.carry_out(app, command)
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


def carries_session(path: Path) -> bool:
    """Files that could be something else and are one of ours: exported frames, a layer's values, a measurement's arrays."""
    if path.is_dir():
        return (path / "session.json").is_file()
    return (path.suffix.lower() == ".npy" and sidecar(path).is_file()) or (path.suffix.lower() == ".npz" and film_file.holds_origin(path))


def open_session(app: App, path: Path) -> None:
    try:
        session_effects.show(app, film_file.read(path), path.name, path.parent)
    except (StateError, CommandError, OSError) as e:
        app.toasts.add("error", f"{path.name} was not opened: {e}", "Nothing was changed.")


def open_path(app: App, path: Path) -> None:
    """Opens a file by what it is. A folder is a folder of snapshots."""
    if carries_session(path):
        open_session(app, path)
        return
    if latent_file.holds_latents(path):
        latent_effects.open_latent(app, path)
        return
    if latent_effects.is_plain_picture(path):
        latent_effects.look_for(app, path)
        return
    if path.suffix.lower() in VIEW_SUFFIXES:
        open_session(app, path)
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


def _free(app: App, suffix: str) -> Path:
    """A numbered name in the captures folder that nothing has."""
    app.capture_folder.mkdir(parents=True, exist_ok=True)
    path = capture.next_number(app.capture_folder).with_suffix("")
    number = int(path.name)
    taken = {p.name.split(".")[0] for p in app.capture_folder.iterdir()}
    while f"{number:05d}" in taken:
        number += 1
    return path.with_name(f"{number:05d}{suffix}")


def again(suffix: str) -> str:
    return f"python {PROGRAM} view FILE --out again{suffix}"


def save_picture(app: App) -> Path:
    """The shown picture at the network's resolution, through the same tone mapping as on screen, with the view inside."""
    from gui_utils.tone import tone_map

    frame = shown_frame(app)
    assert frame.picture is not None
    if compare_picture.compared(app.state):
        pixels = compare_picture.captured(frame, app.state)
    else:
        pixels = tone_map(frame.picture.values, tone_map_of(app.state.get(Tone)))
    return capture.save_png(capture.next_number(app.capture_folder), pixels, view_to_save(app, frame), again(".png"))


def save_values(app: App) -> Path:
    """The values of what is shown, before its colours."""
    frame = shown_frame(app)
    return write_values(_free(app, ".exr"), frame, view_to_save(app, frame))


def save_raw(app: App) -> Path:
    frame = shown_frame(app)
    assert frame.picture is not None
    values = frame.picture.values.transpose(2, 0, 1)
    return capture.save_npy(_free(app, ".npy"), values, view_to_save(app, frame), f"{again('.npy')} --shown")


def save_measurement(app: App, arrays: Mapping[str, Any], figure: Callable[[], Any]) -> Path:
    view = view_to_save(app, app.good)
    path = capture.save_png(_free(app, ".png"), figure(), view, OPEN_AGAIN)
    capture.save_npz(path.with_suffix(".npz"), arrays, view, OPEN_AGAIN)
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
        lambda: capture.save_png(
            capture.next_number(app.capture_folder),
            app.window.screenshot(),
            view_to_save(app, app.good),
            screenshot_command(app, app.window.plain_size),
        ),
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
poll_export = export_effects.poll


def saved(app: App, what: str, save: Callable[[], Path]) -> None:
    """Saves, and says where, or why not."""
    _saved(app, what, save)


def _saved(app: App, what: str, save) -> None:
    try:
        path = save()
    except (OSError, StateError, CommandError) as e:
        app.toasts.add("error", f"{what} was not saved: {e}", f"Folder: {app.capture_folder}")
        return
    app.toasts.add("info", f"{what} saved: {path}")
