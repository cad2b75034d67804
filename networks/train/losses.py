"""Losses of the adversarial game, and its two regularisations. Answers of the discriminator are logits: above 0 means real."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating logistic: -log sigmoid(D(G(z))), the mean over samples (Goodfellow et al. 2014)."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """-log(1 - sigmoid(D(G(z)))) - log sigmoid(D(x)), means over samples."""
    return F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean()


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


def mix_styles(ws: Tensor, others: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """With a probability, for the whole batch, the rows from a random one on come from other latents."""
    chance, place = torch.rand(2, generator=generator).tolist()
    if chance >= probability:
        return ws
    first = 1 + int(place * (ws.shape[1] - 1))
    return torch.cat([ws[:, :first], others[:, first:]], dim=1)


def blurred(pictures: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, sigma in pixels, borders continued by reflection; the pictures themselves where there is nothing to blur."""
    reach = min(math.floor(3 * sigma), pictures.shape[3] - 1, pictures.shape[2] - 1)
    if reach < 1:
        return pictures
    offsets = torch.arange(-reach, reach + 1, device=pictures.device, dtype=pictures.dtype)
    taps = torch.exp(-0.5 * (offsets / sigma).square())
    taps = (taps / taps.sum()).expand(pictures.shape[1], 1, 1, -1)
    x = F.pad(pictures, (reach, reach, reach, reach), mode="reflect")
    x = F.conv2d(x, taps, groups=pictures.shape[1])
    return F.conv2d(x, taps.transpose(2, 3), groups=pictures.shape[1])


def blur_sigma(first: float, images: int, until: int) -> float:
    """The blur after so many images: `first` pixels, falling linearly to 0."""
    return first * max(0.0, 1 - images / until)
