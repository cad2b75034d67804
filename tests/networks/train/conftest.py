"""Tiny runs: pictures of 16 x 16 made here, networks of a few thousand weights, two steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from networks.train.options import Options

TINY = {"resolution": 16, "z_dim": 8, "w_dim": 8, "channel_base": 64, "channel_max": 6, "d_channel_base": 64, "d_channel_max": 6}
ALIAS_FREE_LAYERS = 4


@pytest.fixture(autouse=True)
def _one_thread():
    """Several runs of the tests may share two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of ten smooth pictures, 20 x 20."""
    folder = tmp_path_factory.mktemp("photos")
    y, x = np.mgrid[0:20, 0:20] / 20
    for number in range(10):
        waves = [np.sin(6 * x * (number + 1) / 5 + phase) * np.cos(4 * y + number) for phase in (0, 1, 2)]
        Image.fromarray((np.stack(waves, 2) * 100 + 128).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def globe_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map of 64 x 32 that differs everywhere."""
    path = tmp_path_factory.mktemp("maps") / "world.png"
    y, x = np.mgrid[0:32, 0:64]
    Image.fromarray(np.stack([x * 4, y * 8, (x * y) % 256], 2).astype(np.uint8)).save(path)
    return path


def tiny(data: Path | str, out: Path, **changes: Any) -> Options:
    """Two steps of four images."""
    layers = {"num_layers": ALIAS_FREE_LAYERS} if changes.get("config", "T") in "TR" else {}
    return Options(data=str(data), out=str(out), **{**TINY, **layers, "images": 8, "batch": 4, "log_every": 4, **changes})
