"""Undo over the view and the timeline: whichever changed last goes first."""

from types import SimpleNamespace

import pytest

from tests.viz.test_app import START, Running
from viz import commands
from viz.export.film import Film
from viz.history import History
from viz.state import Latent, Pose, Spectrum, View, ViewState
from viz.timeline import timeline
from viz.timeline.timeline import Keyframe
from viz.undo import Order, make_again, observe, take_back


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    running.close()


def test_the_newest_step_goes_first_whoever_it_belongs_to():
    order = Order()
    order.observe((1,), ())
    order.observe((1,), ("a",))
    order.observe((1, 2), ("a",))
    assert order.done == ["view", "timeline", "view"]
    both = {"view": True, "timeline": True}
    assert [order.back(both) for _ in range(4)] == ["view", "timeline", "view", None]
    assert [order.again(both) for _ in range(4)] == ["view", "timeline", "view", None]


def test_a_new_step_ends_what_could_be_made_again():
    order, both, past = Order(), {"view": True, "timeline": True}, (1,)
    order.observe(past, ())
    assert order.back(both) == "view"
    order.skip((), ())
    order.observe((), ("a",))
    assert order.again(both) is None and order.back(both) == "timeline"


def test_the_order_holds_no_more_steps_than_the_histories_do():
    order, limit = Order(), 5
    for i in range(100):
        order.observe(tuple(range(max(0, i - limit), i)), ("a",) * min(i, 1))
    assert sorted(order.done) == ["timeline"] + ["view"] * limit


def test_forgotten_steps_are_passed_over():
    order, past = Order(), (1,)
    order.observe(past, ())
    order.observe(past, ("a",))
    assert order.back({"view": True, "timeline": False}) == "view"
    assert order.back({"view": True, "timeline": False}) is None


def test_a_full_history_still_counts_its_new_steps():
    order = Order()
    order.observe((1, 2), ())
    order.observe((2, 3), ())
    assert order.done == ["view", "view"]


def test_what_the_timelines_own_button_took_back_is_no_step_any_more():
    order = Order()
    order.observe((1,), ())
    order.observe(order._seen["view"], ("a",))
    order.observe(order._seen["view"], ("a", "b"))
    order.observe(order._seen["view"], ("a",))
    assert order.done == ["view", "timeline"]
    order.observe(order._seen["view"], ())
    assert order.done == ["view"]
    assert [order.again({"view": True, "timeline": True}) for _ in range(3)] == ["timeline", "timeline", None]
    order.done.clear()
    order.skip((1,), ("a", "b"))
    order.observe((1,), ("a",))
    assert "timeline" not in order.done, "what it never knew is nothing to forget"


def test_what_the_timelines_own_button_took_back_is_made_again_by_the_key():
    film = Film()
    app = SimpleNamespace(state=ViewState(), history=History(ViewState()), undo_order=Order(), context=SimpleNamespace(film=film))
    film.edit(timeline.Timeline((Keyframe(1.0, ViewState()),)))
    observe(app, in_gesture=False)
    film.undo()
    observe(app, in_gesture=False)
    assert not film.timeline.keyframes
    make_again(app)
    assert len(film.timeline.keyframes) == 1


def test_redo_does_not_lose_what_has_moved_since():
    app = SimpleNamespace(state=ViewState(), history=History(ViewState()), undo_order=Order(), context=SimpleNamespace(film=Film()))
    app.state = app.state.edit(Pose, x=0.1)
    observe(app, in_gesture=False)
    take_back(app)
    app.state = app.state.edit(Pose, x=0.5)
    observe(app, in_gesture=True)  # an animation goes on
    make_again(app)
    assert app.state.get(Pose).x == 0.5
    take_back(app)
    assert app.state == ViewState()


def test_what_is_still_moving_is_taken_back_as_a_whole():
    app = SimpleNamespace(state=ViewState(), history=History(ViewState()), undo_order=Order(), context=SimpleNamespace(film=Film()))
    app.state = app.state.edit(Pose, x=0.1)
    observe(app, in_gesture=True)
    take_back(app)
    assert app.state == ViewState()
    make_again(app)
    assert app.state.get(Pose).x == 0.1


