"""Opening: networks, sessions, latents and pictures, by name, by path or out of the clipboard; and taking a load back."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from networks.loading.errors import name_is_text, printable
from viz import directions_file, latent_file
from viz.compare.compare import others, own_values, without
from viz.effects import latent as latent_effects, session as session_effects
from viz.errors import CommandError, sentence
from viz.export import film_file
from viz.export.encoders import SUFFIXES
from viz.request import Frame
from viz.session.origin import sidecar
from viz.session.session import Session
from viz.state import Source, StateError, ViewState

if TYPE_CHECKING:
    from viz.app import App

NETWORK_SUFFIXES = (".pkl", ".safetensors")
VIEW_SUFFIXES = (".json", ".png", ".exr", ".svg", ".pdf", *SUFFIXES)
LONGEST_PASTED = 16384
MOST_AT_ONCE = 16
NOTHING = "There is nothing to open in the clipboard: a view or session as JSON, a file's path or an address is expected."


def open_network(app: App, ref: str) -> None:
    ref = ref.strip()
    if ref and not app.missing.found(app, ref):
        app.state = app.state.put(Source(network=ref))


def open_all(app: App, paths: Sequence[Path]) -> None:
    """What was dropped at once, one after the other; of very many the first."""
    for path in paths[:MOST_AT_ONCE]:
        open_path(app, path)
    if len(paths) > MOST_AT_ONCE:
        app.toasts.add("warning", f"{len(paths)} files were dropped; the first {MOST_AT_ONCE} were opened.")


def open_path(app: App, path: Path) -> None:
    """Opens a file by what it is. A folder is a folder of snapshots. The border to files: nothing that one may hold ends the window."""
    name = printable(path.name)
    try:
        if name_is_text(str(path)) and (path.is_file() or path.is_dir() or not path.exists()):
            _open(app, path)
            return
        said = "it is neither a file nor a folder" if name_is_text(str(path)) else "its name is not valid text; rename it"
        app.toasts.add("error", f"{name} was not opened: {said}.", "Nothing was changed.")
    except Exception as e:
        what = f"{name} was not opened: {type(e).__name__}: {printable(str(e), 200)}"
        app.toasts.add("error", what, "".join(traceback.format_exception(e)))


def _open(app: App, path: Path) -> None:
    if carries_session(path):
        open_session(app, path)
    elif directions_file.holds_directions(path):
        latent_effects.open_directions(app, path)
    elif latent_file.holds_latents(path):
        latent_effects.open_latent(app, path)
    elif latent_effects.is_plain_picture(path):
        latent_effects.look_for(app, path)
    elif path.suffix.lower() in VIEW_SUFFIXES:
        open_session(app, path)
    elif path.is_dir() or path.suffix.lower() in NETWORK_SUFFIXES:
        open_network(app, str(path))
    else:
        kinds = ", ".join(dict.fromkeys((*NETWORK_SUFFIXES, *VIEW_SUFFIXES, *latent_file.SUFFIXES)))
        app.toasts.add("error", f"{path.name} was not opened: files of these kinds can be: {kinds}.", "Nothing was changed.")


def carries_session(path: Path) -> bool:
    """Files that could be something else and are one of ours: exported frames, a layer's values, a measurement's arrays."""
    if path.is_dir():
        return (path / "session.json").is_file()
    return (path.suffix.lower() == ".npy" and sidecar(path).is_file()) or (path.suffix.lower() == ".npz" and film_file.holds_origin(path))


def open_session(app: App, path: Path) -> None:
    try:
        session_effects.show(app, film_file.read(path), path.name, path.parent)
    except (StateError, CommandError, OSError) as e:
        app.toasts.add("error", f"{path.name} was not opened: {sentence(e)}", "Nothing was changed.")


def cancel_load(app: App) -> None:
    """Back to the network on screen, if there is one."""
    if app.good is not None:
        app.state = without_loads(app.state.put(app.good.request.view.get(Source)), app.good)


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


def paste(app: App) -> None:
    """Opens what the clipboard holds: JSON of a view or a session, a path, or an address of a network."""
    text = (app.window.clipboard or "").strip()
    if text.startswith("{"):
        try:
            session_effects.show(app, Session.from_json(text), "the clipboard")
        except StateError as e:
            app.toasts.add("error", f"What was copied was not opened: {e}", "Nothing was changed.")
    elif text.startswith(("http://", "https://")) and "\n" not in text:
        open_network(app, text)
    elif path := _path(text):
        open_path(app, path)
    else:
        app.toasts.add(
            "warning", NOTHING, "A picture itself cannot be pasted, only the name of its file: save it, then drop or open the file."
        )


def _path(text: str) -> Path | None:
    """The file that a path, or an address of a file as file managers copy it, leads to; of several lines the first such one."""
    if len(text) > LONGEST_PASTED:
        return None
    for line in text.splitlines():
        line = line.strip().strip('"').strip("'")
        if line.lower().startswith("file:"):
            line = unquote(urlsplit(line).path)
            line = line.lstrip("/") if os.name == "nt" else line  # file:///C:/folder
        try:
            path = Path(line).expanduser()
            if line and path.exists():
                return path
        except (OSError, ValueError, RuntimeError):
            continue
    return None
