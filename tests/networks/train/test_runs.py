"""Whole runs: every rung trains, saves and loads; a resumed run is the uninterrupted one; two processes are one."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch

from networks.configs import RUNGS
from networks.loading import load
from networks.train import command_line, loop
from networks.train.adversarial import AdversarialTraining
from networks.train.checkpoint import load_checkpoint
from networks.train.errors import CheckpointError, TrainingError
from networks.train.loop import Run, train
from networks.train.options import Options
from networks.train.processes import Processes
from tests.networks.train.conftest import tiny

ROOT = Path(__file__).resolve().parents[3]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load(folder / "snapshot.safetensors").network.state_dict()


def largest_difference(a: Path, b: Path) -> float:
    one, other = weights(a), weights(b)
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def tensors_in(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for item in items for tensor in tensors_in(item)]


def assert_same_state(one: Path, other: Path) -> list[dict]:
    """Two checkpoints hold the same numbers, bit by bit."""
    states = [load_checkpoint(folder / "checkpoint.pt") for folder in (one, other)]
    pairs = list(zip(*(tensors_in(state["training"]) for state in states), strict=True))
    assert len(pairs) > 50 and all(torch.equal(x, y) for x, y in pairs)
    return states


# ----------------------------------------------------------------------------------------------------- every rung


@pytest.mark.parametrize("name", RUNGS)
def test_a_rung_trains_two_steps_and_comes_back_as_a_network_to_look_at(name: str, photos: Path, tmp_path: Path) -> None:
    run = train(tiny(photos, tmp_path, config=name, crop=0.9, x_flip=True, r1_every=2, augment="0.5"))
    assert (run.position.step, run.position.images) == (2, 8)
    assert run.training.state()["signs"] == []  # nothing is kept for a p that does not adapt
    loaded = load(tmp_path / "snapshot.safetensors")
    assert loaded.config_name == name
    network = loaded.network
    ws = network.map(torch.randn(2, network.z_dim, generator=torch.Generator().manual_seed(0)))
    for tap in network.taps:
        x = network.synthesize(ws, tap=tap.name)
        assert x.shape == (2, tap.channels, tap.size[1], tap.size[0]) and x.isfinite().all(), tap.name
    run.training.generator.average.eval()
    assert torch.equal(network.synthesize(ws), run.training.generator.average.synthesize(ws))
    start = Run(tiny(photos, tmp_path / "other", config=name, crop=0.9), Processes()).training.generator.current.state_dict()
    now = run.training.generator.current.state_dict()
    moved = {key for key in now if not torch.equal(now[key], start[key])}
    assert moved >= {key for key in now if key.endswith((".weight", "w_avg", "magnitude_ema"))}
    assert not any(key.endswith(("freqs", "phases", "filter", "noise_const", "transform")) for key in moved)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "checkpoint.pt", "snapshot.safetensors", "samples.png", "examples.png", "log.jsonl"}  # fmt: skip


@pytest.mark.parametrize("name", ["A", "B", "T", "R"])
def test_rungs_are_fitted_to_globes(name: str, globe_map: Path, tmp_path: Path) -> None:
    train(tiny(f"globes:{globe_map}", tmp_path, config=name))
    loaded = load(tmp_path / "snapshot.safetensors")
    assert loaded.metadata.get("translation_limit") == (None if name == "A" else "0.7")
    assert "no GAN" in loaded.metadata["description"]
    assert loaded.metadata["training"]["images_seen"] == 8 and 0 < loaded.metadata["training"]["psnr_db"] < 40


def test_globes_are_learned(globe_map: Path, tmp_path: Path) -> None:
    """What is drawn comes closer to the targets than the average picture is."""
    run = train(tiny(f"globes:{globe_map}", tmp_path, config="B", images=2400, batch=16, channel_base=256, channel_max=16, moves=0.0))
    figures = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    psnr = [line["psnr_db"] for line in figures if "psnr_db" in line]
    targets = run.training.examples(32)
    average = 10 * math.log10(4 / float((targets - targets.mean(dim=0)).square().mean()))
    assert psnr[-1] > psnr[0] + 5 and psnr[-1] > average
    targets = run.training.examples(32)
    assert targets.shape == (32, 3, 16, 16) and float(targets.std()) > 0.1


# ---------------------------------------------------------------------------------------------- the same run again


ADVERSARIAL = {"config": "R", "images": 24, "augment": "ada", "ada_images": 40, "style_mixing": 0.5, "path_length": 1.0, "path_every": 2}
ADVERSARIAL |= {"ada_target": -1.5}  # so that p leaves 0


@pytest.mark.parametrize("kind", ["adversarial", "globes"])
def test_a_resumed_run_equals_an_uninterrupted_one(kind: str, photos: Path, globe_map: Path, tmp_path: Path) -> None:
    if kind == "adversarial":
        data, changes = photos, {**ADVERSARIAL, "crop": 0.8, "r1_every": 3, "snapshot_every": 8}
    else:
        data, changes = f"globes:{globe_map}", {"config": "T", "images": 24, "early_margin": 4, "early_part": 0.5, "snapshot_every": 8}
    train(tiny(data, tmp_path / "whole", **changes))
    Run(tiny(data, tmp_path / "half", **changes), Processes()).go(until=12, quiet=True)
    for until in (8, 12, 24, 24):  # the second stop is no multiple of the snapshots, the early margin ends there; the last does nothing
        options = tiny(data, tmp_path / "parts", **changes)
        Run(options, Processes(), resume=until > 8 or (tmp_path / "parts").exists()).go(until=until, quiet=True)
        if until == 12:
            middle, _ = assert_same_state(tmp_path / "half", tmp_path / "parts")
            assert kind == "globes" or len(middle["training"]["signs"]) == 3  # what p will be adjusted by
    a, b = assert_same_state(tmp_path / "whole", tmp_path / "parts")
    assert a["position"]["step"] == b["position"]["step"] == 6
    assert load(tmp_path / "parts" / "snapshot.safetensors").network.config == options.generator
    assert a["training"].get("p") == b["training"].get("p") and (kind == "globes" or a["training"]["p"] > 0)
    assert largest_difference(tmp_path / "whole", tmp_path / "parts") == 0
    logs = [[json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()] for name in ("whole", "parts")]
    losses = [{line["images"]: line for line in log if "images_per_second" in line} for log in logs]
    timing = ("seconds", "images_per_second")
    assert [{k: v for k, v in line.items() if k not in timing} for line in losses[0].values()] == [
        {k: v for k, v in line.items() if k not in timing} for line in losses[1].values()
    ]


def test_a_run_against_the_projected_discriminator_goes_on_without_carrying_the_features(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    changes = {"config": "T", "crop": 0.8, "discriminator": "projected"}
    train(tiny(photos, tmp_path / "whole", **changes))
    Run(tiny(photos, tmp_path / "parts", **changes), Processes()).go(until=4, quiet=True)
    Run(tiny(photos, tmp_path / "parts", **changes), Processes(), resume=True).go(quiet=True)
    first, _ = assert_same_state(tmp_path / "whole", tmp_path / "parts")
    parts = {name.partition(".")[0] for name in first["training"]["discriminator"]}
    assert parts == {"across", "down", "judges"} and first["options"]["gamma"] == 0


def test_noise_inputs_survive_the_end_of_an_early_margin(photos: Path, tmp_path: Path) -> None:
    """Their images are as large as their layers, which grow: those of the new size are drawn from the seed, resumed or not."""
    changes = {"config": "T", "crop": 0.8, "ablations": "noise inputs", "images": 16, "early_margin": 4, "early_part": 0.5}
    train(tiny(photos, tmp_path / "whole", **changes))
    Run(tiny(photos, tmp_path / "parts", **changes), Processes()).go(until=8, quiet=True)
    train(tiny(photos, tmp_path / "parts", **changes), resume=True)
    assert_same_state(tmp_path / "whole", tmp_path / "parts")
    noise = [values for name, values in weights(tmp_path / "whole").items() if name.endswith("noise_const")]
    assert noise and all(float(values.std()) > 0.5 for values in noise)


@pytest.mark.parametrize(("name", "rate", "share"), [("A", 0.002, 4 / 5), ("T", 0.0025, 1.0)])
def test_rates_are_those_of_the_paper(name: str, rate: float, share: float, photos: Path, tmp_path: Path) -> None:
    """Path lengths (A to C) take a step of their own after every fourth; R1 is a term of the discriminator's, which are no more for it."""
    training = Run(tiny(photos, tmp_path, config=name, crop=1.0), Processes()).training
    for optimiser, lr, power in ((training.generator.optimiser, rate, share), (training.optimiser, 0.002, 1.0)):  # type: ignore[attr-defined]
        for group in optimiser.param_groups:
            assert (group["lr"], group["scale"]) == pytest.approx((lr * power, lr * power))
            assert (group["betas"], group["eps"]) == (pytest.approx((0, 0.99**power)), 1e-8)


