"""The session is saved by itself, and the last one is offered at the next start: a crash loses a moment, and nothing is forced.

What is being worked on is in `autosave.session.json` of the settings folder; at a start it becomes `last.session.json`, which is
offered. Both are written whole or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gui_utils import controls, theme
from gui_utils.controls import Field
from gui_utils.libraries import imgui
from gui_utils.scopes import card_scope, top_middle
from viz.effects.session import current, show
from viz.panels.parts import wrapped_text
from viz.session import session
from viz.session.session import Session
from viz.state import MOTION, Source, StateError, ViewState

if TYPE_CHECKING:
    from viz.app import App

NOW, LAST = "autosave.session.json", "last.session.json"
QUIET_S, LATEST_S = 1.0, 10.0  # saved when nothing has changed for that long, and in any case after so long
WIDTH_EM = 24.0
REOPEN = Field("Reopen", "Autosave.reopen", "Shows the view, the timeline and the workspace of last time.")
DISMISS = Field("Not now", "Autosave.dismiss", "The menu File has it until the next start.")


class Autosave:
    """Belongs to one application; `clock` counts seconds."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self._clock = folder, clock
        self.offered = self._last()
        self._saved: Session | None = None
        self._seen: Session | None = None
        self._start: tuple[object, ...] = ()
        self._changed_at: float | None = None  # when the oldest change came that is not saved
        self._seen_at = 0.0
        self._failed = False
        self._looked: tuple[object, ...] | None = None  # to see cheaply that nothing has changed
        self._panels = ""

    def _last(self) -> Session | None:
        """What was being worked on last time; None for nothing, or for a file that cannot be read."""
        now, last = self.folder / NOW, self.folder / LAST
        try:
            if now.exists():
                now.replace(last)
            found = session.load(last) if last.exists() else None
        except (OSError, StateError):
            return None
        return found if found is not None and worth(found) else None

    def each_frame(self, app: App) -> None:
        """Notes a change; saves when things are quiet, or have been restless for too long."""
        looked, now = (app.state, app.context.film.timeline, app.settings, app.opened, app.good), self._clock()
        panels, self._panels = self._panels, app.window.layout.text
        same = self._looked is not None and panels == self._panels and all(a is b for a, b in zip(looked, self._looked, strict=True))
        shown = self._seen if same and self._seen is not None else without_motion(current(app))
        self._looked = looked
        if self._seen is None:
            self._saved = self._seen = shown  # the start is no change
            self._start = work(shown)
            return
        if shown != self._seen:
            self.offered = self.offered if work(shown) == self._start else None  # something else was begun
            self._seen, self._seen_at = shown, now
            self._changed_at = now if self._changed_at is None else self._changed_at
        if self._changed_at is not None and (now - self._seen_at >= QUIET_S or now - self._changed_at >= LATEST_S):
            self.save(app)

    def save(self, app: App) -> None:
        """Writes what has changed. A failure is told once, and tried again with the next change."""
        self._changed_at = None
        if self._seen is None or self._seen == self._saved:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            session.save(self.folder / NOW, self._seen)
            self._saved, self._failed = self._seen, False
        except OSError as e:
            if not self._failed:
                app.toasts.add("warning", f"The session is not saved automatically: {e}")
            self._failed = True

    def draw(self, app: App) -> None:
        """The offer, in a corner, until it is answered or something else was done."""
        if self.offered is None or app.tour.step is not None or app.tour.offered:
            return
        with card_scope("Last session###last session", WIDTH_EM, top_middle(), border=theme.ACCENT):
            wrapped_text(f"Go on where you were? {described(self.offered)}", dim=False)
            if controls.button(REOPEN):
                opened, self.offered = self.offered, None
                show(app, opened, "last time", self.folder)
            imgui.same_line()
            if controls.button(DISMISS):
                self.offered = None

    def close(self) -> None:
        """What has not been saved yet is."""
        if self._seen is not None and self._seen != self._saved:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                session.save(self.folder / NOW, self._seen)
            except OSError:
                return  # the window is gone: nobody can be told


def without_motion(shown: Session) -> Session:
    """As it is saved: what moves by itself stands still, so that an animation is no reason to save."""
    return replace(shown, views=(shown.views[0].reset(*MOTION), *shown.views[1:]))


def work(shown: Session) -> tuple[object, ...]:
    """What someone has done: not how the window is laid out, nor which weights the network turned out to have."""
    return shown.views[0].edit(Source, sha256=""), shown.timeline


def open_last(app: App) -> None:
    """Opens the last session, if there is one."""
    folder = app.options.settings_folder
    path = folder / LAST if folder is not None else None
    try:
        if path is None or not path.exists():
            app.toasts.add("info", "There is no session of last time yet: one is kept from the next start on.")
            return
        show(app, session.load(path), "last time", folder)
    except (OSError, StateError) as e:
        app.toasts.add("error", f"The last session cannot be opened: {e}")


def worth(found: Session) -> bool:
    """Whether there is anything to go back to."""
    return found.views[0].edit(Source, sha256="") != ViewState() or bool(found.timeline.keyframes)


def described(found: Session) -> str:
    """ "globe-r-64, 3 keyframes" """
    name = Path(found.views[0].get(Source).network).name
    count = len(found.timeline.keyframes)
    return f"{name}, {count} keyframes." if count else f"{name}."


def attach(app: App) -> Autosave | None:
    """Begins, where settings are remembered at all."""
    if app.options.settings_folder is None:
        return None
    autosave = Autosave(app.options.settings_folder)
    if app.options.opens:
        autosave.offered = None  # who asks for something is not asked about something else
    app.attached.append(autosave)
    return autosave
