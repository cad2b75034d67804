"""The layer rule against the golden layer specifications; configurations in and out of the published argument names."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors import safe_open

from networks.build import build
from networks.configs import rung
from networks.layer_rule import input_spec, layer_specs
from networks.spec import STYLEGAN2, ConfigError, GeneratorConfig, InputSpec, MappingConfig
from tests.networks.agreement import GOLDEN, TINY, tiny_config

SPECS = json.loads((GOLDEN / "layer_specs.json").read_text())
BUNDLED = GOLDEN.parents[1] / "networks" / "bundled" / "globe-r-64.safetensors"


def golden_config(case: dict) -> GeneratorConfig:
    capacity = {"channel_base": case["channel_base"], "channel_max": case["channel_max"]}
    return rung(case["config"], case["img_resolution"], **capacity, **case["overrides"])


@pytest.mark.parametrize("name", SPECS)
def test_layer_rule_matches_golden(name: str) -> None:
    case = SPECS[name]
    specs = layer_specs(golden_config(case))
    assert [spec.out_channels for spec in specs] == case["channels"]
    for spec, golden in zip(specs, case["layers"], strict=True):
        for key, value in golden.items():
            if key in ("up_filter", "down_filter"):
                continue  # their taps are compared in test_filters
            mine = getattr(spec, key)
            if isinstance(value, float):
                assert mine == pytest.approx(value, rel=1e-12), (spec.name, key)
            else:
                assert (list(mine) if isinstance(mine, tuple) else mine) == value, (spec.name, key)


@pytest.mark.parametrize("name", SPECS)
def test_input_matches_golden(name: str) -> None:
    golden = SPECS[name]["input"]
    spec = input_spec(golden_config(SPECS[name]))
    assert (list(spec.size), spec.sampling_rate, spec.bandwidth, spec.channels) == tuple(golden.values())


def test_stylegan2s_fourier_input_takes_the_place_of_its_constant() -> None:
    """Config B: 4 x 4 samples at a rate of 4, a disc of radius 2, and as many features as the constant had channels."""
    for base, channels in ((1024, 256), (16384, 512)):
        config = rung("B", 64, channel_base=base, channel_max=512)
        assert input_spec(config) == InputSpec((4, 4), 4.0, 2.0, channels)
        assert build(rung("A", 64, channel_base=base, channel_max=512), seed=None).state_dict()["synthesis.b4.const"].shape == (
            channels,
            4,
            4,
        )


@pytest.mark.parametrize(("name", "overrides", "millions"), [("T", {"channel_base": 16384}, 23.3), ("R", {"channel_base": 32768}, 15.8)])
def test_parameter_counts_are_those_of_the_paper(name: str, overrides: dict, millions: float) -> None:
    network = build(rung(name, 256, **overrides), seed=None)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize("name", TINY)
def test_arguments_survive_json(name: str) -> None:
    config = tiny_config(name)
    arguments = json.loads(json.dumps(config.to_kwargs()))
    assert GeneratorConfig.from_kwargs(arguments, family=config.family) == config


def test_configuration_is_a_value() -> None:
    config = rung("R", 256)
    assert config == rung("r", 256)
    assert hash(config) == hash(rung("R", 256))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.z_dim = 3  # type: ignore[misc]


@pytest.mark.parametrize("name", ["A", "T", "R"])
def test_rungs_know_their_name(name: str) -> None:
    assert rung(name, 64).rung == name


@pytest.mark.parametrize("half", [{"conv_kernel": 1}, {"use_radial_filters": True}])
def test_half_of_r_is_still_t(half: dict) -> None:
    assert rung("T", 64, **half).rung == "T"


@pytest.mark.parametrize(
    "changes", [{"img_resolution": 4}, {"z_dim": 0, "c_dim": 2}, {"num_critical": 0}, {"num_critical": 13}, {"first_cutoff": 0.5}]
)
def test_the_limits_themselves_are_allowed(changes: dict) -> None:
    config = GeneratorConfig(**{"img_resolution": 64, **changes})
    assert all(getattr(config, name) == value for name, value in changes.items())


def test_bundled_network_has_our_parameter_names_and_shapes() -> None:
    with safe_open(str(BUNDLED), "pt") as file:
        arguments = json.loads(file.metadata()["constructor"])
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    network = build(GeneratorConfig.from_kwargs(arguments), seed=None)
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == shapes


def test_nested_arguments_take_the_defaults_of_their_era() -> None:
    nested = {"img_resolution": 32, "synthesis_kwargs": {"channel_base": 256}, "mapping_kwargs": {"num_layers": 3}}
    old = GeneratorConfig.from_kwargs(nested, family=STYLEGAN2)
    assert (old.conv_clamp, old.num_fp16_res, old.channel_base, old.mapping.num_layers) == (None, 0, 256, 3)
    new = GeneratorConfig.from_kwargs({"img_resolution": 32}, family=STYLEGAN2)
    assert (new.conv_clamp, new.num_fp16_res, new.mapping.num_layers) == (256, 4, 8)
    assert GeneratorConfig.from_kwargs({"img_resolution": 32}).mapping.num_layers == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"img_resolution": 100}, "img_resolution is 100, but must be a power of two"),
        ({"img_resolution": 2}, "img_resolution is 2, but must be a power of two from 4 up"),
        ({"num_critical": -1}, "num_critical is -1, but must be from 0 to 13"),
        ({"num_layers": 0}, "num_layers is 0, but must be at least 1"),
        ({"num_layers": 2}, "num_critical is 2, but must be from 0 to 1 with 2 layers"),
        ({"first_cutoff": 0.0}, "first_cutoff is 0"),
        ({"first_stopband": 2.0}, "first_cutoff is 2"),
        ({"family": "stylegan1"}, "family is 'stylegan1'"),
        ({"window": "hann"}, "window is 'hann', but must be one of kaiser"),
        ({"num_critical": 14}, "num_critical is 14"),
        ({"first_stopband": 1.0}, "first_cutoff is 2"),
        ({"architecture": "deep"}, "architecture is 'deep'"),
        ({"channel_max": 0}, "channel_max is 0, but must be at least 1"),
        ({"z_dim": 0}, "z_dim is 0"),
    ],
)
def test_nonsense_is_named(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GeneratorConfig(**{"img_resolution": 64, **changes})


@pytest.mark.parametrize("name", ["A", "B", "H", "T", "R"])
def test_however_few_channels_every_layer_has_one(name: str) -> None:
    config = rung(name, 64, channel_base=1, channel_max=8, z_dim=4, w_dim=4)
    network = build(config)
    assert network.synthesize(network.map(torch.zeros(1, 4))).shape == (1, 3, 64, 64)
    assert min(tap.channels for tap in network.taps) == 1


def test_unknown_arguments_are_named() -> None:
    with pytest.raises(ConfigError, match="unknown constructor arguments: bandwith, num_layer"):
        GeneratorConfig.from_kwargs({"img_resolution": 64, "bandwith": 2, "num_layer": 3})
    with pytest.raises(ConfigError, match=r"mapping_kwargs\.depth"):
        GeneratorConfig.from_kwargs({"img_resolution": 64, "mapping_kwargs": {"depth": 2}})
    with pytest.raises(ConfigError, match="img_resolution is missing"):
        GeneratorConfig.from_kwargs({})
    with pytest.raises(ConfigError, match="no rung 'Z'"):
        rung("Z", 64)


def test_wide_mapping_widths() -> None:
    mapping = MappingConfig(num_layers=3, embed_features=5, layer_features=7)
    network = build(rung("T", 16, z_dim=4, c_dim=2, w_dim=6, channel_base=64, channel_max=4, num_layers=4, mapping=mapping))
    shapes = {name: tuple(value.shape) for name, value in network.mapping.state_dict().items() if "weight" in name}
    assert shapes == {"embed.weight": (5, 2), "fc0.weight": (7, 9), "fc1.weight": (7, 7), "fc2.weight": (6, 7)}
    assert network.map(torch.zeros(2, 4), torch.eye(2)).shape == (2, 6, 6)
