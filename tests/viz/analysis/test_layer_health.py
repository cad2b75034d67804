"""Layer health: planted clamps and dead channels are found, and the 16-bit error is that of computing it oneself."""

import json
from dataclasses import replace

import pytest
import torch

from networks.build import build
from networks.configs import rung
from networks.loading import save_safetensors
from networks.measures.comparison import ratio_db
from networks.spec import MappingConfig
from tests.viz import asked
from tests.viz.asked import GOLDEN, inputs, steps
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from torch_utils.spectra import cropped_to_image
from viz import cli
from viz.analysis import layer_health
from viz.analysis.layer_health import NAME, Health, alarms, dead_channels, probed, texts
from viz.request import OverlayResult
from viz.state import BreakIt, LayerHealth, LearnedPose, Mixing, Noise, Pose, Source, Tap, ViewState

TINY_R = asked.TINY_R.edit(LayerHealth, on=True)
TINY_SG2 = asked.TINY_SG2.edit(LayerHealth, on=True)
FACTS = alias_free_facts()


@pytest.fixture
def network():
    config = replace(rung("R", 32, z_dim=8, w_dim=8, mapping=MappingConfig(num_layers=1)), channel_base=512, channel_max=12)
    return build(config, seed=0)


# ---------------------------------------------------------------------------------------------------- computation


def test_a_row_with_every_step_and_the_error_of_computing_it_oneself(pipeline):
    found = steps(pipeline, TINY_R.edit(Pose, turns=0.1), NAME)
    network, ws = inputs(pipeline)
    specs = network.synthesis.specs
    assert [len(r.values) for r in found] == list(range(1, len(specs) + 1)) and found[-1].fraction == 1
    with torch.inference_mode():
        x = chain = network.synthesize(ws, pose=Pose(turns=0.1).matrix(), tap="input")
        chain = chain.half()
        for row, (spec, health) in enumerate(zip(specs, found[-1].values, strict=True), start=1):
            layer = network.synthesis.layer(spec)
            probe = probed(layer)
            probe(x, ws[:, row])
            assert (health.clamped, health.largest) == (probe.clamped, probe.largest), "as in 32 bits"
            own, chain, x = layer(x, ws[:, row], dtype=torch.float16), layer(chain, ws[:, row], dtype=torch.float16), layer(x, ws[:, row])
            exact, *others = (cropped_to_image(y[0].double(), spec.out_sampling_rate) for y in (x, own, chain))
            power = float((exact - exact.mean(dim=(1, 2), keepdim=True)).square().sum())
            expected = [ratio_db(power, float((other - exact).square().sum())) for other in others]
            assert [health.own_db, health.chain_db] == pytest.approx(expected, abs=0.1), spec.name
            assert 45 < health.chain_db < 90 and health.channels == spec.out_channels


def test_layers_are_those_of_the_picture_with_its_noise(pipeline, network, tmp_path, monkeypatch):
    network = build(replace(network.config, use_noise=True), seed=0)
    for spec in network.synthesis.specs[:-1]:
        network.synthesis.layer(spec).noise_strength.data.fill_(0.5)
    save_safetensors(network, tmp_path / "noisy.safetensors")
    seen = []
    monkeypatch.setattr(layer_health, "dead_channels", lambda values, rate: seen.append(values) or ())
    view = TINY_R.put(Source(str(tmp_path / "noisy.safetensors"))).put(Noise("random", 3)).put(LearnedPose("none")).put(Mixing((2,), 8))
    steps(pipeline, view, NAME)
    network, ws = inputs(pipeline)
    for spec, values in zip(network.synthesis.specs, seen, strict=True):
        expected = network.synthesize(ws, tap=spec.name, noise=3, learned_pose=(1.0, 0.0, 0.0, 0.0))[0]
        assert torch.allclose(values, expected, atol=1e-4), spec.name


def test_eight_bits_are_worse_than_eleven_by_three_bits(pipeline):
    half, brain = (steps(pipeline, TINY_R.edit(LayerHealth, dtype=dtype), NAME)[-1].values for dtype in ("float16", "bfloat16"))
    for a, b in zip(half, brain, strict=True):
        assert a.own_db - b.own_db == pytest.approx(18, abs=4)  # 6 dB a bit


def test_a_constant_beyond_the_clamp_is_clamped_everywhere_and_one_below_nowhere(network):
    layer = probed(network.synthesis.layer(network.synthesis.specs[3]))
    spec = layer.spec
    side = spec.in_size[0] + spec.conv_kernel - 1
    for value, share in ((200.0, 1.0), (150.0, 0.0), (-100.0, 0.0)):  # -100 becomes -28 after the leaky ReLU and its gain
        layer.nonlinearity(torch.full((1, spec.out_channels, side, side), value), torch.zeros(spec.out_channels))
        assert layer.clamped == pytest.approx(share, abs=0.35 if share else 0)  # outside, the padding is zero
    assert layer.largest == pytest.approx(100 * 0.2 * 2**0.5, rel=0.15)


def test_the_probed_layer_computes_what_the_layer_computes(network):
    ws = network.map(torch.randn(1, 8, generator=torch.Generator().manual_seed(0)))
    x = network.synthesize(ws, tap="input")
    for spec in (network.synthesis.specs[0], network.synthesis.specs[-1]):
        layer = network.synthesis.layer(spec)
        x = x if spec is network.synthesis.specs[0] else network.synthesize(ws, tap=network.taps[-3].name)
        assert torch.equal(probed(layer)(x, ws[:, 1]), layer(x, ws[:, 1]))
    assert type(layer).__name__ == "FilteredLayer"


