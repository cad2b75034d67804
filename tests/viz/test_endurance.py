"""A few hundred random actions on a small network, and what the proof of endurance itself must notice."""

import itertools

import pytest

from gui_utils import gl
from tests import endurance
from tests.endurance import Broken, actions
from viz.request import RenderError
from viz.state import GROUPS, ViewState

COUNT = 200


@pytest.mark.window
def test_a_few_hundred_actions_are_endured(tmp_path):
    found = endurance.run(COUNT, 3, tmp_path)
    assert sum(found["done"].values()) == COUNT and found["requests"] > COUNT / 5
    assert max(held["gl"] for held in found["rests"]) < 30


def test_a_seed_always_gives_the_same_actions_and_they_are_of_every_kind():
    drawn = [list(itertools.islice(actions(5), 2000)) for _ in range(2)]
    assert drawn[0] == drawn[1] != list(itertools.islice(actions(6), 2000))
    assert {action.kind for action in drawn[0]} == set(endurance.DRAWN)


def test_every_edit_is_one_that_a_saved_view_may_hold():
    kinds = {kind.__name__: kind for kind in GROUPS}
    edits = [action.values for action in itertools.islice(actions(7), 6000) if action.kind == "edit"]
    for group, field, value in edits:
        state = ViewState().edit(kinds[group], **{field: value})
        assert ViewState.from_json(state.to_json()) == state
    assert len({(group, field) for group, field, _ in edits}) > 60


@pytest.mark.window
@pytest.mark.parametrize("fault", ["exception", "gl error", "old frame", "error frame", "left behind", "a leak"])
def test_what_must_not_be_is_noticed_and_told_with_the_seed(fault, tmp_path, monkeypatch):
    def planted(driven, count):
        if fault == "exception":
            monkeypatch.setattr(driven.app, "draw", lambda dt: 1 / 0)
            driven.ui.frames(1)
        elif fault == "gl error":
            gl.glEnable(0xFFFF)
        elif fault == "old frame":
            driven.app.submitted = ViewState()
        elif fault == "error frame":
            frame = driven.app.renderer.frame
            object.__setattr__(frame, "error", RenderError("synthesis", "planted"))
        elif fault == "a leak":
            leaked.append([object() for _ in range(200_000)])
        else:
            monkeypatch.setattr(endurance, "live_objects", lambda: {"texture": next(number)})

    number, leaked = itertools.count(), []
    monkeypatch.setattr(endurance, "actions", lambda seed: iter([endurance.Action("idle", (1,))] * 5))
    monkeypatch.setattr(endurance.Endurance, "_idle", planted)
    with pytest.raises(Broken) as told:
        endurance.run(5, 11, tmp_path)
    assert fault == "left behind" or "seed 11" in str(told.value)
    assert fault in ("left behind", "a leak") or "Action(kind='idle'" in str(told.value)
