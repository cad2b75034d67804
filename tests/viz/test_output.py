"""The output window: it shows what the canvas shows, at its own size, only when that changes, and disturbs nothing else."""

import ctypes
from dataclasses import replace

import numpy as np
import pytest

from gui_utils import gl, monitors, output_window
from gui_utils.errors import WindowError
from gui_utils.libraries import glfw
from gui_utils.texture import live_objects
from gui_utils.tone import PictureView, paint
from tests.viz.test_app import Running
from viz import cli
from viz.canvas.canvas import tone_map_of
from viz.canvas.overlay import content_of
from viz.canvas.overlay_tone import tone_of
from viz.canvas.placement import Area, Content, Placement
from viz.canvas.scene import Piece, clipped, elsewhere
from viz.commands import ToggleOutput
from viz.compare.pairs import with_views
from viz.menus import HINTS, in_force
from viz.output import LINE_PX, Output
from viz.state import CompareView, Flow, Latent, OverlayView, Tone, View

pytestmark = pytest.mark.window
IMAGE = Content(32, 32, 32.0, 1.0, 1.0)
BLACK = (0.0, 0.0, 0.0)
SIZE = (960, 540)
FITTED = ((960 - 540) / 2, 0.0, 540.0)  # left, top and side of a fitted square


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    running.ui.key("shift+f11")
    running.ui.frames(2)
    yield running
    errors = [gl.glGetError()]
    if running.app.output.window is not None:
        with running.app.output.window._current():
            errors.append(gl.glGetError())
    running.close()
    assert not any(errors)
    assert live_objects() == {}


def output(running) -> output_window.OutputWindow:
    assert running.app.output.window is not None
    return running.app.output.window


def painted(running, picture, square=FITTED, size=SIZE, **look) -> np.ndarray:
    """The definition, by numpy: the whole picture on this square of a black window."""
    left, top, side = square
    samples = picture.values.shape[0] / side
    source = -left * samples, -top * samples, (size[0] - left) * samples, (size[1] - top) * samples
    look = {"tone": tone_map_of(running.state.get(Tone)), "magnify": running.state.get(View).magnify, **look}
    return paint(picture.values, PictureView(source, size, background=BLACK, **look))


def there_of(content: Content) -> tuple[float, float, float, float]:
    """The whole window in samples of what is fitted into it."""
    return Placement(Area(0, 0, *SIZE), FITTED[2], 0.0, 0.0).source(content)


def assert_shows(running, expected: np.ndarray) -> None:
    shown = output(running).screenshot()
    assert shown.shape == expected.shape and np.abs(shown.astype(int) - expected).max() <= 1


def current() -> int | None:
    return ctypes.cast(glfw.get_current_context(), ctypes.c_void_p).value


def count_shows(running, monkeypatch) -> list[int]:
    shown, show = [], output(running).show
    monkeypatch.setattr(output(running), "show", lambda texture, size: (shown.append(texture), show(texture, size)))
    return shown


def test_it_shows_the_picture_at_its_own_size_and_only_when_that_changes(running, monkeypatch):
    assert in_force(running.app, ToggleOutput()) and ToggleOutput in HINTS
    assert_shows(running, painted(running, running.app.good.picture))
    shown, requests = count_shows(running, monkeypatch), running.app.requests
    running.ui.hover((640.0, 400.0))  # the handles appear on the canvas
    running.ui.frames(5)
    assert shown == [] and running.app.requests == requests
    for state in (running.state.edit(Latent, x=3.0), running.state.edit(Latent, x=3.0).edit(Tone, gain_db=6.0)):
        before = len(shown)
        running.app.state = state
        running.ui.frames(3)
        assert len(shown) == before + 1
        assert_shows(running, painted(running, running.app.good.picture))
    output(running)._touched()  # something lay over it
    running.ui.frames(2)
    assert len(shown) == 3
    assert current() == ctypes.cast(running.window.handle, ctypes.c_void_p).value


def test_it_waits_for_no_screen_and_does_not_end_the_program(running, monkeypatch):
    intervals, real = [], glfw.swap_interval
    monkeypatch.setattr(glfw, "swap_interval", lambda n: (intervals.append((n, current())), real(n)))
    output(running).key(glfw.KEY_F11, glfw.PRESS, glfw.MOD_SHIFT)
    running.ui.frames(2)
    assert running.app.output.window is None and not running.window.should_close
    assert not running.app.settings.output and running.ui.screenshot().std() > 1
    running.app.context.emit(ToggleOutput())
    running.ui.frames(2)
    assert running.app.settings.output
    ((interval, context),) = intervals
    assert interval == 0 and context != ctypes.cast(running.window.handle, ctypes.c_void_p).value


