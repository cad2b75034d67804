"""Groups of the view about the histogram of values. As in `viz.groups.groups`, each default stands here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Histogram:
    """How often each value occurs in what is shown."""

    on: bool = False


@dataclass(frozen=True)
class HistogramView:
    """How the histogram is drawn: `log`, over a logarithmic axis."""

    log: bool = True
