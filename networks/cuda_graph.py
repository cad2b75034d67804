"""Synthesis as a CUDA graph: recorded once, then replayed as a whole with other ws and poses, without any work on the host.

A graph belongs to one form of synthesis: network, tap, precision, noise, batch, and whether the learned pose is replaced. Its inputs are
tensors that stay where they are: ws, the inverse pose, the learned pose. All graphs of a process share one memory pool, since each
answer is copied out before the next replay: what they need together is what the largest needs.

What records and replays is passed in (`Recorder`), so that everything but the GPU's part is tested without one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from networks.fourier_input import STILL
from networks.generator import Conditions, Generator
from networks.noise import GivenNoise

LIMIT = 8  # graphs kept; the one that was replayed longest ago goes first
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Replayable(Protocol):
    """What a recorder gives: `replay` repeats the work that was recorded, on the tensors it was recorded with."""

    def replay(self) -> None: ...


class Recorder(Protocol):
    """Runs `work` once for real, so that kernels are compiled and algorithms chosen, then records it. The tensor is where every
    replay leaves its result. `reserved_bytes` is the memory held by all that was recorded so far.
    """

    reserved_bytes: int

    def record(self, work: Callable[[], Tensor]) -> tuple[Replayable, Tensor]: ...


class GpuRecorder:
    """torch's CUDA graphs on the current stream. Other threads may go on using the GPU meanwhile."""

    def __init__(self) -> None:
        self.reserved_bytes = 0
        self._pool: Any = None

    def record(self, work: Callable[[], Tensor]) -> tuple[Replayable, Tensor]:
        here = torch.cuda.current_stream()
        stream = torch.cuda.Stream() if here == torch.cuda.default_stream() else here  # the default stream cannot be recorded
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            work()
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        torch.cuda.empty_cache()  # what is lying about may be needed for the graph, whose memory is its own
        before = torch.cuda.memory_reserved()
        with torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"):
            result = work()
        self.reserved_bytes += max(0, torch.cuda.memory_reserved() - before)
        here.wait_stream(stream)
        return graph, result


@dataclass(frozen=True)
class Form:
    """One kind of synthesis, for which one graph is recorded. `inputs` are the shapes that decide it, `backend` the kernels forced."""

    network: Hashable
    weights: int
    device: str
    tap: str | None
    samples: int
    noise: str | int | GivenNoise
    half: bool
    posed: bool
    replaced: bool
    backend: str = "auto"
    edits: Hashable = ()  # of activations


def form_of(network: Generator, ws: Tensor, conditions: Conditions, tap: str | None, backend: str) -> Form:
    """The form that a call of `synthesize` has. A pose is an input even where it is the identity."""
    return Form(
        network=network.identity,
        weights=network.weights_version(),
        device=str(ws.device),
        tap=tap,
        samples=ws.shape[0],
        noise=conditions.noise,
        half=conditions.half,
        posed=network.has_pose,
        replaced=conditions.learned is not None,
        backend=backend,
        edits=tuple((name, found.edits) for name, found in network.edits.items()),
    )


class Recorded:
    """One graph with its inputs. Holds on to its network, whose weights it reads at their addresses."""

    def __init__(self, network: Generator, form: Form, ws: Tensor, conditions: Conditions, recorder: Recorder) -> None:
        self.network = network
        self.ws = ws.clone()
        self.inverse = ws.new_empty(3, 3) if form.posed else None
        self.learned = ws.new_empty(len(STILL)) if form.replaced else None
        self._set(ws, conditions)
        steps = network.steps(replace(conditions, inverse=self.inverse, learned=self.learned), form.tap)

        def work() -> Tensor:
            activation = None
            for step in steps:
                activation = step.run(activation, self.ws)
            assert activation is not None
            return activation.shown.to(torch.float32)

        self._graph, self._result = recorder.record(work)

    def run(self, ws: Tensor, conditions: Conditions) -> Tensor:
        """The picture or layer [N, C, H, W] for these inputs; the caller's own."""
        self._set(ws, conditions)
        self._graph.replay()
        return self._result.clone()

    def _set(self, ws: Tensor, conditions: Conditions) -> None:
        self.ws.copy_(ws)
        _send(self.inverse, IDENTITY if conditions.inverse is None else conditions.inverse)
        _send(self.learned, conditions.learned)


def _send(target: Tensor | None, values: Tensor | Sequence[Any] | None) -> None:
    """A few numbers from the host without waiting: pinned memory, which torch keeps until the copy is done."""
    if target is not None and values is not None:
        source = torch.as_tensor(values, dtype=target.dtype)
        target.copy_(source.pin_memory() if target.is_cuda else source, non_blocking=True)


def _out_of_memory(error: BaseException | None) -> torch.OutOfMemoryError | None:
    """The lack of memory that is behind an error: ending a recording that lacks it may raise an error of its own."""
    while error is not None and not isinstance(error, torch.OutOfMemoryError):
        error = error.__cause__ or error.__context__
    return error


class Graphs:
    """The graphs of one thread, by form, at most `limit`."""

    def __init__(self, recorder: Recorder | None = None, limit: int = LIMIT) -> None:
        self._make: Callable[[], Recorder] = GpuRecorder if recorder is None else lambda: recorder
        self._recorder = self._make()
        self._limit = limit
        self._recorded: OrderedDict[Form, Recorded] = OrderedDict()
        self._failed: OrderedDict[Form, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._recorded)

    @property
    def nbytes(self) -> int:
        """Memory of all graphs, on the GPU."""
        return self._recorder.reserved_bytes if self._recorded else 0

    def has(self, form: Form) -> bool:
        """Whether a replay is possible at once."""
        return form in self._recorded

    def failure(self, form: Form) -> str | None:
        """Why this form could not be recorded, if that was tried."""
        return self._failed.get(form)

    def run(self, network: Generator, form: Form, ws: Tensor, conditions: Conditions) -> Tensor | None:
        """The form's answer by replay, after recording it the first time; None if that fails, which `failure` then explains.

        Being out of memory is not such a failure: torch.OutOfMemoryError is raised.
        """
        recorded = self._recorded.get(form)
        if recorded is None:
            recorded = self._record(network, form, ws, conditions)
            if recorded is None:
                return None
        self._recorded.move_to_end(form)
        with torch.inference_mode():
            return recorded.run(ws, conditions)

    def keep(self, networks: Sequence[object]) -> None:
        """Forget the graphs of networks that are not among these, so that their weights can be freed."""
        for form in [f for f, r in self._recorded.items() if all(r.network is not n for n in networks)]:
            del self._recorded[form]
        self._renew()

    def clear(self) -> None:
        """Forget all graphs and give their memory back; failures may be tried again."""
        self._recorded.clear()
        self._failed.clear()
        self._renew()

    def _record(self, network: Generator, form: Form, ws: Tensor, conditions: Conditions) -> Recorded | None:
        while len(self._recorded) >= self._limit:
            self._recorded.popitem(last=False)
        try:
            with torch.inference_mode():
                recorded = Recorded(network, form, ws, conditions, self._recorder)
        except RuntimeError as error:  # a step that waits for the GPU, or a kernel that cannot be recorded
            if (memory := _out_of_memory(error)) is not None:
                raise memory from None
            first, *_ = str(error).strip().split("\n")
            self._failed[form] = f"{type(error).__name__}: {first:.200}"
            while len(self._failed) > 64:
                self._failed.popitem(last=False)
            return None
        self._recorded[form] = recorded
        return recorded

    def _renew(self) -> None:
        if not self._recorded:  # a pool without graphs has been given back: the next has a new one
            self._recorder = self._make()
