"""Textures by name for pictures that panels show; what has not been shown for a while is let go."""

from __future__ import annotations

import numpy as np

from gui_utils.libraries import imgui
from gui_utils.texture import ByteTexture

KEPT_FRAMES = 120  # not shown for so many frames: deleted, and made anew when it is shown again


class NamedTextures(dict[str, ByteTexture]):
    """Belongs to the thread of the GL context. `end_frame` is called once a frame."""

    def __init__(self) -> None:
        super().__init__()
        self._frame = 0
        self._shown: dict[str, int] = {}

    def show(self, name: str, pixels: np.ndarray) -> imgui.ImTextureRef:
        """uint8 [H, W, 3 or 4] under a name; the same array again is not uploaded again."""
        texture = self.setdefault(name, ByteTexture())
        self._shown[name] = self._frame
        texture.show(pixels)
        return texture.ref

    def end_frame(self) -> None:
        """Between two frames: lets go of what nobody shows any more."""
        self._frame += 1
        for name in [n for n in self if self._frame - self._shown.get(n, 0) > KEPT_FRAMES]:
            self.pop(name).delete()
            self._shown.pop(name, None)
