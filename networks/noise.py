"""Noise inputs: an image of noise added to all channels of a convolution's output, at a learned strength."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Noisy(Protocol):
    """A layer with a noise input: the stored image [H, W]."""

    noise_const: Tensor


@dataclass(frozen=True, eq=False)
class GivenNoise:
    """Noise drawn before, by layer [N, 1, H, W]: a CUDA graph reads it where it lies."""

    images: Mapping[str, Tensor]


def noise_image(layer: Noisy, name: str, noise: str | int | GivenNoise, ws: Tensor) -> Tensor | None:
    """The noise for one layer: the stored image, none, given ones, or fresh normal ones [N, 1, H, W] of the seed and the layer's name."""
    if noise == "none":
        return None
    if noise == "const":
        return layer.noise_const
    if isinstance(noise, GivenNoise):
        return noise.images[name]
    return fresh_noise(noise, name, (ws.shape[0], 1, *layer.noise_const.shape)).to(ws.device)


def fresh_noise(seed: str | int, name: str, shape: tuple[int, ...]) -> Tensor:
    """Normal noise of a seed and a layer's name, drawn on the CPU, so that it is the same on every device and in whatever order."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    return torch.randn(shape, generator=generator)
