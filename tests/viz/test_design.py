"""Command `design`: the layers of the published configurations, without a network."""

import csv
import json
from pathlib import Path

import pytest

from viz import cli

SPECS = json.loads((Path(__file__).resolve().parents[1] / "golden" / "layer_specs.json").read_text())


@pytest.mark.parametrize(("config", "name"), [("t", "t1024"), ("R", "r1024")])
def test_the_table_is_that_of_the_published_configuration(config, name, tmp_path, capsys):
    assert cli.run(["design", config, "--json", "--out", str(tmp_path / "a.csv")]) == 0
    found, golden = json.loads(capsys.readouterr().out)["layers"], SPECS[name]["layers"]
    assert [row["layer"].partition("_")[0] for row in found] == [f"L{i}" for i in range(len(golden))]
    for row, layer in zip(found, golden, strict=True):
        assert (row["size"], row["s"]) == (layer["out_size"][0], layer["out_sampling_rate"])
        assert (row["f_c"], row["f_h"]) == pytest.approx((layer["out_cutoff"], layer["out_half_width"]))
        assert (row["taps_up"], row["taps_down"]) == (layer["up_taps"], layer["down_taps"])
    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        next(file)
        assert [float(row["f_t"]) for row in csv.DictReader(file)] == [row["f_t"] for row in found]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("B",), "no designed layers"),
        (("Z",), "no rung 'Z'"),
        (("R", "--resolution", "1000"), "--resolution is 1000"),
        (("T", "--layers", "2"), "--layers is 2, but must be at least 3"),
        (("T", "--layers", "0"), "--layers is 0, but must be at least 1"),
    ],
)
def test_what_has_no_design_is_told(words, said, capsys):
    assert cli.run(["design", *words]) == 1 and said in capsys.readouterr().err


def test_columns_stay_apart_however_large_the_numbers(capsys):
    assert cli.run(["design", "T", "--layers", "3", "--resolution", str(2**20)]) == 0
    *_, row = capsys.readouterr().out.splitlines()[:6]
    assert row.split() == ["L2_1048576_1", "1", "1048576", "1048576", "524288.00", "645474.24", "121186.24", "2", "2", "12", "12"]
