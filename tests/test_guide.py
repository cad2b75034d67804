"""The user guide is true: its commands run, its keys are those of the keyboard table, and every panel is in it."""

import itertools
import json
import os
import re
import shlex
from pathlib import Path

import pytest

from gui_utils.window import Window, WindowOptions
from tests import guide
from tests.drive import Driver
from viz import cli
from viz.analysis import overlays
from viz.guide import text as guide_text
from viz.guide.window import GuideWindow
from viz.panels import discover

ROOT = Path(__file__).resolve().parent.parent
FENCES = {page: re.findall(r"^```sh\n(.*?)^```$", guide_text.source(page), re.MULTILINE | re.DOTALL) for page in guide_text.PAGES}
COMMANDS = [(page, line) for page, fences in FENCES.items() for fence in fences for line in fence.splitlines()]
PYTHON = [code for page in FENCES for code in re.findall(r"^```python\n(.*?)^```$", guide_text.source(page), re.MULTILINE | re.DOTALL)]


def test_every_page_is_listed_and_every_listed_page_is_there():
    assert {path.stem for path in guide_text.FOLDER.glob("*.md")} == set(guide_text.PAGES)
    assert all(guide_text.title(page) != page for page in guide_text.PAGES)


@pytest.mark.parametrize("page", [page for page in FENCES if FENCES[page]])
def test_the_commands_of_a_page_run_in_their_order(page, tmp_path, monkeypatch, capsys):
    """In an empty folder, one after the other, as somebody would who types them."""
    monkeypatch.chdir(tmp_path)
    lines = [line for name, line in COMMANDS if name == page]
    for line in lines:
        python, program, *words = shlex.split(line)
        assert (python, program) == ("python", "visualizer.py")
        assert cli.run(words) == 0, f"{line}\n{capsys.readouterr().err}"
        if "--out" in words:
            assert (tmp_path / words[words.index("--out") + 1]).exists(), line
    assert len(lines) >= 1


@pytest.mark.parametrize("code", PYTHON)
def test_python_in_the_guide_runs(code):
    names: dict = {}
    exec(code, names)
    assert names["values"].shape == (3, 64, 64) and names["pixels"].shape == (64, 64, 3)


