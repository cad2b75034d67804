"""What the canvas has drawn, without lines and text, and where that goes in a window of another size. Pure geometry, no OpenGL calls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gui_utils.texture import FloatTexture
from gui_utils.tone import ToneMap
from viz.canvas.placement import EXACT, Area, Content, Placement, aligned
from viz.compare.layout import cells_in_window, columns_in_window
from viz.state import View

GAP = 4  # pixels between two views


@dataclass(frozen=True)
class Piece:
    """One picture or overlay as it was drawn: the values on the GPU, where the canvas placed them, and how they looked."""

    values: FloatTexture
    mask: FloatTexture | None
    content: Content
    placement: Placement
    tone: ToneMap
    magnify: str
    brightness: float = 1.0
    opacity: float = 1.0
    clip: Area | None = None


def cells(count: int, columns: int, size: tuple[int, int]) -> list[Area]:
    """Where `count` views stand in a window of this size (width, height), in `columns` (0: as many as make them largest)."""
    columns = columns_in_window(count, columns, size, GAP, 0)
    return [Area(*cell) for cell in cells_in_window(count, columns, size, GAP)]


def elsewhere(placement: Placement, view: View, content: Content, area: Area) -> Placement:
    """What is placed on the canvas, in another area: fitted where the canvas fits it. Otherwise all that the canvas shows is there,
    as large as can be, at a whole number of pixels a sample where the canvas has one.
    """
    if view.zoom <= 0:
        fit = min(area.width / content.fit_width, area.height / content.fit_height)
        return aligned(Placement(area, max(fit, 1.0), 0.0, 0.0), content)
    factor = min(area.width / placement.area.width, area.height / placement.area.height)
    per_sample = placement.pixels_per_sample(content)
    if per_sample > 1 - EXACT and abs(per_sample - round(per_sample)) < EXACT:
        factor = max(1, math.floor(round(per_sample) * factor)) / per_sample
    return aligned(replace(placement, area=area, scale=placement.scale * factor), content)


def clipped(piece: Piece, there: Placement) -> Area:
    """The part of its area elsewhere in which a piece is seen: the wipe's divider stands at the same place of the image."""
    here, area = piece.placement, there.area
    if piece.clip is None:
        return area
    ends = []
    for x, end in ((piece.clip.x, area.x), (piece.clip.x + piece.clip.width, area.x + area.width)):
        at_end = abs(x - (here.area.x if end == area.x else here.area.x + here.area.width)) < EXACT
        moved, _ = there.to_screen(here.to_image(x, 0.0)[0], 0.0)
        ends.append(end if at_end else min(max(round(moved), area.x), area.x + area.width))
    return replace(area, x=ends[0], width=ends[1] - ends[0])


def cell_of(piece: Piece, areas: Sequence[Area]) -> int:
    """Which of the canvas's areas a piece was drawn in."""
    return next((i for i, area in enumerate(areas) if area == piece.placement.area), 0)
