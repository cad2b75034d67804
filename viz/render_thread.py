"""One render thread: the newest request wins, unanswered older ones vanish, an exception becomes a frame.

Torch is imported inside the thread, so the window is on screen before. `Inline` keeps the same contract without a thread,
for tests and for drawing a window headless.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from viz.request import Frame, Progress, RenderError, RenderRequest
from viz.state import Source, ViewState

if TYPE_CHECKING:
    from viz.pipeline import Pipeline

CLOSING = ViewState().put(Source(network=" closing"))
INLINE_STEPS = 2000  # of measuring, for one request: enough for what the panels ask for, and an end for what has none
SETTLE_S = 0.08
MakePipeline = Callable[[], "Pipeline"]


def make_pipeline() -> Pipeline:
    """Imports torch, which takes a second: called in the render thread."""
    from viz.pipeline import Pipeline

    return Pipeline()


class Renderer(Protocol):
    """What the window needs: `submit` never waits; `frame` and `progress` are the latest values."""

    frame: Frame | None
    progress: Progress | None

    def submit(self, view: ViewState) -> int: ...
    @property
    def busy(self) -> bool: ...
    def close(self) -> None: ...


class RenderThread:
    """`wake` is called from the render thread after each frame and each progress message; it must not block."""

    def __init__(self, wake: Callable[[], None] = lambda: None, make: MakePipeline = make_pipeline) -> None:
        self.frame: Frame | None = None
        self.progress: Progress | None = None
        self.renders = 0
        self._wake, self._make = wake, make
        self._pending: RenderRequest | None = None
        self._ticket = 0
        self._working = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name="render", daemon=True)

    def submit(self, view: ViewState) -> int:
        """Asks for this view; returns the ticket that the answering frame's request will carry."""
        with self._changed:
            if self._thread.ident is None:  # importing torch would hold up a window that is not on screen yet
                self._thread.start()
            self._ticket += 1
            self._pending = RenderRequest(self._ticket, view)
            self._changed.notify_all()
            return self._ticket

    @property
    def busy(self) -> bool:
        return self._pending is not None or self._working  # in this order: see `_next`

    def wait_idle(self, timeout_s: float) -> bool:
        """Blocks until nothing is pending or running; False if that took longer than `timeout_s`. For tests."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.busy, timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Stops after the current layer, as soon as the running computation asks whether it is superseded."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    # ------------------------------------------------------------------------------- in the render thread

    def _newest(self) -> ViewState | None:
        if self._closing:
            return CLOSING  # differs from every view that is asked for, so long work stops
        pending = self._pending
        return pending.view if pending else None

    def _report(self, text: str, fraction: float | None, can_cancel: bool) -> None:
        self.progress = Progress(text, fraction, can_cancel)
        self._wake()

    def _loop(self) -> None:
        self._report("Starting torch", None, False)
        try:
            pipeline = self._make()
        except Exception as e:  # without an engine there is still a window that can say so
            self._fail_all(e)
            return
        self.progress = None
        may_stop = True
        while (request := self._next()) is not None:
            frame = self._render(pipeline, request, may_stop=may_stop)
            # A superseded synthesis may stop, but never two in a row: steady dragging always shows progress.
            may_stop = frame is not None
            self.renders += 1
            self._publish(frame)
            if frame is not None and frame.error is None:
                self._refine(pipeline, frame)
            self._rest()

    def _render(self, pipeline: Pipeline, request: RenderRequest, *, may_stop: bool) -> Frame | None:
        try:
            return pipeline.render(request, newest=self._newest, may_stop=may_stop, progress=self._report)
        except Exception as e:  # stages are caught inside; whatever else happens, the thread lives on and says so
            return _failed(request, e)

    def _refine(self, pipeline: Pipeline, frame: Frame) -> None:
        """Measurements, while nothing newer waits. What fails inside a measurement is shown in its place, all else over the picture."""
        try:
            for refined in pipeline.refine(frame, newest=self._newest, settled=self._settled):
                self._publish(refined)
        except Exception as e:
            self._publish(_failed(frame.request, e))

    def _settled(self) -> bool:
        """Whether nothing newer comes within a moment: whether a drag or an animation is over."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._closing or self._pending is not None, SETTLE_S)

    def _next(self) -> RenderRequest | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._pending is not None)
            if self._closing:
                return None
            self._working = True  # first: whoever asks meanwhile, without the lock, never finds it idle
            request, self._pending = self._pending, None
            return request

    def _publish(self, frame: Frame | None) -> None:
        self.progress = None
        if frame is not None:
            self.frame = frame
        self._wake()

    def _rest(self) -> None:
        with self._changed:
            self._working = False
            self._changed.notify_all()
        self._wake()

    def _fail_all(self, error: Exception) -> None:
        details = "".join(traceback.format_exception(error))
        message = RenderError(
            "start", f"The renderer could not start: {error}", "Check that torch is installed: pip install torch", details
        )
        while (request := self._next()) is not None:
            self._publish(Frame(request, error=message))
            self._rest()


def _failed(request: RenderRequest, error: Exception) -> Frame:
    details = "".join(traceback.format_exception(error))
    return Frame(request, error=RenderError("pipeline", f"{type(error).__name__}: {error}", "Details are in the log.", details))


class Inline:
    """The same contract without a thread: `submit` renders at once, and takes up to `steps` steps of measuring."""

    def __init__(self, pipeline: Pipeline, *, steps: int = INLINE_STEPS) -> None:
        self.pipeline, self.steps = pipeline, steps
        self.frame: Frame | None = None
        self.progress: Progress | None = None
        self._ticket = 0

    busy = False

    def submit(self, view: ViewState) -> int:
        self._ticket += 1
        self.frame = self.pipeline.render(RenderRequest(self._ticket, view)) or self.frame
        self.proceed(self.steps)
        return self._ticket

    def proceed(self, steps: int) -> None:
        """Takes further steps of measuring, if there is anything left to measure."""
        if self.frame is not None and self.frame.error is None:
            for refined in islice(self.pipeline.refine(self.frame), steps):
                self.frame = refined

    def close(self) -> None:
        pass
