"""A person's paths through the whole window, driven headless: drag, press keys, drop files; and what that asks of the renderer."""

import gc
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gui_utils.libraries import imgui
from gui_utils.texture import live_objects
from gui_utils.toasts import SHOWN_S
from gui_utils.window import Window, WindowOptions
from tests.drive import FRAME_S, Driver
from torch_utils.ops.backend import Backend
from viz import cli, keyboard
from viz.app import LONGEST_STEP_S, App, AppOptions
from viz.chrome import kernels_text
from viz.commands import CapturePicture, CaptureWindow, Redo, Undo
from viz.export import film_file
from viz.keys import BINDINGS, rows
from viz.menus import nothing_for
from viz.network_on_disk import DISK_CHECK_S
from viz.pipeline import Pipeline
from viz.render_thread import Inline
from viz.request import Frame, RenderError
from viz.settings import Settings
from viz.state import (
    Channels,
    Equivariance,
    HeldRange,
    Latent,
    Mixing,
    OverlayView,
    Pose,
    RotateMotion,
    Slice,
    Source,
    Spectrum,
    Tap,
    Tone,
    TranslateMotion,
    Truncation,
    Unwarp,
    View,
    ViewState,
)

pytestmark = pytest.mark.window
GOLDEN = Path(__file__).resolve().parent.parent / "golden"
START = ViewState().put(Source(str(GOLDEN / "tiny_r.pkl")))


class Running:
    """The application in a headless window with a driver."""

    def __init__(self, folder: Path, view: ViewState = START, ini_path: Path | None = None) -> None:
        self.window = Window(WindowOptions(size=(1280, 800), headless=True, ini_path=ini_path))
        options = AppOptions(view=view, capture_folder=folder / "captures", settings_folder=folder / "settings", headless=True)
        self.app = App(options, self.window, Inline(Pipeline()), Settings())
        self.ui = Driver(self.draw, window=self.window)
        self.ui.frames(6)

    def draw(self) -> None:
        self.app.begin()
        self.app.draw(FRAME_S)
        self.app.finish(FRAME_S)

    @property
    def state(self) -> ViewState:
        return self.app.state

    def canvas_point(self, x: float, y: float) -> tuple[float, float]:
        """Screen position of a point in image coordinates."""
        return self.app.canvas.placement.to_screen(x, y)

    def close(self) -> None:
        self.ui.draw = lambda: None  # closing the driver draws once more
        self.app.close()
        self.ui.close()
        self.window.close()


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    running.close()


def png_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_the_network_is_on_screen(running):
    assert running.app.good is not None and running.app.good.network.name == "tiny_r"
    pixels = running.ui.screenshot()
    x, y = (round(v) for v in running.canvas_point(0.1, 0.1))
    assert pixels[y - 20 : y + 20, x - 20 : x + 20].std() > 1
    assert running.app.requests == 1


def test_idle_frames_ask_for_nothing(running):
    before = running.app.requests, running.state
    running.ui.frames(20)
    assert running.app.requests == before[0] and running.state is before[1]


def test_a_left_drag_walks_in_latent_space(running):
    picture = running.app.good.picture.values.copy()
    requests = running.app.requests
    start = running.canvas_point(0.2, 0.1)
    em = running.app.context.em
    running.ui.drag(start, (start[0] + 5 * em, start[1]))
    assert running.state.get(Latent).x == pytest.approx(5 * 0.04, rel=0.05)
    assert running.state.get(Pose) == Pose() and running.app.requests > requests
    assert not np.array_equal(picture, running.app.good.picture.values)


def test_a_drag_keeps_the_brightness_that_it_began_with(running):
    """What is asked on the way is divided as the first picture was; what is asked at the end, and the view, hold nothing."""
    running.app.state = running.state.put(Tap("L1_36_16")).edit(Channels, normalize=True)
    running.ui.frames(3)
    largest, submit, asked = running.app.good.statistics_shown.largest, running.app.renderer.submit, []
    running.app.renderer.submit = lambda view: (asked.append(view), submit(view))[1]
    start = running.canvas_point(0.2, 0.1)
    running.ui.drag(start, (start[0] + 60, start[1]), steps=6)
    running.ui.frames(2)
    assert {view.get(HeldRange).largest for view in asked[:-1]} == {largest} and len(asked) > 3
    assert asked[-1].get(HeldRange) == HeldRange() == running.state.get(HeldRange)


