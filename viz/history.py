"""Undo and redo: one step a gesture. States are values, so a step is just the state before it."""

from __future__ import annotations

from dataclasses import dataclass

from viz.state import MOTION, View, ViewState

LIMIT = 200
NOT_UNDONE = (View, *MOTION)  # zooming is not an edit, and neither is starting an animation


@dataclass(frozen=True)
class History:
    """Past and future around `present`. Observing the same edit twice adds nothing."""

    present: ViewState
    past: tuple[ViewState, ...] = ()
    future: tuple[ViewState, ...] = ()

    def observe(self, state: ViewState, *, in_gesture: bool) -> History:
        """Takes note of the state at the end of a UI frame; during a gesture (drag, animation) nothing is recorded."""
        if in_gesture or state is self.present:
            return self
        if edits(state) == edits(self.present):
            return History(state, self.past, self.future) if state != self.present else self
        return History(state, (*self.past, self.present)[-LIMIT:], ())

    def undo(self) -> History:
        if not self.past:
            return self
        return History(keep_view(self.past[-1], self.present), self.past[:-1], (self.present, *self.future))

    def redo(self) -> History:
        if not self.future:
            return self
        return History(keep_view(self.future[0], self.present), (*self.past, self.present), self.future[1:])


def edits(state: ViewState) -> ViewState:
    """The part of the state that undo concerns."""
    return state.reset(*NOT_UNDONE)


def keep_view(state: ViewState, current: ViewState) -> ViewState:
    """`state` as it is seen now: zoom stays, animations stop."""
    return state.reset(*MOTION).put(current.get(View))
