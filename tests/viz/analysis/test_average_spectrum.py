"""Average spectra: one pass gives the published estimator; networks, folders and saved files; window and command line agree."""

import csv
import json
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from gui_utils import plots
from gui_utils.libraries import imgui
from gui_utils.text import number_text
from gui_utils.tone import tone_map
from tests.networks.agreement import tiny
from tests.networks.loading.server import Site, serving
from tests.viz.asked import GOLDEN, TINY_R, ask, kinds_put, steps
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from viz import cli
from viz.analysis import figures, spectrum_chart, spectrum_reference
from viz.analysis.average_spectrum import Curves, SetPower, curves, decibels, load_curves, network_pictures, save_arrays
from viz.cli.broken import breaking
from viz.cli.edits import editing
from viz.commands import SaveMeasurement
from viz.errors import CommandError
from viz.figures import page
from viz.figures.drawing_file import SCALE
from viz.panels import PanelContext
from viz.request import OverlayResult, RenderRequest
from viz.stages.downloads import THREAD
from viz.stages.latent import draw_z
from viz.state import AverageSpectrum, BreakIt, LayerShares, Pose, Source, SpectrumReference, Tap, ViewState

FACTS = alias_free_facts()


def test_one_pass_gives_the_published_estimator():
    """The golden file's pictures, whitened by its own numbers instead of theirs."""
    with np.load(GOLDEN / "spectrum.npz") as golden:
        images, expected = torch.from_numpy(golden["images"]), torch.from_numpy(golden["avg_power"])
        beta, interp, mean, std = (float(golden[name]) for name in ("beta", "interp", "mean", "std"))
    own, given = SetPower(), type("Whitened", (SetPower,), {"mean": mean, "std": std})()
    assert (own.beta, own.interp) == (beta, interp), "what is published, and what nothing said means"
    for image in images:
        own.add(image)
        given.add(image)
    assert (own.mean, own.std) == pytest.approx((float(images.double().mean()), float(images.double().std(correction=0))))
    found = given.spectrum()
    assert torch.allclose(torch.fft.ifftshift(found.power), expected, rtol=0, atol=1e-5 * float(expected.max()))
    assert (float(found.fx[64]), float(found.fx[1] - found.fx[0])) == (0.0, 0.25)  # zero padding x4: quarter cycles


def test_white_noise_is_flat_at_0_db_and_a_tone_stands_out_at_its_frequency():
    sums = SetPower()
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        sums.add(128 + 20 * torch.randn(3, 32, 32, generator=generator))
    found = curves(sums, "noise")
    assert np.abs(found.radial[1][2:]).max() < 1
    tone = SetPower()
    x = torch.arange(32) / 32
    tone.add(128 + 50 * torch.cos(2 * torch.pi * 8 * x).expand(3, 32, 32))
    frequency, level = curves(tone, "tone").axis0
    assert frequency[level.argmax()] == pytest.approx(8, abs=0.25)
    power, (right, up) = 10 ** (curves(tone, "tone").heat_db / 10), curves(tone, "tone").spans
    assert decibels(np.array([100.0, 0.01, 0.0])).tolist() == [20, -20, -120]
    for axis, span, frequency in ((0, right, 8), (1, up[::-1], 0)):  # both peaks are seen where they are: at +-8 and 0, and at 0 and 0
        middles = span[0] + (np.arange(power.shape[1 - axis]) + 0.5) / power.shape[1 - axis] * (span[1] - span[0])
        weights = power.sum(axis) * (np.abs(middles - frequency) < 4)
        assert (weights * middles).sum() / weights.sum() == pytest.approx(frequency, abs=0.01)


def test_a_wide_picture_has_frequencies_per_width_and_its_map_averages_what_is_not_drawn():
    tone = SetPower()
    tone.add(128 + 50 * torch.cos(2 * torch.pi * 8 * torch.arange(160) / 160).expand(3, 80, 160))
    found, spectrum = curves(tone, "tone"), tone.spectrum()
    assert spectrum.power.shape == (320, 640) and float(spectrum.fy[1] - spectrum.fy[0]) == 0.5
    power = 10 ** (found.heat_db / 10)
    assert power.shape == (160, 320) and power.mean() == pytest.approx(float(spectrum.power.mean()), rel=1e-3)
    assert power[:, 176].sum() > 100 * power[:, 184].sum(), "8 cycles lie 16 cells from the middle"


