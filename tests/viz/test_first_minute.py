"""What a newcomer looks for in the window: where he is, the way back, the layer that is on screen; and nothing that lies over another."""

import itertools

import pytest
from PIL import Image

from gui_utils import layout
from gui_utils.libraries import imgui
from gui_utils.window import WindowOptions
from tests.viz.test_app import Running
from viz import menus, workspaces
from viz.commands import CaptureWindow, ChooseWorkspace, Redo, ToggleChrome, Undo
from viz.effects.effects import WAY_BACK_TEXT
from viz.effects.session import current
from viz.session.autosave import work
from viz.state import Equivariance, Pose, Spectrum

pytestmark = pytest.mark.window
TABS = tuple(f"Workspace.{i}" for i in range(1, len(workspaces.WORKSPACES) + 1))


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    running.close()


@pytest.mark.parametrize(("size", "font_scale", "named"), [((1280, 720), 1.0, True), ((1280, 720), 2.0, False), ((640, 480), 2.0, None)])
def test_the_bar_has_the_workspaces_wherever_they_have_room(running, monkeypatch, size, font_scale, named):
    left: list[float] = []
    monkeypatch.setattr(menus, "workspace_tabs", lambda app, draw=menus.workspace_tabs: left.append(draw(app)) or left[-1])
    running.window.resize(size)
    running.app.change_settings(font_scale=font_scale)
    running.ui.frames(4)
    assert running.ui.exists(TABS[0]) is (named is not None)
    if named is None:
        return
    tabs = [running.ui.item(tab) for tab in TABS]
    assert all(a.right <= b.left for a, b in itertools.pairwise(tabs)) and tabs[-1].right <= size[0]
    assert (tabs[0].right - tabs[0].left > 4 * imgui.get_font_size()) is named
    assert left[-1] >= 0  # for what is being done
    running.ui.click("Workspace.3")
    running.ui.frames(2)
    assert running.app.settings.workspace == 3


def test_the_layer_on_screen_is_in_view_in_every_workspace(running):
    running.window.resize((1280, 720))
    for number in (2, 3, 4):
        running.app.choose_workspace(number)
        running.app.show_panel("Layers")
        running.ui.frames(6)
        row, panel = running.ui.item("Tap.layer.output"), imgui.internal.find_window_by_name(running.app.arrangement.window_name("Layers"))
        assert panel.pos.y < row.top and row.bottom < panel.pos.y + panel.size.y, f"workspace {number}"


def test_nothing_scrolls_in_the_window_as_it_first_opens(running):
    running.window.resize(WindowOptions().size)
    for number in (1, 2):
        running.app.choose_workspace(number)
        running.app.layout_reset_due = True
        running.ui.frames(6)
        fronts = [title for title in running.app.arrangement.windows if layout.in_front(running.app.arrangement, title)]
        panels = {title: imgui.internal.find_window_by_name(running.app.arrangement.window_name(title)) for title in fronts}
        assert {"Latent", "Pose", "Layers", "Channels"} <= set(fronts)
        assert not {title: panel.scroll_max.y for title, panel in panels.items() if panel.scroll_max.y}


def test_the_picture_alone_says_the_way_back_once(running):
    for said in ((WAY_BACK_TEXT,), (), ()):
        running.app.context.emit(ToggleChrome())
        running.ui.frames(2)
        assert running.app.toasts.texts == said
    assert not running.app.chrome_shown
    running.ui.key("escape")
    running.ui.frames(2)
    assert running.app.chrome_shown


def test_a_workspace_measures_what_is_cheap_until_it_is_left_unless_that_was_declined(running):
    def chosen(number):
        running.ui.click(f"Workspace.{number}")
        running.ui.frames(2)
        return running.state.get(Spectrum).on, running.state.get(Equivariance).on

    start, past = work(current(running.app)), running.app.history.past
    assert [chosen(number) for number in (3, 4, 3, 1)] == [(True, False), (False, True), (True, False), (False, False)]
    assert chosen(3)[0] and running.app.history.past == past and work(current(running.app)) == start
    running.ui.click("Spectrum.on")
    running.ui.frames(2)
    assert [chosen(number) for number in (3, 2, 3)] == [(False, False)] * 3
    running.ui.click("Spectrum.on")
    running.ui.frames(2)
    assert chosen(2) == (True, False), "what somebody has switched on stays on"


def test_undo_takes_back_what_was_done_not_what_the_workspace_measures(running):
    """It took the measurement away from the workspace that made it, or brought it into one that makes none, where it stayed."""
    app = running.app

    def do(command):
        app.context.emit(command)
        running.ui.frames(2)

    def move(x):
        app.state = app.state.edit(Pose, x=x)
        running.ui.frames(2)

    def now():
        return running.state.get(Pose).x, running.state.get(Equivariance).on

    move(0.25)
    do(ChooseWorkspace(4))
    do(Undo())
    assert now() == (0.0, True)
    do(Redo())
    assert now() == (0.25, True)
    move(0.125)
    do(ChooseWorkspace(1))
    do(Undo())
    assert now() == (0.25, False)
    do(Redo())
    assert now() == (0.125, False)
    do(ChooseWorkspace(4))
    running.ui.click("Equivariance.on")
    running.ui.frames(2)
    assert now() == (0.125, False)
    do(Undo())
    assert now() == (0.125, True), "by hand it is a step like any other"


def test_a_picture_of_the_window_says_which_tabs_were_chosen(running):
    running.app.show_panel("Spectrum")
    running.ui.frames(6)
    running.app.context.emit(CaptureWindow())
    for _ in range(3):
        running.app.step(dt=0.0)
    with Image.open(running.app.capture_folder / "00000.png") as picture:
        assert any(" --front Spectrum --out" in str(text) for text in picture.info.values())