def test_without_a_clamp_nothing_is_said_of_it(network):
    layer = probed(network.synthesis.layer(network.synthesis.specs[-1]))
    layer.conv_clamp = None
    layer(torch.randn(1, layer.spec.in_channels, *layer.spec.in_size), torch.randn(1, 8))
    assert layer.clamped is None and layer.largest > 0


def test_channels_that_carry_nothing_are_dead():
    values = torch.randn(6, 20, 20, generator=torch.Generator().manual_seed(0))
    values[2] = 7.0
    values[4, 4:-4, 4:-4] = 0.0  # only its margin varies
    assert dead_channels(values, 12.0) == (2, 4)
    assert dead_channels(torch.randn(3, 9, 9), 9.0) == ()
    signs = 1 - 2.0 * (torch.arange(100).reshape(1, 10, 10) % 2).expand(4, 10, 10)  # of deviation 1
    for deviation, dead in ((0.98e-4, (3,)), (1.02e-4, ())):  # the layer's own is the root of 3 / 4
        levels = torch.tensor([1, 1, 1, deviation * 0.75**0.5])
        assert dead_channels(signs * levels[:, None, None], 10.0) == dead


def test_a_channel_without_weights_is_found_in_the_network(pipeline):
    steps(pipeline, TINY_R, NAME)
    network, _ = inputs(pipeline)
    layer = network.synthesis.layer(network.synthesis.specs[2])
    before = layer.weight[1].clone()
    try:
        with torch.no_grad():
            layer.weight[1] = 0
        pipeline.memory.clear()
        assert 1 in steps(pipeline, TINY_R, NAME)[-1].values[2].dead
    finally:
        with torch.no_grad():
            layer.weight[1] = before
        pipeline.memory.clear()
    assert 1 not in steps(pipeline, TINY_R, NAME)[-1].values[2].dead


def test_it_looks_at_the_broken_network(pipeline):
    plain = steps(pipeline, TINY_R, NAME)[-1].values
    broken = steps(pipeline, TINY_R.put(BreakIt((1,), noise=5.0)), NAME)[-1].values
    assert broken[1].largest > 1.5 * plain[1].largest and broken[0] == plain[0]


def test_stylegan2_is_left_out(pipeline):
    assert steps(pipeline, TINY_SG2, NAME)[-1].values is None


# ---------------------------------------------------------------------------------------------------- control


def test_the_command_line_has_the_same_numbers(pipeline, capsys, tmp_path):
    seen = steps(pipeline, TINY_R.edit(LayerHealth, dtype="bfloat16"), NAME)[-1].values
    network, out = str(GOLDEN / "tiny_r.pkl"), tmp_path / "health.png"
    assert cli.run(["health", network, "--dtype", "bfloat16", "--json", "--out", str(out)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["dtype"] == "bfloat16" and out.stat().st_size > 3000
    for layer, health in zip(printed["layers"], seen, strict=True):
        assert (layer["name"], layer["dead"], layer["channels"]) == (health.name, list(health.dead), health.channels)
        assert layer["own_db"] == pytest.approx(health.own_db, abs=0.05) and layer["chain_db"] == pytest.approx(health.chain_db, abs=0.05)
    assert cli.run(["health", str(GOLDEN / "tiny_sg2.pkl")]) == 1 and "no filtered layers" in capsys.readouterr().err


def test_what_deserves_attention_stands_out():
    sound = Health("L3_52_96", 70.0, 68.0, 0.0, 12.0, (), 96)
    assert texts(sound) == ("L3", "70.0", "68.0", "none", "12.0", "none") and not any(alarms(sound))
    ill = Health("L3_52_96", 39.0, 12.0, 0.002, 1e6, (3, 5), 96)
    assert texts(ill, half=True) == ("L3 ·", "39.0", "12.0", "0.20 %", "1.00e+06", "2 of 96") and all(alarms(ill))
    assert texts(replace(sound, clamped=None, own_db=None))[1:4:2] == ("—", "—")
    assert alarms(replace(sound, own_db=None, chain_db=40.0, largest=65504.0)) == (False, False, False, True, False)


def test_a_click_looks_at_the_layer():
    found = tuple(Health(tap.name, 70.0, 70.0, 0.0, 1.0, (0,), 96) for tap in FACTS.taps if tap.spec is not None)
    frame = replace(frame_of(FACTS), overlays={NAME: OverlayResult(found)})
    with show(layer_health.PANEL, ViewState().edit(LayerHealth, on=True), network=FACTS, frame=frame) as shown:
        shown.ui.click(f"LayerHealth.{found[4].name}")
        assert shown.state.get(Tap).layer == found[4].name
        shown.ui.click("LayerHealth.dtype.bfloat16")
        assert shown.state.get(LayerHealth) == LayerHealth(on=True, dtype="bfloat16")
        shown.ui.click("LayerHealth.on")
        assert not shown.state.get(LayerHealth).on


def test_the_panel_says_what_is_missing(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(layer_health, "wrapped_text", said.append)
    monkeypatch.setattr(layer_health, "invitation", lambda state, *args, **kwargs: said.append(args[2]) or state)
    on = ViewState().edit(LayerHealth, on=True)
    for view, facts, overlays, texts_shown in (
        (on, None, {}, {layer_health.EMPTY}),
        (ViewState(), FACTS, {NAME: OverlayResult(())}, {layer_health.EMPTY}),
        (on, FACTS, {}, set()),
        (on, FACTS, {NAME: OverlayResult()}, {layer_health.NOTHING}),
    ):
        with show(layer_health.PANEL, view, network=facts, frame=frame_of(FACTS, overlays=overlays)) as shown:
            said.clear()
            shown.ui.frames(1)
            assert set(said) == texts_shown
            assert shown.ui.item("LayerHealth.on").disabled == (facts is None) == shown.ui.item("LayerHealth.dtype.bfloat16").disabled
