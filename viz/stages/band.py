"""Stage "band": keeps only the chosen band of frequencies of the shown channels, in cycles per image whatever the layer's rate."""

from __future__ import annotations

from dataclasses import replace

import torch

from torch_utils.spectra import Band, band_filter
from viz.stages import Run, Stage
from viz.stages.channels import Shown
from viz.stages.load import Ready
from viz.state import BandFilter, Tap, ViewState


def kept(values: torch.Tensor, options: BandFilter, sampling_rate: float) -> torch.Tensor:
    """values [..., H, W] with only the band left. A band that ends before it begins holds nothing."""
    if options.end <= options.low:
        return torch.zeros_like(values)
    return band_filter(values, Band(options.low, options.end, options.softness), sampling_rate=sampling_rate)


def run(run: Run) -> Shown:
    ready: Ready = run.inputs["load"]
    shown, options = run.inputs["channels"], run.view.get(BandFilter)
    if not options.on:
        return shown
    with torch.inference_mode():
        values = kept(shown.values, options, ready.facts.tap(run.view.get(Tap).layer).sampling_rate)
    return replace(shown, values=values)


def key(view: ViewState, inputs: dict) -> tuple[object, ...]:
    """Nothing while it is off; whether the error is filtered too is not its business."""
    options = view.get(BandFilter)
    return (options.low, options.high, options.softness) if options.on else ()


STAGE = Stage("band", after=("load", "channels"), reads=(BandFilter,), run=run, key=key)
