"""Overlay "Out of band": at every layer, the share of power beyond its cutoff f_c, beyond its stopband f_t, and folded back.

"Folded" is what the layer's filter leaves beyond half its sampling rate: it cannot be there once samples are dropped, and comes
back as other frequencies. It is computed inside the nonlinearity (`viz.analysis.nonlinearity`), before they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field
from gui_utils.text import number_text
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.layer_chart import clicked_layer, layer_plot
from viz.analysis.parts import progress, result_of, switch
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.panels.parts import NO_NETWORK, wrapped_text
from viz.request import LayerColumn, NetworkFacts, OverlayResult
from viz.state import LayerShares, Pose, Tap, ViewState

if TYPE_CHECKING:
    import torch

    from networks.spec import TapInfo
    from viz.stages import Run

NAME = "out of band"
BETA = 8.0  # of the window: what leaks from the borders must not pass for high frequencies
LOWEST_DB = -140.0


@dataclass(frozen=True)
class LayerShare:
    """Shares (0 to 1) of one layer's power beyond f_c, beyond f_t, and folded; None where a layer has no such frequency, or no filter."""

    name: str
    cutoff: float | None
    stopband: float | None
    folded: float | None = None


@dataclass(frozen=True)
class Shares:
    """What was measured so far, in order of computation."""

    found: tuple[LayerShare, ...]


def run(run: Run) -> Iterator[OverlayResult]:
    from networks.measures.patience import LastStep
    from viz.stages.synthesis import layer_memo, posed_conditions

    ready, arguments = run.inputs["load"], {**posed_conditions(run), "memo": LastStep(layer_memo(run))}
    found: tuple[LayerShare, ...] = ()
    for tap in ready.facts.taps:
        found = (*found, share_of(ready.network, run.inputs["latent"].ws, tap, arguments))
        yield OverlayResult(Shares(found), len(found) / len(ready.facts.taps), columns=layer_columns(found))


def share_of(network: Any, ws: torch.Tensor, tap: TapInfo, arguments: Mapping[str, Any]) -> LayerShare:
    """The shares of one tap, for ws [1, num_ws, w_dim]; `arguments` as for `Generator.synthesize` (pose, memo, noise, ...)."""
    from torch_utils.spectra import share_above, view_spectrum
    from viz.analysis.nonlinearity import filtered_tap, folded_share

    shape = "disc" if network.config.use_radial_filters else "square"
    own = filtered_tap(network.taps, tap.name)
    folded = folded_share(network, ws, tap, arguments) if own is not None and own.name == tap.name else None
    values = network.synthesize(ws, tap=tap.name, **arguments)[0]
    spectrum = view_spectrum(values, BETA, sampling_rate=tap.sampling_rate)  # with its margin: finer bins
    limits = (tap.spec.out_cutoff, tap.spec.out_stopband) if tap.spec is not None else (None, None)
    cutoff, stopband = (None if f is None or f >= tap.sampling_rate / 2 else share_above(spectrum, f, shape=shape) for f in limits)
    return LayerShare(tap.name, cutoff, stopband, folded)


def layer_columns(found: tuple[LayerShare, ...]) -> tuple[LayerColumn, ...]:
    """What the Layers panel shows of it, in dB of each layer's power; no number where the layer has no such frequency."""
    beyond = {s.name: decibels(s.cutoff) for s in found}
    folded = {s.name: decibels(s.folded) for s in found}
    return (
        LayerColumn("> f_c, dB", "The share of the layer's power beyond its cutoff f_c.", beyond),
        LayerColumn("folded, dB", "The share of the layer's power that folds back when samples are dropped: aliasing.", folded),
    )


OVERLAY = Overlay(NAME, LayerShares, (*LATENT, *CONDITIONS, Pose), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Out of band", "LayerShares.on", "Measures, at every layer, how much of the power lies beyond the frequencies it should keep "
           "to, and how much folds back into them. The window spreads power by about a cycle per image, so for the coarsest layers this is "
           "an upper bound.",
           default=False)  # fmt: skip
EMPTY = "The share of each layer's power beyond f_c, beyond f_t, and folded, in dB: −20 dB is a hundredth. Click to look at a layer."
MEANING = "Shares of each layer's power."
NOTHING = "The layers of this network have no designed cutoff."


CURVES = {"beyond f_c": "cutoff", "beyond f_t": "stopband", "folded": "folded"}


def decibels(share: float | None) -> float:
    if share is None or math.isnan(share):
        return math.nan
    return max(LOWEST_DB, 10 * math.log10(share)) if share > 0 else LOWEST_DB


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    state = switch(state, ON, LayerShares, disabled=NO_NETWORK if facts is None else "")
    if facts is None or not state.get(LayerShares).on:
        return invitation(state, ON, LayerShares, EMPTY, disabled=NO_NETWORK if facts is None else "")
    result = result_of(context, NAME)
    found = result.values.found if result is not None and result.values is not None else ()
    state = progress(state, LayerShares, result, f"{len(found)} of {len(facts.taps)} layers")
    if found and result is not None and result.fraction >= 1 and all((s.cutoff, s.stopband, s.folded) == (None,) * 3 for s in found):
        wrapped_text(NOTHING)
        return state
    wrapped_text(MEANING)
    return _plot(state, facts, found)


def _plot(state: ViewState, facts: NetworkFacts, found: tuple[LayerShare, ...]) -> ViewState:
    with layer_plot("##out of band", facts, (LOWEST_DB, 3.0), legend="out") as shown:
        if not shown:
            return state
        at = np.arange(len(found))
        for i, (title, field) in enumerate(CURVES.items()):
            plots.line(title, at, np.array([decibels(getattr(share, field)) for share in found]), plots.series_color(i), weight=2.5)
        plots.vertical_line(facts.taps.index(facts.tap(state.get(Tap).layer)))
        return clicked_layer(state, facts, plots.cursor_text(lambda x, _: text_of(found, round(x))))


def text_of(found: tuple[LayerShare, ...], index: int) -> str:
    if not 0 <= index < len(found):
        return ""
    levels = (f"{title} {number_text(decibels(getattr(found[index], field)), 'dB')}" for title, field in CURVES.items())
    return f"{found[index].name}: {', '.join(levels)}"


PANEL = Panel("Out of band", "right", 56, draw, workspaces=(3,))
