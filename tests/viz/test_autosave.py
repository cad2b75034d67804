"""Autosave: what is saved when, that a crash loses a moment only, and that the last session is offered and not forced."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.viz.test_app import START, Running
from tests.viz.test_faults import full_disk  # noqa: F401  (a fixture)
from viz.commands import OpenLastSession
from viz.export import film_file
from viz.session import autosave, session
from viz.session.autosave import LAST, LATEST_S, NOW, QUIET_S, Autosave
from viz.session.session import Session
from viz.state import Latent, Pose, RotateMotion, Source, ViewState
from viz.timeline.timeline import Keyframe, Timeline

pytestmark = pytest.mark.window


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    running.close()


@pytest.fixture
def kept(running, tmp_path):
    """An autosave of this application with a clock of the test's."""
    clock = Clock()
    kept = Autosave(tmp_path / "kept", clock)
    kept.clock = clock
    assert kept.file == tmp_path / "kept" / NOW
    running.app.attached.append(kept)
    running.ui.frames(2)
    return kept


def after(running, kept, seconds):
    kept.clock.now += seconds
    running.ui.frames(2)


def test_nothing_is_written_until_something_has_changed_and_is_quiet(running, kept):
    after(running, kept, 100)
    assert not kept.file.exists()
    running.app.state = running.state.edit(Pose, x=0.1)
    running.ui.frames(2)
    after(running, kept, 0.5 * QUIET_S)
    assert not kept.file.exists()
    after(running, kept, QUIET_S)
    saved = session.load(kept.file).views[0]
    assert saved.get(Source).sha256 == running.app.good.network.sha256  # with the hash of what was on screen
    assert saved.edit(Source, sha256="") == running.state
    changed = kept.file.stat().st_mtime_ns
    after(running, kept, 100)
    assert kept.file.stat().st_mtime_ns == changed


def test_a_drag_that_never_rests_is_saved_all_the_same(running, kept):
    steps = int(2.5 * LATEST_S / (0.5 * QUIET_S))
    seen = set()
    for i in range(steps):
        running.app.state = running.state.edit(Latent, x=float(i + 1))
        after(running, kept, 0.5 * QUIET_S)
        if kept.file.exists():
            seen.add(session.load(kept.file).views[0].get(Latent).x)
    assert 2 <= len(seen) <= 4


def test_timeline_and_settings_are_part_of_it_and_motion_is_not(running, kept):
    running.app.context.film.edit(Timeline((Keyframe(0.0, START), Keyframe(1.0, START.edit(Pose, x=0.1)))))
    running.app.choose_workspace(4)
    running.app.state = running.state.edit(RotateMotion, on=True, turns_per_s=0.0)
    running.ui.frames(2)
    after(running, kept, 2 * LATEST_S)
    found = session.load(kept.file)
    assert len(found.timeline.keyframes) == 2 and found.settings["workspace"] == 4
    assert found.views[0].get(RotateMotion) == RotateMotion()


def test_at_the_end_what_is_missing_is_saved(running, kept):
    running.app.state = running.state.edit(Pose, x=0.2)
    running.ui.frames(2)
    kept.close()
    assert session.load(kept.file).views[0].get(Pose).x == 0.2


