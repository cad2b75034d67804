"""The right-click menu of a control: back to its default, and its value by the clipboard."""

from __future__ import annotations

import math
from typing import Any, TypeVar

from gui_utils.field import Field
from gui_utils.libraries import imgui

T = TypeVar("T")


def value_menu(field: Field, value: T, new: T) -> Any:
    """`new`, unless the menu of the control drawn last gives something else."""
    if not imgui.begin_popup_context_item(f"###menu.{field.id}"):
        return new
    try:
        can_reset = field.default is not None and field.default != value
        if imgui.menu_item("Reset to default", "", False, can_reset)[0]:
            return field.default
        if imgui.menu_item("Copy value", "", False)[0]:
            imgui.set_clipboard_text(value_text(value))
        pasted = _pasted(field, value)
        if imgui.menu_item("Paste value", "", False, pasted is not None)[0] and pasted is not None:
            return pasted
        return new
    finally:
        imgui.end_popup()


def value_text(value: Any) -> str:
    """As it is copied, and as a tooltip says it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _pasted(field: Field, value: T) -> T | None:
    """The clipboard as a value of the same kind, within the range; None if it is not one, or where only choosing makes sense."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float((imgui.get_clipboard_text() or "").strip())
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return type(value)(field.clamp(round(number) if isinstance(value, int) else number))
