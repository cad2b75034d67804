"""Workspaces: the title of every tab can be read."""

import pytest

from gui_utils import layout
from gui_utils.libraries import imgui
from tests.drive import Driver
from viz.panels import discover
from viz.workspaces import WORKSPACES


@pytest.mark.parametrize("number", range(1, len(WORKSPACES) + 1))
def test_no_tab_is_cut_short(number: int):
    arrangement = WORKSPACES[number - 1].arrangement(discover(), number)
    cut: dict[str, float] = {}

    def draw() -> None:
        layout.dock_area(arrangement)
        for title, region in arrangement.windows.items():
            with (layout.picture_window if region == "centre" else layout.docked_window)(arrangement, title):
                bar = imgui.internal.find_window_by_name(arrangement.window_name(title)).dock_node.tab_bar if region != "centre" else None
                if bar is not None:
                    cut[region] = bar.width_all_tabs_ideal - bar.bar_rect.get_width()

    with Driver(draw, size=(1280, 720)) as ui:
        ui.frames(6)
    assert set(cut) == {region for region in arrangement.windows.values() if region != "centre"}
    assert not {region: f"{px:.0f} px too wide" for region, px in cut.items() if px > 0}
