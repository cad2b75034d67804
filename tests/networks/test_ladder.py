"""`python -m networks.ladder`: rungs untrained, trained by it, and from a folder."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from networks.ladder import LADDER, Row, table
from networks.ladder.__main__ import main


@pytest.fixture
def world(tmp_path: Path) -> Path:
    y, x = np.mgrid[0:16, 0:32]
    Image.fromarray(np.stack([x * 8, y * 16, (x * y) % 256], 2).astype(np.uint8)).save(tmp_path / "world.png")
    return tmp_path / "world.png"


def test_rungs_are_trained_once_and_measured(world: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "rungs"
    small = ["--rungs", "B", "T", "--resolution", "16", "--samples", "1", "--capacity", "0.02"]
    train = ["--train", f"globes:{world}", "--images", "8", "--out", str(out), *small]
    main(train)
    table = capsys.readouterr().out
    assert [line.split()[0] for line in table.splitlines() if line.startswith(("B ", "T "))] == ["B", "T"]
    assert "Untrained" not in table
    assert sorted(path.name for path in out.iterdir()) == ["b", "t"]
    for rung in ("b", "t"):  # what was trained is a folder of networks named by their rungs
        (out / rung / "snapshot.safetensors").replace(out / f"{rung}.safetensors")
    main(["--networks", str(out), *small])
    again = capsys.readouterr().out
    figures = [[line.split()[-7:] for line in text.splitlines() if line.startswith("B ")] for text in (table, again)]
    assert figures[0] == figures[1] != [[]]
    main(small)
    untrained = capsys.readouterr().out
    assert "Untrained" in untrained and [line.split()[-7:] for line in untrained.splitlines() if line.startswith("B ")] != figures[0]


def test_bad_data_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"networks.ladder: B: .*no map"):
        main(["--train", "globes:nowhere.png", "--rungs", "B", "--out", str(tmp_path)])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--networks nowhere", "networks.ladder: .*nowhere"),
        ("--resolution 33", "networks.ladder: img_resolution is 33, but must be a power of two"),
        ("--rungs Z", "invalid choice: 'Z'"),
        ("--samples 0", "argument --samples: 0 is less than 1"),
        ("--train nowhere --images 0", "networks.ladder: --images is 0, but must be above 0"),
        ("--train nowhere --early-margin -3", "networks.ladder: --early-margin is -3"),
        ("--capacity -1", "argument --capacity: -1 is not above 0"),
    ],
)
def test_nonsense_is_one_sentence(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert re.search(said, f"{ended.value}{capsys.readouterr().err}")


def test_no_error_at_all_is_written_as_everywhere() -> None:
    row = Row(LADDER[0], 1000, 0.1, {"eq_t": math.inf, "eq_t_frac": None, "eq_r": 40.0})
    assert [cell for cell in table([row]).split() if cell in ("inf", "∞", "40.00")] == ["∞", "40.00"]


def test_the_record_has_every_rung_beside_the_papers_figures() -> None:
    text = (Path(__file__).resolve().parents[2] / "networks" / "LADDER.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")][1:]
    rows = [row for row in rows if len(row[0]) == 1]
    assert [row[:2] for row in rows] == [[line.rung, line.change] for line in LADDER]
    for row, line in zip(rows, LADDER):
        assert row[-3:] == ["—" if value is None else f"{value:.2f}" for value in (line.fid, line.eq_t, line.eq_r)]
    eq_t = [float(row[3]) for row in rows[1:]]
    assert eq_t[:6] == sorted(eq_t[:6]) and min(eq_t[-2:]) > 80
    eq_r = [float(row[5]) for row in rows[1:]]
    assert eq_r[-1] > 2 * max(eq_r[:-1])
