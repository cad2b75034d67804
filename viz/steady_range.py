"""While something moves, Normalise goes on dividing by what it divided by when that began; at rest by each picture's own range again.

Otherwise the brightness of feature maps would follow every picture's largest value: it would flicker. The range goes into the question,
not into the view: nothing is held afterwards, and nothing is to be undone. What the user holds, films (which show every picture as
it would be by itself) and comparisons (whose views have ranges of their own) are left alone.
"""

from __future__ import annotations

from viz.compare.compare import compared
from viz.request import Frame
from viz.state import Channels, HeldRange, Source, ViewState


class SteadyRange:
    """`of` is asked once a frame: what a question becomes while something moves."""

    def __init__(self) -> None:
        self._at_rest: ViewState | None = None
        self._range = HeldRange()

    def of(self, question: ViewState, frame: Frame | None, *, moves: bool) -> ViewState:
        """`question`, with the range that `frame` shows if that is to be kept."""
        channels = question.get(Channels)
        if not moves or not channels.normalize or channels.combined or compared(question):
            self._at_rest, self._range = question, HeldRange()
            return question
        if frame is None or frame.picture is None or question == self._at_rest:
            return question  # a finger rests on a button: nothing has changed yet
        if frame.request.view.get(Source) != question.get(Source):
            self._range = HeldRange()  # another network comes
            return question
        tap, shown = frame.picture.tap, frame.picture.channels
        if question.get(HeldRange).of(tap, shown) is not None:
            return question
        if self._range.of(tap, shown) is None:  # it begins, or another layer has come on screen
            self._range = shown_range(frame)
        return question.put(self._range)


def shown_range(frame: Frame) -> HeldRange:
    """What the channels of this picture are divided by."""
    assert frame.picture is not None
    tap, channels = frame.picture.tap, frame.picture.channels
    held = frame.request.view.get(HeldRange)
    if held.of(tap, channels) is not None:
        return held
    return HeldRange(tap, channels, frame.statistics_shown.largest if frame.statistics_shown else ())
