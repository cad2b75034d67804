"""The guided tour: steps, each a view to begin with, what to do there, where, and how it is noticed. Standard library only.

The steps are a session file that comes with the program (`tour.session.json`): its views are the steps' views, and what the
card says stands beside them under "tour". So it opens and plays like any session, and can be translated or extended as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viz import history
from viz.session import session
from viz.state import GROUPS, StateError, ViewState

if TYPE_CHECKING:
    from viz.tour.means import ShownMeans

ARRIVAL_FRAMES = 4  # a workspace that is shown for the first time needs some to settle
FILE = Path(__file__).resolve().parent / "tour.session.json"


@dataclass(frozen=True)
class Done:
    """Noticed when any of these fields differs from the step's view, by at least `by` if that is positive; or when `other` is."""

    group: type
    fields: tuple[str, ...]
    by: float = 0.0
    other: Done | None = None

    def holds(self, start: ViewState, now: ViewState) -> bool:
        before, after = start.get(self.group), now.get(self.group)
        pairs = [(getattr(before, name), getattr(after, name)) for name in self.fields]
        there = any(abs(b - a) >= self.by if self.by else a != b for a, b in pairs)
        return there or (self.other is not None and self.other.holds(start, now))


@dataclass(frozen=True)
class Step:
    """`where` is the title of the panel that is outlined; `needs` are the networks without which the step is left out."""

    title: str
    text: str
    where: str
    workspace: int
    done: Done
    view: ViewState
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Demonstrated:
    """A demonstration of sticking (`viz.tour.demonstration`): the view before it, its own, and what it averages, if it does."""

    before: history.Step
    view: ViewState
    means: ShownMeans | None = None


@dataclass
class Tour:
    """Where the tour stands. `offered`: a card asks whether to begin. `index` None: it does not run."""

    offered: bool = False
    steps: tuple[Step, ...] = ()
    index: int | None = None
    noticed: set[int] = field(default_factory=set)
    demonstration: Demonstrated | None = None
    arriving: int = ARRIVAL_FRAMES  # frames in which the card takes its place and the panel it speaks of comes to the front
    placed: tuple[float, float] = (0.0, 0.0)  # where the card was put: in a window of another size it is put again

    @property
    def step(self) -> Step | None:
        return None if self.index is None else self.steps[self.index]

    def start(self, steps: Sequence[Step]) -> None:
        self.offered, self.steps, self.noticed = False, tuple(steps), set()
        self.index = 0 if self.steps else None
        self.arriving = ARRIVAL_FRAMES

    def go(self, step: int) -> None:
        """Forward or back; past the last step it is over."""
        if self.index is not None:
            self.index = max(0, self.index + step)
            self.noticed.discard(self.index)
            self.arriving = ARRIVAL_FRAMES
            if self.index >= len(self.steps):
                self.stop()

    def stop(self) -> None:
        self.offered, self.index = False, None

    def look(self, now: ViewState) -> bool:
        """Whether this step was done, now or a moment ago."""
        if self.step is not None and self.index is not None and self.step.done.holds(self.step.view, now):
            self.noticed.add(self.index)
        return self.index in self.noticed


@cache
def all_steps() -> tuple[Step, ...]:
    """The steps in the program's session file. Raises StateError where it and its texts do not fit together."""
    return steps_of(session.load(FILE))


def steps_of(opened: session.Session) -> tuple[Step, ...]:
    """Steps from a session that has a "tour"."""
    texts = opened.unknown.get("tour")
    if not isinstance(texts, list) or len(texts) != len(opened.views):
        raise StateError("a tour has one text for each of its session's views")
    return tuple(_step(text, view) for text, view in zip(texts, opened.views, strict=True))


def available(steps: Iterable[Step], bundled: Iterable[str]) -> tuple[Step, ...]:
    """The steps whose networks are there."""
    there = set(bundled)
    return tuple(step for step in steps if there.issuperset(step.needs))


def _step(text: dict[str, Any], view: ViewState) -> Step:
    try:
        done, needs = _done(text["done"]), tuple(text.get("needs", ()))
        return Step(text["title"], text["text"], text["where"], int(text["workspace"]), done, view, needs)
    except (KeyError, TypeError, ValueError, StopIteration) as e:
        raise StateError(f"a step of the tour cannot be read: {e!r}") from e


def _done(text: dict[str, Any]) -> Done:
    group = next(kind for kind in GROUPS if kind.__name__ == text["group"])
    other = _done(text["or"]) if "or" in text else None
    return Done(group, tuple(text["fields"]), float(text.get("by", 0.0)), other)
