"""Films in the window: playback moves the picture, exports run beside it, and an exported file brings everything back."""

import shutil
import threading
import time

import pytest

from tests.viz.test_app import START, Running
from viz import commands
from viz.effects import opening, saving
from viz.export.encoders import ExportError
from viz.export.film import leave_path
from viz.export.job import ExportJob, finished_text, time_left_text
from viz.export.options import ExportOptions, ExportProgress, ExportResult
from viz.menus import nothing_for
from viz.session.session import Session
from viz.state import Latent, LatentPath, Pose, RotateMotion, Source, View, ViewState
from viz.timeline import paths
from viz.timeline.timeline import Timeline

PATIENCE_S = 30
SESSION = Session((ViewState(),), paths.rotate(ViewState(), 1.0))


def wait_for(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


def test_a_job_reports_wakes_and_ends(tmp_path):
    woken, seen = [], ExportProgress(1, 30, 2.0, 58.0)

    def work(session, options, *, progress, cancelled):
        progress(seen)
        return ExportResult(options.out, 30, 30)

    job = ExportJob(SESSION, ExportOptions(tmp_path / "a.gif"), lambda: woken.append(1), work)
    assert job.join(PATIENCE_S) and not job.running
    assert job.progress is seen and len(woken) == 2 and finished_text(job.result).endswith("a.gif")
    assert time_left_text(seen) == "frame 1 of 30, 0:58 left"


def test_a_job_can_be_cancelled(tmp_path):
    def work(session, options, *, progress, cancelled):
        wait_for(cancelled)
        return ExportResult(None, 3, 3, cancelled=True)

    job = ExportJob(SESSION, ExportOptions(tmp_path / "a.gif"), run=work)
    job.close(PATIENCE_S)
    assert finished_text(job.result) == "Export stopped."


@pytest.mark.parametrize(
    ("error", "said"), [(ExportError("frame 3: gone"), "frame 3: gone"), (ZeroDivisionError("x"), "ZeroDivisionError")]
)
def test_whatever_happens_in_a_job_becomes_a_sentence(error, said, tmp_path):
    def work(session, options, *, progress, cancelled):
        raise error

    job = ExportJob(SESSION, ExportOptions(tmp_path / "a.gif"), run=work)
    assert job.join(PATIENCE_S) and said in job.error and not job.running


@pytest.mark.parametrize(
    ("ended", "done", "kept", "goes_on"),
    [
        ("stopped", 2, True, True),
        ("stopped", 0, True, False),
        ("stopped", 2, False, False),
        ("failed", 2, True, True),
        ("whole", 2, True, False),
    ],
)
def test_what_ended_early_and_left_frames_can_go_on(ended, done, kept, goes_on, tmp_path):
    options = ExportOptions(tmp_path / "a.gif")

    def work(session, options, *, progress, cancelled):
        progress(ExportProgress(done, 3))
        if ended == "failed":
            raise ExportError("gone")
        return ExportResult(options.out, done, done, cancelled=ended == "stopped")

    if kept:
        options.frames_folder.mkdir()
        (options.frames_folder / "00000.png").touch()
    job = ExportJob(SESSION, options, run=work)
    assert job.join(PATIENCE_S) and job.can_go_on == goes_on
    job.discard()
    assert not options.frames_folder.exists()


def test_moving_on_the_lattice_leaves_a_path():
    on_path = ViewState().put(LatentPath((3, 8), 0.5))
    assert leave_path(on_path, on_path.edit(Latent, x=1.0)) == ViewState().edit(Latent, x=1.0)
    assert leave_path(on_path, on_path.edit(Pose, x=1.0)).get(LatentPath).seeds == (3, 8)
    assert leave_path(ViewState().edit(Latent, x=1.0), on_path) is on_path


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    running.close()


def exported(running):
    wait_for(lambda: not running.app.context.film.job.running)
    running.ui.frames(1)
    assert running.app.context.film.job is None
    return sorted((running.app.options.capture_folder).iterdir())


@pytest.mark.window
def test_playing_renders_and_is_no_step_of_undo(running):
    film = running.app.context.film
    film.edit(paths.ready_made("rotate", START, 2.0, 30))
    asked, past = running.app.requests, len(running.app.history.past)
    running.app.state = running.state.edit(View, zoom=2.0)
    film.play()
    running.ui.frames(4)
    assert film.time_s > 0 and running.state.get(Pose).turns == pytest.approx(film.time_s / 2) and running.state.get(View).zoom == 2.0
    assert running.app.requests >= asked + 3 and len(running.app.history.past) == past


@pytest.mark.window
def test_a_film_is_exported_beside_the_window_and_brings_its_timeline_back(running):
    line = paths.ready_made("rotate", START, 0.3, 10)
    running.app.context.emit(commands.StartExport(Session((START,), line), "mp4", 2, True))
    running.ui.frames(1)
    (path,) = exported(running)
    assert path.name == "00000.mp4"
    running.app.context.film.edit(Timeline())
    opening.open_path(running.app, path)
    assert running.app.context.film.timeline.frame_count == line.frame_count
    assert running.state.get(Source).sha256 and running.app.toasts.log


@pytest.mark.window
def test_a_session_is_saved_and_opened(running):
    line = paths.ready_made("circle", START, 1.0, 25)
    running.app.context.emit(commands.SaveSession(Session((START.edit(Pose, x=0.1),), line)))
    running.ui.frames(1)
    (path,) = (running.app.options.capture_folder).iterdir()
    assert path.name == "00000.session.json"
    opening.open_path(running.app, path)
    saved = running.app.context.film.timeline
    assert {k.view.get(Source).sha256 for k in saved.keyframes} == {running.app.good.network.sha256}
    assert Session(timeline=saved).edit_views(Source, sha256="").timeline == line and running.state.get(Pose).x == 0.1


@pytest.mark.window
def test_an_export_that_cannot_begin_says_why(running):
    running.app.context.emit(commands.StartExport(Session((START,), paths.rotate(START)), "gif", 1, True))
    running.ui.frames(1)
    assert running.app.context.film.job is None and "cannot be lossless" in str(running.app.toasts.log.__dict__)


@pytest.mark.window
def test_the_window_films_a_window_in_a_process_of_its_own(running):
    seen = []
    line = paths.ready_made("rotate", START, 0.2, 10)
    running.app.context.emit(commands.StartExport(Session((START,), line), "png", 1, False, "window", (640, 400)))
    running.ui.frames(1)
    job = running.app.context.film.job
    wait_for(lambda: seen.append(job.progress.preview) or not job.running)
    assert not job.error, job.error
    assert job.result.frames == job.result.rendered == 2
    assert any(p is not None and p.shape == (134, 214, 3) and p.std() > 5 for p in seen)  # every third pixel
    (folder,) = exported(running)
    assert sorted(p.name for p in folder.iterdir()) == ["00000.png", "00001.png", "session.json"]
    opening.open_path(running.app, folder)  # dropped on the window, the folder of frames brings its session back
    assert running.app.context.film.timeline.frame_count == 2 and running.state.get(Source).sha256


def test_a_process_that_fails_or_dies_says_why(tmp_path, monkeypatch):
    from viz.export import process as export_process

    gone = Session((ViewState().put(Source(str(tmp_path / "gone.pkl"))),))
    with pytest.raises(ExportError, match=r"gone\.pkl"):
        export_process.export(gone, ExportOptions(tmp_path / "f", what="window"))
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    with pytest.raises(ExportError, match="ended with code 1"):
        export_process.export(gone, ExportOptions(tmp_path / "f", what="window"))


@pytest.mark.window
def test_a_film_that_was_stopped_goes_on_from_the_panel(running):
    film, emit = running.app.context.film, running.app.context.emit
    line = paths.ready_made("rotate", START, 30.0, 10)
    emit(commands.StartExport(Session((START,), line), "mp4", 1, True))
    running.ui.frames(1)
    job = film.job
    wait_for(lambda: job.progress.done > 2)
    emit(commands.CancelExport())
    running.ui.frames(1)
    wait_for(lambda: not job.running)
    running.ui.frames(1)
    assert film.job is None and film.stopped is job and job.result.cancelled
    emit(commands.ResumeExport())
    running.ui.frames(1)
    second = film.job
    assert second is not None and film.stopped is None
    wait_for(lambda: not second.running)
    assert second.result.frames == 300 and second.result.rendered == 300 - job.progress.done
    running.ui.frames(1)
    assert film.stopped is None and [p.name for p in running.app.options.capture_folder.iterdir()] == ["00000.mp4"]


@pytest.mark.window
@pytest.mark.parametrize("instead", [None, START.edit(Pose, x=0.1)], ids=["for good", "for another"])
def test_frames_of_a_film_that_is_given_up_are_removed(running, instead):
    film, emit = running.app.context.film, running.app.context.emit
    emit(commands.StartExport(Session((START,), paths.ready_made("rotate", START, 30.0, 10)), "mp4"))
    running.ui.frames(1)
    job = film.job
    wait_for(lambda: job.progress.done > 2)
    emit(commands.CancelExport())
    running.ui.frames(1)
    wait_for(lambda: not job.running)
    running.ui.frames(1)
    folder = running.app.options.capture_folder
    left = [p.name for p in folder.iterdir()]
    assert left == [".00000.mp4.frames"] and saving.free_name(running.app, ".mp4").name == "00001.mp4"  # as after a crash
    if instead is None:
        emit(commands.DiscardExport())
        running.ui.frames(1)
        assert film.stopped is None and not list(folder.iterdir())
    else:
        emit(commands.StartExport(Session((instead,), paths.ready_made("rotate", instead, 0.2, 10)), "mp4"))
        running.ui.frames(1)
        assert [p.name for p in exported(running)] == ["00001.mp4"]


@pytest.mark.window
def test_what_is_shown_is_saved_as_values_and_as_numbers(running):
    import numpy as np

    from viz import cli

    for command in (commands.SaveValues(), commands.SaveRaw(), commands.SaveRaw()):
        running.app.context.emit(command)
        running.ui.frames(1)
    folder = running.app.options.capture_folder
    names = ["00000.exr", "00001.npy", "00001.npy.json", "00002.npy", "00002.npy.json"]  # a second one does not replace the first
    assert sorted(p.name for p in folder.iterdir()) == names
    assert cli.run(["view", str(folder / names[1]), "--out", str(folder / "again.npy"), "--shown"]) == 0
    assert np.array_equal(np.load(folder / "again.npy"), np.load(folder / names[1]))
    assert cli.run(["view", str(folder / names[0]), "--out", str(folder / "again.exr")]) == 0
    assert (folder / "again.exr").read_bytes() == (folder / names[0]).read_bytes()


@pytest.mark.window
def test_pause_stops_the_timeline_and_all_other_motion(running):
    """A laptop has no such key: the menu has it, too, and greys it where nothing moves."""
    app, film = running.app, running.app.context.film
    film.edit(paths.rotate(START, 4.0))
    film.play()
    running.ui.frames(3)
    assert film.playing and not nothing_for(app, commands.StopMotion())
    running.ui.key("pause")
    running.ui.frames(1)
    assert not film.playing and nothing_for(app, commands.StopMotion())
    app.state = app.state.edit(RotateMotion, on=True, turns_per_s=0.1)
    running.ui.frames(2)
    app.context.emit(commands.StopMotion())
    running.ui.frames(2)
    assert app.state.get(RotateMotion) == RotateMotion(turns_per_s=0.1) and nothing_for(app, commands.StopMotion())
