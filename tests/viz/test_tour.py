"""The guided tour: a session that opens and plays, steps that notice what was done, a card that is offered once and never blocks."""

import json
from pathlib import Path

import pytest

from gui_utils.libraries import imgui
from gui_utils.window import Window, WindowOptions
from networks.loading import catalogue
from tests.drive import Driver
from tests.viz.test_app import Running
from viz import commands, settings
from viz.app import App, AppOptions
from viz.compare import compare
from viz.export import film_file
from viz.pipeline import Pipeline
from viz.render_thread import Inline
from viz.request import RenderRequest
from viz.session.session import Session
from viz.settings import Settings
from viz.state import Compare, Equivariance, Latent, Pose, Source, Spectrum, StateError, Tap, ViewState
from viz.tour import tour

BUNDLED = tuple(entry.name for entry in catalogue() if entry.kind == "bundled")
PAIR = {"globe-still-r-64", "globe-still-b-64"}


# ------------------------------------------------------------------------------------------------------ the steps


def test_the_tour_is_a_session_whose_film_renders():
    session = film_file.read(tour.FILE)
    assert len(session.views) == len(tour.all_steps()) and session.timeline.keyframes
    pipeline = Pipeline(headless=True)
    for keyframe in session.timeline.keyframes:
        frame = pipeline.render(RenderRequest(1, keyframe.view))
        assert frame.error is None and keyframe.view.get(Source).network in BUNDLED


def test_steps_whose_networks_are_missing_are_left_out():
    steps = tour.all_steps()
    alone, pair = tour.available(steps, ["globe-r-64"]), tour.available(steps, ["globe-r-64", *PAIR])
    assert [s.title for s in alone] == ["Drag the picture", "Turn it, move it", "Look inside", "Its spectrum"]
    assert len(pair) == len(steps) == 7
    for step in pair[4:]:
        own = step.view.get(Compare).network
        assert {step.view.get(Source).network, own or "globe-still-r-64"} <= PAIR == set(step.needs)
    for step in alone:
        assert step.view.get(Source).network == "globe-r-64" and not step.view.get(Compare).on


@pytest.mark.parametrize("step", tour.all_steps(), ids=lambda step: step.title)
def test_no_step_is_done_before_anything_was_done(step):
    assert not step.done.holds(step.view, step.view)
    changed = {
        Latent: step.view.edit(Latent, x=step.view.get(Latent).x + 0.7),
        Pose: step.view.edit(Pose, y=0.1),
        Tap: step.view.edit(Tap, layer="L3_52_96"),
        Spectrum: step.view.edit(Spectrum, on=True),
    }
    assert step.done.holds(step.view, changed[step.done.group])
    if step.done.by:
        assert not step.done.holds(step.view, step.view.edit(step.done.group, x=step.view.get(step.done.group).x + step.done.by / 2))


@pytest.mark.parametrize("step", tour.all_steps(), ids=lambda step: step.title)
def test_every_step_points_at_a_panel_of_its_workspace(step):
    from viz import workspaces
    from viz.panels import discover

    arrangement = workspaces.workspace(step.workspace).arrangement(discover(), step.workspace)
    assert step.where in arrangement.windows


def test_the_last_step_is_done_by_any_key_that_it_names():
    last = tour.all_steps()[-1]
    turned, wiped = last.view.edit(Pose, turns=0.1), compare.next_mode(last.view)
    assert all(last.done.holds(last.view, view) for view in (turned, wiped, last.view.edit(Compare, on=False)))
    assert not last.done.holds(last.view, last.view.edit(Latent, x=9.0))


def test_what_was_noticed_stays_noticed_and_the_end_ends_it():
    current = tour.Tour(offered=True)
    current.start(tour.all_steps()[:2])
    assert not current.offered and not current.look(current.step.view)
    assert current.look(current.step.view.edit(Latent, x=9.0)) and current.look(current.step.view)
    current.go(-1)
    assert current.index == 0 and not current.look(current.step.view)  # begun again
    current.go(1)
    current.go(1)
    assert current.step is None


@pytest.mark.parametrize(
    "texts", [None, [], [{"title": "x"}], [{**json.loads(tour.FILE.read_text())["tour"][0], "done": {"group": "Nothing", "fields": []}}]]
)
def test_a_tour_that_does_not_fit_its_views_is_refused(texts):
    with pytest.raises(StateError):
        tour.steps_of(Session((ViewState(),), unknown={} if texts is None else {"tour": texts}))


# ------------------------------------------------------------------------------------------------------ on screen


