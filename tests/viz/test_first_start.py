"""Text at the very first start is as large as the monitor asks for, and never again."""

import pytest

from gui_utils import monitors
from gui_utils.monitors import Monitor
from tests.viz.test_app import Running
from viz import first_start
from viz.first_start import dots_per_inch, text_scale


@pytest.mark.parametrize(
    ("pixels", "millimetres", "display_scale", "expected"),
    [
        ((3840, 2160), (597, 336), 1.0, 1.5),  # 27 inches
        ((3840, 2160), (708, 399), 1.0, 1.25),  # 32
        ((3840, 2160), (344, 194), 1.0, 2.0),  # a laptop's
        ((3840, 2160), (953, 543), 1.0, 1.0),  # 43: as dense as usual
        ((3840, 2160), (0, 0), 1.0, 1.5),
        ((3840, 2160), (16, 9), 1.0, 1.5),
        ((3840, 2160), (160, 90), 1.0, 1.5),
        ((3840, 2160), (1016, 571), 1.0, 1.5),  # 96 dpi: what is said where nothing is known
        ((3840, 2160), (597, 336), 2.0, 1.0),  # the system scales
        ((1920, 1080), (309, 174), 1.0, 1.1),  # dense, but the window needs the room
        ((1920, 1080), (0, 0), 1.0, 1.0),
        ((2560, 1440), (597, 336), 1.0, 1.0),
        ((1280, 720), (100, 56), 1.0, 1.0),
    ],
)
def test_text_is_as_large_as_the_monitor_asks_for(pixels, millimetres, display_scale, expected):
    assert text_scale(pixels, millimetres, display_scale) == pytest.approx(expected)


def test_what_cannot_be_a_size_is_none():
    assert dots_per_inch((3840, 2160), (597, 336)) == pytest.approx(163.3, abs=0.1)
    assert [dots_per_inch((3840, 2160), mm) for mm in ((0, 336), (597, 597), (16, 9))] == [None] * 3


@pytest.mark.window
def test_it_is_a_setting_that_is_seen_and_saved_and_the_window_grows(tmp_path, monkeypatch):
    running = Running(tmp_path)
    try:
        four_k = Monitor(None, "large", (0, 0, 3840, 2160), 60, (597, 336))
        monkeypatch.setattr(monitors, "monitors", lambda: (four_k,))
        before = running.window.plain_size
        first_start.choose_text_size(running.app)
        assert running.app.settings.font_scale == running.window.font_scale == 1.5 and "150 %" in running.app.toasts.texts[-1]
        assert running.window.plain_size == tuple(round(1.5 * length) for length in before)
        running.app.change_settings(font_scale=1.0)
        monkeypatch.setattr(monitors, "monitors", lambda: ())
        first_start.choose_text_size(running.app)
        assert running.app.settings.font_scale == 1.0
    finally:
        running.close()
