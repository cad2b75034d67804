"""Between two keyframes: easing curves, and how one field of a group goes from one value to the next. Standard library only."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from viz.state import ViewState

EASINGS: Mapping[str, Callable[[float], float]] = {
    "linear": lambda s: s,
    "smooth": lambda s: s * s * (3 - 2 * s),
    "ease in": lambda s: s * s,
    "ease out": lambda s: s * (2 - s),
    "spline": lambda s: s,  # through the neighbours, with their slopes
    "hold": lambda s: 0.0,
}
Read = Callable[[Any], Any]  # of a point: the value that goes from one to the other
MIRRORED = {**{name: name for name in EASINGS}, "ease in": "ease out", "ease out": "ease in"}


class Point(Protocol):
    """What a keyframe is to this module."""

    @property
    def time_s(self) -> float: ...
    @property
    def view(self) -> ViewState: ...
    @property
    def easing(self) -> str: ...
    @property
    def short_way(self) -> bool: ...


P = TypeVar("P", bound=Point)


@dataclass(frozen=True)
class Span(Generic[P]):
    """A moment between `start` and `end`, and the segments (first point, last point) before and after, where there are any."""

    before: tuple[P, P] | None
    start: P
    end: P
    after: tuple[P, P] | None
    time_s: float

    @property
    def fraction(self) -> float:
        return (self.time_s - self.start.time_s) / (self.end.time_s - self.start.time_s)


def blend_field(kind: type, field: dataclasses.Field[Any], span: Span[Any]) -> Any:
    """The value of this field of group `kind` at the span's moment."""
    read: Read = lambda point: getattr(point.view.get(kind), field.name)  # noqa: E731
    amount = field.metadata.get("sums")
    if field.metadata.get("each"):
        return _blend_each(read, span)
    return _blend_parts(read, amount, span) if amount else _blend(read, field.metadata, span)


def _blend_each(read: Read, span: Span[Any]) -> tuple[Any, ...]:
    """A list whose order counts: the numbers of each part, where both ends have the same parts; otherwise as it is at the start."""
    a, b = read(span.start), read(span.end)
    if a == b or [_nameless(part) for part in a] != [_nameless(part) for part in b]:
        return a

    def of(index: int, name: str) -> Read:
        return lambda point: getattr(read(point)[index], name) if index < len(read(point)) else None

    return tuple(
        replace(part, **{f.name: _blend(of(i, f.name), f.metadata, span) for f in dataclasses.fields(part)}) for i, part in enumerate(a)
    )


def _nameless(part: Any) -> list[Any]:
    """All of a part but its numbers and switches."""
    return [value for value in vars(part).values() if type(value) not in (int, float, bool)]


def _blend_parts(read: Read, amount: str, span: Span[Any]) -> tuple[Any, ...]:
    """A list whose sum counts: each part goes from as much as there is of it at one end to as much as there is at the other."""
    if read(span.start) == read(span.end):
        return read(span.start)
    parts = dict.fromkeys(replace(part, **{amount: 0.0}) for point in (span.start, span.end) for part in read(point))

    def of(part: Any) -> Read:
        return lambda point: math.fsum(getattr(p, amount) for p in read(point) if replace(p, **{amount: 0.0}) == part)

    limits = next(f.metadata for part in parts for f in dataclasses.fields(part) if f.name == amount)
    return tuple(replace(part, **{amount: _blend(of(part), limits, span)}) for part in parts)


def _blend(read: Read, meta: Mapping[str, Any], span: Span[Any]) -> Any:
    a, b = read(span.start), read(span.end)
    if a == b or not moves(a, b, meta):
        return a
    eased = EASINGS[span.start.easing](span.fraction)
    if isinstance(a, int):
        return a + math.trunc((b - a) * eased * (1 + 1e-12))  # each whole number is shown equally long
    if meta.get("geometric"):
        return a * (b / a) ** eased
    if meta.get("turn") and span.start.short_way:
        b = a + short_turn(b - a)
    if span.start.easing != "spline":
        return _limited(a + (b - a) * eased, meta)
    before, after = _neighbours(read, meta, span, a, b)
    return _limited(hermite(before, (span.start.time_s, a), (span.end.time_s, b), after, span.time_s), meta)


def moves(a: Any, b: Any, meta: Mapping[str, Any]) -> bool:
    """Whether there is anything between two values of a field: both numbers, neither with a meaning of its own."""
    numbers = all(type(v) in (int, float) for v in (a, b))
    return numbers and not meta.get("discrete") and meta.get("special") not in (a, b)


def short_turn(turns: float) -> float:
    """The same angle from -1/2 to 1/2 turn."""
    return (turns + 0.5) % 1.0 - 0.5


def hermite(
    before: tuple[float, float] | None,
    start: tuple[float, float],
    end: tuple[float, float],
    after: tuple[float, float] | None,
    time_s: float,
) -> float:
    """Cubic through (time, value) points with the slope of each point's two neighbours (Catmull-Rom, for any spacing in time).

    Without a neighbour, the slope is that of the segment itself.
    """
    (t1, p1), (t2, p2) = start, end
    length = t2 - t1
    slope = (p2 - p1) / length
    m1 = (p2 - before[1]) / (t2 - before[0]) if before else slope
    m2 = (after[1] - p1) / (after[0] - t1) if after else slope
    s = (time_s - t1) / length
    rest = s * s * (3 - 2 * s)
    return p1 * (1 - rest) + p2 * rest + length * (m1 * s * (1 - s) ** 2 - m2 * s * s * (1 - s))


def _neighbours(
    read: Read, meta: Mapping[str, Any], span: Span[Any], a: float, b: float
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """(time, value) of the points beyond, as continuations of a and b; None where there is none, or no number.

    Differences are taken within each segment, so that neither whole turns nor the seam of a loop is a jump.
    """
    steps = [_step(read, meta, segment) for segment in (span.before, span.after)]
    before, after = steps
    return (
        before and (span.start.time_s - before[0], a - before[1]),
        after and (span.end.time_s + after[0], b + after[1]),
    )


def _step(read: Read, meta: Mapping[str, Any], segment: tuple[Any, Any] | None) -> tuple[float, float] | None:
    """(seconds, change) of a field over a segment."""
    if segment is None:
        return None
    first, last = (read(point) for point in segment)
    if not moves(first, last, meta):
        return None
    step = last - first
    if meta.get("turn") and segment[0].short_way:
        step = short_turn(step)
    return segment[1].time_s - segment[0].time_s, step


def _limited(value: float, meta: Mapping[str, Any]) -> float:
    low, high = meta.get("low"), meta.get("high")
    value = value if low is None else max(value, low)
    return value if high is None else min(value, high)
