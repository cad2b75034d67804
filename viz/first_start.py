"""The very first start: text as large as this monitor needs it, where the system does not scale. Later it is a setting like others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gui_utils import monitors
from viz.panels.performance import FONT_SCALES
from viz.settings import Settings

if TYPE_CHECKING:
    from viz.app import App

USUAL_DPI = 110.0  # of a desk's monitor at 100 %
ASSUMED_DPI = (95.5, 96.5)  # what is reported where nothing is known
MANY_LINES, FOR_MANY_LINES = 2160, 1.5


def choose_text_size(app: App) -> None:
    """Where it is not 100 %, the window grows with the text, as far as the monitor has room."""
    window, monitor = app.window, next(iter(monitors.monitors()), None)  # windows open on the primary one
    scale = 1.0 if monitor is None else text_scale(monitor.place[2:], monitor.millimetres, window.display_scale)
    if scale == 1.0:
        return
    app.change_settings(font_scale=scale)
    if app.options.size is None:
        width, height = window.plain_size
        window.resize((round(width * scale), round(height * scale)))
    app.toasts.add("info", f"Text is drawn at {round(100 * scale)} % on this monitor; View › Text size changes it.")


def text_scale(pixels: tuple[int, int], millimetres: tuple[int, int], display_scale: float) -> float:
    """One of FONT_SCALES, 1 to 2: by dots per inch, or by the number of lines where the size is not known. 1 where the system scales.

    The default window must have room: text of a small, dense monitor stays as small as that asks for.
    """
    if abs(display_scale - 1) > 0.01:
        return 1.0
    dpi = dots_per_inch(pixels, millimetres)
    wanted = dpi / USUAL_DPI if dpi else FOR_MANY_LINES if pixels[1] >= MANY_LINES else 1.0
    room = min(pixels[0] / Settings().window_width, pixels[1] / Settings().window_height)
    return min((s for s in FONT_SCALES if s == 1 or 1 < s <= room), key=lambda s: abs(s - wanted))


def dots_per_inch(pixels: tuple[int, int], millimetres: tuple[int, int]) -> float | None:
    """None where the reported size cannot be the monitor's: none, no real one, or of another shape (such as 16 by 9)."""
    if min(*pixels, *millimetres) <= 0:
        return None
    across, down = (25.4 * p / mm for p, mm in zip(pixels, millimetres, strict=True))
    dpi = math.sqrt(across * down)
    known = max(across, down) < 1.15 * min(across, down) and 40 < dpi < 600 and not ASSUMED_DPI[0] < dpi < ASSUMED_DPI[1]
    return dpi if known else None
