"""The one place that imports imgui-bundle and glfw, in the order that works.

imgui-bundle brings its own libglfw, which (unlike the one in the glfw wheel) can open a windowless EGL context; importing it
before glfw makes both use that one. A missing package or shared library becomes a `WindowError` with the remedy.
"""

from __future__ import annotations

from gui_utils.errors import NO_LIBRARY, WindowError

try:
    from imgui_bundle import icons_fontawesome_6 as icons, imgui, implot

    import glfw  # isort: skip  (after imgui_bundle: see above)
except (ImportError, OSError) as e:  # glfw raises ImportError, a missing .so inside it OSError
    raise WindowError(NO_LIBRARY.format(cause=str(e).splitlines()[0])) from e

glfw.ERROR_REPORTING = "ignore"  # every call's result is checked; warnings would say it twice

__all__ = ["glfw", "icons", "imgui", "implot"]
