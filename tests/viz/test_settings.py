"""Settings survive a restart; a broken file costs nothing but itself."""

import dataclasses

from viz import settings
from viz.settings import Settings


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    value = dataclasses.replace(Settings(), bookmarks=((1.5, 2.0),), font_scale=1.25).with_recent("a").with_recent("b").with_recent("a")
    settings.save(path, value)
    loaded, note = settings.load(path)
    assert loaded == value and loaded.recent == ("a", "b") and note == ""


def test_a_missing_file_means_defaults(tmp_path):
    assert settings.load(tmp_path / "none.json") == (Settings(), "")


def test_a_broken_file_is_set_aside_and_said(tmp_path):
    path = tmp_path / "settings.json"
    for broken in ("{", "[]", '{"font_scale": "large"}', "[" * 100_000):
        path.write_text(broken)
        loaded, note = settings.load(path)
        assert loaded == Settings() and "settings.broken.json" in note
        assert (tmp_path / "settings.broken.json").read_text() == broken and not path.exists()


def test_fields_of_other_versions_are_ignored(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"hologram": 1, "font_scale": 2}')
    assert settings.load(path)[0] == dataclasses.replace(Settings(), font_scale=2.0)


def test_recent_networks_are_bounded():
    value = Settings()
    for i in range(50):
        value = value.with_recent(str(i))
    assert len(value.recent) == settings.RECENT and value.recent[0] == "49"


def test_two_windows_lose_nothing_of_each_other(tmp_path):
    path = tmp_path / "settings.json"
    since = dataclasses.replace(Settings(), bookmarks=((1.0, 0.0), (2.0, 0.0)), recent=("old",), fps_limit=30)
    settings.save(path, since)
    theirs = dataclasses.replace(since, bookmarks=((1.0, 0.0), (2.0, 0.0), (3.0, 0.0)), font_scale=1.5).with_recent("theirs")
    settings.save(path, theirs, since)
    mine = dataclasses.replace(since, bookmarks=((2.0, 0.0), (4.0, 0.0)), vsync=False).with_recent("mine")
    settings.save(path, mine, since)
    both = settings.load(path)[0]
    assert both.bookmarks == ((2.0, 0.0), (3.0, 0.0), (4.0, 0.0))  # one taken away, one added by each
    assert (both.font_scale, both.vsync, both.recent) == (1.5, False, ("mine", "old", "theirs"))
    for broken in ("{", "[]"):
        path.write_text(broken)
        settings.save(path, mine, since)
        assert settings.load(path)[0] == mine
