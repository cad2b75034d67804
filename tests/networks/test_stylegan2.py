"""Rung A against the golden networks; noise, residual branches and rows of ws."""

from __future__ import annotations

import pytest
import torch

from networks.build import build
from networks.configs import rung
from networks.generator import Conditions, Generator
from networks.noise import noise_image
from networks.spec import MappingConfig
from networks.steps import run_steps
from networks.stylegan2 import StyleGAN2Generator
from tests.networks.agreement import TOLERANCE, agreements, forward_matrix, golden_arrays, synthesized, tiny
from tests.networks.test_steps import Kept
from torch_utils import ops
from torch_utils.ops import native_doubling
from torch_utils.ops.conv_choice import Choice

NETWORKS = ["tiny_sg2", "tiny_sg2_resnet_cond", "tiny_sg2_orig"]


@pytest.mark.parametrize("name", NETWORKS)
def test_matches_golden(name: str) -> None:
    found = agreements(name)
    assert {a.array for a in found} == {a for a in golden_arrays(name) if a not in ("z", "c")}
    assert not [a for a in found if not a.error < TOLERANCE]


@pytest.mark.parametrize("name", NETWORKS)
def test_matches_golden_with_the_filter_in_the_weights(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the native kernels take only from 64 x 64 on, at every size."""
    monkeypatch.setattr(native_doubling, "LEAST_PIXELS", 1)
    monkeypatch.setattr(native_doubling, "choose", lambda shape: Choice("winograd", ""))
    with ops.use("native", op="doubling_conv2d"):
        try:
            found = agreements(name)
        except ops.BackendError as reason:
            pytest.skip(str(reason))
    assert found and not [a for a in found if not a.error < TOLERANCE]


def mapped(name: str) -> tuple[Generator, torch.Tensor]:
    network, arrays = tiny(name), golden_arrays(name)
    return network, network.map(torch.from_numpy(arrays["z"]), torch.from_numpy(arrays["c"]))


@pytest.mark.parametrize("name", NETWORKS)
def test_taps_describe_what_comes_out(name: str) -> None:
    network, ws = mapped(name)
    for tap in network.taps:
        assert synthesized(network, ws, tap=tap.name).shape == (2, tap.channels, tap.size[1], tap.size[0]), tap.name


@pytest.mark.parametrize("name", NETWORKS)
def test_a_tap_says_which_row_it_reads(name: str) -> None:
    """Changing one row re-runs from the first layer that reads it on: the rows in `taps` are the true ones."""
    network, ws = mapped(name)
    names = [tap.name for tap in network.taps]
    assert [tap.row for tap in network.taps if tap.name in ("b4.conv1", "b8.conv0", "b8.conv1")] == [0, 1, 2]
    for row in range(network.num_ws):
        memo, mixed = Kept(), ws.clone()
        mixed[:, row] += 1
        synthesized(network, ws, memo=memo)
        memo.ran.clear()
        remembered = synthesized(network, mixed, memo=memo)
        first = next(index for index, tap in enumerate(network.taps) if tap.row == row)
        assert memo.ran == names[first:]
        assert torch.equal(remembered, synthesized(network, mixed))


def test_skip_pictures_add_up() -> None:
    network, ws = mapped("tiny_sg2")
    assert [tap.name for tap in network.taps][:7] == ["b4.conv1", "b4", "b4.torgb", "b8.conv0", "b8.conv1", "b8", "b8.torgb"]
    total = synthesized(network, ws)
    last = synthesized(network, ws, tap="b32.torgb")
    assert not torch.allclose(total, last, atol=1e-3)
    assert "b4.torgb" not in [tap.name for tap in tiny("tiny_sg2_orig").taps]


def test_noise_has_three_kinds() -> None:
    network, ws = mapped("tiny_sg2")
    const, none, seven = (synthesized(network, ws, noise=noise) for noise in ("const", "none", 7))
    assert not torch.equal(const, none) and not torch.equal(const, seven)
    assert torch.equal(seven, synthesized(network, ws, noise=7))
    assert not torch.equal(seven, synthesized(network, ws, noise=8))
    with pytest.raises(ValueError, match='noise must be "const", "none" or an integer seed, not \'random\''):
        network.synthesize(ws, noise="random")


def test_seeded_noise_differs_between_layers_and_samples() -> None:
    network, ws = mapped("tiny_sg2")
    assert isinstance(network, StyleGAN2Generator)
    block = network.synthesis.blocks[1]
    assert block.conv0 is not None
    first, second = noise_image(block.conv0, "b8.conv0", 7, ws), noise_image(block.conv1, "b8.conv1", 7, ws)
    assert first is not None and second is not None and first.shape == second.shape == (2, 1, 8, 8)
    assert not torch.equal(first, second) and not torch.equal(first[0], first[1])


def test_seeded_noise_does_not_depend_on_what_is_remembered() -> None:
    network, ws = mapped("tiny_sg2")
    memo, mixed = Kept(), ws.clone()
    mixed[:, 5] += 1
    synthesized(network, ws, noise=3, memo=memo)
    assert torch.equal(synthesized(network, mixed, noise=3, memo=memo), synthesized(network, mixed, noise=3))
    memo.ran.clear()
    synthesized(network, ws, noise=4, memo=memo)
    assert len(memo.ran) == len(network.taps)


def test_there_is_no_pose() -> None:
    network, ws = mapped("tiny_sg2")
    assert not network.has_pose and network.has_noise
    assert torch.equal(synthesized(network, ws, pose=forward_matrix(0, 0, 0)), synthesized(network, ws))
    with pytest.raises(ValueError, match="cannot be posed"):
        network.synthesize(ws, pose=forward_matrix(0.1, 0, 0))
    with pytest.raises(ValueError, match="has no learned pose"):
        network.learned_pose(ws[:, 0])


def test_without_noise_inputs() -> None:
    network = build(rung("A", 16, z_dim=8, w_dim=8, channel_base=64, channel_max=8, use_noise=False, mapping=MappingConfig(2)))
    assert not network.has_noise
    assert not [name for name in network.state_dict() if "noise" in name]
    ws = network.map(torch.randn(1, 8, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(synthesized(network, ws, noise=5), synthesized(network, ws))


@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_layers_stay_near(name: str) -> None:
    network, ws = mapped(name)
    assert {tap.name.split(".")[0] for tap in network.taps if tap.dtype == "float32"} == {"b4", "output"}
    half = run_steps(network._steps(Conditions(half=True)), ws)
    full = synthesized(network, ws)
    assert half is not None and half.shown.dtype == torch.float32
    assert 1e-6 < float((half.shown - full).abs().max() / full.abs().max()) < 2e-2


def test_untrained_network_has_gradients() -> None:
    network = build(rung("A", 16, z_dim=8, w_dim=8, channel_base=64, channel_max=8, architecture="resnet")).requires_grad_(True)
    picture = network(torch.randn(2, 8, generator=torch.Generator().manual_seed(0)))
    assert 1e-3 < float(picture.detach().std()) < 10
    picture.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
