"""Several painted pictures as one texture: each in its place, black around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gui_utils import gl
from gui_utils.shader import Target, program

_COPY = """#version 330 core
out vec4 result;
uniform sampler2D picture;
uniform ivec2 corner;
uniform float opacity;
void main() { result = vec4(texelFetch(picture, ivec2(gl_FragCoord.xy) - corner, 0).rgb, opacity); }
"""

Rect = tuple[int, int, int, int]  # x, y, width, height in pixels, y down


@dataclass(frozen=True)
class Part:
    """A texture, its top row first, drawn as it is from `corner` on, within `clip`; or, without a texture, `clip` in one grey."""

    texture: int
    corner: tuple[int, int]
    clip: Rect
    opacity: float = 1.0
    grey: float = 0.0


class Composition:
    """Draws parts over each other, in their order."""

    def __init__(self) -> None:
        self._target = Target()

    def draw(self, size: tuple[int, int], parts: Sequence[Part]) -> int:
        """The texture of this size (width, height), its top row first."""
        self._target.resize(*size)
        with self._target.bound(), _blended_parts(size):
            _clear(0.0)
            for part in parts:
                gl.glScissor(*part.clip)
                if not part.texture:
                    _clear(part.grey)
                    continue
                (gl.glEnable if part.opacity < 1 else gl.glDisable)(gl.GL_BLEND)
                program(_COPY).run({"corner": part.corner, "opacity": float(part.opacity)}, {"picture": part.texture})
        return self._target.name

    def delete(self) -> None:
        self._target.delete()


@contextmanager
def _blended_parts(size: tuple[int, int]) -> Iterator[None]:
    """Scissors and blending as parts need them, under an opaque whole; off again, whatever happens: the window is cleared without them."""
    gl.glScissor(0, 0, *size)
    gl.glEnable(gl.GL_SCISSOR_TEST)
    gl.glBlendFuncSeparate(gl.GL_SRC_ALPHA, gl.GL_ONE_MINUS_SRC_ALPHA, gl.GL_ONE, gl.GL_ONE_MINUS_SRC_ALPHA)
    try:
        yield
    finally:
        gl.glDisable(gl.GL_BLEND)
        gl.glDisable(gl.GL_SCISSOR_TEST)


def _clear(grey: float) -> None:
    gl.glClearColor(grey, grey, grey, 1.0)
    gl.glClear(gl.GL_COLOR_BUFFER_BIT)
