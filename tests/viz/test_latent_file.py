"""Own latents: what files may hold, what is refused and how it is said, and that the picture is the latent's."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from gui_utils.texture import live_objects
from tests.viz.test_app import START, Running
from viz import cli, latent_file
from viz.commands import ChangeSettings
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.session.session import Session
from viz.stages.latent import draw_z
from viz.state import Inversion, Latent, LatentPath, Mixing, OwnLatent, Pose, Source, Truncation, ViewState

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
TINY_R = str(GOLDEN / "tiny_r.pkl")


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline(headless=True)


@pytest.fixture(scope="module")
def seed_5(pipeline):
    """The frame of seed 5 and its latents under all names."""
    frame = pipeline.render(RenderRequest(1, START.edit(Latent, x=5.0)))
    facts = frame.network
    z, _ = draw_z(5, facts.z_dim, 0, -1)
    ws = frame.styles.ws.numpy()
    return frame, {"z": z[None].astype(np.float32), "w": ws[:, 0], "ws": ws}


def written(folder, suffix, arrays):
    path = folder / f"latent{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    elif suffix == ".npy":
        np.save(path, next(iter(arrays.values())))
    else:
        save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, path)
    return path


@pytest.mark.parametrize("suffix", latent_file.SUFFIXES)
@pytest.mark.parametrize("kind", latent_file.KINDS)
def test_the_picture_is_that_of_the_latent(pipeline, seed_5, tmp_path, suffix, kind):
    frame, arrays = seed_5
    path = written(tmp_path, suffix, {kind: arrays[kind]})
    asked = "z" if kind == "z" and suffix == ".npy" else ""  # an array without a name: w is assumed
    found = pipeline.render(RenderRequest(2, START.put(OwnLatent(str(path), asked))))
    assert found.error is None and found.seeds == ()
    assert np.abs(found.raw - frame.raw).max() <= 1e-5
    other = pipeline.render(RenderRequest(3, START.put(OwnLatent(str(path), asked)).edit(Pose, x=0.1)))
    assert np.abs(other.raw - frame.raw).max() > 1e-3


def test_what_projectors_write_under_the_name_w_is_ws(tmp_path, seed_5):
    path = written(tmp_path, ".npz", {"w": seed_5[1]["ws"]})
    latents = latent_file.read(path)
    assert latents.kind == "ws" and np.array_equal(latents.values, seed_5[1]["ws"])


def test_a_batch_is_counted_and_ends_at_its_last(pipeline, tmp_path, seed_5):
    _, arrays = seed_5
    path = written(tmp_path, ".npz", {"w": np.concatenate([0 * arrays["w"], arrays["w"]])})
    assert latent_file.read(path).count == 2
    raws = [pipeline.render(RenderRequest(i, START.put(OwnLatent(str(path), index=i)))).raw for i in (0, 1, 99)]
    assert np.array_equal(raws[1], raws[2]) and np.abs(raws[0] - raws[1]).max() > 1e-3


def test_truncation_and_mixing_act_on_own_latents(pipeline, tmp_path, seed_5):
    path = written(tmp_path, ".npz", {"ws": seed_5[1]["ws"]})
    for other in (Truncation(psi=0.5), Truncation(psi=0.5, cutoff=2), Mixing(rows=(2, 3), seed=9)):
        own = pipeline.render(RenderRequest(1, START.put(OwnLatent(str(path))).put(other)))
        seed = pipeline.render(RenderRequest(2, START.edit(Latent, x=5.0).put(other)))
        assert np.abs(own.raw - seed.raw).max() <= 1e-5, other


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"ws": np.zeros((1, 3, 7))}, "its ws is 3 x 7, but this network takes"),
        ({"z": np.zeros((1, 5))}, "its z is 5, but this network takes"),
        ({"w": np.full((1, 32), np.nan)}, "not finite numbers"),
        ({"w": np.full((1, 32), 1e300)}, "not finite numbers in float32"),
        ({"z": np.zeros((1, 16)), "c": np.array([["cat"]])}, "c is <U3"),
        ({"z": np.zeros((1, 16)), "c": np.array([[np.nan]])}, "c has values that are not finite numbers"),
        ({"ws": np.zeros((1, 2, 3, 4))}, "float64 of shape 1 x 2 x 3 x 4"),
        ({"a": np.zeros(3)}, "it holds no latents"),
        ({"w": np.array(["text"])}, "<U4"),
    ],
)
def test_what_does_not_fit_is_said(pipeline, tmp_path, arrays, said):
    path = written(tmp_path, ".npz", arrays)
    frame = pipeline.render(RenderRequest(1, START.put(OwnLatent(str(path)))))
    assert frame.error is not None and said in frame.error.message and "latent.npz" in frame.error.message


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY\x01\x00"])
@pytest.mark.parametrize("suffix", latent_file.SUFFIXES)
def test_files_that_are_no_such_files(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(latent_file.LatentError, match="a\\" + suffix):
        latent_file.read(path)


def test_a_pickle_inside_an_array_is_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"w": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(latent_file.LatentError, match=r"a\.npy"):
        latent_file.read(tmp_path / "a.npy")


@pytest.mark.parametrize("suffix", latent_file.SUFFIXES)
def test_what_is_saved_on_the_command_line_renders_the_same_again(tmp_path, suffix):
    latent, first, second = tmp_path / f"l{suffix}", tmp_path / "a.npy", tmp_path / "b.npy"
    assert cli.run(["render", TINY_R, "--seed", "7", "--out", str(first), "--save-latent", str(latent)]) == 0
    assert cli.run(["render", TINY_R, "--latent", str(latent), "--out", str(second)]) == 0
    assert np.abs(np.load(first) - np.load(second)).max() <= 1e-5
    if suffix == ".npz":
        with np.load(latent) as saved:
            assert sorted(saved.files) == ["w", "ws", "z"] and saved["ws"].ndim == 3


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--latent", "none.npz"), "none.npz"),
        (("--latent", "two.npz:2"), "holds 2 latents, counted from 0"),
        (("--save-latent", "a.txt"), "--save-latent a.txt ends in .txt"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(tmp_path, monkeypatch, capsys, flags, said):
    monkeypatch.chdir(tmp_path)
    np.savez("two.npz", w=np.zeros((2, 32)))
    assert cli.run(["render", TINY_R, *flags, "--out", "a.png"]) == 1
    assert said in capsys.readouterr().err and not Path("a.png").exists()


# ---------------------------------------------------------------------------------------------------- in the window


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    running.close()


def texts(running):
    return [entry.text for entry in running.app.toasts.log.entries]


@pytest.mark.window
@pytest.mark.parametrize("suffix", latent_file.SUFFIXES)
def test_a_latent_is_saved_dropped_and_left_by_walking(running, suffix):
    from viz.commands import SaveLatent

    running.app.state = running.state.edit(Latent, x=3.25)
    running.ui.frames(2)
    values = running.app.good.picture.values.copy()
    running.app.context.emit(SaveLatent(suffix))
    running.ui.frames(2)
    (path,) = running.app.capture_folder.iterdir()
    running.app.state = START.put(LatentPath((1, 2), 0.5))
    running.ui.frames(2)
    running.window.drop([path])
    running.ui.frames(3)
    assert running.state.get(OwnLatent).file == str(path) and running.state.get(LatentPath) == LatentPath()
    assert np.abs(running.app.good.picture.values - values).max() <= 1e-5
    assert running.ui.exists("OwnLatent.leave")
    path.unlink()  # what was read is remembered
    running.app.state = running.state.edit(Pose, x=0.05)
    running.ui.frames(2)
    assert running.app.frame.error is None
    running.ui.key("n")
    running.ui.frames(2)
    assert running.state.get(OwnLatent) == OwnLatent()


@pytest.mark.window
def test_a_latent_of_another_network_changes_nothing(running, tmp_path):
    np.savez(tmp_path / "a.npz", w=np.zeros((1, 999)))
    running.window.drop([tmp_path / "a.npz"])
    running.ui.frames(2)
    assert running.state == START and "999" in texts(running)[-1]


@pytest.mark.window
def test_the_view_is_copied_and_pasted(running):
    running.app.state = running.state.edit(Latent, x=3.5).edit(Pose, turns=0.125)
    running.ui.key("ctrl+c")
    running.ui.frames(2)
    copied, text = running.state, running.window.clipboard
    assert ViewState.from_json(text).reset(Source) == copied.reset(Source)
    running.app.state = START
    running.ui.frames(2)
    running.ui.key("ctrl+v")
    running.ui.frames(2)
    assert running.state.reset(Source) == copied.reset(Source)
    for pasted, said in (('{"format": "aliasfree-view", "version": 1, "Pose": {"x": "a"}}', "Pose.x is 'a'"), ("hello", "nothing to open")):
        before = running.state
        running.window.clipboard = pasted
        running.ui.key("ctrl+v")
        running.ui.frames(2)
        assert running.state is before and said in texts(running)[-1]
    running.window.clipboard = str(GOLDEN / "tiny_t.pkl")
    running.ui.key("ctrl+v")
    running.ui.frames(3)
    assert running.app.good.network.name == "tiny_t"


@pytest.mark.window
@pytest.mark.parametrize("form", ["{path}", '"{path}"', "{uri}", "copy\n{uri}", "{uri}\r\nfile:///nowhere/b.png\r\n"])
def test_a_file_that_a_file_manager_copied_is_opened(running, tmp_path, form):
    """Its name as text, or its address with what must be written otherwise there; a picture is looked for, a latent is shown."""
    running.ui.key("escape")
    picture = tmp_path / "my picture, 100%.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture)
    facts = running.app.good.network
    latent = latent_file.write(tmp_path / "my latent ä.npz", {"ws": np.zeros((1, facts.num_ws, facts.w_dim), np.float32)})
    for path in (picture, latent):
        running.window.clipboard = form.format(path=path, uri=path.as_uri())
        running.ui.key("ctrl+v")
        running.ui.frames(3)
    assert running.state.get(Inversion).picture == str(picture) and running.state.get(OwnLatent).file == str(latent)
    assert running.app.frame.error is None


@pytest.mark.window
def test_a_pasted_session_brings_its_settings(running):
    running.ui.key("escape")  # from here on the driver has a clipboard of its own
    running.window.clipboard = Session((START.edit(Pose, x=0.1),), settings={"workspace": 4, "font_scale": 1.2}).to_json()
    running.ui.key("ctrl+v")
    running.ui.frames(3)
    assert running.state.get(Pose).x == 0.1
    assert (running.app.settings.workspace, running.window.font_scale) == (4, 1.2)


@pytest.mark.window
def test_a_bookmark_has_a_picture_that_is_there_next_time(running, tmp_path):
    running.app.state = running.state.edit(Latent, x=2.0)
    running.ui.frames(2)
    running.ui.key("s")
    running.ui.frames(2)
    (path,) = (tmp_path / "settings" / "bookmarks").iterdir()
    with Image.open(path) as picture:
        assert picture.size == (32, 32)
    from viz.effects.latent import read_thumbnails

    found = read_thumbnails(tmp_path / "settings", running.app.settings.bookmarks)
    assert np.array_equal(found[2.0, 0.0], running.app.context.thumbnails[2.0, 0.0])
    assert "bookmark (2.0, 0.0)" in running.app.images  # it is on screen


@pytest.mark.window
def test_a_forgotten_bookmark_leaves_no_picture_behind(running, tmp_path):
    before = live_objects()
    for x in (1.0, 2.0):
        running.app.state = running.state.edit(Latent, x=x)
        running.ui.frames(2)
        running.ui.key("s")
        running.ui.frames(2)
    assert live_objects()["texture"] == before["texture"] + 2
    running.app.context.emit(ChangeSettings((("bookmarks", ((2.0, 0.0),)),)))
    running.ui.frames(2)
    assert live_objects()["texture"] == before["texture"] + 1
    assert [path.name for path in (tmp_path / "settings" / "bookmarks").iterdir()] == ["2.0_0.0.png"]
    assert list(running.app.context.thumbnails) == [(2.0, 0.0)]
