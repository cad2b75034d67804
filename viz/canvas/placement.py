"""Where the picture lies on the canvas. All geometry is in image coordinates: origin at the image's centre, lengths in image
widths, x right, y down. Screen lengths are framebuffer pixels. Pure functions, no window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from viz.request import Picture
from viz.state import View

FIT_MARGIN = 0.97  # a fitted picture leaves this much of the area
ZOOM_STEP = 1.15  # per wheel notch
ZOOM_RANGE = (1 / 64, 512.0)  # screen pixels per image pixel
EXACT = 1e-6


@dataclass(frozen=True)
class Area:
    """A rectangle on screen."""

    x: float
    y: float
    width: float
    height: float

    def contains(self, px: float, py: float) -> bool:
        return self.x <= px < self.x + self.width and self.y <= py < self.y + self.height

    @property
    def center(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def corners(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The upper left and the lower right one."""
        return (self.x, self.y), (self.x + self.width, self.y + self.height)


@dataclass(frozen=True)
class Content:
    """What is shown: samples (width, height), the sampling rate per image width, and what a fit must hold, in image widths."""

    width: int
    height: int
    sampling_rate: float
    fit_width: float
    fit_height: float

    @staticmethod
    def of(picture: Picture, *, margins: bool) -> Content:
        height, width = picture.shape[:2]
        x0, _, x1, _ = picture.frame_rect
        rate = x1 - x0
        if margins or picture.grid:
            return Content(width, height, rate, width / rate, height / rate)
        return Content(width, height, rate, 1.0, 1.0)


@dataclass(frozen=True)
class Placement:
    """The map between image coordinates and the screen: `scale` screen pixels per image width."""

    area: Area
    scale: float
    center_x: float
    center_y: float

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        mx, my = self.area.center
        return mx + (x - self.center_x) * self.scale, my + (y - self.center_y) * self.scale

    def to_image(self, px: float, py: float) -> tuple[float, float]:
        mx, my = self.area.center
        return self.center_x + (px - mx) / self.scale, self.center_y + (py - my) / self.scale

    def source(self, content: Content) -> tuple[float, float, float, float]:
        """The canvas area in samples of the content: (x0, y0, x1, y1)."""
        x0, y0 = self.to_sample(content, self.area.x, self.area.y)
        x1, y1 = self.to_sample(content, self.area.x + self.area.width, self.area.y + self.area.height)
        return x0, y0, x1, y1

    def to_sample(self, content: Content, px: float, py: float) -> tuple[float, float]:
        """Position in samples of a point on screen; sample i covers [i, i + 1)."""
        x, y = self.to_image(px, py)
        return content.width / 2 + x * content.sampling_rate, content.height / 2 + y * content.sampling_rate

    def pixels_per_sample(self, content: Content) -> float:
        return self.scale / content.sampling_rate

    def exact(self, content: Content) -> bool:
        """Whether every sample is one screen pixel, without resampling: the 1:1 lamp."""
        x0, y0, _, _ = self.source(content)
        aligned = abs(x0 - round(x0)) < 1e-3 and abs(y0 - round(y0)) < 1e-3
        return abs(self.pixels_per_sample(content) - 1) < EXACT and aligned


def place(view: View, area: Area, content: Content, resolution: int) -> Placement:
    """The placement that `view` asks for; zoom 0 fits the content. At whole-number zooms samples fall on whole pixels."""
    if view.zoom <= 0:
        fit = min(area.width / content.fit_width, area.height / content.fit_height) * FIT_MARGIN
        return Placement(area, max(fit, 1.0), 0.0, 0.0)
    placement = Placement(area, view.zoom * resolution, view.center_x, view.center_y)
    return aligned(placement, content)


def aligned(placement: Placement, content: Content) -> Placement:
    """Moves the centre by less than a screen pixel so that sample borders fall on pixel borders (only where that is possible)."""
    per_sample = placement.pixels_per_sample(content)
    if abs(per_sample - round(per_sample)) > EXACT or per_sample < 0.5:
        return placement
    x0, y0, _, _ = placement.source(content)
    dx = (round(x0 * per_sample) / per_sample - x0) / content.sampling_rate
    dy = (round(y0 * per_sample) / per_sample - y0) / content.sampling_rate
    return replace(placement, center_x=placement.center_x + dx, center_y=placement.center_y + dy)


def zoom_at(view: View, placement: Placement, resolution: int, notches: float, px: float, py: float) -> View:
    """Zooms by wheel notches, keeping the point under the cursor where it is."""
    x, y = placement.to_image(px, py)
    low, high = ZOOM_RANGE
    zoom = min(max(placement.scale / resolution * ZOOM_STEP**notches, low), high)
    mx, my = placement.area.center
    scale = zoom * resolution
    return replace(view, zoom=zoom, center_x=x - (px - mx) / scale, center_y=y - (py - my) / scale)


def zoom_to(view: View, placement: Placement, zoom: float) -> View:
    """This zoom (screen pixels per image pixel), the centre as it is."""
    return replace(view, zoom=zoom, center_x=placement.center_x, center_y=placement.center_y)


def pan(view: View, placement: Placement, resolution: int, dx: float, dy: float) -> View:
    """Moves the picture by (dx, dy) screen pixels; a fitted view keeps its scale."""
    return replace(
        view,
        zoom=placement.scale / resolution,
        center_x=placement.center_x - dx / placement.scale,
        center_y=placement.center_y - dy / placement.scale,
    )


@dataclass(frozen=True)
class Probe:
    """What lies under the cursor: column and row in the layer's samples, image coordinates, raw values, and the channels."""

    column: int
    row: int
    x: float
    y: float
    values: tuple[float, ...]
    channels: tuple[int, ...]
    valid: bool = True


def probe(picture: Picture, placement: Placement, content: Content, px: float, py: float) -> Probe | None:
    """The sample under a point on screen, or None outside. In a contact sheet: the cell's channel and the sample within it."""
    if not placement.area.contains(px, py):
        return None
    u, v = placement.to_sample(content, px, py)
    column, row = int(u // 1), int(v // 1)
    if not (0 <= column < content.width and 0 <= row < content.height):
        return None
    values = picture.pixel(row, column)
    if not picture.grid:
        valid = picture.mask is None or bool(picture.mask[row, column])
        x, y = placement.to_image(px, py)
        return Probe(column, row, x, y, values, picture.channels, valid)
    width, height = picture.cell
    index = row // height * picture.grid + column // width
    if index >= len(picture.channels):
        return None
    x = (column % width + 0.5 - width / 2) / content.sampling_rate
    y = (row % height + 0.5 - height / 2) / content.sampling_rate
    return Probe(column % width, row % height, x, y, values, (picture.channels[index],))


def beside(x: float, y: float, width: float, area: Area, em: float, *, below: bool = False) -> tuple[float, float]:
    """Where a line of text of this width begins: to the upper (or lower) right of a point; over (or under) it where that is cut off."""
    left, last = x + 0.9 * em, area.x + area.width - 0.3 * em - width
    off = 0.3 * em if left <= last else 0.7 * em  # from the point
    return min(left, last), y + off if below else y - off - 1.2 * em
