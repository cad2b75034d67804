"""Every kind of file says which session it shows and which command line makes it again; that command makes the same file."""

import json
import shlex
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from tests.viz.asked import ask
from viz import capture, cli
from viz.effects import saving
from viz.export import exr_file, film_file
from viz.export.encoders import VALUES_KEY
from viz.pipeline import Pipeline
from viz.session import origin
from viz.state import (
    RENDERED,
    BandFilter,
    BreakIt,
    Channels,
    Compare,
    CompareView,
    Direction,
    Directions,
    Edit,
    EditActivations,
    Flow,
    Latent,
    LatentPath,
    LearnedPose,
    Mixing,
    Noise,
    Pose,
    Source,
    StateError,
    Tap,
    Tone,
    Unwarp,
    View,
    ViewState,
)
from viz.tour.tour import Tour

TINY_R = Path(__file__).resolve().parents[1] / "golden" / "tiny_r.pkl"
POSED = ["--set", "Pose.x=0.1"]
RECORD = ["record", str(TINY_R), "--seconds", "0.2", "--fps", "10", "--seed", "3", *POSED]
WINDOW = ["--what", "window", "--window", "640x400"]
FRONT = ["--front", "Fourier input", "Filters", "--set", "Filters.on=true"]
MADE: dict[str, tuple[list[str], str]] = {  # how each kind of file comes to be, and its name
    "a picture": (["render", str(TINY_R), "--seed", "3", *POSED], "a.png"),
    "values of a picture": (["render", str(TINY_R), "--seed", "3", *POSED], "a.exr"),
    "a layer": (["render", str(TINY_R), "--seed", "3", *POSED], "a.npy"),
    "MP4": ([*RECORD, "--size", "2"], "a.mp4"),
    "MP4, lossless": ([*RECORD, "--lossless"], "a.mp4"),
    "WebM": (RECORD, "a.webm"),
    "WebM, lossless": ([*RECORD, "--lossless"], "a.webm"),
    "GIF": (RECORD, "a.gif"),
    "a film of a measurement": ([*RECORD, "--overlay", "flow.arrows", "--set", "Flow.num=2"], "a.mp4"),
    "a film of the slice": ([*RECORD, "--what", "slice"], "a.gif"),
    "a film of Figure 1": ([*RECORD, "--what", "cinema", "--set", "Sticking.num=2"], "a.webm"),
    "PNG frames": (RECORD, "a"),
    "EXR frames": ([*RECORD, "--frames", "exr"], "a"),
    "a figure as SVG": (["figure", "fig1-right", "--network", str(TINY_R), "--seed", "3", "--num", "4", *POSED], "a.svg"),
    "a figure as PDF": (["figure", "fig4c", "--network", str(TINY_R), "--seed", "3", *POSED], "a.pdf"),
    "a figure as PNG": (["figure", "layers", "--network", str(TINY_R), "--seed", "3", *POSED], "a.png"),
    "a film of the window": ([*RECORD, *WINDOW], "a.mp4"),
    "the window": (
        ["screenshot", str(TINY_R), "--seed", "3", "--size", "640x400", "--workspace", "2", "--font-scale", "0.9", *FRONT, *POSED],
        "a.png",
    ),
}
NEEDS_WINDOW = ("a film of the window", "the window")


def command_in(path: Path) -> str:
    """The command line that a file carries, read without this program's own reader where the format has a common one."""
    if path.is_dir():
        return command_in(min(path.glob("0*")))
    data = path.read_bytes()
    match path.suffix:
        case ".png":
            with Image.open(path) as picture:
                return picture.info[capture.COMMAND_KEY]
        case ".exr":
            return exr_file.read_texts(path)[capture.COMMAND_KEY]
        case ".npy":
            return json.loads(origin.sidecar(path).read_text())["command"]
        case ".gif":
            return data[data.rindex(b'{"command": "') :].decode("latin-1").split('"')[3]  # at the start of a comment's first block
        case ".svg" | ".pdf":
            text = data.decode("latin-1") if path.suffix == ".svg" else bytes.fromhex(
                data.decode("latin-1").split("/Subject <")[1].split(">")[0]).decode("utf-16")  # fmt: skip
            return text[text.index('{"command": "') :].split('"')[3]
    import av

    with av.open(str(path)) as container:
        return {k.lower(): v for k, v in container.metadata.items()}["comment"]


def files(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir()) if path.is_dir() else [path]


