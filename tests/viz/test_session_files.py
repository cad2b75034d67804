"""Sessions as files, through the real window: layout and networks come back, also when a file has moved, changed, or is gone."""

import dataclasses
import json
import random
import re
import shutil
from contextlib import contextmanager

import pytest

import viz.app
from gui_utils.libraries import imgui
from gui_utils.window import Window, WindowOptions
from tests.viz.test_app import GOLDEN, START, Running
from viz import cli, commands
from viz.effects import session as session_effects
from viz.session import layout as session_layout, networks as session_networks, session
from viz.session.networks import located, refs_of
from viz.session.session import Session
from viz.state import Compare, Latent, Pose, Source, Tone, View, ViewState
from viz.timeline.timeline import Keyframe, Timeline

pytestmark = pytest.mark.window


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    running.close()


def window_of(running, title):
    return imgui.internal.find_window_by_name(running.app.arrangement.window_name(title))


def frame_of(running, title="Picture"):
    window = window_of(running, title)
    return round(window.pos.x), round(window.pos.y), round(window.size.x), round(window.size.y)


def saved(running, *, view=None):
    """The session as the File menu saves it."""
    if view is not None:
        running.app.state = view
        running.ui.frames(2)
    running.app.context.emit(commands.SaveSession())
    running.ui.frames(1)
    return sorted(running.app.capture_folder.glob("*.session.json"))[-1]


@contextmanager
def restarted(running, folder):
    """The window is closed, and another one opened, which has nothing in memory."""
    running.close()
    again = Running(folder)
    try:
        yield again
    finally:
        running.close = lambda: None  # the fixture's
        again.close()


def drop(running, path, frames=4):
    running.window.drop([path])
    running.ui.frames(frames)


def log(running):
    return [entry.text for entry in running.app.toasts.log.entries]


# ------------------------------------------------------------------------------------------------------- layout


def test_a_whole_round_trip_through_a_second_window(running, tmp_path):
    """Move a splitter, another tab, another workspace, zoom, exposure, size; save; open in a fresh window: everything is as it was."""
    x = frame_of(running)[0]
    running.ui.drag((x - 1, 300), (x + 79, 300))
    running.ui.click("//**/###Explore.Network")
    running.ui.key("2")
    running.ui.frames(4)
    running.ui.key("1")
    running.window.resize((1440, 760))
    running.app.change_settings(font_scale=1.2)
    running.ui.frames(4)
    view = START.edit(Pose, x=0.1).edit(View, zoom=9.0, center_x=0.1).edit(Tone, gain_db=3.0)
    path = saved(running, view=view)
    expected = frame_of(running), frame_of(running, "Latent"), running.app.canvas.placement.scale
    assert expected[0][0] > x + 50
    with restarted(running, tmp_path / "again") as again:
        assert frame_of(again) != expected[0]
        drop(again, path, frames=6)
        assert again.window.size == (1440, 760) and again.app.settings.font_scale == 1.2
        assert (frame_of(again), frame_of(again, "Latent"), again.app.canvas.placement.scale) == expected
        assert again.state.edit(Source, sha256="") == view
        tabs = {title: window_of(again, title).hidden for title in ("Latent", "Style mix", "Network")}
        assert tabs == {"Latent": True, "Style mix": True, "Network": False}
        again.ui.key("tab")
        again.ui.frames(2)
        alone = saved(again)
        again.ui.key("tab")
        again.ui.frames(2)
        drop(again, alone)
        assert not again.app.chrome_shown


def test_a_layout_that_is_damaged_or_of_another_program_leaves_the_panels(running, tmp_path):
    """Opened from anywhere, a text must not reach Dear ImGui unless it is one of its own."""
    data = session_effects.current(running.app).to_dict()
    before, chance = frame_of(running), random.Random(0)
    text = data["layout"]["panels"]
    damaged = [text[:at] + put + text[at + 9 :] for put in ("", "\x00", "DockNode ID=0x7 ") for at in chance.sample(range(len(text)), 6)]
    for i, panels in enumerate([*damaged, "[Docking][Data]\nDockNode ID=0x1 Parent=0x2\n", 7, None, ["a"]]):
        data["layout"]["panels"] = panels
        (tmp_path / f"{i}.json").write_text(json.dumps(data))
        drop(running, tmp_path / f"{i}.json", frames=2)
        assert running.app.frame.error is None
    data["layout"] = {"window": [10**9, -5], "picture_only": "yes", "panels": "[Docking][Data]\nDockNode ID=0x1 Parent=0x2\n"}
    (tmp_path / "last.json").write_text(json.dumps(data))
    drop(running, tmp_path / "last.json")
    assert any("Panels stay where they are: the place 0x1 does not fit in" in text for text in log(running))
    running.app.context.emit(commands.ResetLayout())
    running.ui.frames(3)
    assert frame_of(running) == before and running.window.size == (1280, 800)


