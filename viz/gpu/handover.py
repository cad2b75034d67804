"""How a picture gets from the GPU to the screen: values that stay on the device until someone reads them, and who may copy them there.

Knows no torch and no GL: a tensor is an object with a few methods. The render thread makes `DeviceValues` and waits until they are
complete before the frame is published, so that whoever gets them need not wait for anything.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gui_utils.errors import SharingError
from viz.request import Picture


@dataclass
class Handover:
    """What the window found out about its graphics driver. Written by the GUI thread, read by the render thread.

    `shared` is None until the first picture of a GPU was shown; then whether textures are filled on the GPU. While that is not known or not
    so, every picture is also brought to pinned memory, so that the window never waits for a copy.
    """

    shared: bool | None = None
    why: str = "no picture of a GPU was shown yet"


handover = Handover()  # one window a process, one graphics driver


class DeviceValues:
    """float32 planes [C, H, W] on a GPU. `shape` is (H, W, C), as a picture's; `pointer` and `device` say where they lie.

    A copy in pinned memory is begun by `begin` and there after `finish`, between which the render thread waits for its stream. Pinned
    memory takes milliseconds to get, more than the copy, and torch gives again what was let go: so only the newest few copies are held,
    however many pictures are remembered. An array that someone still reads is not given again.
    """

    def __init__(self, planes: Any) -> None:
        channels, height, width = planes.shape
        self.shape = (height, width, channels)
        self.nbytes: int = planes.numel() * planes.element_size()
        self.pointer: int = planes.data_ptr()
        self.device: int = planes.device.index or 0
        self._planes = planes
        self._coming: Any = None
        self._host: Any = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Put the copy to pinned memory into the current stream, unless there is one already."""
        if self._host is None:
            self._coming = self._planes.to("cpu", non_blocking=True)

    def finish(self) -> None:
        """The copy that was begun is complete; an older picture's is let go."""
        with self._lock:
            if self._coming is not None:
                self._host, self._coming = self._coming, None
            elif self not in _held:
                return
        if self in _held:
            _held.remove(self)
        _held.append(self)
        while len(_held) > HELD:
            _held.popleft().let_go()

    def let_go(self) -> None:
        """Forget the copy; whoever asks for the values once more gets another."""
        with self._lock:
            self._host = None

    def numpy(self) -> np.ndarray:
        """[H, W, C] in the processor's memory, a view of planes; copied on the first call unless it is there already."""
        with self._lock:
            if self._host is None:
                self._host = self._planes.cpu()
            return self._host.numpy().transpose(1, 2, 0)

    def pixel(self, row: int, column: int) -> tuple[float, ...]:
        """The channels of one sample, without copying the others."""
        host = self._host
        return tuple((self._planes if host is None else host)[:, row, column].tolist())


HELD = 8  # copies in pinned memory: two for each of four views
_held: deque[DeviceValues] = deque()  # by the render thread only


class DevicePicture(Picture):
    """A picture whose values are on a GPU. `values` brings them to the processor's memory when first read."""

    @property
    def values(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        source = self.__dict__["source"]
        return source.numpy() if isinstance(source, DeviceValues) else source

    @values.setter
    def values(self, source: DeviceValues | np.ndarray) -> None:
        self.__dict__["source"] = source

    @property
    def on_device(self) -> DeviceValues | None:
        """The values where they were computed."""
        source = self.__dict__["source"]
        return source if isinstance(source, DeviceValues) else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.__dict__["source"].shape

    @property
    def nbytes(self) -> int:
        """Of the values, wherever they are."""
        return self.__dict__["source"].nbytes

    def pixel(self, row: int, column: int) -> tuple[float, ...]:
        """The channels of one sample."""
        source = self.on_device
        return super().pixel(row, column) if source is None else source.pixel(row, column)


class Texture(Protocol):
    """What a picture is placed into: `gui_utils.texture.FloatTexture`."""

    def take(self, planes: Any, /) -> None: ...

    def upload(self, values: np.ndarray, /) -> None: ...


def place(texture: Texture, picture: Picture, found: Handover = handover) -> None:
    """Put a picture into a texture: on the GPU where that works, which is found out with the first one; otherwise from the processor's
    memory. For the GUI thread.
    """
    source = picture.on_device if isinstance(picture, DevicePicture) else None
    if source is not None and found.shared is not False:
        try:
            texture.take(source)
        except SharingError as error:
            found.shared, found.why = False, str(error)
        else:
            found.shared, found.why = True, "copied into the texture on the GPU"
            return
    texture.upload(picture.values)
