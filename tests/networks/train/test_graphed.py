"""Steps replayed as a CUDA graph are plain steps; what they are given is what plain steps draw."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from networks.build import build
from networks.noise import GivenNoise, fresh_noise
from networks.train.forward import Pass, picture
from networks.train.options import Options
from networks.train.processes import Processes
from networks.train.supervised import SupervisedTraining, noise_shapes
from tests.networks.train.conftest import tiny


@pytest.mark.parametrize("config", ["A", "B", "T"])
@torch.no_grad()
def test_noise_that_is_given_is_the_noise_of_the_seed(config: str, globe_map: Path, tmp_path: Path) -> None:
    network = build(tiny(f"globes:{globe_map}", tmp_path, config=config).resolved().generator_at(0), seed=0)
    shapes = noise_shapes(network)
    assert len(shapes) == (5 if config in "AB" else 0)  # two a block, one in the first: 4, 8, 16 pixels
    for module in network.modules():
        if hasattr(module, "noise_strength"):
            module.noise_strength.fill_(1.0)
    ws = network.map(torch.ones(2, network.z_dim))
    images = {name: fresh_noise(5, name, (2, 1, *shape)) for name, shape in shapes.items()}
    given, drawn = picture(network, ws, Pass(GivenNoise(images))), picture(network, ws, Pass(5))
    assert torch.equal(given, drawn)
    assert not shapes or not torch.equal(drawn, picture(network, ws, Pass(6)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("config, moves", [("R", 0.75), ("T", 0.0), ("B", 0.75)])
def test_a_replayed_step_is_a_plain_step(config: str, moves: float, globe_map: Path, tmp_path: Path, caplog) -> None:
    options = tiny(f"globes:{globe_map}", tmp_path, config=config, moves=moves, images=4000)
    with caplog.at_level(logging.INFO, logger="networks.train.graphed"):
        replayed, plain = (_losses(replace(options, graph=graph), steps=30) for graph in (True, False))
    assert "steps are replayed as a CUDA graph" in caplog.text
    assert len(set(replayed)) == 30  # none was replayed with the numbers of another
    assert max(abs(a - b) / b for a, b in zip(replayed, plain)) < 1e-3


def _losses(options: Options, steps: int) -> list[float]:
    options = options.resolved()
    training = SupervisedTraining(options, Processes(device=torch.device("cuda", 0)))
    batch = options.batch or 1
    return [float(training.step(number, number * batch)["loss"]) for number in range(steps)]
