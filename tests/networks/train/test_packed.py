"""What a step is given, in one piece and ahead of time; crops resized by matrix products."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from networks.train.crops import resized
from networks.train.options import Options
from networks.train.packed import Ahead, packed
from networks.train.pictures import Pictures
from networks.train.processes import Draws, Processes


@pytest.mark.parametrize("changes", [{"crop": 0.4}, {"crop": 0.4, "resolution": 32}, {"crop": None}])
def test_crops_by_matrices_are_those_of_torch(changes: dict, tmp_path: Path) -> None:
    """Larger and smaller than the resolution, mirrored or not, at every border."""
    size = (40, 40) if changes["crop"] is None else (60, 40)
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    pictures = Pictures(Options(data=str(tmp_path), **{"resolution": 16, "x_flip": True, **changes}))
    draws, pixels = Draws(0, 5, 64, Processes()), pictures.together()
    assert pixels is not None and len(pixels) == 3
    crops = pictures.crops(draws, 7, 0)
    assert 0 < int(crops[:, 4].sum()) < 64
    torch.testing.assert_close(resized(pixels, crops, pictures.resolution), pictures.batch(draws, 7, 0), rtol=0, atol=2e-5)


def test_what_is_packed_comes_out_as_it_was() -> None:
    values = {"z": torch.randn(3, 5), "flags": torch.tensor([True, False, True]), "crops": torch.arange(10).reshape(2, 5), "keep": 0.25}
    one, other = packed(values, pinned=False), packed({**values, "keep": 0.5}, pinned=False)
    views = one.views(one.data.clone())
    assert all(torch.equal(views[name], value) for name, value in values.items() if isinstance(value, torch.Tensor))
    assert views["keep"].shape == () and float(views["keep"]) == 0.25
    assert one.form == other.form != packed({**values, "z": torch.randn(4, 5)}, pinned=False).form


def test_the_next_step_is_made_by_another_thread_and_only_if_it_is_the_next() -> None:
    made: list[tuple[int, int, bool]] = []

    def make(number: int, images: int) -> int:
        made.append((number, images, threading.current_thread() is threading.main_thread()))
        return 100 * number + images

    ahead = Ahead(make, wanted=True)
    assert [ahead.take(n, 4 * n, 4) for n in (0, 1, 2, 7)] == [0, 104, 208, 728]
    assert {entry[:2] for entry in made if not entry[2]} >= {(1, 4), (2, 8)} and [entry[0] for entry in made if entry[2]] == [0, 7]
    ahead.forget()
    assert ahead.take(8, 32, 4) == 832 and (8, 32, True) in made
