"""When a window draws: after input, when it is woken, now and then while something blinks. Otherwise it sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gui_utils.libraries import glfw, imgui

SETTLE_FRAMES = 3  # Dear ImGui needs a few frames after input until everything has its final size and state
SETTLE_S = 0.8  # after input: long enough for tooltips that appear after the mouse rests
SETTLE_STEP_S = 0.05
CARET_STEP_S = 0.3  # a text cursor blinks


class Pace:
    """Handles events while it sleeps. Only the window's thread may call it, except `wake`, which any thread may call."""

    def __init__(self, *, headless: bool) -> None:
        self._headless = headless
        self._closed = False
        self._wake_lock = threading.Lock()
        self._woken = threading.Event()
        self._frames_owed, self._settle_until = SETTLE_FRAMES, 0.0

    def redraw(self, *, settle: bool = False) -> None:
        """Draw the next few frames even without input; `settle` keeps a slow rate for a moment, until delayed tooltips are out."""
        self._frames_owed = SETTLE_FRAMES
        if settle:
            self._settle_until = time.monotonic() + SETTLE_S

    def wait(self, timeout_s: float | None, should_close: Callable[[], bool]) -> bool:
        """Sleep until there is something to draw, at most `timeout_s` (None: no limit). False if the time passed and nothing happened."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            step, draws = self._next_step()
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            waited_out = self._sleep(step if left is None else min(step, left) if step is not None else left)
            if self._woken.is_set():
                self._woken.clear()
                self._frames_owed = max(self._frames_owed, 2)
            if self._frames_owed > 0 or should_close() or (draws and waited_out and (left is None or step is None or step <= left)):
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False

    def _next_step(self) -> tuple[float | None, bool]:
        """How long to sleep at most, and whether to draw after that."""
        if self._frames_owed > 0:
            return 0.0, True
        if time.monotonic() < self._settle_until:
            return SETTLE_STEP_S, True
        return (CARET_STEP_S, True) if imgui.get_io().want_text_input else (None, False)

    def _sleep(self, step_s: float | None) -> bool:
        """Handle events; sleep first. True if the time passed without an event that wakes."""
        if step_s == 0.0 or self._woken.is_set():
            glfw.poll_events()
            return True
        if self._headless:  # GLFW's null platform does not sleep
            woken = self._woken.wait(step_s)
            glfw.poll_events()
            return not woken
        before = time.monotonic()
        if step_s is None:
            glfw.wait_events()
            return False
        glfw.wait_events_timeout(step_s)
        return time.monotonic() - before >= step_s

    def wake(self) -> None:
        """End `wait` early, from any thread; harmless after the window was closed."""
        with self._wake_lock:
            if not self._closed:
                self._woken.set()
                glfw.post_empty_event()

    def drawn(self) -> None:
        """One frame less is owed."""
        self._frames_owed = max(0, self._frames_owed - 1)

    def close(self) -> bool:
        """From now on nothing wakes. False if that was so already."""
        with self._wake_lock:
            was_open, self._closed = not self._closed, True
            return was_open
