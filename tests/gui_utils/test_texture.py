"""Textures: storage kept while the size stays, every object counted, clear refusals."""

import numpy as np
import pytest

from gui_utils import gl
from gui_utils.errors import TextureError
from gui_utils.texture import KEPT_FRAMES, ByteTexture, FloatTexture, Pool, live_objects

pytestmark = pytest.mark.window


def test_storage_is_reallocated_only_when_the_size_changes(window):
    with FloatTexture() as texture:
        for i in range(5):
            texture.upload(np.full((10, 20, 3), i, np.float32))
        assert (texture.allocations, texture.version) == (1, 5)
        texture.upload(np.zeros((11, 20, 3), np.float32))
        assert texture.allocations == 2
        assert live_objects()["texture"] == 1


def test_the_same_array_is_not_uploaded_twice(window):
    values = np.zeros((4, 4), np.float32)
    with FloatTexture() as texture:
        texture.show(values)
        texture.show(values)
        assert texture.version == 1
        texture.show(values.copy())
        assert texture.version == 2


@pytest.mark.parametrize("shape", [(0, 4), (4,), (4, 4, 5), (2, 4, 4, 3), (4, 4, 0)])
def test_what_is_no_picture_is_refused_with_its_shape(window, shape):
    with pytest.raises(TextureError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        FloatTexture(np.zeros(shape, np.float32))


def test_a_picture_beyond_the_drivers_limit_is_refused(window):
    limit = int(gl.glGetIntegerv(gl.GL_MAX_TEXTURE_SIZE))
    with FloatTexture() as texture, pytest.raises(TextureError, match=f"1 to {limit} a side"):
        texture.upload(np.zeros((1, limit + 1), np.float32))


def test_float_values_arrive_unchanged(window):
    values = np.random.default_rng(0).standard_normal((5, 7, 3)).astype(np.float32)
    with FloatTexture(values) as texture:
        gl.glBindTexture(gl.GL_TEXTURE_2D, texture.name)
        stored = np.asarray(gl.glGetTexImage(gl.GL_TEXTURE_2D, 0, gl.GL_RED, gl.GL_FLOAT)).reshape(5, 7, 3)
    assert (stored == values).all()


def test_bytes_of_three_channels_become_opaque(window):
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    with ByteTexture(values) as texture:
        gl.glBindTexture(gl.GL_TEXTURE_2D, texture.name)
        stored = np.frombuffer(gl.glGetTexImage(gl.GL_TEXTURE_2D, 0, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE), np.uint8).reshape(5, 7, 4)
        with pytest.raises(TextureError, match="float32"):
            texture.upload(values.astype(np.float32))
    assert (stored[:, :, :3] == values).all() and (stored[:, :, 3] == 255).all()


def test_a_pool_deletes_what_no_frame_asks_for(window):
    pool = Pool(keep_frames=2)
    first = pool.get("a", lambda: FloatTexture(np.zeros((2, 2))))
    for _ in range(5):
        assert pool.get("a", FloatTexture) is first
        pool.get("b", lambda: ByteTexture(np.zeros((2, 2, 3), np.uint8))) if _ == 0 else None
        pool.end_frame()
    assert len(pool) == 1 and live_objects()["texture"] == 1
    pool.delete()
    assert "texture" not in live_objects()


def test_deleting_twice_is_harmless(window):
    texture = FloatTexture(np.zeros((2, 2)))
    texture.delete()
    texture.delete()
    assert "texture" not in live_objects()
    texture.upload(np.zeros((2, 2)))  # and it can be used again
    assert texture.allocations == 2
    texture.delete()


def test_textures_are_let_go_when_nobody_shows_them(window):
    before = live_objects().get("texture", 0)
    images, pixels = Pool(), np.zeros((4, 4, 3), np.uint8)
    with window.frame():
        images.get("a", ByteTexture).show(pixels)
        images.get("b", ByteTexture).show(pixels)
    for _ in range(KEPT_FRAMES):
        images.end_frame()
        images.get("b", ByteTexture).show(pixels)
    assert "a" in images and "b" in images
    images.end_frame()
    assert "a" not in images and "b" in images and live_objects()["texture"] == before + 1
    images.get("a", ByteTexture).show(pixels)  # and comes back
    images.drop("b")
    images.drop("b")
    assert live_objects()["texture"] == before + 1
    images.delete()
    assert live_objects().get("texture", 0) == before
