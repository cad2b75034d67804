"""Draws a float texture the way the screen needs it: filtered by us, then mapped to colours, at one texel per screen pixel.

The result is an RGBA8 texture of the on-screen size, which Dear ImGui copies without filtering; so magnification is the kernel
that was chosen, and reduction never aliases (`gui_utils.sampling`). Filtering is linear in the values and comes before tone mapping.
Two passes, along x and then along y; each runs only when something it depends on has changed, so an idle picture costs nothing
and a change of tone repeats only the second.

    picture = PicturePainter()
    picture.draw(texture, PictureView(source=(0, 0, 1024, 1024), size=(512, 512), tone=ToneMap(gain=2)))
    picture.show(window.framebuffer_scale)           # like imgui.image; or use picture.ref with a draw list
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gui_utils import gl
from gui_utils.errors import TextureError
from gui_utils.libraries import imgui
from gui_utils.sampling import AxisTable
from gui_utils.shader import Program, Target, program, read_pixels
from gui_utils.texture import FloatTexture, count_object, new_texture
from gui_utils.tone import MASKED, NOT_FINITE, PictureView, colormap_table

_COMMON = """#version 330 core
out vec4 result;
uniform sampler2D table;      // row j: (start, coverage), then (weight, core) for each tap
uniform int taps;

bool bad(float v) { return (floatBitsToUint(v) & 0x7f800000u) == 0x7f800000u; }   // NaN or infinite, also where isnan() is a no-op
const float MARK = 3.0e38;    // in the intermediate: this pixel holds a value that is not finite
"""

# Along x. Reads up to three channels and the mask; writes (values, mask).
_ROWS = (
    _COMMON
    + """
uniform sampler2D picture;
uniform sampler2D validity;
uniform ivec2 pixel_step;     // texels from one pixel to the next
uniform ivec2 channel_step;   // texels from one channel to the next
uniform int channels;
uniform int masked;
uniform int width;
uniform int first_row;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    int y = at.y + first_row;
    int start = int(texelFetch(table, ivec2(0, at.x), 0).x);
    vec3 sum = vec3(0.0);
    float total = 0.0, valid = 0.0, marked = 0.0;
    for (int k = 0; k < taps; ++k) {
        vec2 tap = texelFetch(table, ivec2(k + 1, at.x), 0).xy;
        int x = clamp(start + k, 0, width - 1);
        ivec2 texel = ivec2(x, y) * pixel_step;
        vec3 v = vec3(texelFetch(picture, texel, 0).r, 0.0, 0.0);
        if (channels > 1) v.y = texelFetch(picture, texel + channel_step, 0).r;
        if (channels > 2) v.z = texelFetch(picture, texel + 2 * channel_step, 0).r;
        if (masked == 1) valid += tap.x * texelFetch(validity, ivec2(x, y), 0).r;
        if (bad(v.x) || bad(v.y) || bad(v.z)) { marked = max(marked, tap.y); continue; }
        sum += tap.x * v;
        total += tap.x;
    }
    result = vec4(marked > 0.0 ? vec3(MARK) : sum / (total == 0.0 ? 1.0 : total), masked == 1 ? valid : 1.0);
}
"""
)

# Along y, then tone, colours, marks and the surroundings.
_COLUMNS = (
    _COMMON
    + """
uniform sampler2D rows;
uniform sampler2D columns;    // the table of x, for its coverage
uniform sampler2D colormap;
uniform int height;
uniform int first_row;
uniform int channels;
uniform vec2 tone;
uniform float brightness;
uniform float masked_brightness;
uniform vec3 background;
uniform vec3 not_finite;

