"""Overlay "Filmstrip": every layer side by side, at one scale, with the image's frame in each; one cursor and one zoom across all.

Each layer is shown by its three strongest principal components as red, green and blue, which say more of hundreds of channels than any
three of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gui_utils import theme
from gui_utils.controls import Field
from gui_utils.libraries import imgui
from gui_utils.scopes import child_scope, clip_scope, dim_text, tooltip_scope
from gui_utils.text import number_text
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.parts import progress, result_of, switch
from viz.canvas import shared_cursor
from viz.panels import Panel, PanelContext
from viz.panels.invitation import SHOW, invitation
from viz.panels.parts import NO_NETWORK
from viz.request import NetworkFacts, OverlayResult
from viz.state import Filmstrip, Pose, Tap, ViewState

if TYPE_CHECKING:
    import torch

    from viz.stages import Run

NAME = "filmstrip"
LARGEST = 384  # samples of a cell's longer side; finer layers are reduced


@dataclass(frozen=True, eq=False)
class Cell:
    """One layer: uint8 [h, w, 3], and the size of its canvas in image widths (1 by 1 is the image, more is margin)."""

    name: str
    pixels: np.ndarray
    canvas: tuple[float, float]


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult]:
    from networks.measures.patience import LastStep
    from viz.stages.synthesis import layer_memo, posed_conditions

    ready = run.inputs["load"]
    memo, fixed = LastStep(layer_memo(run)), posed_conditions(run)
    cells: tuple[Cell, ...] = ()
    for tap in ready.facts.taps:
        values = ready.network.synthesize(run.inputs["latent"].ws, tap=tap.name, memo=memo, **fixed)[0]
        height, width = values.shape[-2:]
        colors = as_picture(values) if tap is ready.facts.taps[-1] else as_colors(values, tap.sampling_rate)
        cells = (*cells, Cell(tap.name, colors, (width / tap.sampling_rate, height / tap.sampling_rate)))
        yield OverlayResult(cells, len(cells) / len(ready.facts.taps))


def as_colors(values: torch.Tensor, sampling_rate: float) -> np.ndarray:
    """A layer [C, H, W] as uint8 [h, w, 3], no larger than LARGEST: its principal components, or what few channels it has."""
    from torch_utils.spectra import cropped_to_image
    from viz.stages.channel_colors import principal

    reduced = _reduced(values)
    if len(values) > 3:
        rate = sampling_rate * reduced.shape[-1] / values.shape[-1]
        return as_picture(principal(reduced, cropped_to_image(reduced, rate))[0])
    deviation = reduced.std(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    return as_picture((reduced - reduced.mean(dim=(1, 2), keepdim=True)) / (2 * deviation))


def as_picture(values: torch.Tensor) -> np.ndarray:
    """Channels [C, H, W] from -1 to 1 as uint8 [h, w, 3]; a single one as grey."""
    colors = _reduced(values)[: 3 if len(values) >= 3 else 1].expand(3, -1, -1)
    return ((colors.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()


def _reduced(values: torch.Tensor) -> torch.Tensor:
    import torch.nn.functional as F

    factor = -(-max(values.shape[-2:]) // LARGEST)
    return values.float() if factor <= 1 else F.avg_pool2d(values.float(), factor)


OVERLAY = Overlay(NAME, Filmstrip, (*LATENT, *CONDITIONS, Pose), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Filmstrip", "Filmstrip.on", "Shows every layer of the network, all at the scale of the picture. Click one to look at it.",
           default=False)  # fmt: skip
EMPTY = "All layers side by side, registered to the image, by their principal components. The cursor is marked in all of them."
LABEL_EM, SMALLEST_EM, LARGEST_EM = 1.5, 5.0, 16.0
GROUND, FRAME, CROSS = (0.07, 0.07, 0.07), theme.ACCENT, (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Region:
    """The square of the picture's plane that each cell shows: centre and side, in image widths."""

    x: float
    y: float
    side: float

    def to_screen(self, corner: tuple[float, float], size: float, at: tuple[float, float]) -> tuple[float, float]:
        """A place of the plane in a cell of `size` pixels whose upper left corner is `corner`."""
        return tuple(c + ((a - m) / self.side + 0.5) * size for c, a, m in zip(corner, at, (self.x, self.y), strict=True))  # type: ignore[return-value]

    def to_plane(self, corner: tuple[float, float], size: float, pixel: tuple[float, float]) -> tuple[float, float]:
        return tuple(m + ((p - c) / size - 0.5) * self.side for p, c, m in zip(pixel, corner, (self.x, self.y), strict=True))  # type: ignore[return-value]