def test_a_whole_drag_is_one_step_of_undo(running):
    start = running.canvas_point(0.2, 0.1)
    running.ui.drag(start, (start[0] + 60, start[1]), steps=12)
    running.ui.frames(2)
    moved = running.state
    assert moved != START and len(running.app.history.past) == 1
    running.ui.key("ctrl+z")
    running.ui.frames(1)
    assert running.state == START
    running.ui.key("ctrl+shift+z")
    running.ui.frames(1)
    assert running.state == moved


def test_the_chip_says_what_computes_and_that_kernels_are_being_prepared():
    ready, waiting = (
        Backend("filtered_lrelu", "native", "AVX2, OpenMP"),
        Backend("filtered_lrelu", "reference", "plain torch; in other words", provisional=True),
    )
    assert "native kernels: AVX2, OpenMP" in kernels_text(ready) and "being prepared" in kernels_text(waiting) == kernels_text(None)


def test_arrows_and_space_belong_to_the_picture_and_to_open_menus(running):
    """A control that was clicked last is not moved to, let alone changed; a list that is open has the keys for itself."""
    for control in ("Pose.snap", "Tap.layer.L2_36_16"):  # in a panel, and in a list of one
        running.ui.click(control)
        before = running.state
        for key in ("down", "down", "left", "space"):
            running.ui.key(key)
            running.ui.frames(1)
        assert not imgui.get_io().nav_visible
        moved = running.state.get(Pose)
        assert moved.x < before.get(Pose).x and moved.y > before.get(Pose).y and running.state.put(before.get(Pose)) == before
    running.ui.click("LearnedPose.mode")
    running.ui.key("down")
    running.ui.frames(1)
    assert running.state.get(Pose) == moved
    running.ui.key("escape")
    running.ui.key("down")
    running.ui.frames(1)
    assert running.state.get(Pose).y > moved.y


def test_a_panel_comes_to_the_front_by_its_name_and_the_spectrum_by_its_key(running):
    """Behind another tab, and in another workspace."""
    assert running.app.settings.workspace == 1 and not running.ui.exists("Spectrum.beta")
    running.ui.key("f")
    running.ui.frames(4)
    assert running.ui.exists("Spectrum.beta")
    running.app.show_panel("Flow")
    running.ui.frames(5)
    assert running.app.settings.workspace == 4 and running.ui.exists("Flow.on")
    running.app.show_panel("Equivariance")
    running.ui.frames(5)
    assert running.app.settings.workspace == 4 and running.ui.exists("Equivariance.on") and not running.ui.exists("Flow.on")


def test_the_menu_offers_no_undo_where_there_is_nothing_to_undo(running):
    def offered():
        return tuple(not nothing_for(running.app, command) for command in (Undo(), Redo(), CapturePicture()))

    assert offered() == (False, False, True)
    running.ui.key("up")
    running.ui.frames(1)
    assert offered() == (True, False, True)
    running.ui.key("ctrl+z")
    running.ui.frames(1)
    assert offered() == (False, True, True)


def test_a_right_drag_moves_the_grid_with_the_cursor(running):
    scale = running.app.canvas.placement.scale
    start = running.canvas_point(0.2, 0.1)
    running.ui.drag(start, (start[0] + 0.1 * scale, start[1] - 0.05 * scale), button=1)
    pose = running.state.get(Pose)
    assert (pose.x, pose.y) == pytest.approx((0.1, -0.05), abs=2 / scale)
    assert running.state.get(Latent) == Latent()


def test_dragging_the_ring_rotates_counter_clockwise(running):
    right, top = running.canvas_point(0.4, 0.0), running.canvas_point(0.0, -0.4)
    running.ui.drag(right, top, steps=8)
    assert running.state.get(Pose).turns == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(("keys", "pixels", "degrees", "steps", "far"), [("ctrl", 1, 15, 12, 1.0), ("ctrl+shift", 1 / 8, 1, 20, 1 / 3)])
