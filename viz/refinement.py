"""After the picture: measurements, step by step, for as long as nothing newer waits.

A step's result is shown at once. What is finished is remembered; what is under way is kept while its question stays the
same, so that a change which has nothing to do with it (another layer, a tone) interrupts it and loses nothing.
Imports torch; belongs to the render thread, like the pipeline.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace

import torch

from viz.analysis import Overlay, overlays
from viz.errors import CommandError
from viz.memory import Memory
from viz.request import Frame, OverlayResult, RenderError
from viz.stages import Run
from viz.stages.synthesis import forced_backend
from viz.state import ANALYSES, ViewState

PATIENCE_S = 0.5
GRANTED_S = 0.02  # enough for a layer or two, so that even a step that is always interrupted ends some day
Explain = Callable[[str, Exception], RenderError]


@dataclass
class _UnderWay:
    """A computation between two steps, and what its last step gave."""

    key: Hashable
    steps: Iterator[OverlayResult | None]
    result: OverlayResult | None = None


class Refinement:
    """`known` tells what is there already; `steps` goes on from there."""

    def __init__(self, memory: Memory, explain: Explain) -> None:
        self._memory, self._explain = memory, explain
        self._under_way: dict[str, _UnderWay] = {}
        self._last_live: dict[str, tuple[Hashable, OverlayResult]] = {}  # with the network that it is about, broken or not
        self._waiting: Callable[[], bool] = lambda: False
        self._put_off = False  # the live overlays made way for a newer picture; next time they do not
        self._stepped_at = time.monotonic()

    def known(self, run: Run) -> dict[str, OverlayResult]:
        """What is there of the overlays that the view wants: finished, in part, or (live ones) from the picture before."""
        wanted = self._wanted(run.view)
        for name in [n for n in self._under_way if all(o.name != n for o in wanted)]:
            self._drop(name)
        about = run.inputs["load"].trained.identity
        kept = {o.name: self._last_live[o.name] for o in wanted if o.name in self._last_live}
        self._last_live = {name: last for name, last in kept.items() if last[0] == about}  # another network's number is no stand-in
        found = ((overlay, self._found(overlay, run)) for overlay in wanted)
        return {overlay.name: result for overlay, result in found if result is not None}

    def steps(self, frame: Frame, run: Run, waiting: Callable[[], bool], settled: Callable[[], bool]) -> Iterator[Frame]:
        """The frame again after every step, with more measured. Between steps (and layers), `waiting()` says whether to stop.

        What is not live begins only once `settled()`, so that a drag is not slowed down by it, or after `PATIENCE_S`
        without a step, so that it gets somewhere while something animates.
        """
        wanted = [overlay for overlay in self._wanted(run.view) if not self._finished(overlay, run)]
        live, rest = ([overlay for overlay in wanted if overlay.live is which] for which in (True, False))
        if live and waiting() and not self._put_off:
            self._put_off = True
            return
        self._put_off, self._waiting = False, lambda: False
        for overlay in live:
            if (result := self._step(overlay, run)) is not None:
                frame = _with(frame, overlay, result)
                yield frame
        if not rest or (not settled() and time.monotonic() - self._stepped_at < PATIENCE_S):
            return  # with nothing left to measure nobody waits for the end of a drag: the picture is all there is
        yield from self._in_turns(frame, run, rest, waiting)

    def _in_turns(self, frame: Frame, run: Run, rest: list[Overlay], waiting: Callable[[], bool]) -> Iterator[Frame]:
        """A step of each, so that none waits for the end of another. The first may take `GRANTED_S` in any case."""
        first = True
        while rest:
            for overlay in tuple(rest):
                if waiting() and not first:
                    return
                until, first = time.monotonic() + GRANTED_S, False
                self._waiting = lambda until=until: waiting() and time.monotonic() >= until
                result = self._step(overlay, run)
                self._stepped_at = time.monotonic()
                if result is None:
                    return
                frame = _with(frame, overlay, result)
                yield frame
                if result.fraction >= 1:
                    rest.remove(overlay)

    # ------------------------------------------------------------------------------------------------ one overlay

    def _wanted(self, view: ViewState) -> tuple[Overlay, ...]:
        """Modules are only looked at (and imported) once something is switched on."""
        if not any(kind in view.groups for kind in ANALYSES):
            return ()
        return tuple(overlay for overlay in overlays() if overlay.wanted(view))

    def _found(self, overlay: Overlay, run: Run) -> OverlayResult | None:
        key = overlay.key(run.view, run.keys["load"])
        result = self._memory.get(key)
        if result is None and (kept := self._under_way.get(overlay.name)) is not None and kept.key == key:
            result = kept.result
        if result is None and (last := self._last_live.get(overlay.name)) is not None:
            result = replace(last[1], stale=True)
        return result

    def _finished(self, overlay: Overlay, run: Run) -> bool:
        return self._memory.get(overlay.key(run.view, run.keys["load"])) is not None

    def _step(self, overlay: Overlay, run: Run) -> OverlayResult | None:
        """The next result; None if it was interrupted half way, and goes on from there next time."""
        key = overlay.key(run.view, run.keys["load"])
        kept = self._under_way.get(overlay.name)
        if kept is None or kept.key != key:
            self._drop(overlay.name)
            kept = self._under_way[overlay.name] = _UnderWay(key, overlay.run(replace(run, superseded=lambda: self._waiting())))
        try:
            with torch.inference_mode(), forced_backend(run.view):
                result = next(kept.steps)
        except CommandError as e:  # a whole sentence already
            self._drop(overlay.name)
            return OverlayResult(error=RenderError(overlay.name, str(e)))
        except Exception as e:  # the border of the render thread: whatever a measurement raises is shown beside it
            self._drop(overlay.name)
            return OverlayResult(error=self._explain(overlay.name, e))
        if result is None:
            return None
        kept.result = result
        if result.fraction >= 1:
            self._drop(overlay.name)
            self._memory.put(key, result)
        if overlay.live:
            self._last_live[overlay.name] = (run.inputs["load"].trained.identity, result)
        return result

    def _drop(self, name: str) -> None:
        if (kept := self._under_way.pop(name, None)) is not None:
            kept.steps.close()  # type: ignore[attr-defined]  # overlays are generators


def _with(frame: Frame, overlay: Overlay, result: OverlayResult) -> Frame:
    return replace(frame, overlays={**frame.overlays, overlay.name: result})
