"""The profile: values at the right places of the line, nothing where nothing is known, one cursor with the picture, files."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.viz.panels.shown import alias_free_facts, frame_of, show
from viz import cli
from viz.analysis import line_profile
from viz.analysis.line_profile import PANEL, labels_of, limits, profile_of, profiles, text_at
from viz.analysis.slice import NO_LENGTH
from viz.canvas import shared_cursor
from viz.commands import SaveMeasurement
from viz.export import film_file
from viz.request import Beside, Picture
from viz.state import Compare, Slice, ViewState

TINY_R, TINY_SG2 = (str(Path(__file__).parents[2] / "golden" / f"tiny_{name}.pkl") for name in ("r", "sg2"))
LEVEL = Slice(profile=True, x0=-0.25, y0=0.0, x1=0.25, y1=0.0)


def ramp(size: int = 64, margin: int = 0, slope: float = 1.0, **changes) -> Picture:
    """R is x, G is y, B their sum, in image widths."""
    at = slope * (np.arange(size + 2 * margin) + 0.5 - size / 2 - margin) / size
    x, y = np.broadcast_arrays(at, at[:, None])
    values = np.stack([x, y, x + y], axis=2).astype(np.float32)
    return replace(Picture(values, (margin, margin, margin + size, margin + size), channels=(0, 1, 2), total_channels=3), **changes)


@pytest.mark.parametrize(("size", "margin"), [(64, 0), (64, 10), (16, 4)])
def test_values_stand_where_they_are_in_image_widths_with_margins_or_without(size, margin):
    found = profile_of(replace(LEVEL, y0=-0.1, y1=0.2), ramp(size, margin))
    assert found is not None and found.labels == ("R", "G", "B") and found.rate == size
    length = np.hypot(0.5, 0.3)
    assert len(found.position) == round(length * size) and found.position[0] == pytest.approx(length / len(found.position) / 2)
    part = found.position / length
    np.testing.assert_allclose(found.values, np.stack([p := 0.5 * part - 0.25, q := 0.3 * part - 0.1, p + q], axis=1), atol=1e-6)


def test_what_is_not_known_is_left_out():
    mask = np.ones((64, 64), bool)
    mask[:, 40:] = False
    found = profile_of(replace(LEVEL, x1=0.75), ramp(mask=mask))
    assert found is not None
    x = found.position - 0.25
    assert np.array_equal(np.isfinite(found.values[:, 0]), x < (39.6 - 32) / 64), "up to the last sample that owes nothing to the mask"
    beyond = profile_of(replace(LEVEL, x1=0.75), ramp())
    assert beyond is not None and np.array_equal(np.isfinite(beyond.values[:, 2]), x <= 0.5)
    assert profile_of(LEVEL, ramp(grid=2)) is None and profile_of(LEVEL, None) is None


def test_channels_have_their_numbers_and_combinations_are_colours():
    one = Picture(np.zeros((8, 8, 1), np.float32), (0, 0, 8, 8), channels=(7,), total_channels=96)
    assert labels_of(one) == ("channel 7",)
    assert labels_of(ramp(total_channels=96, channels=(3, 5, 7))) == ("channel 3", "channel 5", "channel 7")
    assert labels_of(ramp(total_channels=96, note="PCA")) == ("R", "G", "B")


def test_the_axis_holds_all_views_and_keeps_still():
    first = profile_of(LEVEL, ramp())
    assert first is not None
    low, high = limits({1: first})
    assert low <= -0.25 <= 0.25 <= high and high - low < 1.0
    nearly = replace(first, values=first.values * 0.98)
    assert limits({1: nearly}) == (low, high)
    assert limits({1: first, 2: replace(first, values=first.values * 4)})[1] >= 0.97
    assert limits({1: replace(first, values=first.values * np.nan)})[0] < 0 < limits({1: replace(first, values=first.values * 0)})[1]


# -------------------------------------------------------------------------------------------------------------- panel

FACTS = alias_free_facts()


def compared():
    first, second = frame_of(FACTS, picture=ramp()), frame_of(FACTS, picture=ramp(16, slope=0.5))
    return replace(first, others={2: Beside(second)})


def test_the_panel_shows_every_view_reads_the_pictures_cursor_and_shares_its_own():
    view = ViewState().put(replace(LEVEL, profile=False))
    with show(PANEL, view, network=FACTS, frame=compared()) as shown:
        assert shown.state.get(Slice).placed is False and shown.ui.item("Slice.export_profile").disabled
        shown.ui.click("Slice.profile")
        assert shown.state.get(Slice).placed
        assert set(profiles(shown.state.get(Slice), shown.context.frame)) == {1, 2}
        switch = shown.ui.item("Slice.profile")
        shown.ui.hover((switch.left + 100, switch.bottom + 60))
        x, y = shared_cursor.cursor(shown.context.scratch) or pytest.fail("nothing was pointed at")
        assert -0.25 <= x <= 0.25 and y == 0.0
        shown.ui.hover((switch.left, switch.top - 5))
        assert shared_cursor.cursor(shown.context.scratch) is None
        shown.ui.click("Slice.export_profile")
        saved = shown.context.commands[-1]
        assert isinstance(saved, SaveMeasurement) and saved.arrays["second values"].shape == (8, 3)
        assert saved.figure().ndim == 3


def test_a_line_that_ends_where_it_begins_is_none(monkeypatch):
    point, said = replace(LEVEL, x0=0.25), []
    assert profile_of(point, ramp()) is None
    monkeypatch.setattr(line_profile, "wrapped_text", said.append)
    with show(PANEL, ViewState().put(point), network=FACTS, frame=compared()) as shown:
        assert shown.ui.item("Slice.export_profile").disabled and said[-1] == NO_LENGTH


def test_a_reading_names_place_sample_and_every_channel():
    found = profile_of(LEVEL, ramp())
    assert found is not None
    text = text_at({1: found, 2: replace(found, values=found.values * np.nan)}, 0.2501)
    assert text == "0.258 widths, sample 16: R 0.00781   G 0.00   B 0.00781\nsecond: R —   G —   B —"


# ------------------------------------------------------------------------------------------------------- command line


def test_the_command_writes_a_table_drawings_and_arrays(tmp_path, capsys):
    words = ["profile", TINY_R, "--seed", "1", "--line", "-0.4", "0", "0.6", "0"]
    for suffix in ("csv", "svg", "png", "npz"):
        assert cli.run([*words, "--out", str(tmp_path / f"a.{suffix}")]) == 0
    first, *rest = (tmp_path / "a.csv").read_text().splitlines()
    assert first.startswith("# python visualizer.py profile") and "--line -0.4 0 0.6 0" in first
    rows = list(csv.DictReader(rest))
    with np.load(Path(TINY_R).with_name("tiny_r.npz")) as golden, np.load(tmp_path / "a.npz") as arrays:
        middle = golden["image"][1][:, 15:17].mean(axis=1).T  # the line runs between two rows
        np.testing.assert_allclose(arrays["values"][:28], middle[3:31] * 0.8 + middle[4:32] * 0.2, atol=2e-4)
        assert np.isnan(arrays["values"][29:]).all() and float(rows[5]["G"]) == pytest.approx(float(arrays["values"][5, 1]), rel=1e-6)
    assert rows[-1]["R"] == "" and float(rows[0]["image_widths"]) == pytest.approx(0.5 / 32)
    assert b"<polyline" in (tmp_path / "a.svg").read_bytes()
    for suffix in ("svg", "png"):
        assert film_file.read(tmp_path / f"a.{suffix}").views[0].get(Slice) == Slice(False, -0.4, 0.0, 0.6, 0.0, True)
    capsys.readouterr()
    layer = ["--layer", "input", "--channels", "2", "--json"]
    assert cli.run([*words, *layer]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["channels"] == ["channel 2"] and len(told["values"]["channel 2"]) == told["samples"] == told["samples_per_width"]


def test_the_command_sets_other_networks_beside_it(tmp_path, capsys):
    words = ["profile", TINY_R, "--line", "-0.4", "0", "0.4", "0", "--compare", TINY_SG2]
    for suffix in ("csv", "npz", "svg"):
        assert cli.run([*words, "--out", str(tmp_path / f"a.{suffix}")]) == 0
    assert cli.run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.split("samples\n")[-1])
    assert cli.run(["profile", TINY_SG2, *words[2:7], "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    beside = told["others"]["second"]
    assert beside["network"] == TINY_SG2 and all(beside[name] == alone[name] for name in ("position", "values", "samples_per_width"))
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()[1:]))
    assert [row["view"] for row in rows] == ["first"] * told["samples"] + ["second"] * alone["samples"]
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_allclose(arrays["second values"][:, 0], [float(row["R"]) for row in rows if row["view"] == "second"], rtol=1e-5)
    assert b"second: R" in (tmp_path / "a.svg").read_bytes()
    assert film_file.read(tmp_path / "a.svg").views[0].get(Compare).network == TINY_SG2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([TINY_R, "--compare", "no such.pkl"], "no such"),
        ([TINY_R, *["--compare", TINY_R] * 4], "at most 3"),
        ([TINY_R, "--line", "0", "0", "0", "0"], "same point"),
        ([TINY_R, "--line", "0", "0", "nan", "0"], "finite numbers"),
        ([TINY_R, "--layer", "L99"], "not a layer"),
        ([TINY_R, "--channels", "2000"], "has 3 channels"),
        ([TINY_SG2, "--rotate", "5"], "no input grid"),
        ([TINY_R, "--out", "a.txt"], ".csv"),
    ],
)
def test_what_cannot_be_done_is_said(words, sentence, capsys):
    assert cli.run(["profile", *words]) == 1 and sentence in capsys.readouterr().err
