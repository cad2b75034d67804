"""The band filter: what is shown holds the chosen frequencies and no others, of pictures, layers with margins, and the error."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from tests.viz import asked
from tests.viz.asked import GOLDEN, ask
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from viz import cli
from viz.analysis import live_equivariance as live
from viz.panels import band as panel
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.stages.band import kept
from viz.state import BandFilter, Channels, Equivariance, Pose, Spectrum, Tap, Tone

VIEW = asked.TINY_R


def tone(frequency, size, rate):
    x = (torch.arange(size) + 0.5 - size / 2) / rate
    return torch.cos(2 * math.pi * frequency * x).expand(1, size, size)


@pytest.mark.parametrize(("size", "rate"), [(64, 64.0), (84, 64.0)])
def test_cycles_per_image_whatever_the_margin(size, rate):
    low, high = tone(4, size, rate), tone(20, size, rate)
    options = BandFilter(on=True, low=10, high=40)
    inside = (..., slice(12, -12), slice(12, -12))
    assert torch.allclose(kept(low + high + 0.3, options, rate)[inside], high[inside], atol=0.03)
    assert torch.allclose(kept(low + high + 0.3, BandFilter(low=0, high=10), rate)[inside], (low + 0.3)[inside], atol=0.03)
    assert not kept(low + high, BandFilter(low=10, high=5), rate).any()


def test_octaves_add_up_to_the_picture(pipeline):
    whole = ask(pipeline, VIEW).picture.values
    octaves = panel.octaves_of(ask(pipeline, VIEW).network)
    parts = [ask(pipeline, VIEW.put(BandFilter(True, low=low, high=high))).picture.values for low, high in octaves.values()]
    assert len(parts) >= 4 and np.allclose(sum(parts), whole, atol=1e-4) and all(not np.allclose(part, whole, atol=0.01) for part in parts)


def test_the_spectrum_of_what_is_on_screen_has_nothing_else(pipeline):
    view = VIEW.put(Spectrum(on=True, all_channels=False)).put(Tap("L5_52_16")).put(Channels(mode="single"))
    frames = [ask(pipeline, v).spectrum for v in (view, view.put(BandFilter(True, low=4.0, high=8.0, softness=0.1)))]
    radius = np.hypot(frames[0].axis, frames[0].axis[:, None])
    outside, inside = (radius > 11) | (radius < 1), (radius > 5) & (radius < 7)
    before, after = (f.power for f in frames)
    assert after[outside].sum() < 0.05 * before[outside].sum() and after[inside].sum() > 0.7 * before[inside].sum()


def test_while_it_is_off_nothing_is_computed_again(pipeline):
    pipeline.memory.clear()
    ask(pipeline, VIEW)
    assert "band" not in ask(pipeline, VIEW.put(BandFilter(False, low=3.0))).ran
    assert "unwarp" not in ask(pipeline, VIEW.put(BandFilter(False, error=True))).ran
    assert "band" in ask(pipeline, VIEW.put(BandFilter(True, low=3.0))).ran
    assert "synthesis" not in ask(pipeline, VIEW.put(BandFilter(True, low=5.0))).ran


def test_the_band_of_the_error(pipeline):
    view = VIEW.edit(Equivariance, on=True).put(Pose(turns=0.1))

    def images(view):
        *_, last = pipeline.refine(ask(pipeline, view))
        return last.overlays["equivariance"]

    whole, upper, lower = (images(view.put(band)) for band in (BandFilter(), BandFilter(error=True), BandFilter(error=True, low=0, high=8)))
    assert upper.values == whole.values, "the number is that of the whole error"
    signed = [r.images[live.SIGNED].values for r in (whole, upper, lower)]
    mask = whole.images[live.SIGNED].mask
    assert np.allclose(signed[1] + signed[2], signed[0], atol=1e-5) and np.abs(signed[1] - signed[0])[mask].max() > 1e-4
    assert "from 8 cycles" in upper.images[live.SIGNED].label and "cycles" not in whole.images[live.SIGNED].label


def test_a_log_scale_keeps_the_sign():
    error = torch.tensor([2.0, -2.0, 0.2, -0.02, 1e-9, 0.0])
    assert live.signed_log(error).tolist() == pytest.approx([1, -1, 0.75, -0.5, 0, 0], abs=1e-6)


def test_on_the_command_line(tmp_path, capsys):
    out = tmp_path / "a.png"
    assert cli.run(["render", str(GOLDEN / "tiny_r.pkl"), "--band", "4", "0", "--gain", "20", "--out", str(out)]) == 0
    expected = Pipeline(headless=True).render(RenderRequest(1, VIEW.put(BandFilter(True, low=4.0)).put(Tone(gain_db=20.0)))).toned
    with Image.open(out) as image:
        assert np.abs(np.asarray(image).astype(int) - expected).max() <= 1
    assert cli.run(["render", str(GOLDEN / "tiny_r.pkl"), "--band", "4", "3", "--out", str(out)]) == 1
    assert "ends before it begins" in capsys.readouterr().err


def test_the_panel():
    facts = alias_free_facts()
    with show(panel.PANEL, network=facts, frame=frame_of(facts)) as seen:
        seen.ui.choose("BandFilter.octave", "4 to 8")
        assert seen.state.get(BandFilter) == BandFilter(True, low=4.0, high=8.0)
        seen.ui.set("BandFilter.low", 5.5)
        seen.ui.click("BandFilter.error")
        assert seen.state.get(BandFilter) == BandFilter(True, error=True, low=5.5, high=8.0)
        seen.ui.click("BandFilter.reset")
        assert seen.state.get(BandFilter) == BandFilter()
    assert list(panel.octaves_of(facts))[-1] == "from 16" and panel.octaves_of(facts)["from 16"] == (16.0, 0.0)
