"""A second window, which shows one texture of the first pixel by pixel: for a projector.

Its GL context shares textures with the main window's, and nothing else: what it draws with is one framebuffer of its own. It waits
for no screen (the main window does, and two waits would halve its rate). Every call leaves the main window's context current.

    output = OutputWindow(window, "Output", (960, 540))
    output.show(texture, output.framebuffer_size)      # only when something has changed, or `output.exposed`
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gui_utils import gl, monitors
from gui_utils.context import WindowOptions, create_beside
from gui_utils.libraries import glfw
from gui_utils.monitors import Monitor
from gui_utils.shader import read_pixels
from gui_utils.texture import count_object
from gui_utils.window import Window

DOUBLE_CLICK_S = 0.4
FOREVER = (1 << 64) - 1  # what GL_TIMEOUT_IGNORED is; PyOpenGL's constant is another number


class OutputWindow:
    """Double click and F11 fill the monitor that it is on, or not any more; so does Esc. Raises WindowError where it cannot be.

    exposed: what it showed is lost, or its size is another.   monitor: the name of the one that it fills, "" for none.
    """

    def __init__(self, main: Window, title: str, size: tuple[int, int]) -> None:
        self._main, self._headless = main, main.options.headless
        self._handle = create_beside(main.handle, WindowOptions(title=title, size=size, headless=self._headless))
        self._windowed_place: monitors.Place | None = None
        self._texture, self._size = 0, (0, 0)
        self._clicked_s = -math.inf
        self._visible = False
        self.exposed, self.monitor = True, ""
        with self._current():
            glfw.swap_interval(0)
            self._framebuffer = int(gl.glGenFramebuffers(1))
        count_object("framebuffer", +1)
        for install in (glfw.set_framebuffer_size_callback, glfw.set_window_refresh_callback, glfw.set_window_close_callback):
            install(self._handle, lambda *_: self._touched())
        glfw.set_key_callback(self._handle, lambda _, key, scancode, action, modifiers: self.key(key, action, modifiers))
        glfw.set_mouse_button_callback(self._handle, lambda _, button, action, modifiers: self.click(button, action))

    @contextmanager
    def _current(self) -> Iterator[None]:
        glfw.make_context_current(self._handle)
        try:
            yield
        finally:
            glfw.make_context_current(self._main.handle)

    # ------------------------------------------------------------------------------------------------ events

    def _touched(self) -> None:
        self.exposed = True
        self._main.redraw()

    def key(self, key: int, action: int, modifiers: int = 0) -> None:
        """A key went down or up (tests may call it). What opened it, Shift+F11, closes it here too."""
        if action != glfw.PRESS:
            return
        if key == glfw.KEY_F11 and modifiers & glfw.MOD_SHIFT:
            self.request_close()
        elif key == glfw.KEY_F11 or (key == glfw.KEY_ESCAPE and self.monitor):
            self.toggle_full_screen()

    def click(self, button: int, action: int) -> None:
        """A mouse button went down or up (tests may call it)."""
        if button != glfw.MOUSE_BUTTON_LEFT or action != glfw.PRESS:
            return
        before, self._clicked_s = self._clicked_s, glfw.get_time()
        if self._clicked_s - before < DOUBLE_CLICK_S:
            self._clicked_s = -math.inf
            self.toggle_full_screen()

    @property
    def should_close(self) -> bool:
        return bool(glfw.window_should_close(self._handle))

    def request_close(self) -> None:
        glfw.set_window_should_close(self._handle, True)
        self._touched()

    # ------------------------------------------------------------------------------------------------ its place

    @property
    def _place(self) -> monitors.Place:
        return (*glfw.get_window_pos(self._handle), *glfw.get_window_size(self._handle))

    @property
    def plain_size(self) -> tuple[int, int]:
        """Width and height in screen coordinates of the plain window, also while it fills a monitor."""
        return (self._windowed_place or self._place)[2:]

    @property
    def framebuffer_size(self) -> tuple[int, int]:
        """Width and height in pixels; (0, 0) while it is minimised."""
        return glfw.get_framebuffer_size(self._handle)

    def toggle_full_screen(self) -> None:
        """On the monitor that most of it lies on."""
        self.fill(None if self.monitor else monitors.under(self._place))

    def fill(self, monitor: Monitor | None) -> None:
        """Fills this monitor; None: a plain window again, where it was."""
        if monitor is not None:
            self._windowed_place = self._windowed_place or self._place
            glfw.set_window_monitor(self._handle, monitor.handle, 0, 0, *monitor.place[2:], monitor.refresh_hz)
        elif self._windowed_place is not None:
            place, self._windowed_place = monitors.within(self._windowed_place), None
            glfw.set_window_monitor(self._handle, None, *place, glfw.DONT_CARE)  # pyright: ignore[reportArgumentType]
        self.monitor = monitor.name if monitor else ""
        self._touched()

    def lost_monitor(self) -> str:
        """The name of the monitor that it filled and that has gone, once: it is a plain window then. "" otherwise."""
        if not self.monitor or glfw.get_window_monitor(self._handle):
            return ""
        name = self.monitor
        self.fill(None)
        return name

    # ------------------------------------------------------------------------------------------------ pictures

    def show(self, texture: int, size: tuple[int, int]) -> None:
        """This texture of the main window's, its top row first, from the upper left corner on."""
        self._texture, self._size = texture, size
        drawn = _fence()
        with self._current():
            _after(drawn)
            self._copy()
            copied = _fence()
            glfw.swap_buffers(self._handle)
            if not (self._visible or self._headless):
                glfw.show_window(self._handle)
        _after(copied)  # before the texture is drawn into again
        self._visible, self.exposed = True, False

    def _copy(self) -> None:
        width, height = self._size
        rows = self.framebuffer_size[1]
        gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, self._framebuffer)
        gl.glFramebufferTexture2D(gl.GL_READ_FRAMEBUFFER, gl.GL_COLOR_ATTACHMENT0, gl.GL_TEXTURE_2D, self._texture, 0)
        gl.glBlitFramebuffer(0, 0, width, height, 0, rows, width, rows - height, gl.GL_COLOR_BUFFER_BIT, gl.GL_NEAREST)
        gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, 0)

    def screenshot(self) -> np.ndarray:
        """What it shows, uint8 [height, width, 3]."""
        with self._current():
            self._copy()  # the back buffer is undefined after a swap
            return read_pixels(*self.framebuffer_size)[::-1].copy()

    def close(self) -> None:
        with self._current():
            gl.glDeleteFramebuffers(1, [self._framebuffer])
        count_object("framebuffer", -1)
        glfw.destroy_window(self._handle)


def _fence() -> Any:
    """Stands after what this context was told so far."""
    fence = gl.glFenceSync(gl.GL_SYNC_GPU_COMMANDS_COMPLETE, 0)
    gl.glFlush()
    return fence


def _after(fence: Any) -> None:
    """What this context is told from now on happens after that, on the GPU; nobody waits here."""
    gl.glWaitSync(fence, 0, FOREVER)
    gl.glDeleteSync(fence)
