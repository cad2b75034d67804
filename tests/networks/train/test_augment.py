"""Augmentation: the identity at p = 0, every transformation against its definition, no bias, and derivatives of second order."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from networks.train import augment
from networks.train.augment import Augmentation

MANY = 40_000


def neutral(count: int) -> Augmentation:
    return augment.draw(count, 0.0, 16, torch.Generator().manual_seed(0))


def smooth(size: int, count: int = 1) -> torch.Tensor:
    """Pictures with low frequencies only, another in each channel."""
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    waves = [torch.sin(2 * math.pi * (a * x + b * y) / size + a) for a, b in ((1, 0.5), (0.5, 1.5), (1.5, -1))]
    return torch.stack(waves)[None].repeat(count, 1, 1, 1) * 0.8


def test_nothing_happens_at_p_0() -> None:
    x = torch.randn(8, 3, 16, 16)
    assert torch.equal(augment.apply(x, neutral(8)), x)


def test_everything_happens_at_p_1() -> None:
    drawn = augment.draw(64, 1.0, 16, torch.Generator().manual_seed(0))
    x = smooth(16, 64)
    y = augment.apply(x, drawn)
    assert y.shape == x.shape and y.isfinite().all()
    assert all(float((a - b).abs().max()) > 0.05 for a, b in zip(x, y))


def test_samples_change_places_as_named() -> None:
    x = torch.randn(4, 3, 8, 8)
    drawn = replace(
        neutral(4),
        mirrored=torch.tensor([True, False, False, True]),
        turns=torch.tensor([0, 1, 0, 3]),
        shift=torch.tensor([[0, 0], [0, 0], [2, -1], [0, 0]]),
    )
    y = augment.apply(x, drawn)
    assert torch.equal(y[0], x[0].flip(2))
    assert torch.equal(y[1], x[1].rot90(1, (1, 2)))
    assert torch.equal(y[2, :, :-1, 2:], x[2, :, 1:, :-2])
    assert torch.equal(y[2, :, :-1, 1], x[2, :, 1:, 1])  # reflected at the border sample
    assert torch.equal(y[3], x[3].flip(2).rot90(3, (1, 2)))


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_doing_it_to_all_is_doing_it_where_it_happens(p: float) -> None:
    """What a CUDA graph holds cannot leave out what does not happen."""
    drawn = augment.draw(16, p, 16, torch.Generator().manual_seed(6))
    x = torch.randn(16, 3, 16, 16)
    torch.testing.assert_close(augment.apply_unseen(x, drawn), augment.apply(x, drawn), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shift", [(1.0, 0.0), (0.0, -2.0), (0.5, 0.25)])
def test_the_affine_map_moves_by_pixels(shift: tuple[float, float]) -> None:
    """Output at position v shows the input at v + shift."""
    size = 32
    x = smooth(size)
    y, grid = torch.arange(size) + 0.5 + shift[1], torch.arange(size) + 0.5 + shift[0]
    rows, columns = torch.meshgrid(y, grid, indexing="ij")
    expected = [torch.sin(2 * math.pi * (a * columns + b * rows) / size + a) * 0.8 for a, b in ((1, 0.5), (0.5, 1.5), (1.5, -1))]
    drawn = neutral(1)
    drawn.affine[0, :, 2] = torch.tensor(shift)
    found = augment.apply(x, drawn)
    inside = slice(8, -8)
    torch.testing.assert_close(found[0, :, inside, inside], torch.stack(expected)[:, inside, inside], rtol=0, atol=0.025)


def test_the_affine_map_turns_about_the_centre() -> None:
    drawn = neutral(1)
    drawn.affine[0, :, :2] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])  # output (x, y) shows input (-y, x): a quarter turn
    x = smooth(32)
    found, turned = augment.apply(x, drawn)[0], x[0].rot90(1, (1, 2))
    inside = slice(8, -8)
    torch.testing.assert_close(found[:, inside, inside], turned[:, inside, inside], rtol=0, atol=0.025)


def test_colours_on_the_grey_axis() -> None:
    """Hue and saturation leave grey alone; luma flip negates it; brightness and contrast are what they say."""
    drawn = augment.draw(MANY, 1.0, 16, torch.Generator().manual_seed(3))
    matrix, offset = drawn.colour[:, :, :3], drawn.colour[:, :, 3]
    grey = matrix @ torch.ones(3)
    torch.testing.assert_close(grey, grey[:, :1].expand(-1, 3), rtol=1e-4, atol=1e-5)
    assert torch.equal(offset, offset[:, :1].expand(-1, 3))
    assert float((grey[:, 0] < 0).float().mean()) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(MANY))


def test_each_transformation_happens_as_often_as_asked() -> None:
    p, bound = 0.4, 4 * 0.5 / math.sqrt(MANY)
    drawn = augment.draw(MANY, p, 64, torch.Generator().manual_seed(1))
    assert float(drawn.mirrored.float().mean()) == pytest.approx(p / 2, abs=bound)
    for quarter in (1, 2, 3):
        assert float((drawn.turns == quarter).float().mean()) == pytest.approx(p / 4, abs=bound)
    axes = drawn.affine[:, :, :2]
    scale = torch.linalg.det(axes).sqrt()
    assert float(((scale - 1).abs() > 1e-5).float().mean()) == pytest.approx(p, abs=bound)
    turned_or_stretched = (axes / scale[:, None, None] - torch.eye(2)).abs().amax(dim=(1, 2)) > 1e-5
    assert float(turned_or_stretched.float().mean()) == pytest.approx(1 - (1 - p) ** 2, abs=bound)  # rotation: p in all; stretch: p
    assert float((drawn.affine[:, :, 2].abs().amax(dim=1) > 0).float().mean()) == pytest.approx(p, abs=bound)
    assert float((drawn.colour[:, 0, 3] != 0).float().mean()) == pytest.approx(p, abs=bound)


def test_nothing_is_biased() -> None:
    """What is symmetric about the identity has the identity as its mean or median: nothing leaks into the generator as a tendency."""
    drawn = augment.draw(MANY, 1.0, 64, torch.Generator().manual_seed(2))
    root = math.sqrt(MANY)
    shift = drawn.shift.float()
    assert float(shift.abs().max()) == 8
    assert all(abs(float(v)) < 4 * float(shift.std()) / root for v in shift.mean(dim=0))
    moved = drawn.affine[:, :, 2]
    assert float(moved.std()) == pytest.approx(8, rel=0.03)
    assert all(abs(float(v)) < 4 * 8 / root for v in moved.mean(dim=0))
    log_scale = torch.linalg.det(drawn.affine[:, :, :2]).log2() / 2
    assert abs(float(log_scale.mean())) < 4 * 0.2 / root and float(log_scale.std()) == pytest.approx(0.2, rel=0.03)
    assert float(drawn.affine[:, :, :2].mean(dim=0).abs().max()) < 4 * 1.1 / root  # turned by any angle alike
    offset = drawn.colour[:, 0, 3]
    assert abs(float(offset.mean())) < 4 * float(offset.std()) / root
    contrast = (drawn.colour[:, :, :3] @ torch.ones(3))[:, 0].abs().log2()
    assert abs(float(contrast.mean())) < 4 * 0.5 / root and float(contrast.std()) == pytest.approx(0.5, rel=0.03)


def test_the_mean_of_augmented_pictures_of_a_constant_is_the_constant_times_the_mean_contrast() -> None:
    """With luma flips at p / 2 a colour's mean shrinks but keeps its sign: the identity stays the most likely orientation."""
    p = 0.5
    drawn = augment.draw(MANY, p, 4, torch.Generator().manual_seed(4))
    found = (drawn.colour[:, :, :3] @ torch.ones(3) * 0.5 + drawn.colour[:, :, 3]).mean(dim=0)
    contrast = 1 - p + p * math.exp((0.5 * math.log(2)) ** 2 / 2)
    torch.testing.assert_close(found, torch.full((3,), 0.5 * (1 - p) * contrast), rtol=0, atol=4 * 0.6 / math.sqrt(MANY))


