"""Panel "Truncation": how far from the mean w may lie, and the noise inputs of networks that have them."""

from __future__ import annotations

from dataclasses import replace

from gui_utils.controls import Field, choice, input_int, slider_float, slider_int
from gui_utils.libraries import imgui
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, animate_row, reset_button
from viz.state import Noise, NoiseMotion, Truncation, ViewState

PSI = Field("Truncation", "Truncation.psi", "Pulls w towards its mean: at 0 every seed gives the mean picture, at 1 nothing is changed.",
            symbol="ψ", default=1.0, low=-1, high=2)  # fmt: skip
CUTOFF = Field("Rows", "Truncation.cutoff", "How many rows of ws are truncated, counted from the coarsest. At its end: all rows, "
               "of any network.", "rows")  # fmt: skip
NOISE = Field("Noise", "Noise.mode", "The noise inputs of each layer: as stored in the network, none, or drawn from a seed.",
              default="const")  # fmt: skip
MODES = {"const": "stored", "none": "none", "random": "drawn"}
NOISE_SEED = Field("Noise seed", "Noise.seed", "The seed that noise is drawn from.", default=0, high=2**32 - 1)
ANIMATE = Field("Animate", "NoiseMotion.on", "Draws noise from one seed after another.", default=False)
SPEED = Field("", "NoiseMotion.seeds_per_s", "How fast the animation changes the seed of the noise.", "seeds/s", default=10.0,
              low=0, high=60, decimals=1, power=2)  # fmt: skip
RESET = Field("Reset", "Truncation.reset", "No truncation, stored noise, no animation.")
NO_NOISE = "This network has no noise inputs."
NOT_DRAWN = "Only drawn noise has a seed: choose “drawn” above."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    state = state.edit(Truncation, psi=slider_float(PSI, state.get(Truncation).psi))
    state = _cutoff(state, context)
    imgui.spacing()
    state = _noise(state, context)
    return reset_button(state, RESET, Truncation, Noise, NoiseMotion)


def _cutoff(state: ViewState, context: PanelContext) -> ViewState:
    """The end of the slider means "all rows", which is kept as -1 so that it follows the network."""
    stored = state.get(Truncation).cutoff
    total = context.network.num_ws if context.network else max(stored, 1)
    shown = total if stored < 0 else min(stored, total)
    new = slider_int(replace(CUTOFF, high=total, default=total), shown, disabled="" if context.network else NO_NETWORK)
    return state if new == shown else state.edit(Truncation, cutoff=-1 if new >= total else new)


def _noise(state: ViewState, context: PanelContext) -> ViewState:
    reason = NO_NETWORK if context.network is None else "" if context.network.has_noise else NO_NOISE
    state = state.edit(Noise, mode=choice(NOISE, state.get(Noise).mode, MODES, disabled=reason))
    reason = reason or ("" if state.get(Noise).mode == "random" else NOT_DRAWN)
    state = state.edit(Noise, seed=input_int(NOISE_SEED, state.get(Noise).seed, disabled=reason))
    motion = state.get(NoiseMotion)
    on, speed = animate_row(ANIMATE, SPEED, motion.on, motion.seeds_per_s, disabled=reason)
    return state.edit(NoiseMotion, on=on, seeds_per_s=speed)


PANEL = Panel("Truncation", "left", 30, draw)
