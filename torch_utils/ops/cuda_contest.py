"""Which of two ways to compute a convolution is faster on this GPU: timed once for each size, and told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import pairwise

import torch

BUSY_CYCLES = 1_000_000  # half a millisecond, in which Python makes three calls
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contest:
    """What a size took, in milliseconds, by our kernel and by the libraries."""

    ours: float
    theirs: float


_contests: dict[tuple[Hashable, torch.device], Contest] = {}


def faster(device: torch.device, size: Hashable, ours: Callable[[], object], theirs: Callable[[], object]) -> bool:
    """Whether our kernel takes less time than the libraries; `size` is all that decides that. While a CUDA graph is recorded nothing can be
    timed: what is not known then is the libraries'. Elsewhere than on a GPU times mean nothing, and ours is run.
    """
    if device.type != "cuda":
        return True
    found = _contests.get((size, device))
    if found is None:
        if torch.cuda.is_current_stream_capturing():
            return False
        found = _contests[size, device] = Contest(milliseconds(ours), milliseconds(theirs))
        _log.info("%s: %.3f ms by our kernel, %.3f ms by the libraries", size, found.ours, found.theirs)
    return found.ours < found.theirs


def told() -> str | None:
    """How the contests went, for people."""
    known = tuple(_contests.values())
    if not known:
        return None
    won, used, theirs = sum(c.ours < c.theirs for c in known), sum(min(c.ours, c.theirs) for c in known), sum(c.theirs for c in known)
    return f"1x1 in float32 by our kernel for {won} of {len(known)} sizes: {used:.2f} ms, by the libraries alone {theirs:.2f} ms"


def milliseconds(run: Callable[[], object]) -> float:
    """The least of three calls, after one that compiles and chooses. They are asked for while the GPU is kept busy, so that between their
    beginning and their end it does not wait for Python.
    """
    run()
    events = [torch.cuda.Event(enable_timing=True) for _ in range(4)]
    torch.cuda._sleep(BUSY_CYCLES)
    events[0].record()
    for event in events[1:]:
        run()
        event.record()
    events[-1].synchronize()
    return min(a.elapsed_time(b) for a, b in pairwise(events))
