"""Captured pictures restore the view; nothing half-written is ever left."""

import errno

import numpy as np
import pytest
from PIL import Image

from viz import capture
from viz.export import film_file
from viz.state import Latent, Pose, StateError, ViewState

VIEW = ViewState().edit(Latent, x=12.25).edit(Pose, turns=0.125)


def test_a_captured_png_restores_its_view(tmp_path):
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    path = capture.save_png(tmp_path / "new" / "a.png", pixels, VIEW)
    assert film_file.read(path).views == (VIEW,)
    assert np.array_equal(np.asarray(Image.open(path)), pixels)


def test_json_restores_its_view(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(VIEW.to_json())
    assert film_file.read(path).views == (VIEW,)


@pytest.mark.parametrize(("name", "content"), [("a.png", b"junk"), ("a.json", b"\xff\xfe"), ("a.json", b"{}"), ("a.txt", b"hello")])
def test_other_files_are_refused_with_a_sentence(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(StateError):
        film_file.read(path)


def test_a_png_of_another_program_holds_no_view(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(StateError, match="holds no session"):
        film_file.read(tmp_path / "a.png")


def test_numbers_go_on_after_the_largest(tmp_path):
    assert capture.next_number(tmp_path / "none").name == "00000.png"
    for name in ("00000.png", "00041.png", "99.png", "x.png"):
        (tmp_path / name).touch()
    assert capture.next_number(tmp_path).name == "00042.png"


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = capture.save_png(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8), None)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        capture.save_png(path, np.ones((2, 2, 3), np.uint8), VIEW)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_raw_values_are_float32(tmp_path):
    capture.save_npy(tmp_path / "a.npy", np.linspace(-2, 2, 12).reshape(3, 2, 2))
    raw = np.load(tmp_path / "a.npy")
    assert raw.dtype == np.float32 and raw.shape == (3, 2, 2) and raw.min() == -2
