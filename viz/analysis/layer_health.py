"""Overlay "Layer health": at every layer, what 16-bit numbers change, how many values the clamp cuts off, and which channels carry nothing.

The difference is given twice: of the layer alone (its input in 32 bits, itself in 16) and of the chain up to it (all of it in 16 bits).
As in the network, 16 bits are what is stored between operators; sums are taken in 32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gui_utils import theme
from gui_utils.controls import Field, choice
from gui_utils.libraries import imgui
from gui_utils.scopes import color_scope, table_scope, tooltip_scope
from gui_utils.text import MISSING, number_text
from networks.measures.comparison import ratio_db
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.parts import nothing, progress, result_of, switch
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.panels.parts import NO_NETWORK, headings, significant, wrapped_text
from viz.request import LayerColumn, NetworkFacts, OverlayResult
from viz.state import LayerHealth, Pose, Tap, ViewState

if TYPE_CHECKING:
    import torch

    from viz.stages import Run

NAME = "layer health"
DEAD = 1e-4  # of the layer's own standard deviation: a channel that varies less carries nothing


@dataclass(frozen=True)
class Health:
    """One layer. `own_db`, `chain_db`: power of the detail over that of what 16 bits change, inside the image (inf: nothing).

    `clamped` is the share of values at the clamp, between up- and downsampling; None without a clamp. `largest` is the largest
    magnitude there. `dead` are the channels that carry nothing for this latent.
    """

    name: str
    own_db: float | None
    chain_db: float | None
    clamped: float | None
    largest: float
    dead: tuple[int, ...]
    channels: int


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    import torch

    from networks.noise import noise_image
    from viz.stages.synthesis import conditions, pose_matrix

    ready = run.inputs["load"]
    network, ws = ready.network, run.inputs["latent"].ws
    if network.config.family != "alias-free":
        yield OverlayResult()
        return
    fixed, dtype = conditions(run), getattr(torch, run.view.get(LayerHealth).dtype)
    x = network.synthesize(ws, pose=pose_matrix(run.view, ready), tap="input", learned_pose=fixed["learned_pose"])
    chain = x.to(dtype)
    found: tuple[Health, ...] = ()
    for row, spec in enumerate(network.synthesis.specs, start=network.synthesis.first_row):
        layer = probed(network.synthesis.layer(spec))
        arguments = ws[:, row], noise_image(layer, spec.name, fixed["noise"], ws) if layer.use_noise else None
        outputs = []
        for source, kind in ((x, torch.float32), (x, dtype), (chain, dtype)):
            while run.superseded():
                yield None
            given = layer(source, *arguments, dtype=kind)
            outputs.append(network.edits[spec.name].of(given) if spec.name in network.edits else given)
            if kind is torch.float32:
                clamped, largest = layer.clamped, layer.largest
        health = Health(spec.name, *_against(outputs, float(spec.out_sampling_rate)), clamped, largest, (), spec.out_channels)
        found = (*found, replace(health, dead=dead_channels(outputs[0][0], float(spec.out_sampling_rate))))
        x, chain = outputs[0], outputs[2]
        column = LayerColumn("16 bit, dB", "The layer's detail over what 16 bits change in it, in earlier layers too, in dB.",
                             {health.name: health.chain_db for health in found})  # fmt: skip
        yield OverlayResult(found, len(found) / len(network.synthesis.specs), columns=(column,))


def probed(layer: Any) -> Any:
    """The layer, sharing all it has, which notes what its clamp does: `clamped` and `largest`, of its last call."""
    from networks.sharing import shared_copy
    from torch_utils import ops

    class Probed(type(layer)):
        clamped: float | None = None
        largest: float = math.nan

        def forward(self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor | None = None, **options: Any) -> torch.Tensor:
            y = super().forward(x, w, noise, **options)
            if self.spec.is_torgb:
                self._note(y)
            return y

        def nonlinearity(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
            spec, added = self.spec, getattr(self, "added_noise", None)  # of a layer that was broken on purpose
            noisy = x if added is None else x + added.to(x)
            fast = ops.upfirdn2d(ops.bias_act(noisy, bias), self.up_filter, up=spec.up_factor, padding=spec.padding, gain=spec.up_factor**2)
            self._note(ops.bias_act(fast, act="lrelu"))
            return super().nonlinearity(x, bias)

        def _note(self, values: torch.Tensor) -> None:
            self.largest = float(values.abs().max())
            self.clamped = None if self.conv_clamp is None else float((values.abs() >= self.conv_clamp).float().mean())

    return shared_copy(layer, Probed)


def _against(outputs: list[torch.Tensor], sampling_rate: float) -> tuple[float | None, float | None]:
    """The second and the third output against the first, inside the image."""
    import torch

    from torch_utils.spectra import cropped_to_image

    exact, *others = (cropped_to_image(y[0].float(), sampling_rate) for y in outputs)
    wide = torch.float32 if exact.device.type == "mps" else torch.float64  # which Metal has not
    power = float((exact - exact.mean(dim=(1, 2), keepdim=True)).to(wide).square().sum())
    own, chain = (ratio_db(power, float((other - exact).to(wide).square().sum())) for other in others)
    return own, chain


def dead_channels(values: torch.Tensor, sampling_rate: float) -> tuple[int, ...]:
    """Channels of [C, H, W] that vary by less than `DEAD` of the layer's standard deviation inside the image."""
    from torch_utils.spectra import cropped_to_image

    deviations = cropped_to_image(values.float(), sampling_rate).std(dim=(1, 2), correction=0)
    level = float(deviations.square().mean().sqrt())
    return tuple((deviations <= DEAD * level).nonzero().flatten().tolist())


