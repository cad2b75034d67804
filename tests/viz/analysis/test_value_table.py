"""Measured values as tables: what stands in them is what --json prints, and the command is in the first line."""

import csv
import json
import shlex

import numpy as np
import pytest

from viz import cli
from viz.analysis.value_table import rows_of

TINY_R = "tests/golden/tiny_r.pkl"


def table(path):
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first.startswith("# python visualizer.py ")
    return list(csv.DictReader(rest))


@pytest.mark.parametrize(
    ("words", "listed", "column"),
    [(("by-layer", "--rotate", "20"), "layers", "db"), (("sweep", "--num", "3"), "points", "db"), (("out-of-band",), "layers", "folded")],
)
def test_a_table_has_the_numbers_that_json_has(words, listed, column, tmp_path, capsys):
    command, *rest = words
    assert cli.run([command, TINY_R, *rest, "--json", "--out", str(tmp_path / "a.csv")]) == 0
    facts, rows = json.loads(capsys.readouterr().out), table(tmp_path / "a.csv")
    assert [row[column] for row in rows] == ["" if one[column] is None else str(one[column]) for one in facts[listed]]
    assert all((row["config"], row["seed"]) == ("R", "0") for row in rows) and len(rows) == len(facts[listed]) > 1


def test_metrics_have_a_row_each_with_their_interval(tmp_path, capsys):
    assert cli.run(["metrics", TINY_R, "--num", "2", "--json", "--out", str(tmp_path / "m.csv")]) == 0
    facts, rows = json.loads(capsys.readouterr().out), table(tmp_path / "m.csv")
    assert [row["metric"] for row in rows] == ["EQ-T", "EQ-T_frac", "EQ-R"]
    assert [[row["low_db"], row["high_db"]] for row in rows] == [
        list(map(str, facts[f"{k}_interval"])) for k in ("eq_t", "eq_t_frac", "eq_r")
    ]


def test_a_name_that_means_two_things_is_told_apart_and_long_lists_are_left_out():
    rows = rows_of(
        {"kept": 0.5, "line": [0, 1], "order": list(range(9)), "octaves": [{"kept": None, "dead": list(range(6))}, {"kept": True}]}
    )
    shared = {"kept": "0.5", "line": "0 1"}
    assert rows == [{**shared, "octaves.kept": "", "dead": "0 1 2 3 4 5"}, {**shared, "octaves.kept": "true"}]


def told(capsys, *words):
    assert cli.run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_names_the_weights_and_the_command_that_makes_it_again(capsys):
    sha256 = told(capsys, "inspect", TINY_R)["sha256"]
    for words in (("flicker", TINY_R, "--num", "2", "--psi", "0.5"), ("profile", TINY_R), ("metrics", TINY_R, "--num", "1", "--eq-t")):
        found = told(capsys, *words)
        assert found["sha256"] == sha256 and found["command"] == f"python visualizer.py {' '.join(words)} --json"
        assert told(capsys, *shlex.split(found["command"])[2:-1]) == found
    assert told(capsys, "design", "T", "--resolution", "64")["command"].endswith("design T --resolution 64 --json")


def test_what_is_told_says_what_was_measured(tmp_path, capsys):
    """Not only what was found: a number of a broken network, of another truncation or pose must not pass for the usual one."""
    words = ("--psi", "0.5", "--rotate", "20", "--break", "L3:m=1", "--edit", "L2:1:gain=0", "--edit", "L1:all:offset=0.5")
    found = told(capsys, "sticking", TINY_R, "--num", "2", *words)
    assert (found["psi"], found["rotate"], found["breaks"]) == (0.5, 20.0, "m = 1 in L3")
    assert found["edits"] == ["L2:1:gain=0", "L1:all:offset=0.5"]
    plain = told(capsys, "sticking", TINY_R, "--num", "2")
    assert plain["psi"] == 1.0 and not {"rotate", "breaks", "edits"} & set(plain)
    assert cli.run(["metrics", TINY_R, "--num", "1", *words[4:], "--out", str(tmp_path / "m.csv")]) == 0
    assert {(row["breaks"], row["edits"]) for row in table(tmp_path / "m.csv")} == {("m = 1 in L3", "L2:1:gain=0 L1:all:offset=0.5")}


CONDITIONAL = "tests/golden/tiny_t_cond.pkl"


@pytest.mark.parametrize(
    ("network", "setting", "said"),
    [
        (CONDITIONAL, "Latent.class_index=99", "class 99 does not exist: tiny_t_cond has"),
        (TINY_R, "Latent.class_index=0", "class 0 does not exist: tiny_r has no classes"),
        (TINY_R, "Mixing.rows=[200]", "rows of ws to mix"),
        (TINY_R, "Noise.mode=none", "no noise inputs to set"),
    ],
)
def test_nothing_is_measured_but_what_was_asked_for(network, setting, said, capsys):
    for command in (("flicker",), ("slice", "--num", "8"), ("profile",)):
        assert cli.run([command[0], network, *command[1:], "--set", setting]) == 1
        assert said in capsys.readouterr().err


def test_a_class_that_was_chosen_is_told(capsys):
    first, drawn = (told(capsys, "profile", CONDITIONAL, *words) for words in (("--set", "Latent.class_index=0"), ()))
    assert first["class"] == 0 and "class" not in drawn


def test_a_neighbourhood_is_told(capsys):
    around = ("space", "radius", "reach_px", "hold_pose", "neighbours_seed")
    found = told(capsys, "sticking", TINY_R, "--num", "2", "--radius", "0.3", "--space", "z", "--hold-pose", "--neighbours-seed", "2")
    assert [found[name] for name in around] == ["z", 0.3, None, True, 2]
    found = told(capsys, "sticking", TINY_R, "--num", "2", "--space", "pose", "--reach", "1.5")
    assert [found[name] for name in around] == ["pose", None, 1.5, False, 0]


def test_a_strip_is_told_with_its_motion_and_as_many_lines_as_it_has(capsys):
    found = told(capsys, "slice", TINY_R, "--num", "9", "--move", "turn")
    assert (found["num"], found["reach"]) == (9, 0.05)
    snapped = told(capsys, "slice", TINY_R, "--num", "33", "--move", "x", "--reach", "0.3125", "--set", "Pose.snap=true")
    assert snapped["num"] == 11  # ten pixels: pictures that stand still add no line
    assert cli.run(["slice", TINY_R, "--num", "9", "--move", "x", "--reach", "0"]) == 1
    assert "--reach 0: nothing would move" in capsys.readouterr().err


def test_a_file_of_a_measurement_knows_the_weights(tmp_path, capsys):
    assert cli.run(["by-layer", TINY_R, "--rotate", "20", "--out", str(tmp_path / "a.npz"), "--json"]) == 0
    sha256 = json.loads(capsys.readouterr().out)["sha256"]
    with np.load(tmp_path / "a.npz") as file:
        assert json.loads(str(file["origin"]))["session"]["Source"]["sha256"] == sha256


def test_what_breaking_costs_has_no_seed_to_choose(capsys):
    """Both networks are measured on the same samples, whatever latent is on screen: several seeds would be one measurement."""
    with pytest.raises(SystemExit):
        cli.run(["break-it", TINY_R, "--seed", "3", "--break", "all:m=1"])
    assert "there is no option --seed" in capsys.readouterr().err
