"""Keyframes over every control: a timeline is a value, and `Timeline.at` is the view at any moment.

What is interpolated follows from the groups themselves (`viz.groups.groups`): every float, and every whole number that counts
something, so that a new numeric field moves without a line of code here. Text, switches, lists and numbers with a special
meaning change at the keyframe. Standard library only.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from viz.errors import CommandError
from viz.state import GROUPS, Device, Source, ViewState
from viz.timeline.easing import EASINGS, MIRRORED, Span, blend_field

CLOSE_S = 1e-6  # keyframes closer than this are one
FPS_LIMIT = 1000.0
FIXED: tuple[type, ...] = (Source, Device)  # what is rendered and by what: nothing between two of them


class TimelineError(CommandError):
    """A timeline cannot be: says which value, and what is expected."""


@dataclass(frozen=True)
class Keyframe:
    """The view at `time_s`, and how it goes on to the next one.

    `short_way`: angles turn the short way round; otherwise as stored, which makes whole turns possible.
    """

    time_s: float
    view: ViewState
    easing: str = "linear"
    short_way: bool = True
    unknown: Mapping[str, Any] = field(default_factory=dict, compare=False)  # of a newer version: kept through a round trip


@dataclass(frozen=True)
class Timeline:
    """Keyframes in order of time.

    A `loop` starts again after `duration_s`. If `closing_s` is positive, its last keyframe takes that long to return to the first;
    if it is 0, the last keyframe *is* the first one again (a whole turn, a closed circle), and its moment is not shown twice.
    """

    keyframes: tuple[Keyframe, ...] = ()
    loop: bool = False
    closing_s: float = 0.0
    fps: float = 30.0
    unknown: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        times = [k.time_s for k in self.keyframes]
        if not all(math.isfinite(t) and t >= 0 for t in times):
            raise TimelineError(f"keyframe times are {times}; seconds from 0 are expected")
        if any(b - a < CLOSE_S for a, b in itertools.pairwise(times)):
            raise TimelineError(f"keyframe times are {times}; each must be later than the one before")
        if not (math.isfinite(self.fps) and 0 < self.fps <= FPS_LIMIT):
            raise TimelineError(f"fps is {self.fps}; a number up to {FPS_LIMIT:.0f} is expected")
        if not (math.isfinite(self.closing_s) and self.closing_s >= 0):
            raise TimelineError(f"closing_s is {self.closing_s}; seconds from 0 are expected")
        for k in self.keyframes:
            if k.easing not in EASINGS:
                raise TimelineError(f"easing is {k.easing!r}; one of {', '.join(EASINGS)} is expected")

    @property
    def duration_s(self) -> float:
        last = self.keyframes[-1].time_s if self.keyframes else 0.0
        return last + (self.closing_s if self.loop else 0.0)

    @property
    def frame_count(self) -> int:
        """Frames of a film: a loop leaves out its end, which is its start; otherwise both ends are shown."""
        steps = round(self.duration_s * self.fps)
        return max(1, steps) if self.loop else steps + 1

    def frame_time(self, index: int) -> float:
        """When frame `index` is taken: steps of equal length that meet the end exactly."""
        steps = self.frame_count if self.loop else self.frame_count - 1
        return self.duration_s * index / steps if steps else 0.0

    def at(self, time_s: float) -> ViewState:
        """The view at this moment; before the first keyframe it is the first, after the last the last (or the loop's next round)."""
        if not self.keyframes:
            return ViewState()
        if self.loop and self.duration_s > 0:
            time_s %= self.duration_s
        span = self._span(time_s)
        if isinstance(span, ViewState):
            return span
        return _blend(span)

    def _span(self, time_s: float) -> ViewState | Span[Keyframe]:
        """The keyframes around this moment, and the segments beside theirs; in a loop, those across its seam."""
        points = self._points
        i = bisect.bisect_right([k.time_s for k in points], time_s + CLOSE_S) - 1
        if i < 0:
            return points[0].view
        if i == len(points) - 1 or abs(points[i].time_s - time_s) <= CLOSE_S:
            return points[i].view
        segments = tuple(itertools.pairwise(points))
        before = segments[i - 1] if i > 0 else segments[-1] if self.loop else None
        after = segments[i + 1] if i + 1 < len(segments) else segments[0] if self.loop else None
        return Span(before, points[i], points[i + 1], after, time_s)

    @functools.cached_property
    def _points(self) -> tuple[Keyframe, ...]:
        """The keyframes; the first one also at 0, where it waits, and again at the end of a closing loop."""
        first = self.keyframes[0]
        waits = (replace(first, time_s=0.0),) if first.time_s >= CLOSE_S else ()
        closes = (replace(first, time_s=self.duration_s),) if self.loop and self.closing_s >= CLOSE_S else ()
        return (*waits, *self.keyframes, *closes)


def _blend(span: Span[Keyframe]) -> ViewState:
    a, b = span.start.view, span.end.view
    if a == b or span.start.easing == "hold":
        return a
    view = a
    for kind in GROUPS:
        old, new = a.get(kind), b.get(kind)
        if old == new or kind in FIXED:
            continue
        changes = {f.name: blend_field(kind, f, span) for f in dataclasses.fields(kind)}
        view = view.put(replace(old, **changes))
    return view


# ---------------------------------------------------------------------------------------------------------- edits


def sorted_by_time(timeline: Timeline, keyframes: Iterable[Keyframe]) -> Timeline:
    return replace(timeline, keyframes=tuple(sorted(keyframes, key=lambda k: k.time_s)))


def add(timeline: Timeline, keyframe: Keyframe) -> Timeline:
    """With this keyframe; one at the same moment (within half a frame) is replaced, its easing kept."""
    near = 0.5 / timeline.fps
    old = next((k for k in timeline.keyframes if abs(k.time_s - keyframe.time_s) < near), None)
    if old is not None:
        keyframe = replace(keyframe, time_s=old.time_s, easing=old.easing, short_way=old.short_way)
    return sorted_by_time(timeline, (*(k for k in timeline.keyframes if k is not old), keyframe))


def move(timeline: Timeline, index: int, time_s: float) -> Timeline:
    """With keyframe `index` at another moment, perhaps past others; where one stands already, nothing changes."""
    time_s = max(0.0, time_s)
    others = [k for i, k in enumerate(timeline.keyframes) if i != index]
    if any(abs(k.time_s - time_s) < 0.5 / timeline.fps for k in others):
        return timeline
    return sorted_by_time(timeline, (*others, replace(timeline.keyframes[index], time_s=time_s)))


def duplicate(timeline: Timeline, index: int, time_s: float) -> Timeline:
    """With a copy of keyframe `index` at `time_s`; what stands there is replaced."""
    return add(timeline, replace(timeline.keyframes[index], time_s=max(0.0, time_s)))


def delete(timeline: Timeline, index: int) -> Timeline:
    return replace(timeline, keyframes=tuple(k for i, k in enumerate(timeline.keyframes) if i != index))


def change(timeline: Timeline, index: int, **changes: object) -> Timeline:
    """With fields of keyframe `index` replaced (easing, short_way, view)."""
    keyframe = replace(timeline.keyframes[index], **changes)  # type: ignore[arg-type]
    return replace(timeline, keyframes=(*timeline.keyframes[:index], keyframe, *timeline.keyframes[index + 1 :]))


def reverse(timeline: Timeline) -> Timeline:
    """Played backwards: `reverse(t).at(t.duration_s - s)` is `t.at(s)`, except where something switches at a keyframe."""
    if len(timeline.keyframes) < 2:
        return timeline
    points, end_s = timeline._points, timeline.duration_s
    segments = [(k.easing, k.short_way) for k in points[:-1]]
    out = []
    for i, k in enumerate(reversed(points)):
        easing, short_way = segments[len(segments) - 1 - i] if i < len(segments) else (points[-1].easing, points[-1].short_way)
        out.append(replace(k, time_s=end_s - k.time_s, easing=MIRRORED[easing], short_way=short_way))
    if timeline.loop and timeline.closing_s >= CLOSE_S:
        closing_s = out[-1].time_s - out[-2].time_s
        return replace(timeline, keyframes=tuple(out[:-1]), closing_s=closing_s)
    return replace(timeline, keyframes=tuple(out))
