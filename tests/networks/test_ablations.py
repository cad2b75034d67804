"""Variations of the rungs: what each changes, that each works as a whole, and what the signal processing makes of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from networks.build import build
from networks.configs import rung
from networks.configs.ablations import ABLATIONS, ablated
from networks.generator import Generator
from networks.ladder import ABLATED, LADDER, Line, Row, table
from networks.layer_rule import layer_specs
from networks.loading import load, save_safetensors
from networks.p4 import expand_kernel
from networks.spec import ConfigError
from tests.networks.agreement import synthesized
from tests.networks.test_rungs import SMALL, decibels

QUARTER = ((0, 1, 0), (-1, 0, 0), (0, 0, 1))
SIXTEEN = {"z_dim": 8, "w_dim": 8, "channel_base": 128, "channel_max": 8}


def small(name: str, *ablations: str, seed: int = 1) -> Generator:
    return build(ablated(rung(name, 32, **SIXTEEN), *ablations), seed=seed)


def latent(network: Generator, samples: int = 1) -> torch.Tensor:
    return network.map(torch.randn(samples, 8, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("name", ["T", "R"])
def test_each_ablation_of_t_and_r_is_a_system(name: str, ablation: str, tmp_path: Path) -> None:
    network, main = small(name, ablation), small(name)
    ws = latent(network)
    picture = synthesized(network, ws)
    assert picture.shape == (1, 3, 32, 32) and picture.isfinite().all() and float(picture.std()) > 1e-4
    assert network.config != main.config
    for tap in network.taps:
        assert synthesized(network, ws, tap=tap.name).shape == (1, tap.channels, tap.size[1], tap.size[0]), tap.name
    save_safetensors(network, tmp_path / "network.safetensors")
    loaded = load(str(tmp_path / "network.safetensors")).network
    assert loaded.config == network.config
    assert torch.equal(synthesized(loaded, ws), picture)


def test_without_flexible_layers_t_is_h_and_r_is_h_with_rotation() -> None:
    assert ablated(rung("T", 64), "no flexible layers") == rung("H", 64)
    rotation = {"conv_kernel": 1, "use_radial_filters": True, "channel_base": 65536, "channel_max": 1024}
    assert ablated(rung("R", 64), "no flexible layers") == dataclasses.replace(rung("H", 64), **rotation)


def test_fixed_features_read_no_row() -> None:
    network = small("T", "fixed fourier features")
    assert network.num_ws == small("T").num_ws - 1
    assert network.taps[0].row is None and [tap.row for tap in network.taps[1:-1]] == list(range(network.num_ws))


def test_capacity_scales_the_channels_of_every_layer() -> None:
    main, half = (layer_specs(config) for config in (rung("T", 256), ablated(rung("T", 256), "half capacity")))
    double = layer_specs(ablated(rung("T", 256), "double capacity"))
    for spec, less, more in zip(main[:-1], half[:-1], double[:-1], strict=True):
        assert less.out_channels == pytest.approx(spec.out_channels / 2, abs=0.6)
        assert more.out_channels == pytest.approx(spec.out_channels * 2, abs=1.1)


@pytest.mark.parametrize(
    ("name", "ablation", "message"),
    [
        ("T", "n = 5", "no ablation 'n = 5'"),
        ("A", "m = 4", "'m = 4' changes nothing on rung A"),
        ("A", "noise inputs", "'noise inputs' changes nothing on rung A"),
        ("H", "no flexible layers", "'no flexible layers' changes nothing on rung H"),
        ("H", "f_t0 = 2^1.5", "changes nothing on rung H"),
        ("G", "fixed fourier features", "changes nothing on rung G"),
    ],
)
def test_what_makes_no_sense_is_named(name: str, ablation: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ablated(rung(name, 32, **SMALL), ablation)


# ----------------------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("name", ["D", "T", "R"])
def test_noise_inputs_of_filtered_layers(name: str) -> None:
    network = small(name, "noise inputs")
    assert network.has_noise
    ws = latent(network, 2)
    assert torch.equal(synthesized(network, ws, noise=1), synthesized(network, ws, noise="none")), "untrained: the strength is 0"
    for parameter_name, parameter in network.named_parameters():
        if parameter_name.endswith("noise_strength"):
            parameter.fill_(0.5)
    one, again, two = (synthesized(network, ws, noise=noise) for noise in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, two)
    assert not torch.equal(synthesized(network, ws, noise="const"), synthesized(network, ws, noise="none"))
    strengths = [key for key in network.state_dict() if key.endswith("noise_strength")]
    assert len(strengths) == network.config.num_layers, "every layer but ToRGB"


# -------------------------------------------------------------------------------------------------------------- p4


def test_p4_has_the_parameters_of_the_paper() -> None:
    network = build(ablated(rung("T", 256, channel_base=16384), "p4"), seed=None)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(21.8, abs=0.05)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_p4_follows_quarter_turns_exactly_at_every_layer(quarters: int) -> None:
    network = small("T", "p4")
    ws = latent(network)
    pose = torch.linalg.matrix_power(torch.tensor(QUARTER, dtype=torch.float64), quarters).tolist()
    for tap in network.taps:
        still, turned = (synthesized(network, ws, tap=tap.name, pose=p) for p in (None, pose))
        expected = still.rot90(quarters, (2, 3))
        if tap.name != "output" and tap.channels != 3:
            expected = expected.unflatten(1, (-1, 4)).roll(quarters, dims=2).flatten(1, 2)
        assert float((turned - expected).abs().max() / still.abs().max()) < 1e-4, tap.name


def test_t_without_p4_does_not_follow_a_quarter_turn() -> None:
    network = small("T")
    ws = latent(network)
    still, turned = synthesized(network, ws), synthesized(network, ws, pose=QUARTER)
    assert float((turned - still.rot90(1, (2, 3))).abs().max() / still.abs().max()) > 0.05


def test_expanding_commutes_with_turning() -> None:
    """Turning the input and cycling its orientations does the same to the output, for random kernels."""
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(2, 3 * 4, 3, 3, generator=random, dtype=torch.float64)
    x = torch.randn(1, 3 * 4, 7, 7, generator=random, dtype=torch.float64)
    kernel = expand_kernel(weight, 4, 4)
    assert kernel.shape == (8, 12, 3, 3)

    def turned(y: torch.Tensor) -> torch.Tensor:
        return y.rot90(1, (2, 3)).unflatten(1, (-1, 4)).roll(1, dims=2).flatten(1, 2)

    torch.testing.assert_close(torch.nn.functional.conv2d(turned(x), kernel), turned(torch.nn.functional.conv2d(x, kernel)))


def test_p4_notices_changed_weights() -> None:
    network = small("T", "p4")
    ws = latent(network)
    before = synthesized(network, ws)
    with torch.no_grad():
        network.synthesis.get_submodule("L2_36_16").weight.mul_(torch.linspace(0.5, 2, 9).view(3, 3))  # type: ignore[union-attr, operator]
    assert not torch.equal(synthesized(network, ws), before)
    with torch.inference_mode():
        assert torch.equal(synthesized(network, ws), synthesized(network, ws))


def test_p4_has_gradients() -> None:
    network = small("T", "p4").requires_grad_(True)
    synthesized(network, latent(network)).square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name


# -------------------------------------------------------------------------------------------------------- measured


@pytest.mark.parametrize(("ablation", "at_most_db"), [("noise inputs", 30), ("lanczos", 62), ("gaussian", 62), ("m = 1", 55)])
def test_what_costs_r_its_equivariance(ablation: str, at_most_db: float) -> None:
    main, worse = (decibels(Line("R", "", ablation=name)) for name in (None, ablation))
    assert worse["eq_t_frac"] < at_most_db < main["eq_t_frac"]
    assert worse["eq_r"] < main["eq_r"] - 4


def test_more_upsampling_helps_r() -> None:
    assert decibels(Line("R", "", ablation="m = 4"))["eq_t"] > decibels(Line("R", ""))["eq_t"] + 6


def test_the_table_has_a_line_for_each_row_and_says_what_is_missing() -> None:
    rows = [Row(line, 1234567, 0.5, {"eq_t": 61.25, "eq_t_frac": None, "eq_r": None}) for line in (*LADDER, *ABLATED)]
    lines = table(rows).splitlines()
    assert len(lines) == 2 + len(rows) and len({len(line) for line in lines}) == 1
    assert "1.2 M" in lines[2] and "500.0" in lines[2] and "61.25" in lines[2] and lines[2].endswith("5.14       —       —")
    assert table([]).count("\n") == 1
