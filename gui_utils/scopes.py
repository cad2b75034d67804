"""`with` blocks for every ImGui push and begin that this package and the panels need: what is opened is closed, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gui_utils.libraries import imgui


@contextmanager
def color_scope(**colors: tuple[float, float, float] | tuple[float, float, float, float]) -> Iterator[None]:
    """Colours by their names in `imgui.Col_`: `with color_scope(text=ERROR): ...`"""
    for name, value in colors.items():
        imgui.push_style_color(getattr(imgui.Col_, name), imgui.ImVec4(*value) if len(value) == 4 else imgui.ImVec4(*value, 1.0))
    try:
        yield
    finally:
        imgui.pop_style_color(len(colors))


@contextmanager
def style_scope(**values: float | tuple[float, float]) -> Iterator[None]:
    """Style values by their names in `imgui.StyleVar_`, in pixels (multiply ems by `imgui.get_font_size()`)."""
    for name, value in values.items():
        imgui.push_style_var(getattr(imgui.StyleVar_, name), value)
    try:
        yield
    finally:
        imgui.pop_style_var(len(values))


@contextmanager
def font_scope(scale: float) -> Iterator[None]:
    """Text larger or smaller by `scale`, drawn anew at that size."""
    imgui.push_font(None, imgui.get_style().font_size_base * scale)
    try:
        yield
    finally:
        imgui.pop_font()


@contextmanager
def clip_scope(lines: imgui.ImDrawList, low: tuple[float, float], high: tuple[float, float]) -> Iterator[None]:
    """What is drawn within ends at the sides of a rectangle, and of what clipped it before."""
    lines.push_clip_rect(low, high, True)
    try:
        yield
    finally:
        lines.pop_clip_rect()


@contextmanager
def item_width(width_em: float) -> Iterator[None]:
    """Width of the controls inside; negative: up to that far from the right edge."""
    imgui.push_item_width(width_em * imgui.get_font_size() if width_em > 0 else min(-1.0, width_em * imgui.get_font_size()))
    try:
        yield
    finally:
        imgui.pop_item_width()


@contextmanager
def child_scope(name: str, size_em: tuple[float, float] = (0, 0)) -> Iterator[bool]:
    """A scrolling area; yields whether anything of it is visible. 0 = fill, negative = leave that much."""
    em = imgui.get_font_size()
    visible = imgui.begin_child(name, (size_em[0] * em, size_em[1] * em))
    try:
        yield visible
    finally:
        imgui.end_child()


CARD_FLAGS = sum(
    getattr(imgui.WindowFlags_, name).value
    for name in ("no_title_bar", "no_resize", "no_scrollbar", "no_collapse", "no_docking", "no_saved_settings", "no_focus_on_appearing")
)


@dataclass(frozen=True)
class CardPlace:
    """Where a card stands: the point of it that is `pivot` (0 to 1) of its width and height stands at `at`, in pixels.

    `movable`: it can be dragged away, and stays there unless it is `held`.
    """

    at: tuple[float, float]
    pivot: tuple[float, float]
    movable: bool = False
    held: bool = True


def top_middle() -> CardPlace:
    """Below the menu."""
    area = imgui.get_main_viewport()
    return CardPlace((area.work_pos.x + area.work_size.x / 2, area.work_pos.y + 4 * imgui.get_font_size()), (0.5, 0.0))


@contextmanager
def card_scope(title: str, width_em: float, place: CardPlace, **colors: tuple[float, ...]) -> Iterator[None]:
    """A window over all others that says something and never blocks, as high as what is in it. Colours as in `color_scope`."""
    em = imgui.get_font_size()
    imgui.set_next_window_pos(place.at, (imgui.Cond_.always if place.held else imgui.Cond_.appearing).value, place.pivot)
    imgui.set_next_window_size((width_em * em, 0))
    with style_scope(window_border_size=1.5 * em / 16, window_padding=(0.9 * em, 0.7 * em)), color_scope(**colors):  # type: ignore[arg-type]
        imgui.begin(title, None, CARD_FLAGS | (0 if place.movable else imgui.WindowFlags_.no_move.value))
    try:
        yield
    finally:
        imgui.end()


@contextmanager
def popup_scope(name: str) -> Iterator[bool]:
    """Contents of a popup opened with `imgui.open_popup(name)`; yields whether it is open."""
    opened = imgui.begin_popup(name)
    try:
        yield opened
    finally:
        if opened:
            imgui.end_popup()


@contextmanager
def table_scope(name: str, columns: int, flags: int = 0, size_em: tuple[float, float] = (0, 0)) -> Iterator[bool]:
    """A table; yields whether it is visible. Give `size_em` with `TableFlags_.scroll_y`."""
    em = imgui.get_font_size()
    visible = imgui.begin_table(name, columns, flags, (size_em[0] * em, size_em[1] * em))
    try:
        yield visible
    finally:
        if visible:
            imgui.end_table()


def dim_text(text: str) -> None:
    """Secondary text."""
    imgui.text_disabled(text)


@contextmanager
def tooltip_scope() -> Iterator[bool]:
    """A tooltip for the last item, also while it is disabled; yields whether it is shown. Text wraps at 28 em."""
    flags = imgui.HoveredFlags_.for_tooltip.value | imgui.HoveredFlags_.allow_when_disabled.value
    shown = imgui.is_item_hovered(flags) and imgui.begin_tooltip()
    if shown:
        imgui.push_text_wrap_pos(28 * imgui.get_font_size())
    try:
        yield shown
    finally:
        if shown:
            imgui.pop_text_wrap_pos()
            imgui.end_tooltip()


@contextmanager
def recovering() -> Iterator[None]:
    """What is still open when an exception leaves is closed, so that the rest of the frame can be drawn. The exception goes on."""
    before = imgui.internal.ErrorRecoveryState()
    imgui.internal.error_recovery_store_state(before)
    io = imgui.get_io()
    asserts = io.config_error_recovery_enable_assert
    try:
        yield
    except Exception:
        io.config_error_recovery_enable_assert = False
        imgui.internal.error_recovery_try_to_recover_state(before)
        raise
    finally:
        io.config_error_recovery_enable_assert = asserts
