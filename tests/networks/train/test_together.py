"""Runs side by side: each is what it would be alone, all stop at the same number of images; parts to carry; processes without a shell."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from networks.build import build
from networks.ladder.__main__ import _parser as ladder_parser
from networks.train import together
from networks.train.checkpoint import exists, load_checkpoint, save_checkpoint
from networks.train.command_line import main as train_main, parser
from networks.train.errors import CheckpointError, TrainingError
from networks.train.features import efficientnet
from networks.train.loop import Run, train
from networks.train.pace import Pace
from networks.train.processes import Processes
from networks.train.projected import ProjectedDiscriminator
from tests.networks.train.conftest import TINY, tiny
from tests.networks.train.test_runs import assert_same_state, largest_difference

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 60  # any wait's deadline


# ------------------------------------------------------------------------------------------------------------- parts


def test_a_run_in_parts_is_carried_and_goes_on(photos: Path, tmp_path: Path) -> None:
    changes = {"config": "T", "crop": 0.8, "images": 16}
    train(tiny(photos, tmp_path / "whole", **changes))
    Run(tiny(photos, tmp_path / "here", part_mb=0.01, **changes), Processes()).go(until=8, quiet=True)
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    parts = [name for name in names if ".part-" in name]
    assert len(parts) > 2 and "checkpoint.pt" not in names and parts[-1].endswith(f"-of-{len(parts):02d}")
    assert max((tmp_path / "here" / name).stat().st_size for name in parts) <= 10_000
    (tmp_path / "there").mkdir()
    for name in (*parts, "checkpoint.pt.json"):
        (tmp_path / "there" / name).write_bytes((tmp_path / "here" / name).read_bytes())
    train(tiny(photos, tmp_path / "there", **changes), resume=True)
    assert_same_state(tmp_path / "whole", tmp_path / "there")
    assert largest_difference(tmp_path / "whole", tmp_path / "there") == 0
    assert not list((tmp_path / "there").glob("*.part-*")) and not (tmp_path / "there" / "checkpoint.pt.json").exists()  # whole again
    with pytest.raises(CheckpointError, match="already holds a run"):
        Run(tiny(photos, tmp_path / "here", **changes), Processes())


def test_parts_that_do_not_belong_together_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    state = {"options": {}, "tensor": torch.arange(1000.0)}
    save_checkpoint(path, state, part_bytes=1000)
    first, *_, last = sorted(tmp_path.glob("*.part-*"))
    assert exists(path) and torch.equal(load_checkpoint(path)["tensor"], state["tensor"])
    content = last.read_bytes()
    last.unlink()
    with pytest.raises(CheckpointError, match=re.escape(f"{last.name!r} is missing: carry all of them")):
        load_checkpoint(path)
    last.write_bytes(content[:-1])
    with pytest.raises(CheckpointError, match="one was changed or cut off"):
        load_checkpoint(path)
    last.write_bytes(content)
    real = os.fsync
    left = iter([None, None])  # two parts of the new one are written, then the disk is full

    def full(descriptor: int) -> None:
        if next(left, "full") == "full":
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch, pytest.raises(CheckpointError, match="The one before is intact"):
        patch.setattr(os, "fsync", full)
        save_checkpoint(path, {**state, "tensor": state["tensor"] + 1}, part_bytes=1000)
    assert torch.equal(load_checkpoint(path)["tensor"], state["tensor"]) and first.exists()


# ------------------------------------------------------------------------------------------------------- keeping step


def test_nobody_runs_ahead_and_all_stop_at_the_same_place() -> None:
    pace, most, ends = Pace(lead=3), {"gap": 0}, {}
    seen = {"slow": 0, "fast": 0}
    for name in seen:
        pace.enter(name)

    def run(name: str, pause: float) -> None:
        over = False
        while not over:
            seen[name] += 1
            if name == "fast":
                most["gap"] = max(most["gap"], seen["fast"] - seen["slow"])
            if name == "slow" and seen[name] == 30:
                pace.stop()
            threading.Event().wait(pause)
            over = pace.is_over(name, seen[name])
        ends[name] = seen[name]
        pace.leave(name)

    threads = [threading.Thread(target=run, args=arguments, daemon=True) for arguments in (("slow", 0.002), ("fast", 0.0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert 3 <= most["gap"] <= 5  # one is under way in each, and the last counts when its step is over
    assert ends["slow"] == ends["fast"] >= 30


def test_stopped_while_steps_are_under_way_all_end_where_the_first_one_does() -> None:
    """ "first" has gone on from 4 images when it is told to stop, and ends at 8: so must "second", which is a step behind."""
    pace = Pace(lead=8)
    for name in ("first", "second"):
        pace.enter(name)
    assert not pace.is_over("first", 4)
    pace.stop()
    assert [pace.is_over("second", 4), pace.is_over("first", 8), pace.is_over("second", 8)] == [False, True, True]


def test_who_has_left_is_not_waited_for() -> None:
    pace = Pace(lead=1)
    pace.enter("gone")
    pace.enter("here")
    waiting = threading.Thread(target=pace.is_over, args=("here", 10), daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    pace.leave("gone")
    waiting.join(SECONDS)
    assert not waiting.is_alive()


# ----------------------------------------------------------------------------------------------------------- together


def values_of(photos: Path, out: Path, **changes: object) -> dict:
    sizes = {**TINY, "channel_base": None, "channel_max": None}
    return {"data": str(photos), "out": str(out), **sizes, "images": 16, "batch": 4, "crop": 0.8, "num_layers": 4, **changes}


def test_a_run_is_what_it_would_be_alone(photos: Path, tmp_path: Path) -> None:
    runs = together.options_of(["b", "T", "R"], values_of(photos, tmp_path / "all"), 1 / 512)
    assert [(o.config, o.channel_base, o.channel_max, o.num_layers) for o in runs.values()] == [
        ("B", 64, 1, None), ("T", 64, 1, 4), ("R", 128, 2, 4)]  # fmt: skip
    assert together.Together(runs, Processes()).go() == {}
    for name, options in runs.items():
        torch.set_flush_denormal(True)
        train(replace(options, out=str(tmp_path / "alone" / name.lower())))
        torch.set_flush_denormal(False)
        assert_same_state(tmp_path / "all" / name.lower(), tmp_path / "alone" / name.lower())


def test_stopped_runs_have_seen_as_many_images_and_go_on(photos: Path, tmp_path: Path) -> None:
    runs = together.options_of(["B", "T"], values_of(photos, tmp_path, images=100_000, snapshot_every=100_000), 1 / 512)
    assert together.Together(runs, Processes()).go(minutes=1.5 / 60) == {}
    first = [load_checkpoint(tmp_path / name / "checkpoint.pt")["position"]["images"] for name in ("b", "t")]
    assert 0 < first[0] == first[1] < 100_000
    assert together.Together(runs, Processes(), resume=True).go(minutes=1.0 / 60) == {}
    second = [load_checkpoint(tmp_path / name / "checkpoint.pt")["position"]["images"] for name in ("b", "t")]
    assert first[0] < second[0] == second[1]


def test_one_that_fails_does_not_hold_the_others(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = together.options_of(["B", "T"], values_of(photos, tmp_path), 1 / 512)
    runs["B"] = replace(runs["B"], lr_g=1e30, lr_d=1e30, log_every=4, images=400)
    faults = together.Together(runs, Processes()).go()
    assert list(faults) == ["B"] and "is not a number" in faults["B"]
    assert load_checkpoint(tmp_path / "t" / "checkpoint.pt")["position"]["images"] == 16


def test_what_is_given_counts_more_than_the_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    taken = {}

    def note(runs, processes, *, resume):
        taken.update(runs)
        raise TrainingError("enough")

    monkeypatch.setattr(together, "Together", note)
    monkeypatch.setattr(together, "prepare_machine", lambda processes: None)
    common = ["--data", "photos", "--out", str(tmp_path), "--device", "cpu", "--like", "landscapes-128"]
    with pytest.raises(TrainingError, match="enough"):
        together.main([*common, "--configs", "T", "R", "--images", "1000"])
    assert set(taken) == {"T", "R"} and (taken["T"].images, taken["T"].crop, taken["T"].resolution) == (1000, 0.7, 128)
    assert taken["R"].channel_base == 2 * taken["T"].channel_base == 8192 and taken["R"].out == str(tmp_path / "r")
    assert together.main([*common, "--configs", "Q"]) == 1 and "there is no rung 'Q'" in capsys.readouterr().err


def test_the_landscapes_are_small_enough_to_carry() -> None:
    """Generators of all three: 4 MB in float16. Checkpoints and snapshots: 62 MB, in files under 16 MB; pictures under 1 MB each."""
    like = dict(together.LIKE["landscapes-128"])
    assert like["part_mb"] < 16
    runs = together.options_of(
        ["B", "T", "R"], {"data": "photos", "out": "x", **{k: v for k, v in like.items() if k != "capacity"}}, like["capacity"]
    )
    pytest.importorskip("efficientnet_lite_pytorch")
    judge = ProjectedDiscriminator(efficientnet())
    judges = sum(v.numel() for k, v in judge.state_dict().items() if not k.startswith("features."))
    trained = sum(p.numel() for p in judge.judges.parameters())
    numbers = shipped = 0
    for options in runs.values():
        network = build(options.resolved().generator, seed=None)
        weights = sum(v.numel() for v in network.state_dict().values())
        numbers += 2 * weights + sum(p.numel() for p in network.parameters()) + judges + trained + weights  # Adam's squares; the snapshot
        shipped += weights
    assert 2 * shipped / 1e6 < 4 and 4 * numbers / 1e6 < 62


# ------------------------------------------------------------------------------------------------- without a shell


def flags(photos: Path, out: Path) -> list[str]:
    sizes = "--resolution 16 --z-dim 8 --w-dim 8 --channel-base 64 --channel-max 6 --d-channel-base 64 --d-channel-max 6"
    return ["--data", str(photos), "--crop", "0.8", "--out", str(out), *sizes.split(), "--batch", "4", "--device", "cpu"]


def until(condition, what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        threading.Event().wait(0.05)


def is_alive(number: int) -> bool:
    try:
        stat = Path(f"/proc/{number}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="sessions are looked up in /proc")
def test_a_detached_run_outlives_its_shell_and_saves_when_it_is_told_to_end(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    long = ["--config", "B", "--images", "4000000", "--snapshot-every", "4000000", "--log-every", "4"]
    started = subprocess.run(
        [sys.executable, "-m", "networks.train", *flags(photos, out), *long, "--detach"],
        cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    number = int(re.search(r"process (\d+) goes on", started.stdout)[1])  # type: ignore[index]
    try:
        assert os.getsid(number) == number != os.getsid(0)  # nothing that ends this session ends it
        until(lambda: (out / "log.jsonl").exists() and (out / "log.jsonl").read_text(), f"{(out / 'output.log').read_text()}")
        os.kill(number, signal.SIGTERM)
        until(lambda: not is_alive(number), "it did not end")
    finally:
        if is_alive(number):
            os.kill(number, signal.SIGKILL)
    images = load_checkpoint(out / "checkpoint.pt")["position"]["images"]
    assert 0 < images < 4_000_000
    assert json.loads((out / "log.jsonl").read_text().splitlines()[0])["images"] == 4 and math.isfinite(images)


def test_what_cannot_begin_is_told_before_it_is_detached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_main(["--data", "x", "--out", str(tmp_path / "run"), "--images", "0", "--detach"]) == 1
    assert "--images is 0" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_the_commands_of_the_guide_are_understood() -> None:
    text = (ROOT / "viz" / "guide" / "training.md").read_text(encoding="utf-8")
    lines = re.findall(r"^python -m (networks[\w.]*)(.*)$", text, re.MULTILINE)
    assert {module for module, _ in lines} == {"networks.train", "networks.train.together", "networks.ladder"}
    for module, words in lines:
        given = words.split()
        if module == "networks.ladder":
            ladder_parser().parse_args(given)
            continue
        values = vars((together._parser(given) if module.endswith("together") else parser()).parse_args(given))
        assert values["data"] in ("photos", "landscapes") and values["detach"], words
    options = {option for action in parser()._actions for option in action.option_strings}
    assert set(re.findall(r"`(--[\w-]+)", text)) <= options
