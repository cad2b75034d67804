"""The generator in training, its average, and its optimiser; and how they go over to another margin."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from networks.build import build
from networks.generator import Generator
from networks.spec import GeneratorConfig

from .averages import average_half_life, decay, move_towards
from .options import Options
from .processes import Processes, generator_for

State = dict[str, Any]
NOISE = "noise_const"  # how the names of noise inputs' images end
FILTER = "_filter"  # how the names of filters end: up_filter, down_filter, resample_filter


class TrainedGenerator:
    """`current` is what the optimiser changes, `average` what is shipped. The first process's weights hold for all, being drawn alike."""

    def __init__(self, options: Options, processes: Processes) -> None:
        self.options, self.processes = options, processes
        self.current = self._start(options.generator_at(0))
        self.average = build(options.generator_at(0), seed=None).to(processes.device)
        self.average.load_state_dict(self.current.state_dict())
        self.optimiser = self._optimiser()

    @property
    def config(self) -> GeneratorConfig:
        """That of the network as it is now."""
        return self.current.config

    def adopt(self, config: GeneratorConfig) -> bool:
        """Go on with another configuration of the same tensors (another margin): weights and moments carry over by position, images of
        noise inputs, which grow with their layers, are drawn anew.

        Says whether it is another one.
        """
        if config == self.config:
            return False
        state = self.state()
        self.current = build(config, seed=self.options.seed).requires_grad_(True).to(self.processes.device)
        self.average = build(config, seed=self.options.seed).to(self.processes.device)
        self.optimiser = self._optimiser()
        self.load(state)
        return True

    def tensors(self) -> tuple[Tensor, ...]:
        """All that a step changes. A replayed graph does so without their counting it, and what is packed from them would be kept.

        Filters stay as they are: were they counted as changed, their taps would be read again from the GPU, which no recording allows.
        """
        both = (*self.current.state_dict().items(), *self.average.state_dict().items())
        return tuple(tensor for name, tensor in both if not name.endswith(FILTER))

    def state(self) -> State:
        """Weights by position, as layers' names contain their sizes."""
        return {
            "current": list(self.current.state_dict().values()),
            "average": list(self.average.state_dict().values()),
            "optimiser": optimiser_state(self.optimiser),
        }

    def load(self, state: State) -> None:
        """What `state` gave; noise of another size stays as it was drawn."""
        for network, values in ((self.current, state["current"]), (self.average, state["average"])):
            own = network.state_dict()
            of_both = zip(own.items(), values, strict=True)
            taken = {n: mine if n.endswith(NOISE) and mine.shape != value.shape else value for (n, mine), value in of_both}
            network.load_state_dict(taken)
        load_optimiser(self.optimiser, state["optimiser"])

    def step(self, rate: float | None = 1.0) -> None:
        """Average the gradients over the processes, then one step of the optimiser at `rate` times its rates (None: as they are)."""
        step(self.optimiser, self.current.parameters(), self.processes, rate)

    def set_rate(self, rate: float) -> None:
        """Let the next steps be at `rate` times the optimiser's rates."""
        set_rate(self.optimiser, rate)

    def average_keeps(self, images: int) -> float:
        """What the average keeps of itself in a step that reaches so many images."""
        half_life = average_half_life(self.options.ema_half_life or 0.0, self.options.ema_rampup, images)
        return decay(half_life, self.options.batch or 1)

    def update_average(self, keep: float | Tensor) -> None:
        """After a step."""
        move_towards(self.average, self.current, keep)

    def _start(self, config: GeneratorConfig) -> Generator:
        network = build(config, seed=self.options.seed)
        for name, parameter in network.synthesis.named_parameters():
            if name.endswith(".affine.weight") and name != "input.affine.weight":
                parameter.mul_(self.options.style_init or 1.0)
        return network.requires_grad_(True).to(self.processes.device)

    def _optimiser(self) -> torch.optim.Adam:
        """Path length regularisation takes a step of its own after every `path_every`-th, so each counts less (StyleGAN2, appendix B)."""
        every = self.options.path_every
        rate, ratio = self.options.lr_g or 0.0, every / (every + 1) if self.options.path_length else 1.0
        mapping = {"params": list(self.current.mapping.parameters()), "scale": (self.options.mapping_lr or 1.0) * rate * ratio}
        synthesis = {"params": list(self.current.synthesis.parameters()), "scale": rate * ratio}
        return adam([synthesis, mapping], rate * ratio, ratio)


