"""Stages with memory: a request runs only what its change touches, and the frame says what that was.

Imports torch; the window imports this module in the render thread only.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from networks.loading import LoadError
from torch_utils import native_library, ops
from torch_utils.heap import keep_freed_memory
from torch_utils.ops.dispatch import REFERENCE
from viz.compare.compare import other_view, others
from viz.compare.other_views import OtherViews, Settle
from viz.gpu.gpu import GpuWork, cuda_device, out_of_memory
from viz.gpu.handover import DevicePicture, handover
from viz.gpu.later import arrived
from viz.groups.compare import NAMES
from viz.memory import Memory
from viz.refinement import Refinement
from viz.request import Frame, Picture, RenderError, RenderRequest, Report, Timing
from viz.stages import SUPERSEDED, Run, Stage, band, channels, histogram, latent, load, picture, quiet, spectrum, synthesis, tone, unwarp
from viz.state import BreakIt, Device, EditActivations, Source, ViewState

MEMORY_BYTES = 1 << 30
NATIVE_PATIENCE_S = 0.5
SYNTHESIS_GROUPS = (*synthesis.READS, Source, BreakIt, EditActivations, *latent.STAGE.reads)
Newest = Callable[[], ViewState | None]  # the view of the newest unanswered request, or None
FIRST_ONLY = ("statistics", "histogram", "tone")  # nothing shows them of a view beside


class Pipeline:
    """Answers requests. Belongs to one thread; nothing here knows about threads or windows."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, headless: bool = False) -> None:
        self.memory = Memory(memory_bytes)
        self.networks = load.NetworkStore()
        self.gpu = GpuWork()
        self.refinement = Refinement(self.memory, self._explain)
        self.others = OtherViews(self.memory, self._answer_other)
        self._newest: Newest = lambda: None
        self._progress: Report = quiet
        self._answered: tuple[RenderRequest, Run] | None = None
        shown = (channels.STAGE, band.STAGE, unwarp.STAGE, picture.STAGE, picture.STATISTICS, histogram.STAGE, spectrum.STAGE)
        shared = (latent.STAGE, synthesis.STAGE, *shown)
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
        progress: Report = quiet,
    ) -> Frame | None:
        """The frame for this request, an error inside it if one occurred; None if a newer request made it pointless.

        `may_stop` allows synthesis to stop between layers when `newest()` asks for another picture. Loading stops
        whenever another network is wanted.
        """
        self._newest, self._progress = newest, progress
        beside = [other_view(request.view, number) for number in others(request.view)]
        self.networks.kept = load.KEPT + max(0, len(beside) - 1)
        self.networks.downloads.keep(shown.get(Source).network for shown in (request.view, *beside))
        start = time.perf_counter()
        run = self._run(request)
        view = run.view
        run.superseded = lambda: may_stop and _differs(newest(), view, SYNTHESIS_GROUPS)
        run.load_superseded = lambda: (other := newest()) is not None and load.load_key(other) != load.load_key(view)
        run.download_superseded = run.load_superseded
        frame = self._staged(request, run)
        if frame is None or frame.error is not None:
            return frame
        self._answered = (request, run)
        frame = replace(frame, overlays=self.refinement.known(run), others=self.others.known(frame))
        self.others.share(frame, time.perf_counter() - start)
        return self._with_others(frame) if self._headless else frame

    def _run(self, request: RenderRequest) -> Run:
        return Run(self._with_backend(request.view), {}, {}, self.memory, progress=self._progress, replays=self.gpu.replays)

    def _staged(self, request: RenderRequest, run: Run, settle: Settle | None = None) -> Frame | None:
        """Through the stages; None where one of them stopped for something newer."""
        with self.gpu.scope(run.view):
            return self._through_the_stages(request, run, settle)

    def _through_the_stages(self, request: RenderRequest, run: Run, settle: Settle | None) -> Frame | None:
        ran: list[tuple[str, float]] = []
        error = None
        for stage in self.stages:
            if not stage.wanted(run.view) or any(name not in run.inputs for name in stage.after):
                continue
            if settle is not None and stage.name in FIRST_ONLY:
                continue
            try:
                value = self._result(stage, run, ran)
            except Exception as e:  # the border of the render thread: whatever a stage raises becomes a frame
                error = self._explain(stage.name, e)
                break
            if value is SUPERSEDED:
                return None
            run.inputs[stage.name] = value
            if settle is not None and stage.name == "load":
                run.view = settle(run.view, value.facts)
                request = replace(request, view=run.view)
        return self._frame(request, run, tuple(ran), error)

    def _answer_other(self, request: RenderRequest, number: int, superseded: Callable[[], bool], settle: Settle) -> Frame | None:
        """A view beside the first, through the same stages and the same memory."""
        run = self._run(request)
        key, newest = load.load_key(request.view), self._newest

        def unwanted() -> bool:
            view = newest()
            return view is not None and (number not in others(view) or load.load_key(other_view(view, number)) != key)

        run.superseded, run.load_superseded = superseded, unwanted
        run.download_superseded = lambda: newest() is not None
        return self._staged(request, run, settle)

    def _with_others(self, frame: Frame) -> Frame:
        """Headless, a frame is complete when it is answered; what fails in a view beside fails the frame."""
        for complete in self.others.steps(frame, lambda: False):
            frame = complete
        failed = ((number, beside.frame.error) for number, beside in sorted(frame.others.items()) if beside.frame.error is not None)
        number, error = next(failed, (0, None))
        return frame if error is None else replace(frame, error=replace(error, message=f"{NAMES[number]} view: {error.message}"))

    def refine(self, frame: Frame, *, newest: Newest = lambda: None, settled: Callable[[], bool] = lambda: True) -> Iterator[Frame]:
        """The last frame again and again, each time with more measured, until all that its view wants is there.

        Stops when `newest()` asks for anything else; what was begun is kept for the next call. Long measurements begin
        only when `settled()` says that nothing newer came for a moment.
        """
        if self._answered is None or self._answered[0] is not frame.request:
            return
        self._newest = newest
        for shown in self.others.steps(frame, lambda: newest() is not None):
            frame = shown
            yield frame
        if self._answered is None:  # memory ran out in a view beside: nothing of the picture is held that could be measured
            return
        run = self._answered[1]
        yield from self.gpu.along(run.view, self.refinement.steps(frame, run, lambda: newest() is not None, settled))

    def _with_backend(self, view: ViewState) -> ViewState:
        """While the native kernels are being compiled (once per machine, some seconds), pictures come from the reference."""
        if self._headless or view.get(Device).backend != "auto" or cuda_device(view) is not None:
            return view
        while not native_library.settled() and time.monotonic() < self._native_at:
            time.sleep(0.005)  # opening takes milliseconds, compiling takes seconds: only the first is waited for
        return view if native_library.settled() else view.edit(Device, backend=REFERENCE)

    def _result(self, stage: Stage, run: Run, ran: list[tuple[str, float]]) -> Any:
        if stage.name == "load":
            return self._loaded(stage, run, ran)
        key = run.keys[stage.name] = stage.memo_key(run.view, run.inputs, run.keys)
        value = self.memory.get(key)
        if value is None:
            if stage.name == "synthesis" and self._headless and not native_library.settled():
                run.progress("Preparing the kernels (the first time they are compiled)", None, False)
            start = time.perf_counter()
            value = stage.run(run)
            if value is not SUPERSEDED:
                self.memory.put(key, value)
                ran.append((stage.name, time.perf_counter() - start))
        return value

    def _loaded(self, stage: Stage, run: Run, ran: list[tuple[str, float]]) -> Any:
        """Networks have a store of their own, not counted as results."""
        fresh, start = not self.networks.holds(run.view), time.perf_counter()
        value = stage.run(run)
        if value is not SUPERSEDED:
            run.keys["load"] = value.identity
            if fresh:
                self.gpu.replays.graphs.keep(self.networks.networks())
                ran.append((stage.name, time.perf_counter() - start))
        return value

    def _explain(self, stage: str, error: Exception) -> RenderError:
        details = "".join(traceback.format_exception(error))
        if out_of_memory(error):
            traceback.clear_frames(error.__traceback__)  # which hold what was being computed
            self.memory.clear()
            self._answered = None
            self.gpu.give_back()
            return RenderError(stage, "Out of memory.", "Remembered results were dropped; try again, or a smaller network.", details)
        if isinstance(error, LoadError | load.DeviceError | ops.BackendError):
            return RenderError(stage, str(error), "", details)
        first, *_ = str(error).strip().splitlines() or [type(error).__name__]
        return RenderError(stage, f"{type(error).__name__}: {first}", "Change the view or press Retry; details are in the log.", details)

    def _frame(self, request: RenderRequest, run: Run, ran: tuple[tuple[str, float], ...], error: RenderError | None) -> Frame:
        inputs = run.inputs
        ready: load.Ready | None = inputs.get("load")
        measured: picture.Measured | None = inputs.get("picture")
        styles, synthesized = inputs.get("latent"), inputs.get("synthesis") if self._headless else None
        known: dict[str, Any] = {  # what needs no GPU is done while it works
            "ran": tuple(name for name, _ in ran),
            "layers_ran": tuple(run.layers_ran),
            "error": error,
            "path": self.gpu.replays.path,
            "network": ready.facts if ready else None,
            "picture": measured.picture if measured else None,
            "spectrum": inputs.get("spectrum"),
            "histogram": inputs.get("histogram"),
            "toned": inputs.get("tone"),
            "seeds": styles.seeds if styles else (),
            "styles": styles,
            "backends": tuple(ops.backends(ready.device.type if ready else "cpu", probe=native_library.settled()).values()),
            "memory_bytes": self.memory.used_bytes + self.gpu.replays.graphs.nbytes,
        }
        ran_and_waited = (*ran, *self._complete(known["picture"]))
        return Frame(
            request,
            **known,
            statistics_shown=arrived(measured.shown) if measured else None,
            statistics_all=arrived(inputs.get("statistics")),
            learned_pose=arrived(styles.learned_pose) if styles else None,
            timing=Timing(ran_and_waited, sum(seconds for _, seconds in ran_and_waited)),
            raw=None if synthesized is None else synthesized.float().cpu().numpy(),
        )

    def _complete(self, shown: Picture | None) -> tuple[tuple[str, float], ...]:
        """The frame's one wait; with it comes the picture, unless the window fills its texture on the GPU."""
        source = shown.on_device if isinstance(shown, DevicePicture) and not handover.shared else None
        if source is not None:
            source.begin()
        waited = self.gpu.wait()
        if source is not None:
            source.finish()
        return waited


def _differs(other: ViewState | None, view: ViewState, groups: tuple[type, ...]) -> bool:
    return other is not None and any(other.get(kind) != view.get(kind) for kind in groups)
