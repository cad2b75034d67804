"""Showing a session that was opened or pasted: its view, its timeline, and the settings that belong to the work."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from viz.session import layout as session_layout, networks as session_networks, session
from viz.session.session import Session
from viz.state import StateError

if TYPE_CHECKING:
    from viz.app import App

LONGEST_PASTED = 16384
NOTHING = "There is nothing to open in the clipboard: a view or session as JSON, a file's path or an address is expected."


def show(app: App, opened: Session, name: str, folder: Path | None = None) -> None:
    """The session's first view; timeline, settings and layout where it has any (a saved view has none: then they stay).

    `folder` is where its file is: a network that has moved may lie beside it.
    """
    opened, said, missing = session_networks.located(opened, folder, app.settings.recent)
    app.networks.learn(opened)
    app.restore(opened.views[0])
    if opened.timeline.keyframes:
        app.context.film.edit(opened.timeline)
    app.opened = opened
    settings = session.apply_settings(app.settings, opened)
    both = dict.fromkeys((*app.settings.bookmarks, *settings.bookmarks))  # nobody's bookmarks are lost
    settings = dataclasses.replace(settings, bookmarks=tuple(both))
    changes = {key: getattr(settings, key) for key in session.KEPT_SETTINGS if getattr(settings, key) != getattr(app.settings, key)}
    if changes:
        app.change_settings(**changes)
    what = "Session" if opened.timeline.keyframes or opened.settings else "View"
    app.toasts.add("info", f"{what} restored from {name}.")
    for note in (*said, session_layout.restore(app, opened.layout)):
        if note:
            app.toasts.add("warning", note)
    app.missing.ask(missing)


def current(app: App) -> Session:
    """All that a session holds, as it is now."""
    return complete(app, Session((app.state,), app.context.film.timeline, session.kept_settings(app.settings)))


def complete(app: App, shown: Session) -> Session:
    """With networks and layout, and what the session that was opened holds besides: its other views, and what a newer version wrote."""
    opened = app.opened
    return app.networks.complete(
        dataclasses.replace(
            shown,
            views=(*shown.views, *opened.views[1:]),
            settings={**opened.settings, **shown.settings},
            networks=opened.networks,
            layout={**opened.layout, **session_layout.now(app)},
            unknown=opened.unknown,
        )
    )


def copy_view(app: App) -> None:
    """The view as JSON into the clipboard, with the hash of the weights that it was seen with."""
    from viz.effects.effects import view_to_save

    app.window.clipboard = view_to_save(app, app.good).to_json(indent=1)
    app.toasts.add("info", "The view was copied as JSON. Ctrl+V opens it again.")


def paste(app: App) -> None:
    """Opens what the clipboard holds: JSON of a view or a session, a path, or an address of a network."""
    from viz.effects.effects import open_network, open_path

    text = (app.window.clipboard or "").strip()
    if text.startswith("{"):
        try:
            show(app, Session.from_json(text), "the clipboard")
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
