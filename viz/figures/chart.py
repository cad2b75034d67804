"""Charts as parts of a drawing: axes with ticks and units, lines with a legend, pictures with axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gui_utils.tone import colormap_table
from viz.figures.drawing import FAINT, INK, Box, Color, Disc, Item, Line, Picture, Text
from viz.figures.figure import Axis, ticks

COLORS: tuple[Color, ...] = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 86, 86))  # Okabe and Ito, for white paper
TICK, SIZE = 3.0, 8.0
LEGEND_ROW = 11.0


@dataclass(frozen=True)
class Place:
    """Where the inside of a chart lies, in points."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Curve:
    """A named line through (x, y); what is not finite interrupts it. `dots`: one at each point; `stems`: from 0 to each."""

    label: str
    x: np.ndarray
    y: np.ndarray
    color: Color
    dash: tuple[float, ...] = ()
    stems: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Scales:
    """Both axes; `named` are ticks of the x axis with a text of their own; `log2` counts y in octaves (its axis holds log2 values).

    `legend`: "right" or "left", where it does not hide the curves.
    """

    x: Axis
    y: Axis
    named: tuple[tuple[float, str], ...] = ()
    log2: bool = False
    legend: str = "right"


def chart(place: Place, scales: Scales, curves: Sequence[Curve], title: str = "", marks: Iterable[tuple[float, str]] = ()) -> list[Item]:
    """Lines over a grid. `marks` are vertical lines with a name (a cutoff, a limit)."""
    at = placing(place, scales)
    items: list[Item] = [*_grid(place, scales, at)]
    for value, name in marks:
        if scales.x.low <= value <= scales.x.high:
            x = at(value, 0)[0]
            items += [
                Line(((x, place.y), (x, place.y + place.height)), (120, 120, 120), 0.7, (2, 2)),
                Text(x + 2, place.y + 8, name, 7, color=(90, 90, 90)),
            ]
    for curve in curves:
        items += _curve(curve, place, at)
    items += _legend(place, curves, scales.legend)
    return [*items, *frame(place, scales, at, title)]


def picture(place: Place, pixels: np.ndarray, x: Axis | None = None, y: Axis | None = None, title: str = "") -> list[Item]:
    """A picture with its axes (y down, from `y.low` at its upper edge); without axes only its frame."""
    items: list[Item] = [Picture(place.x, place.y, place.width, place.height, pixels)]
    if x is None or y is None:
        return [*items, Box(place.x, place.y, place.width, place.height), *_title(place, title)]
    scales = Scales(x, Axis(y.label, y.high, y.low))
    return [*items, *frame(place, scales, placing(place, scales), title)]


def color_scale(place: Place, colormap: str, axis: Axis) -> list[Item]:
    """The colours of a picture at `place`, to its right, with the values they stand for: `axis.low` below."""
    bar = Place(place.x + place.width + 6, place.y, 7, place.height)
    table = (colormap_table(colormap)[::-1, None, :] * 255 + 0.5).astype(np.uint8)
    items: list[Item] = [Picture(bar.x, bar.y, bar.width, bar.height, table), Box(bar.x, bar.y, bar.width, bar.height)]
    for value in ticks(axis, max(2, round(bar.height / 40))):
        y = bar.y + (axis.high - value) / (axis.high - axis.low) * bar.height
        items += [Line(((bar.x + bar.width, y), (bar.x + bar.width + TICK, y))), Text(bar.x + bar.width + 5, y + 3, number(value), SIZE)]
    return [*items, Text(bar.x + bar.width, place.y - 5, axis.label, SIZE, "end")]


def frame(place: Place, scales: Scales, at, title: str) -> list[Item]:
    """The box around, ticks, numbers and labels."""
    items: list[Item] = [Box(place.x, place.y, place.width, place.height), *_title(place, title)]
    bottom = place.y + place.height
    named = scales.named or tuple((v, number(v)) for v in ticks(scales.x, max(2, round(place.width / 45))))
    for value, text in named:
        x = at(value, 0)[0]
        items += [Line(((x, bottom), (x, bottom + TICK)))]
        items += [Text(x, bottom + TICK + 8, text, SIZE, "middle")] if len(text) < 8 else [Text(x + 3, bottom + 5, text, 7, "end", True)]
    for value in _y_ticks(place, scales):
        y = at(0, value)[1]
        items += [
            Line(((place.x - TICK, y), (place.x, y))),
            Text(place.x - TICK - 2, y + 3, number(2**value if scales.log2 else value), SIZE, "end"),
        ]
    below = 48 if any(len(text) >= 8 for _, text in named) else 24
    return [
        *items,
        Text(place.x + place.width / 2, bottom + below, scales.x.label, SIZE, "middle"),
        Text(place.x - 34, place.y + place.height / 2, scales.y.label, SIZE, "middle", True),
    ]


def number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def _title(place: Place, title: str) -> list[Item]:
    return [Text(place.x, place.y - 5, title, 9)] if title else []


def placing(place: Place, scales: Scales):
    """From values to points on the page."""
    x, y = scales.x, scales.y

    def at(u: float, v: float) -> tuple[float, float]:
        return (
            place.x + (u - x.low) / (x.high - x.low) * place.width,
            place.y + (y.high - v) / (y.high - y.low) * place.height,
        )

    return at


def _y_ticks(place: Place, scales: Scales) -> tuple[float, ...]:
    if scales.log2:
        return tuple(float(n) for n in range(math.ceil(scales.y.low), math.floor(scales.y.high) + 1))
    return ticks(scales.y, max(2, round(place.height / 25)))


def _grid(place: Place, scales: Scales, at) -> list[Item]:
    upright = [value for value, _ in scales.named] or ticks(scales.x, max(2, round(place.width / 45)))
    lines: list[Item] = [Line(((at(v, 0)[0], place.y), (at(v, 0)[0], place.y + place.height)), FAINT, 0.5) for v in upright]
    return lines + [Line(((place.x, at(0, v)[1]), (place.x + place.width, at(0, v)[1])), FAINT, 0.5) for v in _y_ticks(place, scales)]


def _curve(curve: Curve, place: Place, at) -> list[Item]:
    low, high = place.y, place.y + place.height
    inside = lambda p: (p[0], min(max(p[1], low), high))  # noqa: E731
    points = [inside(at(float(u), float(v))) if math.isfinite(v) else None for u, v in zip(curve.x, curve.y, strict=True)]
    if curve.stems:
        zero = inside(at(0.0, 0.0))[1]
        stems: list[Item] = [Line(((p[0], zero), p), curve.color, 1.2) for p in points if p is not None]
        return stems + [Box(p[0] - 1.4, p[1] - 1.4, 2.8, 2.8, curve.color, None) for p in points if p is not None]
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    dots = [Disc(*point, 1.6, curve.color) for point in points if point is not None and curve.dots]
    return [*(Line(tuple(run), curve.color, 1.2, curve.dash) for run in runs if len(run) > 1), *dots]


def _legend(place: Place, curves: Sequence[Curve], side: str) -> list[Item]:
    named = [curve for curve in curves if curve.label]
    items: list[Item] = []
    for i, curve in enumerate(named if len(named) > 1 else ()):
        x, y = place.x + place.width - 6, place.y + 11 + LEGEND_ROW * i
        x = place.x + 22 if side == "left" else x
        text = Text(x + 4, y, curve.label, SIZE, color=INK) if side == "left" else Text(x - 20, y, curve.label, SIZE, "end", color=INK)
        items += [text, Line(((x - 16, y - 3), (x, y - 3)), curve.color, 1.4, curve.dash)]
    return items
