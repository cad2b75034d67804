"""The line below everything: what is under the cursor, and the hint where there is room."""

from types import SimpleNamespace

from gui_utils.libraries import imgui
from gui_utils.scopes import dim_text
from tests.drive import Driver
from viz import chrome
from viz.canvas.placement import Probe


def test_the_hint_stands_beside_the_sample_where_there_is_room(monkeypatch):
    """A cursor that is set and not used ends the program when it lies beyond the window's contents: in windows just too narrow."""
    hints = {}

    def noted(text):
        hints[imgui.get_io().display_size.x] = imgui.get_cursor_screen_pos().x, imgui.calc_text_size(text).x
        dim_text(text)

    monkeypatch.setattr(chrome, "dim_text", noted)
    sample = Probe(10, 20, 0.1, 0.2, (0.123, 0.456, 0.789), (0, 1, 2))
    canvas = SimpleNamespace(probe=sample, overlay_image=None, overlay_probe=None, comparison=SimpleNamespace(probes={}))
    with Driver(lambda: chrome.status_line(SimpleNamespace(canvas=canvas)), size=(400, 400)) as ui:
        for width in range(400, 1600, 20):
            imgui.get_io().display_size = imgui.ImVec2(width, 400)
            ui.frames(1)
    assert 500 < min(hints) < max(hints) == 1580
    assert all(width / 3 < x and x + size <= width for width, (x, size) in hints.items())
