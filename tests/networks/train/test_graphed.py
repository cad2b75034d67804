"""Steps replayed as a CUDA graph are plain steps; what they are given is what plain steps draw."""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from networks.build import build
from networks.noise import GivenNoise, fresh_noise
from networks.train import losses
from networks.train.forward import Pass, picture
from networks.train.given import noise_shapes
from networks.train.graphed import recorder_for
from networks.train.loop import prepare
from networks.train.options import Options
from networks.train.processes import Processes
from tests.networks.train.conftest import tiny
from tests.networks.train.pretended import DEVICE, PretendedRecorder, pretended
from tests.networks.train.tape import TapeRecorder
from torch_utils import ops

__all__ = ["pretended"]  # a fixture


@pytest.mark.parametrize("config", ["A", "B", "T"])
@torch.no_grad()
def test_noise_that_is_given_is_the_noise_of_the_seed(config: str, globe_map: Path, tmp_path: Path) -> None:
    network = build(tiny(f"globes:{globe_map}", tmp_path, config=config).resolved().generator_at(0), seed=0)
    shapes = noise_shapes(network)
    assert len(shapes) == (5 if config in "AB" else 0)  # two a block, one in the first: 4, 8, 16 pixels
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(1.0)
    ws = network.map(torch.ones(2, network.z_dim))
    images = {name: fresh_noise(5, name, (2, 1, *shape)) for name, shape in shapes.items()}
    given, drawn = picture(network, ws, Pass(GivenNoise(images))), picture(network, ws, Pass(5))
    assert torch.equal(given, drawn)
    assert not shapes or not torch.equal(drawn, picture(network, ws, Pass(6)))


# ------------------------------------------------------------------- without a GPU: a tape in place of a CUDA graph

EVERYTHING = {"augment": "ada", "ada_images": 200, "ada_target": -1.5, "style_mixing": 0.5, "path_length": 1.0, "path_every": 2,
              "r1_every": 3, "blur": 2.0, "blur_images": 48, "crop": 0.8}  # fmt: skip
CASES = {
    "globes": {"config": "R", "moves": 0.75},
    "globes with noise": {"config": "B", "moves": 0.75},
    "everything": {"config": "R", **EVERYTHING},
    "StyleGAN2": {"config": "A", "crop": 0.8, "path_every": 2, "r1_every": 2},
    "an early margin": {"config": "T", "crop": 0.8, "early_margin": 4, "early_part": 0.5, "r1_every": 2},
}
FORMS = {"globes": 1, "globes with noise": 1, "everything": 8, "StyleGAN2": 5, "an early margin": 8}


@pytest.fixture
def adam_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam as on a GPU: its rate and its counts of steps are tensors, and nothing asks for their values."""
    monkeypatch.setattr(sys.modules[torch.optim.Adam.__module__], "_get_capturable_supported_devices", lambda *_, **__: ["cpu", "cuda"])

    def settle(optimiser: torch.optim.Adam) -> None:
        for group in optimiser.param_groups:
            group["capturable"], group["foreach"] = True, True
            group["lr"] = torch.tensor(float(group["lr"]))

    monkeypatch.setattr("networks.train.generator.settle", settle)


def _trained(options: Options, recorder: TapeRecorder | None, steps: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict], list]:
    """What each step found, and all tensors at the end."""
    with monkeypatch.context() as patch:
        for module in ("adversarial", "supervised"):
            patch.setattr(f"networks.train.{module}.recorder_for", lambda *_, **__: recorder)
        training = prepare(options.resolved(), Processes())
    batch = options.resolved().batch or 1
    with ops.use("reference"):
        found = [{k: float(v) for k, v in training.step(number, number * batch).items()} for number in range(steps)]
    generator = training.generator
    return found, [*generator.current.state_dict().values(), *generator.average.state_dict().values()]


@pytest.mark.usefixtures("adam_on_the_device")
@pytest.mark.parametrize("case", CASES)
def test_replayed_computations_are_plain_ones(case: str, photos: Path, globe_map: Path, tmp_path: Path, monkeypatch) -> None:
    """Each form of each computation is recorded and replayed, with numbers of its own each time. Differences are of rounding: what is
    plain skips augmentations that do not happen, and the taps of a narrow blur that are 0; shares of averages are float32 tensors.
    """
    monkeypatch.setattr("networks.train.graphed.WARM_UP", 2)
    data = f"globes:{globe_map}" if case.startswith("globes") else photos
    options, recorder = tiny(data, tmp_path, images=96, **CASES[case]), TapeRecorder()
    (plain, weights), (replayed, weights_too) = (_trained(options, r, 24, monkeypatch) for r in (None, recorder))
    assert recorder.recorded == FORMS[case]
    assert plain[0].keys() == replayed[0].keys()
    for number, (one, other) in enumerate(zip(plain, replayed)):
        for name in one.keys() - {"sign"}:  # a rounding error away from another number
            assert other[name] == pytest.approx(one[name], rel=2e-3, abs=2e-3), (number, name)
    assert len({found.get("loss", found.get("loss_g")) for found in replayed}) == 24  # none was replayed with the numbers of another
    gone = sum(float(b.abs().sum()) for b in weights_too)
    apart = sum(float((a - b).abs().sum()) for a, b in zip(weights, weights_too, strict=True))
    assert apart < 1e-3 * gone


@pytest.mark.usefixtures("adam_on_the_device")
def test_a_computation_that_cannot_be_recorded_stays_plain_and_says_so(photos: Path, tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr("networks.train.graphed.WARM_UP", 1)
    calls = iter([False, False, True])  # the third that is tried: R1 comes in the first step, so the average is ready sooner
    options, recorder = tiny(photos, tmp_path, config="T", crop=0.8, images=96, r1_every=100), TapeRecorder(lambda: next(calls))
    with caplog.at_level(logging.INFO, logger="networks.train.graphed"):
        found, _ = _trained(options, recorder, 6, monkeypatch)
    assert "discriminator: not replayed as a CUDA graph, and slower for it: operation not permitted when stream is capturing" in caplog.text
    assert "generator: replayed" in caplog.text and "average: replayed" in caplog.text and recorder.recorded == 2
    assert "more lines" not in caplog.text and len({step["loss_d"] for step in found}) == 6


# --------------------------------------------------------------- without a GPU: a device without values in place of one

ON_THE_DEVICE = {
    **{name: changes for name, changes in CASES.items() if name != "an early margin"},
    "everything": {"config": "R", **EVERYTHING, "augment": "0.5"},
    "projected": {"config": "R", **EVERYTHING, "augment": "0.5", "discriminator": "projected"},
}


@pytest.mark.parametrize("case", ON_THE_DEVICE)
def test_nothing_is_copied_or_asked_for_while_a_step_is_recorded(
    case: str, photos: Path, globe_map: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretended: PretendedRecorder
) -> None:
    """Between host and device: each computation with all that it is made of, gradients, optimisers and the operators' CUDA backends."""
    if case == "projected":
        pytest.importorskip("efficientnet_lite_pytorch")
    monkeypatch.setattr("networks.train.graphed.WARM_UP", 1)
    data = f"globes:{globe_map}" if case.startswith("globes") else photos
    options = tiny(data, tmp_path, images=96, **ON_THE_DEVICE[case]).resolved()
    training = prepare(options, Processes(device=DEVICE))
    for number in range(4):
        training.step(number, number * (options.batch or 1))
    assert not pretended.refused, pretended.refused[0]
    assert pretended.recorded == {"globes": 1, "globes with noise": 1, "projected": 4}.get(case, 5)  # path lengths, and R1, have their own


