"""Planted faults: whatever breaks, a sentence says so, and the window works on."""

import errno
import os
import pkgutil
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gui_utils import gl
from gui_utils.libraries import imgui
from gui_utils.window import Window
from tests.viz.test_app import GOLDEN, START, Running
from torch_utils import atomic, ops
from viz import capture, commands, settings
from viz.app import App, AppOptions, run
from viz.cli.window import ended_in_a_sentence
from viz.effects import saving
from viz.errors import UNFORESEEN, CommandError
from viz.export import encoders
from viz.pipeline import Pipeline
from viz.render_thread import Inline, RenderThread
from viz.request import Progress
from viz.session import autosave, session
from viz.session.session import Session
from viz.state import Compare, CompareView, Equivariance, Flow, Latent, OverlayView, Pose, Source, Spectrum, Sticking, Tap, ViewState
from viz.timeline import paths

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
        running.app.on_disk.looked_at = 0.0
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
    """Temporary files of `atomic` are links to a device that is always full, so that real writes fail part of the way."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    count = iter(range(10**6))

    def on_a_full_disk(*, dir: Path, prefix: str, suffix: str) -> tuple[int, str]:
        path = Path(dir) / f"{prefix}{next(count)}{suffix}"
        path.symlink_to("/dev/full")
        return os.open(os.devnull, os.O_RDWR), str(path)

    monkeypatch.setattr(atomic.tempfile, "mkstemp", on_a_full_disk)
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


# ------------------------------------------------------------------------------------------------ around the engine


def test_a_texture_for_which_the_graphics_driver_has_no_memory(running, monkeypatch):
    before = running.ui.screenshot()
    with monkeypatch.context() as planted:
        planted.setattr(gl, "glTexImage2D", lambda *_: None)
        planted.setattr(gl, "glGetError", lambda: gl.GL_OUT_OF_MEMORY)
        running.app.state = running.state.edit(Tap, layer=running.app.frame.network.taps[3].name)  # another size: other storage
        running.ui.frames(4)
        trouble = running.app.canvas.trouble
        assert "no memory left for a texture of 108 x 36" in trouble or "no memory left for a texture" in trouble
        running.ui.click("Latent.x") if running.ui.exists("Latent.x") else running.ui.key("1")  # everything else goes on
        assert (running.ui.screenshot() != before).any()
    running.ui.frames(2)
    assert running.app.canvas.trouble == ""
    running.app.state = running.state.reset(Tap)
    running.ui.frames(3)
    assert_works(running)


class LostContext(Exception):
    """As PyOpenGL's own errors: of no kind that is expected."""


def lost(*_, **__):
    raise LostContext("planted")


@pytest.mark.parametrize("where", ["glTexSubImage2D", "viz.canvas.overlay.CanvasOverlay.draw"])
def test_a_graphics_driver_that_fails_in_a_way_nobody_has_foreseen(running, monkeypatch, where):
    running.app.state = running.state.edit(Flow, on=True).edit(OverlayView, image="flow.attached")
    running.ui.frames(3)
    with monkeypatch.context() as planted:
        planted.setattr(*((where, lost) if "." in where else (gl, where, lost)))
        running.app.state = running.state.edit(Latent, x=7.0)
        running.ui.frames(3)
        assert running.app.canvas.trouble == "The picture cannot be drawn: LostContext: planted."
    running.app.state = running.state.reset(Flow, OverlayView)
    running.ui.frames(2)
    assert_works(running)


def test_a_picture_of_the_window_that_cannot_be_taken(running, monkeypatch):
    with monkeypatch.context() as planted:
        planted.setattr(running.window, "screenshot", lost)
        running.app.context.emit(commands.CaptureWindow())
        running.ui.frames(4)
    assert UNFORESEEN in errors(running)[0] and "LostContext: planted" in errors(running)[0]
    assert_works(running)


@pytest.fixture
def doomed(monkeypatch, tmp_path):
    """The application in its own loop: it does something, and the frame after that fails in OpenGL."""

    def fail_later(self, dt=None):
        self.window.frames_left -= 1
        if self.window.frames_left:
            self.window.wake()  # nothing moves, so the loop would rest before its next frame
            return step(self, 0.02)
        self.state = self.state.edit(Latent, x=42.0)
        step(self, 0.02)
        return lost()

    step = App.step
    monkeypatch.setattr(Window, "frames_left", 4, raising=False)
    monkeypatch.setattr(App, "step", fail_later)
    monkeypatch.setattr("viz.app.RenderThread", lambda wake: Inline(Pipeline()))
    return AppOptions(view=START, settings_folder=tmp_path, headless=True)


