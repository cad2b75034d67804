"""The other views of a comparison, computed in the render thread after the first: answers too, in their fair share of the time.

While newer questions wait, they may take together as long as the first pictures took, so that the first view is never slowed more
than about twofold. What they leave of their share they may use a little later, so that a second view of the same cost keeps up. Among
themselves whoever has had the least time goes first. What a view had reached when the share is spent is remembered layer by layer,
and it goes on from there when its turn comes again, with the same question: a slow network lags, but it gets somewhere. Imports torch,
like the pipeline that it belongs to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from viz.compare.compare import at_same_layer, not_shared, other_view, others, own_values
from viz.compare.picture import difference
from viz.compare.scenes import apart
from viz.groups.compare import OTHERS
from viz.memory import Memory
from viz.request import Beside, Frame, NetworkFacts, RenderRequest
from viz.state import ViewState

MOST_SHARES = 1.25  # that can be spent at once
Waiting = Callable[[], bool]


Settle = Callable[[ViewState, NetworkFacts], ViewState]


class Answer(Protocol):
    """Runs the request of the view of this number through the stages; None if `superseded()` stopped it between layers.

    `settle` gives the request its final view once its network is known.
    """

    def __call__(self, request: RenderRequest, number: int, superseded: Waiting, settle: Settle) -> Frame | None: ...


class OtherViews:
    """Keeps what was shown last, and what is not finished, by the number of the view."""

    def __init__(self, memory: Memory, answer: Answer) -> None:
        self._memory, self._answer = memory, answer
        self._shown: dict[int, tuple[Frame, Beside]] = {}  # with the first frame that it belongs to
        self._left: dict[int, Frame] = {}  # first frames whose other view was interrupted
        self._used_s = dict.fromkeys(OTHERS, 0.0)  # while newer questions waited
        self._took_s = self._credit_s = 0.0

    def known(self, frame: Frame) -> dict[int, Beside]:
        """What can be shown beside a first frame at once: what it was, marked stale unless nothing has changed for it."""
        found = {}
        for number in others(frame.request.view):
            if number in self._shown:
                first, beside = self._shown[number]
                same = first.picture is frame.picture and _asks_the_same(first.request.view, frame.request.view, number)
                found[number] = beside if same else replace(beside, stale=True)
        return found

    def share(self, frame: Frame, took_s: float) -> None:
        """How long the first view took, all in all: so much more may the others take while newer questions wait."""
        if "synthesis" in frame.ran:
            self._took_s, self._credit_s = took_s, min(self._credit_s + took_s, MOST_SHARES * took_s)

    def steps(self, frame: Frame, waiting: Waiting) -> Iterator[Frame]:
        """The first frame again and again, each time with one more view beside it."""
        wanted = others(frame.request.view)
        for number in OTHERS:
            if number not in wanted:
                self._shown.pop(number, None)
                self._left.pop(number, None)
                self._used_s[number] = 0.0
        late = [n for n in wanted if n not in frame.others or frame.others[n].stale or frame.others[n].frame.error is not None]
        for number in sorted(late, key=lambda n: self._used_s[n]):
            start, free = time.perf_counter(), "synthesis" not in frame.ran
            # Where the first had nothing to compute, its picture stays, and one other may finish.
            superseded = lambda: not free and waiting() and time.perf_counter() - start >= self._credit_s  # noqa: B023, E731
            left = self._left.pop(number, None)
            asked = left if left is not None and waiting() and _same_networks(left, frame, number) else frame
            beside = self._beside(asked, number, superseded)
            self._pay(number, time.perf_counter() - start, waiting=waiting(), free=free)
            if beside is None:
                self._left[number] = asked
                return
            self._shown[number] = (asked, beside)
            shown = beside if asked is frame else replace(beside, stale=True)
            frame = replace(frame, others={**frame.others, number: shown})
            yield frame
            if waiting() and (free or self._credit_s <= 0):
                return
        if not waiting():
            self._used_s = dict.fromkeys(OTHERS, 0.0)

    def _pay(self, number: int, took_s: float, *, waiting: bool, free: bool) -> None:
        """A layer that took longer is paid back; loading a network is not held against anyone for ever."""
        if waiting:
            self._used_s[number] += min(took_s, max(self._took_s, self._credit_s))
            if not free:
                self._credit_s = max(-self._took_s, self._credit_s - took_s)

    def _beside(self, frame: Frame, number: int, superseded: Waiting) -> Beside | None:
        """The view of this number for this first frame; None if it was interrupted."""
        first, view = frame.network, frame.request.view
        own = own_values(view, number)
        assert first is not None  # there is a first picture
        answer = self._answer(
            RenderRequest(frame.request.ticket, other_view(view, number)),
            number,
            superseded,
            lambda view, other: at_same_layer(view, first, other, own),
        )
        if answer is None:
            return None
        other = answer.network
        notes = (*other.notes, *not_shared(view, first, other, number)) if other is not None else ()
        if answer.picture is None or frame.picture is None or other is None:
            return Beside(answer, notes=notes)
        finished = frame.picture.tap == first.taps[-1].name and answer.picture.tap == other.taps[-1].name
        key = ("difference", id(frame.picture), id(answer.picture))
        kept = self._memory.get(key)
        if kept is None or kept[0] is not frame.picture or kept[1] is not answer.picture:
            kept = (frame.picture, answer.picture, difference(frame.picture, answer.picture, finished=finished))
            self._memory.put(key, kept)
        found = kept[2]
        notes = (*notes, found.note) if found.note else notes
        scenes = apart(view, number, first, other)
        return Beside(answer, difference=found.picture, db=found.db, unit=found.unit, reason=found.reason, notes=notes, apart=scenes)


def _same_networks(one: Frame, other: Frame, number: int) -> bool:
    """Whether what the view beside was asked under the first of these frames is still worth answering under the other."""
    views = one.request.view, other.request.view
    return one.network == other.network and own_values(views[0], number) == own_values(views[1], number)


def _asks_the_same(one: ViewState, other: ViewState, number: int) -> bool:
    return own_values(one, number) == own_values(other, number) and other_view(one, number) == other_view(other, number)