def adam(parameters: Sequence[Any], rate: float, ratio: float) -> torch.optim.Adam:
    """Adam with betas (0, 0.99) to the power of `ratio`, as lazy regularisation asks; eps 1e-8."""
    result = torch.optim.Adam(parameters, lr=rate, betas=(0.0, 0.99**ratio), eps=1e-8)
    settle(result)
    return result


def optimiser_state(optimiser: torch.optim.Adam) -> State:
    """Its state, without mean gradients where each step replaces them as a whole (beta 0): a third less to carry."""
    state = optimiser.state_dict()
    if all(group["betas"][0] == 0 for group in state["param_groups"]):
        state["state"] = {key: {n: v for n, v in held.items() if n != "exp_avg"} for key, held in state["state"].items()}
    return state


def load_optimiser(optimiser: torch.optim.Adam, state: State) -> None:
    """What `optimiser_state` gave, on this or another kind of device."""
    held = {key: {"exp_avg": torch.zeros_like(values["exp_avg_sq"]), **values} for key, values in state["state"].items()}
    optimiser.load_state_dict({**state, "state": held})
    settle(optimiser)


def settle(optimiser: torch.optim.Adam) -> None:
    """On a GPU, rates and counts of steps lie there, so that a CUDA graph may hold the step; on a CPU they are plain numbers again.

    Loading a state brings those of the machine that it was saved on.
    """
    for group in optimiser.param_groups:
        device, on_gpu = group["params"][0].device, on_a_gpu(group["params"][0])
        group["capturable"] = on_gpu
        rate = float(group["lr"])
        group["lr"] = torch.tensor(rate, device=device) if on_gpu else rate
        for parameter in group["params"]:
            if (count := optimiser.state.get(parameter, {}).get("step")) is not None:
                optimiser.state[parameter]["step"] = count.to(device)


def on_a_gpu(tensor: Tensor) -> bool:
    """Whether it lies on one."""
    return tensor.is_cuda


def discriminator_optimiser(network: nn.Module, options: Options) -> torch.optim.Adam:
    """For the parameters that are trained. R1 is a term of some steps, not a step of its own, so nothing is corrected for it."""
    assert options.lr_d is not None, "options are resolved"
    return adam([{"params": [p for p in network.parameters() if p.requires_grad], "scale": options.lr_d}], options.lr_d, 1.0)


def set_rate(optimiser: torch.optim.Adam, rate: float) -> None:
    """Let the optimiser's steps be at `rate` times its groups' scales."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(group["scale"] * rate)
        else:
            group["lr"] = group["scale"] * rate


def step(optimiser: torch.optim.Adam, parameters: Iterable[Tensor], processes: Processes, rate: float | None = 1.0) -> None:
    """Average the gradients over the processes, replace what is not finite (float16 overflows now and then), and step at `rate`."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    processes.average_(gradients)
    for gradient in gradients:
        if gradient.is_cuda:
            torch.nan_to_num(gradient, nan=0, posinf=1e5, neginf=-1e5, out=gradient)
    if rate is not None:
        set_rate(optimiser, rate)
    optimiser.step()


def cosine(part: float, hold: float) -> float:
    """The learning rate's factor after a part of all images: 1, from `hold` on falling as a cosine to a hundredth."""
    falling = min(1.0, max(0.0, (part - hold) / max(1 - hold, 1e-9)))
    return 0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * falling))


def weights_generator(options: Options, purpose: str) -> torch.Generator:
    """For the first weights of other networks than the generator."""
    return generator_for(options.seed, f"weights of {purpose}")
