"""The session is saved by itself, and the last one is offered at the next start: a crash loses a moment, and nothing is forced.

What is being worked on is in `autosave.session.json` of the settings folder; at a start it becomes `last.session.json`, which is
offered. Both are written whole or not at all. Further windows that are open at the same time have files of their own
(`autosave.2.session.json` and so on, each held by a lock): none overwrites what belongs to another. What they leave is offered
together at the next start, newest first.
"""

from __future__ import annotations

import math
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gui_utils import controls, theme
from gui_utils.controls import Field
from gui_utils.libraries import imgui
from gui_utils.scopes import card_scope, top_middle
from torch_utils.file_lock import hold, let_go
from viz.effects.session import current, show
from viz.errors import sentence
from viz.panels.parts import wrapped_text
from viz.request import Frame
from viz.session import session
from viz.session.session import Session
from viz.state import MOTION, Source, StateError, ViewState
from viz.workspaces import WORKSPACES

if TYPE_CHECKING:
    from viz.app import App

NOW, LAST = "autosave.session.json", "last.session.json"
MOST_WINDOWS = 8  # that are saved apart
QUIET_S, LATEST_S = 1.0, 10.0  # saved when nothing has changed for that long, and in any case after so long
WIDTH_EM = 24.0
REOPEN = Field("Reopen", "Autosave.reopen", "Shows the view, the timeline and the workspace from last time.")
DISMISS = Field("Not now", "Autosave.dismiss", "It stays in the File menu until the next start.")


class Autosave:
    """Belongs to one application; `clock` counts seconds."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self._clock = folder, clock
        number, lock = _place(folder)
        self._let_go = weakref.finalize(self, let_go, lock)
        self.file = folder / _numbered(NOW, number)
        found = _earlier(folder, number)
        self.offered = found[0] if found else None
        self.beside = found[1:]  # of windows that were open at the same time
        self._saved: Session | None = None
        self._seen: Session | None = None
        self._start: tuple[object, ...] = ()
        self._begun = False  # until then nothing is written: a start that only looks would take the place of the last session
        self._changed_at: float | None = None  # when the oldest change came that is not saved
        self._seen_at = 0.0
        self._failed = False
        self._looked: tuple[object, ...] = ()  # to see cheaply that nothing has changed
        self._panels, self._panels_at = "", -math.inf  # and when they were looked at
        self._app: Callable[[], App | None] = lambda: None

    def each_frame(self, app: App) -> None:
        """Notes a change; saves when things are quiet, or have been restless for too long. Sessions are made to be saved: for every frame
        of a drag they would take a third of its time."""
        looked = (app.state, app.context.film.timeline, app.settings, app.opened, *networks_of(app.good))
        now = self._clock()
        same = len(looked) == len(self._looked) and all(a is b for a, b in zip(looked, self._looked, strict=True))
        moved = self._panels_moved(app, now)
        self._looked, self._app = looked, weakref.ref(app)
        if (moved or not same) and (self._begun or self._differs(app)):
            self._seen_at = self._seen_at if same and self._changed_at is not None else now  # nobody knows when panels were moved
            self._changed_at = now if self._changed_at is None else self._changed_at
        if self._changed_at is not None and (now - self._seen_at >= QUIET_S or now - self._changed_at >= LATEST_S):
            self.save(app)

    def _panels_moved(self, app: App, now: float) -> bool:
        """Looked at now and then: Dear ImGui writes all that it knows of its windows for that."""
        if now - self._panels_at < QUIET_S:
            return False
        before, self._panels, self._panels_at = self._panels, app.window.layout.text, now
        return self._panels != before

    def _differs(self, app: App) -> bool:
        """Before anything was begun: whether this is another session than it was."""
        shown, before = without_motion(current(app)), self._seen
        self._seen = shown
        if before is None:
            self._saved, self._start = shown, work(shown)  # the start is no change
        elif work(shown) != self._start:
            self.offered, self._begun = None, True  # something else was begun
        return before is not None and shown != before

    def save(self, app: App) -> None:
        """Writes what has changed. A failure is told once, and tried again with the next change."""
        self._changed_at, self._seen = None, without_motion(current(app))
        if not self._due:
            return
        try:
            self._write()
            self._saved, self._failed = self._seen, False
        except OSError as e:
            if not self._failed:
                app.toasts.add("warning", f"The session is not saved automatically: {sentence(e)}")
            self._failed = True

    @property
    def _due(self) -> bool:
        return self._begun and self._seen != self._saved

    def _write(self) -> None:
        assert self._seen is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        session.save(self.file, self._seen)

    def draw(self, app: App) -> None:
        """The offer, in a corner, until it is answered or something else was done."""
        if self.offered is None or app.tour.step is not None or app.tour.offered:
            return
        with card_scope("Last session###last session", WIDTH_EM, top_middle(), border=theme.ACCENT):
            several = len(self.beside) > 0
            what = f"{1 + len(self.beside)} windows were open." if several else described(self.offered)
            wrapped_text(f"Go on where you were? {what}", dim=False)
            chosen = None
            for number, found in enumerate((self.offered, *self.beside), start=1):
                name = REOPEN.id if number == 1 else f"{REOPEN.id}.{number}"
                label = f"{REOPEN.label} {described(found).rstrip('.')}" if several else REOPEN.label
                if controls.button(replace(REOPEN, id=name, label=label)):
                    chosen = found
            if chosen is not None:
                self.offered = None
                show(app, chosen, "last time", self.folder)
            if not several:
                imgui.same_line()
            if controls.button(DISMISS):
                self.offered = None

    def close(self) -> None:
        """What has not been saved yet is."""
        try:
            if self._changed_at is not None and (app := self._app()) is not None:
                self._seen = without_motion(current(app))
            if self._due:
                self._write()
        except OSError as e:
            print(f"The session could not be saved: {sentence(e)}", file=sys.stderr)  # the window is gone
        finally:
            self._let_go()


def _numbered(name: str, number: int) -> str:
    first, rest = name.split(".", 1)
    return name if number == 1 else f"{first}.{number}.{rest}"


def _place(folder: Path) -> tuple[int, int | None]:
    """The number of this window's file, and what holds it. Where there are no locks, every window is the first."""
    for number in range(1, MOST_WINDOWS + 1):
        if (number == 1 or not (folder / _numbered(NOW, number)).exists()) and (lock := _held(folder, number)) is not None:
            return number, lock
    return 1, None


