"""Planted faults: whatever breaks, a sentence says so, and the window works on."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from gui_utils import gl
from tests.viz.test_app import GOLDEN, START, Running
from torch_utils import ops
from viz import capture, commands, encoders, paths
from viz.session import Session
from viz.state import Equivariance, Latent, Pose, Source, Spectrum, Sticking, Tap, ViewState

pytestmark = pytest.mark.window
DEADLINE_S = 60


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    running.close()


def errors(running):
    return [entry.text for entry in running.app.toasts.log.entries if entry.level == "error"]


def assert_works(running):
    """A person goes on: another latent and another pose, and the picture follows, on screen as well."""
    for x in (3.0, 4.0):
        before, pixels = running.app.good.picture.values, running.ui.screenshot()
        running.app.state = running.state.edit(Latent, x=x).edit(Pose, x=0.01 * x)
        running.ui.frames(3)
        assert running.app.frame.error is None
        assert running.app.frame.request.view == running.app.submitted
        assert not np.array_equal(before, running.app.good.picture.values)
        assert (running.ui.screenshot() != pixels).any()
    assert gl.glGetError() == 0


def ask(running, **changes):
    running.app.state = running.state.edit(Latent, **changes)
    running.ui.frames(3)


@pytest.mark.parametrize("name", ["modulated_conv2d", "filtered_lrelu"])
def test_a_kernel_that_fails(running, monkeypatch, name):
    def failing(*_, **__):
        raise ops.BackendError(f"{name}: planted failure of the kernel")

    with monkeypatch.context() as planted:
        planted.setattr(ops, name, failing)
        ask(running, x=1.0)
        assert running.app.frame.error is not None and "planted failure" in errors(running)[0]
        assert running.app.good.picture is not None  # the last good picture stays
    running.ui.key("f5")
    running.ui.frames(2)
    assert running.app.frame.error is None
    assert_works(running)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("planted"), MemoryError(), RuntimeError("can't allocate memory: planted")])
def test_memory_that_runs_out(running, monkeypatch, error):
    def failing(*_, **__):
        raise error

    with monkeypatch.context() as planted:
        planted.setattr(ops, "modulated_conv2d", failing)
        ask(running, x=1.0)
        assert errors(running) == ["Out of memory. Remembered results were dropped; try again, or a smaller network."]
        assert running.app.renderer.pipeline.memory.used_bytes == 0
    assert_works(running)


def test_memory_that_runs_out_while_measuring(running, monkeypatch):
    import viz.analysis.sticking as sticking

    def failing(*_, **__):
        raise MemoryError

    with monkeypatch.context() as planted:
        planted.setattr(sticking, "average", failing)
        running.app.state = running.state.edit(Sticking, on=True, num=4)
        running.ui.frames(3)
        assert running.app.frame.error is None  # the picture is there
        assert running.app.frame.overlays["sticking"].error.message == "Out of memory."
    running.app.state = running.state.edit(Sticking, on=True, num=5)
    running.ui.frames(3)
    assert running.app.frame.overlays["sticking"].fraction == 1
    assert_works(running)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers(running, value):
    (ready,) = running.app.renderer.pipeline.networks._ready.values()
    weight = next(p for name, p in ready.network.named_parameters() if p.ndim == 4)
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(value)
    for number in range(1, 7):  # every panel sees it
        running.ui.key(str(number))
        running.app.state = running.state.edit(Latent, x=float(number)).edit(Spectrum, on=True).edit(Equivariance, on=True)
        running.ui.frames(4)
    frame = running.app.frame
    assert frame.error is None and frame.statistics_shown.non_finite > 0
    for tap in frame.network.taps:
        running.app.state = running.state.edit(Tap, layer=tap.name)
        running.ui.frames(2)
        assert running.app.frame.error is None
    with torch.no_grad():
        weight.copy_(kept)
    running.app.state = running.state.reset(Spectrum, Equivariance, Tap)
    ask(running, x=11.0)
    assert running.app.frame.statistics_shown.non_finite == 0
    assert_works(running)


def test_a_network_file_that_is_lost(tmp_path):
    path = tmp_path / "net.pkl"
    shutil.copyfile(GOLDEN / "tiny_r.pkl", path)
    running = Running(tmp_path, ViewState().put(Source(str(path))))
    try:
        path.unlink()
        running.app._disk_checked = 0.0
        assert_works(running)  # what is in memory goes on
        running.app.context.emit(commands.ReloadNetwork())
        running.ui.frames(3)
        assert "net.pkl" in errors(running)[0] and running.app.good.picture is not None
        running.ui.key("ctrl+z")
        running.ui.frames(3)
        assert_works(running)
        running.window.drop([GOLDEN / "tiny_t.pkl"])
        running.ui.frames(3)
        assert running.app.good.network.name == "tiny_t"
        assert_works(running)
    finally:
        running.close()


@pytest.fixture
def full_disk(monkeypatch):
    """Temporary files of `capture.atomic` are links to a device that is always full, so that real writes fail part of the way."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    count = iter(range(10**6))

    def on_a_full_disk(*, dir: Path, prefix: str, suffix: str) -> tuple[int, str]:
        path = Path(dir) / f"{prefix}{next(count)}{suffix}"
        path.symlink_to("/dev/full")
        return os.open(os.devnull, os.O_RDWR), str(path)

    monkeypatch.setattr(capture.tempfile, "mkstemp", on_a_full_disk)
    return monkeypatch