def test_a_full_disk_is_told_once_and_the_old_file_stays(running, kept, full_disk):  # noqa: F811
    running.app.state = running.state.edit(Pose, x=0.1)
    running.ui.frames(2)
    full_disk.undo()
    after(running, kept, 2 * QUIET_S)
    before = kept.file.read_text()
    full_disk.setattr(session, "save", lambda path, shown: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    for x in (0.2, 0.3):
        running.app.state = running.state.edit(Pose, x=x)
        running.ui.frames(2)
        after(running, kept, 2 * QUIET_S)
    told = [entry for entry in running.app.toasts.log.entries if "No space left" in entry.text]
    assert len(told) == 1 and told[0].count == 1 and kept.file.read_text() == before
    full_disk.undo()
    running.app.state = running.state.edit(Pose, x=0.4)
    running.ui.frames(2)
    after(running, kept, 2 * QUIET_S)
    assert session.load(kept.file).views[0].get(Pose).x == 0.4


def saved_last(folder, shown):
    folder.mkdir(parents=True)
    session.save(folder / NOW, shown)


VIEW = START.edit(Pose, x=0.15)
FILM = Timeline((Keyframe(0.0, VIEW), Keyframe(2.0, VIEW.edit(Latent, x=2.0))))


def test_the_last_session_is_offered_and_brought_back(running, tmp_path):
    saved_last(tmp_path / "a", Session((VIEW,), FILM, {"workspace": 3, "font_scale": 1.2}))
    kept = Autosave(tmp_path / "a")
    assert (tmp_path / "a" / LAST).exists() and not (tmp_path / "a" / NOW).exists()
    running.app.attached.append(kept)
    running.ui.frames(3)
    assert running.state == START  # offered, not forced
    running.ui.click("Autosave.reopen")
    running.ui.frames(3)
    assert running.state == VIEW and running.app.context.film.timeline == FILM
    assert (running.app.settings.workspace, running.window.font_scale) == (3, 1.2)
    assert not running.ui.exists("Autosave.reopen")


def test_whoever_declines_is_asked_again_only_if_there_is_something_new(running, tmp_path):
    saved_last(tmp_path / "a", Session((VIEW,)))
    kept = Autosave(tmp_path / "a")
    running.app.attached.append(kept)
    running.ui.frames(3)
    running.ui.click("Autosave.dismiss")
    running.ui.frames(2)
    assert running.state == START and kept.offered is None
    assert film_file.read(tmp_path / "a" / LAST).views[0] == VIEW  # it can still be opened


def test_the_offer_goes_when_something_else_is_begun_and_the_menu_still_has_it(running, tmp_path):
    saved_last(tmp_path / "a", Session((VIEW,)))
    kept = Autosave(tmp_path / "a")
    running.app.attached.append(kept)
    running.app.options = replace(running.app.options, settings_folder=tmp_path / "a")
    running.ui.frames(3)
    running.app.choose_workspace(2)  # looking around is not beginning
    running.ui.frames(3)
    assert kept.offered is not None
    running.ui.key("n")
    running.ui.frames(3)
    assert kept.offered is None and running.state.get(Latent).x == START.get(Latent).x + 1
    running.app.context.emit(OpenLastSession())
    running.ui.frames(2)
    assert running.state == VIEW


def test_a_start_that_only_looks_does_not_take_the_place_of_the_last_session(running, tmp_path):
    """After a crash, and a second one before anything was done, the work of the first is still there."""
    saved_last(tmp_path / "a", Session((VIEW,), FILM))
    clock = Clock()
    for number in (2, 3):
        kept = Autosave(tmp_path / "a", clock)
        assert kept.offered is not None and kept.offered.timeline == FILM
        running.app.attached.append(kept)
        running.ui.frames(2)
        running.app.choose_workspace(number)
        running.app.networks.learn(Session(networks={"a": {"sha256": "ab" * 32}}))  # what a network that arrives brings with it
        running.ui.frames(2)
        after(running, SimpleNamespace(clock=clock), 2 * LATEST_S)
        running.app.attached.remove(kept)
        kept.close()
    assert not kept.file.exists()


@pytest.mark.parametrize("text", ["", "{", '{"format": "other"}', "\x00\x01"])
def test_a_torn_file_is_no_offer_and_no_error(tmp_path, text):
    (tmp_path / NOW).write_text(text)
    assert Autosave(tmp_path).offered is None


def test_a_session_with_nothing_in_it_is_not_offered(tmp_path):
    session.save(tmp_path / NOW, Session((ViewState().edit(Source, sha256="ab" * 32),), layout={"window": [900, 700]}))
    assert Autosave(tmp_path).offered is None
    session.save(tmp_path / NOW, Session((ViewState().put(Source("other")),)))
    assert Autosave(tmp_path).offered is not None


def test_what_a_newer_version_wrote_survives(running, kept, tmp_path):
    data = Session((VIEW, START), FILM, {"workspace": 2}).to_dict()
    data["later"] = {"a": [1, 2]}
    data["settings"]["colour"] = "red"
    data["timeline"]["tracks"] = 3
    data["views"][0]["Hologram"] = {"depth": 4}
    data["views"][0]["Pose"]["z"] = 5
    (tmp_path / "newer.json").write_text(json.dumps(data))
    running.window.drop([tmp_path / "newer.json"])
    running.ui.frames(3)
    running.app.state = running.state.edit(Pose, y=0.25)
    running.ui.frames(2)
    after(running, kept, 2 * QUIET_S)
    found = json.loads(kept.file.read_text())
    assert found["later"] == {"a": [1, 2]} and found["settings"]["colour"] == "red" and found["timeline"]["tracks"] == 3
    assert found["views"][0]["Hologram"] == {"depth": 4}
    assert (found["views"][0]["Pose"]["z"], found["views"][0]["Pose"]["y"]) == (5, 0.25)
    assert len(found["views"]) == 2


def test_nobody_loses_bookmarks_by_opening_a_session(running, tmp_path):
    running.app.change_settings(bookmarks=((1.0, 0.0),))
    session.save(tmp_path / "s.json", Session((VIEW,), settings={"bookmarks": [[2.0, 0.0], [1.0, 0.0]]}))
    running.window.drop([tmp_path / "s.json"])
    running.ui.frames(3)
    assert running.app.settings.bookmarks == ((1.0, 0.0), (2.0, 0.0))


def test_windows_that_are_open_at_once_have_files_of_their_own_and_both_are_offered(running, kept, tmp_path):
    beside, clock = Autosave(tmp_path / "kept", kept.clock), kept.clock
    assert beside.offered is None and beside.file != kept.file  # the first one's work is not offered, nor taken away
    running.app.attached.append(beside)
    running.ui.frames(2)
    for each, x in ((kept, 0.1), (beside, 0.2)):
        running.app.state = running.state.edit(Pose, x=x)
        each.each_frame(running.app)
        clock.now += 2 * QUIET_S
        each.each_frame(running.app)
    assert [session.load(each.file).views[0].get(Pose).x for each in (kept, beside)] == [0.1, 0.2]
    assert Autosave(tmp_path / "kept", clock).offered is None
    for each in (kept, beside):
        running.app.attached.remove(each)
        each.close()
    again = Autosave(tmp_path / "kept")
    assert [each.views[0].get(Pose).x for each in (again.offered, *again.beside)] == [0.2, 0.1]
    running.app.attached.append(again)
    running.ui.frames(2)
    running.ui.click("Autosave.reopen.2")
    running.ui.frames(2)
    assert running.state.get(Pose).x == 0.1 and again.offered is None


def test_what_a_window_beside_has_left_is_offered_to_the_next_one_beside(tmp_path):
    first, second = Autosave(tmp_path), Autosave(tmp_path)
    session.save(second.file, Session((VIEW,)))
    second.close()
    third = Autosave(tmp_path)
    assert third.offered is not None and third.offered.views[0] == VIEW
    first.close()
    third.close()
    assert Autosave(tmp_path).offered is not None  # nothing new was saved: it can still be opened


def test_it_begins_only_where_settings_are_remembered(running, tmp_path):
    assert autosave.attach(running.app) in running.app.attached
    options = running.app.options
    running.app.options = replace(options, settings_folder=None)
    assert autosave.attach(running.app) is None
    running.app.options = options


def test_a_drag_makes_no_session_for_every_frame(running, kept, monkeypatch):
    made, complete = [], autosave.current
    monkeypatch.setattr(autosave, "current", lambda app: (made.append(app.state), complete(app))[1])
    for i in range(50):
        running.app.state = running.state.edit(Latent, x=0.01 * i)
        running.ui.frames(1)
    assert len(made) <= 2  # something was begun
    after(running, kept, QUIET_S)
    assert len(made) <= 3 and session.load(kept.file).views[0].get(Latent).x == 0.49


def test_panels_that_were_moved_are_a_change(running, kept):
    running.app.state = running.state.edit(Pose, x=0.1)
    after(running, kept, 2 * QUIET_S)
    after(running, kept, 2 * QUIET_S)
    text = type(running.app.window.layout).text.fget(running.app.window.layout)
    before = session.load(kept.file)
    running.app.window.layout.restore(text.replace("SizeRef=336", "SizeRef=436"))
    running.ui.frames(3)
    after(running, kept, 2 * QUIET_S)
    after(running, kept, 2 * QUIET_S)
    assert session.load(kept.file).layout != before.layout