def test_views_side_by_side_a_wipe_and_an_overlay(running):
    running.ui.key("v")
    running.app.state = running.state.edit(Latent, x=1.0)
    running.ui.frames(6)
    first, second = running.app.good.picture, running.app.good.others[2].frame.picture
    width = (960 - 4) // 2
    square = 0.0, (540 - width) / 2, float(width)
    gap = np.zeros((540, 4, 3), np.uint8)
    cells = [painted(running, picture, square, (width, 540)) for picture in (first, second)]
    assert_shows(running, np.concatenate([cells[0], gap, cells[1]], axis=1))

    running.app.state = running.state.edit(CompareView, mode="wipe", split=0.25)
    running.ui.frames(3)
    whole = [painted(running, picture) for picture in (first, second)]
    divider = round(480 + 0.25 * 540)
    shown = output(running).screenshot().astype(int)
    assert np.abs(shown[:, : divider - LINE_PX] - whole[0][:, : divider - LINE_PX]).max() <= 1
    assert np.abs(shown[:, divider + LINE_PX :] - whole[1][:, divider + LINE_PX :]).max() <= 1
    assert (shown[:, divider - 1 : divider + 1] == 230).all()

    running.app.state = running.state.edit(CompareView, mode="side").edit(Flow, on=True)
    running.ui.key("v")
    running.app.state = running.state.edit(OverlayView, image="flow.attached", opacity=0.5)
    running.ui.frames(6)
    image = running.app.canvas.overlay_image
    assert image is not None
    source, mask = there_of(content_of(image)), None if image.mask is None else image.mask.astype(np.float32)
    look = PictureView(source, SIZE, tone_of(image, 0.0), running.state.get(View).magnify, background=BLACK)
    below, above = painted(running, first).astype(float), paint(image.values, look, mask)
    assert np.abs(below - above).max() > 40
    assert np.abs(output(running).screenshot() - (below + above) / 2).max() <= 2


def test_it_fills_its_monitor_and_comes_back_when_that_goes(running):
    window = output(running)
    (monitor,) = monitors.monitors()
    for _ in range(2):
        window.click(glfw.MOUSE_BUTTON_LEFT, glfw.PRESS)
    running.ui.frames(2)
    assert window.framebuffer_size == monitor.place[2:] and running.app.settings.output_monitor == monitor.name
    window.key(glfw.KEY_ESCAPE, glfw.PRESS)
    window.key(glfw.KEY_ESCAPE, glfw.PRESS)
    assert window.framebuffer_size == SIZE and window.monitor == ""
    window.key(glfw.KEY_F11, glfw.PRESS)
    glfw.set_window_monitor(window._handle, None, 0, 0, *monitor.place[2:], glfw.DONT_CARE)  # pyright: ignore  (GLFW does so itself)
    running.ui.frames(2)
    assert window.framebuffer_size == SIZE and running.app.settings.output_monitor == ""
    assert running.app.toasts.log.entries[-1].text == f"The monitor {monitor.name} has gone, so the output is a plain window."
    assert monitors.within((5000, 10, 400, 300)) == (760, 390, 400, 300)  # on one that has gone


def start(running, **options) -> output_window.OutputWindow:
    """As a start of the program does it."""
    running.app.output.close()
    running.app.output = Output()
    running.app.attached[0] = running.app.output
    running.app.options = replace(running.app.options, **options)
    running.ui.frames(2)
    return output(running)


def test_it_opens_at_the_start_where_it_was_and_where_it_is_asked_for(running):
    name = monitors.monitors()[0].name
    running.app.settings = replace(running.app.settings, output_monitor=name, output_width=500, output_height=400)
    assert start(running).framebuffer_size == (500, 400)  # one monitor only: it would hide the panels
    assert start(running, output=name[2:6].upper()).monitor == start(running, output="1").monitor == name
    assert start(running, output="9").monitor == ""
    assert "There is no monitor 9" in running.app.toasts.log.entries[-1].text
    running.app.settings = replace(running.app.settings, output=False)
    with pytest.raises(AssertionError):
        start(running, output=None)  # there is no window
    parser = cli.build_parser()
    for words, value in ((["--output", "2"], "2"), (["net", "--output"], ""), (["net"], None)):
        assert parser.parse_args(["window", *words]).output == value


