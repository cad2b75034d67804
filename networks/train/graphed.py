"""A training step as a CUDA graph: recorded once, then replayed with one call, since launching thousands of small kernels takes longer than
running them.

What differs between steps is given as tensors of fixed places and shapes (`given`); the step's work may not wait for the GPU, copy from
the host or ask for a number. Weights, moments and averages are changed in place by the replay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

log = logging.getLogger(__name__)

WARM_UP = 11  # plain steps first: kernels get compiled, libraries choose their algorithms, the optimiser makes its state
Given = Mapping[str, Tensor]


class GraphedStep:
    """Runs `compute(given) -> loss`, the first times plainly, then as a graph. Falls back to plain steps for good, saying so in the log."""

    def __init__(self, compute: Callable[[Given], Tensor]) -> None:
        self._compute = compute
        self._stream = torch.cuda.Stream()
        self._plain_steps = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._places: dict[str, Tensor] = {}
        self._loss: Tensor | None = None
        self._refused = False

    def __call__(self, given: Given) -> Tensor:
        """One step; the loss is a tensor of its own."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            loss = self._step(given)
        current.wait_stream(self._stream)
        return loss

    def _step(self, given: Given) -> Tensor:
        if self._refused or self._plain_steps < WARM_UP:
            self._plain_steps += 1
            return self._compute(given)
        if self._graph is None and not self._record(given):
            return self._compute(given)
        assert self._graph is not None and self._loss is not None
        for name, place in self._places.items():
            place.copy_(given[name], non_blocking=True)
        self._graph.replay()
        return self._loss.clone()

    def _record(self, given: Given) -> bool:
        """Record the step; recording runs nothing. The warnings of the first steps need not be repeated."""
        self._places = {name: value.clone() for name, value in given.items()}
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                self._loss = self._compute(self._places)
        except RuntimeError as error:
            log.warning("steps are not replayed as a CUDA graph, and slower for it: %s", str(error).splitlines()[0])
            torch.cuda.synchronize()
            self._refused = True
            return False
        self._graph = graph
        log.info("steps are replayed as a CUDA graph")
        return True
