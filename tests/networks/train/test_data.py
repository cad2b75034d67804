"""Pictures in folders and zips, and all that can be wrong with them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from networks.train.errors import DataError
from networks.train.options import Options
from networks.train.pictures import Pictures, find
from networks.train.processes import Draws, Processes


def write(path: Path, width: int = 16, height: int = 16, value: int | None = None) -> Path:
    rows = (
        np.random.default_rng(len(str(path))).integers(0, 255, (height, width, 3)) if value is None else np.full((height, width, 3), value)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rows.astype(np.uint8)).save(path)
    return path


def pictures(folder: Path, **changes: Any) -> Pictures:
    return Pictures(Options(**{"data": str(folder), "resolution": 16, "batch": 4, **changes}))


def batch(source: Pictures, number: int, size: int = 4, processes: Processes | None = None) -> torch.Tensor:
    return source.batch(Draws(0, number, size, processes or Processes()), number * size, 0)


def test_an_epoch_shows_each_picture_once(tmp_path: Path) -> None:
    for value in range(8):
        write(tmp_path / f"{value}.png", value=value * 30)
    source = pictures(tmp_path)
    shown = [torch.cat([batch(source, number)[:, 0, 0, 0] for number in (2 * epoch, 2 * epoch + 1)]) for epoch in (0, 1)]
    expected = torch.arange(8) * 30 / 127.5 - 1
    assert all(torch.equal(epoch.sort().values, expected) for epoch in shown) and not torch.equal(*shown)
    parts = [batch(source, 1, processes=Processes(rank, 2)) for rank in (0, 1)]
    assert torch.equal(torch.cat(parts), batch(source, 1))


def test_photographs_stand_upright(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(40, dtype=np.uint8)[:, None, None] * 6, 80, axis=1).repeat(3, axis=2)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # turned a quarter clockwise for display
    Image.fromarray(ramp).save(tmp_path / "photo.jpg", exif=exif)
    source = pictures(tmp_path, crop=1.0)
    upright = source.picture(0)
    assert source.sizes == [(40, 80)] and upright.shape == (3, 64, 32)  # never more than twice what crops can use
    assert int(upright[0, 32, 0]) > 200 > 20 > int(upright[0, 32, -1])


def test_crops_lie_inside_and_are_mirrored_half_of_the_time(tmp_path: Path) -> None:
    ramp = np.zeros((40, 80, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(80) * 3, (np.arange(40) * 6)[:, None]
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    shown = batch(pictures(tmp_path, crop=0.5, x_flip=True), 0, 200)
    assert shown.shape == (200, 3, 16, 16) and float(shown.abs().max()) <= 1
    across = shown[:, 0, 8, -1] - shown[:, 0, 8, 0]  # rises, or falls where mirrored, by what the crop is wide
    assert 70 < int((across < 0).sum()) < 130
    widths = across.abs() * 127.5 / 3 * 16 / 15
    assert float(widths.min()) > 18 and float(widths.max()) < 42 and float(widths.std()) > 3
    assert bool((shown[:, 1, -1, 8] > shown[:, 1, 0, 8]).all())
    same = batch(pictures(tmp_path, crop=0.5, x_flip=True), 0, 200)
    assert torch.equal(shown, same)


def test_a_zip_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    for name in ("b/2.png", "a.png", "notes.txt"):
        if name.endswith("png"):
            write(folder / name, 24, 24)
    (folder / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    opened, archive_of = [], zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda path: (opened.append(path), archive_of(path))[1])
    one, other = pictures(folder), pictures(tmp_path / "all.zip")
    assert len(opened) == 1  # its list, which may be of a million names, is read once
    assert [entry.name for entry in one.entries] == [entry.name for entry in other.entries] == ["a.png", "b/2.png"]
    assert torch.equal(batch(one, 0), batch(other, 0))


def test_a_zip_that_was_spoilt_names_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(write(tmp_path / "a.png", 64, 64), "a.png")
    content = bytearray(path.read_bytes())
    content[35] = 0xFF  # the first byte of the picture: a kind of block that there is not
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"picture 'a.png' in '.*all.zip' cannot be read: "):
        pictures(path)


def test_grey_and_transparent_pictures_are_made_rgb(tmp_path: Path) -> None:
    Image.new("L", (16, 16), 100).save(tmp_path / "a.png")
    Image.new("RGBA", (16, 16), (100, 100, 100, 0)).save(tmp_path / "b.png")
    shown = pictures(tmp_path).examples(2)
    assert shown.shape == (2, 3, 16, 16) and sorted(shown.amax(dim=(1, 2, 3)).tolist()) == pytest.approx([100 / 127.5 - 1, 1.0])


def test_bad_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder or zip '.*nowhere'"):
        find(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty' holds no pictures"):
        find(tmp_path / "empty")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(DataError, match=r"text\.zip' is neither a folder nor a zip"):
        find(tmp_path / "text.zip")


def test_mixed_sizes_are_named_unless_wanted(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    for name in ("b", "c"):
        write(tmp_path / f"{name}.png", 32, 32)
    with pytest.raises(DataError, match=r"mixed sizes: 'a.png' has 16x16, 'b.png' 32x32 and 1 others differ\. --mixed-sizes"):
        pictures(tmp_path)
    assert pictures(tmp_path, mixed_sizes=True).examples(3).shape == (3, 3, 16, 16)


def test_pictures_that_do_not_fit_are_named(tmp_path: Path) -> None:
    write(tmp_path / "wide.png", 40, 20)
    with pytest.raises(DataError, match=r"'wide.png' has 40x20: it is not square\. --crop"):
        pictures(tmp_path)
    with pytest.raises(DataError, match=r"'wide.png' has 40x20, less than --resolution 32"):
        pictures(tmp_path, resolution=32)
    assert pictures(tmp_path, crop=1.0).examples(1).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("spoil", ["header", "truncated"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_corrupt_picture_is_found_at_the_start(spoil: str, packed: bool, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    write(folder / "a.png")
    path = write(folder / "bad.png")
    content = path.read_bytes()
    path.write_bytes(b"nonsense" + content[8:] if spoil == "header" else content[: len(content) // 2])
    source = folder
    if packed:
        source = tmp_path / "pictures.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for name in ("a.png", "bad.png"):
                archive.write(folder / name, name)
    with pytest.raises(DataError, match=r"picture 'bad.png' in '.*' is corrupt: .*Repair or remove it"):
        pictures(source)


def test_large_sets_are_read_when_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pictures come, and a file that broke meanwhile is named."""
    for value in range(4):
        write(tmp_path / f"{value}.png", value=value * 60)
    kept = batch(pictures(tmp_path), 0)
    monkeypatch.setattr("networks.train.pictures.MOST_CACHED_BYTES", 0)
    source = pictures(tmp_path)
    assert torch.equal(batch(source, 0), kept)
    (tmp_path / "2.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"'2.png'"):
        batch(source, 0)