def test_what_fails_ends_the_output_and_nothing_else(running, monkeypatch):
    def fail(*_):
        raise WindowError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(output(running), "show", fail)
        running.app.state = running.state.edit(Latent, x=5.0)
        running.ui.frames(3)
    assert running.app.output.window is None and not running.app.canvas.trouble
    with monkeypatch.context() as planted:
        planted.setattr(output_window, "create_beside", fail)
        running.ui.key("shift+f11")
        running.ui.frames(2)
    texts = [entry.text for entry in running.app.toasts.log.entries if entry.level == "error"]
    assert texts == ["The output window was closed: WindowError: planted", "The output window cannot be opened: planted."]
    running.ui.key("shift+f11")
    running.ui.frames(2)
    assert_shows(running, painted(running, running.app.good.picture))


def test_no_size_is_too_small_and_one_that_is_too_large_ends_the_output_alone(running, monkeypatch):
    running.app.state = with_views(running.state, {}, {}, {}).edit(Flow, on=True)
    for mode, overlay in (("side", "flow.attached"), ("wipe", "")):
        running.app.state = running.state.edit(CompareView, mode=mode).edit(OverlayView, image=overlay)
        for size in ((1, 1), (3, 2), (500, 1), SIZE):
            glfw.set_window_size(output(running)._handle, *size)
            running.ui.frames(3)
            assert output(running).framebuffer_size == size and output(running).screenshot().shape == (size[1], size[0], 3)
    with monkeypatch.context() as minimised:
        minimised.setattr(output_window.OutputWindow, "framebuffer_size", (0, 0))
        running.ui.frames(2)
        assert not running.app.toasts.log.entries
    with monkeypatch.context() as immense:
        immense.setattr(output_window.OutputWindow, "framebuffer_size", (1 << 20, 4))
        running.ui.frames(1)
    assert running.app.output.window is None and "cannot draw into a texture" in running.app.toasts.log.entries[-1].text
    running.app.state = running.state.edit(Latent, x=2.0)
    running.ui.frames(3)
    assert not running.app.canvas.trouble and current() == ctypes.cast(running.window.handle, ctypes.c_void_p).value


@pytest.mark.parametrize(
    ("zoom", "size", "scale"), [(4.0, (1920, 1080), 7.0), (4.0, (300, 1080), 2.0), (2.5, (1080, 1080), 4.5), (1.0, (1100, 1100), 1.0)]
)
def test_a_whole_number_of_pixels_a_sample_stays_one_and_all_that_was_seen_is_there(zoom, size, scale):
    here = Placement(Area(100, 50, 600, 600), zoom * 32, 0.25, 0.0)
    there = elsewhere(here, View(zoom=zoom), IMAGE, Area(0, 0, *size))
    assert there.pixels_per_sample(IMAGE) == pytest.approx(scale)
    if scale > 1:
        left, top, right, bottom = there.source(IMAGE)
        seen = here.source(IMAGE)
        assert left <= seen[0] + 0.5 and top <= seen[1] + 0.5 and right >= seen[2] - 0.5 and bottom >= seen[3] - 0.5
    if float(scale).is_integer():
        assert (there.source(IMAGE)[0] * scale) % 1 == pytest.approx(0.0, abs=1e-6)


def test_the_divider_stands_at_the_same_place_of_the_image():
    here = Placement(Area(100, 50, 600, 600), 600.0, 0.0, 0.0)
    there = elsewhere(here, View(), IMAGE, Area(0, 0, 1200, 1000))
    piece = Piece(None, None, IMAGE, here, None, "lanczos", clip=Area(100, 50, 450, 600))  # pyright: ignore[reportArgumentType]
    left = clipped(piece, there)
    right = clipped(replace(piece, clip=Area(550, 50, 150, 600)), there)
    assert (left.x, left.width, right.x, right.x + right.width) == (0, 850, 850, 1200)


def test_while_nothing_happens_to_it_the_settings_stay_the_same(running):
    """The same object: by that autosave sees that there is nothing to look at."""
    before = running.app.settings
    running.ui.frames(3)
    assert running.app.settings is before and before.output
