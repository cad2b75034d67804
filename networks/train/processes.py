"""The processes of one run: each holds the same weights, draws the same numbers, and works on its part of each batch.

Started by `torchrun`, they meet by its environment variables (gloo between CPUs, nccl between GPUs). Every draw is made for the whole
batch, from a generator of its own that depends on the seed, the purpose and the step, and each process takes its rows. So a resumed run
needs no random state, and results depend on the number of processes by rounding only; on rungs A to C also by the images of noise, which
each process draws for itself, and by which samples serve path length regularisation.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor

from .errors import TrainingError


@dataclass(frozen=True)
class Processes:
    """This process among all; alone by default."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor, in place, by its mean over the processes."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.detach().flatten().float() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, mean in zip(tensors, flat.div_(self.size).split([tensor.numel() for tensor in tensors])):
            tensor.detach().copy_(mean.view_as(tensor))

    def share(self, batch: int) -> slice:
        """The rows of a batch that are this process's. Raises TrainingError if the batch cannot be divided."""
        if batch % self.size:
            raise TrainingError(f"--batch is {batch}, but must be a multiple of the {self.size} processes")
        per = batch // self.size
        return slice(self.rank * per, (self.rank + 1) * per)

    def leave(self) -> None:
        """Say goodbye to the others."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()


def join(device: str) -> Processes:
    """Meet the other processes, if `torchrun` started any. `device` is "cpu", "cuda" or "auto"."""
    if device not in ("auto", "cpu", "cuda"):
        raise TrainingError(f"--device is {device!r}, but must be auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device is cuda, but torch finds no CUDA device here")
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(chosen)
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if on_gpu else "gloo")
    return Processes(rank, size, chosen)


def generator_for(seed: int, purpose: str, step: int = 0) -> torch.Generator:
    """A generator on the CPU, the same for the same arguments, and unrelated for others."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{step}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


@dataclass(frozen=True)
class Draws:
    """The random numbers of one step, for the rows of this process."""

    seed: int
    step: int
    batch: int
    processes: Processes

    def generator(self, purpose: str) -> torch.Generator:
        """For draws of the whole batch."""
        return generator_for(self.seed, purpose, self.step)

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """Normal numbers [rows, *shape]."""
        return torch.randn(self.batch, *shape, generator=self.generator(purpose))[self.processes.share(self.batch)]

    def number(self, purpose: str) -> int:
        """A seed for others, another for each process."""
        return int(torch.randint(2**31, (), generator=self.generator(f"{purpose} {self.processes.rank}")))
