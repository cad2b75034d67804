"""The whole window as a film: the window itself, without a display, stepped frame by frame by a clock of its own.

Nothing in it depends on how long anything took: durations are not shown, and the same session gives the same pixels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from gui_utils.libraries import imgui
from gui_utils.window import Window, WindowOptions
from viz.app import App, AppOptions
from viz.export.camera import Job
from viz.export.picture import fitting
from viz.render_thread import Inline
from viz.request import Frame, Timing
from viz.session import layout as session_layout
from viz.session.session import Session, apply_settings
from viz.settings import Settings
from viz.state import ViewState

SETTLE_FRAMES = 8  # Dear ImGui and the docking layout settle within these
UNKNOWN_S = math.nan


class Untimed(Inline):
    """Renders at once, and does not say how long it took."""

    def submit(self, view: ViewState) -> int:
        ticket = super().submit(view)
        self.frame = None if self.frame is None else untimed(self.frame)
        return ticket


def untimed(frame: Frame) -> Frame:
    """Without what depends on the machine, or on what it had remembered."""
    return dataclasses.replace(frame, timing=Timing(total_s=UNKNOWN_S), ran=(), layers_ran=(), memory_bytes=0)


class FilmedWindow:
    """The application in a window of `size` (width, height) drawn `scale` times as large, without a display."""

    def __init__(self, session: Session, renderer: Inline, size: tuple[int, int], scale: int = 1, fps: float = 30.0) -> None:
        settings = apply_settings(Settings(), session)
        pixels = fitting((size[0] * scale, size[1] * scale), scale)
        options = WindowOptions(size=pixels, headless=True, font_scale=settings.font_scale, content_scale=float(scale))
        self.window = Window(options)
        self.step_s = 1 / fps
        self.before_frame: Callable[[], None] = lambda: None  # the mouse of a scripted session
        self.window.on_frame = self._clock
        try:
            view = AppOptions(view=session.views[0], headless=True, workspace=settings.workspace)
            self.app = App(view, self.window, renderer, settings)
            self.app.time_no_frames()
            self.app.context.film.edit(session.timeline)
            for _ in range(SETTLE_FRAMES):
                self.app.step(dt=0.0)
            if "panels" in session.layout:
                session_layout.restore(self.app, {"panels": session.layout["panels"], "picture_only": session.layout.get("picture_only")})
                for _ in range(SETTLE_FRAMES):
                    self.app.step(dt=0.0)
        except BaseException:
            self.close()
            raise

    def _clock(self) -> None:
        imgui.get_io().delta_time = self.step_s
        self.before_frame()

    def show(self, view: ViewState, time_s: float) -> np.ndarray:
        """The window with this view, its playhead here: uint8 [H, W, 3]."""
        self.app.state, self.app.context.film.time_s = view, time_s
        self.app.step(dt=0.0)  # asks, and is answered
        return self.step()

    def step(self) -> np.ndarray:
        """The window a frame later."""
        self.app.step(dt=self.step_s)
        return self.window.screenshot()

    def close(self) -> None:
        if hasattr(self, "app"):
            self.app.close()
        self.window.close()


class WindowCamera:
    """Follows the session's timeline. Frames depend on those before: charts collect."""

    remembers = True
    holds = ""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.filmed: FilmedWindow | None = None

    def open(self, first: Frame) -> tuple[int, int]:
        session, options = self.job.session, self.job.options
        start = dataclasses.replace(session, views=(first.request.view, *session.views[1:]))
        self.filmed = FilmedWindow(start, Untimed(self.job.pipeline), options.window, options.size, session.film.fps)
        return self.filmed.window.framebuffer_size

    def take(self, index: int, view: ViewState) -> np.ndarray:
        assert self.filmed is not None
        return self.filmed.show(view, self.job.session.film.frame_time(index))

    def close(self) -> None:
        if self.filmed is not None:
            self.filmed.close()
