"""Plots: lines and pictures with axes, labels and units, circles and marked lines that say what they are, and a cursor that reads values.

with plot("##slice", Axes("frequency (cycles / image)", "power (dB)", x=(0, 512), y=(-100, 0))) as shown:
    if shown:
        line("slice at 0°", frequency, power_db)
        vertical_line(f_c, "f_c")
        cursor_text(lambda x, y: f"{number_text(x)} cycles / image, {number_text(y, 'dB')}")
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from gui_utils.libraries import imgui, implot
from gui_utils.theme import SERIES, number_scope

Color = tuple[float, float, float]
WHITE: Color = (1.0, 1.0, 1.0)
LEGEND_ROW_EM, LEGEND_GAP_EM = 1.3, 1.6  # height of an entry; what stands beside its text
BELOW_EM = 0.3  # free below a plot that fills its window: without it a scroll bar would come and go
_entries: dict[str, None] = {}  # of the plot that is being drawn, for its legend
_legend_em: dict[str, tuple[float, int]] = {}  # by plot: how wide its legend is in one row, and its entries, as last drawn


@dataclass(frozen=True)
class Axes:
    """Labels with their units, and ranges (None fits the data). `follow`: the ranges are set on every frame, else only at first.

    equal: one unit is as long in x as in y.   x_log, y_log: logarithmic.   invert_y: downwards, as in pictures.   bare: neither
    ticks nor grid (polar charts draw their own).
    legend: "" none, else "in" (upper right) or "out" (below).
    """

    x_label: str
    y_label: str
    x: tuple[float, float] | None = None
    y: tuple[float, float] | None = None
    follow: bool = False
    equal: bool = False
    x_log: bool = False
    y_log: bool = False
    invert_y: bool = False
    bare: bool = False
    legend: str = "in"


@contextmanager
def plot(name: str, axes: Axes, size_em: tuple[float, float] = (-1, 12)) -> Iterator[bool]:
    """A plot; yields whether it is visible. Double-click fits, wheel zooms, drag pans.

    A negative width fills; a negative height takes what is left of the window, at least so many em.
    """
    em = imgui.get_font_size()
    _entries.clear()
    wide = axes.legend == "out" and _legend_em.get(name, (0.0, 0))[0] * em > imgui.get_content_region_avail().x
    rows = _legend_em[name][1] if wide else 0
    height = (abs(size_em[1]) + max(0, rows - 1) * LEGEND_ROW_EM) * em
    if size_em[1] < 0:
        height = max(height, imgui.get_content_region_avail().y - BELOW_EM * em)
    size = (-1.0 if size_em[0] < 0 else size_em[0] * em, height)
    flags = implot.Flags_.no_mouse_text.value | (implot.Flags_.equal.value if axes.equal else 0)
    flags |= 0 if axes.legend else implot.Flags_.no_legend.value
    shown = implot.begin_plot(name, size, flags)
    try:
        with number_scope():  # ticks are written here, the legend at the end
            if shown:
                _set_up(axes, column=wide)
            yield shown
    finally:
        if shown:
            implot.end_plot()
            _legend_em[name] = (sum(imgui.calc_text_size(label).x / em + LEGEND_GAP_EM for label in _entries), len(_entries))


def _set_up(axes: Axes, *, column: bool) -> None:
    y_flags = implot.AxisFlags_.invert.value if axes.invert_y else 0
    bare = implot.AxisFlags_.no_decorations.value if axes.bare else 0
    implot.setup_axes(axes.x_label, axes.y_label, bare, y_flags | bare)
    if axes.x_log:
        implot.setup_axis_scale(implot.ImAxis_.x1, implot.Scale_.log10.value)
    if axes.y_log:
        implot.setup_axis_scale(implot.ImAxis_.y1, implot.Scale_.log10.value)
    when = implot.Cond_.always if axes.follow else implot.Cond_.once
    for axis, limits in ((implot.ImAxis_.x1, axes.x), (implot.ImAxis_.y1, axes.y)):
        if limits is not None:
            implot.setup_axis_limits(axis, *limits, when.value)
    if axes.legend:
        across = implot.LegendFlags_.none if column else implot.LegendFlags_.horizontal
        location, flags = implot.Location_.south, across | implot.LegendFlags_.outside
        if axes.legend == "in":
            location, flags = implot.Location_.north_east, implot.LegendFlags_.none
        implot.setup_legend(location.value, int(flags))


def series_color(index: int) -> Color:
    """Colours that all eyes tell apart, in order."""
    return SERIES[index % len(SERIES)]


def _spec(color: Color | None, weight: float = 1.5, alpha: float = 1.0) -> implot.Spec:
    spec = implot.Spec()
    spec.line_weight = weight * imgui.get_font_size() / 16
    if color is not None:
        spec.line_color = imgui.ImVec4(*color, alpha)
        spec.fill_color = imgui.ImVec4(*color, alpha)
    return spec


def _numbers(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)


def line(label: str, x: np.ndarray, y: np.ndarray, color: Color | None = None, *, weight: float = 1.5) -> None:
    """A line through the points; NaN breaks it. x, y: one-dimensional, of equal length."""
    if len(x) != len(y):
        raise ValueError(f"line {label!r}: {len(x)} positions and {len(y)} values")
    if not label.startswith("##"):
        _entries[label] = None
    implot.plot_line(label, _numbers(x), _numbers(y), _spec(color, weight))


def band(label: str, x: np.ndarray, low: np.ndarray, high: np.ndarray, color: Color) -> None:
    """The area between two lines, translucent."""
    implot.plot_shaded(label, _numbers(x), _numbers(low), _numbers(high), _spec(color, alpha=0.25))


def bars(label: str, x: np.ndarray, heights: np.ndarray, width: float, color: Color | None = None) -> None:
    """Bars of the given width in units of x: histograms."""
    implot.plot_bars(label, _numbers(x), _numbers(heights), width, _spec(color))


def picture(label: str, texture: imgui.ImTextureRef, x: tuple[float, float], y: tuple[float, float]) -> None:
    """A texture over the given ranges; its top row is at y[1] (at y[0] when the axis is inverted, that is, at the top)."""
    inverted = implot.get_plot_limits().y.max < implot.get_plot_limits().y.min
    v = (0.0, 1.0) if not inverted else (1.0, 0.0)
    implot.plot_image(label, texture, implot.Point(x[0], y[0]), implot.Point(x[1], y[1]), (0, v[0]), (1, v[1]))


def vertical_line(x: float, label: str = "", color: Color = WHITE) -> None:
    """A line at x with its label at the top, which is how f_c, f_t and s/2 are shown."""
    implot.plot_inf_lines(f"##line {label} {x}", _numbers(np.array([x])), _spec(color, 1.0, 0.7))
    if label:
        top = implot.get_plot_limits().y.max
        _label_at(label, x, top, color, below=1)


def vertical_lines(lines: Iterable[tuple[float, str, Color]]) -> None:
    """Lines at several x; a label that would run into the one before it stands a row lower."""
    end, row = -math.inf, 0
    for x, label, color in sorted(lines):
        left = implot.plot_to_pixels(x, 0.0).x
        row = row + 1 if left < end else 0
        vertical_line(x, "", color)
        if label:
            _label_at(label, x, implot.get_plot_limits().y.max, color, below=1 + row)
            end = left + imgui.calc_text_size(label).x + 0.6 * imgui.get_font_size()


def stairs(label: str, edges: np.ndarray, heights: np.ndarray, color: Color) -> None:
    """A histogram's outline over its translucent area; edges: one more than heights."""
    x, y = np.repeat(edges, 2)[1:-1], np.repeat(heights, 2)
    implot.plot_shaded(label, _numbers(x), _numbers(y), _numbers(np.zeros_like(y)), _spec(color, alpha=0.25))
    implot.plot_line(label, _numbers(x), _numbers(y), _spec(color, 1.0))


