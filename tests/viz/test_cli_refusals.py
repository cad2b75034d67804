"""What the command line says when it cannot do what it was asked: which file or option, and why, in one line without jargon."""

import os
import sys

import pytest

from viz import cli


def refused(capsys, *words: object) -> str:
    """Its one line on stderr."""
    try:
        code = cli.run([str(word) for word in words])
    except SystemExit as e:
        code = e.code
    said = capsys.readouterr().err
    assert code in (1, 2) and said.count("\n") == 1 and "Errno" not in said, said
    return said


@pytest.fixture
def full_disk(tmp_path):
    """Files of at most 4 KiB, as on a disk with no more room."""
    resource = pytest.importorskip("resource", reason="not on Windows")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("render", "globe-r-64", "--layer", "L5_84_96", "--out"), "a.npy"),
        (("convert", "globe-r-64"), "a.safetensors"),
        (("figure", "fig4c", "--network", "globe-r-64", "--out"), "a.svg"),
    ],
)
def test_a_disk_without_room_is_told_with_the_file_that_was_meant(words, name, full_disk, capsys):
    said = refused(capsys, *words, full_disk / name)
    assert said == f"visualizer.py: {full_disk / name}: {os.strerror(27)}\n" and not list(full_disk.iterdir())


def test_a_folder_that_may_not_be_written_to_is_told_before_anything_is_computed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK and path == tmp_path))  # the tests may run as root
    for words in (("render", "nosuch", "--out", tmp_path / "a.png"), ("metrics", "nosuch", "--out", tmp_path / "a.csv")):
        assert f"nothing can be written to the folder {tmp_path} (no permission)" in refused(capsys, *words)
    (tmp_path / "b.png").mkdir()
    assert "b.png is a folder" in refused(capsys, "render", "nosuch", "--out", tmp_path / "b.png")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("metrics", "globe-r-64", "--nun", "3"), "visualizer.py metrics: there is no option --nun; did you mean --num? visualizer.py"),
        (("metrics", "globe-r-64", "--zzz"), "visualizer.py metrics: there is no option --zzz. visualizer.py metrics --help"),
        (("inspect", "globe-r-64", "globe-still-r-64"), "globe-still-r-64 is one argument too many"),
        (("render", "globe-r-64", "--out", "a.png", "--set", "pose.turns=1"), "there is no group pose; did you mean Pose?"),
        (("render", "globe-r-64", "--out", "a.png", "--set", "Pose.turns=abc"), "'abc'; a number is expected"),
        (("render", "globe-r-64", "--out", "a.png", "--break", "L99:m=1"), "there is no layer L99 to break; there are L0 to L9"),
        (("metrics", "globe-r-64", "--num", "1", "--break", "L3-L10:n=4"), "--break: there is no layer L10 to break; there are L0 to L9"),
        (("by-layer", "globe-r-64", "--rotate", "9", "--break", "L12:n=4"), "--break: there is no layer L12"),
        (("by-layer", "globe-r-64", "--rotate", "9", "--break", "L5:m=3"), "m=3: a power of two is expected, such as 2"),
        (("render", "globe-r-64", "--out", "a.png", "--set", "BreakIt.upsampling=3"), "upsampling=3: a power of two is expected"),
        (("sticking", "globe-r-64", "--num", "1"), "--num 1: at least 2 are expected"),
        (("flicker", "globe-r-64", "--num", "1"), "--num 1: at least 2 are expected"),
        (("render", "landscape-b-128", "--out", "a.png", "--break", "all:m=1"), "has no designed filters to break"),
        (("render", "globe-r-64", "--out", "a.png", "--mix", "3", "0-99"), "globe-r-64 has 12 rows of ws to mix, numbered from 0"),
        (("sticking", "globe-r-64", "--psi", "nan"), "argument --psi: 'nan' is not a finite number"),
        (("render", "globe-r-64", "--psi", "11", "--out", "a.png"), "argument --psi: 11 is out of range; from -10 to 10 is expected"),
        (("render", "globe-r-64", "--gain", "1e9", "--out", "a.png"), "Tone.gain_db is 1000000000.0"),
        (("render", "globe-r-64", "--mix", "-1", "1", "--out", "a.png"), "--mix: -1 is too small; at least 0 is expected"),
        (("slice", "globe-r-64", "--line", "0", "0", "1e9", "1"), "--line: numbers from -2 to 2 are expected"),
        (("slice", "globe-r-64", "--move", "x", "--reach", "inf"), "argument --reach: 'inf' is not a finite number"),
        (("sticking", "globe-r-64", "--radius", "-1"), "--radius: -1 is out of range; from 0 to 4 is expected"),
        (("sweep", "globe-r-64", "--num", "0"), "argument --num: 0 is too small"),
        (("spectrum", "globe-r-64", "--seed", "4294967296", "--out", "a.npz"), "4294967296 is not a seed"),
        (("design", "R", "--resolution", "0"), "--resolution is 0, but must be a power of two from 4 up"),
        (("inspect", "GLOBE-R-64"), 'Did you mean "globe-r-64"?'),
        (("view", "nosuch.png", "--out", "a.png"), f"visualizer.py: nosuch.png: {os.strerror(2)}"),
    ],
)  # fmt: skip
def test_a_slip_is_answered_with_what_was_meant(words, said, capsys):
    assert said in refused(capsys, *words)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other limits")
def test_a_film_of_which_nothing_was_written_is_not_said_to_be_kept(full_disk, capsys):
    pytest.importorskip("av")
    said = refused(capsys, "record", "globe-r-64", "--seconds", "0.5", "--fps", "4", "--size", "8", "--out", full_disk / "a.mp4")
    kept = full_disk / "a.mp4.part"
    assert ("kept in a.mp4.part" in said) == kept.exists() and (not kept.exists() or kept.stat().st_size)
