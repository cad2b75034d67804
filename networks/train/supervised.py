"""Fitting a generator to rendered globes: one step, and how well it does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import globes
from .averages import average_half_life, decay
from .errors import DataError
from .forward import Pass, picture
from .generator import TrainedGenerator, cosine
from .options import GLOBES, Options
from .processes import Draws, Processes, generator_for

WARM_UP_STEPS = 100
MEASURED = 64  # latents that the peak signal-to-noise ratio is over


class SupervisedTraining:
    """Regression on freshly rendered targets: L1 on a Laplacian pyramid, Adam, a cosine at the end."""

    def __init__(self, options: Options, processes: Processes) -> None:
        self.options, self.processes = options, processes
        self.generator = TrainedGenerator(options, processes)
        if self.generator.config.z_dim < globes.FEWEST_LATENTS:
            raise DataError(f"--z-dim is {self.generator.config.z_dim}, but globes need at least {globes.FEWEST_LATENTS}")
        self.surface = globes.load_map(Path(options.data.removeprefix(GLOBES)), options.map_width).to(processes.device)

    def step(self, number: int, images: int) -> dict[str, Tensor | float]:
        """One step, the `number`-th, after so many images."""
        options, batch = self.options, self.options.batch or 1
        self.generator.adopt(options.generator_at(images))
        network = self.generator.current
        draws = Draws(options.seed, number, batch, self.processes)
        z = draws.normal("z", network.z_dim)
        inverse = None
        if options.moves:
            moves = globes.random_moves(batch, options.moves, draws.generator("moves"))
            inverse = moves[self.processes.share(batch)].to(self.processes.device)
        w = network.mapping(z)
        half_life = average_half_life(options.magnitude_half_life or 0.0, 1.0, images)
        wanted = Pass(draws.number("noise"), inverse, keep=decay(half_life, batch), processes=self.processes)
        shown = picture(network, w[:, None].expand(-1, network.num_ws, -1), wanted)
        loss = globes.pyramid_loss(shown, globes.render(z, network.img_resolution, self.surface, inverse))
        network.zero_grad(set_to_none=True)
        loss.backward()
        rate = min(1.0, (number + 1) / WARM_UP_STEPS) * cosine(images / options.images, options.hold)
        self.generator.step(rate)
        mean = w.detach().mean(dim=0, keepdim=True)
        self.processes.average_([loss, mean])
        network.mapping.update_average(mean)
        self.generator.update_average(images + batch)
        return {"loss": loss.detach(), "rate": rate}

    def examples(self, count: int) -> Tensor:
        """What the latents of the sample grid should give."""
        return globes.render(
            grid_latents(self.generator.config.z_dim, count).to(self.processes.device), self.options.resolution, self.surface
        )

    @torch.no_grad()
    def figures(self, images: int) -> dict[str, float | str]:
        """Peak signal-to-noise ratio of the averaged generator against the targets of fixed fresh latents, range 2."""
        network = self.generator.average
        z = torch.randn(MEASURED, network.z_dim, generator=generator_for(1000, "measured")).to(self.processes.device)
        targets = globes.render(z, network.img_resolution, self.surface)
        shown = torch.cat([_shown(network, part) for part in z.split(8)])
        return {"psnr_db": round(10 * math.log10(4 / float((shown - targets).square().mean())), 2)}

    @property
    def translation_limit(self) -> float | None:
        """Image widths that the finished network may be moved by, where it was taught what lies outside of the frame."""
        return globes.KNOWN if self.options.moves else None

    def state(self) -> dict[str, Any]:
        """All that changes."""
        return {"generator": self.generator.state()}

    def load(self, state: dict[str, Any], images: int) -> None:
        """Go on from `state` after so many images."""
        self.generator.adopt(self.options.generator_at(max(0, images - 1)))
        self.generator.load(state["generator"])


def _shown(network: Any, z: Tensor) -> Tensor:
    return network.synthesize(network.map(z)).clamp(-1, 1)


def grid_latents(z_dim: int, count: int) -> Tensor:
    """The latents of sample grids, the same in every run."""
    return torch.randn(count, z_dim, generator=generator_for(1, "grid"))
