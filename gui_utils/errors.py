"""Errors of the window layer. Imports nothing, so that it can be imported where no display or library exists."""

from __future__ import annotations


class WindowError(RuntimeError):
    """No window can be opened: one sentence that says what is missing and what to do about it."""


class TextureError(ValueError):
    """An array cannot become a texture: names the array's shape or type and what would be accepted."""


class SharingError(RuntimeError):
    """A texture cannot be filled by CUDA on the GPU: one sentence that says why."""


NO_LIBRARY = (
    "The window libraries cannot be loaded ({cause}): install the Python packages imgui-bundle, glfw and PyOpenGL, and on "
    "Debian or Ubuntu the system libraries with: sudo apt-get install libgl1 libegl1 libx11-6"
)
NO_OPENGL = "OpenGL cannot be loaded ({cause}): on Debian or Ubuntu, sudo apt-get install libgl1 libegl1 libgl1-mesa-dri"
NO_DISPLAY = (
    "No display can be reached ({cause}): set DISPLAY (with ssh: ssh -X), or use the commands that need no window, "
    "python visualizer.py render and python visualizer.py screenshot"
)
NO_CONTEXT = (
    "OpenGL {major}.{minor} core is needed, and the graphics driver did not provide it ({cause}): update the driver, or try Mesa's "
    "software renderer with LIBGL_ALWAYS_SOFTWARE=1 (on Debian or Ubuntu: sudo apt-get install libgl1 libegl1 libgl1-mesa-dri)"
)
OLD_OPENGL = (
    "OpenGL {major}.{minor} is needed, and the driver offers {found}: update the driver, or try Mesa's software renderer with "
    "LIBGL_ALWAYS_SOFTWARE=1"
)
NO_SECOND = "The graphics driver gives no second window ({cause})"
