"""The line below everything: what is under the cursor, and the hint where there is room."""

from types import SimpleNamespace

import pytest

from gui_utils.libraries import imgui
from gui_utils.scopes import dim_text
from tests.drive import Driver
from viz import chrome
from viz.canvas.placement import Probe


@pytest.mark.parametrize("width", [400, 1280, 2560])
def test_the_hint_stands_beside_the_sample_where_there_is_room(width, monkeypatch):
    """A cursor that is set and not used ends the program when it lies beyond the window's contents."""
    hints = []

    def noted(text):
        hints.append((imgui.get_cursor_screen_pos().x, imgui.calc_text_size(text).x))
        dim_text(text)

    monkeypatch.setattr(chrome, "dim_text", noted)
    sample = Probe(10, 20, 0.1, 0.2, (0.123, 0.456, 0.789), (0, 1, 2))
    canvas = SimpleNamespace(probe=sample, overlay_image=None, overlay_probe=None, comparison=SimpleNamespace(probes={}))
    with Driver(lambda: chrome.status_line(SimpleNamespace(canvas=canvas)), size=(width, 400)) as ui:
        ui.frames(3)
    if width < 700:
        assert not hints
    else:
        assert hints and all(width / 2 < x and x + size <= width for x, size in hints)
