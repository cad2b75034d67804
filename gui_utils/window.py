"""One window with OpenGL 3.3 core and Dear ImGui, on a screen or headless, that sleeps when there is nothing to draw.

Backend: Dear ImGui's own C++ backends for GLFW and OpenGL 3 (`imgui.backends`), driven by this loop. They were preferred to
imgui-bundle's pure-Python `GlfwRenderer` because they also work with GLFW's null platform over EGL and with the test engine, set the
mouse cursor's shape, support input methods and gamepads, report the mouse while the window is unfocused, and cost about a quarter less
per frame (measured: no ~100 Python GL calls, each of which could lose the GIL to the render thread).

Headless means, on Linux, GLFW's null platform with an EGL context (no X server); elsewhere, an invisible window.

    with Window(WindowOptions(title="demo", ini_path=settings / "layout.ini")) as window:
        while not window.should_close:
            if window.wait(timeout_s=1.0):
                with window.frame():
                    draw()

Only the thread that made the window may call it, except `wake`, which any thread may call.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gui_utils import chords, gl, shader, theme
from gui_utils.context import DEFAULTS, WindowOptions, check_version, create, fitting_size
from gui_utils.errors import WindowError
from gui_utils.layout_file import KeptLayout
from gui_utils.libraries import glfw, imgui, implot
from gui_utils.pace import Pace

FONT_SCALES = (0.8, 2.0)

_open_window: Window | None = None


class Window:
    """Raises WindowError, in one sentence with the remedy, where no display, no GL library or only an old GL is found."""

    def __init__(self, options: WindowOptions = DEFAULTS) -> None:
        global _open_window
        if _open_window is not None:
            raise WindowError("a window is open already; close it before another is opened")
        self.options = options
        self.render_imgui: Callable[[], None] = imgui.render  # the tests' driver replaces it
        self.on_refresh: Callable[[], None] | None = None  # called while the user holds a window edge (Windows, macOS)
        self.on_frame: Callable[[], None] | None = None  # called before each: a film has its own clock and its own mouse
        self.after_close: list[Callable[[], None]] = []  # called when everything else is gone (the tests' driver needs it)
        self._pace = Pace(headless=options.headless)
        self._dropped: list[Path] = []
        self._in_frame, self._shown = False, False
        self.layout = KeptLayout(options.ini_path)
        self._windowed_place: tuple[int, int, int, int] | None = None
        self._handle = create(options)
        try:
            self._start()
        except BaseException:
            if imgui.get_current_context() is not None:
                implot.destroy_context()
                imgui.destroy_context()
            glfw.destroy_window(self._handle)
            glfw.terminate()
            raise
        _open_window = self

    def _start(self) -> None:
        glfw.make_context_current(self._handle)
        gl.load(egl=self.options.headless and sys.platform.startswith("linux"))
        check_version(self._handle)
        self.set_vsync(on=self.options.vsync)
        self._context = imgui.create_context()
        implot.create_context()
        io = imgui.get_io()
        io.set_ini_filename(None)  # written by us, to the path we are given and nowhere else
        io.config_flags |= imgui.ConfigFlags_.docking_enable.value
        io.config_windows_move_from_title_bar_only = True
        self.layout.load()
        theme.load_fonts()
        self._font_scale = float(np.clip(self.options.font_scale, *FONT_SCALES))
        self._apply_scale()
        self._install_callbacks()  # before the backend: it calls what it finds
        address = ctypes.cast(self._handle, ctypes.c_void_p).value
        assert address is not None
        if not (imgui.backends.glfw_init_for_opengl(address, True) and imgui.backends.opengl3_init("#version 330")):
            raise WindowError("Dear ImGui could not start on this graphics driver")
        self._chords = chords.install(self._handle, address, lambda: self.redraw(settle=True))

    # ------------------------------------------------------------------------------------------------ events

    def _install_callbacks(self) -> None:
        def touched(*_: Any) -> None:
            self.redraw(settle=True)

        handle = self._handle
        for install in (
            glfw.set_cursor_pos_callback, glfw.set_mouse_button_callback, glfw.set_scroll_callback,
            glfw.set_char_callback, glfw.set_window_focus_callback, glfw.set_cursor_enter_callback, glfw.set_window_iconify_callback,
            glfw.set_framebuffer_size_callback, glfw.set_window_close_callback,
        ):  # fmt: skip
            install(handle, touched)
        glfw.set_drop_callback(handle, lambda _, paths: self.drop([Path(p) for p in paths]))  # pyright: ignore
        glfw.set_window_content_scale_callback(handle, lambda *_: self._apply_scale())
        glfw.set_window_refresh_callback(handle, lambda _: self._refresh())

    def _refresh(self) -> None:
        self.redraw()
        if self.on_refresh is not None and not self._in_frame:
            self.on_refresh()

    def redraw(self, *, settle: bool = False) -> None:
        """Draw the next few frames even without input; `settle` keeps a slow rate for a moment, until delayed tooltips are out."""
        self._pace.redraw(settle=settle)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Sleep until there is something to draw, at most `timeout_s` (None: no limit). False if the time passed and nothing happened."""
        return self._pace.wait(timeout_s, lambda: self.should_close)

    def wake(self) -> None:
        """End `wait` early, from any thread; harmless after the window was closed."""
        self._pace.wake()

    def drop(self, paths: list[Path]) -> None:
        """Files dropped on the window arrive here (tests may call it)."""
        self._dropped += paths
        self.redraw()

    def take_dropped(self) -> list[Path]:
        """Files dropped since the last call."""
        dropped, self._dropped = self._dropped, []
        return dropped

    @property
    def should_close(self) -> bool:
        return bool(glfw.window_should_close(self._handle))

    @property
    def handle(self) -> Any:
        """GLFW's own, for what opens beside this window."""
        return self._handle

    def request_close(self) -> None:
        glfw.set_window_should_close(self._handle, True)

    def hide(self) -> None:
        """Gone from the screen at once: what is left to be done is done unseen."""
        glfw.hide_window(self._handle)

    # ------------------------------------------------------------------------------------------------ frames

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Draw one frame inside. If drawing raises, the frame is ended properly, not shown, and the exception goes on."""
        self.begin_frame()
        try:
            yield
        except BaseException:
            self._in_frame = False
            imgui.end_frame()
            raise
        self.end_frame()

    def begin_frame(self) -> None:
        self._in_frame = True
        self.layout.begin_frame(theme.FONT_SIZE * self.display_scale * self._font_scale, self.size)
        imgui.backends.opengl3_new_frame()
        imgui.backends.glfw_new_frame()
        if self.on_frame is not None:
            self.on_frame()
        _keys_to_popups()
        imgui.new_frame()

    def end_frame(self) -> None:
        self.render_imgui()
        self._in_frame = False
        self._draw_gl()
        glfw.swap_buffers(self._handle)
        if not self._shown and not self.options.headless:
            glfw.show_window(self._handle)  # with its first frame complete: no white flash
        self._shown = True
        self._pace.drawn()
        if self._chords.frame_drawn():
            self.redraw()
        if imgui.get_io().want_save_ini_settings:
            self.layout.save()

    def _draw_gl(self) -> None:
        gl.glViewport(0, 0, *self.framebuffer_size)
        gl.glClearColor(0.11, 0.11, 0.11, 1.0)
        gl.glClear(gl.GL_COLOR_BUFFER_BIT)
        imgui.backends.opengl3_render_draw_data(imgui.get_draw_data())

    def screenshot(self) -> np.ndarray:
        """The last frame as uint8 [height, width, 3], in framebuffer pixels. Call it between frames."""
        self._draw_gl()  # the back buffer is undefined after a swap
        return shader.read_pixels(*self.framebuffer_size)[::-1].copy()

    # ------------------------------------------------------------------------------------------------ sizes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in screen coordinates, the units of the mouse and of ImGui."""
        return glfw.get_window_size(self._handle)

    @property
    def plain_size(self) -> tuple[int, int]:
        """The size that `WindowOptions.size` asks for: what it would be where things are drawn at 100 %."""
        return round(self.size[0] / self._enlarged), round(self.size[1] / self._enlarged)

    @property
    def _enlarged(self) -> float:
        """What GLFW has multiplied the size by, for this monitor."""
        return glfw.get_window_content_scale(self._handle)[0] / self.framebuffer_scale or 1.0

    def resize(self, size: tuple[int, int]) -> None:
        """Takes this plain size, or what fits of it. A maximised window, or one that fills the screen, stays as it is."""
        if not self.fullscreen and not glfw.get_window_attrib(self._handle, glfw.MAXIMIZED) and size != self.plain_size:
            width, height = fitting_size(size, headless=self.options.headless)
            glfw.set_window_size(self._handle, round(width * self._enlarged), round(height * self._enlarged))

    @property
    def framebuffer_size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return glfw.get_framebuffer_size(self._handle)

    @property
    def framebuffer_scale(self) -> float:
        """Pixels per screen coordinate: 2 on a Retina display, 1 on X11 and Windows at any zoom."""
        return self.framebuffer_size[0] / max(1, self.size[0]) or 1.0

    @property
    def display_scale(self) -> float:
        """How much larger than at 100 % things should be drawn, in screen coordinates."""
        scale = self.options.content_scale or glfw.get_window_content_scale(self._handle)[0] or 1.0
        return max(0.5, scale / self.framebuffer_scale)

    @property
    def font_scale(self) -> float:
        return self._font_scale

    @font_scale.setter
    def font_scale(self, scale: float) -> None:
        self._font_scale = float(np.clip(scale, *FONT_SCALES))
        self._apply_scale()

    def _apply_scale(self) -> None:
        theme.apply(self.display_scale, self._font_scale)
        self.redraw()

    def set_vsync(self, *, on: bool) -> None:
        """Whether frames wait for the screen; a headless window has none to wait for."""
        glfw.swap_interval(1 if on and not self.options.headless else 0)

    @property
    def title(self) -> str:
        return glfw.get_window_title(self._handle) or ""

    @title.setter
    def title(self, title: str) -> None:
        glfw.set_window_title(self._handle, title)

    @property
    def clipboard(self) -> str:
        return imgui.get_clipboard_text() or ""  # None where there is no text

    @clipboard.setter
    def clipboard(self, text: str) -> None:
        imgui.set_clipboard_text(text)

    @property
    def fullscreen(self) -> bool:
        return self._windowed_place is not None

    @fullscreen.setter
    def fullscreen(self, on: bool) -> None:
        monitor = glfw.get_primary_monitor()
        if on == self.fullscreen or not monitor:
            return
        if on:
            mode = glfw.get_video_mode(monitor)
            self._windowed_place = (*glfw.get_window_pos(self._handle), *self.size)
            glfw.set_window_monitor(self._handle, monitor, 0, 0, mode.size.width, mode.size.height, mode.refresh_rate)
        elif self._windowed_place is not None:
            glfw.set_window_monitor(self._handle, None, *self._windowed_place, glfw.DONT_CARE)  # pyright: ignore[reportArgumentType]
            self._windowed_place = None
        self.redraw()

    # ------------------------------------------------------------------------------------------------ layout file, end

    @property
    def had_layout(self) -> bool:
        """Whether a saved layout was found; if not, the application builds its default one."""
        return "[Docking]" in self.layout.found

    def close(self) -> None:
        """Save the layout and release everything; further calls do nothing."""
        global _open_window
        if not self._pace.close():
            return
        self.layout.save()
        shader.release()
        imgui.backends.opengl3_shutdown()
        imgui.backends.glfw_shutdown()
        implot.destroy_context()
        imgui.destroy_context()
        glfw.destroy_window(self._handle)
        glfw.terminate()
        _open_window = None
        for call in self.after_close:
            call()

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def popup_open() -> bool:
    """Whether a menu, a list or a popup is open: it has the keys."""
    return imgui.is_popup_open("", imgui.PopupFlags_.any_popup.value)


def _keys_to_popups() -> None:
    """Arrows, Space and Enter choose in what has popped up; otherwise they are the application's, and act on no control beside that."""
    io, keyboard = imgui.get_io(), imgui.ConfigFlags_.nav_enable_keyboard.value
    io.config_flags = io.config_flags | keyboard if popup_open() else io.config_flags & ~keyboard