def test_the_numbers_of_the_demonstrations_are_those_that_come_out(capsys):
    """Measured as the page says, to what it says, give or take a little."""

    def measured(command, network, *words):
        seed = () if command == "break-it" else ("--seed", "3")
        assert cli.run([command, network, *seed, *words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    text = guide_text.source("demonstrations")
    r, b = "globe-still-r-64", "globe-still-b-64"
    attached = [measured("flow", network, "--num", "4")["attached"] for network in (r, b)]
    kept = [measured("sticking", network, "--space", "pose", "--num", "8")["kept"] for network in (r, b)]
    assert "about 95 % in R, 4 % in StyleGAN2" in text and attached == pytest.approx([0.95, 0.04], abs=0.02)
    assert "about 8 % in R, 84 % in StyleGAN2" in text and kept == pytest.approx([0.08, 0.84], abs=0.02)
    kept = [measured("sticking", network, "--seed", "7")["kept"] for network in ("landscape-r-128", "landscape-b-128")]
    assert "about 0 % in R, 78 % in StyleGAN2" in text and kept == pytest.approx([0, 0.78], abs=0.02)
    stuck = [measured("slice", network, "--seed", "7", "--num", "16")["stuck"] for network in ("landscape-r-128", "landscape-b-128")]
    assert "about 0 % in R, 81 % in StyleGAN2" in text and stuck == pytest.approx([0, 0.81], abs=0.02)
    points = [[p["db"] for p in measured("sweep", n, "--over", "shift", "--num", "5")["points"]] for n in (r, b)]
    assert "55 and 80 dB in R, 35 and 30 dB in StyleGAN2" in text
    assert [p[i] for p in points for i in (2, 4)] == pytest.approx([55, 80, 35, 30], abs=3)
    moves = ((), ("--edit", "L5:0-31:gain=0"), ("--edit", "L5:0-31:move=0.1,0"), ("--edit", "L5:0-31:move=0,0,30deg"))
    found = [measured("metrics", "globe-r-64", "--eq-t", "--eq-r", "--num", "4", *words) for words in moves]
    assert (
        "69 and 47 dB as trained, 73 and 55 without the channels, 69 and 17 with the channels shifted, 23 and 47 with them turned" in text
    )
    expected = [69, 47, 73, 55, 69, 17, 23, 47]
    assert [one[kind] for one in found for kind in ("eq_t", "eq_r")] == pytest.approx(expected, abs=6)
    lost = [measured("break-it", "globe-r-64", "--break", f"all:{what}") for what in ("m=1", "window=nearest")]
    assert "about 25 dB of EQ-T and 18 dB of EQ-T_frac; with nearest-neighbour filters 49 and 34 dB" in text
    assert [one[kind]["change"] for one in lost for kind in ("eq_t", "eq_t_frac")] == pytest.approx([-25, -18, -49, -34], abs=2)


def test_there_are_commands_to_check():
    assert len(COMMANDS) >= 20 and len(set(COMMANDS)) == len(COMMANDS)


def test_the_keys_are_those_of_the_keyboard_table():
    assert guide.PATH.read_text(encoding="utf-8") == guide.page(), "run: python -m tests.guide"


def test_every_panel_is_described_and_nothing_else():
    described = re.findall(r"^### (.+)$", guide_text.source("panels"), re.MULTILINE)
    assert sorted(described) == sorted(panel.title for panel in discover()), "viz/guide/panels.md has one heading for each panel"


@pytest.mark.parametrize("path", [*guide_text.FOLDER.glob("*.md"), ROOT / ".github" / "CONTRIBUTING.md"], ids=lambda path: path.stem)
def test_every_link_leads_somewhere(path):
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert all(link.startswith("http") or (path.parent / link).exists() for link in links)


def test_contributing_is_one_page_and_its_commands_exist():
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert text.count("\n") < 70
    for module in re.findall(r"python -m (tests[\w.]*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


# ------------------------------------------------------------------------------------------------------ the window


def test_the_parser_knows_what_the_pages_use():
    text = "# T\n\nOne `code` and **bold**\n*and* [link](x.md).\n\n- item\n  goes on\n- two\n\n"
    text += "| a | b |\n| --- | --- |\n| 1 | x \\| y |\n\n```sh\nrun\n```\n"
    kinds = [(block.kind, block.text, block.rows) for block in guide_text.parse(text)]
    assert kinds == [
        ("h1", "T", ()),
        ("text", "One code and bold and link.", ()),
        ("item", "item goes on", ()),
        ("item", "two", ()),
        ("table", "", (("a", "b"), ("1", "x | y"))),
        ("code", "run", ()),
    ]


@pytest.mark.parametrize("page", guide_text.PAGES)
def test_no_mark_is_left_on_a_drawn_page(page):
    for block in guide_text.blocks(page):
        shown = " ".join([block.text, *(cell for row in block.rows for cell in row)]) if block.kind != "code" else ""
        assert not re.search(r"`|\*|\]\(|^\|", shown), shown
        assert block.kind != "table" or len({len(row) for row in block.rows}) == 1, block.rows


@pytest.mark.window
def test_the_guide_opens_turns_its_pages_and_closes():
    window = Window(WindowOptions(size=(1280, 720), headless=True))
    book = GuideWindow()
    ui = Driver(book.draw, window=window)
    try:
        ui.frames(3)
        assert not ui.exists("Guide.numbers")
        book.toggle()
        ui.frames(3)
        pages = []
        for page in guide_text.PAGES:
            ui.click(f"Guide.{page}")
            ui.frames(2)
            pages.append(ui.screenshot())
            assert book.page == page
        assert all((a != b).any() for a, b in itertools.pairwise(pages))
        ui.key("escape")
        ui.frames(2)
        assert not book.shown
    finally:
        ui.draw = lambda: None
        ui.close()
        window.close()


def test_the_guide_is_part_of_the_package():
    import tomllib

    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]["viz"]
    for pattern in data:
        assert list((ROOT / "viz").glob(pattern)), pattern
    assert {"guide/*.md", "tour/tour.session.json"} <= set(data) and os.fspath(guide_text.FOLDER).endswith("guide")


def test_every_measurement_has_a_command_and_the_guide_names_it():
    """The table of commands: one row a panel with a measurement, each command one that exists."""
    rows = re.findall(r"^\| ([^|]+) \| (`.+) \|$", guide_text.source("beyond-the-window"), re.MULTILINE)
    named = " ".join(panel for panel, _ in rows).lower()
    missing = [overlay.name for overlay in overlays() if overlay.name not in named]
    assert not missing
    commands = [word for _, text in rows for word in re.findall(r"`([a-z-]+) ", text) if not word.startswith("-")]
    assert len(commands) >= 20 and {*commands} <= {name for name, *_ in cli.COMMANDS}