@pytest.mark.parametrize("also", ["", "viz.canvas.canvas.Canvas.delete", "viz.app.App.save_settings"])
def test_a_window_that_ends_unforeseen_saves_the_session_and_says_so(doomed, monkeypatch, tmp_path, also):
    if also:  # closing fails as well, after it has let go of what later tests would find
        real = pkgutil.resolve_name(also)
        monkeypatch.setattr(also, lambda self: (real(self), lost()))
    with pytest.raises(CommandError, match=r"LostContext: planted\. The next start offers to go on where you were\. Details are in"):
        ended_in_a_sentence(run, doomed)
    assert "in fail_later" in (tmp_path / "last-error.txt").read_text()
    assert session.load(tmp_path / autosave.NOW).views[0].get(Latent).x == 42.0


def test_a_minimised_window_has_no_size_and_keeps_its_settings():
    kept = settings.Settings(window_width=900, window_height=700)
    assert kept.with_window((0, 0)) == kept and kept.with_window((800, 600)).window_width == 800


def test_a_render_thread_whose_pipeline_fails_where_nothing_is_expected_to(tmp_path, monkeypatch):
    running = Running(tmp_path)
    inline, thread = running.app.renderer, RenderThread(running.window.wake, lambda: inline.pipeline)
    running.app.renderer = thread
    try:
        for name in ("render", "refine"):
            with monkeypatch.context() as planted:
                planted.setattr(inline.pipeline, name, lambda *_, **__: 1 / 0)
                ask(running, x=float(len(name)))
                assert thread.wait_idle(DEADLINE_S)
                running.ui.frames(2)
                assert "ZeroDivisionError" in running.app.frame.error.message and running.app.good.picture is not None
            ask(running, x=0.5)
            assert thread.wait_idle(DEADLINE_S)
            running.ui.frames(2)
            assert running.app.frame.error is None and running.app.frame.request.view == running.app.submitted
    finally:
        running.close()


def test_settings_that_cannot_be_written(running, tmp_path):
    folder = tmp_path / "settings"
    if folder.exists():
        shutil.rmtree(folder)
    folder.write_text("a file where the folder should be")  # nobody can write into that, not even root
    saving = autosave.Autosave(folder, clock=lambda: 100.0 * running.ui.frame_count)
    running.app.attached.append(saving)
    running.ui.key("b")
    running.app.context.emit(commands.Bookmark())
    running.app.context.emit(commands.ChangeSettings((("font_scale", 1.2),)))
    ask(running, x=2.0)
    running.ui.frames(4)
    assert any("Settings were not saved" in text and "Errno" not in text for text in errors(running))
    assert running.app.settings.font_scale == 1.2 and running.app.settings.bookmarks  # for this sitting they hold
    told = [entry.text for entry in running.app.toasts.log.entries if entry.level == "warning"]
    assert sum("not saved automatically" in text for text in told) == 1
    assert_works(running)


def test_a_command_that_fails_in_a_way_nobody_has_foreseen(running, monkeypatch):
    with monkeypatch.context() as planted:
        planted.setattr(saving, "save_picture", lambda app: 1 / 0)
        running.ui.key("c")
        running.ui.frames(2)
    assert "CapturePicture failed in a way that was not foreseen: ZeroDivisionError" in errors(running)[0]
    assert_works(running)


def test_values_of_a_comparison_cannot_be_saved_and_that_is_said(running):
    running.app.state = running.state.edit(Compare, on=True).edit(CompareView, mode="wipe")
    running.ui.frames(3)
    running.app.context.emit(commands.SaveValues())
    running.ui.frames(2)
    assert errors(running) == ["Values could not be saved: EXR holds the values of one view: end the comparison, or choose the difference"]
    assert_works(running)


CLIPBOARDS = ["", "{", "\x00\x01", "{}" * 50_000, '{"format": "aliasfree-view", "version": "?"}', "/no/such/file.pkl", "\ud7ff \U0001f600"]


