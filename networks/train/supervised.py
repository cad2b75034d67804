"""Fitting a generator to rendered globes: one step, and how well it does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import globes
from .averages import average_half_life, decay
from .errors import DataError
from .figures import FrechetFigure
from .forward import Pass, picture
from .generator import TrainedGenerator, cosine
from .given import drawn_noise, noise_in
from .graphed import Found, Phases, Values, recorder_for
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
        self._frechet = FrechetFigure(options, processes)
        self._recorder = recorder_for(processes, wanted=options.graph)
        self._phases = self._new_phases()

    def step(self, number: int, images: int) -> dict[str, Tensor | float]:
        """One step, the `number`-th, after so many images."""
        options = self.options
        if self.generator.adopt(options.generator_at(images)):
            self._phases = self._new_phases()
        rate = min(1.0, (number + 1) / WARM_UP_STEPS) * cosine(images / options.images, options.hold)
        self.generator.set_rate(rate)
        return {**self._phases.run("regression", self._compute, self._given(number, images)), "rate": rate}

    def _new_phases(self) -> Phases:
        return Phases(self._recorder, self.processes.device, self.generator.tensors())

    def _given(self, number: int, images: int) -> dict[str, Tensor | float]:
        """All that differs between steps: latents, poses, noise, and what averages keep of themselves."""
        options, batch = self.options, self.options.batch or 1
        draws = Draws(options.seed, number, batch, self.processes)
        z = draws.normal("z", self.generator.config.z_dim)
        given: dict[str, Tensor | float] = {"z": z}
        if options.moves:
            moves = globes.random_moves(batch, options.moves, draws.generator("moves"))
            given["inverse"] = moves[self.processes.share(batch)]
        given |= drawn_noise(self.generator.current, draws.number("noise"), z.shape[0])
        half_life = average_half_life(options.magnitude_half_life or 0.0, 1.0, images)
        given["magnitudes keep"] = torch.tensor(decay(half_life, batch))
        given["average keeps"] = torch.tensor(self.generator.average_keeps(images + batch))
        return given

    def _compute(self, given: Values) -> Found:
        """The step's work on the device; the loss."""
        network, z, inverse = self.generator.current, given["z"], given.get("inverse")
        assert isinstance(z, Tensor) and (inverse is None or isinstance(inverse, Tensor))
        w = network.mapping(z)
        wanted = Pass(noise_in(given), inverse, keep=given["magnitudes keep"], processes=self.processes)
        shown = picture(network, w[:, None].expand(-1, network.num_ws, -1), wanted)
        loss = globes.pyramid_loss(shown, globes.render(z, network.img_resolution, self.surface, inverse))
        network.zero_grad(set_to_none=True)
        loss.backward()
        self.generator.step(None)
        mean = w.detach().mean(dim=0, keepdim=True)
        self.processes.average_([loss, mean])
        network.mapping.update_average(mean)
        self.generator.update_average(given["average keeps"])
        return {"loss": loss.detach()}

    def examples(self, count: int) -> Tensor:
        """What the latents of the sample grid should give."""
        return globes.render(
            grid_latents(self.generator.config.z_dim, count).to(self.processes.device), self.options.resolution, self.surface
        )

    @torch.no_grad()
    def figures(self) -> dict[str, float | str]:
        """Peak signal-to-noise ratio of the averaged generator against the targets of fixed fresh latents, range 2; and, if asked for, the
        Fréchet distance from globes of other latents.
        """
        network = self.generator.average
        z = torch.randn(MEASURED, network.z_dim, generator=generator_for(1000, "measured")).to(self.processes.device)
        targets = globes.render(z, network.img_resolution, self.surface)
        shown = torch.cat([_shown(network, part) for part in z.split(8)])
        psnr_db = round(10 * math.log10(4 / float((shown - targets).square().mean())), 2)
        return {"psnr_db": psnr_db, **self._frechet.of(network, self._globes)}

    def _globes(self, count: int) -> Iterator[Tensor]:
        z = torch.randn(count, self.generator.config.z_dim, generator=generator_for(3, "real"))
        return (globes.render(part.to(self.processes.device), self.options.resolution, self.surface) for part in z.split(8))

    @property
    def translation_limit(self) -> float | None:
        """Image widths that the finished network may be moved by before it draws what nobody taught it, if it can be moved at all."""
        if not self.generator.current.has_pose:
            return None
        return globes.KNOWN if self.options.moves else globes.KNOWN_UNTAUGHT

    def state(self) -> dict[str, Any]:
        """All that changes."""
        return {"generator": self.generator.state()}

    def load(self, state: dict[str, Any], images: int) -> None:
        """Go on from `state` after so many images."""
        self.generator.adopt(self.options.generator_at(max(0, images - 1)))
        self.generator.load(state["generator"])
        self._phases = self._new_phases()


def _shown(network: Any, z: Tensor) -> Tensor:
    return network.synthesize(network.map(z)).clamp(-1, 1)


def grid_latents(z_dim: int, count: int) -> Tensor:
    """The latents of sample grids, the same in every run."""
    return torch.randn(count, z_dim, generator=generator_for(1, "grid"))
