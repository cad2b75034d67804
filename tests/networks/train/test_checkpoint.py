"""A full disk, broken files, and the command line: told in a sentence, and nothing is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from networks.loading import load
from networks.train import report
from networks.train.checkpoint import load_checkpoint, save_checkpoint
from networks.train.command_line import main, parser
from networks.train.errors import CheckpointError
from networks.train.loop import Run, train
from networks.train.options import option_fields
from networks.train.processes import Processes
from tests.networks.train.conftest import tiny


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_the_checkpoint_and_the_run_goes_on_later(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"config": "A", "crop": 1.0, "images": 24, "snapshot_every": 8}
    Run(tiny(photos, tmp_path / "run", **changes), Processes()).go(until=8)
    names = ("checkpoint.pt", "snapshot.safetensors")
    before = [(tmp_path / "run" / name).read_bytes() for name in names]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(CheckpointError, match=r"the disk is full\. The one before is intact\. Make room, then go on with --resume"):
            Run(tiny(photos, tmp_path / "run", **changes), Processes(), resume=True).go()
    assert [(tmp_path / "run" / name).read_bytes() for name in names] == before
    assert not list((tmp_path / "run").glob(".*.part"))
    Run(tiny(photos, tmp_path / "run", **changes), Processes(), resume=True).go()
    train(tiny(photos, tmp_path / "whole", **changes))
    one, other = (load(tmp_path / name / "snapshot.safetensors").network.state_dict() for name in ("run", "whole"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_disk_that_fills_while_writing_the_snapshot_keeps_the_new_checkpoint(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("networks.train.loop.save_safetensors", no_space)
    with pytest.raises(CheckpointError, match="could not be written to: the disk is full"):
        train(tiny(photos, tmp_path, config="A", crop=1.0, snapshot_every=8))
    assert load_checkpoint(tmp_path / "checkpoint.pt")["position"]["images"] == 8


def test_a_first_checkpoint_that_does_not_fit_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(CheckpointError, match="There was none before"):
        save_checkpoint(tmp_path / "checkpoint.pt", {"options": {}})
    assert not list(tmp_path.iterdir())


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"options": {}, "images": 1})
    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(CheckpointError, match="The one before is intact"):
        save_checkpoint(path, {"options": {}, "images": 2})
    assert load_checkpoint(path)["images"] == 1


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut off"])
def test_broken_checkpoints_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(path)


def test_a_checkpoint_is_data_not_a_program(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"options": print}, path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(path)
    torch.save({"weights": 1}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of this trainer"):
        load_checkpoint(path)


def test_the_log_forgets_what_will_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"images": 4}\n{"images": 8}\n{"images": 12}\n{"imag')
    report.Log(path, 8).write({"images": 10})
    assert path.read_text() == '{"images": 4}\n{"images": 8}\n{"images": 10}\n'


def test_means_are_those_since_the_last_line() -> None:
    means = report.Means()
    for value in (1.0, 3.0):
        means.add({"loss": torch.tensor(value), "rare": 5.0} if value == 1 else {"loss": torch.tensor(value)})
    assert means.take() == {"loss": 2.0, "rare": 5.0} and means.take() == {}


def test_help_documents_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for field in option_fields():
        assert f"--{field.name.replace('_', '-')}" in text and len(field.metadata["help"]) > 8, field.name
    assert "--resume" in text and "torchrun" in text


def test_defaults_of_the_command_line_are_those_of_the_options() -> None:
    given = vars(parser().parse_args(["--data", "photos"]))
    for field in option_fields():
        if field.name != "data":
            assert given[field.name] == field.default, field.name


def test_the_command_line_trains_and_tells_errors_in_a_sentence(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("networks.train.command_line.prepare_machine", lambda *_, **__: None)
    flags = (
        "--config A --resolution 16 --z-dim 8 --w-dim 8 --channel-base 64 --channel-max 6 --d-channel-max 6 --images 8 --batch 4 --quiet"
    )
    arguments = [*flags.split(), "--device", "cpu", "--crop", "1"]
    assert main(["--data", str(photos), "--out", str(tmp_path / "run"), *arguments]) == 0
    assert (tmp_path / "run" / "snapshot.safetensors").exists()
    capsys.readouterr()
    assert main(["--data", str(photos), "--out", str(tmp_path / "run"), *arguments]) == 1
    assert capsys.readouterr().err.startswith("networks.train: ")
    assert main(["--data", str(tmp_path / "nothing"), "--out", str(tmp_path / "other"), *arguments]) == 1
    assert "there is no folder or zip" in capsys.readouterr().err
    assert main(["--data", str(photos), "--out", str(tmp_path / "third"), *arguments, "--config", "Z"]) == 1
    assert "there is no rung 'Z'" in capsys.readouterr().err
