"""The view as a value: defaults in one place, edits by identity, JSON that survives newer versions."""

import dataclasses
import importlib
import json
import pkgutil
from typing import get_args, get_type_hints

import pytest
from hypothesis import given, strategies as st

import viz.groups
from viz import state as s
from viz.groups.groups import DEFAULT_NETWORK
from viz.state import Latent, Mixing, Pose, Source, StateError, Tap, Tone, ViewState
from viz.timeline.timeline import Keyframe, Timeline


def test_a_group_left_out_has_its_defaults():
    assert ViewState().get(Source).network == DEFAULT_NETWORK
    assert ViewState().get(Latent) == Latent()


def test_an_edit_that_changes_nothing_returns_the_same_object():
    view = ViewState().edit(Latent, x=0.1)
    assert view.edit(Latent, x=0.1) is view
    assert view.edit(Latent, x=0.2) is not view
    assert ViewState().edit(Latent, x=0.0).groups == {}


def test_a_group_back_at_its_defaults_is_the_default_state():
    assert ViewState().edit(Pose, x=0.5).edit(Pose, x=0.0) == ViewState()
    assert hash(ViewState().edit(Pose, x=0.5).reset(Pose)) == hash(ViewState())


def test_every_group_is_listed_once_and_is_frozen():
    names = [f"viz.groups.{m.name}" for m in pkgutil.iter_modules(viz.groups.__path__)]
    values = [v for name in names for v in vars(importlib.import_module(name)).values()]
    declared = [v for v in values if isinstance(v, type) and dataclasses.is_dataclass(v) and v.__module__ in names]
    shared = ("OwnValues", "Breaks", "ListOfEdits")  # what several have in common
    declared = [v for v in declared if v not in s.PARTS and v.__name__ not in shared]
    assert set(declared) == set(s.GROUPS) and len(s.GROUPS) == len(set(s.GROUPS))
    for kind in s.GROUPS:
        with pytest.raises(dataclasses.FrozenInstanceError):
            kind().__setattr__(dataclasses.fields(kind)[0].name, 1)


def values_of(kind):
    """A strategy for a group within its declared ranges."""
    fields = {}
    for f in dataclasses.fields(kind):
        low, high, choices = (f.metadata.get(k) for k in ("low", "high", "choices"))
        if choices:
            fields[f.name] = st.sampled_from(choices)
        elif isinstance(f.default, bool):
            fields[f.name] = st.booleans()
        elif isinstance(f.default, int):
            fields[f.name] = st.integers(low if low is not None else -1000, high if high is not None else 10**6)
        elif isinstance(f.default, float):
            fields[f.name] = st.floats(low, high, allow_nan=False, allow_infinity=False)
        elif isinstance(f.default, str):
            fields[f.name] = st.text(max_size=20)
        else:
            part = get_args(get_type_hints(kind)[f.name])[0]
            each = values_of(part) if part in s.PARTS else st.text(max_size=8) if part is str else st.integers(0, 100)
            fields[f.name] = st.lists(each, max_size=3).map(tuple)
    return st.builds(kind, **fields)


@given(st.lists(st.sampled_from(s.GROUPS).flatmap(values_of), max_size=8))
def test_json_round_trip_is_exact(groups):
    view = ViewState()
    for group in groups:
        view = view.put(group)
    assert ViewState.from_json(view.to_json()) == view


