"""Films: what is written decodes to the frames that were rendered, and survives what goes wrong."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gui_utils.tone import PictureView, ToneMap, paint, tone_map
from viz import capture, cli
from viz.export import encoders, export as exporting, film_file
from viz.export.encoders import ExportError, palette_of
from viz.export.export import export
from viz.export.options import ExportOptions, asked_in, command_line
from viz.export.picture import pixels_of
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.session.session import Session
from viz.state import Latent, LatentPath, Pose, Source, Tap, Tone, View, ViewState
from viz.timeline import paths

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
TINY_R = ViewState().put(Source(str(GOLDEN / "tiny_r.pkl"))).edit(Tone, gain_db=3.0)
FILM = Session((TINY_R,), paths.ready_made("rotate", TINY_R, 0.5, 10))  # 5 frames
COUNT = 5


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline(headless=True)


@pytest.fixture(scope="module")
def frames(pipeline):
    """What the film shows, rendered one by one."""
    line = FILM.timeline
    return [pipeline.render(RenderRequest(i, line.at(line.frame_time(i)))).toned for i in range(line.frame_count)]


def decoded(path):
    import av

    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def pngs(folder):
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def test_the_frames_differ_from_each_other(frames):
    assert len(frames) == COUNT and all((a != b).any() for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_a_lossless_film_decodes_to_the_very_pixels(name, tmp_path, pipeline, frames):
    result = export(FILM, ExportOptions(tmp_path / name, lossless=True), pipeline=pipeline)
    assert result.path == tmp_path / name and (result.frames, result.rendered) == (COUNT, COUNT)
    assert np.array_equal(decoded(result.path), frames)
    assert [p.name for p in tmp_path.iterdir()] == [name]  # nothing half-written is left


def test_a_sequence_holds_the_very_pixels_and_the_view_of_each_frame(tmp_path, pipeline, frames):
    export(FILM, ExportOptions(tmp_path / "f"), pipeline=pipeline)
    assert np.array_equal(pngs(tmp_path / "f"), frames)

    view = ViewState.from_json(Image.open(tmp_path / "f" / "00002.png").text[capture.KEY])
    assert view.get(Pose).turns == pytest.approx(0.4)


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_a_film_for_showing_is_close_to_the_frames(name, tmp_path, pipeline):
    shown = decoded(export(FILM, ExportOptions(tmp_path / name, size=4), pipeline=pipeline).path)
    assert [a.shape for a in shown] == [(128, 128, 3)] * COUNT
    line = FILM.timeline
    for i, a in enumerate(shown):
        wanted = pixels_of(pipeline.render(RenderRequest(i, line.at(line.frame_time(i)))).picture, TINY_R, (128, 128))
        assert np.abs(a.astype(float) - wanted).mean() < 6


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_a_film_for_showing_keeps_colours_and_carries_odd_sizes(name, tmp_path):
    pixels = np.zeros((63, 65, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:], pixels[40:] = (200, 40, 90), (30, 180, 120), (235, 225, 20)
    film = encoders.Film(tmp_path / name, (65, 63), 25.0, encoders.Label("{}", ""), lossless=False)
    film.add(0, pixels, "")
    film.finish()
    (shown,) = decoded(tmp_path / name)
    assert shown.shape == (64, 66, 3)
    for y, x in ((10, 10), (10, 50), (55, 30), (63, 65)):
        assert np.abs(shown[y, x].astype(int) - pixels[min(y, 62), min(x, 64)]).max() <= 3


def test_colours_become_planes_of_the_standard():
    """White, black, red and blue in BT.709, limited range: Y from 16 to 235, chroma from 16 to 240."""
    for color, wanted in (
        ((255,) * 3, (235, 128, 128)),
        ((0,) * 3, (16, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
        ((0, 0, 255), (32, 240, 118)),
    ):
        planes = encoders.planes_of(np.full((2, 2, 3), color, np.uint8))
        assert planes.shape == (3, 2) and (planes.ravel() == (*[wanted[0]] * 4, *wanted[1:])).all()


def test_a_gif_holds_the_frames_in_256_colours_and_repeats(tmp_path, pipeline, frames):
    path = export(FILM, ExportOptions(tmp_path / "a.gif"), pipeline=pipeline).path
    with Image.open(path) as gif:
        assert gif.n_frames == COUNT and gif.info["loop"] == 0 and gif.info["duration"] == 100
        for i, frame in enumerate(frames):
            gif.seek(i)
            indices, colors = palette_of(frame)
            assert np.array_equal(np.asarray(gif.convert("RGB")), colors[indices][..., 1:])
            assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - frame).mean() < 4


def test_a_film_says_which_command_makes_it_again(tmp_path, pipeline):
    import av

    path = export(FILM, ExportOptions(tmp_path / "a.mp4", size=2, lossless=True), pipeline=pipeline).path
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == "python visualizer.py play FILE --out again.mp4 --size 2 --lossless"


def test_the_size_is_ours_and_the_margins_are_as_shown(tmp_path, pipeline):
    names = [t.name for t in pipeline.render(RenderRequest(0, TINY_R)).network.taps]
    layer = FILM.edit_views(Tap, layer=names[2])
    picture = pipeline.render(RenderRequest(0, layer.timeline.at(0))).picture
    height, width = picture.values.shape[:2]
    export(layer, ExportOptions(tmp_path / "whole", size=3), pipeline=pipeline)
    assert pngs(tmp_path / "whole")[0].shape == (height * 3, width * 3, 3)
    cropped = layer.edit_views(View, margins=False)
    export(cropped, ExportOptions(tmp_path / "cropped", size=3), pipeline=pipeline)
    x0, y0, x1, y1 = picture.frame_rect
    assert pngs(tmp_path / "cropped")[0].shape == (round(y1 - y0) * 3, round(x1 - x0) * 3, 3) != (height * 3, width * 3, 3)
    tone = ToneMap.from_db(3.0)
    wanted = paint(picture.values, PictureView((0, 0, width, height), (width * 3, height * 3), tone))
    assert np.array_equal(pngs(tmp_path / "whole")[0], wanted)


def test_at_its_own_size_our_resampling_changes_nothing():
    values = np.random.default_rng(0).normal(size=(9, 7, 3)).astype(np.float32)
    assert np.array_equal(paint(values, PictureView((0, 0, 7, 9), (7, 9))), tone_map(values))


def test_a_path_through_seeds_moves_the_picture_and_closes(pipeline):
    line = paths.latent_loop(TINY_R, 1.0, seeds=(3, 8))
    picture = lambda view: pipeline.render(RenderRequest(0, view)).raw  # noqa: E731
    start = picture(line.at(0.0))
    assert np.array_equal(start, picture(TINY_R.edit(Latent, x=3.0)))
    assert np.array_equal(start, picture(TINY_R.put(LatentPath((3, 8), 2.0))))
    assert np.abs(picture(line.at(0.25)) - start).max() > 0.01
    assert np.allclose(picture(line.at(0.5)), picture(TINY_R.edit(Latent, x=8.0)), atol=1e-4)


# ---------------------------------------------------------------------------------------------------- stopped, broken, resumed


def stop_after(count):
    """(progress, cancelled) of someone who cancels when `count` frames are there."""
    seen = []
    return seen.append, lambda: len(seen) >= count


def test_a_stopped_sequence_goes_on_where_it_was(tmp_path, pipeline, frames):
    progress, cancelled = stop_after(2)
    options = ExportOptions(tmp_path / "f")
    result = export(FILM, options, pipeline=pipeline, progress=progress, cancelled=cancelled)
    assert result.cancelled and len(list((tmp_path / "f").glob("*.png"))) == 2
    (tmp_path / "f" / "00001.png").write_bytes(b"cut off")
    with pytest.raises(ExportError, match=r"holds 00001\.png of another export"):
        export(FILM, options, pipeline=pipeline)
    (tmp_path / "f" / "00001.png").unlink()
    assert export(FILM, options, pipeline=pipeline).rendered == COUNT - 1
    shutil.copy(tmp_path / "f" / "00000.png", tmp_path / "f" / "00003.png")
    assert export(FILM, options, pipeline=pipeline).rendered == 1  # a frame in another's place does not count
    assert np.array_equal(pngs(tmp_path / "f"), frames)


def test_a_folder_of_another_export_is_left_alone(tmp_path, pipeline):
    export(FILM, ExportOptions(tmp_path / "f"), pipeline=pipeline)
    before = {p.name: p.read_bytes() for p in (tmp_path / "f").iterdir()}
    with pytest.raises(ExportError, match="another export"):
        export(FILM, ExportOptions(tmp_path / "f", size=2), pipeline=pipeline)
    assert {p.name: p.read_bytes() for p in (tmp_path / "f").iterdir()} == before


def test_a_cancelled_film_leaves_nothing(tmp_path, pipeline):
    progress, cancelled = stop_after(2)
    (tmp_path / "a.mp4").write_text("the film before")
    result = export(FILM, ExportOptions(tmp_path / "a.mp4"), pipeline=pipeline, progress=progress, cancelled=cancelled)
    assert result.cancelled and [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_text() == "the film before"


def test_with_its_frames_kept_a_stopped_film_goes_on(tmp_path, pipeline, frames):
    progress, cancelled = stop_after(3)
    options = ExportOptions(tmp_path / "a.mp4", lossless=True, keep_frames=True)
    export(FILM, options, pipeline=pipeline, progress=progress, cancelled=cancelled)
    assert not (tmp_path / "a.mp4").exists()
    assert export(FILM, options, pipeline=pipeline).rendered == COUNT - 3
    assert np.array_equal(decoded(tmp_path / "a.mp4"), frames) and [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_film_is_stopped_while_its_frames_are_encoded_too(tmp_path, pipeline, frames):
    progress, cancelled = stop_after(COUNT + 2)
    options = ExportOptions(tmp_path / "a.mp4", lossless=True, keep_frames=True)
    result = export(FILM, options, pipeline=pipeline, progress=progress, cancelled=cancelled)
    assert result.cancelled and result.path == options.frames_folder and list(tmp_path.iterdir()) == [options.frames_folder]
    assert export(FILM, options, pipeline=pipeline).rendered == 0 and np.array_equal(decoded(tmp_path / "a.mp4"), frames)


def test_a_full_disk_loses_only_the_frame_in_hand(tmp_path, pipeline, frames, monkeypatch):
    save = Image.Image.save

    def full(self, target, **options):
        if sum(1 for _ in (tmp_path / "f").glob("*.png")) == 3:
            Path(target).write_bytes(b"half a fra")
            raise OSError(28, "No space left on device")
        save(self, target, **options)

    with monkeypatch.context() as patch, pytest.raises(ExportError, match=r"frame 3 of 5.*No space left.*3 frames before it are kept"):
        patch.setattr(Image.Image, "save", full)
        export(FILM, ExportOptions(tmp_path / "f"), pipeline=pipeline)
    assert sorted(p.name for p in (tmp_path / "f").iterdir()) == ["00000.png", "00001.png", "00002.png", "session.json"]
    assert np.array_equal(pngs(tmp_path / "f"), frames[:3])
    assert export(FILM, ExportOptions(tmp_path / "f"), pipeline=pipeline).rendered == 2


@pytest.mark.parametrize("name", ["a:b.mp4", "http:x.webm", "50%d?#.gif", "ünï 日本 .mp4"])
def test_a_name_is_a_name_and_no_address(name, tmp_path, pipeline, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert export(FILM, ExportOptions(Path(name)), pipeline=pipeline).rendered == COUNT
    assert [p.name for p in tmp_path.iterdir()] == [name] and film_file.read(Path(name)).film.frame_count == COUNT


def test_a_film_that_breaks_off_can_be_played_so_far(tmp_path, pipeline, frames, monkeypatch):
    add = encoders.Film.add

    def failing(self, index, pixels, view_json, holds=""):
        if index == 3:
            raise OSError(28, "No space left on device")
        add(self, index, pixels, view_json, holds)

    monkeypatch.setattr(encoders.Film, "add", failing)
    with pytest.raises(ExportError, match=r"frame 3 of 5.*a\.mp4\.part"):
        export(FILM, ExportOptions(tmp_path / "a.mp4", lossless=True), pipeline=pipeline)
    assert np.array_equal(decoded(tmp_path / "a.mp4.part"), frames[:3]) and not (tmp_path / "a.mp4").exists()


def test_progress_tells_frames_and_time_left(tmp_path, pipeline):
    seen = []
    export(FILM, ExportOptions(tmp_path / "a.gif"), pipeline=pipeline, progress=seen.append)
    assert [(p.done, p.total) for p in seen] == [(i + 1, COUNT) for i in range(COUNT)]
    assert seen[0].eta_s > 0 and seen[-1].eta_s == 0 and seen[0].preview.shape == (32, 32, 3)


def test_a_failing_render_says_so_in_one_sentence(tmp_path, pipeline):
    broken = FILM.with_source(TINY_R.get(Source).network, Source(str(tmp_path / "gone.pkl")))
    with pytest.raises(ExportError, match=r"gone\.pkl"):
        export(broken, ExportOptions(tmp_path / "a.mp4"), pipeline=pipeline)
    assert not list(tmp_path.iterdir())


def test_without_the_video_package_a_sentence_names_the_remedy(tmp_path, pipeline, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(ExportError, match="pip install"):
        export(FILM, ExportOptions(tmp_path / "a.mp4"), pipeline=pipeline)
    assert export(FILM, ExportOptions(tmp_path / "f"), pipeline=pipeline).frames == COUNT


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ExportOptions(Path("a.avi")), r"\.mp4, \.webm, \.gif"),
        (ExportOptions(Path("a.gif"), lossless=True), "cannot be lossless"),
        (ExportOptions(Path("no/such/a.mp4")), "does not exist"),
        (ExportOptions(Path("a.mp4"), size=0), "size is 0"),
        (ExportOptions(Path("a.mp4"), frames="exr"), "a.mp4 is a film: a folder"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_rendered(options, said):
    with pytest.raises(ExportError, match=said):
        exporting.check(FILM, options)


@pytest.mark.parametrize("keep_frames", [False, True])
def test_a_gif_is_no_faster_than_browsers_play_it(keep_frames, tmp_path, pipeline):
    film = Session((TINY_R,), paths.ready_made("rotate", TINY_R, 0.08, 50))
    with Image.open(export(film, ExportOptions(tmp_path / "a.gif"), pipeline=pipeline).path) as gif:
        assert gif.n_frames == 4 and gif.info["duration"] == 20
    faster = Session((TINY_R,), paths.ready_made("rotate", TINY_R, 0.08, 50.1))
    with pytest.raises(ExportError, match=r"b.gif would have 50.1 frames a second.* at most 50 "):
        export(faster, ExportOptions(tmp_path / "b.gif", keep_frames=keep_frames), pipeline=pipeline)
    exporting.check(faster, ExportOptions(tmp_path / "b.mp4"))


# ---------------------------------------------------------------------------------------------------- command line


def run(*arguments: object) -> int:
    return cli.run([str(a) for a in arguments])


def test_record_and_play(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = GOLDEN / "tiny_r.pkl"
    assert run("record", network, "--path", "loop", "--seeds", "3,8", "--seconds", 0.3, "--fps", 10, "--out", "a.mp4", "--lossless") == 0
    assert len(decoded("a.mp4")) == 3
    assert run("play", "a.mp4", "--out", "b.mp4", "--lossless") == 0
    assert Path("a.mp4").read_bytes() == Path("b.mp4").read_bytes()
    assert run("play", "a.mp4", "--out", "frames/", "--size", 2) == 0
    assert np.asarray(Image.open("frames/00001.png")).shape == (64, 64, 3)
    shutil.copy("frames/session.json", "s.json")
    assert run("play", "s.json", "--fps", 20, "--out", "c.gif") == 0
    assert json.loads(Path("s.json").read_text())["format"] == "aliasfree-session"


def test_a_latent_of_ones_own_is_filmed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    network = GOLDEN / "tiny_r.pkl"
    assert run("render", network, "--seed", 7, "--save-latent", "own.npz", "--out", "own.png") == 0
    still = ("--path", "rotate", "--seconds", 0.2, "--fps", 10)
    assert run("record", network, "--latent", "own.npz", *still, "--out", "frames/") == 0
    assert np.array_equal(np.asarray(Image.open("frames/00000.png")), np.asarray(Image.open("own.png")))
    assert run("record", network, "--latent", "own.npz", "--path", "loop", "--out", "b/") == 1
    assert "walks through seeds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "path", "said"),
    [("tiny_r", "noise", "no noise inputs"), ("tiny_sg2", "rotate", "no input grid"), ("tiny_r", "rotate", ""), ("tiny_sg2", "noise", "")],
)
def test_what_a_network_does_not_have_is_said(network, path, said, tmp_path, capsys):
    assert run("record", GOLDEN / f"{network}.pkl", "--path", path, "--seconds", 0.2, "--fps", 10, "--out", tmp_path / "a.gif") == 0
    error = capsys.readouterr().err
    assert (said in error) if said else not error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("record", str(GOLDEN / "tiny_r.pkl"), "--layer", "L99", "--out", "a.mp4"), "L99 is not a layer of tiny_r; it has input, L0"),
        (("play", "none.mp4", "--out", "b.mp4"), "none.mp4"),
        (("play", str(GOLDEN / "ops.json"), "--out", "b.mp4"), "not a saved session"),
        (("record", str(GOLDEN / "tiny_r.pkl"), "--out", "a.avi"), ".mp4"),
        (("record", str(GOLDEN / "tiny_r.pkl"), "--out", "a"), "folder"),
        (("record", str(GOLDEN / "tiny_r.pkl"), "--seeds", "1,2", "--out", "a.mp4"), "--path loop"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("a.gif", ("--size", 3)),
        ("a.mp4", ("--size", 2, "--lossless")),
        ("a.webm", ("--what", "slice")),
        ("a/", ("--size", 2)),
        ("a/", ("--frames", "exr")),
    ],
)
def test_a_film_is_played_as_it_was_made_where_nothing_else_is_asked_for(name, flags, tmp_path):
    again = name.replace("a", "b", 1)
    words = ["record", TINY_R.get(Source).network, "--seconds", "0.5", "--fps", "4", *map(str, flags), "--out", f"{tmp_path}/{name}"]
    assert cli.run(words) == 0 and cli.run(["play", f"{tmp_path}/{name}", "--out", f"{tmp_path}/{again}"]) == 0
    made, played = tmp_path / name, tmp_path / again
    pairs = [(made, played)] if made.is_file() else [(one, played / one.name) for one in sorted(made.iterdir())]
    assert pairs and all(a.read_bytes() == b.read_bytes() for a, b in pairs)


def test_what_is_asked_for_goes_before_what_a_film_was_made_with(tmp_path):
    network = TINY_R.get(Source).network
    assert cli.run(["record", network, "--seconds", "0.5", "--fps", "4", "--size", "2", "--lossless", "--out", f"{tmp_path}/a.mp4"]) == 0
    assert cli.run(["play", f"{tmp_path}/a.mp4", "--size", "1", "--out", f"{tmp_path}/b.gif"]) == 0
    with Image.open(tmp_path / "b.gif") as film:
        assert film.size == (32, 32)


def test_a_films_command_is_read_for_what_it_may_ask_and_for_nothing_else():
    options = ExportOptions(Path("a.mp4"), 7, True, what="window", window=(800, 600))
    assert asked_in(command_line(options)) == {"size": 7, "what": "window", "window": (800, 600), "lossless": True}
    assert asked_in("python visualizer.py play FILE --size 999 --what rm --window 1x99999 --frames exe") == {}