def test_with_ctrl_a_drag_stops_at_whole_pixels_and_round_angles(running, keys, pixels, degrees, steps, far):
    """The mouse goes on between the stops, in steps that are smaller than half of the way from pixel to pixel."""
    scale, start = running.app.canvas.placement.scale, running.canvas_point(0.2, 0.1)
    x, y, angle = 0.109 * far, -0.05 * far, 45 * far
    running.ui.drag(start, (start[0] + x * scale, start[1] + y * scale), button=1, steps=steps, keys=keys)
    pose = running.state.get(Pose)
    step = pixels / running.app.good.network.resolution
    for value, wanted in ((pose.x, x), (pose.y, y)):
        assert value / step == pytest.approx(round(value / step), abs=1e-9)
        assert value == pytest.approx(wanted, abs=step / 2 + 2 / scale)
    running.ui.key("r")
    end = 0.4 * math.cos(math.radians(angle)), -0.4 * math.sin(math.radians(angle))
    running.ui.drag(running.canvas_point(0.4, 0.0), running.canvas_point(*end), steps=steps, keys=keys)
    assert running.state.get(Pose).turns * 360 == pytest.approx(angle, abs=degrees * 1.01)
    assert running.state.get(Pose).turns * 360 % degrees == pytest.approx(0, abs=1e-9)


def test_the_ring_is_there_to_be_found_while_the_mouse_is_over_the_picture(running):
    """Also where nothing is moved yet, and the mouse is far from it; elsewhere nothing hides the picture."""

    def ring() -> bool:
        running.ui.frames(2)
        x, y = running.canvas_point(0.4, 0.0)
        blue = running.ui.screenshot()[int(y) - 1 : int(y) + 2, int(x) - 2 : int(x) + 3].reshape(-1, 3).astype(int)
        return bool((blue[:, 2] - blue[:, 0] > 40).any())

    running.ui.hover((20.0, 300.0))
    assert not ring()
    running.ui.hover(running.canvas_point(0.1, 0.15))
    assert ring()
    running.ui.hover((20.0, 300.0))
    assert not ring()


def test_a_click_on_a_channel_of_the_sheet_shows_it_alone_and_a_drag_does_not(running):
    running.app.state = running.state.edit(Tap, layer=running.app.good.network.taps[1].name).edit(Channels, mode="sheet")
    running.ui.frames(3)
    picture, canvas = running.app.good.picture, running.app.canvas
    assert picture.grid > 1
    left, top = -canvas.content.width / canvas.content.sampling_rate / 2, -canvas.content.height / canvas.content.sampling_rate / 2
    cell = (picture.cell[0] / canvas.content.sampling_rate, picture.cell[1] / canvas.content.sampling_rate)
    at = canvas.placement.to_screen(left + 1.5 * cell[0], top + 0.5 * cell[1])
    running.ui.drag_by(at, (30, 0))
    assert running.state.get(Channels).mode == "sheet"
    running.ui.click_at(at)
    running.ui.frames(1)
    assert (running.state.get(Channels).mode, running.state.get(Channels).first) == ("single", picture.channels[1])


def test_alt_drag_rotates_anywhere(running):
    running.ui.drag(running.canvas_point(0.2, 0.0), running.canvas_point(0.0, 0.2), keys="alt", steps=6)
    assert running.state.get(Pose).turns == pytest.approx(-0.25, abs=0.01)


def test_the_wheel_zooms_at_the_cursor_and_double_click_fits(running):
    at = running.canvas_point(0.2, -0.1)
    before = running.app.canvas.placement
    requests = running.app.requests
    running.ui.wheel(at, 3)
    running.ui.frames(2)
    after = running.app.canvas.placement
    assert after.scale > before.scale * 1.3
    assert after.to_image(*at) == pytest.approx(before.to_image(*at), abs=0.01)
    running.ui.double_click(at)
    running.ui.frames(2)
    assert running.state.get(View).zoom == 0 and running.app.requests == requests


def test_middle_drag_pans(running):
    start = running.canvas_point(0.1, 0.1)
    running.ui.drag(start, (start[0] + 40, start[1] + 10), button=2)
    running.ui.frames(2)
    assert running.canvas_point(0.1, 0.1) == pytest.approx((start[0] + 40, start[1] + 10), abs=2)
    assert running.state.get(Latent) == Latent()


@pytest.mark.parametrize(
    ("keys", "kind", "field", "value"),
    [
        ("u", Unwarp, "on", True),
        ("f", Spectrum, "on", True),
        ("n", Latent, "x", 1.0),
        ("right", Pose, "x", 1 / 32),
        ("shift+down", Pose, "y", 1 / 256),
        ("ctrl+left", Pose, "x", -8 / 32),
        (",", Pose, "turns", 1 / 360),
        ("=", Channels, "first", 0),
    ],
)
def test_keys_act(running, keys, kind, field, value):
    running.ui.key(keys)
    running.ui.frames(1)
    assert getattr(running.state.get(kind), field) == pytest.approx(value)


