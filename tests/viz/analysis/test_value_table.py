"""Measured values as tables: what stands in them is what --json prints, and the command is in the first line."""

import csv
import json

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