@pytest.mark.parametrize("height", [32, 16])
def test_the_map_has_the_power_at_every_frequency_upwards_at_the_top(height):
    y, x = np.indices((height, 32)) / 32
    tone = SetPower()
    tone.add(torch.from_numpy(128 + 50 * np.cos(2 * np.pi * (5 * x + 4 * y))).expand(3, height, 32))  # its crests rise to the right
    found, spectrum = curves(tone, "tone"), tone.spectrum()
    assert found.heat_at(5, -4) == pytest.approx(found.heat_at(-5, 4), abs=1e-3) and found.heat_at(5, -4) > found.heat_at(5, 4) + 20
    for row, column in ((0, 0), (3, 70), (height * 2, 64), (-1, -1)):
        right, up, half = float(spectrum.fx[column]), -float(spectrum.fy[row]), 0.4 * float(spectrum.fx[1] - spectrum.fx[0])
        assert {found.heat_at(right + dx, up + dy) for dx in (-half, half) for dy in (-half, half)} == {found.heat_db[row, column]}
    (left, end), (bottom, top) = found.spans
    assert found.heat_at(left, top) == found.heat_db[0, 0]
    assert found.heat_at(left - 0.01, 0) is found.heat_at(end, 0) is found.heat_at(0, bottom) is found.heat_at(0, top + 0.01) is None


def test_pictures_of_another_size_or_without_contrast_are_refused():
    sums = SetPower()
    with pytest.raises(ValueError, match="0 pictures"):
        sums.spectrum()
    sums.add(torch.full((3, 16, 16), 7.0))
    with pytest.raises(ValueError, match="deviation 0"):
        sums.spectrum()
    with pytest.raises(ValueError, match="16 x 8; the first was 16 x 16"):
        sums.add(torch.zeros(3, 8, 16))


def test_window_and_command_line_give_the_same_curves(pipeline, tmp_path, capsys):
    results = steps(pipeline, TINY_R.edit(AverageSpectrum, on=True, num=6, seed=2), spectrum_chart.NAME)
    assert [r.fraction for r in results] == pytest.approx([i / 6 for i in range(1, 7)])
    shown: Curves = results[-1].values
    assert shown.count == 6
    out = tmp_path / "a.npz"
    assert cli.run(["spectrum", TINY_R.get(Source).network, "--num", "6", "--seed", "2", "--out", str(out)]) == 0
    assert "6 pictures" in capsys.readouterr().out
    saved = load_curves(out)
    for name in ("axis0", "diagonal", "radial"):
        assert np.allclose(getattr(saved, name)[1], getattr(shown, name)[1], atol=0.01), name
    assert np.allclose(saved.heat_db, shown.heat_db, atol=0.01) and saved.edge == 16


def test_a_folder_of_pictures_and_a_figure(tmp_path, capsys):
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    out = tmp_path / "map.png"
    assert cli.run(["spectrum", str(folder), "--num", "2", "--out", str(out)]) == 0
    assert "2 pictures" in capsys.readouterr().out
    with Image.open(out) as figure:
        assert figure.width > 480
        around = figures.LEFT + figures.RIGHT + figures.BAR, figures.ABOVE + figures.BELOW + page.ROOM
        width, height = (side - SCALE * room for side, room in zip(figure.size, around, strict=True))
        assert width == height, "as much of a frequency is as long either way"
    pixels = np.asarray(Image.open(folder / "0.png").convert("RGBA")).copy()
    pixels[:8, :, 3] = 0
    Image.fromarray(pixels).save(folder / "0.png")
    assert cli.run(["spectrum", str(folder), "--num", "2", "--out", str(out)]) == 0
    assert "2 pictures of pictures (on white where transparent)" in capsys.readouterr().out
    Image.fromarray(np.zeros((8, 16, 3), np.uint8)).save(folder / "9.png")
    assert cli.run(["spectrum", str(folder), "--out", str(out)]) == 1
    assert "9.png is 16 x 8" in capsys.readouterr().err
    (folder / "9.png").write_bytes(b"no picture")
    assert cli.run(["spectrum", str(folder), "--out", str(out)]) == 1
    assert "9.png cannot be read" in capsys.readouterr().err