def test_what_a_newer_version_wrote_survives():
    data = ViewState().edit(Tone, gain_db=3.0).to_dict()
    data["Tone"]["hue"] = 7
    data["Hologram"] = {"on": True}
    view = ViewState.from_dict(data).edit(Tone, gain_db=4.0)
    again = json.loads(view.to_json())
    assert again["Hologram"] == {"on": True}
    assert again["Tone"]["hue"] == 7 and again["Tone"]["gain_db"] == 4.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"Latent": {"x": "left"}}, "Latent.x"),
        ({"Latent": {"x": float("nan")}}, "Latent.x"),
        ({"Latent": {"x": 10**400}}, "Latent.x"),
        ({"Latent": {"blend": "magic"}}, "one of published, preserving"),
        ({"Mixing": {"seed": -1}}, "Mixing.seed"),
        ({"Mixing": {"rows": 3}}, "a list"),
        ({"Mixing": {"rows": [1, -2]}}, "Mixing.rows[1]"),
        ({"Unwarp": {"on": 1}}, "Unwarp.on"),
        ({"Mixing": {"rows": [0] * 4097}}, "Mixing.rows is [0, 0, 0"),
        ({"Pose": []}, "Pose"),
        ({"Source": {"network": "x" * 65537}}, "a text of at most 65536 characters"),
        *[({"Source": {"network": f"a{c}b"}}, "a text of at most 65536 characters") for c in "\ud800\udbff\udfff"],
        ({"Latent": {"x": [1]}}, "Latent.x is [1]"),
        ({"Latent": {"x": True}}, "Latent.x is True"),
        ({"Directions": {"edits": [3]}}, "Directions.edits[0] is 3; an object is expected"),
        ({"version": "2"}, "version"),
        ({"format": "other"}, "format"),
    ],
)
def test_a_wrong_file_is_refused_by_the_name_of_the_field(changes, named):
    with pytest.raises(StateError, match=named.replace("[", r"\[").replace("]", r"\]")):
        ViewState.from_dict({**ViewState().to_dict(), **changes})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "1" * 5000])
def test_text_that_is_no_view_is_refused(text):
    with pytest.raises(StateError):
        ViewState.from_json(text)


def test_whole_numbers_stand_for_floats():
    view = ViewState.from_dict({**ViewState().to_dict(), "Latent": {"x": 3}})
    assert view.get(Latent).x == 3.0 and isinstance(view.get(Latent).x, float)


def test_whole_numbers_from_python_move_between_keyframes_as_they_do_once_saved():
    kinds = {"Pose": {"x": 0, "scale": 2}, "Directions": {"edits": (s.Direction(amount=3),)}, "EditActivations": {"edits": (s.Edit(x=1),)}}
    for name, changes in kinds.items():
        kind = getattr(s, name)
        here = ViewState().edit(kind, **changes)
        assert repr(here.get(kind)) == repr(ViewState.from_json(here.to_json()).get(kind))
    film = Timeline((Keyframe(0.0, ViewState().edit(Pose, x=1)), Keyframe(1.0, ViewState().edit(Pose, x=2))))
    assert film.at(0.25).get(Pose).x == pytest.approx(1.25, abs=0.11) and film.at(0.25).get(Pose).x not in (1, 2)
    right = Pose(x=1.5)
    assert ViewState().put(right).get(Pose) is right


def test_the_pose_matrix_turns_counter_clockwise_and_then_moves():
    (a, b, tx), (c, d, ty), last = Pose(x=0.1, y=-0.2, turns=0.25).matrix()
    assert (tx, ty, last) == (0.1, -0.2, (0.0, 0.0, 1.0))
    assert [round(v, 12) for v in (a, b, c, d)] == [0, 1, -1, 0]  # (1, 0), right, goes to (0, -1), up


def test_snap_rounds_to_whole_pixels():
    assert Pose(x=0.13, y=-0.01, snap=True).matrix(64)[0][2] == 8 / 64
    assert Pose(x=0.13, y=-0.01, snap=True).matrix(64)[1][2] == -1 / 64
    assert Pose(x=0.13).matrix(64)[0][2] == 0.13


def test_drawn_and_rendered_groups_do_not_overlap():
    assert not set(s.DRAWN) & set(s.RENDERED)
    view = ViewState().edit(Tone, gain_db=3.0).edit(Mixing, rows=(1,)).edit(Tap, layer="input")
    assert view.only(*s.RENDERED) == ViewState().edit(Mixing, rows=(1,)).edit(Tap, layer="input")
