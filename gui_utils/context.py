"""How a window and its GL context come to be, and every way in which that can fail."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gui_utils import gl
from gui_utils.errors import NO_CONTEXT, NO_DISPLAY, NO_SECOND, OLD_OPENGL, WindowError
from gui_utils.libraries import glfw

GL_VERSION = (3, 3)


@dataclass(frozen=True)
class WindowOptions:
    """size: screen coordinates at 100 %, reduced to fit the monitor.   ini_path: where the docking layout is kept; None keeps it nowhere.

    content_scale: None asks the monitor.   font_scale: the user's choice, 0.8 to 2.
    """

    title: str = "Alias-free visualizer"
    size: tuple[int, int] = (1600, 900)
    headless: bool = False
    ini_path: Path | None = None
    font_scale: float = 1.0
    content_scale: float | None = None
    vsync: bool = True


DEFAULTS = WindowOptions()


def create(options: WindowOptions) -> Any:
    """A hidden GLFW window with its GL context, not yet current. Raises WindowError."""
    null = options.headless and sys.platform.startswith("linux")
    glfw.init_hint(glfw.PLATFORM, glfw.PLATFORM_NULL if null else glfw.ANY_PLATFORM)
    if not glfw.init():
        raise WindowError(NO_DISPLAY.format(cause=_glfw_error()))
    _ask_for_context(options)
    handle = glfw.create_window(*fitting_size(options.size, headless=options.headless), options.title, None, None)
    if not handle:
        cause = _glfw_error()
        glfw.terminate()
        raise WindowError(NO_CONTEXT.format(major=GL_VERSION[0], minor=GL_VERSION[1], cause=cause))
    return handle


def create_beside(main: Any, options: WindowOptions) -> Any:
    """Another hidden window, whose GL context, not yet current, shares textures with that of `main`. Raises WindowError.

    It takes the focus from nobody, and stays where it is when it fills a monitor and another window is clicked.
    """
    _ask_for_context(options)
    for hint, value in ((glfw.SCALE_TO_MONITOR, 0), (glfw.AUTO_ICONIFY, 0), (glfw.FOCUS_ON_SHOW, 0)):
        glfw.window_hint(hint, value)
    handle = glfw.create_window(*fitting_size(options.size, headless=options.headless), options.title, None, main)
    glfw.default_window_hints()
    if not handle:
        raise WindowError(NO_SECOND.format(cause=_glfw_error()))
    return handle


def _ask_for_context(options: WindowOptions) -> None:
    null = options.headless and sys.platform.startswith("linux")
    for hint, value in (
        (glfw.CONTEXT_VERSION_MAJOR, GL_VERSION[0]), (glfw.CONTEXT_VERSION_MINOR, GL_VERSION[1]), (glfw.OPENGL_FORWARD_COMPAT, 1),
        (glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE), (glfw.SCALE_TO_MONITOR, int(not options.headless)), (glfw.VISIBLE, 0),
        (glfw.CONTEXT_CREATION_API, glfw.EGL_CONTEXT_API if null else glfw.NATIVE_CONTEXT_API),
    ):  # fmt: skip
        glfw.window_hint(hint, value)


def fitting_size(size: tuple[int, int], *, headless: bool) -> tuple[int, int]:
    """At most what the monitor has room for, at 100 %."""
    width, height = size
    monitor = None if headless else glfw.get_primary_monitor()
    if monitor:
        _, _, most_width, most_height = glfw.get_monitor_workarea(monitor)
        # macOS measures windows in points, which do not shrink; elsewhere GLFW multiplies the size by the monitor's scale
        scale = 1.0 if sys.platform == "darwin" else glfw.get_monitor_content_scale(monitor)[0] or 1.0
        width, height = min(width, int(most_width / scale)), min(height, int(most_height / scale))
    return max(1, width), max(1, height)


def check_version(handle: Any) -> None:
    """Raise WindowError if the context, which is current, is older than needed: some drivers give what they have."""
    found = tuple(glfw.get_window_attrib(handle, name) for name in (glfw.CONTEXT_VERSION_MAJOR, glfw.CONTEXT_VERSION_MINOR))
    if found < GL_VERSION:
        version = gl.glGetString(gl.GL_VERSION) or b"no version"
        raise WindowError(OLD_OPENGL.format(major=GL_VERSION[0], minor=GL_VERSION[1], found=version.decode(errors="replace")))


def _glfw_error() -> str:
    code, text = glfw.get_error()
    message = text.decode(errors="replace") if isinstance(text, bytes) else text
    return message or f"GLFW error {code}"
