"""Inversion: the picture is found again, in steps that can be stopped and gone on with; and what the window does with it."""

import dataclasses
import math
import os

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from networks.build import build
from networks.configs import rung
from networks.loading import load, save_safetensors
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from tests.viz.test_app import GOLDEN, START, Running
from viz import capture, cli, latent_file
from viz.analysis import invert
from viz.analysis.inversion import PANEL, Progress
from viz.analysis.invert import Problem, distance, psnr, pyramid, read_picture, schedule, spread, start, step
from viz.commands import UseLatent
from viz.errors import CommandError
from viz.pipeline import Pipeline
from viz.request import OverlayResult, RenderRequest
from viz.state import (
    Direction,
    Directions,
    Inversion,
    Latent,
    Mixing,
    Noise,
    OverlayView,
    OwnLatent,
    Source,
    Truncation,
    ViewState,
)

GLOBE = "globe-r-64"
BOUNDED_STEPS = 40
TINY = str(GOLDEN / "tiny_r.pkl")


@pytest.fixture(scope="module")
def globe(tmp_path_factory):
    """A file with a picture that the bundled globe made, of a seed that is not looked at for a start."""
    frame = Pipeline(headless=True).render(RenderRequest(1, ViewState().put(Source(GLOBE)).edit(Latent, x=777.0)))
    path = tmp_path_factory.mktemp("globe") / "globe.png"
    Image.fromarray(frame.toned).save(path)
    return path


def refined(pipeline, view, most=10**6):
    frame = pipeline.render(RenderRequest(1, view))
    for _, newer in zip(range(most), pipeline.refine(frame), strict=False):
        frame = newer
    return frame


@pytest.mark.parametrize("space", ["w", "w+"])
def test_a_picture_of_the_bundled_globe_is_found_again(globe, space):
    view = ViewState().put(Source(GLOBE)).put(Inversion(True, str(globe), space, BOUNDED_STEPS, perceptual=False))
    pipeline = Pipeline(headless=True)
    result = refined(pipeline, view).overlays["inversion"]
    assert result.error is None and result.fraction == 1
    found = result.values
    assert found.step == BOUNDED_STEPS and found.psnr_db > 25 and found.measure == "Laplacian pyramid"
    rows_differ = bool(np.abs(found.ws - found.ws[:, :1]).max() > 0)
    assert rows_differ == (space == "w+")
    picture, target = (result.images[f"inversion.{name}"].values for name in ("found", "target"))
    assert 10 * math.log10(4 / np.mean((picture.clip(-1, 1) - target) ** 2)) == pytest.approx(found.psnr_db, abs=0.01)


@pytest.fixture(scope="module")
def tiny():
    network = load(TINY).network.eval()
    ws = network.map(torch.from_numpy(np.random.RandomState(99).randn(1, network.z_dim)).float())
    return network, network.synthesize(ws).detach().clone()


def begun(network, problem):
    *_, found = start(network, problem)
    return found


def test_the_loss_falls_and_the_best_is_kept(tiny):
    network, target = tiny
    problem = Problem(target, "w+", 12, {})
    found, best = begun(network, problem), -math.inf
    first = found.loss
    for _ in range(12):
        found = step(network, problem, found, spread(network))
        best = max(best, found.psnr_db)
        assert found.psnr_db == best
        with torch.no_grad():
            assert psnr(network.synthesize(found.ws), problem) == pytest.approx(found.psnr_db, abs=0.05)
    assert found.loss < 0.9 * first


def test_the_start_is_the_best_of_the_seeds(tiny):
    network, _ = tiny
    ws = network.map(torch.from_numpy(np.random.RandomState(5).randn(1, network.z_dim)).float())
    problem = Problem(network.synthesize(ws).detach().clone(), "w", 10, {})
    assert torch.allclose(begun(network, problem).ws, ws, atol=1e-6)  # seed 5 is among those that are looked at


