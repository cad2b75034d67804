"""Overlay "Channel effect": how much the picture changes when each channel of the layer on screen is turned off, one after the other.

After the ablation of units in Bau et al. 2019, "GAN Dissection". What matters most can be taken over as an edit (panel Edits).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, button, input_int
from gui_utils.text import MISSING, number_text
from networks.measures.comparison import PEAK
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.parts import progress, result_of, switch
from viz.groups.edits import editable, names
from viz.panels import Panel, PanelContext
from viz.panels.edits import NO_LAYER
from viz.panels.invitation import invitation
from viz.panels.parts import BY_CONTENT, NO_NETWORK, beside, text_table, wrapped_text
from viz.request import OverlayResult
from viz.state import ChannelEffect, Channels, Edit, EditActivations, Pose, Tap, ViewState

if TYPE_CHECKING:
    from viz.stages import Run

NAME = "channel effect"


@dataclass(frozen=True)
class Effects:
    """`rms` [n]: how much the picture changes without channel 0, 1, ... of `layer` (its short name), which has `channels` in all."""

    layer: str
    channels: int
    rms: tuple[float, ...] = ()

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The channels that were turned off so far, those that change most first."""
        return tuple(sorted(range(len(self.rms)), key=lambda channel: -self.rms[channel]))

    def db(self, channel: int) -> float:
        """The RMS of the change in dB of the full range (2): the PSNR between both pictures, with the other sign."""
        return 20 * math.log10(self.rms[channel] / PEAK) if self.rms[channel] else -math.inf

    @cached_property
    def levels_db(self) -> np.ndarray:
        """[n] in that order; NaN where nothing changes."""
        levels = np.array([self.db(channel) for channel in self.order])
        return np.where(np.isfinite(levels), levels, np.nan)


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    from networks.editing import ChannelEdit, edited
    from networks.measures.patience import LastStep, synthesized
    from viz.stages.synthesis import layer_memo, posed_conditions

    ready = run.inputs["load"]
    network, ws, taps = ready.network, run.inputs["latent"].ws, ready.facts.taps
    tap = ready.facts.tap(run.view.get(Tap).layer)
    if tap not in editable(taps):
        yield OverlayResult()
        return
    fixed, before = posed_conditions(run), LastStep(layer_memo(run))  # the step before the layer serves all channels
    if index := taps.index(tap):
        yield from synthesized(network, ws, run.superseded, tap=taps[index - 1].name, memo=before, **fixed)
    whole = yield from synthesized(network, ws, run.superseded, memo=LastStep(before), **fixed)
    found, said = Effects(names(tap)[0], tap.channels), ()
    for channel in range(tap.channels):
        without = edited(network, {tap.name: [ChannelEdit((channel,), amount=0.0)]})
        picture = yield from synthesized(without, ws, run.superseded, memo=LastStep(before), **fixed)
        found = Effects(found.layer, found.channels, (*found.rms, float((picture - whole).square().mean().sqrt())))
        said = (*said, number_text(found.db(channel), "dB", 0))
        yield OverlayResult(found, len(found.rms) / tap.channels, of_channels=said)


OVERLAY = Overlay(NAME, ChannelEffect, (*LATENT, *CONDITIONS, Pose, Tap), run)


# ---------------------------------------------------------------------------------------------------- control


ON = Field("Channel effect", "ChannelEffect.on", "Turns the channels of the layer on screen off, one at a time, and measures how much the "
           "picture changes.", default=False)  # fmt: skip
COUNT = Field("The first", "ChannelEffect.count", "How many channels the buttons act on.", default=8, low=1, high=4096)
EDIT = Field("Turn off", "ChannelEffect.edit", "Adds an edit that turns the first of them off, with the panel Edits to change it.")
SHOW = Field("Show three", "ChannelEffect.show", "Shows the three that change the picture most as red, green and blue.")
SORT = Field("Sort sheet", "ChannelEffect.sort", "Shows all channels in a contact sheet, those that change the picture most first.")
KEPT = "channel effect: count"
ROWS = 12
NOTE = "0 dB is a change as large as the picture's whole range. Each channel is turned off alone; together they may change more, or less."
EMPTY = "Which channels of this layer matter: how much the picture changes when each is turned off by itself."
NOTHING_YET = "Nothing is measured yet."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    reason = NO_NETWORK if facts is None else "" if facts.tap(state.get(Tap).layer) in editable(facts.taps) else NO_LAYER
    state = switch(state, ON, ChannelEffect, disabled=reason)
    result = result_of(context, NAME) if state.get(ChannelEffect).on and not reason else None
    found: Effects | None = result.values if result is not None else None
    if not reason:
        done = len(found.rms) if found else 0
        state = progress(state, ChannelEffect, result, f"{done} of {found.channels if found else MISSING} channels", stays=True)
    if reason or not state.get(ChannelEffect).on:
        state = invitation(state, ON, ChannelEffect, EMPTY, disabled=reason, fill=False)
    else:
        wrapped_text(NOTE)
    state = _uses(state, context, found, reason or NOTHING_YET)
    if found is not None:
        _chart(found)
        text_table("##effects", ("channel", "dB"), rows(found, ROWS), sizing=BY_CONTENT)
    return state


def _uses(state: ViewState, context: PanelContext, found: Effects | None, nothing: str) -> ViewState:
    """What can be done with the channels that matter most; `nothing` says why there are none."""
    order = found.order if found else ()
    count = input_int(COUNT, context.scratch.get(KEPT, COUNT.default))
    context.scratch[KEPT] = count
    if button(EDIT, disabled="" if order else nothing) and found is not None:
        edits = state.get(EditActivations)
        new = Edit(layers=(found.layer,), channels=tuple(sorted(order[:count])), amount=0.0)
        state = state.put(edits.with_edit(len(edits.edits), new))
    beside(SHOW)
    if button(SHOW, disabled="" if len(order) > 2 else nothing):
        state = state.edit(Channels, mode="rgb", triple=order[:3])
    beside(SORT)
    if button(SORT, disabled="" if order else nothing):
        state = state.edit(Channels, mode="sheet", sort="ranked", ranking=order, sheet_page=0)
    return state


def rows(found: Effects, most: int) -> list[tuple[str, str]]:
    return [(str(channel), number_text(found.db(channel))) for channel in found.order[:most]]


def _chart(found: Effects) -> None:
    """In order, so that it shows whether a few channels do all."""
    levels = found.levels_db
    with plots.plot("##channel effect", plots.Axes("rank", "dB", follow=True, legend=""), (-1, 10)) as visible:
        if visible and np.isfinite(levels).any():
            plots.line("change", np.arange(len(levels)), levels, plots.series_color(0))


PANEL = Panel("Channel effect", "right", 39, draw, workspaces=(2,))
