"""Measurements shared by the processes of one `torchrun`: who measures what, and how the parts come together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")
TIMEOUT = timedelta(hours=2)  # a process may have to wait for the slowest one


@dataclass(frozen=True)
class Team:
    """This process among `size` of them; the first one prints."""

    rank: int = 0
    size: int = 1

    def share(self, num: int) -> range:
        """The samples of `num` that this process measures."""
        return range(self.rank, num, self.size)

    def gather(self, part: list[T]) -> list[T]:
        """The parts of all processes, on every one of them. All must call it."""
        if self.size == 1:
            return part
        import torch.distributed as dist

        parts: list[list[T]] = [[] for _ in range(self.size)]
        dist.all_gather_object(parts, part)
        return [item for one in parts for item in one]


@contextmanager
def team(environment: Mapping[str, str] = os.environ) -> Iterator[Team]:
    """The team that `torchrun` describes in the environment, connected by gloo; alone where it describes none."""
    size = int(environment.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team()
        return
    import torch.distributed as dist

    dist.init_process_group("gloo", timeout=TIMEOUT)
    try:
        yield Team(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()