def test_what_was_stopped_goes_on_where_it_was(tiny, tmp_path):
    Image.fromarray(np.random.RandomState(0).randint(0, 255, (32, 32, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    view = START.put(Inversion(True, str(tmp_path / "a.png"), "w", 20, perceptual=False))
    pipeline = Pipeline(headless=True)
    first = refined(pipeline, view, most=60).overlays["inversion"]
    assert 0 < first.values.step < 20
    refined(pipeline, view.edit(Inversion, on=False))
    again = refined(pipeline, view, most=1).overlays["inversion"]
    assert again.values.step >= first.values.step
    whole = refined(Pipeline(headless=True), view).overlays["inversion"].values
    assert np.allclose(refined(pipeline, view).overlays["inversion"].values.ws, whole.ws, atol=1e-5)


def test_other_noise_is_another_search(tmp_path):
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / "a.png")
    view = ViewState().put(Source(str(GOLDEN / "tiny_sg2.pkl"))).put(Inversion(True, str(tmp_path / "a.png"), "w", 10, perceptual=False))
    pipeline = Pipeline(headless=True)
    stored, none = (refined(pipeline, view.put(Noise(mode))).overlays["inversion"].values for mode in ("const", "none"))
    assert stored.psnr_db != none.psnr_db


def test_what_is_newer_comes_first(tiny, tmp_path):
    """A waiting request ends the refinement at once; the steps that were taken are kept."""
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "a.png")
    view = START.put(Inversion(True, str(tmp_path / "a.png"), "w", 50, perceptual=False))
    pipeline = Pipeline(headless=True)
    frame = pipeline.render(RenderRequest(1, view))
    taken = sum(1 for _ in pipeline.refine(frame, newest=lambda: START))
    assert taken <= 1


def test_the_features_are_part_of_the_loss_and_of_its_name(tiny):
    pytest.importorskip("efficientnet_lite_pytorch")
    network, target = tiny
    features, name = invert.perceptual("cpu")
    assert "EfficientNet-Lite1" in name and features is not None
    plain, both = Problem(target, "w", 10, {}), Problem(target, "w", 10, {}, features)
    other = (target + 0.3).clamp(-1, 1)
    with torch.no_grad():
        assert float(distance(target, both)) == pytest.approx(0, abs=1e-6)
        assert float(distance(other, both)) > float(distance(other, plain)) > 0
    assert step(network, both, begun(network, both), spread(network)).step == 1


def test_the_pyramid_can_be_added_up_again_and_the_schedule_rises_and_falls():
    picture = torch.randn(1, 3, 64, 64)
    levels = pyramid(picture)
    assert [level.shape[-1] for level in levels] == [64, 32, 16, 8, 4]
    assert torch.allclose(levels[0] + invert.blurred(picture), picture, atol=1e-6)
    flat = pyramid(torch.full((1, 3, 32, 32), 0.3))
    assert all(float(level.abs().max()) < 1e-6 for level in flat[:-1]) and torch.allclose(flat[-1], torch.tensor(0.3))
    rates = [schedule(i, 100) for i in range(100)]
    assert rates[0] < rates[3] < rates[50] == 1.0 and rates[99] < 0.01


def test_a_picture_of_any_shape_gives_its_middle(tmp_path):
    pixels = np.zeros((40, 100, 3), np.uint8)
    pixels[:, 30:70] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert np.array_equal(read_picture(tmp_path / "wide.png", 40)[0], np.ones((1, 3, 40, 40), np.float32))
    assert read_picture(tmp_path / "wide.png", 16)[0].shape == (1, 3, 16, 16)
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(CommandError, match=r"no\.png cannot be read"):
        read_picture(tmp_path / "no.png", 16)


def test_a_transparent_picture_is_looked_for_on_white_and_that_is_said(tmp_path, capsys):
    Image.new("RGBA", (32, 32), (200, 0, 0, 0)).save(tmp_path / "a.png")
    target, on_white = read_picture(tmp_path / "a.png", 32)
    assert on_white and (target == 1).all()
    out = str(tmp_path / "a.npz")
    assert cli.run(["invert", str(tmp_path / "a.png"), "--network", TINY, "--out", out, "--steps", "10", "--plain"]) == 0
    assert "white was put behind it" in capsys.readouterr().err


def test_a_photograph_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # turned a quarter clockwise for display
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :20] = 255  # its left side is stored where the top belongs
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=exif)
    assert (read_picture(tmp_path / "photo.jpg", 40)[0][0, 0].mean(axis=1) > 0).tolist() == [True] * 20 + [False] * 20


def test_a_missing_picture_is_an_error_beside_the_picture():
    frame = refined(Pipeline(headless=True), START.put(Inversion(True, "none.png")))
    assert frame.error is None and frame.overlays["inversion"].error.sentences == "none.png: there is no such file."
    frame = refined(Pipeline(headless=True), START.put(Inversion(True, "")))  # the panel's field was emptied while it ran
    assert "There is no picture to look for." in frame.overlays["inversion"].error.message


def test_a_network_of_other_pictures_says_so(tmp_path, capsys):
    grey, picture = tmp_path / "grey.safetensors", tmp_path / "a.png"
    save_safetensors(build(rung("T", 8, num_layers=3, img_channels=1, z_dim=4, w_dim=4, channel_base=32, channel_max=4)), grey, {})
    Image.new("RGB", (8, 8)).save(picture)
    assert cli.run(["invert", str(picture), "--network", str(grey), "--out", str(tmp_path / "l.npz")]) == 1
    assert capsys.readouterr().err.endswith("The pictures of grey (T) have 1 channel(s), and those of a file have 3.\n")


