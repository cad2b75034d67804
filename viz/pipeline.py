"""Stages with memory: a request runs only what its change touches, and the frame says what that was.

Imports torch; the window imports this module in the render thread only.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any

import torch

from networks.loading import LoadError
from torch_utils import native_library, ops
from torch_utils.heap import keep_freed_memory
from torch_utils.ops.dispatch import REFERENCE
from viz.memory import Memory
from viz.refinement import Refinement
from viz.request import Frame, RenderError, RenderRequest, Timing
from viz.stages import SUPERSEDED, Run, Stage, _quiet, channels, latent, load, picture, spectrum, synthesis, tone, unwarp
from viz.state import Device, Source, ViewState

MEMORY_BYTES = 1 << 30
NATIVE_PATIENCE_S = 0.5
SYNTHESIS_GROUPS = (*synthesis.READS, Source, *latent.STAGE.reads)
Newest = Callable[[], ViewState | None]  # the view of the newest unanswered request, or None


class Pipeline:
    """Answers requests. Belongs to one thread; nothing here knows about threads or windows."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, headless: bool = False) -> None:
        self.memory = Memory(memory_bytes)
        self.networks = load.NetworkStore()
        self.refinement = Refinement(self.memory, self._explain)
        self._answered: tuple[RenderRequest, Run] | None = None
        shared = (latent.STAGE, synthesis.STAGE, channels.STAGE, unwarp.STAGE, picture.STAGE, picture.STATISTICS, spectrum.STAGE)
        self.stages: tuple[Stage, ...] = (load.stage(self.networks), *shared, *((tone.STAGE,) if headless else ()))
        self._headless = headless
        keep_freed_memory()
        self._native_at = time.monotonic() + NATIVE_PATIENCE_S  # until then a picture waits for the kernels to be opened
        if not headless:
            native_library.prepare()

    def render(
        self,
        request: RenderRequest,
        *,
        newest: Newest = lambda: None,
        may_stop: bool = False,
        progress: Callable[[str, float | None, bool], None] = _quiet,
    ) -> Frame | None:
        """The frame for this request, an error inside it if one occurred; None if a newer request made it pointless.

        `may_stop` allows synthesis to stop between layers when `newest()` asks for another picture. Loading stops
        whenever another network is wanted.
        """
        view = self._with_backend(request.view)
        layers: list[str] = []
        run = Run(view, {}, {}, _Noting(self.memory, layers), progress=progress)
        run.superseded = lambda: may_stop and _differs(newest(), view, SYNTHESIS_GROUPS)
        run.load_superseded = lambda: (other := newest()) is not None and load.load_key(other) != load.load_key(view)
        ran: list[tuple[str, float]] = []
        error = None
        for stage in self.stages:
            if not stage.wanted(view) or any(name not in run.inputs for name in stage.after):
                continue
            try:
                value = self._result(stage, run, ran)
            except Exception as e:  # the border of the render thread: whatever a stage raises becomes a frame
                error = self._explain(stage.name, e)
                break
            if value is SUPERSEDED:
                return None
            run.inputs[stage.name] = value
        frame = self._frame(request, run.inputs, tuple(ran), tuple(layers), error)
        if error is not None:
            return frame
        self._answered = (request, run)
        return replace(frame, overlays=self.refinement.known(run))

    def refine(self, frame: Frame, *, newest: Newest = lambda: None, settled: Callable[[], bool] = lambda: True) -> Iterator[Frame]:
        """The last frame again and again, each time with more measured, until all that its view wants is there.

        Stops when `newest()` asks for anything else; what was begun is kept for the next call. Long measurements begin
        only when `settled()` says that nothing newer came for a moment.
        """
        if self._answered is None or self._answered[0] is not frame.request:
            return
        yield from self.refinement.steps(frame, self._answered[1], lambda: newest() is not None, settled)

    def _with_backend(self, view: ViewState) -> ViewState:
        """While the native kernels are being compiled (once per machine, some seconds), pictures come from the reference."""
        if self._headless or view.get(Device).backend != "auto":
            return view
        while not native_library.settled() and time.monotonic() < self._native_at:
            time.sleep(0.005)  # opening takes milliseconds, compiling takes seconds: only the first is waited for
        return view if native_library.settled() else view.edit(Device, backend=REFERENCE)

    def _result(self, stage: Stage, run: Run, ran: list[tuple[str, float]]) -> Any:
        key = stage.memo_key(run.view, {**run.inputs}, run.keys)
        if stage.name == "load":  # networks have a store of their own, not counted as results
            key = load.load_key(run.view)
            fresh = not self.networks.holds(run.view)
            start = time.perf_counter()
            value = stage.run(run)
            if value is not SUPERSEDED:
                run.keys["load"] = value.identity
                if fresh:
                    ran.append((stage.name, time.perf_counter() - start))
            return value
        run.keys[stage.name] = key
        value = self.memory.get(key)
        if value is None:
            start = time.perf_counter()
            value = stage.run(run)
            if value is not SUPERSEDED:
                self.memory.put(key, value)
                ran.append((stage.name, time.perf_counter() - start))
        return value

    def _explain(self, stage: str, error: Exception) -> RenderError:
        details = "".join(traceback.format_exception(error))
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error):
            self.memory.clear()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return RenderError(stage, "Out of memory.", "Remembered results were dropped; try again, or a smaller network.", details)
        if isinstance(error, LoadError | load.DeviceError | ops.BackendError):
            return RenderError(stage, str(error), "", details)
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return RenderError(stage, f"{type(error).__name__}: {first}", "Change the view or press Retry; details are in the log.", details)

    def _frame(
        self, request: RenderRequest, inputs: dict[str, Any], ran: tuple, layers: tuple[str, ...], error: RenderError | None
    ) -> Frame:
        ready: load.Ready | None = inputs.get("load")
        measured: picture.Measured | None = inputs.get("picture")
        frame = Frame(request, ran=tuple(name for name, _ in ran), layers_ran=layers, error=error)
        frame = replace(
            frame,
            network=ready.facts if ready else None,
            picture=measured.picture if measured else None,
            statistics_shown=measured.shown if measured else None,
            statistics_all=inputs.get("statistics"),
            spectrum=inputs.get("spectrum"),
            toned=inputs.get("tone"),
            seeds=inputs["latent"].seeds if "latent" in inputs else (),
            learned_pose=_learned_pose(ready, inputs),
            backends=tuple(ops.backends(probe=native_library.settled()).values()),
            memory_bytes=self.memory.used_bytes,
            timing=Timing(ran, sum(seconds for _, seconds in ran)),
        )
        if self._headless and "synthesis" in inputs:
            frame = replace(frame, raw=inputs["synthesis"].float().cpu().numpy())
        return frame


class _Noting(Memory):
    """The pipeline's memory as a running stage sees it: notes the names of the layers that are put."""

    def __init__(self, memory: Memory, layers: list[str]) -> None:
        self._memory, self._layers = memory, layers
        self.limit_bytes = memory.limit_bytes

    def get(self, key: Hashable) -> Any | None:
        return self._memory.get(key)

    def put(self, key: Hashable, value: Any) -> None:
        if isinstance(key, tuple) and key[0] == "layer":
            self._layers.append(str(getattr(key[2], "name", None) or key[2][0]))
        self._memory.put(key, value)


def _learned_pose(ready: load.Ready | None, inputs: dict[str, Any]) -> tuple[float, float, float, float] | None:
    if ready is None or not ready.facts.has_pose or "latent" not in inputs:
        return None
    r_c, r_s, t_x, t_y = ready.network.learned_pose(inputs["latent"].ws[:, 0])[0].tolist()
    return (r_c, r_s, t_x, t_y)


def _differs(other: ViewState | None, view: ViewState, groups: tuple[type, ...]) -> bool:
    return other is not None and any(other.get(kind) != view.get(kind) for kind in groups)
