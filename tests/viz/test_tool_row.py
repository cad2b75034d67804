"""The rows of tools over the canvas: what has no room goes into a menu, and nothing is cut off."""

from pathlib import Path

import pytest

from tests.viz.test_app import Running
from viz.canvas.tool_row import fitting
from viz.state import CompareView, Source, View, ViewState

TINY_R = str(Path(__file__).resolve().parent.parent / "golden" / "tiny_r.pkl")
TOOLS = ("View.fit", "View.one", "Toolbar.gain_db", "Toolbar.colormap", "View.magnify", "View.margins", "View.gizmo")

COMBOS = ("Toolbar.colormap", "View.magnify")  # which a driver does not find in a menu


def test_as_many_tools_as_fit_and_room_for_the_button_of_the_rest():
    assert fitting([10, 10, 10], 40, 5, 8) == 3  # exactly
    assert fitting([10, 10, 10], 39, 5, 8) == 2  # 8 + 10 + 5 + 10 + 5
    assert fitting([10, 10, 10], 37, 5, 8) == 1
    assert fitting([10, 10, 10], 5, 5, 8) == 0


@pytest.mark.window
@pytest.mark.parametrize("font_scale", [1.0, 2.0])
def test_no_tool_is_cut_off_and_the_menu_holds_the_rest(tmp_path, font_scale):
    view = ViewState().put(Source(TINY_R)).put(CompareView(mode="difference"))
    running = Running(tmp_path, view)
    try:
        running.window.font_scale = font_scale
        running.app.choose_workspace(6)
        running.app.layout_reset_due = True
        running.ui.key("v")
        running.ui.frames(6)
        canvas = running.app.canvas.placement.area
        right = canvas.x + canvas.width
        shown = [name for name in TOOLS if running.ui.exists(name)]
        hidden = [name for name in TOOLS if name not in shown]
        assert shown and hidden == list(TOOLS[len(shown) :])
        for name in (*shown, "Toolbar.more.view", "Toolbar.CompareView.mode"):
            assert running.ui.item(name).right <= right + 1, name
        running.ui.click("Toolbar.more.view")
        running.ui.frames(2)
        assert all(running.ui.exists(name) for name in hidden if name not in COMBOS)
        running.ui.click("View.gizmo")
        assert running.state.get(View).gizmo != View().gizmo
    finally:
        running.close()
