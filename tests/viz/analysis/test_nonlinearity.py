"""Inside the filtered nonlinearity: harmonics as Fourier says, the filter's effect as its response says, steps that are the layer's."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from networks.breakage import Breakage, broken
from tests.networks.agreement import tiny
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from torch_utils.spectra import view_spectrum
from viz import cli
from viz.analysis import nonlinearity as inside, nonlinearity_chart as chart
from viz.pipeline import Pipeline
from viz.request import OverlayResult, RenderRequest
from viz.state import LayerShares, Nonlinearity, Source, Tap, ViewState

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
TINY_R = str(GOLDEN / "tiny_r.pkl")
RATE = 256


def tone(frequency, size=RATE):
    x = (torch.arange(size) + 0.5) / size
    return torch.cos(2 * math.pi * frequency * x).expand(1, 1, size, size)


def bare_layer(**changes):
    """A layer without filters: up 1, down 2."""
    spec = SimpleNamespace(up_factor=1, down_factor=2, padding=0, tmp_sampling_rate=RATE, out_sampling_rate=RATE // 2)
    return SimpleNamespace(spec=spec, up_filter=None, down_filter=None, conv_clamp=None, **changes)


def test_the_harmonics_of_a_tone_are_those_of_its_fourier_series():
    """lrelu(cos) = 0.6 cos + 0.4 |cos|; |cos| has 4 / (pi (4 k^2 - 1)) at 2 k f. With f = 37: 74 and 148, which comes back as 108, lie
    beyond 64; 222 comes back as 34, inside."""
    upsampled, activated = inside.spectra(bare_layer(), tone(37), torch.zeros(1))
    found = inside.harmonics(inside.Steps(upsampled, activated, activated, activated, 1), RATE / 2)
    powers = [0.6**2 / 2, *((0.4 * 4 / math.pi / (4 * k**2 - 1)) ** 2 / 2 for k in range(1, 60))]
    outside = powers[1] + powers[2] + sum(p for k, p in enumerate(powers) if k > 2 and abs((2 * k * 37 + 128) % 256 - 128) > 64)
    assert found.before < 1e-7 and found.made == pytest.approx(outside / sum(powers), rel=2e-3)
    assert found.folded == pytest.approx(found.made) and found.removed == pytest.approx(0, abs=1e-9), "no filter removes nothing"


def test_what_the_layer_clamps_is_clamped():
    layer = bare_layer()
    loud = inside.spectra(layer, tone(37), torch.zeros(1))[1]
    layer.conv_clamp = 0.25
    assert 0 < float(inside.spectra(layer, tone(37), torch.zeros(1))[1].power.sum()) < 0.25**2 < float(loud.power.sum())


def test_a_layer_that_computes_no_numbers_is_told_in_a_sentence(monkeypatch, capsys, tmp_path):
    nothing = view_spectrum(torch.full((4, 4), math.nan))
    monkeypatch.setattr(inside, "steps_of", lambda *_: inside.Steps(nothing, nothing, nothing, nothing, 1))
    assert cli.run(["nonlinearity", TINY_R, "--out", str(tmp_path / "a.png")]) == 1
    assert "computes values that are not finite (NaN or infinity)" in capsys.readouterr().err


def test_the_share_of_all_layers_is_that_of_each():
    network = tiny("tiny_r")
    ws = network.map(torch.randn(1, network.z_dim, generator=torch.Generator().manual_seed(1)))
    for tap in (tap for tap in network.taps if tap.spec is not None and not tap.spec.is_torgb):
        steps = inside.steps_of(network, ws, tap, {})
        expected = inside.harmonics(steps, tap.spec.out_sampling_rate).folded
        assert inside.folded_share(network, ws, tap, {}) == pytest.approx(expected, rel=1e-6) and expected > 0


def test_a_filter_acts_as_its_response_says():
    taps = torch.tensor([0.25, 0.5, 0.25])  # response cos^2(pi f / rate) along each axis
    for frequency in (16, 64, 100):
        before = view_spectrum(tone(frequency)[0], 8.0)
        expected = math.cos(math.pi * frequency / RATE) ** 4
        for kernel in (taps, taps[:, None] * taps):
            after = inside.after_filter(before, kernel)
            assert float(after.power.sum() / before.power.sum()) == pytest.approx(expected, rel=0.01)
    assert inside.after_filter(before, None) is before


def test_what_is_left_beyond_half_the_rate_folds():
    """Two tones before a filter that takes all of the upper one away but a hundredth of its amplitude."""
    signal = tone(20)[0] + tone(100)[0]
    spectrum = view_spectrum(signal, 8.0)
    response = torch.where(torch.hypot(spectrum.fx, spectrum.fy[:, None]) > 64, 1e-4, 1.0)
    left = type(spectrum)(spectrum.power * response, spectrum.fx, spectrum.fy)
    found = inside.harmonics(inside.Steps(spectrum, spectrum, left, left, 1), 128)
    assert found.made == pytest.approx(0.5, rel=1e-3) and found.folded == pytest.approx(1e-4, rel=1e-2)
    assert found.removed == pytest.approx(1 - 1e-4, abs=1e-6)


@pytest.mark.parametrize("name", ["tiny_r", "tiny_t"])
def test_the_repeated_steps_are_those_of_the_layer(name):
    network = tiny(name)
    ws = network.map(torch.randn(1, network.z_dim, generator=torch.Generator().manual_seed(1)))
    for before, tap in zip(network.taps, network.taps[1:], strict=False):
        if tap.spec is None or tap.spec.is_torgb:
            continue
        layer = network.synthesis.layer(tap.spec)
        x, bias = inside.convolved(layer, network.synthesize(ws, tap=before.name), ws[:, tap.row], None)
        assert torch.allclose(layer.nonlinearity(x, bias), network.synthesize(ws, tap=tap.name), atol=1e-5)
        steps = inside.steps_of(network, ws, tap, {})
        out, filtered = float(steps.downsampled.power.sum()), float(steps.filtered.power.sum())
        assert steps.channels == tap.channels and 0.3 < out / filtered < 3, "the same signal, seen through other windows"


def test_many_samples_are_measured_on_some_channels():
    network = tiny("tiny_r")
    ws, tap = network.map(torch.zeros(1, network.z_dim)), network.taps[3]
    some, every = (inside.steps_of(network, ws, tap, {}, most=most) for most in (20_000, 1 << 24))
    assert 1 <= some.channels < every.channels == tap.channels


def test_a_naive_filter_folds_much_more():
    network = tiny("tiny_r")
    ws = network.map(torch.randn(1, network.z_dim, generator=torch.Generator().manual_seed(1)))
    naive = broken(network, Breakage(window="nearest"))
    tap, other = network.taps[4], naive.taps[4]
    good, bad = inside.folded_share(network, ws, tap, {}), inside.folded_share(naive, ws, other, {})
    assert bad > 1e-5 and good < bad / 100
    assert inside.folded_share(broken(network, Breakage(pool="max")), ws, naive.taps[4], {}) is None, "pooling is no filter"


def test_the_nearest_layer_that_has_one():
    taps = tiny("tiny_r").taps
    assert inside.filtered_tap(taps, "input") is None
    assert inside.filtered_tap(taps, taps[2].name) is taps[2]
    last = next(tap for tap in reversed(taps) if tap.spec is not None and not tap.spec.is_torgb)
    assert inside.filtered_tap(taps, "output") is last and inside.filtered_tap(taps, taps[-2].name) is last


# ------------------------------------------------------------------------------------------------- window and terminal


def shown_values(view, name):
    pipeline = Pipeline()
    *_, last = pipeline.refine(pipeline.render(RenderRequest(1, view)))
    assert last.overlays[name].error is None, last.overlays[name].error
    return last.overlays[name].values


def test_the_command_line_has_the_same_numbers(capsys, tmp_path):
    layer = tiny("tiny_r").taps[4].name
    seen = shown_values(ViewState().put(Source(TINY_R)).put(Tap(layer)).put(Nonlinearity(True)), chart.NAME)
    assert cli.run(["nonlinearity", TINY_R, "--layer", layer, "--json", "--out", str(tmp_path / "a.png")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["layer"] == seen.name == layer and printed["folded"] == pytest.approx(seen.shares.folded, rel=1e-3)
    assert list(printed["beyond_half_rate"].values()) == pytest.approx([share for _, share in chart.rows(seen)], rel=1e-3)
    assert (tmp_path / "a.png").stat().st_size > 5000
    assert cli.run(["nonlinearity", TINY_R, "--layer", "L99"]) == 1 and "L99" in capsys.readouterr().err
    assert cli.run(["nonlinearity", str(GOLDEN / "tiny_sg2.pkl")]) == 1 and "no filtered" in capsys.readouterr().err


def test_folded_shares_on_the_command_line(capsys):
    seen = shown_values(ViewState().put(Source(TINY_R)).put(LayerShares(True)), "out of band").found
    assert cli.run(["out-of-band", TINY_R, "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    for printed, share in zip(layers, seen, strict=True):
        assert printed["name"] == share.name
        for field in ("cutoff", "stopband", "folded"):
            expected = getattr(share, field)
            assert printed[field] == (None if expected is None else pytest.approx(expected, rel=1e-2, abs=1e-12))
    assert cli.run(["out-of-band", str(GOLDEN / "tiny_sg2.pkl")]) == 1 and "no designed cutoff" in capsys.readouterr().err


def test_the_panel():
    facts, axis = alias_free_facts(), np.linspace(0.5, 63.5, 64)
    curves = dict.fromkeys(chart.COLORS, (axis, -axis))
    shares = inside.Harmonics(1e-7, 1e-2, 1e-5, 0.999)
    values = chart.Inside("L5_84_96", curves, {"f_c": 11.3, "s/2": 32.0}, shares, 48, 96)
    frame = frame_of(facts, overlays={chart.NAME: OverlayResult(values)})
    with show(chart.PANEL, ViewState().put(Nonlinearity(True)), network=facts, frame=frame) as shown:
        shown.ui.click("Nonlinearity.on")
        assert shown.state.get(Nonlinearity) == Nonlinearity()
    assert chart.texts(values)[1] == "−50.0 dB" and "48 of 96" in chart.texts(values)[2]
    assert chart.read(values, 10.5).startswith("upsampling −10.5 dB") and chart.read(values, 99.0).startswith("upsampling —")