def test_layer_keys_walk_through_the_layers(running):
    names = [tap.name for tap in running.app.good.network.taps]
    running.ui.key("[")
    running.ui.key("[")
    running.ui.frames(1)
    assert running.state.get(Tap).layer == names[-3] and running.app.good.picture.tap == names[-3]
    running.ui.key("]")
    running.ui.key("]")
    running.ui.key("]")
    running.ui.frames(1)
    assert running.state.get(Tap).layer == ""


def test_every_binding_names_keys_that_exist_and_none_twice():
    chords = [keyboard.chord_of(c) for b in BINDINGS for c in b.chords]
    assert len(chords) == len(set(chords))


def test_keys_that_belong_together_are_one_row_and_none_is_left_out():
    assert ("Shift+← → ↑ ↓", "… by 1/8 pixel") in rows("Pose") and ("[ ]", "previous layer, next layer") in rows("Layers")
    listed = [key for group in {b.group for b in BINDINGS} for keys, _ in rows(group) for key in keys.replace(" or ", " ").split()]
    assert len(listed) == sum(len(b.chords) for b in BINDINGS)


def test_reset_pose_stops_motion(running):
    running.app.state = running.state.edit(Pose, x=0.1, turns=0.2).edit(TranslateMotion, on=True).edit(RotateMotion, on=True)
    running.ui.key("r")
    running.ui.frames(3)
    assert running.state.get(Pose) == Pose()


def test_animation_asks_for_new_frames_and_is_one_step_of_undo(running):
    running.app.state = running.state.edit(RotateMotion, on=True, turns_per_s=0.5)
    requests = running.app.requests
    running.ui.frames(10)
    assert running.app.requests >= requests + 9
    running.app.state = running.state.edit(RotateMotion, on=False)
    running.ui.frames(2)
    assert len(running.app.history.past) == 1


def test_capturing_and_dropping_the_capture_back_restores_the_view(running):
    running.app.state = running.state.edit(Latent, x=3.5).edit(Pose, turns=0.1).edit(Tone, gain_db=3.0)
    running.ui.frames(2)
    running.ui.key("c")
    running.ui.frames(1)
    path = running.app.capture_folder / "00000.png"
    assert png_size(path) == (32, 32)
    captured = running.state
    running.app.state = START
    running.ui.frames(2)
    running.window.drop([path])
    running.ui.frames(2)
    assert running.state.reset(Source) == captured.reset(Source)
    assert running.state.get(Source).network == START.get(Source).network
    assert running.app.frame.error is None


def test_the_captured_picture_is_what_is_on_screen(running):
    running.ui.key("c")
    running.ui.frames(1)
    with Image.open(running.app.capture_folder / "00000.png") as picture:
        pixels = np.asarray(picture).astype(int)
    expected = np.floor(running.app.good.picture.values * 127.5 + 127.5 + 0.5).clip(0, 255)
    assert np.abs(pixels - expected).max() <= 1


def test_a_window_capture_holds_the_whole_window(running):
    running.app.context.emit(CaptureWindow())
    for _ in range(3):
        running.app.step(dt=0.0)  # by itself: the driver's own frame is open while it draws
    path = running.app.capture_folder / "00000.png"
    assert png_size(path) == running.window.framebuffer_size
    assert film_file.read(path).views[0].get(Source).sha256 == running.app.good.network.sha256