def test_what_cannot_be_recorded_says_where(photos: Path, tmp_path: Path, monkeypatch, caplog, pretended: PretendedRecorder) -> None:
    monkeypatch.setattr("networks.train.graphed.WARM_UP", 1)
    broken = replace(losses.LOGISTIC, generator=lambda logits: logits.mean() * torch.ones(3).to(DEVICE).mean())
    monkeypatch.setattr("networks.train.losses.LOGISTIC", broken)
    training = prepare(tiny(photos, tmp_path, config="T", crop=0.8, images=96).resolved(), Processes(device=DEVICE))
    for number in range(2):
        training.step(number, 4 * number)
    (line,) = (record.getMessage() for record in caplog.records if "not replayed" in record.getMessage())
    assert re.search(r"^generator: not replayed .*Cannot copy .*\(from networks/train/adversarial\.py:\d+\)$", line)


def test_graphs_are_for_one_process_on_one_gpu(caplog) -> None:
    assert recorder_for(Processes(), wanted=True) is None and not caplog.records
    assert recorder_for(Processes(0, 2, torch.device("cuda", 0)), wanted=False) is None and not caplog.records
    assert recorder_for(Processes(0, 2, torch.device("cuda", 0)), wanted=True) is None
    assert "2 processes" in caplog.text


# ------------------------------------------------------------------------------------------------------- on a GPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("config, moves", [("R", 0.75), ("T", 0.0), ("B", 0.75)])
def test_a_replayed_step_is_a_plain_step(config: str, moves: float, globe_map: Path, tmp_path: Path, caplog) -> None:
    options = tiny(f"globes:{globe_map}", tmp_path, config=config, moves=moves, images=4000)
    with caplog.at_level(logging.INFO, logger="networks.train.graphed"):
        replayed, plain = (_losses(replace(options, graph=graph), steps=30) for graph in (True, False))
    assert "regression: replayed as a CUDA graph" in caplog.text
    assert len(set(replayed)) == 30  # none was replayed with the numbers of another
    assert max(abs(a - b) / b for a, b in zip(replayed, plain)) < 1e-3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("case", ["everything", "StyleGAN2", "projected"])
def test_a_replayed_game_is_a_plain_game(case: str, photos: Path, tmp_path: Path, caplog) -> None:
    """Losses of 40 steps. A game amplifies rounding, so the bound grows with the steps; a stale number would differ at once."""
    changes = {"config": "T", "crop": 0.8, "discriminator": "projected"} if case == "projected" else CASES[case]
    options = replace(tiny(photos, tmp_path, images=160, **changes), half=False)
    with caplog.at_level(logging.INFO, logger="networks.train.graphed"):
        replayed, plain = (_losses(replace(options, graph=graph), 40, "loss_d") for graph in (True, False))
    assert "generator: replayed" in caplog.text and "discriminator: replayed" in caplog.text
    assert "not replayed" not in caplog.text
    assert len(set(replayed)) == 40
    assert max(abs(a - b) / b for a, b in zip(replayed[:16], plain)) < 1e-2
    assert max(abs(a - b) / b for a, b in zip(replayed, plain)) < 0.2


def _losses(options: Options, steps: int, name: str = "loss") -> list[float]:
    options = options.resolved()
    training = prepare(options, Processes(device=torch.device("cuda", 0)))
    batch = options.batch or 1
    return [float(training.step(number, number * batch)[name]) for number in range(steps)]
