"""What several panels draw: rows of controls, drag buttons, reset buttons; and a memory for what is derived from a frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TypeVar

from gui_utils.controls import Field, button, checkbox, slider_float
from gui_utils.libraries import imgui
from gui_utils.scopes import item_width, style_scope, table_scope, tooltip_scope
from gui_utils.text import number_text
from viz.panels import PanelContext
from viz.state import ViewState

T = TypeVar("T")

NO_NETWORK = "No network is loaded yet."
NO_GRID = "This network has no Fourier input, so there is no grid to move or rotate."
ALL_DEFAULT = "Everything here is at its default."
FAST_PER_EM = 0.02  # image widths, or turns, for dragging by one pixel, times the font size
SLOW_PER_EM = 0.0004
EVEN, BY_CONTENT = imgui.TableFlags_.sizing_stretch_same, imgui.TableFlags_.sizing_stretch_prop  # how columns share the width


def reset_button(state: ViewState, field: Field, *kinds: type) -> ViewState:
    """A button that gives these groups their defaults; disabled if they have them."""
    fresh = state.reset(*kinds)
    return fresh if button(field, disabled="" if fresh is not state else ALL_DEFAULT) else state


def animate_row(switch: Field, speed: Field, on: bool, value: float, *, disabled: str = "") -> tuple[bool, float]:
    """A check box that starts an animation and, beside it, the slider of its speed. Returns both."""
    on = checkbox(switch, on, disabled=disabled)
    imgui.same_line()
    with item_width(-0.01):
        return on, slider_float(speed, value, disabled=disabled)


def drag_button(field: Field, *, disabled: str = "") -> tuple[float, float]:
    """A button to press and drag: how far the mouse has moved since the last frame, in pixels, while it is held."""
    button(field, disabled=disabled)
    if disabled or not imgui.is_item_active():
        return 0.0, 0.0
    delta = imgui.get_io().mouse_delta
    return delta.x, delta.y


def beside(what: Field | float, *, gap_em: float = 0.0) -> None:
    """Goes on in this row if a button, or a control of that many em, has room in it; else in the next.

    `gap_em`: between the two, the usual if 0.
    """
    em = imgui.get_font_size()
    width = imgui.calc_text_size(what.label).x + 2 * imgui.get_style().frame_padding.x if isinstance(what, Field) else what * em
    imgui.same_line(0, gap_em * em or -1)
    if imgui.get_content_region_avail().x < width:
        imgui.new_line()


@contextmanager
def columns(name: str, widths_em: Sequence[float], *, rows: int = 1) -> Iterator[bool]:
    """Controls side by side: one column for each width, 0 for the space that is left. Start each with `imgui.table_next_column()`."""
    gap = imgui.get_style().item_inner_spacing.x / 2
    flags = imgui.TableFlags_.no_pad_outer_x.value
    with style_scope(cell_padding=(gap, gap if rows > 1 else 0)), table_scope(name, len(widths_em), flags) as visible:
        if visible:
            fixed, stretch = imgui.TableColumnFlags_.width_fixed.value, imgui.TableColumnFlags_.width_stretch.value
            for i, width in enumerate(widths_em):
                imgui.table_setup_column(f"##{i}", fixed if width else stretch, width * imgui.get_font_size() if width else 1.0)
        yield visible


def text_table(
    name: str, titles: Sequence[str], rows: Iterable[Sequence[str]], *, tooltips: Sequence[str] = (), sizing: imgui.TableFlags_ = EVEN
) -> None:
    """Rows of texts below their titles; `tooltips`: one for each row, "" for none."""
    flags = imgui.TableFlags_.row_bg.value | imgui.TableFlags_.borders_inner_v.value | sizing.value
    with table_scope(name, len(titles), flags) as visible:
        if not visible:
            return
        for title in titles:
            imgui.table_setup_column(title)
        imgui.table_headers_row()
        for row, tooltip in zip_longest(rows, tooltips, fillvalue=""):
            imgui.table_next_row()
            for text in row:
                imgui.table_next_column()
                imgui.text_unformatted(text)
                if tooltip:
                    with tooltip_scope() as shown:
                        if shown:
                            imgui.text_unformatted(tooltip)


def headings(columns: Sequence[tuple[str, str]]) -> None:
    """The headings of the table that is open, each with what its tooltip says."""
    for title, _ in columns:
        imgui.table_setup_column(title)
    imgui.table_next_row(imgui.TableRowFlags_.headers.value)
    for title, text in columns:
        imgui.table_next_column()
        imgui.table_header(title)
        with tooltip_scope() as shown:
            if shown:
                imgui.text_unformatted(text)


def unit_note(text: str) -> None:
    """Secondary text beside a control, on its baseline."""
    imgui.align_text_to_frame_padding()
    imgui.text_disabled(text)


def wrapped_text(text: str, *, dim: bool = True) -> None:
    """A sentence that wraps at the edge of the panel."""
    imgui.push_text_wrap_pos(0.0)
    try:
        if dim:
            imgui.text_disabled(text)
        else:
            imgui.text_unformatted(text)
    finally:
        imgui.pop_text_wrap_pos()


def significant(value: float | None, digits: int = 4) -> str:
    """The number with about `digits` significant digits; an em dash where there is none."""
    if value is None or not math.isfinite(value):
        return number_text(value)
    size = math.floor(math.log10(abs(value))) if value else 0
    if -4 <= size < 6:
        return number_text(value, decimals=max(0, digits - 1 - size))
    return f"{value:.{digits - 1}e}".replace("-", "−")


def cached(context: PanelContext, name: str, source: object, make: Callable[[], T], *, key: Hashable = ()) -> T:
    """What `make()` gave last time; made anew when `source` is another object or `key` another value. One value for each name.

    The source is kept along with the value, so that no later object can pass for it.
    """
    kept = context.scratch.get(name)
    if kept is None or kept[0] is not source or kept[1] != key:
        kept = context.scratch[name] = (source, key, make())
    return kept[2]