def test_what_a_newer_version_wrote_into_layout_and_networks_survives(running, tmp_path):
    data = session_effects.current(running.app).to_dict()
    data["layout"]["second_window"] = {"monitor": 2}
    data["networks"][START.get(Source).network]["trained_by"] = "somebody"
    (tmp_path / "newer.json").write_text(json.dumps(data))
    drop(running, tmp_path / "newer.json")
    back = json.loads(saved(running).read_text())
    assert back["layout"]["second_window"] == {"monitor": 2}
    assert back["networks"][START.get(Source).network]["trained_by"] == "somebody"


def test_settings_of_any_kind_are_no_crash(running, tmp_path):
    data = session_effects.current(running.app).to_dict()
    for value in (["a"], [["a", 1]], [[1, 2, 3]], [[1e300, 0]], 3, None):
        data["settings"] = {"bookmarks": value, "font_scale": 1e9, "workspace": -4}
        (tmp_path / "odd.json").write_text(json.dumps(data))
        drop(running, tmp_path / "odd.json", frames=2)
        assert (running.app.settings.bookmarks, running.app.settings.font_scale, running.app.settings.workspace) == ((), 1.0, 1)


def test_panels_that_are_new_since_the_last_start_are_docked(tmp_path):
    """The layout file of an older program knows nothing of them; floating, they would lie over the picture."""
    ini = tmp_path / "layout.ini"
    with Window(WindowOptions(size=(1280, 800), headless=True, ini_path=ini)):
        pass
    first = Running(tmp_path)
    text = first.window.layout.text
    first.close()
    ini.write_text(re.sub(r"\[Window\]\[Explore\.Channels\]\n(.+\n)+", "", text))
    running = Running(tmp_path, ini_path=ini)
    try:
        session_layout.complete(running.app)
        running.ui.frames(2)
        window = window_of(running, "Channels")
        assert running.window.had_layout and window.dock_id != 0
        beside = window_of(running, "Log")
        assert window.dock_id == beside.dock_id
    finally:
        running.close()


# ----------------------------------------------------------------------------------------------------- networks


