"""The command line: what it writes, what it refuses, and with which exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gui_utils.tone import BACKGROUND
from networks.loading import load
from tests.networks.loading.server import Site, serving
from viz import cli
from viz.cli import render as cli_render
from viz.export import film_file
from viz.state import Compare, Direction, Directions, Latent, Mixing, Noise, Pose, Source, Tap, Truncation, Unwarp, ViewState

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden"
TINY_R, TINY_SG2 = str(GOLDEN / "tiny_r.pkl"), str(GOLDEN / "tiny_sg2.pkl")


def run(*arguments: object) -> int:
    return cli.run([str(a) for a in arguments])


def close(a, b, tolerance=1e-4):
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN / "tiny_r.npz"))


def test_render_writes_the_published_picture(tmp_path, golden):
    out = tmp_path / "a.npy"
    assert run("render", TINY_R, "--seed", 1, "--out", out) == 0
    raw = np.load(out)
    assert raw.dtype == np.float32 and raw.shape == (3, 32, 32)
    close(raw, golden["image"][1])


def test_a_pose_is_in_degrees_and_image_widths(tmp_path, golden):
    out = tmp_path / "a.npy"
    degrees = np.degrees(-1.1)
    pose = ("--rotate", degrees, "--translate", 0.1, 0.05)
    assert run("render", TINY_R, *pose, "--out", out) == 0
    close(np.load(out), golden["image_both"][0])
    assert run("render", TINY_R, *pose, "--untransform", "--out", out) == 0
    close(np.load(out), golden["untransform_both"].reshape(3, 32, 32))


def test_a_layer_comes_whole(tmp_path, golden):
    name = next(k for k in golden if k.startswith("act_L3"))
    assert run("render", TINY_R, "--layer", name[4:], "--out", tmp_path / "a.npy") == 0
    close(np.load(tmp_path / "a.npy"), golden[name].reshape(np.load(tmp_path / "a.npy").shape))


def test_a_layer_is_known_by_its_short_name_to_every_command(tmp_path, capsys):
    assert run("render", TINY_R, "--layer", "l3", "--out", tmp_path / "a.png") == 0
    assert film_file.read(tmp_path / "a.png").views[0].get(Tap).layer == "L3_52_16"
    assert run("figure", "fig4a", "--network", TINY_R, "--layer", "L3", "--out", tmp_path / "a.svg") == 0
    assert film_file.read(tmp_path / "a.svg").views[0].get(Tap).layer == "L3_52_16"
    for folder, layer in (("a", "L3"), ("b", "L3_52_16")):
        assert run("record", TINY_R, "--layer", layer, "--seconds", 0.1, "--fps", 10, "--out", f"{tmp_path / folder}/") == 0
    a, b = (np.asarray(Image.open(next((tmp_path / folder).glob("*.png")))) for folder in "ab")
    assert a.shape == (52, 52, 3) and (a == b).all()
    capsys.readouterr()
    for command in ("nonlinearity", "channel-effect", "profile"):
        assert run(command, TINY_R, "--layer", "L3", "--json") == 0
        assert json.loads(capsys.readouterr().out)["layer"].startswith("L3")
    assert run("filters", TINY_R, "--layer", "L3") == 0
    point = ("--point", 0.1, 0, 0, 0, "--steps", 1, "--out", tmp_path / "a.npz")
    assert run("drag-points", TINY_R, *point, "--layer", "L3") == 0 and "by L3_52_16" in capsys.readouterr().out
    for command in ("nonlinearity", "channel-effect", "profile", "filters"):
        assert run(command, TINY_R, "--layer", "L") == 1
        assert "--layer L is not a layer of tiny_r; it has input, L0_36_16," in capsys.readouterr().err


def test_stylegan2_noise_modes(tmp_path):
    golden = dict(np.load(GOLDEN / "tiny_sg2.npz"))
    out = tmp_path / "a.npy"
    assert run("render", TINY_SG2, "--out", out) == 0
    close(np.load(out), golden["image"][0])
    assert run("render", TINY_SG2, "--noise", "none", "--out", out) == 0
    close(np.load(out), golden["image_noise_none"][0])
    assert run("render", TINY_SG2, "--noise", 5, "--out", out) == 0


def test_a_rendered_png_is_a_view_that_can_be_rendered_again(tmp_path):
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    assert run("render", TINY_R, "--seed", 7, "--rotate", 30, "--psi", 0.7, "--out", first) == 0
    view = film_file.read(first).views[0]
    assert (view.get(Latent).x, view.get(Truncation).psi) == (7.0, 0.7) and view.get(Source).sha256
    assert run("view", first, "--out", second) == 0
    with Image.open(first) as a, Image.open(second) as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))


def test_view_reads_json_and_takes_another_network(tmp_path):
    state = tmp_path / "view.json"
    state.write_text(ViewState().put(Source("gone.pkl")).edit(Latent, x=1.0).to_json())
    assert run("view", state, "--out", tmp_path / "a.npy") == 1
    assert run("view", state, "--network", TINY_R, "--out", tmp_path / "a.npy") == 0


def test_a_direction_that_this_network_has_not_is_said_and_passed_over(tmp_path, capsys):
    state, out = tmp_path / "view.json", tmp_path / "a.png"
    state.write_text(ViewState().put(Source(TINY_R)).put(Directions((Direction(4000, 1.0),))).to_json())
    assert run("view", state, "--out", out) == 0 and out.is_file()
    assert "direction 4000 does not exist" in capsys.readouterr().err
    assert run("render", TINY_R, "--direction", "4000=1", "--out", tmp_path / "b.png") == 1
    assert "direction 4000 does not exist" in capsys.readouterr().err and not (tmp_path / "b.png").exists()


def test_flags_become_a_view():
    parser = cli.build_parser()
    words = "render x --out a.png --seed 4 --class 2 --psi 0.5 --cutoff 3 --layer L1 --translate 0.1 -0.2 --rotate 90 --untransform"
    options = parser.parse_args([*words.split(), "--noise", "none", "--mix", "9", "0-2,5", "--channels", "3,1,2"])
    view = cli_render.view_from_options(options)
    assert view.get(Pose) == Pose(x=0.1, y=-0.2, turns=0.25)
    assert view.get(Latent) == Latent(x=4.0, class_index=2) and view.get(Truncation) == Truncation(0.5, 3)
    assert view.get(Mixing) == Mixing(rows=(0, 1, 2, 5), seed=9) and view.get(Noise).mode == "none"
    assert view.get(Tap).layer == "L1" and view.get(Unwarp).on


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("render", "no_such_network", "--out", "a.png"), "no_such_network"),
        (("render", TINY_R, "--out", "a.tiff"), "one of .png, .npy, .exr"),
        (("render", TINY_R, "--out", "no/such/folder/a.png"), "folder"),
        (("render", TINY_R, "--layer", "L99", "--out", "a.png"), "it has input, L0_"),
        (("render", TINY_SG2, "--rotate", "5", "--out", "a.png"), "no input grid"),
        (("render", TINY_R, "--noise", "none", "--out", "a.png"), "no noise inputs"),
        (("render", TINY_R, "--class", "1", "--out", "a.png"), "no classes"),
        (("render", TINY_R, "--class", "-1", "--out", "a.png"), "negative"),
        (("render", TINY_R, "--channels", "7", "--out", "a.png"), "3 channels"),
        (("render", TINY_R, "--device", "tpu", "--out", "a.png"), "tpu"),
        (("render", TINY_R, "--backend", "abacus", "--out", "a.png"), "abacus"),
        (("render", TINY_R, "--mix", "1", "a-b", "--out", "a.png"), "list like"),
        (("render", TINY_R, "--mix", "1", "0-99999999999", "--out", "a.png"), "list like"),
        (("view", "no_such_file.json", "--out", "a.png"), "no_such_file.json"),
        (("view", str(GOLDEN / "ops.json"), "--out", "a.png"), "ops.json: not a saved session"),
        (("inspect", str(GOLDEN / "ops.npz")), "ops.npz"),
        (("convert", TINY_R, "a.pkl"), ".safetensors"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [("render",), ("render", "x"), ("render", "x", "--out", "a.png", "--seed", "-1"), ("render", "x", "--out", "a.png", "--noise", "loud")],
)
def test_wrong_usage_is_exit_code_2(arguments):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2


def test_inspect_tells_every_layer(capsys):
    assert run("inspect", TINY_R, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["config"] == "R" and facts["constructor"]["channel_base"] == 512
    layer = next(layer for layer in facts["layers"] if layer["name"].startswith("L1_"))
    assert {"in_cutoff", "out_cutoff", "out_half_width", "up_taps", "padding"} <= set(layer["spec"])
    assert run("inspect", TINY_SG2) == 0
    assert "b32.conv1" in capsys.readouterr().out


def test_convert_keeps_the_picture(tmp_path, golden):
    out = tmp_path / "a.safetensors"
    assert run("convert", TINY_R, out) == 0
    assert run("render", out, "--out", tmp_path / "a.npy") == 0
    close(np.load(tmp_path / "a.npy"), golden["image"][0])


def test_list_names_bundled_networks_first(capsys):
    assert run("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "bundled" in lines[0] and "globe-r-64" in lines[0]
    assert sum("stylegan3-" in line for line in lines) == 12 and sum("stylegan2-" in line for line in lines) == 15
    assert sum("NVIDIA's own licence" in line for line in lines) == 1  # said once, under what it is of
    assert [line[:2] for line in lines[:6]] == ["gl", "  ", "gl", "gl", "gl", "  "]  # the one globe, then the three of one experiment


def test_a_misspelt_command_is_not_taken_for_a_network(capsys):
    with pytest.raises(SystemExit) as stop:
        run("rendr", "globe-r-64")
    assert stop.value.code == 2 and "did you mean render?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", *(c[0] for c in cli.COMMANDS)])
def test_help_is_complete(command, capsys):
    with pytest.raises(SystemExit) as stop:
        run(*([command] if command else []), "--help")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(c[0] in text for c in cli.COMMANDS) if not command else "--help" in text


@pytest.mark.window
def test_a_screenshot_needs_no_display(tmp_path):
    out = tmp_path / "window.png"
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, str(ROOT / "visualizer.py"), "screenshot", TINY_R, "--out", str(out), "--size", "900x600"]
    command += ["--front", "Channels"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(out) as picture:
        assert picture.size == (900, 600) and np.asarray(picture).std() > 5
    assert film_file.read(out).views[0].get(Source).network == TINY_R


@pytest.mark.window
def test_the_panel_in_front_is_the_one_asked_for(tmp_path, capsys):
    """Tabs that stand behind others are drawn only once they are chosen."""
    pictures = []
    for number, words in enumerate(([], ["--front", "Pose", "Flow"])):
        out = str(tmp_path / f"{number}.png")
        assert run("screenshot", TINY_R, "--out", out, "--size", "1200x700", "--workspace", "5", *words) == 0
        with Image.open(out) as picture:
            pictures.append(np.asarray(picture).astype(int))
    changed = (np.abs(pictures[0] - pictures[1]).max(axis=2) > 30).nonzero()[1]
    assert (changed < 300).sum() > 500 and (changed > 850).sum() > 500, "a tab on the left and one on the right"
    assert run("screenshot", TINY_R, "--out", str(tmp_path / "a.png"), "--front", "Nobody") == 1
    assert "--front Nobody" in capsys.readouterr().err


@pytest.mark.window
def test_a_layer_may_be_named_shortly_and_must_exist(tmp_path, capsys):
    out, pictures = str(tmp_path / "a.png"), []
    full = next(spec.name for spec in load(TINY_R).network.synthesis.specs if spec.name.startswith("L2_"))
    for layer in ("L2", full, ""):
        assert run("screenshot", TINY_R, "--out", out, "--size", "700x500", "--picture-only", "--set", f"Tap.layer={layer}") == 0
        with Image.open(out) as picture:
            pictures.append(np.asarray(picture).astype(int))
    assert np.array_equal(pictures[0], pictures[1]) and np.abs(pictures[0] - pictures[2]).max() > 30
    assert run("screenshot", TINY_R, "--out", out, "--set", "Tap.layer=L77") == 1
    assert "L77 is not a layer of" in capsys.readouterr().err


@pytest.mark.window
def test_the_picture_alone_fills_the_window_and_the_file_says_so(tmp_path):
    shown, alone = (str(tmp_path / f"{name}.png") for name in ("shown", "alone"))
    compared = ["--size", "800x600", "--set", "Compare.on=true"]
    for out, words in ((shown, []), (alone, ["--picture-only"])):
        assert run("screenshot", TINY_R, "--out", out, *compared, *words) == 0
    tops = []
    for out in (shown, alone):
        with Image.open(out) as picture:
            tops.append(np.asarray(picture.convert("RGB"))[:6])
            assert any(" --picture-only --out" in str(text) for text in picture.info.values()) == (out == alone)
    assert (tops[1] == round(255 * BACKGROUND[0])).all() and (tops[0] > 60).any(), (
        "the menus are gone, and nothing of a panel shows above the captions"
    )


def test_without_a_display_the_window_says_what_to_do(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "PYOPENGL_PLATFORM")}
    environment["XDG_CONFIG_HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, str(ROOT / "visualizer.py")], env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 1 and "DISPLAY" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_old_python_is_told_what_it_needs(monkeypatch, capsys):
    import visualizer

    monkeypatch.setattr(visualizer.sys, "version_info", (3, 10, 4))
    assert visualizer.main([]) == 1
    assert "Python 3.11" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["view"], ["play"], ["screenshot", "--view"], ["figure", "fig4a", "--view"]])
def test_a_file_that_names_a_url_fetches_nothing_until_told_to(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ALIASFREE_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out.gif" if command == ["play"] else tmp_path / "out.png"
    saved = tmp_path / "sent.json"
    with serving(Site((GOLDEN / "tiny_r.pkl").read_bytes(), status=404)) as site:
        saved.write_text(ViewState().put(Compare(on=True, network=site.url)).to_json())
        arguments = [*command, str(saved), "--out", str(out)]
        assert run(*arguments) == 1
        said = capsys.readouterr().err
        assert f"sent.json names the network {site.url}" in said and "--fetch" in said and site.ranges == []
        saved.write_text(ViewState().put(Source(network=site.url)).to_json())
        assert run(*arguments, "--fetch") == 1  # the server has none
        assert "the server answered 404" in capsys.readouterr().err and site.ranges == [None]
        if command == ["view"]:
            assert run(*arguments, "--network", "globe-r-64") == 0  # what is not shown is not asked about


def test_the_window_asks_before_it_fetches_what_a_view_names(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIASFREE_CACHE", str(tmp_path / "cache"))
    opened = []
    monkeypatch.setattr("viz.app.run", lambda options: opened.append(options) or 0)
    url = "https://example.org/networks/x.pkl"
    (tmp_path / "sent.json").write_text(ViewState().put(Source(network=url)).to_json())
    assert run("--view", tmp_path / "sent.json") == 0
    assert [missing.url for missing in opened[0].missing] == [url] and "://" not in opened[0].view.get(Source).network
    assert run("globe-r-64", "--view", tmp_path / "sent.json") == 0
    assert opened[1].missing == () and opened[1].view.get(Source).network == "globe-r-64"