@pytest.mark.parametrize("name", ["A", "T"])
def test_the_styles_alone_start_smaller(name: str, photos: Path, tmp_path: Path) -> None:
    usual, smaller = (
        Run(tiny(photos, tmp_path / str(scale), config=name, crop=1.0, channel_max=3, style_init=scale), Processes()).training.generator
        for scale in (1.0, 0.2)
    )
    one, other = usual.current.state_dict(), smaller.current.state_dict()
    styles = {key for key in one if key.endswith(".affine.weight") and key != "synthesis.input.affine.weight"}
    assert len(styles) >= 5 and all(torch.allclose(other[key], 0.2 * one[key]) for key in styles)
    assert {key for key in one if not torch.equal(one[key], other[key])} == styles


def test_the_seed_decides_the_run(photos: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(hash(name) % 1000)  # torch's own generator has no part in it
        train(tiny(photos, tmp_path / name, config="A", crop=0.9, augment="0.5", seed=seed))
    assert largest_difference(tmp_path / "a", tmp_path / "b") == 0
    assert largest_difference(tmp_path / "a", tmp_path / "c") > 0.1


def command(options: Options, *more: str) -> list[str]:
    flags = {"config": options.config, "out": options.out, "images": options.images, "batch": options.batch, "augment": options.augment}
    names = ("resolution", "z_dim", "w_dim", "channel_base", "channel_max", "d_channel_base", "d_channel_max", "num_layers", "log_every")
    flags |= {name.replace("_", "-"): getattr(options, name) for name in names}
    return ["--data", options.data, "--crop", str(options.crop), *(t for k, v in flags.items() for t in (f"--{k}", str(v))), *more]


def test_two_processes_equal_one(photos: Path, tmp_path: Path) -> None:
    """Adam divides by the size of the gradient, so that rounding in a gradient near 0 can turn a whole step of its weight: what is
    compared are losses (1e-4) and the mean difference of the weights (a thousandth of the distance gone; 1e-6 was measured).
    """
    changes = {"config": "T", "crop": 0.8, "images": 24, "batch": 8, "augment": "0.5", "log_every": 8, "style_mixing": 0.9}
    train(tiny(photos, tmp_path / "one", **changes))
    start = tiny(photos, tmp_path / "two", **changes)
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "--rdzv-backend", "c10d"]
    torchrun += ["--rdzv-endpoint", "localhost:0", "--local-addr", "localhost", "-m", "networks.train"]  # whose own name may not resolve
    done = subprocess.run(
        [sys.executable, *torchrun, *command(start, "--style-mixing", "0.9", "--device", "cpu", "--quiet")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    losses = []
    for name in ("one", "two"):
        lines = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        losses.append([[line[k] for k in ("loss_g", "loss_d", "real", "fake", "sign")] for line in lines if "loss_g" in line])
    assert len(losses[0]) == 3
    torch.testing.assert_close(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=1e-4, atol=1e-4)
    one, two = (load_checkpoint(tmp_path / name / "checkpoint.pt")["training"]["generator"]["current"] for name in ("one", "two"))
    first = list(Run(tiny(photos, tmp_path / "start", **changes), Processes()).training.generator.current.state_dict().values())
    gone = sum(float((a - b).abs().sum()) for a, b in zip(one, first))
    apart = sum(float((a - b).abs().sum()) for a, b in zip(one, two))
    assert gone > 1 and apart < 1e-3 * gone


# --------------------------------------------------------------------------------------------------------- borders


class Steps:
    """A way of training whose steps take two seconds of a pretended clock."""

    def __init__(self) -> None:
        self.clock, self.saved, self.shown = 1000.0, [], []

    def step(self, number: int, images: int) -> dict[str, float]:
        self.clock += 2
        return {"loss": float(number)}

    def run(self, monkeypatch: pytest.MonkeyPatch, options: Options) -> Run:
        monkeypatch.setattr(loop, "prepare", lambda *_: self)
        monkeypatch.setattr(loop.time, "monotonic", lambda: self.clock)
        monkeypatch.setattr(loop.report, "Progress", lambda *given, **named: self.shown.append((given, named)) or MagicMock())
        monkeypatch.setattr(Run, "_save_examples", lambda run: None)
        monkeypatch.setattr(Run, "save", lambda run: self.saved.append(run.position.images))
        return Run(options, Processes())


@pytest.mark.parametrize(
    ("images", "given", "logged", "saved"),
    [
        (24, {}, [8, 16, 24], [12, 24]),
        (20, {}, [8, 16], [12, 20]),
        (24, {"until": 4}, [], [4]),
        (24, {"minutes": 6 / 60}, [8], [12]),
        (24, {"minutes": 5.9 / 60, "stopped": lambda images: images >= 16}, [8], [12]),
        (24, {"stopped": lambda images: images >= 16}, [8, 16], [12, 16]),
    ],
)
def test_when_a_run_logs_saves_and_ends(images: int, given: dict, logged: list, saved: list, tmp_path: Path, monkeypatch) -> None:
    steps = Steps()
    run = steps.run(monkeypatch, tiny("", tmp_path, images=images, log_every=8, snapshot_every=12))
    run.position.seconds = 100.0
    run.go(**given)
    assert steps.saved == saved and run.position.seconds == 100 + 2 * run.position.step == 100 + run.position.images / 2
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] if logged else []
    assert [line["images"] for line in lines] == logged
    assert all(line["images_per_second"] == 2 and line["loss"] == line["step"] - 1.5 for line in lines)
    assert steps.shown == [((images, 0), {"shown": True, "name": "T"})]


def test_the_time_is_up_for_all_processes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, told = Steps().run(monkeypatch, tiny("", tmp_path)), []
    assert not run._is_over(None, 1e9) and run._is_over(0.1, 6.0) and not run._is_over(0.1, 5.9)
    run.processes = SimpleNamespace(size=2, device="cpu", average_=lambda tensors: told.append(float(tensors[0])) or tensors[0].fill_(0.5))
    assert run._is_over(0.1, 6.0) and run._is_over(0.1, 5.9) and not run._is_over(None, 1e9)
    assert told == [1, 0], "what each says; one of two was over"


def test_what_a_step_computes_and_when_p_is_adjusted(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Path lengths and R1 every so often, beginning with the first step; p after every fourth; all from what belongs to the step."""
    options = tiny(photos, tmp_path, config="A", augment="ada", path_length=1.0, path_every=2, gamma=1.0, r1_every=3)
    training, ran, adjusted = AdversarialTraining(options.resolved(), Processes()), [], []

    def run(name: str, compute: object, given: dict) -> dict:
        ran.append(name)
        if name == "average":
            assert given["keep"] == training.generator.average_keeps(images + 4)
        return {"sign": torch.tensor(0.0)} if name.startswith("discriminator") else {}

    monkeypatch.setattr(training._phases, "run", run)
    monkeypatch.setattr(training, "_adjust", lambda batch: adjusted.append((step, batch)))
    for step in range(8):
        images = 4 * step
        training.step(step, images)
    per_step = [name for name in ran if name not in ("generator", "average")]
    plain, penalised, paths = "discriminator", "discriminator with R1", "path length"
    assert per_step == [paths, penalised, plain, paths, plain, penalised, paths, plain, plain, paths, penalised, plain]
    assert adjusted == [(3, 4), (7, 4)] and len(training.signs) == 8 and ran.count("generator") == ran.count("average") == 8
    assert training._drawn(1, 4).keys() == {"generator", "discriminator", "average"}


def test_a_folder_with_a_run_is_not_overwritten(photos: Path, tmp_path: Path) -> None:
    train(tiny(photos, tmp_path, config="A", crop=1.0))
    with pytest.raises(CheckpointError, match="already holds a run"):
        Run(tiny(photos, tmp_path, config="A", crop=1.0), Processes())
    with pytest.raises(CheckpointError, match=r"--lr-d is 0\.5, but the run to resume was begun with 0\.002"):
        Run(tiny(photos, tmp_path, config="A", crop=1.0, lr_d=0.5), Processes(), resume=True)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        Run(tiny(photos, tmp_path / "empty", config="A", crop=1.0), Processes(), resume=True)


@pytest.mark.parametrize("log_every", [4, 400])
def test_a_run_that_falls_apart_saves_nothing(log_every: int, photos: Path, tmp_path: Path) -> None:
    """Whether a line of the log is the first to notice, or the checkpoint at the end."""
    changes = {"images": 40, "log_every": log_every, "snapshot_every": 400}
    with pytest.raises(TrainingError, match="is not a number"):
        train(tiny(photos, tmp_path, config="T", crop=1.0, lr_g=float("1e30"), lr_d=1e30, **changes))
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": 0}, "--images is 0, but must be above 0"),
        ({"crop": 1.5}, "--crop is 1.5"),
        ({"gamma": -1.0}, "--gamma is -1.0, but must be at least 0"),
        ({"style_mixing": 2.0}, "--style-mixing is 2.0, but must be from 0 to 1"),
        ({"ema_rampup": float("nan")}, "--ema-rampup is nan, but must be above 0"),
        ({"ada_target": float("nan")}, "--ada-target is nan, but must be a finite number"),
        ({"d_channel_max": 0}, "--d-channel-max is 0, but must be above 0"),
        ({"discriminator": "best"}, "--discriminator is 'best', but must be one of stylegan2, projected"),
        ({"augment": "1.2"}, "--augment is '1.2'"),
        ({"frechet": "fid"}, "--frechet is 'fid'"),
        ({"config": "A", "moves": 0.5}, "--moves is 0.5, but must be 0 for A"),
    ],
)
def test_nonsense_is_named(changes: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=message):
        tiny("photos", tmp_path, **changes)


@pytest.mark.parametrize("minutes", ["nan", "0", "-3", "inf"])
def test_minutes_that_never_end_a_run_are_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.parser().parse_args(["--data", "photos", "--minutes", minutes])
    assert f"argument --minutes: {minutes} is not a number of minutes" in capsys.readouterr().err


def test_groups_must_divide_the_batch(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="multiple of --group 4"):
        Run(tiny(photos, tmp_path, crop=1.0, batch=6), Processes())
    with pytest.raises(TrainingError, match="multiple of the 3 processes"):
        Processes(0, 3).share(8)


def test_the_card_says_what_was_done_and_names_no_folder(photos: Path, tmp_path: Path) -> None:
    train(tiny(photos, tmp_path, crop=1.0, licence="CC0", data_name="waves"))
    loaded = load(tmp_path / "snapshot.safetensors")
    assert loaded.metadata["licence"] == "CC0" and loaded.metadata["data"] == "waves"
    training = loaded.metadata["training"]
    assert training["images_seen"] == 8 and training["options"]["seed"] == 0 and training["parameters"] > 1000
    assert str(tmp_path.parent) not in json.dumps(loaded.metadata) and str(photos.parent) not in json.dumps(loaded.metadata)