@pytest.mark.parametrize("text", CLIPBOARDS)
def test_a_clipboard_with_nothing_to_open(running, text):
    view = running.state
    running.window.clipboard = text
    running.ui.key("ctrl+v")
    running.ui.frames(2)
    assert running.state == view
    assert any(entry.level in ("warning", "error") for entry in running.app.toasts.log.entries)
    assert_works(running)


def test_a_clipboard_that_does_not_answer(running, monkeypatch):
    """Where another program owns the selection and hangs, GLFW gives nothing."""
    with monkeypatch.context() as planted:
        planted.setattr(imgui, "get_clipboard_text", lambda: None)
        running.ui.key("ctrl+v")
        running.ui.frames(2)
        running.ui.click("Latent.offset_x", button=1) if running.ui.exists("Latent.offset_x") else None  # its menu offers to paste
        running.ui.frames(2)
        running.ui.key("escape")
    assert any("nothing to open" in entry.text for entry in running.app.toasts.log.entries)
    assert_works(running)


def test_a_network_file_that_is_cut_short_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "net.pkl"
    shutil.copyfile(GOLDEN / "tiny_r.pkl", path)
    whole = path.read_bytes()
    running = Running(tmp_path, ViewState().put(Source(str(path))))
    try:
        for kept in (0, 1, 1000, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:kept])
            running.app.context.emit(commands.ReloadNetwork())
            running.ui.frames(3)
            assert running.app.frame.error is not None and running.app.frame.error.stage == "load", kept
            assert "net.pkl" in errors(running)[-1] and "Traceback" not in errors(running)[-1]
            assert running.app.good.picture is not None
        path.write_bytes(whole)
        running.app.context.emit(commands.ReloadNetwork())
        running.ui.frames(3)
        assert_works(running)
    finally:
        running.close()


@pytest.mark.parametrize("torn", [b"", b"{", b"\x00\xff" * 400, b"[1, 2]", b'{"format": "aliasfree-session", "version": 1, "views": 7}'])
def test_a_start_with_torn_settings_layout_and_sessions(tmp_path, torn):
    folder = tmp_path / "settings"
    folder.mkdir()
    for name in ("settings.json", autosave.NOW, autosave.LAST, "layout.ini"):
        (folder / name).write_bytes(torn)
    loaded, note = settings.load(folder / "settings.json")
    running = Running(tmp_path, ini_path=folder / "layout.ini")
    try:
        running.app.attached.append(autosave.Autosave(folder))
        assert loaded == settings.Settings() and ("could not be read" in note or torn.startswith(b'{"format'))
        assert_works(running)
    finally:
        running.close()


def test_a_panel_that_fails_rests_until_it_is_tried_again(running):
    """Even one that leaves a child window, a group and a colour open behind it."""
    faulty = True

    def draw(state, context):
        if faulty:
            imgui.begin_child("left open", (40, 40))
            imgui.begin_group()
            imgui.push_style_color(imgui.Col_.text, imgui.ImVec4(1, 0, 0, 1))
            raise ZeroDivisionError("of a panel")
        return working.draw(state, context)

    working = next(panel for panel in running.app.panels if panel.title == "Pose")
    running.app.panels = tuple(replace(panel, draw=draw) if panel is working else panel for panel in running.app.panels)
    running.ui.frames(3)
    assert [text for text in errors(running) if "Pose" in text and "of a panel" in text and UNFORESEEN in text] == errors(running) != []
    assert_works(running)
    faulty = False
    running.ui.click("PanelGuard.again")
    running.ui.frames(2)
    assert running.ui.item("Pose.turns") and len(errors(running)) == 1
    assert_works(running)


def test_progress_that_ends_while_a_frame_is_drawn(running, monkeypatch):
    """The render thread takes its progress away at any moment, also between two looks at it."""
    said = iter([Progress("Loading", 0.5, True), None] * 1000)
    monkeypatch.setattr(type(running.app.renderer), "progress", property(lambda self: next(said), lambda self, value: None), raising=False)
    good, running.app.good = running.app.good, None
    running.ui.frames(4)
    running.app.good = good
    running.ui.frames(4)
    assert_works(running)
