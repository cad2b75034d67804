"""The second view of a comparison, computed in the render thread after the first: an answer too, in its fair share of the time.

While newer questions wait, it may take as long as the first pictures took, so that the first view is never slowed more than twofold.
What it leaves of its share it may use a little later, so that a second view of the same cost keeps up. What it had reached when its
share is spent is remembered layer by layer, and it goes on from there after the next first picture, with the same question: a slow
second network lags, but it gets somewhere. Imports torch, like the pipeline that it belongs to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from viz.compare import at_same_layer, not_shared, second_view
from viz.compare_picture import compared, difference
from viz.memory import Memory
from viz.request import Beside, Frame, NetworkFacts, RenderRequest
from viz.state import Compare, ViewState

MOST_SHARES = 1.25  # that can be spent at once
Waiting = Callable[[], bool]


Settle = Callable[[ViewState, NetworkFacts], ViewState]


class Answer(Protocol):
    """Runs a request through the stages; None if `superseded()` stopped it between layers.

    `settle` gives the request its final view once its network is known.
    """

    def __call__(self, request: RenderRequest, superseded: Waiting, settle: Settle) -> Frame | None: ...


class SecondView:
    """Keeps what was shown last, and what is not finished."""

    def __init__(self, memory: Memory, answer: Answer) -> None:
        self._memory, self._answer = memory, answer
        self._shown: tuple[Frame, Beside] | None = None  # the first frame that it belongs to
        self._left: Frame | None = None  # a first frame whose second was interrupted
        self._took_s = self._credit_s = 0.0

    def known(self, frame: Frame) -> Beside | None:
        """What can be shown beside a first frame at once: what it was, marked stale unless nothing has changed for it."""
        if not compared(frame.request.view) or self._shown is None:
            return None
        first, beside = self._shown
        if first.picture is frame.picture and _asks_the_same(first.request.view, frame.request.view):
            return beside
        return replace(beside, stale=True)

    def share(self, frame: Frame, took_s: float) -> None:
        """How long the first view took, all in all: so much more may the second take while newer questions wait."""
        if "synthesis" in frame.ran:
            self._took_s, self._credit_s = took_s, min(self._credit_s + took_s, MOST_SHARES * took_s)

    def steps(self, frame: Frame, waiting: Waiting) -> Iterator[Frame]:
        """The first frame again, with the second beside it as soon as that is there."""
        if not compared(frame.request.view):
            self._shown = self._left = None
            return
        if frame.beside is not None and not frame.beside.stale and frame.beside.frame.error is None:
            return
        start, free = time.perf_counter(), "synthesis" not in frame.ran
        # Where the first had nothing to compute, its picture stays, and the second may finish.
        superseded = lambda: not free and waiting() and time.perf_counter() - start >= self._credit_s  # noqa: E731
        left, self._left = self._left, None
        asked = left if left is not None and waiting() and _same_networks(left, frame) else frame
        beside = self._beside(asked, superseded)
        if not free and waiting():
            # A layer that took longer is paid back; loading a network is not held against it for ever.
            self._credit_s = max(-self._took_s, self._credit_s - (time.perf_counter() - start))
        if beside is None:
            self._left = asked
            return
        self._shown = (asked, beside)
        yield replace(frame, beside=beside if asked is frame else replace(beside, stale=True), overlays_ran=())

    def _beside(self, frame: Frame, superseded: Waiting) -> Beside | None:
        """The second view of this first frame; None if it was interrupted."""
        first, own = frame.network, frame.request.view.get(Compare)
        assert first is not None  # there is a first picture
        answer = self._answer(
            RenderRequest(frame.request.ticket, second_view(frame.request.view)),
            superseded,
            lambda view, other: at_same_layer(view, first, other, own),
        )
        if answer is None:
            return None
        other = answer.network
        notes = (*other.notes, *not_shared(frame.request.view, first, other)) if other is not None else ()
        if answer.picture is None or frame.picture is None or other is None:
            return Beside(answer, notes=notes)
        finished = frame.picture.tap == first.taps[-1].name and answer.picture.tap == other.taps[-1].name
        key = ("difference", id(frame.picture), id(answer.picture))
        kept = self._memory.get(key)
        if kept is None or kept[0] is not frame.picture or kept[1] is not answer.picture:
            kept = (frame.picture, answer.picture, difference(frame.picture, answer.picture, finished=finished))
            self._memory.put(key, kept)
        found = kept[2]
        return Beside(answer, difference=found.picture, db=found.db, unit=found.unit, reason=found.reason, notes=notes)


def _same_networks(one: Frame, other: Frame) -> bool:
    return one.network == other.network and one.request.view.get(Compare) == other.request.view.get(Compare)


def _asks_the_same(one: ViewState, other: ViewState) -> bool:
    return one.get(Compare) == other.get(Compare) and second_view(one) == second_view(other)
