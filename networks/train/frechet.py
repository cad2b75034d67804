"""The Fréchet distance between two sets of pictures: of normal distributions with the means and covariances of their features.

The number means something only together with the features it is over; only with those of the published Inception network it is a FID.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Mean [F] and covariance [F, F] of feature vectors, in float64."""

    mean: Tensor
    covariance: Tensor


def moments(batches: Iterable[Tensor]) -> Moments:
    """Of all vectors [N, F] in the batches; at least two."""
    count, total, products = 0, torch.zeros(()), torch.zeros(())
    for batch in batches:
        vectors = batch.detach().to("cpu", torch.float64)
        count += vectors.shape[0]
        total = total + vectors.sum(dim=0)
        products = products + vectors.T @ vectors
    if count < 2:
        raise ValueError(f"a covariance needs at least 2 vectors, not {count}")
    mean = total / count
    return Moments(mean, (products - count * torch.outer(mean, mean)) / (count - 1))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).

    The trace of the root is the sum of the roots of the eigenvalues of C_a^(1/2) C_b C_a^(1/2), which is symmetric.
    """
    values, vectors = torch.linalg.eigh(a.covariance)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ b.covariance @ root).clamp_min(0).sqrt().sum()
    distance = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * cross
    return max(0.0, float(distance))
