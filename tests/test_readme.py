"""The README's commands and links are real: parsed, resolved, and the test line is the one that continuous integration runs."""

import re
import shlex
from pathlib import Path

import pytest

from viz import cli

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python visualizer\.py (.+)$", README, re.MULTILINE)
SLOW = {"metrics", "spectrum", "break-it", "invert", "screenshot", "play"}
MODULES = re.findall(r"python -m (tests[\w.]*|networks[\w.]*|torch_utils[\w.]*)", README)


def test_there_are_commands_to_check():
    assert len(COMMANDS) >= 6 and len(MODULES) >= 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_the_program_takes(command):
    words = shlex.split(command)
    parser = cli.build_parser()
    options = parser.parse_args(words if words[0] in cli.command_names(parser) else ["window", *words])
    assert callable(options.function)


def test_the_quick_commands_run_in_their_order(tmp_path, monkeypatch, capsys):
    """In an empty folder, as somebody would who types them; the slow ones are run by the guide's tests, with smaller numbers."""
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] not in SLOW and not {"network.pkl", "record"} & set(words):
            assert cli.run(words) == 0, f"{command}\n{capsys.readouterr().err}"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_that_is_named_exists(module):
    path = ROOT / module.replace(".", "/")
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_and_picture_is_there(link):
    assert (ROOT / link).exists()


def test_the_quick_start_is_two_lines_that_set_everything_up():
    lines = [line for line in README.splitlines() if line.startswith("sudo apt-get")]
    assert len(lines) == 2
    for line in lines:
        assert all(part in line for part in ("apt-get install -y", "libegl1", "python3 -m venv", "pip install"))
    assert lines[0].endswith("visualizer.py") and lines[1].endswith("python -m tests")
    assert "test line" in (ROOT / ".ci" / "run").read_text()


def test_numbers_say_where_they_come_from():
    """Every table of measurements is followed by the command that made it."""
    for marker in ("<!-- agreement -->", "<!-- speed -->"):
        section = README.split(marker)[1].split("\n## ")[0]
        assert re.search(r"`[^`]*python -m tests[^`]*`", section), marker
        assert "|" in section, f"{marker}: the table is missing"