def test_a_dropped_file_of_another_kind_changes_nothing(running, tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("hello")
    running.window.drop([other])
    running.ui.frames(2)
    assert running.state == START and any("notes.txt" in t for t in running.app.toasts.texts)


def test_a_latent_that_is_opened_says_what_else_changes_it(running, tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, ws=running.app.good.styles.ws.float().numpy())
    for view, changed in ((START, False), (START.edit(Truncation, psi=0.5), True), (START.edit(Mixing, rows=(1,)), True)):
        running.app.state = view
        running.window.drop([path])
        running.ui.frames(2)
        assert ("On screen it is changed by" in running.app.toasts.texts[-1]) is changed


def test_a_network_that_cannot_be_loaded_leaves_the_picture_and_says_why(running, tmp_path):
    broken = tmp_path / "broken.pkl"
    broken.write_bytes(b"\x80\x04junk")
    good = running.app.good
    running.window.drop([broken])
    running.ui.frames(3)
    assert running.app.good is good and running.app.frame.error is not None
    assert any("broken.pkl" in t for t in running.app.toasts.texts)
    running.ui.key("ctrl+z")
    running.ui.frames(2)
    assert running.app.frame.error is None


def test_an_error_is_told_once_not_on_every_frame(running):
    def failing(request, **_):
        return Frame(request, error=RenderError("synthesis", "planted failure"))

    running.app.renderer.pipeline.render = failing
    for i in range(5):
        running.app.state = running.state.edit(Latent, x=float(i + 1))
        running.ui.frames(1)
    assert len([e for e in running.app.toasts.log.entries if e.level == "error"]) == 1


def test_workspaces_and_picture_only(running):
    for number in range(1, 7):
        running.ui.key(str(number))
        running.ui.frames(3)
        assert running.app.settings.workspace == number and running.app.canvas.placement is not None
    width = running.app.canvas.placement.area.width
    running.ui.key("tab")
    running.ui.frames(3)
    assert running.app.canvas.placement.area.width == 1280 > width


def test_f11_fills_the_screen_and_puts_the_window_back(running):
    size = running.window.size
    running.ui.key("f11")
    running.ui.frames(2)
    assert running.window.fullscreen and running.window.size != size
    running.ui.key("f11")
    running.ui.frames(2)
    assert not running.window.fullscreen and running.window.size == size


def test_the_help_sheet_opens_and_escape_closes_it_without_quitting(running):
    running.ui.key("f1")
    running.ui.frames(2)
    assert running.app.help_shown
    running.ui.key("escape")
    running.ui.frames(2)
    assert not running.app.help_shown and not running.window.should_close


def test_a_rewritten_file_is_offered_for_reload(tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes((GOLDEN / "tiny_r.pkl").read_bytes())
    running = Running(tmp_path, ViewState().put(Source(str(path))))
    try:
        assert not running.app.context.changed_on_disk
        path.write_bytes((GOLDEN / "tiny_t.pkl").read_bytes())
        running.app.on_disk.looked_at = 0.0
        running.ui.frames(2)
        assert running.app.context.changed_on_disk
    finally:
        running.close()


def test_settings_are_saved_and_a_bookmark_is_among_them(running, tmp_path):
    running.app.state = running.state.edit(Latent, x=7.25)
    running.ui.key("s")
    running.ui.frames(2)
    running.app.close()
    text = (tmp_path / "settings" / "settings.json").read_text()
    assert "7.25" in text and "tiny_r.pkl" in text


def test_nothing_of_gl_is_left_behind(tmp_path):
    before = live_objects()
    for _ in range(2):
        running = Running(tmp_path)
        running.ui.key("f")
        running.ui.frames(3)
        running.close()
    assert live_objects() == before


@pytest.mark.parametrize("size", [(1280, 720), (640, 480)])
def test_a_small_window_works(tmp_path, size):
    window = Window(WindowOptions(size=size, headless=True, font_scale=2.0))
    app = App(AppOptions(view=START, headless=True), window, Inline(Pipeline()), Settings())
    try:
        for _ in range(5):
            app.step(dt=0.0)
        assert window.screenshot().shape == (size[1], size[0], 3)
    finally:
        app.close()
        window.close()


def test_the_scan_line_is_dragged_by_its_ends_and_as_a_whole(running):
    running.app.state = running.state.edit(Slice, on=True)
    running.ui.frames(2)
    scale, requests = running.app.canvas.placement.scale, running.app.requests
    end = running.canvas_point(0.0, 0.15)
    running.ui.drag(end, (end[0] + 0.2 * scale, end[1] + 0.1 * scale))
    line = running.state.get(Slice)
    assert (line.x0, line.y0) == (0.0, -0.15) and (line.x1, line.y1) == pytest.approx((0.2, 0.25), abs=2 / scale)
    middle = running.canvas_point(0.1, 0.05)
    running.ui.drag(middle, (middle[0] - 0.1 * scale, middle[1]))
    line = running.state.get(Slice)
    assert (line.x0, line.x1) == pytest.approx((-0.1, 0.1), abs=2 / scale) and line.y0 == pytest.approx(-0.15, abs=2 / scale)
    assert running.app.requests == requests and running.state.get(Latent) == Latent()


def test_an_animation_fills_the_strip_and_saving_it_writes_figure_and_values(running, tmp_path):
    running.ui.key("5")
    running.app.state = running.state.edit(Slice, on=True).edit(RotateMotion, on=True, turns_per_s=0.2)
    running.ui.frames(12)
    running.app.state = running.state.edit(RotateMotion, on=False)
    running.ui.frames(2)
    assert len(running.app.context.scratch["slice"].strip) >= 10
    running.ui.click("Slice.export")
    running.ui.frames(2)
    with np.load(tmp_path / "captures" / "00000.npz") as saved:
        assert saved["values"].shape[:2] == (len(saved["position"]), len(saved["picture"]))
    assert film_file.read(tmp_path / "captures" / "00000.png").views[0].get(Slice).on


def test_one_to_one_shows_a_sample_on_every_pixel_and_fit_goes_back(running):
    fitted = running.app.canvas.placement
    running.ui.click("View.one")
    running.ui.frames(2)
    canvas = running.app.canvas
    assert canvas.placement.pixels_per_sample(canvas.content) == 1 and canvas.placement.exact(canvas.content)
    running.ui.click("View.fit")
    running.ui.frames(2)
    assert running.state.get(View) == View() and running.app.canvas.placement == fitted


def test_an_overlay_lies_over_the_picture_with_its_opacity(running):
    running.ui.key("4")
    running.app.state = running.state.edit(Equivariance, on=True).edit(Pose, turns=0.05)
    running.app.state = running.state.edit(OverlayView, image="equivariance.level", opacity=1.0)
    running.ui.frames(4)
    x, y = (round(v) for v in running.canvas_point(0.0, 0.0))
    around = np.s_[y - 40 : y + 40, x - 40 : x + 40]
    over, requests = running.ui.screenshot()[around].astype(int), running.app.requests
    running.ui.set("Toolbar.opacity", 0.0)
    running.ui.frames(2)
    without = running.ui.screenshot()[around].astype(int)
    running.app.state = running.state.edit(OverlayView, image="")
    running.ui.frames(2)
    plain = running.ui.screenshot()[around].astype(int)
    assert np.abs(over - plain).mean() > 10 and np.abs(without - plain).max() <= 1
    assert running.app.requests == requests


def test_another_overlay_is_chosen_over_the_picture_and_begins_without_the_gain_of_the_last(running):
    view = OverlayView("equivariance.level", opacity=0.5, gain_db=6.0)
    running.app.state = running.state.edit(Equivariance, on=True).edit(Pose, turns=0.05).put(view)
    running.ui.frames(4)
    running.ui.choose("Toolbar.overlay", "equivariance.level")
    assert running.state.get(OverlayView) == view  # it is the one that was there
    running.ui.choose("Toolbar.overlay", "equivariance.signed")
    assert running.state.get(OverlayView) == OverlayView("equivariance.signed", opacity=0.5)


def test_the_cursor_reads_the_overlay(running):
    running.app.state = running.state.edit(Equivariance, on=True).edit(Pose, x=0.05).edit(OverlayView, image="equivariance.signed")
    running.ui.frames(4)
    running.ui.hover(running.canvas_point(0.1, 0.1))
    image = running.app.good.overlays["equivariance"].images["equivariance.signed"]
    size = image.values.shape[0]
    column = row = int((0.1 + 0.5) * size)
    assert running.app.canvas.overlay_probe == pytest.approx((float(image.values[row, column]),))


def test_settings_act_at_once(running, monkeypatch):
    """A control that only changes what is saved would be a lie."""
    asked = []
    monkeypatch.setattr(running.window, "set_vsync", lambda *, on: asked.append(on))
    running.app.change_settings(vsync=False, font_scale=1.5, fps_limit=30)
    assert asked == [False] and running.window.font_scale == 1.5
    running.app.state = running.state.edit(RotateMotion, on=True)
    assert 0 <= running.app._until_next_frame() <= 1 / 30


def test_a_message_that_will_go_by_itself_is_no_animation(running):
    """It was drawn sixty times a second for as long as it stood there; it goes after the same time nevertheless."""
    running.app.toasts.clear()
    assert running.app._until_next_frame() == DISK_CHECK_S
    running.app.toasts.add("info", "Copied.")
    frames = 0
    while running.app.toasts.animating and (frames := frames + 1) < 1000:
        running.app.step(dt=(waited := running.app._until_next_frame()))
    assert waited == LONGEST_STEP_S and frames == pytest.approx(SHOWN_S["info"] / waited, abs=2)


def test_garbage_is_collected_again_once_the_window_is_there(monkeypatch):
    seen = []
    monkeypatch.setattr("viz.app.run", lambda options: seen.append(gc.isenabled()) or 0)
    assert cli.run(["window", "--fresh"]) == 0
    assert seen == [False] and gc.isenabled()