vec3 mapped(float t) {
    float position = clamp(t, 0.0, 1.0) * 256.0;
    int low = min(int(position), 255);
    return mix(texelFetch(colormap, ivec2(low, 0), 0).rgb, texelFetch(colormap, ivec2(low + 1, 0), 0).rgb, position - float(low));
}

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec2 head = texelFetch(table, ivec2(0, at.y), 0).xy;
    vec3 sum = vec3(0.0);
    float total = 0.0, valid = 0.0, marked = 0.0;
    for (int k = 0; k < taps; ++k) {
        vec2 tap = texelFetch(table, ivec2(k + 1, at.y), 0).xy;
        vec4 v = texelFetch(rows, ivec2(at.x, clamp(int(head.x) + k, 0, height - 1) - first_row), 0);
        valid += tap.x * v.a;
        if (v.x >= MARK) { marked = max(marked, tap.y); continue; }
        sum += tap.x * v.rgb;
        total += tap.x;
    }
    vec3 t = sum / (total == 0.0 ? 1.0 : total) * tone.x + tone.y;
    vec3 color = clamp(vec3(t.x, channels > 1 ? t.y : 0.0, channels > 2 ? t.z : 0.0), 0.0, 1.0);
    if (channels == 1) color = mapped(t.x);
    if (marked > 0.0) color = not_finite;
    color *= brightness * mix(masked_brightness, 1.0, clamp(valid, 0.0, 1.0));
    result = vec4(mix(background, color, head.y * texelFetch(columns, ivec2(0, at.x), 0).y), 1.0);
}
"""
)


class _Table:
    """A small float texture that is uploaded when its contents are another object."""

    def __init__(self) -> None:
        self.name = 0
        self._source: Any = None

    def show(self, source: Any, texels: np.ndarray) -> None:
        if not self.name:
            self.name = new_texture(filter_name=gl.GL_NEAREST)
        gl.glBindTexture(gl.GL_TEXTURE_2D, self.name)
        height, width, channels = texels.shape
        internal, layout = (gl.GL_RG32F, gl.GL_RG) if channels == 2 else (gl.GL_RGB32F, gl.GL_RGB)
        gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, internal, width, height, 0, layout, gl.GL_FLOAT, np.ascontiguousarray(texels))
        self._source = source

    def show_axis(self, table: AxisTable) -> None:
        if table is not self._source:
            self.show(table, table.texels())

    def show_colormap(self, name: str) -> None:
        if name != self._source:
            self.show(name, colormap_table(name)[None])

    def delete(self) -> None:
        if self.name:
            gl.glDeleteTextures([self.name])
            count_object("texture", -1)
        self.name, self._source = 0, None


class PicturePainter:
    """One picture on screen: keeps the tables, the two targets and what they were drawn from."""

    def __init__(self) -> None:
        self._rows, self._result = Target(floats=True), Target()
        self._x, self._y, self._colors = _Table(), _Table(), _Table()
        self._drawn_rows: Any = None
        self._drawn: Any = None
        self.passes = 0  # drawn so far

    def draw(self, texture: FloatTexture, view: PictureView, mask: FloatTexture | None = None) -> None:
        """Bring the picture up to date; draws only what changed. `mask`: one channel of the texture's size, 1 = valid, 0 = dimmed."""
        if not texture.width:
            raise TextureError("picture: the texture is empty; upload values first")
        if mask is not None and (mask.width, mask.height, mask.channels) != (texture.width, texture.height, 1):
            expected, got = f"{texture.width} x {texture.height}, one channel", f"{mask.width} x {mask.height}, {mask.channels}"
            raise TextureError(f"mask is {got}; {expected} is expected")
        x, y = view.tables(texture.width, texture.height)
        # by object: drivers give the name of a deleted texture again
        depends = (texture, texture.version, mask and (mask, mask.version), view.source, view.size, view.magnify)
        if depends != self._drawn_rows:
            self._result.resize(*view.size)
            self._draw_rows(texture, mask, x, y)
            self._drawn_rows, self._drawn = depends, None
        look = (view.tone, view.brightness, view.background)
        if look != self._drawn:
            self._draw_columns(texture, view, y)
            self._drawn = look

    def _draw_rows(self, texture: FloatTexture, mask: FloatTexture | None, x: AxisTable, y: AxisTable) -> None:
        self._rows.resize(len(x.start), y.last - y.first)
        self._x.show_axis(x)
        self._y.show_axis(y)
        uniforms = {
            "taps": x.weights.shape[1], "pixel_step": texture.pixel_step, "channel_step": texture.channel_step,
            "channels": min(texture.channels, 3), "masked": int(mask is not None), "width": texture.width, "first_row": y.first,
        }  # fmt: skip
        textures = {"table": self._x.name, "picture": texture.name, "validity": mask.name if mask else texture.name}
        self._run(program(_ROWS), self._rows, uniforms, textures)

    def _draw_columns(self, texture: FloatTexture, view: PictureView, y: AxisTable) -> None:
        channels = min(texture.channels, 3)
        self._colors.show_colormap(view.tone.colormap if channels == 1 else "gray")
        uniforms = {
            "taps": y.weights.shape[1], "height": texture.height, "first_row": y.first, "channels": channels,
            "tone": view.tone.affine(channels), "brightness": float(view.brightness), "masked_brightness": MASKED,
            "background": view.background, "not_finite": NOT_FINITE,
        }  # fmt: skip
        textures = {"table": self._y.name, "rows": self._rows.name, "columns": self._x.name, "colormap": self._colors.name}
        self._run(program(_COLUMNS), self._result, uniforms, textures)

    def _run(self, shader: Program, target: Target, uniforms: dict[str, Any], textures: dict[str, int]) -> None:
        with target.bound():
            shader.run(uniforms, textures)
        self.passes += 1

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in framebuffer pixels; (0, 0) before the first draw."""
        return self._result.size

    @property
    def name(self) -> int:
        """Of the GL texture that holds the result, its top row first."""
        return self._result.name

    @property
    def ref(self) -> imgui.ImTextureRef:
        """For `draw_list.add_image` and `implot.plot_image`; the top row of the picture is at v = 0."""
        return imgui.ImTextureRef(self._result.name)

    def show(self, framebuffer_scale: float = 1.0) -> None:
        """An ImGui item at the cursor, moved to the pixel grid, one texel per framebuffer pixel."""
        at = imgui.get_cursor_screen_pos()
        imgui.set_cursor_screen_pos(
            (round(at.x * framebuffer_scale) / framebuffer_scale, round(at.y * framebuffer_scale) / framebuffer_scale)
        )
        imgui.image(self.ref, (self.size[0] / framebuffer_scale, self.size[1] / framebuffer_scale))

    def read(self) -> np.ndarray:
        """The pixels as drawn, uint8 [height, width, 3] (waits for the GPU)."""
        with self._result.bound():
            return read_pixels(*self.size)

    def delete(self) -> None:
        for part in (self._rows, self._result, self._x, self._y, self._colors):
            part.delete()
        self._drawn_rows = self._drawn = None

    def __enter__(self) -> PicturePainter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.delete()
