"""Panel "Break it": layers with what is broken in each, the switches that break those that are chosen, and the price."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gui_utils.controls import Field, button, choice, combo, label_column, slider_float
from gui_utils.libraries import imgui
from gui_utils.scopes import color_scope, table_scope, tooltip_scope
from gui_utils.text import MISSING, duration_text, number_text
from gui_utils.toasts import progress_bar
from networks.measures.comparison import KINDS, LABELS
from viz.analysis.break_it import NAME, SAMPLES, Toll
from viz.analysis.parts import result_of
from viz.groups.layer import BREAKS, RATES, WINDOWS
from viz.panels import Panel, PanelContext
from viz.panels.layers import SELECTED
from viz.panels.parts import BY_CONTENT, NO_NETWORK, beside, reset_button, text_table, wrapped_text
from viz.request import NetworkFacts
from viz.state import BreakIt, Tap, ViewState

Numbers = tuple[int, ...]  # of layers; empty is all of them
CHOSEN = "break it: chosen layers"  # where the panel keeps them
AS_IS = "as is"
LAYERS = Field("Layers", "BreakIt.layers", "The switches below break the layers chosen here; each may be broken in its own way. Ctrl-click "
               "chooses several, Shift-click all between. ToRGB has no filters.")  # fmt: skip
THIS = Field("On screen", "BreakIt.this_layer", "Chooses the layer on screen.")
APPLY = Field("Apply to all", "BreakIt.apply_to_all", "Breaks all layers as the first chosen one is broken.")
CLEAR = Field("Clear", "BreakIt.clear", "The chosen layers lose their own settings and follow all layers again.")
UPSAMPLING = Field("Oversampling m", "BreakIt.upsampling", "How many times the rate is raised around the leaky ReLU. 1 lets its "
                   "harmonics fold back; 4 costs time.", symbol="m", default=0)  # fmt: skip
SUPPORT = Field("Filter size n", "BreakIt.support", "Support of the filters, in samples of their lower rate.", symbol="n", default=0)
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
RATE = Field("Sampling rate", "BreakIt.rate_octaves", "Of the whole network. A network that computes with continuous signals draws the "
             "same picture at every rate, as far as the rate can hold it: R nearly does, T's 3 × 3 kernels are tied to the grid. Higher: "
             "all layers, four times the time. Lower: the layers that are faster, never below the input's rate.", symbol="s",
             default=0)  # fmt: skip
MEND = Field("Mend", "BreakIt.mend", "The network as it was trained.")
UPSAMPLINGS = {0: AS_IS, 1: "1", 2: "2", 4: "4"}
SUPPORTS = {0: AS_IS, 4: "4", 6: "6", 8: "8"}
MARGINS = {-1: AS_IS, 0: "0", 2: "2", 4: "4", 6: "6", 8: "8"}
RATE_NAMES = {**RATES, 0: AS_IS}
POOLS = {"": AS_IS, "max": "max-pool", "blur": "blur-pool"}
NO_FILTERS = "This network has no designed filters to break."
EMPTY = "Break something below, and its cost appears here."
DONE = f"over {SAMPLES} latents"
NOTE = (f"Over {SAMPLES} latents, the same for both. A network that was trained with its filters draws something else without them. "
        "PSNR: its pictures against the whole network's, on the coarser of both grids.")  # fmt: skip
NOT_THERE = "The layer on screen has no filters."
NO_OWN = "No chosen layer has settings of its own."
ALREADY = "These are the settings of all layers."
LABELS_EM = 8.0
ROWS_SHOWN = 5.5  # of the list of layers


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    layers = layer_numbers(facts)
    reason = NO_NETWORK if facts is None else "" if layers else NO_FILTERS
    if reason:
        wrapped_text(reason)
    else:
        _price(context, on=state.get(BreakIt).on)
    chosen = tuple(number for number in context.scratch.get(CHOSEN, ()) if number < len(layers))
    if not reason:
        chosen = _list(state.get(BreakIt), layers, chosen)
    state, chosen = _buttons(state, facts, layers, chosen, reason)
    context.scratch[CHOSEN] = chosen
    with label_column(LABELS_EM):
        octaves = choice(RATE, state.get(BreakIt).rate_octaves, RATE_NAMES, disabled=reason)
    state = state.edit(BreakIt, rate_octaves=octaves)
    return _switches(state, chosen, reason)


def layer_numbers(facts: NetworkFacts | None) -> tuple[tuple[int, str], ...]:
    """(number, short name) of every layer that has filters: all that have a specification but ToRGB, the last."""
    names = [tap.name.split("_")[0] for tap in facts.taps if tap.spec is not None] if facts is not None else []
    return tuple(enumerate(names[:-1]))


# ---------------------------------------------------------------------------------------------------- layers


def _list(broken: BreakIt, layers: tuple[tuple[int, str], ...], chosen: Numbers) -> Numbers:
    """Every layer with what is broken in it. Clicks choose."""
    flags = imgui.TableFlags_.row_bg | imgui.TableFlags_.borders_inner_v | imgui.TableFlags_.scroll_y | imgui.TableFlags_.sizing_fixed_fit
    row = imgui.get_text_line_height() + 2 * imgui.get_style().cell_padding.y
    height_em = min(len(layers) + 1, ROWS_SHOWN) * row / imgui.get_font_size()
    with table_scope("##layers", 2, int(flags), (0.0, height_em)) as visible:
        if not visible:
            return chosen
        imgui.table_setup_column("layer")
        imgui.table_setup_column("what", imgui.TableColumnFlags_.width_stretch.value)
        for number, name in ((-1, "all layers"), *layers):
            imgui.table_next_row()
            imgui.table_next_column()
            is_chosen = number in chosen if number >= 0 else not chosen
            identity = f"{name}###{LAYERS.id}.{number if number >= 0 else 'all'}"
            with color_scope(header=SELECTED):
                clicked, _ = imgui.selectable(identity, is_chosen, imgui.SelectableFlags_.span_all_columns.value)
            if clicked:
                io = imgui.get_io()
                chosen = choose(chosen, number, len(layers), ctrl=io.key_ctrl, shift=io.key_shift)
            with tooltip_scope() as explained:
                if explained:
                    imgui.text_unformatted(LAYERS.help)
            imgui.table_next_column()
            text, dim = layer_text(broken, number)
            (imgui.text_disabled if dim else imgui.text_unformatted)(text)
    return chosen


def choose(chosen: Numbers, number: int, count: int, *, ctrl: bool = False, shift: bool = False) -> Numbers:
    """The chosen layers after a click on one; -1, and choosing every one, is all of them: ()."""
    if number < 0:
        return ()
    if shift and chosen:
        first, last = sorted((number, chosen[0]))
        found = tuple(range(first, last + 1))
    elif ctrl:
        found = tuple(sorted({*chosen} ^ {number}))
    else:
        found = (number,)
    return () if len(found) == count else found


def layer_text(broken: BreakIt, number: int) -> tuple[str, bool]:
    """What stands beside a layer (-1: all), and whether that says nothing of its own."""
    broken = broken.spread()
    if number < 0:
        return broken.common().summary() or "as trained", not broken.common().on
    if all(own.layer != number for own in broken.own):
        return "as all", True
    return broken.of(number).summary() or "as trained", False


def _buttons(
    state: ViewState, facts: NetworkFacts | None, layers: tuple[tuple[int, str], ...], chosen: Numbers, reason: str
) -> tuple[ViewState, Numbers]:
    tapped = facts.tap_name(state.get(Tap).layer).split("_")[0] if facts is not None else ""
    here = next((number for number, name in layers if name == tapped), None)
    if button(THIS, disabled=reason or ("" if here is not None else NOT_THERE)) and here is not None:
        chosen = (here,)
    beside(APPLY)
    broken = state.get(BreakIt).spread()
    if button(APPLY, disabled=reason or ("" if chosen or broken.own else ALREADY)):
        state, chosen = state.put(applied_to_all(broken, chosen)), ()
    beside(CLEAR)
    own = {own.layer for own in broken.own}
    if button(CLEAR, disabled=reason or ("" if own & {*chosen} else NO_OWN)):
        state = state.put(replace(broken, own=tuple(own for own in broken.own if own.layer not in chosen)))
    beside(MEND)
    return reset_button(state, MEND, BreakIt), chosen


def applied_to_all(broken: BreakIt, chosen: Numbers) -> BreakIt:
    """All layers as the first of `chosen` is; as all are, where none is chosen."""
    settings = broken.of(chosen[0]) if chosen else broken.common()
    return BreakIt(**{name: getattr(settings, name) for name in BREAKS}, rate_octaves=broken.rate_octaves)


# ---------------------------------------------------------------------------------------------------- switches


def _switches(state: ViewState, chosen: Numbers, reason: str) -> ViewState:
    """Of the chosen layers; what they show is that of the first one."""
    broken = state.get(BreakIt).spread()
    imgui.separator_text(("L" + ", L".join(map(str, chosen))) if chosen else "all layers")
    now = broken.of(chosen[0]) if chosen else broken.common()
    windows = {"": AS_IS, **{name: name for name in WINDOWS}}
    with label_column(LABELS_EM):
        new = replace(
            now,
            upsampling=choice(UPSAMPLING, now.upsampling, UPSAMPLINGS, disabled=reason),
            support=choice(SUPPORT, now.support, SUPPORTS, disabled=reason),
            window=combo(WINDOW, now.window, windows, disabled=reason),
            cutoff_octaves=slider_float(CUTOFF, now.cutoff_octaves, disabled=reason),
            margin=combo(MARGIN, now.margin, MARGINS, disabled=reason),
            noise=slider_float(NOISE, now.noise, disabled=reason),
            pool=choice(POOL, now.pool, POOLS, disabled=reason),
        )
    changes = {name: getattr(new, name) for name in BREAKS if getattr(new, name) != getattr(now, name)}
    return state.put(changed(broken, chosen, changes)) if changes else state


def changed(broken: BreakIt, chosen: Numbers, changes: dict[str, Any]) -> BreakIt:
    """These settings changed in the chosen layers, or in the common ones where none is chosen."""
    if not chosen:
        return broken.with_common(**changes)
    return broken.with_own(*(replace(broken.of(number), **changes) for number in chosen))


# ---------------------------------------------------------------------------------------------------- the price


def _price(context: PanelContext, *, on: bool) -> None:
    """Always as high, so that the switches stay where they are when the first of them is used."""
    result = result_of(context, NAME) if on else None
    toll: Toll = result.values if result is not None and result.values is not None else Toll()
    text_table("##toll", TITLES, rows(toll), tooltips=(NOTE,) * 3, sizing=BY_CONTENT)
    if not on or (result is not None and result.fraction >= 1):
        imgui.align_text_to_frame_padding()
        wrapped_text(DONE if on else EMPTY)
    else:
        done = toll.broken.done if toll.broken else 0
        progress_bar(f"{done} of {SAMPLES} samples", result.fraction if result is not None else 0.0, can_cancel=False)


TITLES = ("dB", *(LABELS[kind] for kind in KINDS), "PSNR", "a picture")


def rows(toll: Toll) -> tuple[tuple[str, ...], ...]:
    """The whole network, the broken one, and the change, under TITLES."""
    pairs = [toll.db(kind) for kind in KINDS]
    return (
        ("whole", *(number_text(whole) for whole, _ in pairs), MISSING, duration_text(toll.whole_s)),
        ("broken", *(number_text(broken) for _, broken in pairs), number_text(toll.likeness), duration_text(toll.broken_s)),
        ("change", *(number_text(toll.change(kind)) for kind in KINDS), MISSING, number_text(toll.time_ratio, "×", 2)),
    )


PANEL = Panel("Break it", "right", 34, draw, workspaces=(2, 4))
