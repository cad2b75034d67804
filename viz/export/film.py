"""The timeline of the window: where the playhead is, whether it moves, and undo. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from viz.state import MOTION, Latent, LatentPath, OwnLatent, View, ViewState
from viz.timeline.timeline import Timeline

LIMIT = 100  # steps of undo


@dataclass
class Film:
    """`time_s` is the playhead. `past` and `future` are timelines; a drag is one step (`note` ends it)."""

    timeline: Timeline = field(default_factory=Timeline)
    time_s: float = 0.0
    playing: bool = False
    backwards: bool = False
    selected: int = 0
    past: tuple[Timeline, ...] = ()
    future: tuple[Timeline, ...] = ()
    job: Any = None  # viz.export.job.ExportJob, while one runs or its end is to be told
    stopped: Any = None  # the ExportJob that was stopped or failed, as long as it can go on, or a LeftOver
    looked: bool = False  # for films that a run before was killed over
    told: bool = False  # about one
    shown: ViewState | None = None  # what it played last, while it plays
    _noted: Timeline = field(default_factory=Timeline)

    def edit(self, timeline: Timeline) -> None:
        """Another timeline; the selection follows the keyframe that was selected."""
        old = self.timeline.keyframes[self.selected] if self.selected < len(self.timeline.keyframes) else None
        self.timeline = timeline
        if old in timeline.keyframes:
            self.selected = timeline.keyframes.index(old)
        self.selected = max(0, min(self.selected, len(timeline.keyframes) - 1))

    def note(self, *, in_gesture: bool) -> None:
        """Remembers a step of undo when the timeline has changed and no drag is under way."""
        if in_gesture or self.timeline is self._noted:
            return
        if self.timeline != self._noted:
            self.past, self.future = (*self.past, self._noted)[-LIMIT:], ()
        self._noted = self.timeline

    def undo(self) -> None:
        if self.past:
            self.future, self.past, earlier = (self.timeline, *self.future), self.past[:-1], self.past[-1]
            self._noted = earlier
            self.edit(earlier)

    def redo(self) -> None:
        if self.future:
            self.past, self.future, later = (*self.past, self.timeline), self.future[1:], self.future[0]
            self._noted = later
            self.edit(later)

    def play(self, *, backwards: bool = False) -> None:
        """Starts, at the other end if the playhead stands at this one; the end counts for what lies beyond it."""
        self.playing, self.backwards, end_s = bool(self.timeline.keyframes), backwards, self.timeline.duration_s
        if self.playing and not self.timeline.loop:
            time_s = min(self.time_s, end_s)
            self.time_s = end_s - time_s if time_s == (0.0 if backwards else end_s) else time_s

    def advance(self, state: ViewState, dt: float) -> ViewState:
        """The view `dt` seconds later; the very `state` while nothing plays."""
        if not self.playing:
            return state
        time_s, end_s = self.time_s + (-dt if self.backwards else dt), self.timeline.duration_s
        if self.timeline.loop and end_s > 0:
            time_s %= end_s
        elif not 0 <= time_s <= end_s:
            time_s, self.playing = min(max(time_s, 0.0), end_s), False
        return self.seek(state, time_s)

    def seek(self, state: ViewState, time_s: float) -> ViewState:
        """Moves the playhead; the view there. Zoom stays as it is unless the timeline moves it, and other animations stop."""
        self.time_s = max(0.0, time_s)
        if not self.timeline.keyframes:
            return state
        view = self.timeline.at(self.time_s).reset(*MOTION)
        self.shown = view if self.moves_zoom else view.put(state.get(View))
        return self.shown

    @property
    def moves_zoom(self) -> bool:
        return len({k.view.get(View) for k in self.timeline.keyframes}) > 1


def leave_path(before: ViewState, after: ViewState) -> ViewState:
    """Whoever moves on the lattice of seeds leaves a path through seeds and a latent out of a file, which would hide the move."""
    here, there = before.get(Latent), after.get(Latent)
    if (here.x, here.y, here.blend) == (there.x, there.y, there.blend):
        return after if here == there or after.get(LatentPath) != before.get(LatentPath) else after.reset(LatentPath)
    return after.reset(*(kind for kind in (LatentPath, OwnLatent) if after.get(kind) == before.get(kind)))
