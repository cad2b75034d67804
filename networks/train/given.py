"""What the computations of training are given: their random numbers, and every number that changes with time.

All of it is drawn on the processor, from the seed and the step (`Draws`), so that the same seed gives the same run on every device, with
CUDA graphs and without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from networks.generator import Generator
from networks.noise import GivenNoise, fresh_noise

from . import augment, losses
from .processes import Draws

NOISE = "noise "


def noise_shapes(network: Generator) -> dict[str, tuple[int, ...]]:
    """Height and width of each noise input, by the name of its step."""
    images = ((name, getattr(module, "noise_const", None)) for name, module in network.synthesis.named_modules())
    return {name: tuple(image.shape) for name, image in images if isinstance(image, Tensor)} if network.has_noise else {}


def drawn_noise(network: Generator, seed: int, count: int) -> dict[str, Tensor]:
    """Fresh noise for `count` pictures; nothing for networks without noise inputs."""
    return {f"{NOISE}{name}": fresh_noise(seed, name, (count, 1, *shape)) for name, shape in noise_shapes(network).items()}


def noise_in(given: Mapping[str, Any]) -> GivenNoise:
    """The noise among what is given."""
    return GivenNoise({name.removeprefix(NOISE): image for name, image in given.items() if name.startswith(NOISE)})


def drawn_latents(network: Generator, draws: Draws, purpose: str, mixing: float) -> dict[str, Tensor]:
    """z of the batch; with style mixing a second one, and the rows of ws that come from it."""
    given = {"z": draws.normal(f"z of {purpose}", network.z_dim)}
    if mixing:
        given["other z"] = draws.normal(f"second z of {purpose}", network.z_dim)
        given["mixed"] = losses.mixed_rows(network.num_ws, mixing, draws.generator(f"mixing of {purpose}"))
    return given


def styles_in(network: Generator, given: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """w [N, w_dim] and ws [N, num_ws, w_dim] of the latents that are given."""
    w = network.mapping(given["z"])
    ws = w[:, None].repeat(1, network.num_ws, 1)
    if "mixed" in given:
        ws = losses.mix_styles(ws, network.mapping(given["other z"])[:, None].expand_as(ws), given["mixed"])
    return w, ws


def drawn_augmentation(draws: Draws, purpose: str) -> dict[str, Tensor]:
    """The numbers that decide, with p, what happens to this process's pictures."""
    return {purpose: augment.drawn(draws.batch, draws.generator(purpose))[draws.processes.share(draws.batch)]}
