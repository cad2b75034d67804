"""Overlay "Break it": what it costs to break the network's signal processing, in dB of equivariance and in time, beside the whole network.

The controls (`viz.analysis.break_it_panel`) choose what is broken; the picture and every other measurement are then the broken
network's. Both networks are measured over the same latents and transforms, so that few samples tell how far apart they are; where
activations are edited, with these edits in both.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from networks.measures.comparison import Kind, psnr_db
from networks.measures.metrics import Measurement, draw_sample, latents_of, measure
from viz.analysis import Overlay
from viz.request import OverlayResult
from viz.state import BreakIt, Device, EditActivations

if TYPE_CHECKING:
    from viz.stages import Run

NAME = "break it"
SAMPLES = 16
TIMINGS = 3  # of each network; the shortest counts


@dataclass(frozen=True)
class Toll:
    """The whole and the broken network so far, over the same samples; seconds for one picture.

    `likeness`: PSNR in dB of the broken network's pictures against the whole one's, on the coarser of both grids; inf for no difference.
    """

    whole: Measurement | None = None
    broken: Measurement | None = None
    likeness: float | None = None
    whole_s: float | None = None
    broken_s: float | None = None

    def db(self, kind: Kind) -> tuple[float | None, float | None]:
        """Of the whole and of the broken network, as far as they have been measured."""
        return tuple(m.estimates[kind].db if m is not None else None for m in (self.whole, self.broken))  # type: ignore[return-value]

    def change(self, kind: Kind) -> float | None:
        """Decibels that breaking adds (a loss is negative); None where one of both does not exist."""
        whole, broken = self.db(kind)
        known = whole is not None and broken is not None and math.isfinite(whole) and math.isfinite(broken)
        return broken - whole if known and whole is not None and broken is not None else None

    @property
    def time_ratio(self) -> float | None:
        """How many times as long a picture of the broken network takes."""
        return self.broken_s / self.whole_s if self.whole_s and self.broken_s else None


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    from viz.stages.load import with_edits

    ready = run.inputs["load"]
    if ready.whole is None:
        yield OverlayResult()
        return
    edits = run.view.get(EditActivations).at_taps(ready.whole.facts.taps)  # by the names that the taps of the whole network have
    networks = with_edits(ready.whole.network, edits), ready.network
    total, done, toll = TIMINGS + SAMPLES, 0, Toll()
    for _ in range(TIMINGS):
        seconds = []
        for network in networks:
            seconds.append((yield from _seconds(network, run)))
        whole_s, broken_s = (min(new, old or new) for new, old in zip(seconds, (toll.whole_s, toll.broken_s), strict=True))
        toll, done = replace(toll, whole_s=whole_s, broken_s=broken_s), done + 1
        yield OverlayResult(toll, done / total)
    errors: list[float] = []
    broken = _measurements(networks[1], run)
    for whole in _remembered(networks[0], (ready.whole.identity, tuple(edits.items())), run):
        if whole is None:
            yield None
            continue
        while (found := next(broken)) is None:
            yield None
        errors.append((yield from _error(networks, len(errors), run)))
        likeness = psnr_db(sum(errors), len(errors))
        toll, done = replace(toll, whole=whole, broken=found, likeness=likeness), done + 1
        yield OverlayResult(toll, done / total)


def _seconds(network: Any, run: Run) -> Generator[None, None, float]:
    """How long a picture of the mean w takes, waiting for others not counted."""
    from networks.measures.patience import synthesized

    spent = 0.0

    @contextmanager
    def clock() -> Iterator[None]:
        nonlocal spent
        start = time.perf_counter()
        yield
        spent += time.perf_counter() - start

    force_fp32 = run.view.get(Device).force_fp32 or network.w_avg.device.type == "cpu"
    ws = network.w_avg.expand(1, network.num_ws, -1)
    found = yield from synthesized(network, ws, run.superseded, clock, force_fp32=force_fp32)
    with clock():
        found[0, 0, 0, 0].item()  # a GPU has only begun
    return spent


def _error(networks: tuple[Any, Any], index: int, run: Run) -> Generator[None, None, float]:
    """Mean square of the difference between the two pictures of one latent, on the coarser of their grids."""
    import torch

    from networks.measures.patience import synthesized
    from networks.rates import resampled

    force_fp32 = run.view.get(Device).force_fp32 or networks[0].w_avg.device.type == "cpu"
    pictures = []
    for network in networks:
        with torch.inference_mode():
            ws = network.map(*latents_of(network, [draw_sample(network, 0, index)]))
        pictures.append((yield from synthesized(network, ws, run.superseded, force_fp32=force_fp32)))
    size = min(picture.shape[-1] for picture in pictures)
    with torch.inference_mode():
        whole, broken = (resampled(picture, size) for picture in pictures)
        return float((broken - whole).square().mean())


def _measurements(network: Any, run: Run) -> Iterator[Measurement | None]:
    return measure(network, num=SAMPLES, batch=1, stop=run.superseded)


def _remembered(whole: Any, identity: Hashable, run: Run) -> Iterator[Measurement | None]:
    """The whole network's numbers, sample by sample: measured once, however it is broken afterwards."""
    key = (NAME, identity, run.view.get(Device))
    known = run.memory.get(key)
    if known is not None:
        yield from known
        return
    found: list[Measurement] = []
    for measurement in _measurements(whole, run):
        if measurement is not None:
            found.append(measurement)
        if len(found) == SAMPLES:  # before the last is given away: nobody asks for more
            run.memory.put(key, tuple(found))
        yield measurement


OVERLAY = Overlay(NAME, BreakIt, (Device,), run)