def test_a_full_disk(running, full_disk, tmp_path):
    with pytest.raises(OSError) as told:
        capture.save_npy(tmp_path / "a.npy", np.zeros((3, 64, 64)))
    assert told.value.errno == errno.ENOSPC
    asked = (
        commands.CapturePicture(),
        commands.SaveView(),
        commands.SaveRaw(),
        commands.SaveSession(Session((START,))),
        commands.SaveMeasurement("Planted", {"a": np.zeros(100_000)}, lambda: np.zeros((8, 8, 3), np.uint8)),
        commands.ChangeSettings((("font_scale", 1.1),)),
    )
    for command in asked:
        running.app.context.emit(command)
        running.ui.frames(2)
    assert len(errors(running)) == len(asked) and all("No space left" in text for text in errors(running))
    assert not [p for p in (tmp_path / "captures").iterdir() if p.is_file()]  # nothing half-written
    assert_works(running)
    full_disk.undo()
    running.ui.key("c")
    running.ui.frames(2)
    assert (running.app.capture_folder / "00000.png").is_file()


FILM = Session((START,), paths.ready_made("rotate", START, 0.5, 10))  # 5 frames


def exported(running, kind):
    """Exports in the background until the end is told; the path that is offered."""
    running.app.context.emit(commands.StartExport(FILM, kind))
    running.ui.frames(2)
    job = running.app.context.film.job
    if job is not None:
        assert job.join(DEADLINE_S)
        running.ui.frames(2)
    assert running.app.context.film.job is None
    return job.options.out


def test_a_disk_that_is_full_for_a_film(running, full_disk):
    exported(running, "png")
    assert "No space left" in errors(running)[0]
    assert_works(running)


@pytest.mark.parametrize("where", ["add", "finish"])
def test_an_encoder_that_is_killed(running, monkeypatch, where):
    av = encoders.video_library()

    def killed(*_, **__):
        raise av.error.ExternalError(errno.EPIPE, "the encoder was killed")

    with monkeypatch.context() as planted:
        planted.setattr(encoders.Film, where, killed)
        path = exported(running, "mp4")
        assert not path.exists() and "the encoder was killed" in errors(running)[0]
        assert_works(running)
    path = exported(running, "mp4")
    assert path.is_file() and len(errors(running)) == 1
