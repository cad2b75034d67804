"""Sessions and the window: one that was opened is shown, with the settings that belong to the work; and one of what is there now."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from viz.session import layout as session_layout, moved_files, networks as session_networks, session
from viz.session.session import Session

if TYPE_CHECKING:
    from viz.app import App

MOST_NOTES = 10  # about what has moved: a film of somebody else's may name a hundred files


def show(app: App, opened: Session, name: str, folder: Path | None = None) -> None:
    """The session's first view; timeline, settings and layout where it has any (a saved view has none: then they stay).

    `folder` is where its file is: a network that has moved may lie beside it.
    """
    opened, said, missing = session_networks.located(opened, folder, app.settings.recent)
    opened, also = moved_files.located(opened, folder)
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
    notes = [note for note in (*said, *also, session_layout.restore(app, opened.layout)) if note]
    more = [f"… and {len(notes) - MOST_NOTES} more of this kind."] if len(notes) > MOST_NOTES else []
    for note in (*notes[:MOST_NOTES], *more):
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