class Touring(Running):
    """The application as at the first start."""

    def __init__(self, folder: Path) -> None:
        self.window = Window(WindowOptions(size=(1280, 800), headless=True))
        options = AppOptions(settings_folder=folder / "settings", capture_folder=folder, headless=True, offer_tour=True)
        self.app = App(options, self.window, Inline(Pipeline()), Settings())
        self.ui = Driver(self.draw, window=self.window)
        self.ui.frames(6)


@pytest.fixture
def touring(tmp_path):
    touring = Touring(tmp_path)
    yield touring
    touring.close()


@pytest.mark.window
def test_the_view_before_it_comes_back_without_what_a_workspace_measured(touring):
    """Ctrl+Z, as the button says: the measurement of workspace 4 stayed on wherever the tour had led."""
    for command in (commands.ChooseWorkspace(4), commands.StartTour()):
        assert touring.state.get(Equivariance).on is (command == commands.StartTour())
        touring.app.context.emit(command)
        touring.ui.frames(2)
    touring.app.context.emit(commands.Undo())
    touring.ui.frames(2)
    assert touring.state.get(Latent).x == 0 and not touring.state.get(Equivariance).on
    touring.app.context.emit(commands.ChooseWorkspace(4))
    touring.ui.frames(2)
    assert touring.state.get(Equivariance).on


@pytest.mark.window
def test_the_card_stays_in_a_window_that_shrinks(touring):
    touring.window.resize((1000, 600))
    touring.ui.frames(4)
    card = imgui.internal.find_window_by_name("Guided tour###tour")
    assert card.pos.y + card.size.y <= 600


@pytest.mark.window
def test_the_offer_blocks_nothing_and_is_made_once(touring, tmp_path):
    start = touring.canvas_point(0.2, -0.1)
    touring.ui.drag(start, (start[0] + 60, start[1]))
    assert touring.state.get(Latent).x > 0  # the picture can be dragged beside the card
    touring.ui.click("Tour.not_now")
    touring.ui.frames(2)
    assert not touring.ui.exists("Tour.begin") and touring.app.tour.step is None
    loaded, _ = settings.load(tmp_path / "settings" / "settings.json")
    assert not loaded.first_start


@pytest.mark.window
def test_a_walk_through_the_tour(touring):
    touring.ui.click("Tour.begin")
    touring.ui.frames(3)
    app = touring.app
    assert app.tour.step is not None and app.tour.step.title == "Drag the picture" and not app.settings.first_start
    assert not app.tour.noticed
    start = touring.canvas_point(0.2, -0.1)
    touring.ui.drag(start, (start[0] + 12 * app.context.em, start[1]))
    touring.ui.frames(2)
    assert app.tour.noticed == {0}
    touring.ui.click("Tour.next")
    touring.ui.frames(3)
    assert app.tour.step.title == "Turn it, move it" and touring.state == app.tour.step.view
    right = touring.canvas_point(0.2, -0.1)
    touring.ui.drag(right, (right[0] + 60, right[1]), button=1)
    touring.ui.frames(2)
    assert 1 in app.tour.noticed
    touring.ui.click("Tour.next")
    touring.ui.frames(4)
    assert app.settings.workspace == 2
    touring.ui.key("[")
    touring.ui.frames(2)
    assert 2 in app.tour.noticed
    touring.ui.click("Tour.back")
    touring.ui.frames(3)
    assert app.tour.step.title == "Turn it, move it" and app.settings.workspace == 1
    touring.ui.click("Tour.stop")
    touring.ui.frames(2)
    assert app.tour.step is None and not touring.ui.exists("Tour.next")
    touring.ui.key("ctrl+z")
    touring.ui.frames(2)
    assert touring.state.get(Tap).layer != ""  # the view of the step before comes back


@pytest.mark.window
def test_it_ends_with_finish_and_can_be_replayed_from_the_menu(touring):
    touring.app.context.emit(commands.StartTour())
    touring.ui.frames(3)
    for _ in touring.app.tour.steps[1:]:
        touring.ui.click("Tour.next")
        touring.ui.frames(3)
        assert touring.app.frame.error is None and touring.app.tour.noticed == set()
        window = imgui.internal.find_window_by_name(touring.app.arrangement.window_name(touring.app.tour.step.where))
        assert window.active and not window.hidden  # not behind another tab
    touring.ui.click("Tour.finish")
    touring.ui.frames(2)
    assert touring.app.tour.step is None
    touring.ui.click("Help")
    touring.ui.click("Guided tour (two minutes)")
    touring.ui.frames(3)
    assert touring.app.tour.index == 0 and touring.app.tour.noticed == set()
