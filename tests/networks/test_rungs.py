"""The ladder: each rung differs from the last by its line, can be built, tapped, posed, saved, loaded, trained, and measured."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path

import pytest
import torch

from networks.build import build
from networks.configs import RUNGS, rung
from networks.filters import design
from networks.generator import Generator
from networks.ladder import LADDER, Line, contrast_db, untrained
from networks.layer_rule import input_spec, layer_specs
from networks.loading import load, save_safetensors
from networks.measures.metrics import measure
from networks.spec import ALIAS_FREE, OCTAVES, STYLEGAN2, ConfigError, GeneratorConfig, read_by
from networks.train.forward import Pass, filtered_layers, picture
from tests.networks.agreement import forward_matrix, synthesized
from tests.networks.test_steps import Kept

SMALL = {"z_dim": 8, "w_dim": 8, "channel_base": 128, "channel_max": 6}
POSE = forward_matrix(0.3, 0.05, -0.02)
POSED = [name for name in RUNGS if name != "A"]
LINES = {  # rung: the rung before it, and all that it changes
    "B": ("A", {"fourier_input": True}),
    "C": ("B", {"use_noise": False}),
    "E": ("D", {"margin_size": 10, "window": "kaiser", "filter_size": 6}),
    "F": ("E", {"lrelu_upsampling": 2}),
    "G": ("F", {"num_critical": 2}),
    "H": ("G", {"learns_pose": True}),
    "T": ("H", {"layer_rule": "flexible", "num_layers": 14}),
    "R": ("T", {"conv_kernel": 1, "use_radial_filters": True, "channel_base": 65536, "channel_max": 1024}),
}


@cache
def small(name: str) -> Generator:
    network = build(rung(name, 32, **SMALL), seed=1)
    for parameter_name, parameter in network.named_parameters():
        if parameter_name.endswith("noise_strength"):
            parameter.fill_(0.3)
    return network


@cache
def mapped(name: str) -> torch.Tensor:
    network = small(name)
    return network.map(torch.randn(2, network.z_dim, generator=torch.Generator().manual_seed(0)))


# ------------------------------------------------------------------------------------------------------- the lines


def changes(before: GeneratorConfig, after: GeneratorConfig) -> dict[str, object]:
    names = [field.name for field in dataclasses.fields(before)]
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("resolution", [32, 256])
def test_a_rung_changes_its_line_only(name: str, resolution: int) -> None:
    before, line = LINES[name]
    assert changes(rung(before, resolution), rung(name, resolution)) == line


def test_rung_d_changes_family_and_mapping_and_keeps_what_stylegan2_has_built_in() -> None:
    before, after = rung("C", 256), rung("D", 256)
    shared = set(read_by(STYLEGAN2)) & set(read_by(ALIAS_FREE))
    assert {name for name in changes(before, after) if name in shared | {"family", "mapping"}} == {"family", "mapping"}
    assert (before.mapping.num_layers, after.mapping.num_layers) == (8, 2)
    specs = layer_specs(after)
    features = [8 * 2 ** (k // 2) for k in range(12)]  # conv0 and conv1 of b8 ... b256, after the one convolution of b4
    assert [spec.out_sampling_rate for spec in specs] == [4, *features, 256]
    assert [spec.out_size[0] for spec in specs] == [4, *features, 256]
    assert [spec.out_channels for spec in specs] == [*(min(32768 // s, 512) for s in (4, *features)), 3]
    assert {spec.down_factor for spec in specs} == {1}
    taps = [design(spec.up_lowpass) for spec in specs if spec.up_factor == 2]
    assert len(taps) == 6 and all(t is not None and t.tolist() == pytest.approx([1 / 8, 3 / 8, 3 / 8, 1 / 8]) for t in taps)
    assert before.num_ws == after.num_ws == 14


@pytest.mark.parametrize(("name", "layers", "rows"), [("E", 13, 14), ("G", 13, 14), ("H", 13, 15), ("T", 14, 16), ("R", 14, 16)])
def test_layers_at_256(name: str, layers: int, rows: int) -> None:
    config = rung(name, 256)
    assert (config.num_layers, len(layer_specs(config)), config.num_ws) == (layers, layers + 1, rows)


def test_rungs_know_their_names_and_the_paper_s_ladder_has_them_all() -> None:
    assert [rung(name, 32).rung for name in RUNGS] == list(RUNGS) == [line.rung for line in LADDER] == list("ABCDEFGHTR")


def test_e_goes_on_beyond_the_borders_and_upsamples_by_a_sinc() -> None:
    config = rung("E", 32)
    specs = layer_specs(config)
    assert input_spec(config).size == (24, 24)
    assert [spec.out_size[0] for spec in specs] == [24, 28, 28, 36, 36, 52, 32, 32]
    for spec in specs:
        low, high = spec.padding[:2]
        assert (spec.in_size[0] + spec.conv_kernel - 1) * spec.up_factor + low + high - spec.up_taps + 1 == spec.out_size[0], spec.name
        assert (spec.in_cutoff, spec.in_half_width) == pytest.approx((spec.in_sampling_rate / 2, 0.2071 * spec.in_sampling_rate), rel=1e-3)
    assert {(spec.up_factor, spec.up_taps, spec.down_factor) for spec in specs} == {(1, 1, 1), (2, 12, 1)}


def test_f_filters_every_nonlinearity() -> None:
    specs = layer_specs(rung("F", 32))
    assert {(spec.up_factor, spec.down_factor) for spec in specs[:-1]} == {(2, 2), (4, 2)}
    assert [spec.up_factor for spec in specs[:-1]] == [2, 4, 2, 4, 2, 4, 2]
    assert all(spec.out_cutoff == spec.out_sampling_rate / 2 for spec in specs)


def test_g_ends_its_transitions_at_half_the_rate_but_for_the_highest_resolution() -> None:
    config = rung("G", 256)
    specs, half_width = layer_specs(config), (math.sqrt(2) - 1) / 2
    for spec in specs[:-1]:
        is_last = spec.out_sampling_rate == 256
        assert spec.is_critically_sampled == is_last
        assert spec.out_half_width == pytest.approx(half_width * spec.out_sampling_rate)
        assert spec.out_cutoff + (0 if is_last else spec.out_half_width) == pytest.approx(spec.out_sampling_rate / 2)
        assert spec.out_stopband == pytest.approx(spec.out_cutoff + spec.out_half_width)
        assert spec.out_channels == round(min(16384 / spec.out_cutoff, 512))
    assert (specs[10].out_channels, layer_specs(rung("F", 256))[10].out_channels) == (437, 256)


# -------------------------------------------------------------------------------------------------- as one system each


@pytest.mark.parametrize("name", RUNGS)
def test_every_place_can_be_tapped(name: str) -> None:
    network, ws = small(name), mapped(name)
    assert ws.shape == (2, network.num_ws, 8)
    for tap in network.taps:
        x = synthesized(network, ws, tap=tap.name)
        assert x.shape == (2, tap.channels, tap.size[1], tap.size[0]) and x.isfinite().all(), tap.name
        if tap.spec is not None:
            assert (tap.sampling_rate, tap.size) == (tap.spec.out_sampling_rate, tap.spec.out_size)
            assert 0 < tap.spec.out_cutoff <= tap.spec.out_stopband <= tap.sampling_rate
    assert network.taps[-1].name == "output" and network.taps[-1].size == (32, 32)
    read = {tap.row for tap in network.taps} - {None}
    assert read == set(range(network.num_ws))


@pytest.mark.parametrize("name", RUNGS)
def test_a_tap_says_which_row_it_reads_and_memory_reruns_the_rest(name: str) -> None:
    network, ws = small(name), mapped(name)
    memo, names = Kept(), [tap.name for tap in network.taps]
    synthesized(network, ws, memo=memo)
    assert memo.ran == names
    for row in range(network.num_ws):
        mixed = ws.clone()
        mixed[:, row] += 1
        memo.ran.clear()
        remembered = synthesized(network, mixed, memo=memo)
        first = next(k for k, tap in enumerate(network.taps) if tap.row == row)
        assert memo.ran == names[first:], row
        assert torch.equal(remembered, synthesized(network, mixed))


@pytest.mark.parametrize("name", POSED)
def test_a_pose_moves_the_picture(name: str) -> None:
    network, ws = small(name), mapped(name)
    assert network.has_pose
    still, posed = synthesized(network, ws), synthesized(network, ws, pose=POSE)
    assert float((still - posed).abs().max()) > 1e-3
    pinned = synthesized(network, ws, learned_pose=(1, 0, 0, 0))
    torch.testing.assert_close(pinned, still, rtol=0, atol=1e-5)  # untrained: the learned pose is the identity
    assert network.learned_pose(ws[:, 0]).tolist() == [[1, 0, 0, 0]] * 2
    assert not torch.equal(synthesized(network, ws, learned_pose=(0, 1, 0, 0)), still)


@pytest.mark.parametrize("name", RUNGS)
def test_only_a_and_b_have_noise(name: str) -> None:
    network, ws = small(name), mapped(name)
    differs = not torch.equal(synthesized(network, ws, noise=1), synthesized(network, ws, noise=2))
    assert network.has_noise == differs == (name in "AB")
    assert any("noise" in key for key in network.state_dict()) == (name in "AB")


@pytest.mark.parametrize("name", RUNGS)
def test_a_saved_network_comes_back(name: str, tmp_path: Path) -> None:
    network, path = small(name), tmp_path / "network.safetensors"
    save_safetensors(network, path)
    loaded = load(str(path))
    assert (loaded.config_name, loaded.network.config) == (name, network.config)
    before, after = network.state_dict(), loaded.network.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(synthesized(loaded.network, mapped(name)), synthesized(network, mapped(name)))


@pytest.mark.parametrize("name", RUNGS)
def test_gradients_reach_every_parameter(name: str) -> None:
    network = build(rung(name, 32, **SMALL), seed=1).requires_grad_(True)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    magnitudes = [layer.magnitude_ema.clone() for layer in filtered_layers(network).values()]
    picture(network, network.map(z), Pass(keep=0.9)).square().mean().backward()
    moved = [not torch.equal(layer.magnitude_ema, m) for layer, m in zip(filtered_layers(network).values(), magnitudes)]
    assert all(moved) and bool(moved) == (name not in "ABC")
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name


def test_rungs_b_to_g_learn_no_pose() -> None:
    learns = {name: any("input.affine" in key for key in small(name).state_dict()) for name in POSED}
    assert [name for name in POSED if learns[name]] == ["H", "T", "R"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer_rule": "linear"}, "layer_rule is 'linear', but must be one of flexible, octaves"),
        ({"layer_rule": OCTAVES}, "num_layers is 14, but must be 7 at 32 pixels"),
        ({"layer_rule": OCTAVES, "num_layers": 7, "num_critical": 8}, "num_critical is 8, but must be from 0 to 7"),
        ({"layer_rule": OCTAVES, "num_layers": 7, "first_cutoff": 3}, "first_cutoff is 3, but must be at most 2"),
        ({"symmetry": "p8"}, "symmetry is 'p8'"),
    ],
)
def test_nonsense_is_named(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GeneratorConfig(32, **changes)


# -------------------------------------------------------------------------------------------------------- measured


@cache
def decibels(line: Line) -> dict[str, float]:
    """EQ-T, EQ-T_frac and EQ-R of an untrained network at 64 x 64, as if its pictures had a usual contrast."""
    network = untrained(line, 64)
    *_, found = measure(network, num=6)
    offset = contrast_db(network)
    return {str(kind): e.db + offset for kind, e in found.estimates.items() if e.db is not None}


def test_equivariance_grows_along_the_ladder() -> None:
    """Without training: the signal processing alone. Bounds are 4 dB and more from what was measured."""
    found = {line.rung: decibels(line)["eq_t_frac"] for line in LADDER if line.rung in "BEFGHTR"}
    assert found["B"] < 22 < found["F"] < 40 < found["G"] < 62
    assert found["E"] + 3 < found["F"] and found["F"] + 15 < found["G"]
    assert found["H"] > 45
    assert found["T"] > found["G"] + 4 and found["R"] > found["G"] + 4


def test_only_r_follows_rotations() -> None:
    found = {line.rung: decibels(line)["eq_r"] for line in LADDER if line.rung != "A"}
    assert found.pop("R") > 55
    assert max(found.values()) < 26
