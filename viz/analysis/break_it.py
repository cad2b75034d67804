"""Overlay "Break it": what it costs to break the network's signal processing, in dB of equivariance and in time, beside the whole network.

The controls choose what is broken; the picture and every other measurement are then the broken network's. Both networks are measured
over the same latents and transforms, so that few samples tell how far apart they are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gui_utils.controls import Field, button, choice, combo, slider_float, toggle
from gui_utils.libraries import imgui
from gui_utils.scopes import table_scope
from gui_utils.text import MISSING, duration_text, number_text
from gui_utils.toasts import progress_bar
from networks.measures.comparison import KINDS, LABELS, Kind
from networks.measures.metrics import Measurement, measure
from viz.analysis import Overlay
from viz.analysis.parts import result_of
from viz.layer_groups import WINDOWS
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, reset_button, wrapped_text
from viz.request import NetworkFacts, OverlayResult
from viz.state import BreakIt, Device, Tap, ViewState

if TYPE_CHECKING:
    from viz.stages import Run

NAME = "break it"
SAMPLES = 16
TIMINGS = 3  # of each network; the shortest counts


@dataclass(frozen=True)
class Toll:
    """The whole and the broken network so far, over the same samples; seconds for one picture."""

    whole: Measurement | None = None
    broken: Measurement | None = None
    whole_s: float | None = None
    broken_s: float | None = None

    def db(self, kind: Kind) -> tuple[float | None, float | None]:
        """Of the whole and of the broken network, as far as they have been measured."""
        return tuple(m.estimates[kind].db if m is not None else None for m in (self.whole, self.broken))  # type: ignore[return-value]


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    ready = run.inputs["load"]
    if ready.whole is None:
        yield OverlayResult()
        return
    networks = ready.whole.network, ready.network
    total, done, toll = TIMINGS + SAMPLES, 0, Toll()
    for _ in range(TIMINGS):
        seconds = []
        for network in networks:
            seconds.append((yield from _seconds(network, run)))
        whole_s, broken_s = (min(new, old or new) for new, old in zip(seconds, (toll.whole_s, toll.broken_s), strict=True))
        toll, done = replace(toll, whole_s=whole_s, broken_s=broken_s), done + 1
        yield OverlayResult(toll, done / total)
    broken = _measurements(ready.network, run)
    for whole in _remembered(ready.whole, run):
        if whole is None:
            yield None
            continue
        while (found := next(broken)) is None:
            yield None
        toll, done = replace(toll, whole=whole, broken=found), done + 1
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


def _measurements(network: Any, run: Run) -> Iterator[Measurement | None]:
    return measure(network, num=SAMPLES, batch=1, stop=run.superseded)


def _remembered(whole: Any, run: Run) -> Iterator[Measurement | None]:
    """The whole network's numbers, sample by sample: measured once, however it is broken afterwards."""
    key = (NAME, whole.identity, run.view.get(Device))
    known = run.memory.get(key)
    if known is not None:
        yield from known
        return
    found: list[Measurement] = []
    for measurement in _measurements(whole.network, run):
        if measurement is not None:
            found.append(measurement)
        if len(found) == SAMPLES:  # before the last is given away: nobody asks for more
            run.memory.put(key, tuple(found))
        yield measurement


OVERLAY = Overlay(NAME, BreakIt, (Device,), run)


# ---------------------------------------------------------------------------------------------------- control

AS_IS = "as is"
MEANT = Field("Layers", "BreakIt.layers", "Which layers are broken; none chosen means all. ToRGB has no filters.")
ALL = Field("all", "BreakIt.all_layers", "Every layer with filters.")
THIS = Field("on screen", "BreakIt.this_layer", "Only the layer that is looked at.")
UPSAMPLING = Field("m", "BreakIt.upsampling", "How many times the rate is raised around the leaky ReLU. 1 lets its harmonics fold back; 4 "
                   "costs time.", symbol="m", default=0)  # fmt: skip
SUPPORT = Field("n", "BreakIt.support", "Support of the filters, in samples of their lower rate.", symbol="n", default=0)
WINDOW = Field("Filter", "BreakIt.window", "The design of the filters: the paper's Kaiser window, its ablations Lanczos (a = 2) and "
               "Gaussian (σ = 0.4), or what networks do without thinking: bilinear, nearest.", default="")  # fmt: skip
CUTOFF = Field("f_c shift", "BreakIt.cutoff_octaves", "Moves the cutoff of the filters: +1 is twice the frequency, which lets through "
               "what aliases; −1 is half, which blurs.", "octaves", symbol="f_c", default=0.0, low=-2, high=2)  # fmt: skip
MARGIN = Field("Margin", "BreakIt.margin", "The most samples that stay around the image on each side. Without a margin, layers see the "
               "border of the picture.", "samples", default=-1)  # fmt: skip
NOISE = Field("Fixed noise", "BreakIt.noise", "Added after the convolution, the same for every picture and pose, as StyleGAN2 does: detail "
              "that sticks to the screen. In standard deviations of the convolution's output.", default=0.0, low=0, high=1,
              power=2)  # fmt: skip
POOL = Field("Downsampling", "BreakIt.pool", "Pooling in place of the downsampling filter: the largest of m × m, as in classifiers, or "
             "Zhang's blur-pooling (2019): largest, then blur, then subsample. Where m is 1, nothing is sampled down.",
             default="")  # fmt: skip
