"""The adversarial game: one step of the generator and one of the discriminator, with lazy regularisation of both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from . import augment, losses
from .averages import decay
from .discriminator import Discriminator
from .errors import TrainingError
from .features import Extractor, extractor
from .forward import Pass, picture
from .frechet import Moments, frechet_distance, moments
from .generator import TrainedGenerator, discriminator_optimiser, step, weights_generator
from .options import Options
from .pictures import Pictures
from .processes import Draws, Processes, generator_for

ADA_EVERY = 4  # steps between adjustments of p
PATH_MEAN_DECAY = 0.99
PATH_SHARE = 2  # one sample in so many serves path length regularisation


class AdversarialTraining:
    """Generator against discriminator on pictures. Every scalar that a process decides by is averaged over all first."""

    translation_limit = None

    def __init__(self, options: Options, processes: Processes) -> None:
        self.options, self.processes = options, processes
        self.pictures = Pictures(options)
        self.generator = TrainedGenerator(options, processes)
        if self.generator.config.c_dim:
            raise TrainingError("classes are not trained")
        self.discriminator = _discriminator(options).to(processes.device)
        self.discriminator.requires_grad_(True)
        self.optimiser = discriminator_optimiser(self.discriminator, options)
        self.p = float(options.augment) if options.augment not in ("none", "ada") else 0.0
        self.signs: list[Tensor] = []
        self.path_mean = torch.zeros((), device=processes.device)
        self.extractor: Extractor | None = None
        self.real_moments: Moments | None = None
        rows = processes.share(options.batch or 1)
        if (rows.stop - rows.start) % min(options.group, rows.stop - rows.start):
            raise TrainingError(f"--batch is {options.batch}, but each process's part must be a multiple of --group {options.group}")

    # ------------------------------------------------------------------------------------------------- one step

    def step(self, number: int, images: int) -> dict[str, Tensor | float]:
        """One step, the `number`-th, after so many images."""
        batch = self.options.batch or 1
        self.generator.adopt(self.options.generator_at(images))
        draws = Draws(self.options.seed, number, batch, self.processes)
        sigma = losses.blur_sigma(self.options.blur or 0.0, images, self.options.blur_images)
        found = self._generator_step(draws, sigma)
        if self.options.path_length and number % self.options.path_every == 0:
            found["path_length"] = self._path_step(draws)
        found |= self._discriminator_step(draws, images, sigma)
        self.generator.update_average(self.generator.average_keeps(images + batch))
        if self.options.augment == "ada" and (number + 1) % ADA_EVERY == 0:
            self._adjust(batch)
        return {**found, "p": self.p, "blur": sigma}

    def _generator_step(self, draws: Draws, sigma: float) -> dict[str, Tensor | float]:
        network = self.generator.current
        self.discriminator.requires_grad_(False)
        keep = decay(self.options.magnitude_half_life or 0.0, draws.batch)
        wanted = Pass(draws.number("noise of G"), half=self.options.half, keep=keep, processes=self.processes)
        w, ws = self._styles(draws, "G")
        answers = self._judged(picture(network, ws, wanted), draws, "augmentation of G", sigma)
        loss = losses.generator_loss(answers)
        network.zero_grad(set_to_none=True)
        loss.backward()
        self.generator.step()
        mean = w.detach().mean(dim=0, keepdim=True)
        self.processes.average_([loss, mean])
        network.mapping.update_average(mean)
        return {"loss_g": loss.detach()}

    def _path_step(self, draws: Draws) -> Tensor:
        """Lengths of paths in the picture for steps in w are drawn to their running mean (StyleGAN2, section 3.2)."""
        network, options = self.generator.current, self.options
        _, ws = self._styles(draws, "paths")
        ws = ws[: max(1, len(ws) // PATH_SHARE)]
        pictures = picture(network, ws, Pass(draws.number("noise of paths"), half=options.half))
        noise = draws.normal("paths", *pictures.shape[1:])[: len(ws)]
        lengths = losses.path_lengths(pictures, ws, noise)
        mean = lengths.detach().mean()
        self.processes.average_([mean])
        self.path_mean = self.path_mean * PATH_MEAN_DECAY + mean * (1 - PATH_MEAN_DECAY)
        loss = (lengths - self.path_mean).square().mean() * ((options.path_length or 0.0) * options.path_every)
        network.zero_grad(set_to_none=True)
        (loss + 0 * pictures.sum()).backward()
        self.generator.step()
        return mean

    def _discriminator_step(self, draws: Draws, images: int, sigma: float) -> dict[str, Tensor | float]:
        options, network = self.options, self.generator.current
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            _, ws = self._styles(draws, "D")
            fake = picture(network, ws, Pass(draws.number("noise of D"), half=options.half))
        real = self.pictures.batch(draws, images, options.seed)
        penalised = bool(options.gamma) and draws.step % options.r1_every == 0
        real.requires_grad_(penalised)
        fakes = self._judged(fake, draws, "augmentation of fakes", sigma)
        reals = self._judged(real, draws, "augmentation of reals", sigma)
        loss = losses.discriminator_loss(fakes, reals)
        found: dict[str, Tensor | float] = {}
        total = loss
        if penalised:
            penalty = losses.r1_penalty(reals, real)
            total = loss + penalty * ((options.gamma or 0.0) / 2 * options.r1_every)
            found["r1"] = penalty.detach()
        self.discriminator.zero_grad(set_to_none=True)
        total.backward()
        step(self.optimiser, self.discriminator.parameters(), self.processes)
        found |= {
            "loss_d": loss.detach(),
            "real": reals.detach().mean(),
            "fake": fakes.detach().mean(),
            "sign": reals.detach().sign().mean(),
        }
        self.processes.average_([value for value in found.values() if isinstance(value, Tensor)])
        self.signs.append(found["sign"])  # type: ignore[arg-type]
        return found

    def _styles(self, draws: Draws, purpose: str) -> tuple[Tensor, Tensor]:
        """w [N, w_dim] and ws [N, num_ws, w_dim] of fresh latents, mixed now and then."""
        network, probability = self.generator.current, self.options.style_mixing or 0.0
        w = network.mapping(draws.normal(f"z of {purpose}", network.z_dim))
        ws = w[:, None].repeat(1, network.num_ws, 1)
        if probability:
            other = network.mapping(draws.normal(f"second z of {purpose}", network.z_dim))[:, None].expand_as(ws)
            ws = losses.mix_styles(ws, other, probability, draws.generator(f"mixing of {purpose}"))
        return w, ws

    def _judged(self, pictures: Tensor, draws: Draws, purpose: str, sigma: float) -> Tensor:
        """The discriminator's answers to pictures, as it sees them: augmented, and at first blurred."""
        if self.p > 0:
            drawn = augment.draw(draws.batch, self.p, pictures.shape[3], draws.generator(purpose))
            pictures = augment.apply(pictures, drawn.rows(self.processes.share(draws.batch)))
        return self.discriminator(losses.blurred(pictures, sigma), half=self.options.half)

    def _adjust(self, batch: int) -> None:
        sign = float(torch.stack(self.signs).mean())
        self.signs.clear()
        self.p = augment.adjusted(self.p, sign, self.options.ada_target, batch * ADA_EVERY / self.options.ada_images)

    # -------------------------------------------------------------------------------------- figures and checkpoints

    def examples(self, count: int) -> Tensor:
        """Training pictures."""
        return self.pictures.examples(count)

    @torch.no_grad()
    def figures(self, images: int) -> dict[str, float | str]:
        """The Fréchet distance between training pictures and those of the averaged generator, with its label."""
        if self.options.frechet == "none":
            return {}
        if self.extractor is None:
            self.extractor = extractor(self.options.frechet, self.processes.device)
        count, vectors, device = self.options.frechet_images, self.extractor.vectors, self.processes.device
        if self.real_moments is None:
            self.real_moments = moments(vectors(part.to(device)) for part in self.pictures.examples(count).split(16))
        network = self.generator.average
        z = torch.randn(count, network.z_dim, generator=generator_for(2, "measured"))
        shown = (network.synthesize(network.map(part.to(device))) for part in z.split(16))
        distance = frechet_distance(self.real_moments, moments(vectors(p.clamp(-1, 1)) for p in shown if p is not None))
        return {
            self.extractor.name: round(distance, 4),
            f"{self.extractor.name}_label": f"{self.extractor.label}, {count} pictures of each",
        }

    def state(self) -> dict[str, Any]:
        """All that changes. Features that come with a package are left out."""
        weights = {name: value for name, value in self.discriminator.state_dict().items() if not name.startswith("features.")}
        return {
            "generator": self.generator.state(),
            "discriminator": weights,
            "optimiser": self.optimiser.state_dict(),
            "p": self.p,
            "signs": self.signs,
            "path_mean": self.path_mean,
        }

    def load(self, state: dict[str, Any], images: int) -> None:
        """Go on from `state` after so many images."""
        self.generator.adopt(self.options.generator_at(max(0, images - 1)))
        self.generator.load(state["generator"])
        self.discriminator.load_state_dict(self.discriminator.state_dict() | state["discriminator"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.p = state["p"]
        self.signs = [sign.to(self.processes.device) for sign in state["signs"]]
        self.path_mean = state["path_mean"].to(self.processes.device)


def _discriminator(options: Options) -> nn.Module:
    if options.discriminator == "projected":
        from .features import efficientnet
        from .projected import ProjectedDiscriminator

        network: Any = ProjectedDiscriminator(efficientnet())
    else:
        network = Discriminator(options.resolution, (options.d_channel_base, options.d_channel_max), options.group)
    network.draw_weights(weights_generator(options, "the discriminator"))
    return network
