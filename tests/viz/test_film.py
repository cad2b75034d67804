"""Films in the window: playback moves the picture, exports run beside it, and an exported file brings everything back."""

import threading
import time

import pytest

from tests.viz.test_app import START, Running
from viz import commands, effects, paths
from viz.encoders import ExportError
from viz.export import ExportOptions, ExportProgress, ExportResult
from viz.export_job import ExportJob, finished_text, time_left_text
from viz.film import leave_path
from viz.session import Session
from viz.state import Latent, LatentPath, Pose, Source, View, ViewState
from viz.timeline import Timeline

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
    effects.open_path(running.app, path)
    assert running.app.context.film.timeline.frame_count == line.frame_count
    assert running.state.get(Source).sha256 and running.app.toasts.log


@pytest.mark.window
def test_a_session_is_saved_and_opened(running):
    line = paths.ready_made("circle", START, 1.0, 25)
    running.app.context.emit(commands.SaveSession(Session((START.edit(Pose, x=0.1),), line)))
    running.ui.frames(1)
    (path,) = (running.app.options.capture_folder).iterdir()
    assert path.name == "00000.session.json"
    effects.open_path(running.app, path)
    saved = running.app.context.film.timeline
    assert {k.view.get(Source).sha256 for k in saved.keyframes} == {running.app.good.network.sha256}
    assert Session(timeline=saved).edit_views(Source, sha256="").timeline == line and running.state.get(Pose).x == 0.1


@pytest.mark.window
def test_an_export_that_cannot_begin_says_why(running):
    running.app.context.emit(commands.StartExport(Session((START,), paths.rotate(START)), "gif", 1, True))
    running.ui.frames(1)
    assert running.app.context.film.job is None and "cannot be lossless" in str(running.app.toasts.log.__dict__)
