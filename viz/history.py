"""Undo and redo: one step a gesture. States are values, so a step is just the state before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from viz.state import MOTION, View, ViewState

LIMIT = 200
NOT_UNDONE = (View, *MOTION)  # zooming is not an edit, and neither is starting an animation


class Step(NamedTuple):
    """A state, and the measurement in it that was the workspace's own (`viz.workspaces.Lent`): no edit, so undo leaves it alone."""

    state: ViewState
    lent: type | None = None


@dataclass(frozen=True)
class History:
    """Past and future around `present`, with what is `lent` in it. Observing the same edit twice adds nothing."""

    present: ViewState
    past: tuple[Step, ...] = ()
    future: tuple[Step, ...] = ()
    lent: type | None = None

    def observe(self, state: ViewState, *, in_gesture: bool) -> History:
        """Takes note of the state at the end of a UI frame; during a gesture (drag, animation) nothing is recorded."""
        if in_gesture or state is self.present:
            return self
        if edits(state) == edits(self.present):
            return replace(self, present=state) if state != self.present else self
        return History(state, (*self.past, self._step)[-LIMIT:], (), self.lent)

    def undo(self) -> History:
        if not self.past:
            return self
        return History(self._again(self.past[-1]), self.past[:-1], (self._step, *self.future), self.lent)

    def redo(self) -> History:
        if not self.future:
            return self
        return History(self._again(self.future[0]), (*self.past, self._step), self.future[1:], self.lent)

    @property
    def _step(self) -> Step:
        return Step(self.present, self.lent)

    def _again(self, step: Step) -> ViewState:
        return keep_view(lend(step.state, step.lent, self.lent), self.present)


def edits(state: ViewState) -> ViewState:
    """The part of the state that undo concerns."""
    return state.reset(*NOT_UNDONE)


def lend(state: ViewState, before: type | None, now: type | None) -> ViewState:
    """A state in which a workspace had switched `before` on, as it is where a workspace has switched on `now`."""
    if before is now:
        return state
    state = state if before is None else state.edit(before, on=False)
    return state if now is None else state.edit(now, on=True)


def keep_view(state: ViewState, current: ViewState) -> ViewState:
    """`state` as it is seen now: zoom stays, animations stop."""
    return state.reset(*MOTION).put(current.get(View))
