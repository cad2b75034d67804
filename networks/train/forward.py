"""The generator's forward pass in training: gradients, fresh noise, a pose for each sample, and the magnitudes on the way.

It runs the same steps as `Generator.synthesize`, so that training and inference cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from networks.fourier_input import FourierInput
from networks.generator import Conditions, Generator
from networks.layers import FilteredLayer
from networks.noise import GivenNoise
from networks.steps import Activation
from networks.stylegan2 import Carried

from .processes import Processes


@dataclass(frozen=True)
class Pass:
    """What one forward pass is to do. `keep` is what running magnitudes keep of themselves, None to leave them alone; they move just
    before their layer uses them, so that a layer's measure does not contain the faults of those before it.
    """

    noise: int | GivenNoise = 0
    inverse: Tensor | None = None
    half: bool = False
    keep: float | Tensor | None = None
    processes: Processes = field(default_factory=Processes)


def filtered_layers(generator: Generator) -> dict[str, FilteredLayer]:
    """The layers with a running magnitude, by the names of their steps; none in StyleGAN2."""
    return {name: layer for name, layer in generator.synthesis.named_children() if isinstance(layer, FilteredLayer)}


def picture(generator: Generator, ws: Tensor, wanted: Pass) -> Tensor:
    """ws [N, num_ws, w_dim] -> pictures [N, C, R, R] float32. `wanted.inverse` [N, 3, 3] poses each sample (inverse matrices).

    `wanted.noise` is the seed of fresh noise, or the noise, for networks with noise inputs.
    """
    layers = filtered_layers(generator)
    conditions = Conditions(noise=wanted.noise if generator.has_noise else "none", half=wanted.half and ws.is_cuda)
    activation: Activation | None = None
    for step in generator.steps(conditions):
        if step.name == "input" and wanted.inverse is not None:
            activation = _posed(generator.fourier_input, ws, wanted.inverse, plain=bool(layers))
            continue
        if step.name in layers and activation is not None and wanted.keep is not None:
            _move_magnitude(layers[step.name], activation.shown.detach(), wanted)
        activation = step.run(activation, ws)
    assert activation is not None, "every generator has steps"
    return activation.shown.float()


def _posed(source: FourierInput | None, ws: Tensor, inverse: Tensor, *, plain: bool) -> Activation:
    if source is None:
        raise ValueError("a generator with a constant input cannot be posed")
    features = source(source.learned_pose(ws[:, 0]), inverse)
    return Activation(features) if plain else Activation(features, Carried(features))


@torch.no_grad()
def _move_magnitude(layer: FilteredLayer, x: Tensor, wanted: Pass) -> None:
    """Move the running mean square of a layer's input towards this batch's, over all processes."""
    assert wanted.keep is not None
    found = x.float().square().mean()
    wanted.processes.average_([found])
    layer.magnitude_ema.lerp_(found.to(layer.magnitude_ema), 1 - wanted.keep)