def test_a_networks_pictures_are_those_of_its_files():
    """Of each seed, with a class drawn as everywhere, in the values that a file of the picture has."""
    network = tiny("tiny_t_cond")
    network.synthesize = lambda ws, plain=network.synthesize, **more: 3 * plain(ws, **more)  # beyond what a file holds
    for picture, seed in zip(network_pictures(network, num=2, seed=2**32 - 2), (2**32 - 2, 2**32 - 1), strict=True):
        z, c = (torch.from_numpy(v).float()[None] for v in draw_z(seed, network.z_dim, network.c_dim, -1))
        values = network.synthesize(network.map(z, c))[0].permute(1, 2, 0).detach().numpy()
        different = picture.permute(1, 2, 0).numpy() - tone_map(values).astype(np.float32)
        assert np.mean(different != 0) < 1e-3 and np.abs(values).max() > 1


@pytest.mark.parametrize("out", ["a.txt", "missing/a.npz"])
def test_a_wrong_name_is_refused_before_anything_is_computed(out, tmp_path, capsys):
    assert cli.run(["spectrum", "no such network", "--out", str(tmp_path / out)]) == 1
    assert "--out" in capsys.readouterr().err


def test_a_file_that_is_not_ours_or_no_longer_whole_is_refused(tmp_path):
    ours = save_arrays(flat("a", 5, 32))
    files = {"other.npz": {"a": 1}, "ragged.npz": {**ours, "axis0_db": np.zeros(3)}, "deep.npz": {**ours, "heat_db": np.zeros((2, 2, 2))}}
    for name, arrays in files.items():
        np.savez(tmp_path / name, **arrays)
    np.savez(tmp_path / "ours.npz", **ours)
    whole = (tmp_path / "ours.npz").read_bytes()
    assert load_curves(tmp_path / "ours.npz").axis0[1].tolist() == [5.0] * 32
    for name, content in {"broken.npz": b"PK nonsense", "cut.npz": whole[:-30], "bad.npz": whole[:200] + b"?" + whole[201:]}.items():
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    for name in (*files, "broken.npz", "cut.npz", "bad.npz", "array.npz"):
        with pytest.raises(CommandError, match=f"{name} is not a spectrum"):
            load_curves(tmp_path / name)
    with pytest.raises(CommandError, match="there is no such file"):
        load_curves(tmp_path / "missing.npz")