@pytest.fixture
def mine(tmp_path):
    """A network of one's own, and a session of it beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    return shutil.copy(GOLDEN / "tiny_r.pkl", folder / "mine.pkl")


def session_of(running, mine):
    running.app.state = running.state.put(Source(str(mine))).edit(Pose, x=0.1)
    running.ui.frames(3)
    path = saved(running)
    return path.replace(mine.parent / "mine.session.json")


def test_a_session_says_all_that_leads_back_to_its_networks(running, mine):
    opened = session.load(session_of(running, mine))
    facts = running.app.good.network
    assert opened.networks == {str(mine): {"path": str(mine), "sha256": facts.sha256, "size_bytes": mine.stat().st_size}}
    assert opened.views[0].get(Source).sha256 == facts.sha256 and len(facts.sha256) == 64


def test_a_folder_that_was_moved_opens_as_it_was(running, mine, tmp_path):
    path = session_of(running, mine)
    moved = tmp_path / "elsewhere"
    mine.parent.rename(moved)
    running.app.state = START
    running.ui.frames(3)
    drop(running, moved / path.name)
    assert running.app.frame.error is None and running.state.get(Source).network == str(moved / "mine.pkl")
    assert running.state.get(Pose).x == 0.1 and any("it was found at" in text for text in log(running))


def test_a_file_that_changed_under_its_name_is_told(running, mine, tmp_path):
    path = session_of(running, mine)
    shutil.copy(GOLDEN / "tiny_t.pkl", mine)
    running.app.context.emit(commands.ReloadNetwork())
    running.ui.frames(3)
    assert not any("other weights" in text for text in log(running))  # whoever reloads wants the new ones
    with restarted(running, tmp_path / "again") as again:
        drop(again, path)
        assert len([text for text in log(again) if "other weights of the name mine" in text]) == 1 and again.app.frame.error is None
        again.app.state = again.state.edit(Latent, x=1.0)
        again.ui.frames(3)
        drop(again, path)
        assert len([text for text in log(again) if "other weights" in text]) == 1  # once, not with every picture


def test_a_network_that_is_gone_is_asked_for_and_a_dropped_file_is_the_answer(running, mine, tmp_path):
    film = Timeline((Keyframe(0.0, START.put(Source(str(mine)))), Keyframe(1.0, START)))
    running.app.context.film.edit(film)
    path = session_of(running, mine)
    elsewhere = mine.rename(tmp_path / "other name.pkl")
    path = path.rename(tmp_path / "lonely.json")
    with restarted(running, tmp_path / "again") as again:
        _located_by_dropping(again, path, mine, elsewhere)


def _located_by_dropping(running, path, mine, elsewhere):
    drop(running, path)
    assert running.ui.exists("Missing.path") and running.app.missing.asked[0].name == "mine.pkl"
    running.ui.click("Missing.path")
    running.ui.type("no such place")
    running.ui.key("enter")
    running.ui.frames(2)
    assert "no such place" in running.app.missing.refused
    drop(running, elsewhere)
    assert not running.ui.exists("Missing.path") and running.app.frame.error is None
    assert running.state.get(Source).network == str(elsewhere) and running.state.get(Pose).x == 0.1
    assert running.app.context.film.timeline.keyframes[0].view.get(Source).network == str(elsewhere)
    assert running.app.context.film.timeline.keyframes[1].view.get(Source).network == START.get(Source).network
    again = session.load(saved(running))
    assert str(mine) not in refs_of(again) and again.networks[str(elsewhere)]["path"] == str(elsewhere)


def test_the_network_on_screen_may_stand_in_and_an_address_is_offered(running, mine, tmp_path):
    path = session_of(running, mine)
    data = json.loads(path.read_text())
    data["networks"][str(mine)]["url"] = "https://example.org/mine.pkl"
    (tmp_path / "lonely.json").write_text(json.dumps(data))
    mine.unlink()
    drop(running, tmp_path / "lonely.json")
    assert running.app.frame.error is None and not running.app.missing.asked  # it is still in memory: nothing is missing
    with restarted(running, tmp_path / "again") as again:
        drop(again, tmp_path / "lonely.json")
        assert again.ui.exists("Missing.download") and again.app.missing.asked[0].url == "https://example.org/mine.pkl"
        again.ui.click("Missing.dismiss")
        again.ui.frames(2)
        assert not again.ui.exists("Missing.path")
        drop(again, tmp_path / "lonely.json")
        again.ui.click("Missing.instead")
        again.ui.frames(3)
        assert again.state.get(Source).network == START.get(Source).network and again.state.get(Pose).x == 0.1
        assert again.app.frame.error is None and not any("other weights" in text for text in log(again))  # tiny_r is what mine.pkl was


def test_a_second_network_is_looked_for_too(tmp_path):
    view = START.edit(Compare, on=True, network=r"C:\nets\other.pkl", sha256="ab")
    (tmp_path / "other.pkl").write_bytes(b"x")
    opened = Session((view,), networks={r"C:\nets\other.pkl": {"size_bytes": 1}})
    found, said, missing = located(opened, tmp_path)
    assert found.views[0].get(Compare).network == str(tmp_path / "other.pkl") and len(said) == 1 and not missing
    assert found.views[0].get(Compare).sha256 == "ab"
    _, said, missing = located(Session((view,), networks={r"C:\nets\other.pkl": {"size_bytes": 2, "url": "file:///etc/passwd"}}), tmp_path)
    assert not said and (missing[0].name, missing[0].url) == ("other.pkl", "")  # of another size; no address of the web


@pytest.mark.parametrize(
    "networks", [{"a.pkl": 3}, {"a.pkl": {"path": 7, "url": [], "size_bytes": "big"}}, {"": {}}, {"a.pkl": {"path": "\0"}}]
)
def test_records_of_any_kind_are_no_crash(networks, tmp_path):
    opened = Session.from_dict({**Session((ViewState().put(Source("a.pkl")),)).to_dict(), "networks": networks})
    _, _, missing = located(opened, tmp_path, ("https://x/a.pkl", "/nowhere/a.pkl"))
    assert [m.ref for m in missing] == ["a.pkl"]
    known = session_networks.KnownNetworks()
    known.learn(opened)
    assert isinstance(known.complete(opened).to_json(), str)


def test_where_a_download_came_from_is_known_by_its_hash(monkeypatch, tmp_path):
    monkeypatch.setattr(session_networks, "cache_folder", lambda: tmp_path)
    (tmp_path / "0.json").write_text("{")
    (tmp_path / "1.json").write_text(json.dumps({"url": "https://example.org/a.pkl", "sha256": "cd" * 32}))
    assert session_networks.downloaded_from("cd" * 32) == "https://example.org/a.pkl"
    assert session_networks.downloaded_from("") == session_networks.downloaded_from("ef" * 32) == ""


def test_a_layout_that_cannot_be_read_is_not_saved(running, monkeypatch):
    monkeypatch.setattr(type(running.window.layout), "text", "[Docking][Data]\nDockNode Something=New\n")
    assert session_layout.now(running.app)["panels"] == ""


@pytest.mark.window
def test_a_session_is_opened_by_its_name_on_the_command_line(tmp_path, monkeypatch, capsys):
    timeline = Timeline(keyframes=(Keyframe(0.0, START), Keyframe(1.0, START.edit(Pose, x=0.2))))
    path = session.save(tmp_path / "my-session.json", Session((START.edit(Pose, x=0.1),), timeline))
    seen = []

    def loop(app):
        app.step(0)
        seen.append((app.state.get(Pose).x, app.state.get(Source).network, len(app.context.film.timeline.keyframes), app.options.recent))

    run = viz.app.run
    monkeypatch.setattr(viz.app.App, "loop", loop)
    monkeypatch.setattr(viz.app, "run", lambda options: run(dataclasses.replace(options, headless=True)))
    assert cli.run([str(path), "--fresh"]) == 0
    assert seen == [(0.1, START.get(Source).network, 2, ())]
    assert cli.run([str(tmp_path / "no-session.json"), "--fresh"]) == 1 and "there is no such file" in capsys.readouterr().err