def _held(folder: Path, number: int) -> int | None:
    """A file descriptor that is a lock until `let_go` or the end of this process; None where another window has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return hold(folder / f"autosave.{number}.lock")
    except OSError:
        return None


def _left(folder: Path, mine: int) -> Iterator[Path]:
    """What windows that are gone have left, newest first, each while nobody else can take it."""
    there = [(path.stat().st_mtime_ns, n) for n in range(1, MOST_WINDOWS + 1) if (path := folder / _numbered(NOW, n)).exists()]
    for _, number in sorted(there, reverse=True):
        lock = None if number == mine else _held(folder, number)
        if lock is not None or number == mine:
            yield folder / _numbered(NOW, number)
        let_go(lock)


def _earlier(folder: Path, mine: int) -> list[Session]:
    """What was being worked on last time, newest first, now under the names of last time. What cannot be read is left out.

    A window beside another offers only what a window beside it has left: everything else was offered to the first.
    """
    names = [folder / _numbered(LAST, number) for number in range(mine, MOST_WINDOWS + 1)]
    count = 0
    try:
        for path, name in zip(_left(folder, mine), names, strict=False):
            path.replace(name)
            count += 1
        for name in names[count:] if mine == 1 and count else ():
            name.unlink(missing_ok=True)
    except OSError:
        return []
    found = []
    for name in names if mine == 1 else names[:count]:
        try:
            found += [session.load(name)] if name.exists() else []
        except (OSError, StateError):
            continue
    return [each for each in found if worth(each)]


def networks_of(frame: Frame | None) -> tuple[object, ...]:
    """What is known of the networks of a frame, whose hashes a session holds."""
    return () if frame is None else (frame.network, *(beside.frame.network for beside in frame.others.values()))


def without_motion(shown: Session) -> Session:
    """As it is saved: what moves by itself stands still, so that an animation is no reason to save."""
    return replace(shown, views=(shown.views[0].reset(*MOTION), *shown.views[1:]))


def work(shown: Session) -> tuple[object, ...]:
    """What someone has done: neither the layout of the window, nor what a workspace measures, nor which weights the network has."""
    view = shown.views[0].edit(Source, sha256="")
    for kind in (place.measures for place in WORKSPACES):
        view = view if kind is None else view.edit(kind, on=False)
    return view, shown.timeline


def open_last(app: App) -> None:
    """Opens the last session, if there is one."""
    folder = app.options.settings_folder
    path = folder / LAST if folder is not None else None
    try:
        if path is None or not path.exists():
            app.toasts.add("info", "There is no session from last time yet; this one is offered at the next start.")
            return
        show(app, session.load(path), "last time", folder)
    except (OSError, StateError) as e:
        app.toasts.add("error", f"The last session cannot be opened: {sentence(e)}")


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
