"""Stage "spectrum": the windowed power spectrum of the layer, or of the channels on screen. Margins are left out."""

from __future__ import annotations

import numpy as np
import torch

from torch_utils.spectra import view_spectrum
from viz.request import SpectrumResult
from viz.stages import Run, Stage, band, channels, unwarp
from viz.stages.load import Ready
from viz.state import Spectrum, Tap, ViewState


def run(run: Run) -> SpectrumResult:
    ready: Ready = run.inputs["load"]
    tap = ready.facts.tap(run.view.get(Tap).layer)
    options = run.view.get(Spectrum)
    values = run.inputs["synthesis"] if options.all_channels else run.inputs["unwarp"].values
    with torch.inference_mode():
        found = view_spectrum(values, options.beta, sampling_rate=tap.sampling_rate, crop_margin=True)
        power = found.power.float().cpu().numpy()
        axis = found.fx.float().cpu().numpy()
    cutoff, stopband = ready.facts.band(tap.name)
    return SpectrumResult(
        power=power,
        mean_power=float(np.mean(power, dtype=np.float64)),
        axis=axis,
        tap=tap.name,
        cutoff=cutoff,
        stopband=stopband,
        nyquist=tap.sampling_rate / 2,
        all_channels=options.all_channels,
    )


def key(view: ViewState, inputs: dict) -> tuple[object, ...]:
    """What is on screen matters only where the spectrum is of that."""
    shown = () if view.get(Spectrum).all_channels else tuple(stage.key(view, inputs) for stage in (channels, band, unwarp))
    return (view.get(Spectrum), *shown)


STAGE = Stage("spectrum", after=("load", "synthesis"), reads=(Spectrum,), run=run, wanted=lambda view: view.get(Spectrum).on, key=key)
