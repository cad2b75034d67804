"""The adversarial game: one step of the generator and one of the discriminator, with lazy regularisation of both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from . import augment, losses
from .averages import decay
from .crops import resized
from .discriminator import Discriminator
from .errors import TrainingError
from .figures import FrechetFigure
from .forward import Pass, picture
from .generator import TrainedGenerator, discriminator_optimiser, load_optimiser, optimiser_state, step, weights_generator
from .given import drawn_augmentation, drawn_latents, drawn_noise, noise_in, styles_in
from .graphed import Found, Phases, Values, recorder_for
from .options import Options
from .packed import Ahead, Packed
from .pictures import Pictures
from .processes import Draws, Processes

ADA_EVERY = 4  # steps between adjustments of p
PATH_MEAN_DECAY = 0.99
NORMALISED_BY = 64  # training pictures that the projected discriminator's features are normalised by
PATH_SHARE = 2  # one sample in so many serves path length regularisation


class AdversarialTraining:
    """Generator against discriminator on pictures. Every scalar that a process decides by is averaged over all first.

    A step is made of a few computations (`Phases`): the generator's, now and then path lengths', the discriminator's, now and then with R1,
    and the average's. Each is a function of what it is `given` and of the tensors that training changes, so that on a GPU it is a graph.
    """

    translation_limit = None

    def __init__(self, options: Options, processes: Processes) -> None:
        self.options, self.processes = options, processes
        self.pictures = Pictures(options)
        self.generator = TrainedGenerator(options, processes)
        if self.generator.config.c_dim:
            raise TrainingError("classes are not trained")
        self.discriminator = _discriminator(options, self.pictures).to(processes.device)
        self._losses = losses.HINGE if options.discriminator == "projected" else losses.LOGISTIC
        self.discriminator.requires_grad_(True)
        self.optimiser = discriminator_optimiser(self.discriminator, options)
        first_p = float(options.augment) if options.augment not in ("none", "ada") else 0.0
        self.p = torch.tensor(first_p, device=processes.device)
        self.signs: list[Tensor] = []  # of the steps since p was adjusted
        self.path_mean = torch.zeros((), device=processes.device)
        self._recorder = recorder_for(processes, wanted=options.graph)
        self._phases = self._new_phases()
        self._frechet = FrechetFigure(options, processes)
        self._unseen = self._phases.are_recorded or processes.device.type != "cpu"  # the host does not look at what was drawn
        pixels = self.pictures.together() if self._unseen else None
        self._pixels = None if pixels is None else pixels.to(processes.device)
        self._ahead = Ahead(self._drawn, wanted=self._unseen)
        rows = processes.share(options.batch or 1)
        self._rows = rows.stop - rows.start
        if self._rows % min(options.group, self._rows):
            raise TrainingError(f"--batch is {options.batch}, but each process's part must be a multiple of --group {options.group}")

    # ------------------------------------------------------------------------------------------------- one step

    def step(self, number: int, images: int) -> dict[str, Tensor | float]:
        """One step, the `number`-th, after so many images."""
        options, batch = self.options, self.options.batch or 1
        if self.generator.adopt(options.generator_at(images)):
            self._ahead.forget()
            self._phases = self._new_phases()
        drawn = self._ahead.take(number, images, batch)
        found: dict[str, Tensor | float] = {**self._phases.run("generator", self._compute_generator, drawn["generator"])}
        if "path length" in drawn:
            found |= self._phases.run("path length", self._compute_paths, drawn["path length"])
        found |= self._discriminator_step(drawn["discriminator"], number)
        self._phases.run("average", self._move_average, drawn["average"])
        if options.augment == "ada" and (number + 1) % ADA_EVERY == 0:
            self._adjust(batch)
        return {**found, "p": self.p.clone(), "blur": self._sigma(images)}

    def _drawn(self, number: int, images: int) -> dict[str, Values | Packed]:
        """All that a step's computations are given, by their names: it depends on the seed and the step alone."""
        draws = Draws(self.options.seed, number, self.options.batch or 1, self.processes)
        found = {"generator": self._for_generator(draws, images), "discriminator": self._for_discriminator(draws, images)}
        if self.options.path_length and number % self.options.path_every == 0:
            found["path length"] = self._for_paths(draws)
        found["average"] = {"keep": self.generator.average_keeps(images + draws.batch)}
        return {name: self._phases.packed(given) for name, given in found.items()}

    def _for_generator(self, draws: Draws, images: int) -> dict[str, Tensor | float]:
        network, options = self.generator.current, self.options
        given: dict[str, Tensor | float] = {**drawn_latents(network, draws, "G", options.style_mixing or 0.0)}
        given |= drawn_noise(network, draws.number("noise of G"), self._rows)
        given |= self._augmentation(draws, "augmentation of G") | self._blur(images)
        given["keep"] = decay(options.magnitude_half_life or 0.0, draws.batch)
        return given

    def _for_paths(self, draws: Draws) -> dict[str, Tensor | float]:
        network, count = self.generator.current, max(1, self._rows // PATH_SHARE)
        given: dict[str, Tensor | float] = {**drawn_latents(network, draws, "paths", self.options.style_mixing or 0.0)}
        given |= drawn_noise(network, draws.number("noise of paths"), count)
        given["directions"] = draws.normal("paths", network.img_channels, network.img_resolution, network.img_resolution)[:count]
        return given

    def _for_discriminator(self, draws: Draws, images: int) -> dict[str, Tensor | float]:
        network, options = self.generator.current, self.options
        given: dict[str, Tensor | float] = {**drawn_latents(network, draws, "D", options.style_mixing or 0.0)}
        given |= drawn_noise(network, draws.number("noise of D"), self._rows)
        for purpose in ("augmentation of fakes", "augmentation of reals"):
            given |= self._augmentation(draws, purpose)
        if self._pixels is None:
            given["real"] = self.pictures.batch(draws, images, options.seed)
        else:
            given["crops"] = self.pictures.crops(draws, images, options.seed)
        return given | self._blur(images)

    def _compute_generator(self, given: Values) -> Found:
        network = self.generator.current
        self.discriminator.requires_grad_(False)
        w, ws = styles_in(network, given)
        wanted = Pass(noise_in(given), half=self.options.half, keep=given["keep"], processes=self.processes)
        loss = self._losses.generator(self._judged(picture(network, ws, wanted), given, "augmentation of G"))
        network.zero_grad(set_to_none=True)
        loss.backward()
        self.generator.step()
        mean = w.detach().mean(dim=0, keepdim=True)
        self.processes.average_([loss, mean])
        network.mapping.update_average(mean)
        return {"loss_g": loss.detach()}

    def _compute_paths(self, given: Values) -> Found:
        """Lengths of paths in the picture for steps in w are drawn to their running mean (StyleGAN2, section 3.2)."""
        network, options, directions = self.generator.current, self.options, given["directions"]
        assert isinstance(directions, Tensor)
        ws = styles_in(network, given)[1][: len(directions)]
        pictures = picture(network, ws, Pass(noise_in(given), half=options.half))
        lengths = losses.path_lengths(pictures, ws, directions)
        mean = lengths.detach().mean()
        self.processes.average_([mean])
        self.path_mean.copy_(self.path_mean * PATH_MEAN_DECAY + mean * (1 - PATH_MEAN_DECAY))
        loss = (lengths - self.path_mean).square().mean() * ((options.path_length or 0.0) * options.path_every)
        network.zero_grad(set_to_none=True)
        (loss + 0 * pictures.sum()).backward()
        self.generator.step()
        return {"path_length": mean}

    def _discriminator_step(self, given: Values | Packed, number: int) -> Found:
        if self.options.gamma and number % self.options.r1_every == 0:
            found = self._phases.run("discriminator with R1", lambda given: self._compute_discriminator(given, penalised=True), given)
        else:
            found = self._phases.run("discriminator", lambda given: self._compute_discriminator(given, penalised=False), given)
        if self.options.augment == "ada":
            self.signs.append(found["sign"])
        return found

    def _compute_discriminator(self, given: Values, *, penalised: bool) -> Found:
        options, network = self.options, self.generator.current
        real = given["real"] if self._pixels is None else resized(self._pixels, given["crops"], options.resolution)  # type: ignore[arg-type]
        assert isinstance(real, Tensor)
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = picture(network, styles_in(network, given)[1], Pass(noise_in(given), half=options.half))
        real = real.detach().requires_grad_(penalised)
        fakes = self._judged(fake, given, "augmentation of fakes")
        reals = self._judged(real, given, "augmentation of reals")
        loss = self._losses.discriminator(fakes, reals)
        found, total = {}, loss
        if penalised:
            penalty = losses.r1_penalty(reals, real)
            total = loss + penalty * ((options.gamma or 0.0) / 2 * options.r1_every)
            found["r1"] = penalty.detach()
        self.discriminator.zero_grad(set_to_none=True)
        total.backward()
        step(self.optimiser, self.discriminator.parameters(), self.processes)
        answers = {"real": reals.detach().mean(), "fake": fakes.detach().mean(), "sign": reals.detach().sign().mean()}
        found |= {"loss_d": loss.detach(), **answers}
        self.processes.average_(list(found.values()))
        return found

    def _move_average(self, given: Values) -> Found:
        self.generator.update_average(given["keep"])
        return {}

    def _augmentation(self, draws: Draws, purpose: str) -> dict[str, Tensor]:
        return {} if self.options.augment == "none" else drawn_augmentation(draws, purpose)

    def _sigma(self, images: int) -> float:
        return losses.blur_sigma(self.options.blur or 0.0, images, self.options.blur_images or 1)

    def _blur(self, images: int) -> dict[str, Tensor]:
        """Taps of the early blur, while there is something to blur. Where computations are recorded, all as long as the first ones."""
        side, sigma = self.options.resolution, self._sigma(images)
        if losses.blur_reach(sigma, side) < 1:
            return {}
        reach = losses.blur_reach(self.options.blur or 0.0, side) if self._phases.are_recorded else None
        return {"blur": losses.blur_taps(sigma, side, reach)}

    def _judged(self, pictures: Tensor, given: Values, purpose: str) -> Tensor:
        """The discriminator's answers to pictures, as it sees them: augmented, and at first blurred."""
        numbers, taps = given.get(purpose), given.get("blur")
        if isinstance(numbers, Tensor) and (self._unseen or self.p > 0):
            wanted = augment.formed(numbers, self.p, self.options.resolution)
            pictures = (augment.apply_unseen if self._unseen else augment.apply)(pictures, wanted)
        return self.discriminator(losses.blurred(pictures, taps) if isinstance(taps, Tensor) else pictures, half=self.options.half)

    def _new_phases(self) -> Phases:
        changed = (*self.generator.tensors(), *self.discriminator.state_dict().values())
        return Phases(self._recorder, self.processes.device, changed)

    def _adjust(self, batch: int) -> None:
        """p is read by what is recorded, so that it is changed in place."""
        step = batch * ADA_EVERY / self.options.ada_images
        self.p.copy_(augment.adjusted(self.p, torch.stack(self.signs).mean(), self.options.ada_target, step))
        self.signs.clear()

    # -------------------------------------------------------------------------------------- figures and checkpoints

    def examples(self, count: int) -> Tensor:
        """Training pictures."""
        return self.pictures.examples(count)

    def figures(self) -> dict[str, float | str]:
        """The Fréchet distance between training pictures and those of the averaged generator, with its label."""
        return self._frechet.of(self.generator.average, self.pictures.parts)

    def state(self) -> dict[str, Any]:
        """All that changes. Features that come with a package are left out."""
        weights = {name: value for name, value in self.discriminator.state_dict().items() if not name.startswith("features.")}
        return {
            "generator": self.generator.state(),
            "discriminator": weights,
            "optimiser": optimiser_state(self.optimiser),
            "p": float(self.p),
            "signs": self.signs,
            "path_mean": self.path_mean,
        }

    def load(self, state: dict[str, Any], images: int) -> None:
        """Go on from `state` after so many images."""
        self.generator.adopt(self.options.generator_at(max(0, images - 1)))
        self.generator.load(state["generator"])
        self.discriminator.load_state_dict(self.discriminator.state_dict() | state["discriminator"])
        load_optimiser(self.optimiser, state["optimiser"])
        self.p.fill_(state["p"])
        self.signs = [sign.to(self.processes.device) for sign in state["signs"]]
        self.path_mean = state["path_mean"].to(self.processes.device)
        self._ahead.forget()
        self._phases = self._new_phases()


def _discriminator(options: Options, pictures: Pictures) -> nn.Module:
    drawn_from = weights_generator(options, "the discriminator")
    if options.discriminator == "projected":
        from .features import efficientnet
        from .projected import ProjectedDiscriminator

        projected = ProjectedDiscriminator(efficientnet())
        projected.draw_weights(drawn_from)
        projected.normalise_features(pictures.examples(NORMALISED_BY))
        return projected
    network = Discriminator(options.resolution, (options.d_channel_base, options.d_channel_max), options.group)
    network.draw_weights(drawn_from)
    return network