@pytest.mark.window
def test_one_undo_for_a_keyframe_and_a_move(running):
    app, film = running.app, running.app.context.film

    def do(command):
        app.context.emit(command)
        running.ui.frames(1)

    app.state = app.state.edit(Pose, x=0.1)
    running.ui.frames(1)
    film.edit(timeline.add(film.timeline, Keyframe(1.0, app.state)))
    running.ui.frames(1)
    app.state = app.state.edit(Pose, x=0.2)
    running.ui.frames(1)

    def now():
        return round(app.state.get(Pose).x, 3), len(film.timeline.keyframes)

    seen = [now()]
    for command in (*[commands.Undo()] * 4, *[commands.Redo()] * 4):
        do(command)
        seen.append(now())
    start = round(START.get(Pose).x, 3)
    back = [(0.2, 1), (0.1, 1), (0.1, 0), (start, 0), (start, 0)]
    assert seen == [*back, *back[3::-1][1:], (0.2, 1)]


@pytest.mark.window
def test_undo_while_the_timeline_plays_brings_back_what_was_there_and_nothing_is_lost(running):
    app, film = running.app, running.app.context.film
    film.edit(timeline.Timeline((Keyframe(0.0, START), Keyframe(2.0, START.edit(Pose, x=0.4)))))
    running.ui.frames(1)
    film.play()
    running.ui.frames(10)
    played = app.state.get(Pose).x
    assert played > 0
    app.context.emit(commands.Undo())
    running.ui.frames(3)
    assert not film.playing and app.state == START
    app.context.emit(commands.Redo())
    running.ui.frames(3)
    assert not film.playing and app.state.get(Pose).x == pytest.approx(played, abs=0.01)
    assert len(app.history.past) == 1


@pytest.mark.window
def test_what_is_changed_while_the_timeline_plays_pauses_it_and_is_a_step_of_its_own(running):
    """A drag on the picture was overwritten by the timeline's next frame."""
    app, film = running.app, running.app.context.film
    film.edit(timeline.Timeline((Keyframe(0.0, START), Keyframe(2.0, START.edit(Pose, x=0.4)))))
    running.ui.frames(1)
    film.play()
    running.ui.frames(10)
    played = app.state
    area = app.canvas.placement.area
    middle = (area.x + area.width / 2, area.y + 0.9 * area.height)
    running.ui.drag(middle, (middle[0] + 100, middle[1]))
    running.ui.frames(2)
    assert not film.playing and app.state.get(Latent).x > START.get(Latent).x + 0.1
    assert app.state.get(Pose).x >= played.get(Pose).x > 0
    assert any("The timeline is paused" in entry.text for entry in app.toasts.log.entries)
    stopped_at = app.state.get(Pose)
    app.context.emit(commands.Undo())
    running.ui.frames(2)
    assert app.state.get(Latent) == START.get(Latent) and app.state.get(Pose) == stopped_at
    app.context.emit(commands.Undo())
    running.ui.frames(2)
    assert app.state == START


@pytest.mark.window
def test_zoom_and_workspaces_leave_the_timeline_playing(running):
    """And what a workspace measures by itself goes on: the timeline's next frame switched it off."""
    app, film = running.app, running.app.context.film
    film.edit(timeline.Timeline((Keyframe(0.0, START), Keyframe(60.0, START.edit(Pose, x=0.4)))))
    running.ui.frames(1)
    film.play()
    running.ui.frames(2)
    app.state = app.state.edit(View, zoom=2.0)
    running.ui.frames(2)
    app.context.emit(commands.ChooseWorkspace(3))
    running.ui.frames(5)
    assert film.playing and app.state.get(View).zoom == 2.0 and app.state.get(Spectrum).on
    app.context.emit(commands.ChooseWorkspace(1))
    running.ui.frames(2)
    assert film.playing and not app.state.get(Spectrum).on
    app.state = app.state.edit(Spectrum, on=True)
    running.ui.frames(2)
    assert not film.playing and app.state.get(Spectrum).on
