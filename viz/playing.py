"""The timeline while it plays: who changes by hand what it plays makes it pause. Else its next frame would take the change back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz.state import View, ViewState

if TYPE_CHECKING:
    from viz.app import App

PAUSED = "The timeline is paused: what was changed would be gone with its next frame. Undo takes the change back."


def played(app: App, state: ViewState, dt: float) -> ViewState:
    """The view `dt` seconds later; the very `state` while nothing plays. What a workspace measures by itself goes on."""
    film = app.context.film
    if film.playing and film.shown is not None and _changed(film.shown, app.state, zoom=film.moves_zoom):
        film.playing = False
        app.history = app.history.observe(film.shown, in_gesture=False)  # one step for what was played, and one for the change
        app.undo_order.observe(app.history.past, film.past)
        app.toasts.add("info", PAUSED)
    after = film.advance(state, dt)
    if film.playing:
        after = app.lent.kept(app.state, after)
    film.shown = after if film.playing else None
    return after


def _changed(shown: ViewState, now: ViewState, *, zoom: bool) -> bool:
    """Whether somebody else has changed what was played; zoom belongs to the user, unless the timeline moves it."""
    return now is not shown and (now if zoom else now.put(shown.get(View))) != shown
