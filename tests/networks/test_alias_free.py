"""Rungs T and R against the golden networks, and what `synthesize` promises: purity, memory, taps, poses."""

from __future__ import annotations

import copy
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from networks.alias_free import AliasFreeGenerator
from networks.build import build
from networks.configs import rung
from networks.fourier_input import FourierInput
from networks.generator import Conditions
from networks.layer_rule import input_spec
from networks.layers import FilteredLayer
from networks.spec import InputSpec
from networks.steps import run_steps
from networks.train.forward import Pass, picture
from tests.networks.agreement import TOLERANCE, agreements, forward_matrix, golden_arrays, synthesized, tiny, tiny_config
from tests.networks.test_steps import Kept

POSE = forward_matrix(0.3, 0.05, -0.02)


@pytest.mark.parametrize("name", ["tiny_t", "tiny_t_cond", "tiny_r"])
def test_matches_golden(name: str) -> None:
    found = agreements(name)
    assert {a.array for a in found} == {a for a in golden_arrays(name) if a not in ("z", "c") and not a.startswith("untransform")}
    assert not [a for a in found if not a.error < TOLERANCE]


@pytest.fixture(scope="module")
def network() -> AliasFreeGenerator:
    found = tiny("tiny_r")
    assert isinstance(found, AliasFreeGenerator)
    return found


@pytest.fixture(scope="module")
def ws(network: AliasFreeGenerator) -> torch.Tensor:
    return network.map(torch.from_numpy(golden_arrays("tiny_r")["z"][:1]))