def drag_line(number: int, x: float, color: Color) -> float:
    """A vertical line that the mouse can move; `number` tells it from the others of the plot. The very argument unless it was moved."""
    moved, new, *_ = implot.drag_line_x(number, x, imgui.ImVec4(*color, 0.9), 1.5 * imgui.get_font_size() / 16)
    return new if moved else x


def dot(x: float, y: float, color: Color) -> None:
    """A point with a weight of its own: the newest of a line, which alone draws nothing."""
    at = implot.plot_to_pixels(x, y)
    implot.push_plot_clip_rect()
    try:
        implot.get_plot_draw_list().add_circle_filled((at.x, at.y), 0.22 * imgui.get_font_size(), _packed(color))
    finally:
        implot.pop_plot_clip_rect()


def circle(radius: float, label: str = "", color: Color = WHITE) -> None:
    """A circle around the origin in the units of the axes, with its label at the upper right (at 45°)."""
    turn = np.linspace(0, 2 * np.pi, 181)
    implot.plot_line(f"##circle {label} {radius}", radius * np.cos(turn), radius * np.sin(turn), _spec(color, 1.2, 0.85))
    if label:
        at = radius * math.sqrt(0.5)
        _label_at(label, at, at, color, below=0)


def _label_at(label: str, x: float, y: float, color: Color, *, below: int) -> None:
    """Text beside a point (above, or so many rows below), on a dark ground so that it can be read over a picture, inside the plot."""
    em = imgui.get_font_size()
    at, corner, extent = implot.plot_to_pixels(x, y), implot.get_plot_pos(), implot.get_plot_size()
    size = imgui.calc_text_size(label)
    left = min(max(at.x + 0.25 * em, corner.x), corner.x + extent.x - size.x - 0.2 * em)
    top = min(max(at.y + 0.1 * em + (below - 1) * size.y if below else at.y - size.y - 0.1 * em, corner.y), corner.y + extent.y - size.y)
    if not corner.x - 1 <= at.x <= corner.x + extent.x + 1:
        return
    implot.push_plot_clip_rect()
    try:
        draw_list = implot.get_plot_draw_list()
        draw_list.add_rect_filled((left - 0.15 * em, top), (left + size.x + 0.15 * em, top + size.y), _packed((0, 0, 0), 0.72), 0.15 * em)
        draw_list.add_text((left, top), _packed(color), label)
    finally:
        implot.pop_plot_clip_rect()


