"""A headless window for tests that draw, which afterwards must have no GL error and no GL object left over."""

import pytest

from gui_utils import gl
from gui_utils.texture import live_objects
from gui_utils.window import Window, WindowOptions


@pytest.fixture
def window():
    with Window(WindowOptions(headless=True, size=(640, 480))) as opened:
        yield opened
        error = gl.glGetError()
        left = {kind: count for kind, count in live_objects().items() if kind != "program"}
    assert error == 0, f"GL error {error:#x}"
    assert left == {}
    assert live_objects() == {}