def test_taps_describe_what_comes_out(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    assert [tap.name for tap in network.taps][:2] == ["input", "L0_36_16"]
    assert network.taps[-1].name == "output"
    for tap in network.taps:
        shape = synthesized(network, ws, tap=tap.name).shape
        assert shape == (1, tap.channels, tap.size[1], tap.size[0]), tap.name
    assert [tap.row for tap in network.taps] == [*range(network.num_ws), None]
    assert network.taps[1].spec == network.synthesis.specs[0]
    assert (network.taps[1].sampling_rate, network.taps[-1].sampling_rate) == (16, 32)


def test_a_tap_runs_no_later_layer(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    memo = Kept()
    synthesized(network, ws, tap="L2_36_16", memo=memo)
    assert memo.ran == ["input", "L0_36_16", "L1_36_16", "L2_36_16"]


def test_synthesis_changes_nothing(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    given = ws.clone()
    synthesized(network, ws, pose=POSE, learned_pose=(0.6, 0.8, 0.1, 0), memo=Kept())
    assert torch.equal(ws, given)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_two_views_at_once_do_not_meet(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    poses = [forward_matrix(0.1 * k, 0.01 * k, 0) for k in range(8)]
    alone = [synthesized(network, ws, pose=pose) for pose in poses]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pose: synthesized(network, ws, pose=pose), poses, timeout=60))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_memo_reruns_only_what_a_change_touches(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    memo = Kept()
    first = synthesized(network, ws, memo=memo)
    names = [tap.name for tap in network.taps]
    assert memo.ran == names
    mixed = ws.clone()
    mixed[:, 7] += 1
    memo.ran.clear()
    remembered = synthesized(network, mixed, memo=memo)
    assert memo.ran == names[7:]
    assert torch.equal(remembered, synthesized(network, mixed)) and not torch.equal(remembered, first)
    memo.ran.clear()
    assert torch.equal(synthesized(network, ws, memo=memo), first)
    assert torch.equal(synthesized(network, ws, noise=7, memo=memo), first), "there is no noise to change"
    assert memo.ran == []
    synthesized(network, ws, pose=POSE, memo=memo)
    assert memo.ran == names


def test_memo_tells_changed_weights_and_copies_apart(ws: torch.Tensor) -> None:
    network, memo = tiny("tiny_r"), Kept()
    synthesized(network, ws, memo=memo)
    other = copy.deepcopy(network)
    memo.ran.clear()
    synthesized(other, ws, memo=memo)
    assert len(memo.ran) == len(network.taps)
    memo.ran.clear()
    layer = network.synthesis.get_submodule("L8_32_3")
    with torch.no_grad():
        layer.weight.mul_(2)  # type: ignore[union-attr, operator]
    assert torch.equal(synthesized(network, ws, memo=memo), synthesized(network, ws))
    assert memo.ran


def test_a_replaced_pose_does_not_read_its_row(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    memo, other = Kept(), ws.clone()
    other[:, 0] += 1
    synthesized(network, ws, learned_pose=(1, 0, 0, 0), memo=memo)
    memo.ran.clear()
    synthesized(network, other, learned_pose=(1, 0, 0, 0), memo=memo)
    assert memo.ran == []


def test_superseded_returns_nothing(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    asked: list[int] = []

    def superseded() -> bool:
        asked.append(len(asked))
        return len(asked) == 4

    assert network.synthesize(ws, superseded=superseded) is None
    assert len(asked) == 4


def test_giving_the_learned_pose_back_changes_nothing(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    learned = network.learned_pose(ws[:, 0])
    assert learned.shape == (1, 4)
    assert float(learned[0, :2].norm()) == pytest.approx(1)
    given = synthesized(network, ws, learned_pose=learned[0].tolist())
    torch.testing.assert_close(given, synthesized(network, ws), rtol=0, atol=1e-4)
    assert not torch.allclose(synthesized(network, ws, learned_pose=(1, 0, 0, 0)), given, atol=1e-2)


def test_a_learned_pose_is_undone_by_its_forward_matrix(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    """The input is f(R T x): the forward pose R T leads back to the unposed picture."""
    angle, t_x, t_y = 0.4, 0.07, -0.03
    r_c, r_s = math.cos(angle), math.sin(angle)
    forward = np.array([[r_c, -r_s, 0], [r_s, r_c, 0], [0, 0, 1]]) @ np.array([[1, 0, -t_x], [0, 1, -t_y], [0, 0, 1]])
    undone = synthesized(network, ws, learned_pose=(r_c, r_s, t_x, t_y), pose=forward, tap="input")
    torch.testing.assert_close(undone, synthesized(network, ws, learned_pose=(1, 0, 0, 0), tap="input"), rtol=0, atol=1e-4)


def test_base_transform_composes_with_the_pose(ws: torch.Tensor) -> None:
    plain, based = tiny("tiny_r"), tiny("tiny_r")
    base = forward_matrix(0.5, 0.1, 0.02)  # stored as an inverse matrix
    assert isinstance(based, AliasFreeGenerator)
    based.synthesis.input.transform.copy_(torch.from_numpy(base))
    np.testing.assert_array_equal(plain.base_transform, np.eye(3))
    np.testing.assert_allclose(based.base_transform, base, atol=1e-7)
    expected = synthesized(plain, ws, pose=np.linalg.inv(base))
    torch.testing.assert_close(synthesized(based, ws), expected, rtol=0, atol=1e-3)
    expected = synthesized(plain, ws, pose=POSE @ np.linalg.inv(base))
    torch.testing.assert_close(synthesized(based, ws, pose=POSE), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"tap": "L99"}, "no layer 'L99'; there are input, L0_36_16"),
        ({"pose": np.zeros((3, 3))}, "pose must be an invertible 3x3 matrix"),
        ({"pose": [[1, 0], [0, 1]]}, "pose must be an invertible 3x3 matrix"),
        ({"learned_pose": (0, 0, 1, 1)}, "learned_pose must be four numbers"),
        ({"learned_pose": (1, 0, math.nan, 0)}, "learned_pose must be four numbers"),
    ],
)
def test_nonsense_is_named(network: AliasFreeGenerator, ws: torch.Tensor, view: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network.synthesize(ws, **view)


def test_shapes_are_checked(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"ws has shape \(1, 9, 16\), but must be \[N, 10, 16\]"):
        network.synthesize(ws[:, :9])
    with pytest.raises(ValueError, match=r"z has shape \(1, 15\), but must be \[N, 16\]"):
        network.map(torch.zeros(1, 15))
    with pytest.raises(ValueError, match="cutoff must be None or at least 0, not -1"):
        network.map(torch.zeros(1, 16), cutoff=-1)
    with pytest.raises(ValueError, match="conditional: c must be given, with 3 columns"):
        tiny("tiny_t_cond").map(torch.zeros(1, 12))


def test_truncation_stops_at_the_cutoff(network: AliasFreeGenerator) -> None:
    z = torch.from_numpy(golden_arrays("tiny_r")["z"])
    full, none = network.map(z), network.map(z, psi=0, cutoff=3)
    torch.testing.assert_close(none[:, :3], network.w_avg.expand(2, 3, -1))
    assert torch.equal(none[:, 3:], full[:, 3:])
    assert torch.equal(network.map(z, psi=0.5, cutoff=0), full)


def test_half_precision_layers_stay_near(network: AliasFreeGenerator, ws: torch.Tensor) -> None:
    """The fp16 rule asks for a CUDA device; the arithmetic is the same here."""
    assert {tap.dtype for tap in network.taps[1:-1]} == {"float16"}
    half = run_steps(network._steps(Conditions(half=True)), ws)
    full = synthesized(network, ws)
    assert half is not None and half.shown.dtype == torch.float32
    error = float((half.shown - full).abs().max() / full.abs().max())
    assert 1e-6 < error < 2e-2
    assert torch.equal(synthesized(network, ws, force_fp32=False), full), "on the CPU all layers run in float32"


def test_untrained_weights_follow_the_seed() -> None:
    config = tiny_config("tiny_t")
    first, again, other = build(config), build(config, seed=0), build(config, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    assert not torch.equal(first.synthesis.get_submodule("L0_36_8").weight, other.synthesis.get_submodule("L0_36_8").weight)  # type: ignore[arg-type]
    picture = synthesized(first, first.map(torch.randn(4, 16, generator=torch.Generator().manual_seed(0))))
    assert picture.isfinite().all() and 1e-3 < float(picture.std()) < 10


def test_input_frequencies_fill_the_disc_evenly() -> None:
    layer = FourierInput(input_spec(rung("T", 64, channel_base=2**20, channel_max=4096)), 8)
    layer.draw_weights(torch.Generator().manual_seed(0))
    radius = layer.freqs.norm(dim=1) / layer.bandwidth
    assert float(radius.max()) <= 1
    for part in (0.25, 0.5, 0.75):  # uniform: a disc of radius r holds r^2 of all
        assert float((radius < part).float().mean()) == pytest.approx(part**2, abs=0.03)
    assert float(layer.phases.min()) >= -0.5 and float(layer.phases.max()) < 0.5


@pytest.mark.parametrize(("frequency", "amplitude"), [(1.0, 1.0), (2.0, 1.0), (5.0, 0.5), (7.0, 1 / 6), (8.0, 0.0), (30.0, 0.0)])
def test_frequencies_pushed_beyond_the_band_fade_out(frequency: float, amplitude: float) -> None:
    """Full up to the bandwidth 2, nothing from half the sampling rate 8 on, a line in between."""
    layer = FourierInput(InputSpec((36, 36), 16.0, 2.0, 2), w_dim=4)
    layer.weight.data.copy_(math.sqrt(2) * torch.eye(2))
    layer.freqs.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    layer.phases.copy_(torch.tensor([0.25, 0.25]) - 0.5 * frequency / 16)  # a crest on a sample
    shrunk = torch.diag(torch.tensor([frequency, frequency, 1.0]))
    waves = layer(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), shrunk)
    assert waves.detach().abs().amax(dim=(0, 2, 3)).tolist() == pytest.approx([amplitude] * 2, abs=1e-4)


def test_training_pass_has_gradients_and_updates_statistics() -> None:
    network = build(tiny_config("tiny_t")).requires_grad_(True)
    assert isinstance(network, AliasFreeGenerator)
    z = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    layer = network.synthesis.get_submodule("L3_52_8")
    assert isinstance(layer, FilteredLayer)
    before = layer.magnitude_ema.clone()
    w = network.mapping(z)
    network.mapping.update_average(w)
    picture(network, w[:, None].repeat(1, network.num_ws, 1), Pass(keep=0.9)).square().mean().backward()
    assert not torch.equal(layer.magnitude_ema, before)
    assert float(network.w_avg.abs().max()) > 0
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert float(network.synthesis.input.affine.weight.grad.abs().max()) > 0  # type: ignore[union-attr]


def test_viewing_with_a_memo_keeps_no_graph(ws: torch.Tensor) -> None:
    network = tiny("tiny_r").requires_grad_(True)
    assert not synthesized(network, ws, memo=Kept()).requires_grad
    assert synthesized(network, ws).requires_grad
