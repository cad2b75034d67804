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
    ("words", "said"), [(("B",), "no designed layers"), (("Z",), "no rung 'Z'"), (("R", "--resolution", "1000"), "img_resolution is 1000")]
)
def test_what_has_no_design_is_told(words, said, capsys):
    assert cli.run(["design", *words]) == 1 and said in capsys.readouterr().err
