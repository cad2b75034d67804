"""Our own files: what is saved comes back, and what does not fit is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from networks.build import build
from networks.configs import rung
from networks.loading import LoadError, load, save_safetensors
from networks.spec import STYLEGAN2, GeneratorConfig, MappingConfig
from tests.networks.loading.pickles import GOLDEN, TINY

SMALL = {
    "T": GeneratorConfig(32, z_dim=8, w_dim=8, channel_base=64, channel_max=8, num_layers=6, margin_size=5, filter_size=4),
    "R": GeneratorConfig(32, z_dim=8, c_dim=3, w_dim=8, channel_base=64, channel_max=8, conv_kernel=1, use_radial_filters=True),
    "A": GeneratorConfig(
        16, family=STYLEGAN2, z_dim=8, w_dim=8, channel_base=64, channel_max=8, architecture="resnet", conv_clamp=None,
        mapping=MappingConfig(num_layers=3, layer_features=12, lr_multiplier=0.5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_network_comes_back_to_the_bit(name, tmp_path):
    network = build(SMALL[name], seed=3)
    path = tmp_path / "network.safetensors"
    save_safetensors(network, path, {"description": "small", "training": {"images": 3}})
    loaded = load(path)
    assert loaded.network.config == network.config
    assert (loaded.kind, loaded.config_name) == ("safetensors", name)
    assert loaded.metadata["description"] == "small" and loaded.metadata["training"] == {"images": 3}
    before, after = network.state_dict(), loaded.network.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", "ABCDEFGHTR")
def test_every_rung_of_the_ladder_comes_back(name, tmp_path):
    network = build(rung(name, 32, channel_base=256, channel_max=8), seed=1)
    save_safetensors(network, tmp_path / "rung.safetensors")
    loaded = load(tmp_path / "rung.safetensors")
    assert (loaded.config_name, loaded.network.config) == (name, network.config)
    z = torch.randn(1, network.z_dim)
    assert torch.equal(network(z), loaded.network(z))


@pytest.mark.parametrize("name", [*TINY, "tiny_sg2_tf"])
def test_converting_a_snapshot_changes_no_number(name, tmp_path):
    first = load(GOLDEN / f"{name}.pkl")
    path = tmp_path / "converted.safetensors"
    save_safetensors(first.network, path, first.metadata)
    second = load(path)
    z, c = torch.randn(2, first.network.z_dim), torch.eye(first.network.c_dim)[:2]
    c = c if first.network.c_dim else None
    assert torch.equal(first.network(z, c), second.network(z, c))
    assert second.metadata["origin"] == f"{name}.pkl" and second.metadata["origin_sha256"] == first.sha256
    assert second.network.config == first.network.config


@pytest.fixture
def saved(tmp_path):
    """A saved network, and how to write it again with other tensors or metadata."""
    path = tmp_path / "network.safetensors"
    save_safetensors(build(SMALL["T"], seed=1), path)
    tensors = load_file(path)
    metadata = {"constructor": json.dumps(SMALL["T"].to_kwargs())}

    def again(**changes):
        save_file(changes.get("tensors", tensors), path, metadata={**metadata, **changes.get("metadata", {})})
        return path

    again.tensors = tensors
    return again


def test_metadata_beyond_the_constructor_are_not_needed(saved):
    assert load(saved()).config_name == "T"


def test_half_precision_weights_are_widened(saved):
    halves = {name: tensor.half() for name, tensor in saved.tensors.items()}
    network = load(saved(tensors=halves)).network
    assert network.w_avg.dtype == torch.float32
    np.testing.assert_array_equal(network.state_dict()["synthesis.input.freqs"], halves["synthesis.input.freqs"].float())


def test_bfloat16_weights_are_widened(saved):
    assert load(saved(tensors={name: tensor.bfloat16() for name, tensor in saved.tensors.items()})).network.w_avg.dtype == torch.float32


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"constructor": "{"}, "not readable as JSON"),
        ({"constructor": "[" * 100_000}, "not readable as JSON"),
        ({"constructor": "[1]"}, "hold no constructor arguments"),
        ({"constructor": '{"img_resolution": 1073741824}'}, "img_resolution is 1073741824"),
        ({"constructor": '{"img_resolution": 48}'}, "img_resolution is 48"),
        ({"constructor": '{"img_resolution": 64}'}, "missing"),
        ({"constructor": '{"z_dim": 8}'}, "img_resolution is missing"),
        ({"constructor": '{"mapping_kwargs": 3}'}, "mapping_kwargs is not a dict"),
        ({"constructor": '{"img_resolution": 1e400}'}, "img_resolution is inf"),
        ({"family": "diffusion"}, "family is 'diffusion'"),
        ({"family": STYLEGAN2}, r"unknown constructor arguments|missing"),
    ],
)
def test_metadata_that_make_no_network_are_refused(saved, metadata, message):
    with pytest.raises(LoadError, match=message):
        load(saved(metadata=metadata))


def test_a_missing_constructor_is_refused(saved):
    path = saved()
    save_file(saved.tensors, path)
    with pytest.raises(LoadError, match=r"hold no constructor arguments.*Choose .* written by `convert`"):
        load(path)


def test_whole_numbers_are_refused(saved):
    with pytest.raises(LoadError, match="w_avg holds I32 numbers"):
        load(saved(tensors={**saved.tensors, "mapping.w_avg": torch.zeros(8, dtype=torch.int32)}))


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    path = saved()
    before = path.read_bytes()

    def fail(name, data):
        with name.open("wb") as file:
            file.write(data[:4])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        save_safetensors(build(SMALL["T"]), path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
