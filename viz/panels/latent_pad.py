"""The pad of the latent panel: a map of the seed lattice around the current point, to drag and to click."""

from __future__ import annotations

import math

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.scopes import clip_scope, tooltip_scope
from viz.canvas import gestures
from viz.panels import PanelContext
from viz.state import SEEDS_PER_ROW, Latent, ViewState

HEIGHT_EM = 7.0
SPACING_EM = 5.0  # between two seeds on the map
COARSE, FINE = 10.0, 0.1  # Shift, Alt
CLICK_PX = 3.0  # the mouse moved no further: a click
HELP = (
    "A map of the seeds around the point; brighter ones weigh more.\nDrag to walk (25 em = one seed; Shift: 10 times faster, "
    "Alt: 10 times slower). Click a seed to go to it."
)


def pad(state: ViewState, context: PanelContext) -> ViewState:
    """Draws the map, the current point in its middle, and moves the point with the mouse."""
    em = imgui.get_font_size()
    at = imgui.get_cursor_screen_pos()
    size = (max(em, imgui.get_content_region_avail().x), HEIGHT_EM * em)
    imgui.invisible_button("###Latent.pad", size)
    hovered, active, released = imgui.is_item_hovered(), imgui.is_item_active(), imgui.is_item_deactivated()
    middle = (at.x + size[0] / 2, at.y + size[1] / 2)
    _draw(state.get(Latent), (at.x, at.y), size, bright=hovered or active)
    if hovered and not active:
        with tooltip_scope() as shown:
            if shown:
                imgui.text_unformatted(HELP)
    if active:
        return _dragged(state, context)
    travelled = context.scratch.pop("latent.travelled", 0.0)
    return _clicked(state, middle, em) if released and travelled <= CLICK_PX else state


def node_at(latent: Latent, dx: float, dy: float, em: float) -> tuple[int, int] | None:
    """The lattice point under a spot (dx, dy) pixels from the middle of the map; None between seeds."""
    x, y = latent.x + dx / (SPACING_EM * em), latent.y + dy / (SPACING_EM * em)
    i, j = math.floor(x + 0.5), math.floor(y + 0.5)
    return (i, j) if math.hypot(x - i, y - j) < 0.3 else None


def _dragged(state: ViewState, context: PanelContext) -> ViewState:
    io = imgui.get_io()
    factor = COARSE if io.key_shift else FINE if io.key_alt else 1.0
    dx, dy = io.mouse_delta.x, io.mouse_delta.y
    context.scratch["latent.travelled"] = context.scratch.get("latent.travelled", 0.0) + math.hypot(dx, dy)
    return gestures.walk(state, dx * factor, dy * factor, context.em) if dx or dy else state


def _clicked(state: ViewState, middle: tuple[float, float], em: float) -> ViewState:
    mouse = imgui.get_io().mouse_pos
    node = node_at(state.get(Latent), mouse.x - middle[0], mouse.y - middle[1], em)
    return state if node is None else state.edit(Latent, x=float(node[0]), y=float(node[1]))


def _draw(latent: Latent, at: tuple[float, float], size: tuple[float, float], *, bright: bool) -> None:
    lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
    corner = (at[0] + size[0], at[1] + size[1])
    lines.add_rect_filled(at, corner, _gray(0.095), 0.2 * em)
    with clip_scope(lines, at, corner):
        _lattice(lines, latent, at, size)
        middle = (at[0] + size[0] / 2, at[1] + size[1] / 2)
        lines.add_circle_filled(middle, 0.36 * em, _gray(0.0, 0.6))
        lines.add_circle_filled(middle, 0.28 * em, theme.packed(theme.ACCENT))
    lines.add_rect(at, corner, _gray(0.4 if bright else 0.26), 0.2 * em)


def _lattice(lines: imgui.ImDrawList, latent: Latent, at: tuple[float, float], size: tuple[float, float]) -> None:
    em, step = imgui.get_font_size(), SPACING_EM * imgui.get_font_size()
    reach_x, reach_y = size[0] / 2 / step, size[1] / 2 / step
    across = range(math.floor(latent.x - reach_x), math.ceil(latent.x + reach_x) + 1)
    down = range(math.floor(latent.y - reach_y), math.ceil(latent.y + reach_y) + 1)
    xs = {i: at[0] + size[0] / 2 + (i - latent.x) * step for i in across}
    ys = {j: at[1] + size[1] / 2 + (j - latent.y) * step for j in down}
    for x in xs.values():
        lines.add_line((x, at[1]), (x, at[1] + size[1]), _gray(0.2))
    for y in ys.values():
        lines.add_line((at[0], y), (at[0] + size[0], y), _gray(0.2))
    for j, y in ys.items():
        for i, x in xs.items():
            weight = max(0.0, 1 - abs(latent.x - i)) * max(0.0, 1 - abs(latent.y - j))
            lines.add_circle_filled((x, y), 0.18 * em, _gray(0.35 + 0.65 * weight))
            text = str(i + SEEDS_PER_ROW * j).replace("-", "−")
            left = x + 0.35 * em
            if at[0] <= left and left + imgui.calc_text_size(text).x <= at[0] + size[0]:  # half a number is another number
                lines.add_text((left, y + 0.2 * em), _gray(0.5 + 0.5 * weight), text)


def _gray(value: float, alpha: float = 1.0) -> int:
    return theme.packed((value, value, value), alpha)
