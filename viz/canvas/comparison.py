"""Several views on the canvas: in cells of their own, behind a wipe, in one place, or as a difference; one zoom, one cursor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.texture import Pool
from gui_utils.tone import ToneMap
from viz.canvas.captions import Caption, KnownEquivariance, captions, difference_caption, draw_caption, height_of, width_of
from viz.canvas.picture import CanvasPicture
from viz.canvas.placement import Area, Content, Placement, Probe, probe
from viz.canvas.scene import Piece
from viz.compare.compare import chosen, compared, others
from viz.compare.layout import cells_in_window, columns_in_window
from viz.compare.picture import difference_tone
from viz.request import Frame, Picture
from viz.state import CompareView, View, ViewState

GAP_EM = 0.25
LEAST_EM = 20.0  # of a cell: room for its caption
GRIP_EM = 0.8
HANDLE_EM = (0.55, 1.1)
FARTHEST = 2.0  # image widths from the centre that the divider can stand

Paint = Callable[[Area | None], None]  # draws the first picture, within a part of the canvas


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
    """Whether the other view stands in the place of the first. X, held, shows the other one."""
    shown = state.get(CompareView)
    held = imgui.is_key_down(imgui.Key.x) and not imgui.get_io().want_text_input and imgui.get_io().key_mods == 0
    if shown.mode == "flip":
        return shown.second != held
    return held and shown.mode != "side"


def above_pictures(caption: Area, placement: Placement, extent: tuple[float, float], wanted: float) -> Area:
    """The caption's area, moved towards the upper left corner of pictures that are `extent` (width, height, in image widths) large.

    It stays above them and in its row, and keeps `wanted` pixels of width where it has them.
    """
    left, top = placement.to_screen(-extent[0] / 2, -extent[1] / 2)
    x = caption.x + min(max(0.0, left - caption.x), max(0.0, caption.width - wanted))
    return Area(x, caption.y + max(0.0, top - placement.area.y), caption.x + caption.width - x, caption.height)


def extent_of(frame: Frame, numbers: Iterable[int]) -> tuple[float, float]:
    """Width and height, in image widths, that hold the pictures of these views, margins included."""
    pictures = [frame.picture if n == 1 else frame.others[n].frame.picture for n in numbers if n == 1 or n in frame.others]
    contents = [Content.of(picture, margins=True) for picture in pictures if picture is not None]
    return max((c.fit_width for c in contents), default=1.0), max((c.fit_height for c in contents), default=1.0)


class CanvasCompare:
    """Owns the GL objects of the other pictures and of the difference."""

    def __init__(self, scene: list[Piece]) -> None:
        self._scene = scene
        self.pictures = Pool()  # by the number of the view, or "difference"; those that nobody looks at any more are given back
        self._captions: dict[int, Caption] = {}
        self._caption_areas: dict[int, Area] = {}
        self.known = KnownEquivariance()
        self.probes: dict[int, Probe] = {}
        self.areas: dict[int, Area] = {}  # of the other pictures, while they have areas of their own
        self._offset = (0.0, 0.0)

    def arrange(self, state: ViewState, frame: Frame, whole: Area) -> Area:
        """Where the first picture stands; the others' places, and the room for all captions, are kept."""
        self.known.note(frame)
        self.pictures.end_frame()
        self.areas, self._caption_areas, self._captions = {}, {}, {}
        if not compared(state):
            self.probes = {}
            return whole
        mode, numbers = state.get(CompareView).mode, (1, *others(state))
        if mode == "side":
            self._captions = captions(frame, state, numbers, self.known)
            return self._arrange_cells(state, whole, numbers)
        other = chosen(state)
        shown = captions(frame, state, (1, other), self.known)
        beside = frame.others.get(other)
        if beside is None or beside.frame.picture is None:
            self._captions = shown
        elif flipped(state):
            self._captions = {other: shown[other]}
        elif mode == "difference":
            self._captions = {other: difference_caption(frame, beside, state, other)}
        else:
            self._captions = shown if mode == "wipe" else {1: shown[1]}
        return self._below_captions(whole, height_of(shown))

    def _arrange_cells(self, state: ViewState, whole: Area, numbers: tuple[int, ...]) -> Area:
        gap, above = round(GAP_EM * imgui.get_font_size()), height_of(self._captions)
        size = (whole.width, whole.height)
        columns = columns_in_window(len(numbers), state.get(CompareView).columns, size, gap, above)
        places = cells_in_window(len(numbers), columns, size, gap, above=above, least=LEAST_EM * imgui.get_font_size())
        for number, (left, top, width, height) in zip(numbers, places, strict=True):
            kept = min(above, math.floor(height / 2))
            self._caption_areas[number] = Area(whole.x + left, whole.y + top, width, kept)
            self.areas[number] = Area(whole.x + left, whole.y + top + kept, width, max(1.0, height - kept))
        return self.areas.pop(1)

    def _below_captions(self, whole: Area, above: float) -> Area:
        """One picture under the captions, which share the row."""
        above = min(above, math.floor(whole.height / 2))
        width = whole.width / max(1, len(self._captions))
        for i, number in enumerate(sorted(self._captions)):
            self._caption_areas[number] = Area(whole.x + i * width, whole.y, width, above)
        return replace(whole, y=whole.y + above, height=max(1.0, whole.height - above))

    def map_mouse(self, mouse: tuple[float, float], area: Area, *, held: bool = False) -> tuple[float, float]:
        """Where the cursor is in the first view, also while it is over another. A drag (`held`) stays with the view it began in."""
        if not held:
            found = next((other for other in self.areas.values() if other.contains(*mouse)), area)
            self._offset = area.x - found.x, area.y - found.y
        return mouse[0] + self._offset[0], mouse[1] + self._offset[1]

    def draw(self, state: ViewState, frame: Frame, placement: Placement, tone: ToneMap, paint_first: Paint) -> None:
        """All views, in the layout that is chosen."""
        shown = state.get(CompareView)
        if shown.mode == "side":
            paint_first(None)
            for number, area in self.areas.items():
                self._paint(number, frame, replace(placement, area=area), state, tone)
        else:
            self._draw_one(chosen(state), state, frame, placement, tone, paint_first)
        extent = extent_of(frame, (1, *self._captions))
        for number, caption in self._captions.items():
            cell = replace(placement, area=self.areas.get(number, placement.area))
            area = above_pictures(self._caption_areas[number], cell, extent, width_of(caption))
            draw_caption(caption, area, hovered=imgui.is_item_hovered())

    def _draw_one(self, number: int, state: ViewState, frame: Frame, placement: Placement, tone: ToneMap, paint_first: Paint) -> None:
        """The first view and another in the same place."""
        mode, beside = state.get(CompareView).mode, frame.others.get(number)
        if beside is None or beside.frame.picture is None:
            paint_first(None)
        elif flipped(state):
            self._paint(number, frame, placement, state, tone)
        elif mode == "wipe":
            self._wipe(number, state, frame, placement, tone, paint_first)
        elif mode == "difference" and beside.difference is not None:
            self._draw_difference(beside.difference, state, placement)
        else:
            paint_first(None)

    def read(self, frame: Frame, placement: Placement, mouse: tuple[float, float], *, margins: bool) -> None:
        """What the other pictures hold under the (mapped) cursor."""
        self.probes = {}
        for number, beside in sorted(frame.others.items()):
            picture = beside.frame.picture
            found = None if picture is None else probe(picture, placement, Content.of(picture, margins=margins), *mouse)
            if found is not None:
                self.probes[number] = found

    def crosshair(self, placement: Placement, mouse: tuple[float, float], pointer: tuple[float, float]) -> None:
        """The cursor's twins in the views that it is not in; `mouse` is mapped to the first view, `pointer` where it really is."""
        areas = (placement.area, *self.areas.values())
        if not self.areas or not placement.area.contains(*mouse):
            return
        lines, reach = imgui.get_window_draw_list(), 0.5 * imgui.get_font_size()
        for area in areas:
            if area.contains(*pointer):
                continue
            x, y = mouse[0] - placement.area.x + area.x, mouse[1] - placement.area.y + area.y
            for tint, width in ((theme.packed((0, 0, 0), 0.6), theme.px(3.0)), (theme.packed((1, 1, 1), 0.9), theme.px(1.0))):
                lines.add_line((x - reach, y), (x + reach, y), tint, width)
                lines.add_line((x, y - reach), (x, y + reach), tint, width)

    def delete(self) -> None:
        self.pictures.delete()

    # ------------------------------------------------------------------------------------------------ layouts

    def _drawn(self, key: int | str) -> CanvasPicture:
        return self.pictures.get(key, lambda: CanvasPicture(self._scene))

    def _paint(self, number: int, frame: Frame, placement: Placement, state: ViewState, tone: ToneMap, clip: Area | None = None) -> None:
        beside, view = frame.others.get(number), state.get(View)
        picture = beside.frame.picture if beside is not None else None
        if picture is not None:
            shown = self._drawn(number)
            shown.draw(picture, placement, tone, margins=view.margins, magnify=view.magnify, brightness=1.0, clip=clip)

    def _wipe(self, number: int, state: ViewState, frame: Frame, placement: Placement, tone: ToneMap, paint_first: Paint) -> None:
        area, x = placement.area, divider_x(state, placement)
        paint_first(replace(area, width=x - area.x))
        self._paint(number, frame, placement, state, tone, replace(area, x=x, width=area.x + area.width - x))
        lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
        for tint, width in ((theme.packed((0, 0, 0), 0.6), theme.px(4.0)), (theme.packed((1, 1, 1), 0.9), theme.px(2.0))):
            lines.add_line((x, area.y), (x, area.y + area.height), tint, width)
        y = area.y + area.height / 2
        corners = (x - HANDLE_EM[0] * em, y - HANDLE_EM[1] * em), (x + HANDLE_EM[0] * em, y + HANDLE_EM[1] * em)
        lines.add_rect_filled(*corners, theme.packed((1, 1, 1), 0.9), 0.3 * em)
        for side in (-1, 1):
            lines.add_triangle_filled(
                (x + side * 0.4 * em, y),
                (x + side * 0.12 * em, y - 0.3 * em),
                (x + side * 0.12 * em, y + 0.3 * em),
                theme.packed((0.2, 0.2, 0.2)),
            )

    def _draw_difference(self, picture: Picture, state: ViewState, placement: Placement) -> None:
        tone, view = difference_tone(state, picture.shape[2]), state.get(View)
        shown = self._drawn("difference")
        shown.draw(picture, placement, tone, margins=view.margins, magnify=view.magnify, brightness=1.0)
