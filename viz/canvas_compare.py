"""The second view on the canvas: beside the first, behind a wipe, in its place, or as the difference; one zoom, one cursor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.text import number_text
from gui_utils.tone import ToneMap
from viz.canvas_badge import badge_text
from viz.canvas_picture import CanvasPicture
from viz.canvas_view import Area, Content, Placement, Probe, probe
from viz.compare_picture import compared, difference_tone
from viz.request import Beside, Frame, Picture
from viz.state import Compare, CompareView, View, ViewState

GAP_EM = 0.25
GRIP_EM = 0.8
HANDLE_EM = (0.55, 1.1)
FARTHEST = 2.0  # image widths from the centre that the divider can stand

Paint = Callable[[Area | None], None]  # draws the first picture, within a part of the canvas


def first_area(state: ViewState, area: Area) -> Area:
    """Where the first view lies: the left half beside another, else everything."""
    if not compared(state) or state.get(CompareView).mode != "side":
        return area
    gap = round(GAP_EM * imgui.get_font_size())
    return replace(area, width=max(1.0, math.floor((area.width - gap) / 2)))


def second_area(area: Area, whole: Area) -> Area:
    """The right half: as large as the left, at the other end."""
    return replace(area, x=whole.x + whole.width - area.width)


def divider_x(state: ViewState, placement: Placement) -> float:
    """Where the wipe's divider is on screen: at its place in the image, but never out of reach."""
    x, _ = placement.to_screen(state.get(CompareView).split, 0.0)
    grip = imgui.get_font_size() / 2
    return min(max(x, placement.area.x + grip), placement.area.x + placement.area.width - grip)


def wiping(state: ViewState) -> bool:
    return compared(state) and state.get(CompareView).mode == "wipe"


def on_divider(state: ViewState, placement: Placement, mouse: tuple[float, float]) -> bool:
    return wiping(state) and abs(mouse[0] - divider_x(state, placement)) <= GRIP_EM * imgui.get_font_size()


def drag_divider(state: ViewState, placement: Placement, px: float) -> ViewState:
    x, _ = placement.to_image(px, 0.0)
    return state.edit(CompareView, split=min(max(x, -FARTHEST), FARTHEST))


def flipped(state: ViewState) -> bool:
    """Whether the second view stands in the place of the first. X, held, shows the other one."""
    shown = state.get(CompareView)
    held = imgui.is_key_down(imgui.Key.x) and not imgui.get_io().want_text_input and imgui.get_io().key_mods == 0
    if shown.mode == "flip":
        return shown.second != held
    return held and shown.mode != "side"


