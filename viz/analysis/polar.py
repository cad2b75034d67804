"""A polar chart: dB as the distance from the centre, over angles as they are on screen. Click a point to choose it."""

from __future__ import annotations

import math

import numpy as np

from gui_utils import plots
from gui_utils.libraries import imgui
from gui_utils.text import number_text
from viz.figures.figure import Axis, ticks

EDGE = 1.15  # of the outermost ring, so that it is seen whole
RING, SPOKE = (0.45, 0.45, 0.45), (0.3, 0.3, 0.3)
ROOM_DB = 10.0  # below the lowest value: the centre is no value
LOWEST_SPAN_DB = 20.0
ROOMY_EM = 14.0  # smaller charts name their outermost ring only


def draw_polar(degrees: np.ndarray, db: np.ndarray, here: float | None, side_em: float) -> int | None:
    """A square chart; `degrees` counter-clockwise from the right. Returns the index of the point that was clicked, None for none.

    `here`: the angle on screen, as a spoke; nan in `db` breaks the line.
    """
    centre, rings = scale(db)
    edge = EDGE * (rings[-1] - centre)
    axes = plots.Axes("", "", x=(-edge, edge), y=(-edge, edge), follow=True, equal=True, bare=True, legend="")
    with plots.plot("##polar", axes, (side_em, side_em)) as shown:
        if not shown:
            return None
        for angle in range(0, 360, 45):
            _spoke(angle, rings[-1] - centre, SPOKE)
        for level in rings:
            named = side_em > ROOMY_EM or level == rings[-1]
            plots.circle(level - centre, number_text(level, "dB", 0) if named else "", RING)
        if here is not None:
            _spoke(here, edge, plots.series_color(1))
        turn = np.radians(degrees)
        radius = np.maximum(db - centre, 0.0)
        plots.line("dB", radius * np.cos(turn), radius * np.sin(turn), plots.series_color(0), weight=2.0)
        at = plots.cursor_text(lambda x, y: text_at(degrees, db, angle_of(x, y)))
        return nearest(degrees, angle_of(*at)) if at is not None and imgui.is_mouse_clicked(0) else None


def scale(db: np.ndarray) -> tuple[float, tuple[float, ...]]:
    """The value at the centre, and those of the rings: round numbers around what there is to show."""
    known = db[np.isfinite(db)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (20.0, 60.0)
    centre = math.floor((low - ROOM_DB) / 10) * 10
    top = max(centre + LOWEST_SPAN_DB, math.ceil(high / 5) * 5)
    rings = [level for level in ticks(Axis("", centre, top), 4) if level > centre]
    return float(centre), tuple(rings if rings and rings[-1] >= top else (*rings, top))


def angle_of(x: float, y: float) -> float:
    """Degrees from 0 to 360, counter-clockwise from the right."""
    return math.degrees(math.atan2(y, x)) % 360


def nearest(values: np.ndarray, at: float) -> int | None:
    """The index of the value nearest to `at`; None where there are none."""
    return int(np.abs(values - at).argmin()) if len(values) else None


def text_at(degrees: np.ndarray, db: np.ndarray, at: float) -> str:
    i = nearest(degrees, at)
    return number_text(at, "°") if i is None else f"{number_text(float(degrees[i]), '°')}: {number_text(float(db[i]), 'dB')}"


def _spoke(degrees: float, length: float, color: plots.Color) -> None:
    turn = math.radians(degrees)
    x, y = (np.array([0.0, length * f(turn)]) for f in (math.cos, math.sin))
    plots.line(f"##spoke {degrees:.3f}", x, y, color, weight=1.0)