@pytest.mark.parametrize("kind", ["file", "folder", "network"])
def test_references(pipeline, tmp_path, kind, capsys):
    if kind == "file":
        source = tmp_path / "a.npz"
        cli.run(["spectrum", str(GOLDEN / "tiny_t.pkl"), "--num", "3", "--out", str(source)])
    elif kind == "folder":
        source = tmp_path
        for i in range(3):
            Image.fromarray(np.random.default_rng(i).integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    else:
        source = GOLDEN / "tiny_t.pkl"
    results = steps(pipeline, TINY_R.put(SpectrumReference(str(source), 3)), spectrum_reference.NAME)
    assert results[-1].fraction == 1 and results[-1].values.count == 3
    assert sum(result.values is not None for result in results) == (1 if kind == "file" else 3)
    assert results[-1].values.heat_db.shape == (8 * results[-1].values.edge,) * 2, "a picture is as high as wide"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A server that sends a part of a network and then nothing."""
    monkeypatch.setenv("ALIASFREE_CACHE", str(tmp_path))
    with serving(Site((GOLDEN / "tiny_t.pkl").read_bytes(), stop_after=40_000, stall=threading.Event())) as served:
        yield served


def test_a_network_on_its_way_to_be_the_reference_holds_up_nothing_and_is_left_off_when_it_is_not_wanted(pipeline, site):
    view = TINY_R.put(SpectrumReference(site.url)).edit(AverageSpectrum, on=True, num=2, seed=11)
    deadline = time.monotonic() + 30
    for frame in pipeline.refine(ask(pipeline, view)):
        found, average = (frame.overlays.get(name) for name in (spectrum_reference.NAME, spectrum_chart.NAME))
        assert time.monotonic() < deadline and (found is None or (found.error is None and found.values is None))
        if found is not None and 0 < found.fraction < 1 and average is not None and average.fraction == 1:
            break
    else:
        pytest.fail("the reference came to an end")
    ask(pipeline, TINY_R)
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(30)
            assert not thread.is_alive()


def test_a_reference_that_cannot_be_read_says_so_and_the_picture_stays(pipeline, tmp_path):
    view = TINY_R.put(SpectrumReference(str(tmp_path / "nowhere.npz")))
    *_, frame = pipeline.refine(pipeline.render(RenderRequest(1, view)))
    assert "nowhere.npz" in frame.overlays[spectrum_reference.NAME].error.message and frame.picture is not None


def flat(label, level, end):
    line = (np.arange(end, dtype=float), np.full(end, float(level)))
    return Curves(label, 3, 128.0, 50.0, line, line, line, np.zeros((8, 8), np.float32), float(end))


def test_the_difference_goes_as_far_as_both_do():
    assert spectrum_chart.level(flat("a", 5, 32).axis0, 40.0) is None
    lines = spectrum_chart.difference(flat("a", 5, 32), flat("b", 2, 16))
    assert all(len(x) == 16 and np.allclose(y, 3) for x, y in lines.values())
    fine = np.arange(0, 15.5, 0.5)
    between = replace(flat("b", 2, 16), axis0=(fine, fine), diagonal=(fine, fine), radial=(fine, fine))
    assert all(len(x) == 16 and np.allclose(y, 5 - x) for x, y in spectrum_chart.difference(flat("a", 5, 32), between).values())


def test_a_minus_b_on_the_command_line(tmp_path, capsys):
    """Of a network and itself: nothing, as a network, as a saved file, in the figure; of other pictures: what the curves say."""
    network, a, d = str(GOLDEN / "tiny_r.pkl"), tmp_path / "a.npz", tmp_path / "d.npz"
    assert cli.run(["spectrum", network, "--num", "3", "--out", str(a)]) == 0
    for reference in (str(a), network):
        assert cli.run(["spectrum", network, "--num", "3", "--reference", reference, "--out", str(d)]) == 0
        assert "minus 3 pictures" in (text := capsys.readouterr().out) and "0.00 dB" in text
        with np.load(d) as file:
            assert np.abs(file["difference_radial_db"]).max() < 1e-6
    assert cli.run(["spectrum", network, "--num", "3", "--seed", "7", "--reference", str(a), "--out", str(d)]) == 0
    with np.load(d) as file, np.load(a) as other:
        expected = file["radial_db"] - np.interp(file["radial_frequency"], other["radial_frequency"], other["radial_db"])
        assert np.allclose(file["difference_radial_db"], expected) and np.abs(expected).max() > 0.1
    for words in (["--curves"], ["--reference", str(a)]):
        assert cli.run(["spectrum", network, "--num", "2", *words, "--out", str(tmp_path / "c.png")]) == 0
        with Image.open(tmp_path / "c.png") as image:
            assert image.size[0] > image.size[1] > 300


def test_the_panel_shows_and_saves_what_is_there():
    overlays = {spectrum_chart.NAME: OverlayResult(flat("a", 5, 32)), spectrum_reference.NAME: OverlayResult(flat("b", 2, 16))}
    view = ViewState().edit(AverageSpectrum, on=True).put(SpectrumReference("b.npz"))
    with show(spectrum_chart.PANEL, view, network=FACTS, frame=frame_of(FACTS, overlays=overlays)) as shown:
        for each in ("difference", "map", "curves"):
            shown.ui.click(f"AverageSpectrum.show.{each}")
            shown.ui.frames(2)
        shown.ui.click("AverageSpectrum.export")
        (command,) = shown.commands
        assert isinstance(command, SaveMeasurement) and command.figure().dtype == np.uint8
        assert set(command.arrays) >= {"axis0_db", "radial_frequency", "heat_db", "mean"}
        shown.ui.set("SpectrumReference.source", "other.npz")
        assert shown.state.get(SpectrumReference).source == "other.npz" and not shown.ui.exists("reference.cancel")


def test_the_drawn_map_tells_the_level_under_the_mouse(monkeypatch):
    reads, images = [], {}
    monkeypatch.setattr(plots, "cursor_text", reads.append)
    found = flat("a", 5, 32)
    found = replace(found, heat_db=np.random.default_rng(0).uniform(-40, 20, found.heat_db.shape))
    image = lambda name, pixels: (images.update({name: pixels}), imgui.ImTextureRef(1))[1]  # noqa: E731
    view = ViewState().edit(AverageSpectrum, on=True)
    frame = frame_of(FACTS, overlays={spectrum_chart.NAME: OverlayResult(found)})
    with show(spectrum_chart.PANEL, view, network=FACTS, frame=frame, image=image) as shown:
        shown.ui.click("AverageSpectrum.show.map")
        shown.ui.frames(2)
        assert images["average spectrum"].shape[:2] == found.heat_db.shape
        for right, up in ((3.0, 2.0), (3.0, -2.0), (0.0, 0.0)):
            assert reads[-1](right, up).endswith(number_text(found.heat_at(right, up), "dB"))
        assert reads[-1](99.0, 0.0).endswith("—")


def test_a_reference_and_its_average_are_cancelled_each_for_itself():
    view = ViewState().edit(AverageSpectrum, on=True).put(SpectrumReference("other"))
    overlays = {name: OverlayResult(flat(name, 5, 32), 0.5) for name in (spectrum_chart.NAME, spectrum_reference.NAME)}
    with show(spectrum_chart.PANEL, view, network=FACTS, frame=frame_of(FACTS, overlays=overlays)) as shown:
        shown.ui.click("reference.cancel")
        assert not shown.state.get(SpectrumReference).on and shown.state.get(AverageSpectrum).on


# ---------------------------------------------------------------------------------------------------- layer by layer


def test_shares_of_every_layer(pipeline):
    from torch_utils.spectra import share_above, view_spectrum

    results = steps(pipeline, TINY_R.edit(Pose, x=0.1, turns=0.05).edit(LayerShares, on=True), "out of band")
    facts = pipeline._answered[1].inputs["load"].facts
    found = results[-1].values.found
    assert [share.name for share in found] == [tap.name for tap in facts.taps] and len(results) == len(facts.taps)
    assert [column.heading for column in results[-1].columns] == ["> f_c, dB", "folded, dB"]
    for tap, share in zip(facts.taps, found, strict=True):
        half = tap.sampling_rate / 2
        for found_share, frequency in ((share.cutoff, "out_cutoff"), (share.stopband, "out_stopband")):
            assert (found_share is None) == (tap.spec is None or getattr(tap.spec, frequency) >= half)
        assert share.stopband is None or 0 <= share.stopband <= share.cutoff <= 1
        assert (share.folded is None) == (tap.spec is None or tap.spec.is_torgb)
        assert share.folded is None or 0 < share.folded < 1e-3, "the filters of R leave little to fold"
    tap = next(t for t in facts.taps if t.spec is not None)
    run = pipeline._answered[1]
    pose = run.view.get(Pose).matrix(32)
    values = run.inputs["load"].network.synthesize(run.inputs["latent"].ws, tap=tap.name, pose=pose)[0]
    expected = share_above(view_spectrum(values, 8.0, sampling_rate=tap.sampling_rate), tap.spec.out_cutoff)
    assert next(share.cutoff for share in found if share.name == tap.name) == pytest.approx(expected, rel=1e-3)


def test_remembered_layers_are_not_computed_again(pipeline, monkeypatch):
    pipeline.memory.clear()
    frame = pipeline.render(RenderRequest(1, TINY_R.edit(LayerShares, on=True)))
    puts = kinds_put(pipeline.memory, monkeypatch)
    list(pipeline.refine(frame))
    assert puts == ["overlay"]


def test_a_layer_without_power_or_cutoff_has_no_share():
    from viz.analysis.layer_shares import LOWEST_DB, LayerShare, decibels, layer_columns, text_of

    assert decibels(0.01) == pytest.approx(-20) and decibels(0.0) == LOWEST_DB and np.isnan(decibels(None))
    assert np.isnan(decibels(float("nan")))
    shares = (LayerShare("L0", 0.01, None, 1e-6),)
    assert text_of(shares, 0) == "L0: beyond f_c −20.0 dB, beyond f_t —, folded −60.0 dB"
    assert text_of(shares, 1) == text_of(shares, -1) == ""
    columns = [(column.heading, column.numbers["L0"]) for column in layer_columns(shares)]
    assert columns == [("> f_c, dB", pytest.approx(-20)), ("folded, dB", pytest.approx(-60))]


def test_a_click_looks_at_the_layer():
    from tests.viz.analysis.test_charts import plot_point
    from viz.analysis import layer_shares

    found = layer_shares.Shares(tuple(layer_shares.LayerShare(tap.name, 0.1, 0.01) for tap in FACTS.taps))
    view = ViewState().edit(LayerShares, on=True)
    with show(layer_shares.PANEL, view, network=FACTS, frame=frame_of(FACTS, overlays={layer_shares.NAME: OverlayResult(found)})) as shown:
        shown.ui.click_at(plot_point(shown, 3, -60))
        assert shown.state.get(Tap).layer == FACTS.taps[3].name


def test_the_panel_of_shares_says_what_is_missing(monkeypatch):
    from viz.analysis import layer_shares

    said: list[str] = []
    monkeypatch.setattr(layer_shares, "wrapped_text", said.append)
    monkeypatch.setattr(layer_shares, "invitation", lambda state, *args, **kwargs: said.append(args[2]) or state)
    nothing = layer_shares.Shares(tuple(layer_shares.LayerShare(tap.name, None, None) for tap in FACTS.taps))
    one = layer_shares.Shares((layer_shares.LayerShare("a", None, None, 0.1), *nothing.found[1:]))
    on = ViewState().edit(LayerShares, on=True)
    for view, facts, result, text in (
        (on, None, None, layer_shares.EMPTY),
        (ViewState(), FACTS, OverlayResult(nothing), layer_shares.EMPTY),
        (on, FACTS, None, layer_shares.MEANING),
        (on, FACTS, OverlayResult(None), layer_shares.MEANING),
        (on, FACTS, OverlayResult(nothing, 0.5), layer_shares.MEANING),
        (on, FACTS, OverlayResult(one), layer_shares.MEANING),
        (on, FACTS, OverlayResult(nothing), layer_shares.NOTHING),
    ):
        overlays = {} if result is None else {layer_shares.NAME: result}
        with show(layer_shares.PANEL, view, network=facts, frame=frame_of(FACTS, overlays=overlays)) as shown:
            said.clear()
            shown.ui.frames(1)
            assert set(said) == {text} and shown.ui.item("LayerShares.on").disabled == (facts is None)


def test_the_design_of_the_selected_layer_is_drawn(pipeline):
    """About half the gain at f_c; along the diagonal the same for radial filters, and next to none lost for separable ones."""
    facts = pipeline.render(RenderRequest(1, TINY_R)).network
    for name, along_diagonal in (("L5_52_16", -6.5), ("L7_32_16", 0.0)):
        tap = facts.tap(name)
        design = spectrum_chart.Design.of(tap, facts, PanelContext())
        assert design.marks["f_c = s/2" if name == "L7_32_16" else "f_c"] == tap.spec.out_cutoff
        levels = {title: np.interp(tap.spec.out_cutoff, *line) for title, line in design.responses.items()}
        assert levels == {"filter 0°": pytest.approx(-6.4, abs=0.5), "filter 45°": pytest.approx(along_diagonal, abs=0.5)}
    assert spectrum_chart.responses(facts.taps[-2]) == {}, "ToRGB has no filter"
    none = spectrum_chart.Design.of(None, facts, PanelContext())
    assert none.marks == {"s/2": 16.0} and none.responses == {}


@pytest.mark.parametrize("shown_as", ["curves", "map"])
def test_the_design_follows_the_selected_layer_on_screen(shown_as, monkeypatch):
    design, seen = spectrum_chart.Design({"f_c": 8.0, "s/2": 16.0}, {"filter 0°": (np.arange(9.0), np.zeros(9))}), []
    monkeypatch.setattr(spectrum_chart.Design, "of", staticmethod(lambda tap, facts, context: seen.append(tap) or design))
    view = ViewState().edit(AverageSpectrum, on=True).edit(Tap, layer="L4_52_96")
    frame = frame_of(FACTS, overlays={spectrum_chart.NAME: OverlayResult(flat("a", 5, 32))})
    with show(spectrum_chart.PANEL, view, network=FACTS, frame=frame) as shown:
        shown.ui.click(f"AverageSpectrum.show.{shown_as}")
        assert seen[-1].name == "L4_52_96"
        shown.ui.click("AverageSpectrum.design")
        assert seen[-1] is None


def test_seeds_do_not_begin_again_behind_the_last_one(tmp_path, capsys):
    from viz.analysis.average_spectrum import network_pictures
    from viz.errors import CommandError

    tiny, out = str(GOLDEN / "tiny_r.pkl"), tmp_path / "a.npz"
    assert cli.run(["spectrum", tiny, "--num", "2", "--seed", str(2**32 - 1), "--out", str(out)]) == 1
    assert "2 seeds from 4294967295 on go beyond the last one, 4294967295: begin at 4294967294" in capsys.readouterr().err
    with pytest.raises(CommandError, match="beyond the last one"):
        next(network_pictures(None, num=2, seed=2**32 - 1))
    assert cli.run(["spectrum", tiny, "--num", "2", "--seed", str(2**32 - 2), "--out", str(out)]) == 0


def test_a_broken_or_edited_network_has_the_spectrum_that_the_window_shows_of_it(pipeline, tmp_path, capsys):
    tiny, out, words = str(GOLDEN / "tiny_r.pkl"), tmp_path / "a.csv", ("--break", "all:m=1,window=nearest", "--edit", "L1:0:gain=0")
    view = editing(words[3]).applied(breaking(words[1]).applied(TINY_R.edit(AverageSpectrum, on=True, num=3)))
    shown: Curves = steps(pipeline, view, spectrum_chart.NAME)[-1].values
    whole: Curves = steps(pipeline, TINY_R.edit(AverageSpectrum, on=True, num=3), spectrum_chart.NAME)[-1].values
    assert cli.run(["spectrum", tiny, "--num", "3", *words, "--reference", tiny, "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["breaks"] == view.get(BreakIt).summary() and found["edits"] == [words[3]] and found["seed"] == 0
    levels, apart = ([p[name] for p in found["points"] if p["curve"] == "radial"] for name in ("db", "minus_reference_db"))
    assert np.allclose(levels, shown.radial[1], atol=0.01) and np.allclose(apart, shown.radial[1] - whole.radial[1], atol=0.01)
    assert max(apart) > 3
    _, *lines = out.read_text(encoding="utf-8").splitlines()
    assert [(row["curve"], row["db"]) for row in csv.DictReader(lines)] == [(p["curve"], str(p["db"])) for p in found["points"]]


@pytest.mark.parametrize(
    ("source", "words", "said"),
    [
        ("tiny_sg2.pkl", ("--break", "all:m=1"), "no designed filters"),
        ("tiny_r.pkl", ("--break", "L99:m=1"), "there is no layer L99 to break"),
        (
            "tiny_r.pkl",
            ("--set", "Pose.x=1"),
            "--set Pose: what is measured over random latents depends on BreakIt and EditActivations only",
        ),
        ("", ("--edit", "L1:0:gain=0"), "is a folder of pictures: --set, --break and --edit change networks"),
    ],
)
def test_a_spectrum_of_what_is_not_there_is_refused(source, words, said, tmp_path, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert cli.run(["spectrum", str(GOLDEN / source if source else tmp_path), *words, "--out", str(tmp_path / "a.npz")]) == 1
    assert said in capsys.readouterr().err