OVERLAY = Overlay(NAME, LayerHealth, (*LATENT, *CONDITIONS, Pose), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Layer health", "LayerHealth.on", "Computes every layer in 32 and in 16 bits, counts what its clamp cuts off, and looks for "
           "channels that carry nothing.", default=False)  # fmt: skip
DTYPE = Field("16 bits", "LayerHealth.dtype", "float16: 11 significant bits up to 65504. bfloat16: 8 bits, as far as 32-bit numbers go.",
              default="float16")  # fmt: skip
DTYPES = {"float16": "float16", "bfloat16": "bfloat16"}
COLUMNS = (
    ("Layer", "Click a row to look at that layer. A dot: the network computes it in 16 bits on a graphics card."),
    ("dB alone", "Detail over error in dB, with this layer alone in 16 bits: 60 dB is a thousandth."),
    ("dB chain", "The same with this layer and all before it in 16 bits."),
    ("clamp", "Values that the clamp cuts off, between up- and downsampling."),
    ("max |x|", "Largest magnitude there, before the clamp. float16 ends at 65504."),
    ("dead", "Channels that do not vary over the image, for this latent."),
)
NARROW_EM = 20.0  # a panel that is less wide has no room for all columns
EMPTY = "16-bit error, clamped values and dead channels of every layer, for the picture on screen."
NOTHING = "Only networks of filtered layers (rungs D to H, T and R) can be measured this way."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    reason = NO_NETWORK if facts is None else ""
    state = switch(state, ON, LayerHealth, disabled=reason)
    state = state.edit(LayerHealth, dtype=choice(DTYPE, state.get(LayerHealth).dtype, DTYPES, disabled=reason))
    if facts is None or not state.get(LayerHealth).on:
        return invitation(state, ON, LayerHealth, EMPTY, disabled=reason)
    result = result_of(context, NAME)
    if nothing(result):
        wrapped_text(NOTHING)
        return state
    found: tuple[Health, ...] = result.values if result is not None and result.values is not None else ()
    total = sum(tap.spec is not None for tap in facts.taps)
    state = progress(state, LayerHealth, result, f"{len(found)} of {total} layers")
    return _table(state, facts, found)


def _table(state: ViewState, facts: NetworkFacts, found: tuple[Health, ...]) -> ViewState:
    flags, height_em = imgui.TableFlags_.row_bg.value | imgui.TableFlags_.borders_inner_v.value, 0.0
    if (em := imgui.get_font_size()) * NARROW_EM > imgui.get_content_region_avail().x:  # by scrolling sideways, so that all can be read
        flags |= imgui.TableFlags_.scroll_x.value | imgui.TableFlags_.sizing_fixed_fit.value
        style = imgui.get_style()
        height_em = ((len(found) + 1) * (imgui.get_text_line_height() + 2 * style.cell_padding.y) + style.scrollbar_size) / em
    else:
        flags |= imgui.TableFlags_.sizing_stretch_prop.value
    selected = facts.tap_name(state.get(Tap).layer)
    with table_scope("##health", len(COLUMNS), flags, (0, height_em)) as visible:
        if not visible:
            return state
        headings(COLUMNS)
        for health in found:
            imgui.table_next_row()
            imgui.table_next_column()
            first, *rest = texts(health, half=facts.tap(health.name).dtype == "float16")
            span = imgui.SelectableFlags_.span_all_columns.value
            if imgui.selectable(f"{first}###LayerHealth.{health.name}", health.name == selected, span)[0]:
                state = state.edit(Tap, layer=health.name)
            _dead_tooltip(health)
            for text, alarming in zip(rest, alarms(health), strict=True):
                imgui.table_next_column()
                if alarming:
                    with color_scope(text=theme.WARNING):
                        imgui.text_unformatted(text)
                else:
                    imgui.text_unformatted(text)
    return state


def _dead_tooltip(health: Health) -> None:
    if health.dead:
        with tooltip_scope() as shown:
            if shown:
                imgui.text_unformatted(f"dead: {', '.join(map(str, health.dead[:64]))}{' …' if len(health.dead) > 64 else ''}")


def texts(health: Health, *, half: bool = False) -> tuple[str, ...]:
    """A text for each of COLUMNS."""
    clamped = MISSING if health.clamped is None else "none" if health.clamped == 0 else f"{significant(100 * health.clamped, 2)} %"
    dead = f"{len(health.dead)} of {health.channels}" if health.dead else "none"
    name = health.name.split("_")[0] + (" ·" if half else "")
    return name, number_text(health.own_db), number_text(health.chain_db), clamped, significant(health.largest, 3), dead


def alarms(health: Health) -> tuple[bool, ...]:
    """Which of the texts after the name deserve attention: less than 40 dB, anything clamped or beyond float16, anything dead."""
    low = [db is not None and db < 40 for db in (health.own_db, health.chain_db)]
    return (*low, bool(health.clamped), not health.largest < 65504, bool(health.dead))


PANEL = Panel("Layer health", "right", 37, draw, workspaces=(2,))
