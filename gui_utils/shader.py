"""GL programs and render targets: compile with the driver's message on failure, draw one triangle over a target, clean up.

Programs are compiled once per window and kept by their text; `release` deletes them (the window does so when it closes).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from gui_utils import gl
from gui_utils.texture import count_object, new_texture

# One triangle that covers the target; no vertex buffer.
VERTEX = """#version 330 core
void main() {
    gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}
"""

SETTERS = {(n, kind): f"glUniform{n}{kind}" for n in range(1, 5) for kind in "if"}  # once: Python's attribute cache keeps each name it sees

Uniform = int | float | tuple[float, ...] | tuple[int, ...]

_programs: dict[str, Program] = {}


class ShaderError(RuntimeError):
    """The driver refused a shader: its own message, with the stage."""


class Program:
    """A fragment shader that fills a target. Uniforms are set by name: int, float, or tuples of 2 to 4 of one kind."""

    def __init__(self, fragment: str) -> None:
        filling = _compile(gl.GL_FRAGMENT_SHADER, fragment)  # first: where it is refused, there is nothing else to delete
        self.name = _link(_compile(gl.GL_VERTEX_SHADER, VERTEX), filling)
        self._vertex_array = int(gl.glGenVertexArrays(1))
        self._locations: dict[str, int] = {}
        count_object("program", +1)

    def run(self, uniforms: Mapping[str, Uniform], textures: Mapping[str, int]) -> None:
        """Draw over the whole viewport. `textures`: sampler name -> GL texture."""
        gl.glUseProgram(self.name)
        for unit, (sampler, texture) in enumerate(textures.items()):
            gl.glActiveTexture(gl.GL_TEXTURE0 + unit)
            gl.glBindTexture(gl.GL_TEXTURE_2D, texture)
            gl.glUniform1i(self._location(sampler), unit)
        for uniform, value in uniforms.items():
            self._set(uniform, value)
        gl.glBindVertexArray(self._vertex_array)
        gl.glDrawArrays(gl.GL_TRIANGLES, 0, 3)
        gl.glBindVertexArray(0)
        gl.glActiveTexture(gl.GL_TEXTURE0)
        gl.glUseProgram(0)

    def _location(self, uniform: str) -> int:
        if uniform not in self._locations:
            self._locations[uniform] = gl.glGetUniformLocation(self.name, uniform)
        return self._locations[uniform]

    def _set(self, uniform: str, value: Uniform) -> None:
        values = value if isinstance(value, tuple) else (value,)
        kind = "i" if all(isinstance(v, int) for v in values) else "f"
        getattr(gl, SETTERS[len(values), kind])(self._location(uniform), *values)

    def delete(self) -> None:
        if self.name:
            gl.glDeleteProgram(self.name)
            gl.glDeleteVertexArrays(1, [self._vertex_array])
            count_object("program", -1)
        self.name = 0


def program(fragment: str) -> Program:
    """The program with this fragment shader, compiled at its first use in this window."""
    if fragment not in _programs:
        _programs[fragment] = Program(fragment)
    return _programs[fragment]


def release() -> None:
    """Delete all programs of `program`."""
    for each in _programs.values():
        each.delete()
    _programs.clear()


class Target:
    """A texture that can be drawn into. Reallocated only when its size changes."""

    def __init__(self, *, floats: bool = False) -> None:
        self._floats = floats
        self.name = 0
        self._framebuffer = 0
        self.size = (0, 0)

    def resize(self, width: int, height: int) -> None:
        if (width, height) == self.size:
            return
        limit = int(gl.glGetIntegerv(gl.GL_MAX_TEXTURE_SIZE))  # what GL refuses would leave the storage as it was
        if max(width, height) > limit:
            raise ShaderError(f"the graphics driver cannot draw into a texture of {width} x {height}; {limit} a side is the most")
        if not self.name:
            self.name = new_texture(filter_name=gl.GL_NEAREST)
            self._framebuffer = int(gl.glGenFramebuffers(1))
            count_object("framebuffer", +1)
        internal, kind = (gl.GL_RGBA32F, gl.GL_FLOAT) if self._floats else (gl.GL_RGBA8, gl.GL_UNSIGNED_BYTE)
        gl.glBindTexture(gl.GL_TEXTURE_2D, self.name)
        gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, internal, width, height, 0, gl.GL_RGBA, kind, None)
        self.size = (width, height)

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Drawing goes into this target; what was bound before is restored. Blending, scissor and depth test are off."""
        before = int(gl.glGetIntegerv(gl.GL_DRAW_FRAMEBUFFER_BINDING))
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._framebuffer)
        gl.glFramebufferTexture2D(gl.GL_FRAMEBUFFER, gl.GL_COLOR_ATTACHMENT0, gl.GL_TEXTURE_2D, self.name, 0)
        try:
            status = gl.glCheckFramebufferStatus(gl.GL_FRAMEBUFFER)
            if status != gl.GL_FRAMEBUFFER_COMPLETE:
                gl.glGetError()  # said here: whoever makes the next texture asks for errors of its own
                raise ShaderError(f"the graphics driver cannot draw into a texture of {self.size[0]} x {self.size[1]} (status {status:#x})")
            for capability in (gl.GL_BLEND, gl.GL_SCISSOR_TEST, gl.GL_DEPTH_TEST, gl.GL_CULL_FACE, gl.GL_FRAMEBUFFER_SRGB):
                gl.glDisable(capability)
            gl.glViewport(0, 0, *self.size)
            yield
        finally:
            gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, before)

    def delete(self) -> None:
        if self.name:
            gl.glDeleteTextures([self.name])
            gl.glDeleteFramebuffers(1, [self._framebuffer])
            count_object("texture", -1)
            count_object("framebuffer", -1)
        self.name, self._framebuffer, self.size = 0, 0, (0, 0)


def read_pixels(width: int, height: int) -> np.ndarray:
    """The bound framebuffer from its lower left corner, row 0 being the lowest: uint8 [height, width, 3]. Waits for the GPU."""
    pixels = np.empty((height, width, 3), np.uint8)
    gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
    gl.glReadPixels(0, 0, width, height, gl.GL_RGB, gl.GL_UNSIGNED_BYTE, pixels)
    return pixels


def _compile(stage: int, text: str) -> int:
    shader = int(gl.glCreateShader(stage))
    gl.glShaderSource(shader, text)
    gl.glCompileShader(shader)
    if not gl.glGetShaderiv(shader, gl.GL_COMPILE_STATUS):
        message = _text(gl.glGetShaderInfoLog(shader))
        gl.glDeleteShader(shader)
        raise ShaderError(f"{'vertex' if stage == gl.GL_VERTEX_SHADER else 'fragment'} shader: {message}")
    return shader


def _link(*shaders: int) -> int:
    name = int(gl.glCreateProgram())
    for shader in shaders:
        gl.glAttachShader(name, shader)
    gl.glLinkProgram(name)
    for shader in shaders:
        gl.glDetachShader(name, shader)
        gl.glDeleteShader(shader)
    if not gl.glGetProgramiv(name, gl.GL_LINK_STATUS):
        message = _text(gl.glGetProgramInfoLog(name))
        gl.glDeleteProgram(name)
        raise ShaderError(f"linking: {message}")
    return name


def _text(log: bytes | str) -> str:
    return (log.decode(errors="replace") if isinstance(log, bytes) else log).strip()