def _packed(color: Color, alpha: float = 1.0) -> int:
    return imgui.color_convert_float4_to_u32(imgui.ImVec4(*color, alpha))


def cursor_text(read: Callable[[float, float], str]) -> tuple[float, float] | None:
    """While the mouse is over the plot: a cross hair, and `read(x, y)` at the lower left. Returns (x, y), or None."""
    if not implot.is_plot_hovered():
        return None
    mouse = implot.get_plot_mouse_pos()
    corner, extent, em = implot.get_plot_pos(), implot.get_plot_size(), imgui.get_font_size()
    at, text = implot.plot_to_pixels(mouse.x, mouse.y), read(mouse.x, mouse.y)
    size = imgui.calc_text_size(text)
    left, top = corner.x + 0.4 * em, corner.y + extent.y - size.y - 0.4 * em
    implot.push_plot_clip_rect()
    try:
        draw_list = implot.get_plot_draw_list()
        draw_list.add_line((at.x, corner.y), (at.x, corner.y + extent.y), _packed((1, 1, 1), 0.25))
        draw_list.add_line((corner.x, at.y), (corner.x + extent.x, at.y), _packed((1, 1, 1), 0.25))
        draw_list.add_rect_filled((left - 0.2 * em, top), (left + size.x + 0.2 * em, top + size.y), _packed((0, 0, 0), 0.7), 0.15 * em)
        draw_list.add_text((left, top), _packed((1, 1, 1)), text)
    finally:
        implot.pop_plot_clip_rect()
    return mouse.x, mouse.y
