"""Undo and redo: one step a gesture, zoom and animation left out."""

from viz.history import LIMIT, History
from viz.state import Latent, Pose, TranslateMotion, View, ViewState


def at(x: float) -> ViewState:
    return ViewState().edit(Latent, x=x)


def test_a_gesture_of_many_frames_is_one_step():
    history = History(ViewState())
    for i in range(1, 20):
        history = history.observe(at(i / 10), in_gesture=True)
    history = history.observe(at(2.0), in_gesture=False)
    assert len(history.past) == 1
    assert history.undo().present == ViewState()
    assert history.undo().redo().present == at(2.0)


def test_a_new_edit_forgets_the_future():
    history = History(at(0)).observe(at(1), in_gesture=False).observe(at(2), in_gesture=False).undo()
    assert history.observe(at(5), in_gesture=False).future == ()


def test_observing_the_same_state_adds_nothing():
    history = History(at(1)).observe(ViewState().edit(Latent, x=1.0), in_gesture=False)
    assert history.past == ()


def test_zooming_is_not_undone_and_survives_an_undo():
    zoomed = at(1).edit(View, zoom=4.0)
    history = History(at(0)).observe(at(1), in_gesture=False).observe(zoomed, in_gesture=False)
    assert len(history.past) == 1
    assert history.undo().present == at(0).edit(View, zoom=4.0)


def test_undo_stops_animation():
    moving = at(0).edit(Pose, x=0.3).edit(TranslateMotion, on=True)
    history = History(at(0)).observe(moving, in_gesture=False)
    redone = history.undo().redo().present
    assert not redone.get(TranslateMotion).on and redone.get(Pose).x == 0.3


def test_the_past_is_bounded_and_both_ends_are_safe():
    history = History(at(0))
    for i in range(1, LIMIT + 50):
        history = history.observe(at(i), in_gesture=False)
    assert len(history.past) == LIMIT
    assert (len(history.undo().undo().past), history.undo().undo().redo().present) == (LIMIT - 2, at(LIMIT + 48))
    assert History(at(0)).undo().redo() == History(at(0))
