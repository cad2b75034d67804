"""The Fréchet distance during training: in the log, in the model card and in the ladder's table, with the label of its features."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F

from networks.ladder.__main__ import main as ladder
from networks.loading import load
from networks.train.loop import Run, train
from networks.train.processes import Processes, generator_for
from tests.networks.train.conftest import tiny

COUNT = 24


class Quarters(torch.nn.Module):
    """Mean colours of the four quarters."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.adaptive_avg_pool2d(x, 2).flatten(1)


pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit")


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("features") / "quarters.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(Quarters(), torch.zeros(2, 3, 16, 16)).save(str(path))  # pyright: ignore[reportAttributeAccessIssue]
    return f"torchscript:{path}"


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """By its definition, with a square root of a matrix."""
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T))
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * np.real(root)))


@pytest.mark.parametrize("kind", ["pictures", "globes"])
def test_each_snapshot_says_how_far_its_pictures_are_from_real_ones(
    kind: str, features: str, photos: Path, globe_map: Path, tmp_path: Path
) -> None:
    data = photos if kind == "pictures" else f"globes:{globe_map}"
    changes = {"lr_g": 0.05} | ({"crop": 0.8} if kind == "pictures" else {})  # a step that shows in six digits
    run = train(tiny(data, tmp_path, config="T", images=16, snapshot_every=8, frechet=features, frechet_images=COUNT, **changes))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    told = [line for line in lines if "frechet_torchscript" in line]
    assert [line["images"] for line in told] == [8, 16] and told[0]["frechet_torchscript"] != told[1]["frechet_torchscript"]
    assert told[-1]["frechet_torchscript_label"].startswith("Fréchet distance over the features of quarters.pt")
    loaded = load(tmp_path / "snapshot.safetensors")
    assert loaded.metadata["training"]["frechet_torchscript"] == pytest.approx(told[-1]["frechet_torchscript"], rel=1e-5)
    z = torch.randn(COUNT, loaded.network.z_dim, generator=generator_for(2, "measured"))
    parts = [*(run.training.pictures.parts(COUNT) if kind == "pictures" else run.training._globes(COUNT))]  # type: ignore[attr-defined]
    assert max(len(part) for part in parts) <= 16 < COUNT  # so many of 1024 x 1024 would be gigabytes
    real = torch.cat(parts)
    both = [
        F.adaptive_avg_pool2d((x.clamp(-1, 1) + 1) * 127.5, 2).flatten(1) for x in (real, loaded.network.synthesize(loaded.network.map(z)))
    ]
    a, b = (values.double().numpy() for values in both)
    assert told[-1]["frechet_torchscript"] == pytest.approx(distance(a, b), rel=1e-3)


def test_a_figure_can_be_asked_for_when_a_run_goes_on(features: str, photos: Path, tmp_path: Path) -> None:
    changes = {"config": "T", "crop": 0.8}
    train(tiny(photos, tmp_path, **changes))
    Run(tiny(photos, tmp_path, frechet=features, frechet_images=COUNT, **changes), Processes(), resume=True).go(quiet=True)
    assert load(tmp_path / "snapshot.safetensors").metadata["training"]["frechet_torchscript"] > 0


def test_the_ladder_shows_it_with_its_label(features: str, globe_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--rungs", "T", "--resolution", "16", "--samples", "1", "--capacity", "0.02", "--layers", "4"]
    wanted = ["--frechet", features, "--frechet-images", str(COUNT)]
    ladder(["--train", f"globes:{globe_map}", "--images", "8", "--out", str(tmp_path), *small, *wanted])
    head, line, label = (
        text for text in capsys.readouterr().out.splitlines() if text.startswith((" " * 20, "T ", "Fréchet")) and "here" not in text
    )
    assert head.split()[:7] == ["parameters", "ms/image", "EQ-T", "EQ-T_frac", "EQ-R", "PSNR", "Fréchet"]
    card = load(tmp_path / "t" / "snapshot.safetensors").metadata["training"]
    shown = line.partition("|")[0].split()[-2:]
    assert shown == [f"{card['psnr_db']:.2f}", f"{card['frechet_torchscript']:.3g}"]
    assert f"{COUNT} pictures of each" in label and card["options"]["num_layers"] == 4 and card["options"]["moves"] == 0
