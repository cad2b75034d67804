"""Dear ImGui without window and without OpenGL, and its Render with the GIL released: what `tests.drive` stands on."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from imgui_bundle import _imgui_bundle  # pyright: ignore[reportAttributeAccessIssue]

from gui_utils import theme
from gui_utils.libraries import imgui, implot

FRAME_S = 1 / 60


class DriveError(AssertionError):
    """A script of the driver failed: says at which action, with the engine's own log."""


def render_without_gil() -> Callable[[], None]:
    library = ctypes.CDLL(_imgui_bundle.__file__)  # ctypes lets go of the GIL during the call
    try:
        render = library._ZN5ImGui6RenderEv
    except AttributeError as e:
        raise DriveError("this build of imgui-bundle does not export ImGui::Render; run the interface tests on Linux or macOS") from e
    render.restype, render.argtypes = None, []
    return render


def start_without_window(size: tuple[int, int]) -> None:
    imgui.create_context()
    implot.create_context()
    io = imgui.get_io()
    io.set_ini_filename(None)
    io.display_size = imgui.ImVec2(*size)
    io.delta_time = FRAME_S
    io.backend_flags |= imgui.BackendFlags_.renderer_has_textures.value
    io.config_flags |= imgui.ConfigFlags_.docking_enable.value
    theme.load_fonts()
    theme.apply(1.0)


def pretend_uploads() -> None:
    status = imgui.ImTextureStatus
    for texture in imgui.get_platform_io().textures:
        if texture.status in (status.want_create, status.want_updates):
            texture.set_tex_id(1)
            texture.status = status.ok
        elif texture.status == status.want_destroy:
            texture.set_tex_id(0)
            texture.status = status.destroyed


def stop_without_window() -> None:
    for texture in imgui.get_platform_io().textures:
        texture.set_tex_id(0)
        texture.status = imgui.ImTextureStatus.destroyed
    imgui.get_io().backend_flags &= ~imgui.BackendFlags_.renderer_has_textures.value
    implot.destroy_context()
    imgui.destroy_context()
