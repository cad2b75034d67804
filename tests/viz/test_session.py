"""Sessions: a round trip keeps everything, also what a newer version wrote; older files load; mistakes name their place."""

import json

import pytest

from viz.session import session
from viz.session.session import Session
from viz.settings import Settings
from viz.state import Device, Latent, Pose, Source, StateError, ViewState
from viz.timeline import paths
from viz.timeline.timeline import Keyframe, Timeline

VIEW = ViewState().edit(Pose, x=0.25).put(Source("a.pkl"))
FULL = Session(
    (VIEW, ViewState().edit(Latent, x=4.5)),
    Timeline((Keyframe(0.5, VIEW, "spline", short_way=False), Keyframe(2.0, ViewState())), loop=True, closing_s=1.5, fps=24.0),
    {"workspace": 3, "bookmarks": [[1.0, 2.0]]},
)


def test_a_round_trip_changes_nothing(tmp_path):
    assert Session.from_json(FULL.to_json()) == FULL
    assert session.load(session.save(tmp_path / "a.json", FULL)) == FULL
    for name in paths.PATHS:
        made = Session((VIEW,), paths.ready_made(name, VIEW, 2.0, 25.0))
        assert Session.from_json(made.to_json()) == made


def test_what_a_newer_version_wrote_survives_everywhere():
    data = FULL.to_dict()
    data["version"], data["sound"] = 7, {"file": "a.wav"}
    data["timeline"]["curve"] = [1, 2]
    data["timeline"]["keyframes"][0]["label"] = "start"
    data["timeline"]["keyframes"][1]["view"]["Depth"] = {"fog": 0.5}
    data["views"][1]["Pose"] = {"x": 1.0, "shear": 2.0}
    data["settings"]["theme"] = "light"
    back = Session.from_json(json.dumps(data)).to_dict()
    assert back.pop("version") == session.VERSION and data.pop("version") == 7
    back["views"][1]["Pose"] = {name: back["views"][1]["Pose"][name] for name in ("x", "shear")}
    assert back == data


def test_an_edit_keeps_what_is_unknown():
    data = FULL.to_dict()
    data["timeline"]["keyframes"][0]["label"] = "start"
    edited = Session.from_dict(data).edit_views(Device, device="cpu")
    assert edited.to_dict()["timeline"]["keyframes"][0]["label"] == "start"
    assert all(v.get(Device).device == "cpu" for v in (*edited.views, *(k.view for k in edited.timeline.keyframes)))


def test_a_saved_view_is_the_oldest_session():
    old = Session.from_json(VIEW.to_json())
    assert old.views == (VIEW,) and old.film.frame_count == 1 and old.film.at(0.0) == VIEW


def test_what_is_missing_has_its_default():
    assert Session.from_dict({"format": session.FORMAT, "version": 1}) == Session()


def test_another_source_is_put_where_its_network_was():
    moved = FULL.with_source("a.pkl", Source("b.pkl"))
    assert moved.views[0].get(Source).network == "b.pkl" and moved.views[1] == FULL.views[1]
    assert moved.timeline.keyframes[0].view.get(Source).network == "b.pkl"


def test_settings_travel_but_not_those_of_the_machine():
    kept = session.kept_settings(Settings(workspace=4, bookmarks=((1.0, 2.0),), capture_folder="/home/somebody"))
    assert "capture_folder" not in kept
    there = session.apply_settings(Settings(capture_folder="here"), Session(settings={**kept, "font_scale": "large", "theme": "light"}))
    assert there == Settings(workspace=4, bookmarks=((1.0, 2.0),), capture_folder="here")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "something"}, "not a saved session"),
        ({"version": "1"}, "version is '1'"),
        ({"views": []}, "views is empty"),
        ({"views": 3}, "views is '3'; list"),
        ({"timeline": {"fps": 0}}, "fps is 0"),
        ({"timeline": {"fps": "fast"}}, "fps is 'fast'"),
        ({"timeline": {"fps": 10**400}}, "fps is 1000"),
        ({"timeline": {"loop": 1}}, "loop is '1'; bool"),
        ({"timeline": {"keyframes": [3]}}, r"keyframes\[0\] is 3"),
        ({"timeline": {"keyframes": [{"time_s": float("nan"), "view": ViewState().to_dict()}]}}, "time_s is nan"),
        ({"timeline": {"keyframes": [{"view": {}}]}}, "not a saved view"),
        ({"timeline": {"keyframes": [{"easing": "bouncy", "view": ViewState().to_dict()}]}}, "bouncy"),
    ],
)
def test_a_mistake_names_its_place(change, said):
    with pytest.raises(StateError, match=said):
        Session.from_dict({**FULL.to_dict(), **change})


def test_no_session_at_all(tmp_path):
    with pytest.raises(StateError, match="not a saved session"):
        Session.from_json("[" * 100_000)
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StateError, match="not a text file"):
        session.load(tmp_path / "a.json")