@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.window) if k in NEEDS_WINDOW else k for k in MADE])
def test_a_file_makes_itself_again_by_the_command_that_it_carries(kind, tmp_path, monkeypatch):
    words, name = MADE[kind]
    monkeypatch.chdir(tmp_path)
    assert cli.run([*words, "--out", name if "." in name else f"{name}/"]) == 0
    found = film_file.read(Path(name))
    view = found.film.at(0.0)
    assert view.get(Latent).x == 3.0 and view.get(Pose).x == 0.1 and view.get(Source).network == str(TINY_R)
    python, program, *again = shlex.split(command_in(Path(name)))
    assert (python, program) == ("python", "visualizer.py")
    moved = Path("elsewhere") / name  # the file alone, under another name, is enough
    moved.parent.mkdir()
    shutil.move(name, moved)
    if name.endswith(".npy"):
        shutil.move(f"{name}.json", f"{moved}.json")
    assert cli.run([str(moved) if word == "FILE" else word for word in again]) == 0
    made = again[again.index("--out") + 1]
    if kind == "the window":  # it shows how long rendering took, in the menu bar
        pixels = [np.asarray(Image.open(path))[24:] for path in (moved, made)]
        assert pixels[0].shape == (376, 640, 3) and np.array_equal(pixels[0], pixels[1])
        return
    for first, second in zip(files(moved), files(Path(made)), strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


R = ViewState().put(Source(str(TINY_R))).put(Pose(x=0.1))
BESIDE = R.put(Compare(on=True, own_latent=True, x=4.0))
SHOWN: dict[str, ViewState] = {
    "views beside each other": BESIDE.put(CompareView("wipe", split=0.1)),
    "their difference": BESIDE.put(CompareView("difference", gain_db=6.0)),
    "a layer without its margin": R.put(Tap("L3_52_16")).put(View(margins=False)),
    "what R has not": R.put(Noise("random", seed=3)).put(Tap("L99")).put(Channels(first=5)).put(Tone(gain_db=3.0)),
    "components, undone": R.put(Tap("L5_52_16")).put(Channels(mode="pca")).put(Unwarp(on=True)),
    "a band": R.put(BandFilter(on=True)),
    "normalised": R.put(Channels(normalize=True)),
}


@pytest.fixture(scope="module")
def window():
    return Pipeline()


def saved_and_made_again(window: Pipeline, view: ViewState, folder: Path) -> list[Path]:
    """All that a window saves of a view, each of which its own command has made again."""
    frame = ask(window, view.only(*RENDERED))  # what a window asks
    frame = [frame, *window.refine(frame)][-1]
    app: Any = SimpleNamespace(good=frame, state=view, capture_folder=folder, tour=Tour())
    saves = [saving.save_picture, saving.save_raw]
    if not view.get(Compare).on or view.get(CompareView).mode == "difference":
        saves.append(saving.save_values)
    found = []
    for save in saves:
        path = save(app)
        again = [str(path) if word == "FILE" else word for word in shlex.split(command_in(path))[2:]]
        made = again[again.index("--out") + 1] = str(folder / f"made{path.suffix}")
        assert cli.run(again) == 0
        read: Any = (lambda each: np.asarray(Image.open(each))) if path.suffix == ".png" else lambda each: Path(each).read_bytes()
        assert np.array_equal(read(path), read(made)), path.name
        found.append(path)
    return found


@pytest.mark.parametrize("shown", SHOWN)
def test_what_the_window_saves_is_made_again_by_the_command_inside(shown, window, tmp_path):
    path = saved_and_made_again(window, SHOWN[shown], tmp_path)[-1]
    what = exr_file.read_texts(path).get(VALUES_KEY, "") if path.suffix == ".exr" else ""
    assert what.startswith("linear light") == (shown == "what R has not")


ANY = [group for view in SHOWN.values() for group in view.groups.values() if not isinstance(group, Source)]
ANY += [Mixing((1, 3), 5, 0.5), Directions((Direction(1, -2.0, 1, 3),)), LatentPath((1, 2, 3), 0.5), BreakIt(window="nearest"), Latent(2.5)]
ANY += [LearnedPose("average"), Unwarp(), Pose(0.07, 0.05, 0.1, scale=1.3), Tap(), Tap("L0_36_16"), Channels("sheet"), Compare()]
ANY += [EditActivations((Edit(layers=("L1",), channels=(1, 2), amount=0.5), Edit(operation="move", x=0.1)))]


@settings(max_examples=8)
@given(st.lists(st.sampled_from(ANY), min_size=3, max_size=8))
def test_whatever_is_on_screen_is_made_again(window, groups):
    view = R
    for group in groups:
        view = view.put(group)
    with tempfile.TemporaryDirectory() as folder:
        saved_and_made_again(window, view, Path(folder))


def test_while_a_network_is_loading_the_hash_of_another_is_not_written_down(window):
    frame = ask(window, R)
    asked = R.put(Source("other.pkl", sha256="ab")).put(Compare(on=True, network="third.pkl", sha256="cd"))
    app: Any = SimpleNamespace(good=frame, state=asked)
    assert saving.view_to_save(app, frame) == asked
    assert saving.view_to_save(SimpleNamespace(good=frame, state=R), frame).get(Source).sha256 == frame.network.sha256  # type: ignore


def test_a_measurement_carries_its_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["flow", str(TINY_R), "--num", "2", "--out", "a.npz"]
    assert cli.run(words) == 0
    with np.load("a.npz", allow_pickle=False) as file:
        assert json.loads(str(file[origin.MEMBER]))["command"] == f"python visualizer.py {shlex.join(words)}"
    assert film_file.read(Path("a.npz")).views[0].get(Flow).num == 2


def test_arrays_of_the_window_carry_their_view(tmp_path):
    view = ViewState().edit(Latent, x=7.0)
    capture.save_npz(tmp_path / "a.npz", {"x": np.arange(3)}, view, "python visualizer.py --view FILE")
    assert film_file.read(tmp_path / "a.npz").views == (view,)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert set(file.files) == {"x", "origin"} and file["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["a.svg", "a.pdf", "a.exr", "a.npz", "a.npy"])
def test_a_file_of_somebody_else_is_refused_in_a_sentence(name, tmp_path):
    (tmp_path / name).write_bytes(b"<svg><metadata>{}</metadata></svg>" if name == "a.svg" else b"%PDF /Subject <feff00>")
    with pytest.raises(StateError, match=rf"{name} (holds no session|is not a readable)"):
        film_file.read(tmp_path / name)
