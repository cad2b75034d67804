"""Many channels as one coloured picture: principal components as red, green and blue; two channels as angle and magnitude."""

from __future__ import annotations

import math

import torch

COMPONENTS = 3
MOST_SAMPLES = 1 << 16  # places from which the covariance is taken; more change nothing that is seen
SPREAD = 2.0  # standard deviations that fill the range of the colours


def principal(values: torch.Tensor, inside: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The three strongest principal components over channels, and the share of the variance that they carry.

    values [C, H, W], C >= 3; `inside` [C, h, w], the part from which they are found. Each component is divided by twice its standard
    deviation there, so that it spans the colours. The sign is that with which the channel of the largest weight comes in positive.
    """
    samples = inside.reshape(inside.shape[0], -1).float()
    samples = samples[:, :: max(1, samples.shape[1] // MOST_SAMPLES)]
    mean = samples.mean(dim=1, keepdim=True)
    centred = samples - mean
    variances, vectors = torch.linalg.eigh(centred @ centred.T / centred.shape[1])
    variances, vectors = variances.flip(0).clamp_min(0), vectors.flip(1)
    chosen = vectors[:, :COMPONENTS]
    largest = chosen.gather(0, chosen.abs().argmax(dim=0, keepdim=True))
    chosen = chosen * torch.where(largest < 0, -1.0, 1.0)
    weights = (chosen / (SPREAD * variances[:COMPONENTS].sqrt()).clamp_min(1e-12)).T
    weights = torch.where(variances[:COMPONENTS, None] > 1e-12 * variances[0].clamp_min(1e-30), weights, torch.zeros_like(weights))
    total = float(variances.sum())
    share = float(variances[:COMPONENTS].sum()) / total if total > 0 else 0.0
    shown = torch.einsum("kc,chw->khw", weights, values.float()) - (weights @ mean)[:, :, None]
    return shown, share


def phase(values: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Two channels [2, H, W] as the parts of a complex number: its angle as the hue, its magnitude as the brightness.

    The means over `inside` [2, h, w] are taken out first; twice the root mean square there is full brightness. Returns colours
    [3, H, W] from -1 to 1, red at angle 0, green at a third of a turn.
    """
    mean = inside.float().mean(dim=(1, 2), keepdim=True)
    level = (inside.float() - mean).square().sum(dim=0).mean().sqrt()
    first, second = values.float() - mean
    hue = torch.atan2(second, first) / math.tau
    turned = torch.stack([hue, hue + 2 / 3, hue + 1 / 3])
    pure = ((turned % 1.0 * 6 - 3).abs() - 1).clamp(0, 1)
    brightness = (torch.hypot(first, second) / (SPREAD * level).clamp_min(1e-12)).clamp(0, 1)
    return 2 * pure * brightness - 1
