"""The averaged generator: what training ships. Parameters and running statistics alike are averaged."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def decay(half_life: float, batch: int) -> float:
    """What an average with a half-life in images keeps at a step of `batch` images."""
    return 0.5 ** (batch / max(half_life, 1e-8))


def average_half_life(half_life: float, rampup: float, images: int) -> float:
    """The half-life, but at most a share `rampup` of the images so far: early weights are forgotten soon."""
    return min(half_life, images * rampup)


@torch.no_grad()
def move_towards(average: nn.Module, current: nn.Module, keep: float | Tensor) -> None:
    """average <- keep * average + (1 - keep) * current, for every parameter and buffer."""
    for averaged, now in zip(average.state_dict().values(), current.state_dict().values()):
        if averaged.is_floating_point():
            averaged.lerp_(now, 1 - keep)
