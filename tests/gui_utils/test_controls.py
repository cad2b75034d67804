"""Controls as a person uses them: untouched they return their very argument, disabled they do nothing."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gui_utils import controls
from gui_utils.field import Field, power_to_unit, short, unit_to_power
from gui_utils.libraries import imgui
from tests.drive import Driver

X = Field("x", "Test.x", help="Where it is.", unit="seeds", symbol="x", default=0.5, low=-5, high=5)
SPEED = Field("Speed", "Test.speed", default=0.25, low=-5, high=5, power=3, decimals=3)
RANGE = Field("Range", "Test.range", default=50.0, low=0.1, high=100, power=2, unit="dB")
COUNT = Field("Count", "Test.count", default=4, low=0, high=16)
SEED = Field("Seed", "Test.seed", default=1000, low=0, high=2**32 - 1)
ON = Field("On", "Test.on", default=True)
KIND = Field("Kind", "Test.kind", default="b")
NAME = Field("Name", "Test.name")
GO = Field("Go", "Test.go")


@dataclass
class Bench:
    """One control in a window; `values` collects what it returned."""

    draw_control: Any
    value: Any
    disabled: str = ""
    returned: list[Any] = field(default_factory=list)
    width: float = 400.0

    def draw(self) -> None:
        imgui.set_next_window_pos((20, 20))
        imgui.set_next_window_size((self.width, 300))
        imgui.begin("Bench")
        new = self.draw_control(self.value, disabled=self.disabled)
        self.returned.append(new)
        self.value = new
        imgui.end()


CONTROLS = {
    "slider_float": (lambda v, **k: controls.slider_float(X, v, **k), 0.1, "Test.x"),
    "power slider": (lambda v, **k: controls.slider_float(SPEED, v, **k), 0.1, "Test.speed"),
    "one-sided power slider": (lambda v, **k: controls.slider_float(RANGE, v, **k), 0.7, "Test.range"),
    "slider_int": (lambda v, **k: controls.slider_int(COUNT, v, **k), 7, "Test.count"),
    "drag_float": (lambda v, **k: controls.drag_float(X, v, **k), 0.1, "Test.x"),
    "drag_int": (lambda v, **k: controls.drag_int(COUNT, v, **k), 7, "Test.count"),
    "input_int": (lambda v, **k: controls.input_int(SEED, v, **k), 4294967295, "Test.seed"),
    "input_float": (lambda v, **k: controls.input_float(X, v, **k), 0.1, "Test.x"),
    "checkbox": (lambda v, **k: controls.checkbox(ON, v, **k), False, "Test.on"),
    "combo": (lambda v, **k: controls.combo(KIND, v, ("a", "b", "c"), **k), "a", "Test.kind"),
    "choice": (lambda v, **k: controls.choice(KIND, v, {"a": "Alpha", "b": "Beta"}, **k), "a", "Test.kind.b"),
    "text_input": (lambda v, **k: controls.text_input(NAME, v, **k), "globe", "Test.name"),
    "toggle": (lambda v, **k: controls.toggle(ON, v, **k), False, "Test.on"),
}


def bench(name: str, **changes: Any) -> Bench:
    draw, value, _ = CONTROLS[name]
    return Bench(draw, changes.pop("value", value), **changes)


@pytest.mark.parametrize("name", CONTROLS)
def test_untouched_it_returns_its_very_argument(name):
    """Also while the mouse rests on it, and though float32 cannot hold 0.1."""
    b = bench(name)
    first = b.value
    with Driver(b.draw) as ui:
        ui.frames(3)
        ui.hover(CONTROLS[name][2])
    assert len(b.returned) > 10 and all(value is first for value in b.returned)


@pytest.mark.parametrize("name", ["slider_float", "power slider", "drag_float", "slider_int"])
@pytest.mark.parametrize("value", [-7.3, 99.0])
def test_a_value_out_of_range_is_left_alone_until_it_is_moved(name, value):
    b = bench(name, value=int(value) if name == "slider_int" else value)
    first = b.value
    with Driver(b.draw) as ui:
        ui.frames(5)
    assert b.value is first


@pytest.mark.parametrize("name", CONTROLS)
def test_disabled_it_really_does_nothing(name):
    b = bench(name, disabled="There is no network.")
    first, label = b.value, CONTROLS[name][2]
    with Driver(b.draw) as ui:
        ui.frames(2)
        assert ui.item(label).disabled
        ui.click(label)
        ui.drag_by(label, (60, 0))
        ui.click(label, button=1)
        assert not ui.exists("Reset to default")
        assert not ui.exists(label + ".b") or name == "choice"
    assert b.value is first


def test_a_control_that_becomes_disabled_loses_its_open_menu():
    b = bench("slider_float")
    with Driver(b.draw) as ui:
        ui.frames(2)
        ui.click("Test.x", button=1)
        assert ui.exists("Reset to default")
        b.disabled = "The network is gone."
        ui.frames(2)
        assert not ui.exists("Reset to default")
    assert b.value == 0.1


@pytest.mark.parametrize("name, typed, expected", [
    ("slider_float", "2.5", 2.5), ("slider_float", "0.1", 0.1), ("slider_float", "99", 5.0), ("power slider", "1.75", 1.75),
    ("power slider", "-99", -5.0), ("one-sided power slider", "0.3", 0.3), ("slider_int", "12", 12), ("slider_int", "99", 16),
    ("drag_float", "-0.3", -0.3), ("drag_int", "3", 3), ("input_int", "4294967294", 4294967294), ("input_int", "-4", 0),
    ("input_float", "1e-2", 0.01), ("text_input", "ψ and more", "ψ and more"),
])  # fmt: skip
def test_typing_sets_the_value_clamped_and_exact(name, typed, expected):
    b = bench(name)
    with Driver(b.draw) as ui:
        ui.frames(2)
        ui.set(CONTROLS[name][2], typed)
        ui.frames(2)
    assert b.value == expected and type(b.value) is type(expected)


@pytest.mark.parametrize("name", ["slider_float", "power slider", "drag_float", "slider_int", "drag_int"])
def test_dragging_to_the_right_increases(name):
    b = bench(name)
    first, label = b.value, CONTROLS[name][2]
    with Driver(b.draw) as ui:
        ui.frames(2)
        box = ui.item(label)
        begin = (box.right - 12, box.center[1]) if "slider" in name else box.center
        ui.drag(begin, (begin[0] + 200, begin[1]))
        assert b.value > first
        ui.drag(begin, (begin[0] - 600, begin[1]))
    assert b.value < first


def test_a_slider_at_its_end_gives_the_end():
    b = bench("power slider")
    with Driver(b.draw) as ui:
        ui.frames(2)
        box = ui.item("Test.speed")
        ui.drag(box.center, (box.right + 100, box.center[1]))
        assert b.value == 5.0
        ui.drag((box.right - 8, box.center[1]), (box.left - 100, box.center[1]))
    assert b.value == -5.0


@given(st.floats(-5, 5), st.sampled_from([1.5, 2.63, 3.0, 5.0]))
def test_power_response_round_trip(value, power):
    f = Field("", "t", low=-5, high=5, power=power)
    assert unit_to_power(f, power_to_unit(f, value)) == pytest.approx(value, rel=1e-9, abs=1e-12)


@given(st.floats(-1, 1))
def test_power_response_is_the_mirrored_power(u):
    assert unit_to_power(SPEED, u) == pytest.approx(math.copysign(5 * abs(u) ** 3, u))
    assert unit_to_power(SPEED, -u) == -unit_to_power(SPEED, u)


def test_a_one_sided_power_range_starts_at_its_low_end():
    assert [unit_to_power(RANGE, u) for u in (0.0, 1.0)] == pytest.approx([0.1, 100])
    assert [power_to_unit(RANGE, v) for v in (-3, 0.1, 100, 200)] == pytest.approx([0, 0, 1, 1])


def test_values_from_sliders_are_short_decimals():
    assert short(float(np.float32(0.1))) == 0.1


@pytest.mark.parametrize(
    "name, default", [("slider_float", 0.5), ("power slider", 0.25), ("slider_int", 4), ("checkbox", True), ("combo", "b")]
)
def test_reset_is_on_the_right_click(name, default):
    b = bench(name)
    with Driver(b.draw) as ui:
        ui.frames(2)
        ui.menu(CONTROLS[name][2], "Reset to default")
    assert b.value == default


def test_copy_and_paste_keep_all_digits():
    b = bench("slider_float", value=0.123456789)
    with Driver(b.draw) as ui:
        ui.frames(2)
        ui.menu("Test.x", "Copy value")
        assert imgui.get_clipboard_text() == "0.123456789"
        for text, expected in (("1.5", 1.5), ("77", 5.0), ("nan", 5.0), ("many", 5.0)):  # what is no number cannot be pasted
            imgui.set_clipboard_text(text)
            ui.menu("Test.x", "Paste value")
            ui.key("escape")
            assert b.value == expected


def test_choosing_from_a_list_and_from_radio_buttons():
    b = bench("combo")
    with Driver(b.draw) as ui:
        ui.frames(2)
        ui.choose("Test.kind", "c")
    assert b.value == "c"
    b = bench("choice")
    with Driver(b.draw) as ui:
        ui.frames(2)
        ui.click("Test.kind.b")
    assert b.value == "b"


def test_text_is_given_back_once_when_it_is_finished_and_not_on_escape():
    b = bench("text_input")
    with Driver(b.draw) as ui:
        ui.frames(2)
        ui.click("Test.name")
        ui.type(" r-64")
        assert b.value == "globe"  # still being typed
        ui.key("escape")
        ui.frames(2)
        assert b.value == "globe"
        ui.click("Test.name")
        ui.key("end")
        ui.type(" r-64", enter=True)
        ui.frames(2)
    assert b.value == "globe r-64" and b.returned.count("globe r-64") == len(b.returned) - b.returned.index("globe r-64")


def test_input_int_has_buttons_that_step_exactly_at_the_top_of_32_bits():
    b = bench("input_int", value=4294967294)
    with Driver(b.draw) as ui:
        ui.frames(2)
        ui.click("//Bench/###Test.seed/+")
        assert b.value == 4294967295
        ui.click("//Bench/###Test.seed/+")
    assert b.value == 4294967295


def test_buttons_report_one_click_and_none_while_disabled():
    clicks, reason = [], [""]

    def draw() -> None:
        imgui.begin("Bench")
        clicks.append(controls.button(GO, disabled=reason[0]))
        imgui.end()

    with Driver(draw) as ui:
        ui.frames(2)
        ui.click("Test.go")
        assert sum(clicks) == 1
        reason[0] = "Nothing to do."
        ui.click("Test.go")
    assert sum(clicks) == 1


def test_the_tooltip_says_help_symbol_unit_and_reason():
    b = bench("slider_float", disabled="There is no network.")
    shown: list[str] = []
    original = imgui.text_unformatted

    def spy(text: str) -> None:
        shown.append(text)
        original(text)

    with pytest.MonkeyPatch.context() as patch, Driver(b.draw) as ui:
        ui.frames(2)
        patch.setattr(controls.imgui, "text_unformatted", spy)
        ui.hover("Test.x")
        assert {"There is no network.", "Where it is."} <= set(shown)


@pytest.mark.parametrize(
    "draw, value, expected",
    [
        (lambda v, **k: controls.checkbox(Field("On", "Test.x", "Runs.", default=False), v, **k), True, "default: off"),
        (lambda v, **k: controls.combo(Field("", "Test.x", "It.", default="a"), v, {"a": "Alpha", "b": "B"}, **k), "b", "default: Alpha"),
    ],
)  # fmt: skip
def test_the_tooltip_says_the_default_in_the_words_on_screen(draw, value, expected):
    b, shown = Bench(draw, value), []
    with pytest.MonkeyPatch.context() as patch, Driver(b.draw) as ui:
        ui.frames(2)
        patch.setattr(controls.imgui, "text_disabled", shown.append)
        ui.hover("Test.x")
        assert expected in shown


@pytest.mark.parametrize("unit, expected", [("%", "%.2f %%"), ("°", "%.2f°"), ("dB", "%.2f dB"), ("", "%.2f")])
def test_units_in_formats_are_escaped(unit, expected):
    assert Field("", "t", unit=unit).format() == expected


@pytest.mark.parametrize("kind", ["slider_float", "drag_float"])
def test_a_number_to_drag_has_a_real_minus_and_no_unit_where_it_has_no_room(kind):
    """What may be typed is plain, and dragging rounds to what is shown, also below zero."""
    b, shown, draw = Bench(lambda v, **k: getattr(controls, kind)(X, v, **k), -0.126), [], getattr(imgui, kind)
    with pytest.MonkeyPatch.context() as patch, Driver(b.draw) as ui:
        patch.setattr(controls.imgui, kind, lambda *args: (shown.extend(a for a in args[1:] if isinstance(a, str)), draw(*args))[1])
        ui.frames(3)
        assert shown[-1] == "−0.13 seeds" and b.value == -0.126
        b.value, b.width = 0.126, 130.0
        ui.frames(3)
        assert shown[-1] == "0.13"
        ui.set("Test.x", "-2.718")
        assert b.value == -2.718 and "%.2f seeds" in shown
        if kind == "slider_float":
            b.width = 400.0
            ui.frames(3)
            box = ui.item("Test.x")
            ui.drag((box.left + 40, box.center[1]), (box.left + 31, box.center[1]))
            assert b.value < 0 and b.value == round(b.value, 2)


def test_choices_without_room_stand_on_another_line():
    b = Bench(lambda v, **k: controls.choice(KIND, v, {"a": "Alpha", "b": "Beta", "c": "Gamma " * 4}, **k), "a")
    with Driver(lambda: (imgui.set_next_window_size((26 * imgui.get_font_size(), 200)), b.draw())) as ui:
        ui.frames(3)
        first, second, third = (ui.item(f"Test.kind.{name}") for name in "abc")
        assert first.top == second.top < third.top and third.left < second.left
        ui.click("Test.kind.c")
    assert b.value == "c"