MEND = Field("Mend", "BreakIt.mend", "The network as it was trained.")
UPSAMPLINGS = {0: AS_IS, 1: "1", 2: "2", 4: "4"}
SUPPORTS = {0: AS_IS, 4: "4", 6: "6", 8: "8"}
MARGINS = {-1: AS_IS, 0: "0", 2: "2", 4: "4", 6: "6", 8: "8"}
POOLS = {"": AS_IS, "max": "max-pool", "blur": "blur-pool"}
NO_FILTERS = "This network has no designed filters to break."
EMPTY = "Breaks the signal processing of the loaded network without training it again, and says what that costs."
NOTE = f"Over {SAMPLES} latents, the same for both. A network that was trained with its filters draws something else without them."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    layers = layer_numbers(facts)
    reason = NO_NETWORK if facts is None else "" if layers else NO_FILTERS
    state = _layers(state, facts, layers, reason)
    state = _switches(state, reason)
    state = reset_button(state, MEND, BreakIt)
    if reason or not state.get(BreakIt).on:
        wrapped_text(reason or EMPTY)
        return state
    result = result_of(context, NAME)
    toll: Toll = result.values if result is not None and result.values is not None else Toll()
    done = toll.broken.done if toll.broken else 0
    if result is None or result.fraction < 1:
        progress_bar(f"{done} of {SAMPLES} samples", result.fraction if result is not None else 0.0, can_cancel=False)
    _table(toll)
    wrapped_text(NOTE)
    return state


def layer_numbers(facts: NetworkFacts | None) -> tuple[tuple[int, str], ...]:
    """(number, short name) of every layer that has filters: all that have a specification but ToRGB, the last."""
    names = [tap.name.split("_")[0] for tap in facts.taps if tap.spec is not None] if facts is not None else []
    return tuple(enumerate(names[:-1]))


def _layers(state: ViewState, facts: NetworkFacts | None, layers: tuple[tuple[int, str], ...], reason: str) -> ViewState:
    chosen = state.get(BreakIt).layers
    tapped = facts.tap_name(state.get(Tap).layer).split("_")[0] if facts is not None else ""
    here = next((number for number, name in layers if name == tapped), None)
    if toggle(ALL, not chosen, disabled=reason) and chosen:
        chosen = ()
    imgui.same_line()
    if button(THIS, disabled=reason or ("" if here is not None else "What is looked at has no filters.")) and here is not None:
        chosen = (here,)
    width, spacing = imgui.get_content_region_avail().x, imgui.get_style().item_spacing.x
    used = 0.0
    for number, name in layers:
        own = imgui.calc_text_size(name).x + 2 * imgui.get_style().frame_padding.x
        if used and used + spacing + own < width:
            imgui.same_line()
            used += spacing + own
        else:
            used = own
        field = Field(name, f"BreakIt.layers.{number}", MEANT.help)
        if toggle(field, number in chosen, disabled=reason) != (number in chosen):
            chosen = tuple(sorted({*chosen} ^ {number}))
    return state.edit(BreakIt, layers=chosen)


def _switches(state: ViewState, reason: str) -> ViewState:
    now = state.get(BreakIt)
    windows = {"": AS_IS, **{name: name for name in WINDOWS}}
    return state.edit(
        BreakIt,
        upsampling=choice(UPSAMPLING, now.upsampling, UPSAMPLINGS, disabled=reason),
        support=choice(SUPPORT, now.support, SUPPORTS, disabled=reason),
        window=combo(WINDOW, now.window, windows, disabled=reason),
        cutoff_octaves=slider_float(CUTOFF, now.cutoff_octaves, disabled=reason),
        margin=combo(MARGIN, now.margin, MARGINS, disabled=reason),
        noise=slider_float(NOISE, now.noise, disabled=reason),
        pool=choice(POOL, now.pool, POOLS, disabled=reason),
    )


def rows(toll: Toll) -> tuple[tuple[str, str, str, str], ...]:
    """Name, whole, broken, change."""
    found = []
    for kind in KINDS:
        whole, broken = toll.db(kind)
        known = whole is not None and broken is not None and math.isfinite(whole) and math.isfinite(broken)
        change = number_text(broken - whole, "dB") if known and whole is not None and broken is not None else MISSING
        found.append((LABELS[kind], number_text(whole, "dB"), number_text(broken, "dB"), change))
    ratio = toll.broken_s / toll.whole_s if toll.whole_s and toll.broken_s else None
    return (*found, ("one picture", duration_text(toll.whole_s), duration_text(toll.broken_s), number_text(ratio, "×", 2)))


def _table(toll: Toll) -> None:
    flags = imgui.TableFlags_.row_bg.value | imgui.TableFlags_.borders_inner_v.value
    with table_scope("##toll", 4, flags) as visible:
        if not visible:
            return
        for title in ("", "whole", "broken", "change"):
            imgui.table_setup_column(title)
        imgui.table_headers_row()
        for row in rows(toll):
            imgui.table_next_row()
            for text in row:
                imgui.table_next_column()
                imgui.text_unformatted(text)


PANEL = Panel("Break it", "right", 34, draw, resets=(BreakIt,), workspaces=(2, 4))
