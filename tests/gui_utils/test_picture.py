"""The shader draws what its numpy twin computes, and draws only what has changed."""

import numpy as np
import pytest

from gui_utils import gl
from gui_utils.composition import Composition, Part
from gui_utils.errors import TextureError
from gui_utils.picture import PicturePainter
from gui_utils.sampling import MAGNIFY
from gui_utils.shader import Program, ShaderError, program
from gui_utils.texture import ByteTexture, FloatTexture
from gui_utils.tone import COLORMAPS, PictureView, ToneMap, paint

pytestmark = pytest.mark.window


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((height, width, channels)).astype(np.float32) * 0.5


def assert_same(texture_values: np.ndarray, view: PictureView, mask: np.ndarray | None = None) -> np.ndarray:
    with FloatTexture(texture_values) as texture, PicturePainter() as picture:
        mask_texture = FloatTexture(mask) if mask is not None else None
        picture.draw(texture, view, mask_texture)
        drawn = picture.read()
        if mask_texture is not None:
            mask_texture.delete()
    expected = paint(texture_values, view, mask)
    assert drawn.shape == (view.size[1], view.size[0], 3) == expected.shape
    assert np.abs(drawn.astype(int) - expected).max() <= 1
    return drawn


SOURCES = {  # source rectangle, size on screen, for a picture of 60 x 40 samples
    "1:1": ((0, 0, 60, 40), (60, 40)), "larger": ((0, 0, 60, 40), (131, 97)), "smaller": ((0, 0, 60, 40), (23, 17)),
    "part": ((10.25, 3.5, 31.75, 20.125), (90, 70)), "beyond": ((-7.3, -9.9, 71.1, 44.4), (50, 45)), "one pixel": ((0, 0, 60, 40), (1, 1)),
    "outside": ((100, 100, 120, 120), (20, 20)), "wide": ((0, 0, 60, 40), (15, 160)),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("magnify", MAGNIFY)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_shader_equals_numpy(window, name, magnify, channels):
    source, size = SOURCES[name]
    assert_same(noise(40, 60, channels), PictureView(source, size, ToneMap(gain=1.3, offset=0.1), magnify))


@pytest.mark.parametrize("colormap", COLORMAPS)
@pytest.mark.parametrize("signed", [True, False])
def test_shader_equals_numpy_for_every_colormap(window, colormap, signed):
    ramp = np.linspace(-1.5, 1.5, 300, dtype=np.float32)[None].repeat(4, axis=0)
    drawn = assert_same(ramp, PictureView((0, 0, 300, 4), (300, 4), ToneMap(colormap=colormap, signed=signed)))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 80  # it is a ramp, not a constant


def test_shader_equals_numpy_with_mask_marks_and_brightness(window):
    values = noise(40, 60, 3)
    values[3, 4, 0], values[20, 30, 2], values[30, 50, 1] = np.nan, np.inf, -np.inf
    mask = (noise(40, 60, 1)[:, :, 0] > 0).astype(np.float32)
    for source, size in SOURCES.values():
        drawn = assert_same(values, PictureView(source, size, brightness=0.6), mask)
    assert_same(values, PictureView((0, 0, 60, 40), (25, 16)))
    drawn = assert_same(values, PictureView((0, 0, 60, 40), (60, 40)))
    assert (drawn == [255, 0, 255]).all(axis=2).sum() == 3


def test_huge_values_are_clipped_not_marked(window):
    values = np.array([[1e30, -1e30, 3.2e37]], np.float32)
    drawn = assert_same(values, PictureView((0, 0, 3, 1), (3, 1)))
    assert drawn[0, :, 0].tolist() == [255, 0, 255] and drawn[0, :, 1].tolist() == [255, 0, 255]


def test_channels_first_memory_is_shown_like_interleaved(window):
    chw = np.ascontiguousarray(noise(40, 60, 3).transpose(2, 0, 1))
    view = PictureView((0, 0, 60, 40), (60, 40))
    with FloatTexture(chw.transpose(1, 2, 0)) as planar, PicturePainter() as picture:
        assert planar.channel_step == (0, 40)  # taken as it is: planes above each other
        picture.draw(planar, view)
        drawn = picture.read()
    assert (drawn == assert_same(np.ascontiguousarray(chw.transpose(1, 2, 0)), view)).all()


def test_only_what_changed_is_drawn(window):
    with FloatTexture(noise(40, 60, 1)) as texture, PicturePainter() as picture:
        view = PictureView((0, 0, 60, 40), (120, 80))
        picture.draw(texture, view)
        assert picture.passes == 2
        picture.draw(texture, view)
        assert picture.passes == 2  # nothing
        picture.draw(texture, PictureView(view.source, view.size, ToneMap(gain=2, colormap="magma")))
        assert picture.passes == 3  # tone: the second pass only
        picture.draw(texture, PictureView((1, 0, 60, 40), view.size))
        assert picture.passes == 5
        texture.upload(noise(40, 60, 1) + 1)
        picture.draw(texture, PictureView((1, 0, 60, 40), view.size))
        assert picture.passes == 7


def test_a_picture_that_returns_to_an_older_state_is_drawn_anew(window):
    """Two textures drawn in turn by one painter: each time the right one is shown."""
    view = PictureView((0, 0, 8, 8), (8, 8))
    with FloatTexture(np.ones((8, 8))) as white, FloatTexture(-np.ones((8, 8))) as black, PicturePainter() as picture:
        for texture, level in ((white, 255), (black, 0), (white, 255)):
            picture.draw(texture, view)
            assert (picture.read() == level).all()


def test_drawing_leaves_the_windows_framebuffer_bound(window):
    with FloatTexture(np.zeros((8, 8))) as texture, PicturePainter() as picture:
        picture.draw(texture, PictureView((0, 0, 8, 8), (8, 8)))
        assert int(gl.glGetIntegerv(gl.GL_DRAW_FRAMEBUFFER_BINDING)) == 0


def test_resizing_and_redrawing_makes_no_more_objects(window):
    with FloatTexture(noise(40, 60, 3)) as texture, PicturePainter() as picture:
        picture.draw(texture, PictureView((0, 0, 60, 40), (50, 50)))
        from gui_utils.texture import live_objects

        before = live_objects()
        for i in range(60):
            texture.upload(noise(40 + i % 3, 60, 3))
            picture.draw(texture, PictureView((0, 0, 60, 40), (50 + i, 70 - i)))
        assert live_objects() == before


def test_an_empty_texture_and_a_mask_of_another_size_are_refused(window):
    with (
        FloatTexture() as empty,
        FloatTexture(noise(8, 8, 1)) as texture,
        FloatTexture(noise(4, 8, 1)) as mask,
        PicturePainter() as picture,
    ):
        with pytest.raises(TextureError, match="empty"):
            picture.draw(empty, PictureView((0, 0, 8, 8), (8, 8)))
        with pytest.raises(TextureError, match="mask is 8 x 4, 1; 8 x 8"):
            picture.draw(texture, PictureView((0, 0, 8, 8), (8, 8)), mask)


def test_a_faulty_shader_shows_the_drivers_message(window):
    with pytest.raises(ShaderError, match=r"fragment shader: .*nonsense"):
        program("#version 330 core\nout vec4 r; void main() { r = nonsense; }")


def test_another_texture_of_the_same_name_is_another_picture(window):
    first, second = noise(8, 8, 3), -noise(8, 8, 3)
    view = PictureView((0, 0, 8, 8), (8, 8))
    with PicturePainter() as picture, FloatTexture(first) as texture:
        picture.draw(texture, view)
        again = FloatTexture()
        again._texture = texture._texture  # as drivers do when the first one was deleted
        again.upload(second)
        assert (again.name, again.version) == (texture.name, texture.version)
        picture.draw(again, view)
        assert np.abs(picture.read().astype(int) - paint(second, view)).max() <= 1


def test_what_fails_while_parts_are_composed_leaves_no_scissors_and_the_whole_is_opaque(window, monkeypatch):
    composition, white = Composition(), ByteTexture(np.full((4, 4, 3), 255, np.uint8))
    part = Part(white.name, (0, 0), (0, 0, 2, 4), opacity=0.25)
    try:
        gl.glBindTexture(gl.GL_TEXTURE_2D, composition.draw((4, 4), [part]))
        drawn = np.frombuffer(gl.glGetTexImage(gl.GL_TEXTURE_2D, 0, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE), np.uint8).reshape(4, 4, 4)
        assert (drawn[:, :, 3] == 255).all() and (drawn[:, :2, :3] == 64).all() and (drawn[:, 2:, :3] == 0).all()
        monkeypatch.setattr(Program, "run", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            composition.draw((4, 4), [part])
        assert not gl.glIsEnabled(gl.GL_SCISSOR_TEST) and not gl.glIsEnabled(gl.GL_BLEND)
    finally:
        composition.delete()
        white.delete()
