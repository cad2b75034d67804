"""The scale of a measurement: it says what the colours mean, and hides little of a small picture."""

import numpy as np
import pytest

from gui_utils.libraries import imgui
from gui_utils.window import Window, WindowOptions
from tests.drive import Driver
from viz.canvas.overlay import CanvasOverlay, hidden_part
from viz.canvas.placement import Area, Placement
from viz.request import OverlayImage
from viz.state import OverlayView

IMAGE = OverlayImage("error of this layer", np.zeros((4, 4), np.float32), (0.0, 0.0, 4.0, 4.0), 0.0, 0.25, "magma", "", None)


def test_what_a_box_hides_is_counted_of_what_is_on_screen():
    placement = Placement(Area(0.0, 0.0, 200.0, 100.0), 100.0, 0.0, 0.0)  # the image: 50 to 150
    assert hidden_part(Area(0.0, 50.0, 100.0, 50.0), placement) == 0.25
    assert hidden_part(Area(0.0, 0.0, 50.0, 100.0), placement) == 0.0
    zoomed = Placement(placement.area, 1000.0, 0.0, 0.0)
    assert hidden_part(Area(0.0, 50.0, 100.0, 50.0), zoomed) == 0.25


@pytest.mark.window
@pytest.mark.parametrize(("side", "most"), [(120, 0.2), (180, 0.13), (700, 0.03)])
def test_a_small_picture_stays_visible(side, most):
    """At large text it lay over a third of one."""
    overlay = CanvasOverlay([])

    def draw() -> None:
        imgui.set_next_window_pos((0, 0))
        imgui.set_next_window_size((800, 800))
        imgui.begin("picture", None, imgui.WindowFlags_.no_decoration.value | imgui.WindowFlags_.no_background.value)
        overlay._scale(IMAGE, OverlayView(), Placement(Area(20.0, 20.0, float(side), float(side)), float(side), 0.0, 0.0))
        imgui.end()

    with Window(WindowOptions(headless=True, size=(800, 800))) as window, Driver(draw, window=window) as ui:
        ui.frames(3)
        ground = window.screenshot()
        overlay.delete()
    inside = ground[20 : 20 + side, 20 : 20 + side]
    hidden = (inside != ground[-1, -1]).any(-1)
    assert 0 < hidden.mean() < most
    rest = ground.copy()
    rest[20 : 20 + side, 20 : 20 + side] = ground[-1, -1]
    assert (rest == ground[-1, -1]).all()
