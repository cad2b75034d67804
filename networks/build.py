"""From a configuration to a network."""

from __future__ import annotations

import torch

from networks.alias_free import AliasFreeGenerator
from networks.generator import Generator
from networks.spec import STYLEGAN2, GeneratorConfig
from networks.stylegan2 import StyleGAN2Generator


def build(config: GeneratorConfig, *, seed: int | None = 0) -> Generator:
    """A generator on the CPU, in evaluation mode, with the weights of an untrained network drawn from `seed`.

    None leaves the weights at zero, for a state dict that is about to fill them all.
    """
    network = StyleGAN2Generator(config) if config.family == STYLEGAN2 else AliasFreeGenerator(config)
    if seed is not None:
        network.draw_weights(torch.Generator().manual_seed(seed))
    return network.eval().requires_grad_(False)
