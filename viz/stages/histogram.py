"""Stage "histogram": how often each value occurs in the image, as it is drawn: after Normalise, before gain and offset."""

from __future__ import annotations

import math

import torch

from torch_utils.spectra import cropped_to_image
from viz.request import HistogramResult
from viz.stages import Run, Stage
from viz.stages.load import Ready
from viz.stages.picture import Measured
from viz.state import Histogram, Tap

BINS = 2048  # so many that the share beyond any value can be read from them
MOST = 1 << 24
NICE = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def run(run: Run) -> HistogramResult:
    """Of each channel; of all channels together where more than three are shown."""
    ready: Ready = run.inputs["load"]
    unwarped, measured = run.inputs["unwarp"], run.inputs["picture"]
    assert isinstance(measured, Measured)
    rate = ready.facts.tap(run.view.get(Tap).layer).sampling_rate
    with torch.inference_mode():
        values = cropped_to_image(unwarped.values, rate).float()
        if measured.divisors is not None:
            values = values / measured.divisors[:, None, None]
        rows = values.flatten(1) if unwarped.mask is None else values[:, cropped_to_image(unwarped.mask, rate)]
        return counted(rows if len(rows) <= 3 else rows.reshape(1, -1))


def counted(rows: torch.Tensor) -> HistogramResult:
    """The histogram of each row [C, n], over one range with round ends that holds all finite values."""
    finite = torch.isfinite(rows)
    low, high = (float(edge) for edge in torch.aminmax(rows[finite])) if finite.any() else (0.0, 0.0)
    low, high = -round_up(-low), round_up(high)
    high = high if high > low else 1.0
    counts = torch.stack([_counts(row[good], low, high) for row, good in zip(rows, finite, strict=True)])
    return HistogramResult(counts.cpu().numpy(), low, high, int(rows.numel() - finite.sum()))


def _counts(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """float64 [BINS]. torch counts in the type of the values: in float32, no further than MOST."""
    counts = torch.zeros(BINS, dtype=torch.float64)
    for piece in values.split(MOST):
        counts += torch.histc(piece, BINS, low, high).cpu().double()
    return counts


def round_up(value: float) -> float:
    """The next number with a short name that is not smaller; 0 for what is not above 0. It keeps still while values change a little."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((nice * power for nice in NICE if nice * power >= value), 10 * power)


STAGE = Stage("histogram", after=("load", "unwarp", "picture"), reads=(Histogram,), run=run, wanted=lambda view: view.get(Histogram).on)