def region_of(widest: float, visible: shared_cursor.Rect | None) -> Region:
    """All of the widest canvas, or the square around what the picture's window shows while it is zoomed in."""
    if visible is None:
        return Region(0.0, 0.0, widest)
    x0, y0, x1, y1 = visible
    side = min(widest, max(x1 - x0, y1 - y0))
    most = (widest - side) / 2
    return Region(min(max((x0 + x1) / 2, -most), most), min(max((y0 + y1) / 2, -most), most), side)


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    state = switch(state, ON, Filmstrip, disabled=NO_NETWORK if facts is None else "")
    if facts is None or not state.get(Filmstrip).on:
        shared_cursor.point(context.scratch, NAME, None)
        return invitation(state, ON, Filmstrip, EMPTY, disabled=NO_NETWORK if facts is None else "", label=SHOW)
    result = result_of(context, NAME)
    cells: tuple[Cell, ...] = result.values if result is not None and result.values is not None else ()
    state = progress(state, Filmstrip, result, f"{len(cells)} of {len(facts.taps)} layers")
    return _strip(state, context, facts, cells) if cells else state


def _strip(state: ViewState, context: PanelContext, facts: NetworkFacts, cells: tuple[Cell, ...]) -> ViewState:
    """As many rows as fit; each cell as large as the height, or a third of the width, allows."""
    room, em = imgui.get_content_region_avail(), imgui.get_font_size()
    size = em * min(LARGEST_EM, max(SMALLEST_EM, min(room.y / em - LABEL_EM - 1.2, room.x / em / 3 - 0.6)))
    region = region_of(max(max(cell.canvas) for cell in cells), shared_cursor.shown_region(context.scratch))
    selected, over = facts.tap_name(state.get(Tap).layer), None
    with child_scope("##filmstrip") as visible:
        if not visible:
            return state
        across = max(1, int((room.x + 0.3 * em) / (size + 0.5 * em)))
        for i, cell in enumerate(cells):
            if i % across:
                imgui.same_line(0, 0.5 * em)
            imgui.begin_group()
            try:
                corner = imgui.get_cursor_screen_pos()
                if imgui.invisible_button(f"###Filmstrip.layer.{cell.name}", (size, size)):
                    state = state.edit(Tap, layer="" if cell.name == facts.taps[-1].name else cell.name)
                if imgui.is_item_hovered():
                    mouse = imgui.get_io().mouse_pos
                    over = region.to_plane((corner.x, corner.y), size, (mouse.x, mouse.y))
                    _tooltip(facts, cell, over)
                _cell(context, cell, region, (corner.x, corner.y), size)
                (imgui.text_unformatted if cell.name == selected else dim_text)(cell.name)
            finally:
                imgui.end_group()
    shared_cursor.point(context.scratch, NAME, over)
    return state


def _cell(context: PanelContext, cell: Cell, region: Region, corner: tuple[float, float], size: float) -> None:
    lines, end = imgui.get_window_draw_list(), (corner[0] + size, corner[1] + size)
    lines.add_rect_filled(corner, end, theme.packed(GROUND))
    with clip_scope(lines, corner, end):
        x, y = cell.canvas[0] / 2, cell.canvas[1] / 2
        if context.image is not None:
            texture = context.image(f"{NAME} {cell.name}", cell.pixels)
            lines.add_image(texture, region.to_screen(corner, size, (-x, -y)), region.to_screen(corner, size, (x, y)))
        if max(cell.canvas) > 1:
            frame = region.to_screen(corner, size, (-0.5, -0.5)), region.to_screen(corner, size, (0.5, 0.5))
            lines.add_rect(*frame, theme.packed((0.0, 0.0, 0.0), 0.6), 0, theme.px(3.0))
            lines.add_rect(*frame, theme.packed(FRAME, 0.9), 0, theme.px(1.0))
        if (at := shared_cursor.cursor(context.scratch)) is not None:
            cross(lines, region.to_screen(corner, size, at), 0.45 * imgui.get_font_size())


def cross(lines: Any, at: tuple[float, float], arm: float) -> None:
    """The shared cursor."""
    for color, width in ((theme.packed((0.0, 0.0, 0.0), 0.7), theme.px(3.0)), (theme.packed(CROSS, 0.95), theme.px(1.0))):
        lines.add_line((at[0] - arm, at[1]), (at[0] + arm, at[1]), color, width)
        lines.add_line((at[0], at[1] - arm), (at[0], at[1] + arm), color, width)


def _tooltip(facts: NetworkFacts, cell: Cell, at: tuple[float, float]) -> None:
    tap = facts.tap(cell.name)
    with tooltip_scope() as shown:
        if shown:
            imgui.text_unformatted(
                f"{cell.name}: {tap.size[0]} × {tap.size[1]} samples, {tap.channels} channels, s = {tap.sampling_rate:g}"
            )
            dim_text(f"{number_text(at[0], decimals=3)}, {number_text(at[1], 'widths', 3)}. Click to look at this layer.")


PANEL = Panel("Filmstrip", "bottom", 40, draw, workspaces=(2,))
