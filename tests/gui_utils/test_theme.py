"""Text is readable on what it is written over (WCAG 2.2, 1.4.3: a contrast of 4.5 and more)."""

from __future__ import annotations

import pytest
from imgui_bundle import imgui

from gui_utils import plots, theme
from tests.drive import Driver


def _luminance(color: tuple[float, ...]) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in color[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _over(color: tuple[float, ...], below: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(color[3] * c + (1 - color[3]) * b for c, b in zip(color[:3], below[:3], strict=True))


@pytest.mark.parametrize("name", ["slider_grab", "slider_grab_active", "button_active", "frame_bg_active", "header_active", "window_bg"])
def test_text_is_readable(name: str) -> None:
    colors = theme._colors()
    below = _over(colors[int(getattr(imgui.Col_, name))], colors[int(imgui.Col_.frame_bg)])
    text = _luminance(colors[int(imgui.Col_.text)])
    assert (text + 0.05) / (_luminance(below) + 0.05) >= 4.5


def test_numbers_that_dear_imgui_writes_have_a_real_minus() -> None:
    """At the ticks of an axis too, which are written between its set-up and its first line; not in other text."""
    shown: list[tuple[str, float]] = []

    def width(where: str) -> None:
        shown.append((where, imgui.calc_text_size("-").x))

    def draw() -> None:
        imgui.begin("window")
        width("text")
        with theme.number_scope():
            width("number")
        with plots.plot("##plot", plots.Axes("x", "y", x=(-2, 2))):
            width("ticks")
        width("after")
        imgui.end()

    with Driver(draw) as ui:
        ui.frames(2)
    hyphen, minus = dict(shown)["text"], dict(shown)["number"]
    assert minus > 1.2 * hyphen and dict(shown)["ticks"] == minus and dict(shown)["after"] == hyphen
