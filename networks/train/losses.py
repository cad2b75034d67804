"""Losses of the adversarial game, and its two regularisations. Answers of the discriminator are logits: above 0 means real."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating logistic: -log sigmoid(D(G(z))), the mean over samples (Goodfellow et al. 2014)."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """-log(1 - sigmoid(D(G(z)))) - log sigmoid(D(x)), means over samples."""
    return F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean()


def hinge_generator_loss(fake_logits: Tensor) -> Tensor:
    """-D(G(z)), the mean over samples and places (Lim and Ye, Geometric GAN, 2017)."""
    return -fake_logits.mean()


def hinge_discriminator_loss(fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """max(0, 1 + D(G(z))) + max(0, 1 - D(x)), means over samples and places: what is told apart by 1 teaches nothing."""
    return F.relu(1 + fake_logits).mean() + F.relu(1 - real_logits).mean()


@dataclass(frozen=True)
class Game:
    """The two losses of one game: the generator's, of D(G(z)), and the discriminator's, of D(G(z)) and D(x)."""

    generator: Callable[[Tensor], Tensor]
    discriminator: Callable[[Tensor, Tensor], Tensor]


LOGISTIC = Game(generator_loss, discriminator_loss)
HINGE = Game(hinge_generator_loss, hinge_discriminator_loss)


def r1_penalty(real_logits: Tensor, pictures: Tensor) -> Tensor:
    """|grad_x D(x)|^2 at real pictures, the mean over samples; to be weighted by gamma / 2 (Mescheder et al. 2018)."""
    (gradient,) = torch.autograd.grad(real_logits.sum(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def path_lengths(pictures: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """|J_w^T y| for each sample [N]: y is noise of the pictures' shape, divided by the square root of their pixels.

    StyleGAN2, section 3.2. Squared lengths of the rows of ws are averaged over the rows.
    """
    directions = noise / math.sqrt(pictures.shape[2] * pictures.shape[3])
    (gradient,) = torch.autograd.grad((pictures * directions).sum(), ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def mixed_rows(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """Which of `count` rows of ws come from other latents [count]: with a probability those from a random one on, else none."""
    chance, place = torch.rand(2, generator=generator).tolist()
    first = 1 + int(place * (count - 1)) if chance < probability else count
    return torch.arange(count) >= first


def mix_styles(ws: Tensor, others: Tensor, rows: Tensor) -> Tensor:
    """ws [N, num_ws, w_dim] with some rows [num_ws] from others."""
    return torch.where(rows[:, None], others, ws)


def blur_reach(sigma: float, side: int) -> int:
    """Samples on each side that a blur of a picture takes in; below 1 there is nothing to blur."""
    return min(math.floor(3 * sigma), side - 1)


def blur_taps(sigma: float, side: int, reach: int | None = None) -> Tensor:
    """A Gaussian [2 reach + 1], sigma in pixels; a `reach` beyond its own is filled with zeros."""
    own = blur_reach(sigma, side)
    offsets = torch.arange(-own, own + 1, dtype=torch.float32)
    taps = torch.exp(-0.5 * (offsets / sigma).square())
    taps = taps / taps.sum()
    return taps if reach is None else F.pad(taps, (reach - own, reach - own))


def blurred(pictures: Tensor, taps: Tensor) -> Tensor:
    """Pictures convolved with taps [odd] on both axes, borders continued by reflection."""
    reach = taps.shape[0] // 2
    kernel = taps.expand(pictures.shape[1], 1, 1, -1)
    x = F.pad(pictures, (reach, reach, reach, reach), mode="reflect")
    x = F.conv2d(x, kernel, groups=pictures.shape[1])
    return F.conv2d(x, kernel.transpose(2, 3), groups=pictures.shape[1])


def blur_sigma(first: float, images: int, until: int) -> float:
    """The blur after so many images: `first` pixels, falling linearly to 0."""
    return first * max(0.0, 1 - images / until)
