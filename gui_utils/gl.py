"""OpenGL functions and constants, loaded at first use: `from gui_utils import gl; gl.glClear(...)`.

PyOpenGL chooses its platform (GLX, EGL, ...) once, while it is imported; the window knows which one is wanted only when it
opens, so the import waits until `load` or until the first attribute is read. (To type checkers its names are `Any`: PyOpenGL's own
annotations are wrong in many places.)
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from gui_utils.errors import NO_OPENGL, WindowError

_module: ModuleType | None = None


def load(*, egl: bool = False) -> ModuleType:
    """Import PyOpenGL; `egl` for contexts without a window system. Raises WindowError where no GL library is found."""
    global _module
    if _module is None:
        if egl:
            os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
        try:
            import OpenGL

            OpenGL.ERROR_CHECKING = False  # a glGetError per call is a third of the interface's time; tests ask once a frame
            import OpenGL.GL as module
        except (ImportError, OSError, AttributeError) as e:  # PyOpenGL: AttributeError when libEGL is missing
            raise WindowError(NO_OPENGL.format(cause=(str(e) or type(e).__name__).splitlines()[0])) from e
        _module = module
    return _module


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    value = getattr(load(), name)
    globals()[name] = value
    return value
