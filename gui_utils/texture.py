"""GL textures made from numpy arrays, with explicit lifetimes.

Every GL object made by this package is counted (`live_objects`), so that a test can show that nothing leaks.
All calls belong to the thread that owns the GL context.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any, Self

import numpy as np

from gui_utils import gl
from gui_utils.cuda_texture import CudaTexture, Planes
from gui_utils.errors import TextureError
from gui_utils.libraries import imgui

KEPT_FRAMES = 120
_live: Counter[str] = Counter()


def live_objects() -> dict[str, int]:
    """How many GL objects of each kind exist, kinds with none left out: {} after everything was deleted."""
    return {kind: count for kind, count in _live.items() if count}


def count_object(kind: str, change: int) -> None:
    """Book-keeping for `live_objects`, for the modules that make GL objects."""
    _live[kind] += change


def new_texture(*, filter_name: int) -> int:
    """A 2-D texture, bound, without mipmaps, clamped at its edges."""
    name = int(gl.glGenTextures(1))
    count_object("texture", +1)
    gl.glBindTexture(gl.GL_TEXTURE_2D, name)
    for parameter, value in (
        (gl.GL_TEXTURE_MIN_FILTER, filter_name),
        (gl.GL_TEXTURE_MAG_FILTER, filter_name),
        (gl.GL_TEXTURE_WRAP_S, gl.GL_CLAMP_TO_EDGE),
        (gl.GL_TEXTURE_WRAP_T, gl.GL_CLAMP_TO_EDGE),
        (gl.GL_TEXTURE_MAX_LEVEL, 0),
    ):
        gl.glTexParameteri(gl.GL_TEXTURE_2D, parameter, value)
    return name


class _Texture:
    """Storage that is reallocated only when its size changes; `allocations` counts how often that was."""

    def __init__(self, storage: tuple[int, int, int], *, filter_name: int) -> None:
        self._internal, self._format, self._type = storage
        self._filter = filter_name
        self.size = (0, 0)
        self.name = 0
        self.allocations = 0

    def store(self, width: int, height: int, data: np.ndarray | None) -> None:
        limit = int(gl.glGetIntegerv(gl.GL_MAX_TEXTURE_SIZE))
        if not (0 < width <= limit and 0 < height <= limit):
            raise TextureError(f"texture is {width} x {height} texels; 1 to {limit} a side can be shown on this graphics driver")
        if self.name:
            gl.glBindTexture(gl.GL_TEXTURE_2D, self.name)
        else:
            self.name = new_texture(filter_name=self._filter)
        if (width, height) != self.size:
            gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, self._internal, width, height, 0, self._format, self._type, data)
            self._check_storage(width, height)
            self.size = (width, height)
            self.allocations += 1
        elif data is not None:
            gl.glTexSubImage2D(gl.GL_TEXTURE_2D, 0, 0, 0, width, height, self._format, self._type, data)

    def _check_storage(self, width: int, height: int) -> None:
        """Asked where storage is made, which is seldom: elsewhere errors of GL are not looked at."""
        error = int(gl.glGetError())
        if error:
            self.size = (0, 0)
            cause = "has no memory left" if error == gl.GL_OUT_OF_MEMORY else f"reports error {error:#x}"
            raise TextureError(f"the graphics driver {cause} for a texture of {width} x {height} texels")

    def delete(self) -> None:
        if self.name:
            gl.glDeleteTextures([self.name])
            count_object("texture", -1)
        self.name, self.size = 0, (0, 0)


class _Shown:
    """A picture in a texture that is made when first needed and lives until `delete`, or the end of `with`."""

    def __init__(self, values: np.ndarray | None) -> None:
        self._texture: _Texture | None = None
        self._source: np.ndarray | None = None
        self.width = self.height = 0
        if values is not None:
            self.upload(values)

    def upload(self, values: np.ndarray) -> None:
        """Replace the picture."""
        raise NotImplementedError

    def show(self, values: np.ndarray) -> None:
        """Upload `values` unless it is the array object that was shown last (arrays in frames are never written again)."""
        if values is not self._source:
            self.upload(values)
            self._source = values

    @property
    def name(self) -> int:
        return self._texture.name if self._texture else 0

    @property
    def allocations(self) -> int:
        return self._texture.allocations if self._texture else 0

    def delete(self) -> None:
        if self._texture:
            self._texture.delete()
        self._source = None
        self.width = self.height = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.delete()


class FloatTexture(_Shown):
    """A float32 picture of 1 to 4 channels, kept as it is in numpy: nothing is padded, converted or copied on the way.

    The storage is one R32F texture, with the channels of a pixel side by side (interleaved arrays) or stacked as planes (arrays
    that are views of channels-first memory, which is what networks produce); `pixel_step` and `channel_step` say which, in texels,
    to the shader that reads it. Use it through `gui_utils.picture.PicturePainter`.
    """

    def __init__(self, values: np.ndarray | None = None) -> None:
        self._cuda: CudaTexture | None = None
        self.channels = 0
        self.pixel_step, self.channel_step = (1, 1), (0, 0)
        self.version = 0
        super().__init__(values)

    def upload(self, values: np.ndarray) -> None:
        """Replace the picture. `values`: [H, W] or [H, W, C], C = 1 to 4, any float or integer type; float32 is not converted."""
        if values.ndim not in (2, 3) or 0 in values.shape or (values.ndim == 3 and values.shape[2] > 4):
            raise TextureError(f"picture has shape {values.shape}; (height, width) or (height, width, 1 to 4 channels) can be shown")
        data = np.asarray(values, dtype=np.float32)
        data = data[:, :, None] if data.ndim == 2 else data
        height, width, channels = data.shape
        planes = data.transpose(2, 0, 1)
        planar = planes.flags.c_contiguous
        if planar:
            self.pixel_step, self.channel_step = (1, 1), (0, height)
        else:
            data = np.ascontiguousarray(data)
            self.pixel_step, self.channel_step = (channels, 1), (1, 0)
        size = (width, height * channels) if planar else (width * channels, height)
        self._store(size, planes if planar else data)
        self.width, self.height, self.channels = width, height, channels

    def take(self, planes: Planes) -> None:
        """Replace the picture by one in the memory of a CUDA device, on the GPU. Raises SharingError where that is not possible, and
        then `upload` has to be used. The picture has to stay as it is until this returns.
        """
        height, width, channels = planes.shape
        if 0 in planes.shape or channels > 4:
            raise TextureError(f"picture has shape {planes.shape}; (height, width, 1 to 4 channels) can be shown")
        self._store((width, height * channels), None)
        if self._cuda is None:
            self._cuda = CudaTexture()
        self._cuda.fill(self.name, planes)
        self.pixel_step, self.channel_step = (1, 1), (0, height)
        self.width, self.height, self.channels = width, height, channels

    def _store(self, size: tuple[int, int], data: np.ndarray | None) -> None:
        if self._texture is None:
            self._texture = _Texture((gl.GL_R32F, gl.GL_RED, gl.GL_FLOAT), filter_name=gl.GL_NEAREST)
        if self._cuda is not None and (data is not None or size != self._texture.size):
            self._cuda.forget()  # storage that CUDA knows is not replaced, nor written from two sides
        self._texture.store(*size, data)
        self.version += 1
        self._source = None

    def delete(self) -> None:
        if self._cuda is not None:
            self._cuda.forget()
        self.channels = 0
        super().delete()


class ByteTexture(_Shown):
    """An RGBA8 picture for `imgui.image` and `implot.plot_image`; `smooth` filters linearly (icons), else texels stay sharp."""

    def __init__(self, values: np.ndarray | None = None, *, smooth: bool = False) -> None:
        self._smooth = smooth
        super().__init__(values)

    def upload(self, values: np.ndarray) -> None:
        """Replace the picture. `values`: uint8 [H, W, 3] or [H, W, 4]."""
        if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] not in (3, 4) or 0 in values.shape:
            raise TextureError(f"picture is {values.dtype} {values.shape}; uint8 (height, width, 3 or 4) is expected")
        if values.shape[2] == 3:
            values = np.concatenate([values, np.full_like(values[:, :, :1], 255)], axis=2)
        if self._texture is None:
            filter_name = gl.GL_LINEAR if self._smooth else gl.GL_NEAREST
            self._texture = _Texture((gl.GL_RGBA8, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE), filter_name=filter_name)
        self.height, self.width = values.shape[:2]
        self._texture.store(self.width, self.height, np.ascontiguousarray(values))
        self._source = None

    @property
    def ref(self) -> imgui.ImTextureRef:
        return imgui.ImTextureRef(self.name)


class Pool:
    """Things with a `delete()` kept by key while they are used: what no frame asked for is deleted at `end_frame`.

        thumbnail = pool.get(("thumbnail", name), ByteTexture)
        thumbnail.show(pixels)

    `keep_frames`: how many frames a thing survives unused (a panel that is closed for a moment keeps its textures).
    """

    def __init__(self, keep_frames: int = KEPT_FRAMES) -> None:
        self._keep = keep_frames
        self._items: dict[Hashable, Any] = {}
        self._used: dict[Hashable, int] = {}
        self._frame = 0

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._items

    def get(self, key: Hashable, make: Any) -> Any:
        """The thing under `key`, made by `make()` the first time."""
        if key not in self._items:
            self._items[key] = make()
        self._used[key] = self._frame
        return self._items[key]

    def end_frame(self) -> None:
        self._frame += 1
        for key in [k for k, frame in self._used.items() if self._frame - frame > self._keep]:
            self.drop(key)

    def drop(self, key: Hashable) -> None:
        """Delete the thing under `key` now, if there is one."""
        if key in self._items:
            self._items.pop(key).delete()
            del self._used[key]

    def delete(self) -> None:
        for item in self._items.values():
            item.delete()
        self._items.clear()
        self._used.clear()