def test_derivatives_of_second_order() -> None:
    drawn = augment.draw(2, 1.0, 8, torch.Generator().manual_seed(5))
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(2, 3, 8, 8, dtype=torch.float64)

    def loss(pictures: torch.Tensor) -> torch.Tensor:
        return augment.apply(pictures, drawn).tanh().sum()

    (gradient,) = torch.autograd.grad(loss(x), x, create_graph=True)
    (curvature,) = torch.autograd.grad((gradient * direction).sum(), x)
    step = 1e-5
    ahead, behind = (x.detach() + sign * step * direction for sign in (1, -1))
    slope = (loss(ahead) - loss(behind)) / (2 * step)
    torch.testing.assert_close(slope, (gradient * direction).sum(), rtol=1e-6, atol=1e-6)
    gradients = []
    for place in (ahead, behind):
        place.requires_grad_(True)
        gradients.append(torch.autograd.grad(loss(place), place)[0])
    torch.testing.assert_close((gradients[0] - gradients[1]) / (2 * step), curvature, rtol=1e-4, atol=1e-6)


def test_p_follows_the_discriminator() -> None:
    def adjusted(p: float, sign: float) -> float:
        return float(augment.adjusted(torch.tensor(p), torch.tensor(sign), 0.6, 0.01))

    assert adjusted(0.5, 0.9) == pytest.approx(0.51) and adjusted(0.5, 0.3) == pytest.approx(0.49)
    assert adjusted(0.0, 0.3) == 0 and adjusted(1.0, 0.9) == 1
