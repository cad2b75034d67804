"""A few hundred random actions on small networks, and what the proof of endurance itself must notice."""

import dataclasses
import itertools

import numpy as np
import pytest

from gui_utils import gl
from tests import endurance
from tests.endurance import Broken, actions, application
from tests.endurance.actions import DRAWN, WEIGHTS
from tests.endurance.held import LIMITS, Held, growing, slopes
from viz.request import RenderError
from viz.state import GROUPS, Latent, ViewState

COUNT = 120


@pytest.mark.window
@pytest.mark.parametrize("threaded", [False, True])
def test_a_few_hundred_actions_are_endured(threaded, tmp_path):
    found = endurance.run(COUNT // (1 + threaded), 3, tmp_path, threaded=threaded)
    assert sum(found.coverage.actions.values()) == COUNT // (1 + threaded) and found.requests > COUNT / 10
    assert found.coverage.afresh == len(found.rests) > 5
    assert len(found.coverage.drawn) > 40 and found.coverage.commands and found.coverage.keys


def test_a_seed_always_gives_the_same_actions_and_they_are_of_every_kind():
    drawn = [list(itertools.islice(actions(5), 6000)) for _ in range(2)]
    assert drawn[0] == drawn[1] != list(itertools.islice(actions(6), 6000))
    assert {action.kind for action in drawn[0]} == set(DRAWN) == set(WEIGHTS)


def test_every_edit_is_one_that_a_saved_view_may_hold():
    kinds = {kind.__name__: kind for kind in GROUPS}
    edits = [action.values for action in itertools.islice(actions(7), 6000) if action.kind == "edit"]
    for group, field, value in edits:
        state = ViewState().edit(kinds[group], **{field: value})
        assert ViewState.from_json(state.to_json()) == state
    assert len({(group, field) for group, field, _ in edits}) > 60


FAULTS = ("exception", "gl error", "old frame", "error frame", "wrong picture", "left behind", "a leak", "a GL leak")


@pytest.mark.window
@pytest.mark.parametrize("fault", FAULTS)
def test_what_must_not_be_is_noticed_and_told_with_the_seed(fault, tmp_path, monkeypatch):
    def planted(driven, count):
        frame = driven.app.renderer.frame
        if fault == "exception":
            monkeypatch.setattr(driven.app, "draw", lambda dt: 1 / 0)
            driven.ui.frames(1)
        elif fault == "gl error":
            gl.glEnable(0xFFFF)
        elif fault == "old frame":
            monkeypatch.setattr(driven.app.renderer, "submit", lambda view: 0)
            driven.app.state = driven.app.state.edit(Latent, x=5.0)
        elif fault == "error frame":
            object.__setattr__(frame, "error", RenderError("synthesis", "planted"))
        elif fault == "wrong picture":
            object.__setattr__(frame.picture, "values", frame.picture.values + np.float32(1e-6))
        elif fault == "a leak":
            leaked.append([object() for _ in range(10_000)])
        elif fault == "a GL leak":
            gl.glGenTextures(1)
            gl.glBindTexture(gl.GL_TEXTURE_2D, int(gl.glGenTextures(1)))
        else:
            monkeypatch.setattr(application, "live_objects", lambda: {"texture": next(number)})

    number, leaked = itertools.count(), []
    monkeypatch.setitem(LIMITS, "python_blocks", 1000.0)  # here a rest follows on every action, and a rest is noted as well
    monkeypatch.setattr(endurance, "actions", lambda seed: iter([endurance.Action("idle", (1,))] * 6))
    monkeypatch.setattr(endurance.Endurance, "_idle", planted)
    with pytest.raises(Broken) as told:
        endurance.run(6, 11, tmp_path)
    assert fault == "left behind" or "11" in str(told.value)
    expected = {"a leak": "python_blocks grows", "a GL leak": "gl_objects grows", "left behind": "left behind"}
    assert expected.get(fault, "Action(kind='idle'") in str(told.value)


HELD = Held(200 << 20, 800_000, 40, 3, 500 << 20)


@pytest.mark.parametrize(("field", "growth"), [("heap_bytes", 1500), ("python_blocks", 12), ("gl_objects", 0.02), ("threads", 0.01)])
def test_slow_growth_is_noticed_and_noise_is_not(field, growth):
    noise = np.random.default_rng(0).normal(0, {"heap_bytes": 50_000, "python_blocks": 300}.get(field, 0), 100)
    start = getattr(HELD, field)

    def rests(slope):
        return [
            (at, dataclasses.replace(HELD, **{field: int(start + slope * at + noise[i])})) for i, at in enumerate(range(0, 10_000, 100))
        ]

    assert any(field in text for text in growing(slopes(rests(growth))))
    assert not growing(slopes(rests(0.0)))


def test_what_grows_at_first_only_is_no_leak():
    warming = [(at, dataclasses.replace(HELD, heap_bytes=HELD.heap_bytes - max(0, 2000 - at) * 10_000)) for at in range(0, 10_000, 100)]
    assert not growing(slopes(warming))
