"""An OpenGL context on a GPU without a window system: EGL's device platform by ctypes; GLFW's null platform does not choose a GPU."""

from __future__ import annotations

import ctypes
from typing import Any

PLATFORM_DEVICE, VENDOR, NONE, OPENGL_API = 0x313F, 0x3053, 0x3038, 0x30A2
SURFACE_TYPE, PBUFFER, RENDERABLE_TYPE, OPENGL = 0x3033, 1, 0x3040, 8
MAJOR, MINOR, PROFILE, CORE, WIDTH, HEIGHT = 0x3098, 0x30FB, 0x30FD, 1, 0x3057, 0x3056


class NoDevice(RuntimeError):
    """There is no EGL, or no device of this vendor."""


class EglDevice:
    """A current core context of OpenGL 3.3 on the first device whose vendor is named so, until `close`."""

    def __init__(self, vendor: str = "NVIDIA") -> None:
        try:
            self._egl = egl = ctypes.CDLL("libEGL.so.1")
        except OSError as error:
            raise NoDevice(str(error)) from None
        for name in ("eglGetProcAddress", "eglQueryString", "eglCreateContext", "eglCreatePbufferSurface"):
            getattr(egl, name).restype = ctypes.c_void_p
        self._display = self._display_of(vendor)
        config, count = ctypes.c_void_p(), ctypes.c_int()
        wanted = _list(SURFACE_TYPE, PBUFFER, RENDERABLE_TYPE, OPENGL)
        self._check(egl.eglBindAPI(OPENGL_API), "eglBindAPI")
        self._check(
            egl.eglChooseConfig(self._display, wanted, ctypes.byref(config), 1, ctypes.byref(count)) and count.value, "configuration"
        )
        version = _list(MAJOR, 3, MINOR, 3, PROFILE, CORE)
        self._context = ctypes.c_void_p(egl.eglCreateContext(self._display, config, None, version))
        self._surface = ctypes.c_void_p(egl.eglCreatePbufferSurface(self._display, config, _list(WIDTH, 16, HEIGHT, 16)))
        self._check(egl.eglMakeCurrent(self._display, self._surface, self._surface, self._context), "eglMakeCurrent")

    def close(self) -> None:
        """Give everything back."""
        self._egl.eglMakeCurrent(self._display, None, None, None)
        self._egl.eglDestroyContext(self._display, self._context)
        self._egl.eglDestroySurface(self._display, self._surface)
        self._egl.eglTerminate(self._display)

    def _display_of(self, vendor: str) -> Any:
        query = self._extension("eglQueryDevicesEXT", ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        open_display = self._extension("eglGetPlatformDisplayEXT", ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)
        devices, count = (ctypes.c_void_p * 16)(), ctypes.c_int()
        query(16, devices, ctypes.byref(count))
        found = []
        for device in devices[: count.value]:
            display = ctypes.c_void_p(open_display(PLATFORM_DEVICE, device, None))
            if display and self._egl.eglInitialize(display, None, None):
                name = ctypes.c_char_p(self._egl.eglQueryString(display, VENDOR)).value or b""
                found.append(name.decode())
                if vendor.lower() in found[-1].lower():
                    return display
        raise NoDevice(f"no EGL device of {vendor}, only {found}")

    def _extension(self, name: str, result: Any, *arguments: Any) -> Any:
        address = self._egl.eglGetProcAddress(name.encode())
        if not address:
            raise NoDevice(f"EGL has no {name}")
        return ctypes.CFUNCTYPE(result, *arguments)(address)

    def _check(self, success: Any, what: str) -> None:
        if not success:
            raise NoDevice(f"{what} failed: {self._egl.eglGetError():#x}")


def _list(*attributes: int) -> Any:
    return (ctypes.c_int * (len(attributes) + 1))(*attributes, NONE)