def test_the_command_writes_a_latent_that_renders_the_picture(tmp_path, capsys):
    first, latent, second = tmp_path / "a.png", tmp_path / "l.npz", tmp_path / "b.png"
    assert cli.run(["render", TINY, "--seed", "3", "--out", str(first)]) == 0
    assert cli.run(["invert", str(first), "--network", TINY, "--out", str(latent), "--steps", "10", "--plain", "--space", "w"]) == 0
    assert "PSNR" in capsys.readouterr().out
    assert cli.run(["render", TINY, "--latent", str(latent), "--out", str(second)]) == 0
    a, b = (np.asarray(Image.open(p), np.float64) for p in (first, second))
    assert np.abs(a - b).mean() < 1  # of 255; seed 3 is among those that are looked at
    assert cli.run(["invert", str(first), "--network", TINY, "--out", "l.txt"]) == 1
    assert cli.run(["invert", "none.png", "--network", TINY, "--out", str(latent)]) == 1


@pytest.mark.window
def test_a_dropped_picture_is_looked_for_and_taken(tmp_path):
    running = Running(tmp_path)
    try:
        picture = tmp_path / "own.jpg"
        Image.fromarray(np.full((50, 40, 3), 99, np.uint8)).save(picture)
        running.window.drop([picture])
        running.ui.frames(2)
        assert running.state.get(Inversion).picture == str(picture) and not running.state.get(Inversion).on
        running.app.state = running.state.edit(Inversion, on=True, steps=10, space="w", perceptual=False)
        moved = running.state.put(Truncation(0.2)).put(Mixing((0, 1), amount=0.5)).put(Directions((Direction(amount=2.0),)))
        running.app.state = moved.edit(OverlayView, image="inversion.found")
        running.ui.frames(4)
        found = running.app.frame.overlays["inversion"]
        assert found.fraction == 1 and found.error is None
        running.ui.key("c")
        running.ui.frames(2)
        assert "Take it" in running.app.toasts.texts[-1] and not list(running.app.capture_folder.glob("*.png"))  # not what is seen
        running.app.context.emit(UseLatent(found.values.ws))
        running.ui.frames(3)
        own = running.state.get(OwnLatent)
        assert np.array_equal(latent_file.read(tmp_path / "captures" / "00000.npz").values, found.values.ws)
        assert own.file.endswith("00000.npz") and not running.state.get(Inversion).on
        assert np.abs(running.app.good.picture.values - found.images["inversion.found"].values).max() < 0.02
        capture.save_png(tmp_path / "ours.png", np.zeros((4, 4, 3), np.uint8), START)
        running.window.drop([tmp_path / "ours.png"])
        running.ui.frames(2)
        assert running.state.get(OwnLatent) == OwnLatent()  # a picture with a view inside is that view
    finally:
        running.close()


def test_what_was_found_can_be_taken_after_it_was_stopped():
    facts = alias_free_facts()
    found = Progress(7, 20, 0.1, 21.5, np.zeros((1, 3, 4), np.float32), "x")
    frame = dataclasses.replace(frame_of(facts), overlays={"inversion": OverlayResult(found, 0.35)})
    view = ViewState().put(Inversion(on=True, picture="a.png", steps=20))
    with show(PANEL, view, network=facts, frame=frame) as panel:
        panel.ui.click("Inversion.reset")
        assert panel.state.get(Inversion) == Inversion()
        panel.state = view
        panel.ui.frames(2)
        panel.ui.click("progress.cancel")
        panel.ui.frames(2)
        assert not panel.state.get(Inversion).on
        panel.ui.click("Inversion.use")
        assert [command.ws is found.ws for command in panel.context.commands] == [True]
        panel.context.commands.clear()
        panel.ui.click("Inversion.on")
        assert panel.state.get(Inversion).on and panel.state.get(OverlayView).image == "inversion.found"  # it is seen while it comes
        panel.state = panel.state.edit(Inversion, on=False, picture="another.png")
        panel.ui.frames(2)
        panel.ui.click("Inversion.use")
        assert not panel.context.commands  # that was another picture's


def test_a_picture_that_was_painted_over_is_looked_for_anew(tmp_path):
    path, pipeline = tmp_path / "picture.png", Pipeline(headless=True)
    view = ViewState().put(Source(TINY)).put(Inversion(True, str(path), "w", 10, perceptual=False))
    targets = []
    for stamp, grey in enumerate((40, 200)):
        Image.new("RGB", (32, 32), (grey,) * 3).save(path)
        os.utime(path, (stamp, stamp))
        targets.append(float(refined(pipeline, view).overlays["inversion"].images["inversion.target"].values.mean()))
    assert targets == pytest.approx([40 / 127.5 - 1, 200 / 127.5 - 1], abs=1e-3)


def test_what_was_found_of_a_file_is_not_shown_once_it_is_dropped_again(tmp_path):
    from viz.effects.latent import look_for

    path = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(path)
    running = Running(tmp_path)
    try:
        running.app.context.scratch["inversion"] = "what was found"
        look_for(running.app, path)
        assert "inversion" not in running.app.context.scratch and running.state.get(Inversion).picture == str(path)
    finally:
        running.close()
