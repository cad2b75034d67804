"""The driver of the interface tests itself: it must fail when something is wrong, in time, and say what."""

import time

import pytest

from gui_utils.libraries import imgui
from gui_utils.window import Window, WindowOptions
from tests.drive import DriveError, Driver, chord


class App:
    def __init__(self) -> None:
        self.clicks, self.keys, self.drags, self.wheel = 0, [], [], 0.0
        self.break_now = False

    def draw(self) -> None:
        imgui.set_next_window_pos((50, 50))
        imgui.set_next_window_size((300, 200))
        imgui.begin("App", None, imgui.WindowFlags_.no_move.value)
        self.clicks += imgui.button("Press me")
        imgui.end()
        io = imgui.get_io()
        self.wheel += io.mouse_wheel
        if imgui.is_mouse_dragging(1, 0):
            delta = imgui.get_mouse_drag_delta(1, 0)
            self.drags.append((delta.x, delta.y, io.key_alt))
        for key in ("f5", "z", "_3"):
            if imgui.is_key_pressed(getattr(imgui.Key, key), False):
                self.keys.append((key, io.key_ctrl, io.key_shift))
        if self.break_now:
            raise ArithmeticError("drawing failed")


@pytest.fixture(params=["logic", pytest.param("window", marks=pytest.mark.window)])
def driven(request):
    app = App()
    if request.param == "logic":
        with Driver(app.draw) as ui:
            yield app, ui
    else:
        with Window(WindowOptions(headless=True, size=(640, 480))) as window, Driver(app.draw, window=window) as ui:
            yield app, ui


def test_it_clicks_drags_turns_the_wheel_and_presses_keys(driven):
    app, ui = driven
    ui.frames(2)
    ui.click("Press me")
    ui.click_at(ui.item("Press me").center)
    assert app.clicks == 2
    ui.drag((400, 300), (430, 280), button=1, keys="alt")
    assert app.drags[-1] == (30, -20, True) and len({d[:2] for d in app.drags}) >= 4  # in steps
    ui.wheel((400, 300), 2)
    assert app.wheel == 2
    ui.key("f5")
    ui.key("ctrl+shift+z")
    ui.key("3")
    assert app.keys == [("f5", False, False), ("z", True, True), ("_3", False, False)]


def test_what_is_not_there_is_named(driven):
    _, ui = driven
    ui.frames(2)
    with pytest.raises(LookupError, match="'Not there'"):
        ui.click("Not there")
    assert not ui.exists("Not there") and ui.exists("Press me")
    ui.click("Press me")  # and it goes on working


def test_an_error_of_the_engine_is_an_error_of_the_test(driven):
    app, ui = driven
    ui.frames(2)
    with pytest.raises(DriveError, match="Unable to locate item"):
        ui.run(lambda context: context.item_click("//App/Nothing"), "my script")
    ui.click("Press me")
    assert app.clicks == 1


def test_a_python_error_in_a_script_comes_out(driven):
    _, ui = driven
    with pytest.raises(KeyError, match="deliberate"):
        ui.run(lambda context: {}["deliberate"])


def test_a_script_that_never_ends_is_given_up(driven):
    _, ui = driven
    ui.deadline_s = 0.2

    def forever(context: object) -> None:
        while True:
            context.yield_(1)  # type: ignore[attr-defined]

    before = time.monotonic()
    with pytest.raises(TimeoutError, match=r"did not finish within 0\.2 s"):
        ui.run(forever, "forever")
    assert time.monotonic() - before < 15


def test_an_error_while_drawing_comes_out(driven):
    app, ui = driven
    ui.frames(2)
    app.break_now = True
    with pytest.raises(ArithmeticError, match="drawing failed"):
        ui.frames(1)
    app.break_now = False
    ui.click("Press me")
    assert app.clicks == 1


@pytest.mark.window
def test_a_screenshot_shows_what_is_drawn():
    app = App()
    with Window(WindowOptions(headless=True, size=(640, 480))) as window, Driver(app.draw, window=window) as ui:
        ui.frames(4)
        shot = ui.screenshot()
        inside, outside = shot[240, 200], shot[400, 600]
    assert shot.shape == (480, 640, 3) and (inside != outside).any()


def test_unknown_keys_are_refused_by_name():
    with pytest.raises(ValueError, match="'hyper'"):
        chord("hyper+x")
