"""Fills a GL texture from CUDA memory on the GPU itself, where both belong to one card: no copy through the processor's memory.

Needs NVIDIA's `cuda-bindings` (optional) and an OpenGL driver of NVIDIA's. All calls belong to the thread that owns the GL context.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from gui_utils import gl
from gui_utils.errors import SharingError


class Planes(Protocol):
    """float32 planes [C, H, W] without gaps in the memory of a CUDA device, complete already. `shape` is (H, W, C)."""

    shape: tuple[int, int, int]
    pointer: int
    device: int


class CudaTexture:
    """The bridge to one texture. It has to be dropped (`forget`) before the texture gets other storage or is deleted."""

    def __init__(self) -> None:
        self._runtime: Any = None
        self._resource: Any = None
        self._registered = (0, -1)

    def fill(self, texture: int, planes: Planes) -> None:
        """Copy the planes, one under the other, into an R32F texture as wide and C times as high as the picture.

        Returns when the copy is done (some 20 microseconds). Raises SharingError, saying why this driver cannot.
        """
        runtime = self._opened()
        self._checked(runtime.cudaSetDevice(planes.device), "choosing the GPU")
        self._register(texture, planes.device)
        height, width, channels = planes.shape
        stream = runtime.cudaStream_t(0)
        self._checked(runtime.cudaGraphicsMapResources(1, self._resource, stream), "lending the texture to CUDA")
        try:
            array = self._checked(runtime.cudaGraphicsSubResourceGetMappedArray(self._resource, 0, 0), "finding the texture's memory")
            kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice
            copied = runtime.cudaMemcpy2DToArrayAsync(array, 0, 0, planes.pointer, 4 * width, 4 * width, height * channels, kind, stream)
            self._checked(copied, "copying into the texture")
            self._checked(runtime.cudaStreamSynchronize(stream), "copying into the texture")
        finally:
            self._checked(runtime.cudaGraphicsUnmapResources(1, self._resource, stream), "returning the texture")

    def forget(self) -> None:
        """Let go of the texture."""
        if self._resource is not None:
            self._runtime.cudaGraphicsUnregisterResource(self._resource)
        self._resource, self._registered = None, (0, -1)

    def _opened(self) -> Any:
        """NVIDIA's runtime, if the context that is current is of NVIDIA's driver: others are not asked, some do not take it well."""
        if self._runtime is None:
            vendor, renderer = (_text(gl.glGetString(name)) for name in (gl.GL_VENDOR, gl.GL_RENDERER))
            if "nvidia" not in vendor.lower():
                raise SharingError(f"OpenGL runs on {renderer or 'an unknown renderer'}, not on the CUDA device")
            try:
                self._runtime = importlib.import_module("cuda.bindings.runtime")
            except ImportError as error:
                raise SharingError(f"cuda-bindings cannot be imported ({error}); pip install cuda-bindings") from None
        return self._runtime

    def _register(self, texture: int, device: int) -> None:
        if (texture, device) == self._registered:
            return
        self.forget()
        runtime = self._runtime
        listed = runtime.cudaGLGetDevices(16, runtime.cudaGLDeviceList.cudaGLDeviceListAll)
        if listed[0] != runtime.cudaError_t.cudaSuccess or device not in [int(d) for d in listed[2][: listed[1]]]:
            raise SharingError(f"OpenGL runs on another GPU than CUDA device {device}")
        flags = runtime.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard
        registered = runtime.cudaGraphicsGLRegisterImage(texture, int(gl.GL_TEXTURE_2D), flags)
        self._resource = self._checked(registered, "registering the texture")
        self._registered = (texture, device)

    def _checked(self, answer: tuple[Any, ...], doing: str) -> Any:
        if answer[0] != self._runtime.cudaError_t.cudaSuccess:
            raise SharingError(f"{doing} failed: {answer[0].name}")
        return answer[1] if len(answer) > 1 else None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