class CanvasCompare:
    """Owns the GL objects of the second picture and of the difference."""

    def __init__(self) -> None:
        self._second, self._difference = CanvasPicture(), CanvasPicture()
        self.probe: Probe | None = None
        self._below_em = 0.5
        self.area: Area | None = None  # of the second view, while it has one of its own

    def map_mouse(self, mouse: tuple[float, float], area: Area) -> tuple[float, float]:
        """Where the cursor is in the first view, also while it is over the second."""
        if self.area is not None and self.area.contains(*mouse):
            return mouse[0] - self.area.x + area.x, mouse[1]
        return mouse

    def draw(self, state: ViewState, frame: Frame, placement: Placement, whole: Area, tone: ToneMap, paint_first: Paint) -> None:
        """Both views, in the layout that is chosen."""
        shown, beside, area = state.get(CompareView), frame.beside, placement.area
        self._below_em = 2.2 if badge_text(frame) else 0.5  # the badge stands above the names
        self.area = second_area(area, whole) if shown.mode == "side" else None
        second = beside.frame.picture if beside is not None else None
        if shown.mode == "side":
            paint_first(None)
            there = replace(placement, area=self.area or area)
            if second is not None:
                self._paint(second, there, state, tone)
            self._label(second_area(area, whole), second_text(beside, state), beside)
            self._label(area, first_text(frame), None)
        elif second is None or beside is None:
            paint_first(None)
            self._label(area, second_text(beside, state), beside)
        elif flipped(state):
            self._paint(second, placement, state, tone)
            self._label(area, second_text(beside, state), beside)
        elif shown.mode == "wipe":
            self._wipe(second, beside, state, frame, placement, tone, paint_first)
        elif shown.mode == "difference":
            self._draw_difference(beside, state, placement, paint_first)
        else:
            paint_first(None)
            self._label(area, first_text(frame), None)

    def read(self, frame: Frame, placement: Placement, mouse: tuple[float, float], *, margins: bool) -> None:
        """What the second picture holds under the (mapped) cursor."""
        second = frame.beside.frame.picture if frame.beside is not None else None
        self.probe = None if second is None else probe(second, placement, Content.of(second, margins=margins), *mouse)

    def crosshair(self, placement: Placement, mouse: tuple[float, float], *, hovers_second: bool) -> None:
        """The cursor's twin in the other view."""
        if self.area is None:
            return
        x = mouse[0] if hovers_second else mouse[0] - placement.area.x + self.area.x
        lines, reach = imgui.get_window_draw_list(), 0.5 * imgui.get_font_size()
        for tint, width in ((_tint((0, 0, 0), 0.6), 3.0), (_tint((1, 1, 1), 0.9), 1.0)):
            lines.add_line((x - reach, mouse[1]), (x + reach, mouse[1]), tint, width)
            lines.add_line((x, mouse[1] - reach), (x, mouse[1] + reach), tint, width)

    def delete(self) -> None:
        self._second.delete()
        self._difference.delete()

    # ------------------------------------------------------------------------------------------------ layouts

    def _paint(self, picture: Picture, placement: Placement, state: ViewState, tone: ToneMap, clip: Area | None = None) -> None:
        view = state.get(View)
        self._second.draw(picture, placement, tone, margins=view.margins, magnify=view.magnify, brightness=1.0, clip=clip)

    def _wipe(
        self, second: Picture, beside: Beside, state: ViewState, frame: Frame, placement: Placement, tone: ToneMap, paint_first: Paint
    ) -> None:
        area, x = placement.area, divider_x(state, placement)
        left, right = replace(area, width=x - area.x), replace(area, x=x, width=area.x + area.width - x)
        paint_first(left)
        self._paint(second, placement, state, tone, right)
        self._label(left, first_text(frame), None)
        self._label(right, second_text(beside, state), beside)
        lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
        for tint, width in ((_tint((0, 0, 0), 0.6), 4.0), (_tint((1, 1, 1), 0.9), 2.0)):
            lines.add_line((x, area.y), (x, area.y + area.height), tint, width)
        y = area.y + area.height / 2
        corners = (x - HANDLE_EM[0] * em, y - HANDLE_EM[1] * em), (x + HANDLE_EM[0] * em, y + HANDLE_EM[1] * em)
        lines.add_rect_filled(*corners, _tint((1, 1, 1), 0.9), 0.3 * em)
        for side in (-1, 1):
            lines.add_triangle_filled(
                (x + side * 0.4 * em, y), (x + side * 0.12 * em, y - 0.3 * em), (x + side * 0.12 * em, y + 0.3 * em), _tint((0.2, 0.2, 0.2))
            )

    def _draw_difference(self, beside: Beside, state: ViewState, placement: Placement, paint_first: Paint) -> None:
        picture, view = beside.difference, state.get(View)
        if picture is None:
            paint_first(None)
            self._label(placement.area, beside.reason or second_text(beside, state), beside)
            return
        tone = difference_tone(state, picture.values.shape[2])
        self._difference.draw(picture, placement, tone, margins=view.margins, magnify=view.magnify, brightness=1.0)
        gain = f", gain {number_text(state.get(CompareView).gain_db, 'dB', 1)}" if state.get(CompareView).gain_db else ""
        zero = "white is no difference" if picture.values.shape[2] == 1 else "grey is no difference"
        self._label(placement.area, f"second − first: {number_of(beside)}  ({zero}{gain})", beside)

    def _label(self, area: Area, text: str, beside: Beside | None) -> None:
        """Whose picture this is, at the upper left; below it, what is not shared."""
        lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
        notes = "\n".join(beside.notes) if beside is not None else ""
        error = beside.frame.error if beside is not None else None
        lines.push_clip_rect((area.x, area.y), (area.x + area.width, area.y + area.height), True)
        x, y, width = area.x + 0.7 * em, area.y + self._below_em * em, max(4 * em, area.width - 1.4 * em)
        texts = [(text, (0.95, 0.95, 0.95)), (notes, (0.72, 0.72, 0.72))]
        if error is not None:
            texts.insert(1, (f"{error.message} {error.advice}".strip(), theme.ERROR))
        for part, rgb in texts:
            if not part:
                continue
            size = imgui.calc_text_size(part, False, width)
            lines.add_rect_filled((x - 0.4 * em, y - 0.15 * em), (x + size.x + 0.4 * em, y + size.y + 0.2 * em), _tint((0, 0, 0), 0.6), 4.0)
            lines.add_text(imgui.get_font(), em, (x, y), _tint(rgb), part, width)
            y += size.y + 0.45 * em
        lines.pop_clip_rect()


def first_text(frame: Frame) -> str:
    return f"First: {_name(frame)}"


def second_text(beside: Beside | None, state: ViewState) -> str:
    if beside is None:
        return "Second: on its way …"
    own = state.get(Compare)
    names = ("own_latent", "latent"), ("own_truncation", "truncation"), ("own_noise", "noise"), ("own_pose", "pose"), ("own_layer", "layer")
    theirs = ", ".join(text for name, text in names if getattr(own, name))
    notes = ("; intact" if own.intact else "") + (f"; its own: {theirs}" if theirs else "")
    return f"Second: {_name(beside.frame)}{notes}" + (" …" if beside.stale else "")


def number_of(beside: Beside | None) -> str:
    """ "PSNR 31.42 dB" """
    if beside is None or beside.difference is None:
        return ""
    return f"{beside.unit} {number_text(beside.db, 'dB')}"


def _name(frame: Frame) -> str:
    if frame.network is None:
        return frame.request.view.to_dict().get("Source", {}).get("network", "no network")
    layer = frame.picture.tap if frame.picture and frame.picture.tap != frame.network.taps[-1].name else ""
    return f"{frame.network.name} ({frame.network.config_name})" + (f", {layer}" if layer else "")


def _tint(rgb: tuple[float, float, float], alpha: float = 1.0) -> int:
    return imgui.get_color_u32(imgui.ImVec4(*rgb, alpha))
