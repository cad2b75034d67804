"""Whatever is wrong with a picture's file is an OSError: who opens one needs to know no other."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from torch_utils.picture_file import is_on_white, opened_picture, rgb_of


def png() -> bytes:
    data = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(data, format="PNG")
    return data.getvalue()


DAMAGE = {
    "no picture": lambda whole: b"hello",
    "cut off": lambda whole: whole[:200],
    "a damaged header": lambda whole: whole[:20] + b"\xff" + whole[21:],  # its check sum is wrong: a SyntaxError of Pillow's
    "pixels that are no text": lambda whole: whole[:41] + bytes(100) + whole[141:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_file_is_an_error_of_the_file(damage, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(DAMAGE[damage](png()))
    with pytest.raises(OSError), opened_picture(path) as picture:
        picture.load()


def test_an_immense_picture_is_one_too(tmp_path, monkeypatch):
    (tmp_path / "picture.png").write_bytes(png())
    with opened_picture(tmp_path / "picture.png") as picture:
        assert picture.size == (64, 64)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    with pytest.raises(OSError, match="exceeds limit"), opened_picture(tmp_path / "picture.png"):
        pass
    with pytest.raises(FileNotFoundError), opened_picture(tmp_path / "none.png"):
        pass


RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)  # every value of 8 bits


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", ".png"), ("RGB", ".png"), ("RGBA", ".png"), ("LA", ".png"), ("P", ".png"), ("RGB", ".tiff")]
)
def test_a_picture_is_rgb_whatever_holds_it(mode, suffix, tmp_path):
    Image.fromarray(RAMP).convert(mode).save(tmp_path / f"a{suffix}")
    with opened_picture(tmp_path / f"a{suffix}") as picture:
        assert np.array_equal(np.asarray(rgb_of(picture)), np.repeat(RAMP[..., None], 3, axis=2))


@pytest.mark.parametrize("kind", ["RGBA", "LA", "one grey", "palette"])
def test_what_is_transparent_stands_on_white_and_that_is_known(kind, tmp_path):
    grey = Image.fromarray(RAMP)
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[:4] = 0
    if kind == "one grey":
        grey.save(tmp_path / "a.png", transparency=7)
        alpha[:], alpha[0, 7] = 255, 0
    elif kind == "palette":
        alpha[:], alpha[0, 7] = 255, 51
        grey.convert("P").save(tmp_path / "a.png", transparency=bytes([*[255] * 7, 51]))
    else:
        alpha[4:5] = 51
        grey = grey.convert(kind)
        grey.putalpha(Image.fromarray(alpha))
        grey.save(tmp_path / "a.png")
    wanted = np.round(255 - (255.0 - RAMP) * (alpha / 255))
    with opened_picture(tmp_path / "a.png") as picture:
        found = rgb_of(picture)
        assert is_on_white(found) and is_on_white(found.crop((0, 0, 4, 4)).resize((2, 2)))
        assert np.abs(np.asarray(found) - wanted[..., None]).max() <= 1
    Image.fromarray(RAMP).convert("RGBA").save(tmp_path / "b.png")
    with opened_picture(tmp_path / "b.png") as picture:
        assert not is_on_white(rgb_of(picture))  # nothing shows through


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_grey_of_16_bits_keeps_its_shades(suffix, tmp_path):
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(tmp_path / f"a{suffix}")
    with opened_picture(tmp_path / f"a{suffix}") as picture:
        assert np.array_equal(np.asarray(rgb_of(picture)), np.repeat(RAMP[..., None], 3, axis=2))


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_values_without_a_white_are_refused(kind, tmp_path):
    Image.fromarray(RAMP.astype(kind)).save(tmp_path / "a.tiff")
    with opened_picture(tmp_path / "a.tiff") as picture, pytest.raises(OSError, match="nothing says which of them is white"):
        rgb_of(picture)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Ghostscript is a shell script")
@pytest.mark.parametrize("name", ["picture.png", "picture.eps"])
def test_postscript_is_not_run_whatever_it_calls_itself(name, tmp_path, monkeypatch):
    """Pillow gives what begins like PostScript to Ghostscript, which carries it out."""
    mark, path = tmp_path / "it-ran", tmp_path / name
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # it looks once
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(OSError), Image.open(path) as picture:
        picture.load()
    assert mark.exists(), "live: otherwise what follows would prove nothing"
    mark.unlink()
    with pytest.raises(OSError, match=f"{name} is no picture of a kind that is read: PNG"), opened_picture(path) as picture:
        rgb_of(picture)
    assert not mark.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "picture.png")
    with pytest.raises(OSError, match=r"picture\.png is no file"), opened_picture(tmp_path / "picture.png"):
        pass
