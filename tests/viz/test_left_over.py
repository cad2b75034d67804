"""Films whose export was killed: their frames are found, gone on with or removed, and nobody takes those of a window that is at it."""

import errno
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.viz.test_app import START, Running
from tests.viz.test_film import wait_for
from viz import cli, commands
from viz.cli import play
from viz.export.encoders import ExportError
from viz.export.export import export
from viz.export.left_over import LOCK, held_frames, left_over
from viz.export.options import ExportOptions
from viz.pipeline import Pipeline
from viz.session.session import Session
from viz.state import Source, ViewState
from viz.timeline import paths

ROOT = Path(__file__).resolve().parents[2]
TINY = ViewState().put(Source(str(ROOT / "tests" / "golden" / "tiny_r.pkl")))
FILM = Session((TINY,), paths.ready_made("rotate", TINY, 0.5, 10))  # 5 frames
HOLDS = """
import sys, time
from pathlib import Path
from torch_utils.file_lock import hold
print(hold(Path(sys.argv[1])) is not None, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline(headless=True)


def killed_after(count, options, pipeline, session=FILM):
    """What kill -9 leaves."""
    seen = []
    export(session, options, pipeline=pipeline, progress=seen.append, cancelled=lambda: len(seen) >= count)
    (options.frames_folder / f".{count:05d}.png.x1y2.part").write_bytes(b"half a fra")
    assert options.frames_folder.is_dir()


def test_the_frames_of_a_killed_export_are_found_and_gone_on_with(tmp_path, pipeline):
    options = ExportOptions(tmp_path / "00000.webm", size=2, lossless=True, keep_frames=True)
    killed_after(3, options, pipeline)
    (left,) = left_over(tmp_path)
    assert left.options == options and (left.progress.done, left.progress.total) == (3, 5)
    assert export(left.session, left.options, pipeline=pipeline).rendered == 2
    assert [p.name for p in tmp_path.iterdir()] == ["00000.webm"] and not left_over(tmp_path)


def test_they_are_removed_where_nobody_wants_them(tmp_path, pipeline):
    for name in ("a.mp4", "b.gif"):
        killed_after(2, ExportOptions(tmp_path / name, keep_frames=True), pipeline)
    (tmp_path / ".c.mp4.frames").mkdir()  # killed before its first frame
    (tmp_path / ".mine.frames").mkdir()
    found = left_over(tmp_path)
    assert {left.options.out.name for left in found} == {"a.mp4", "b.gif"}
    for left in found:
        left.discard()
    assert [p.name for p in tmp_path.iterdir()] == [".mine.frames"]


def test_frames_that_a_power_cut_has_damaged_are_rendered_again(tmp_path, pipeline):
    options = ExportOptions(tmp_path / "a.mp4", lossless=True, keep_frames=True)
    killed_after(4, options, pipeline)
    (options.frames_folder / "00001.png").write_bytes(b"")
    whole = (options.frames_folder / "00002.png").read_bytes()
    (options.frames_folder / "00002.png").write_bytes(whole[:-100])  # its texts say whose it is; its pixels are gone
    assert export(FILM, options, pipeline=pipeline).rendered == 3
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_lock_goes_with_its_process_and_keeps_others_out_until_then(tmp_path, pipeline):
    options = ExportOptions(tmp_path / "a.mp4", keep_frames=True)
    killed_after(2, options, pipeline)
    with subprocess.Popen([sys.executable, "-c", HOLDS, options.frames_folder / LOCK], cwd=ROOT, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"True\n"
        frames = sorted(options.frames_folder.glob("*.png"))
        assert not left_over(tmp_path)
        with pytest.raises(ExportError, match=r"a\.mp4 is being exported already"), held_frames(options):
            raise AssertionError("two at once")
        other.send_signal(signal.SIGKILL)
    assert sorted(options.frames_folder.glob("*.png")) == frames and len(left_over(tmp_path)) == 1


@pytest.mark.window
def test_the_next_start_offers_what_a_killed_window_has_left(tmp_path, pipeline):
    captures = tmp_path / "captures"
    captures.mkdir()
    session = Session((START,), paths.ready_made("rotate", START, 0.5, 10))
    killed_after(2, ExportOptions(captures / "00004.mp4", keep_frames=True), pipeline, session)
    killed_after(1, ExportOptions(captures / "00007.mp4", keep_frames=True), pipeline, session)
    running = Running(tmp_path)
    try:
        film, emit = running.app.context.film, running.app.context.emit
        running.ui.frames(1)
        assert "00007.mp4, and 1 more ended early, after 1 of 5 frames" in str(running.app.toasts.log.__dict__)
        emit(commands.ResumeExport())
        running.ui.frames(1)
        job = film.job
        wait_for(lambda: not job.running)
        running.ui.frames(2)
        assert not job.error and (captures / "00007.mp4").is_file()
        assert film.stopped.options.out.name == "00004.mp4"  # the next
        emit(commands.StartExport(Session((START,), paths.ready_made("rotate", START, 0.2, 10)), "gif"))  # loses nothing
        running.ui.frames(1)
        job = film.job
        wait_for(lambda: not job.running)
        running.ui.frames(2)
        assert film.stopped.options.out.name == "00004.mp4" and len(running.app.toasts.log.entries) == 3
        emit(commands.DiscardExport())
        running.ui.frames(2)
        assert film.stopped is None and sorted(p.name for p in captures.iterdir()) == ["00000.gif", "00007.mp4"]
    finally:
        running.close()


def test_frames_that_have_no_place_are_told_in_a_sentence_and_those_that_are_there_stay(tmp_path, pipeline, monkeypatch):
    options = ExportOptions(tmp_path / "a.mp4", keep_frames=True)
    killed_after(2, options, pipeline)
    with monkeypatch.context() as planted:
        planted.setattr(Path, "write_text", full_disk)
        with pytest.raises(ExportError, match=r"the frames of a\.mp4 cannot be kept beside it: No space left"):
            export(FILM, options, pipeline=pipeline)
    assert left_over(tmp_path)[0].progress.done == 2
    (tmp_path / ".b.mp4.frames").write_text("in the way")
    with pytest.raises(ExportError, match=r"the frames of b\.mp4 cannot be kept beside it: File exists"):
        export(FILM, ExportOptions(tmp_path / "b.mp4", keep_frames=True), pipeline=pipeline)


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("name", "said"), [("a.mp4", r"is kept in a\.mp4\.part"), ("f", "The 2 frames before it are kept in f")])
def test_whoever_interrupts_a_command_is_told_what_is_kept(name, said, tmp_path, pipeline, monkeypatch, capsys):
    seen = []

    def interrupt(progress):
        seen.append(progress)
        if len(seen) == 3:
            raise KeyboardInterrupt

    def exports(_):
        return export(FILM, ExportOptions(tmp_path / name), pipeline=pipeline, progress=interrupt)

    monkeypatch.setattr(play, "run_play", exports)
    assert cli.run(["play", str(tmp_path), "--out", str(tmp_path / "x.mp4")]) == 130
    assert re.search(rf"Interrupted\. .*{said}", capsys.readouterr().err)
