"""One undo for the view and the timeline: whichever changed last is taken back first. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from viz.app import App
    from viz.history import History

Of = Literal["view", "timeline"]


@dataclass
class Order:
    """Whose step is the newest: names in order, beside the two histories that hold the steps themselves."""

    done: list[Of] = field(default_factory=list)
    undone: list[Of] = field(default_factory=list)
    _seen: dict[Of, Sequence[object]] = field(default_factory=lambda: {"view": (), "timeline": ()})

    def observe(self, view_past: Sequence[object], timeline_past: Sequence[object]) -> None:
        """Take note of the steps that were added since the last time, or taken back by the timeline's own button."""
        now: dict[Of, Sequence[object]] = {"view": view_past, "timeline": timeline_past}
        for name, past in now.items():
            seen = self._seen[name]
            if past is not seen and len(past) >= len(seen) and past:  # as long as before: the oldest step was forgotten
                self.done.append(name)
                self.undone.clear()
                if self.done.count(name) > len(past):
                    self.done.remove(name)
            elif len(past) < len(seen) and name in self.done:
                del self.done[len(self.done) - 1 - self.done[::-1].index(name)]
                self.undone.append(name)
        self.skip(view_past, timeline_past)

    def skip(self, view_past: Sequence[object], timeline_past: Sequence[object]) -> None:
        """These are known, whatever changed."""
        self._seen = {"view": view_past, "timeline": timeline_past}

    def back(self, there: dict[Of, bool]) -> Of | None:
        """Whose step to take back, `there` saying who has one."""
        return _move(self.done, self.undone, there)

    def again(self, there: dict[Of, bool]) -> Of | None:
        """Whose step to make again."""
        return _move(self.undone, self.done, there)


def _move(source: list[Of], target: list[Of], there: dict[Of, bool]) -> Of | None:
    while source:
        name = source.pop()
        if there[name]:  # older steps than a history holds are forgotten
            target.append(name)
            return name
    return None


def observe(app: App, *, in_gesture: bool) -> None:
    """At the end of a frame of the window: a step for what changed, unless it is still changing."""
    film = app.context.film
    app.history = app.history.observe(app.state, in_gesture=in_gesture)
    film.note(in_gesture=in_gesture)
    app.undo_order.observe(app.history.past, film.past)


def take_back(app: App) -> None:
    """Undo."""
    observe(app, in_gesture=False)
    film = app.context.film
    name = app.undo_order.back({"view": bool(app.history.past), "timeline": bool(film.past)})
    _move_by(app, name, film.undo, app.history.undo)


def make_again(app: App) -> None:
    """Redo. What has changed since the undo, and is still moving perhaps, is a step of its own, after which nothing can be made again."""
    observe(app, in_gesture=False)
    film = app.context.film
    name = app.undo_order.again({"view": bool(app.history.future), "timeline": bool(film.future)})
    _move_by(app, name, film.redo, app.history.redo)


def _move_by(app: App, name: Of | None, of_timeline: Callable[[], None], of_view: Callable[[], History]) -> None:
    """The timeline stands still then, as other animations do: what it plays next would take the place of what was brought back."""
    app.context.film.playing = False
    if name == "timeline":
        of_timeline()
    elif name == "view":
        app.history = of_view()
        app.state = app.history.present
    app.undo_order.skip(app.history.past, app.context.film.past)
