"""Saving what is on screen into the captures folder: pictures, values, measurements, views, sessions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch_utils.atomic import atomic
from viz import capture, commands
from viz.canvas.canvas import tone_map_of
from viz.cli.render import again, write_values
from viz.cli.window import brought_to_front, screenshot_command
from viz.compare import picture as compare_picture
from viz.effects import session as session_effects
from viz.errors import CommandError, sentence
from viz.request import Frame
from viz.session import session
from viz.session.origin import PROGRAM
from viz.state import HeldRange, Source, StateError, Tone, ViewState
from viz.tour.means import with_latents

if TYPE_CHECKING:
    from viz.app import App

OPEN_AGAIN = f"python {PROGRAM} --view FILE"  # a measurement goes on in the window
Command = (
    commands.CapturePicture | commands.SaveRaw | commands.SaveMeasurement | commands.SaveValues | commands.SaveView | commands.SaveSession
)


def carry_out(app: App, command: Command) -> None:
    match command:
        case commands.CapturePicture():
            saved(app, "Picture", lambda: save_picture(app))
        case commands.SaveRaw():
            saved(app, "Raw values", lambda: save_raw(app))
        case commands.SaveMeasurement(what, arrays, figure):
            saved(app, what, lambda: save_measurement(app, arrays, figure))
        case commands.SaveValues():
            saved(app, "Values", lambda: save_values(app))
        case commands.SaveView():
            saved(app, "View", lambda: save_view(app))
        case commands.SaveSession(shown):
            whole = session_effects.current(app) if shown is None else session_effects.complete(app, shown)
            saved(app, "Session", lambda: session.save(free_name(app, ".session.json"), whole))


def saved(app: App, what: str, save: Callable[[], Path]) -> None:
    """Saves, and says where, or why not."""
    try:
        path = save()
    except (OSError, StateError, CommandError) as e:
        app.toasts.add("error", f"{what} could not be saved: {sentence(e)}", f"Folder: {app.capture_folder}")
        return
    app.toasts.add("info", f"{what} saved: {path}")


def free_name(app: App, suffix: str) -> Path:
    """A numbered name in the captures folder that nothing has."""
    app.capture_folder.mkdir(parents=True, exist_ok=True)
    path = capture.next_number(app.capture_folder).with_suffix("")
    number = int(path.name)
    taken = {p.name.removeprefix(".").split(".")[0] for p in app.capture_folder.iterdir()}  # also by the frames of a film that was stopped
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
    out = capture.next_number(app.capture_folder)
    return capture.save_png(out, pixels, view_of_picture(app, frame), again(out))


def save_values(app: App) -> Path:
    """The values of what is shown, before its colours."""
    frame = shown_frame(app)
    return write_values(free_name(app, ".exr"), frame, view_of_picture(app, frame))


def save_raw(app: App) -> Path:
    frame = shown_frame(app)
    assert frame.picture is not None
    values = frame.picture.values.transpose(2, 0, 1)
    out = free_name(app, ".npy")
    return capture.save_npy(out, values, view_of_picture(app, frame), f"{again(out)} --shown")


def save_measurement(app: App, arrays: Mapping[str, Any], figure: Callable[[], Any]) -> Path:
    view = view_to_save(app, app.good)
    path = capture.save_png(free_name(app, ".png"), figure(), view, OPEN_AGAIN)
    capture.save_npz(path.with_suffix(".npz"), arrays, view, OPEN_AGAIN)
    return path


def save_view(app: App) -> Path:
    path = free_name(app, ".json")
    with atomic(path) as temporary:
        temporary.write_text(view_to_save(app, app.good).to_json(indent=1), encoding="utf-8")
    return path


def save_window(app: App) -> Path:
    """The window as it was drawn last."""
    command = screenshot_command(app, app.window.plain_size, brought_to_front(app))
    return capture.save_png(capture.next_number(app.capture_folder), app.window.screenshot(), view_to_save(app, app.good), command)


def copy_view(app: App) -> None:
    """The view as JSON into the clipboard, with the hash of the weights that it was seen with."""
    app.window.clipboard = view_to_save(app, app.good).to_json(indent=1)
    app.toasts.add("info", "The view was copied as JSON. Ctrl+V opens it again.")


def shown_frame(app: App) -> Frame:
    if app.good is None or app.good.picture is None:
        raise StateError("there is no picture yet")
    return app.good


def view_of_picture(app: App, frame: Frame) -> ViewState:
    """`view_to_save`, and the latents that the picture on screen is the mean over, while `viz.tour.demonstration` shows means."""
    means = app.tour.demonstration.means if app.tour.demonstration is not None else None
    return with_latents(view_to_save(app, frame), {} if means is None else means.latents(frame))


def view_to_save(app: App, frame: Frame | None) -> ViewState:
    """The state, with the hash of the weights that it was seen with, and the brightness that it has while something moves."""
    source = app.state.get(Source)
    if frame is not None and frame.network is not None and frame.request.view.get(Source).network == source.network:
        source = dataclasses.replace(source, sha256=frame.network.sha256)  # else the network that was asked for is not there yet
    state = app.state.put(source)
    return state if frame is None else compare_picture.with_hash(state.put(frame.request.view.get(HeldRange)), frame)
