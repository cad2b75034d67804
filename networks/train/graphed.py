"""The computations of a training step as CUDA graphs: recorded once, then replayed with one call each, since launching thousands of small
kernels takes longer than running them.

What differs between steps is given as tensors of fixed places and shapes (`Given`), random numbers included: they are drawn on the
processor, from the seed and the step, so that a run is the same with and without graphs. The work may not wait for the GPU, copy from the
host or ask for a number. Weights, moments and averages are changed in place by the replay.

What records and replays is passed in (`Recorder`), so that everything but the GPU's part is tested without one.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from .packed import Packed, packed
from .processes import Processes

log = logging.getLogger(__name__)

WARM_UP = 11  # plain steps first: kernels get compiled, libraries choose their algorithms, the optimiser makes its state
ROOT = Path(__file__).resolve().parents[2]
OURS = (ROOT / "networks", ROOT / "torch_utils")
RECORDING = Path(__file__).resolve()  # through which each of them comes
PLACES = 6  # that the log tells of a computation that cannot be recorded
Given = Mapping[str, Tensor]
Values = Mapping[str, Tensor | float]  # the same before it lies on the device
Found = dict[str, Tensor]
# While one thread records, no other may compute: torch frees its cache first, and cuDNN fails in one thread when it sets something up
# during another's recording (seen on an H100). Replays take this lock for the moment of their launch only.
turn = threading.RLock()


class Replayable(Protocol):
    """What a recorder gives: `replay` repeats the work that was recorded, on the tensors it was recorded with."""

    def replay(self) -> None: ...


class Recorder(Protocol):
    """Records work without running it. The tensors that it gives are where every replay leaves its results."""

    device: torch.device

    def in_order(self) -> AbstractContextManager[None]:
        """For all that is recorded, replayed, or run to make ready for it: after what was begun, and before what is begun later."""
        ...

    def record(self, work: Callable[[], Found]) -> tuple[Replayable, Found]:
        """Raises RuntimeError when the work cannot be recorded."""
        ...


class GpuRecorder:
    """torch's CUDA graphs on a stream of their own. They share one memory pool, since each result is copied out before the next replay."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """See `Recorder`. One thread at a time."""
        current = torch.cuda.current_stream(self.device)
        with turn:
            self._stream.wait_stream(current)
            with torch.cuda.stream(self._stream):
                yield
            current.wait_stream(self._stream)

    def record(self, work: Callable[[], Found]) -> tuple[Replayable, Found]:
        """See `Recorder`."""
        graph = torch.cuda.CUDAGraph()
        try:
            with turn, torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                found = work()
        except RuntimeError:
            torch.cuda.synchronize(self.device)
            self._pool = torch.cuda.graph_pool_handle()  # what failed may have left something in the old one
            raise
        return graph, found


class GraphedStep:
    """Runs `compute(given)`, the first times plainly, then as a graph. Falls back to plain steps for good, saying so in the log.

    `changed` are the tensors that a step changes: a replay does so without their counting it, and what is packed from them would be kept.
    """

    def __init__(self, name: str, compute: Callable[[Given], Found], recorder: Recorder, changed: Sequence[Tensor] = ()) -> None:
        self._name, self._compute, self._recorder, self._changed = name, compute, recorder, tuple(changed)
        self._plain_steps = 0
        self._graph: Replayable | None = None
        self._place: Tensor | None = None
        self._found: Found = {}
        self._refused = False

    def __call__(self, given: Packed) -> Found:
        """One step; what it gives are tensors of their own."""
        with self._recorder.in_order():
            found = self._step(given)
        return found

    def _step(self, given: Packed) -> Found:
        device = self._recorder.device
        if self._refused or self._plain_steps < WARM_UP:
            self._plain_steps += 1
            return self._compute(given.views(given.sent(device)))
        if self._graph is None and not self._record(given):
            return self._compute(given.views(given.sent(device)))
        assert self._graph is not None and self._place is not None
        self._place.copy_(given.data, non_blocking=True)
        self._graph.replay()
        increment_version(self._changed)
        return {name: value.clone() for name, value in self._found.items()}

    def _record(self, given: Packed) -> bool:
        """Record the step; recording runs nothing. What was packed from weights before is packed again within the graph."""
        self._place = given.sent(self._recorder.device).clone()
        places = given.views(self._place)
        increment_version(self._changed)
        try:
            self._graph, self._found = self._recorder.record(lambda: self._compute(places))
        except RuntimeError as error:
            log.warning("%s: not replayed as a CUDA graph, and slower for it: %s (%s)", self._name, first_line(error), where(error))
            increment_version(self._changed)  # what was packed while recording was never computed
            self._refused = True
            return False
        log.info("%s: replayed as a CUDA graph", self._name)
        return True


def first_line(error: BaseException) -> str:
    """What an error says first, or its type if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def where(error: BaseException | None) -> str:
    """The lines of our own code that an error, and the one it hides, came through, innermost first: a.py:56 < b.py:292."""
    places: dict[str, None] = {}
    while error is not None:
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            path = Path(frame.filename).resolve()
            if path != RECORDING and any(folder in path.parents for folder in OURS):
                places[f"{path.relative_to(ROOT).as_posix()}:{frame.lineno}"] = None
        error = error.__cause__ or error.__context__
    return "from " + " < ".join(list(places)[:PLACES]) if places else "from nowhere in our code"


class Phases:
    """The computations that a step is made of. With a recorder, each gets a graph for each form it comes in: a form is the computation's
    name and what it is given, by names and shapes. Without one, they run as they are.
    """

    def __init__(self, recorder: Recorder | None, device: torch.device, changed: Sequence[Tensor] = ()) -> None:
        self._recorder, self._device, self._changed = recorder, device, tuple(changed)
        self._steps: dict[tuple, GraphedStep] = {}

    @property
    def are_recorded(self) -> bool:
        """Whether computations must not depend on values, only on what they are given by name."""
        return self._recorder is not None

    def packed(self, values: Values) -> Values | Packed:
        """What a computation is to be given, as it is best sent to the device. May be called by another thread, ahead of `run`."""
        if self._recorder is None and self._device.type == "cpu":
            return values
        return packed(values, pinned=self._device.type == "cuda")

    def run(self, name: str, compute: Callable[[Values], Found], values: Values | Packed) -> Found:
        """What the computation of this name finds."""
        if not isinstance(values, Packed):
            values = self.packed(values)
        if not isinstance(values, Packed):
            return compute(values)
        if self._recorder is None:
            return compute(values.views(values.sent(self._device)))
        form = (name, values.form)
        if form not in self._steps:
            self._steps[form] = GraphedStep(name, compute, self._recorder, self._changed)
        return self._steps[form](values)


def recorder_for(processes: Processes, *, wanted: bool) -> Recorder | None:
    """What records the steps of a run, if graphs are wanted and can be had: on one GPU, by one process."""
    if not wanted or processes.device.type != "cuda":
        return None
    if processes.size > 1:
        log.warning("steps are not replayed as CUDA graphs, since %d processes average their gradients between", processes.size)
        return None
    return GpuRecorder(processes.device)
