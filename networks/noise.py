"""Noise inputs: an image of noise added to all channels of a convolution's output, at a learned strength."""

from __future__ import annotations

import hashlib
from typing import Protocol

import torch
from torch import Tensor


class Noisy(Protocol):
    """A layer with a noise input: the stored image [H, W]."""

    noise_const: Tensor


def noise_image(layer: Noisy, name: str, noise: str | int, ws: Tensor) -> Tensor | None:
    """The noise for one layer: the stored image, none, or fresh normal ones [N, 1, H, W] of the seed and the layer's name.

    Drawn on the CPU, so that a seed means the same noise on every device and whichever layers are remembered.
    """
    if noise == "none":
        return None
    if noise == "const":
        return layer.noise_const
    digest = hashlib.blake2b(f"{noise}/{name}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    return torch.randn(ws.shape[0], 1, *layer.noise_const.shape, generator=generator).to(ws.device)
