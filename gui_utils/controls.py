"""Controls that take a value and return a value: the very argument, unless the user moved it.

(Dear ImGui answers in float32, so that a plain slider turns an untouched 0.1 into 0.10000000149; a panel built on that would ask for
a new picture on every frame.)

What a control is called, means and may hold is a `Field`, a constant next to the panel that shows it:

    PSI = Field("Psi", id="Truncation.psi", low=-1, high=2, default=1.0, symbol="ψ", help="Pulls w towards its mean: 0 is the mean.")
    psi = slider_float(PSI, psi, disabled="" if network else "No network is loaded.")

Every control has a tooltip (help, symbol in the paper, unit, range), a right-click menu (reset, copy, paste), Ctrl-click to type a value
(clamped to its range), and is really disabled, with the reason as its tooltip, while `disabled` is not empty. Labels stand to the
left, in a column whose width `label_column` sets. Lengths are in em. Tests find a control by its id: "Truncation.psi".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from gui_utils.field import Field, power_to_unit, short, unit_to_power
from gui_utils.libraries import imgui
from gui_utils.scopes import tooltip_scope
from gui_utils.text import number_text, unit_text
from gui_utils.theme import number_scope
from gui_utils.value_menu import value_menu, value_text

T = TypeVar("T")
LABEL_WIDTH_EM = 6.5
LABEL_SHARE = 0.45  # of the row, at most: a narrow panel keeps room for the control
MIN_WIDTH_EM, POPUP_WIDTH_EM = 3.0, 7.0
_label_width_em = [LABEL_WIDTH_EM]
_typed = number_scope()(imgui.input_double)
_typing: dict[int, bool] = {}  # power sliders that are being typed into -> whether the field had the focus already


# ---------------------------------------------------------------------------------------------------- numbers


def slider_float(field: Field, value: float, *, disabled: str = "") -> float:
    """A slider over [field.low, field.high]."""
    if field.power != 1:
        return _control(field, value, disabled, lambda label: _power_slider(field, label, value))

    def draw(label: str) -> float:
        text, plain = _shown(field, value, label), field.format()
        flags = imgui.SliderFlags_.always_clamp.value | (imgui.SliderFlags_.logarithmic.value if field.logarithmic else 0)
        moved, new = imgui.slider_float(label, value, field.low, field.high, text, flags)
        new = new if text == plain else round(new, field.decimals)  # as Dear ImGui does, where it finds its own format
        return field.clamp(short(new)) if moved else value

    return _control(field, value, disabled, draw)


def slider_int(field: Field, value: int, *, disabled: str = "") -> int:
    """A slider over whole numbers."""

    def draw(label: str) -> int:
        low, high = int(field.low), int(field.high)
        moved, new = imgui.slider_int(label, value, low, high, _shown(field, value, label, "d"), imgui.SliderFlags_.always_clamp.value)
        return new if moved else value

    return _control(field, value, disabled, draw)


def drag_float(field: Field, value: float, *, disabled: str = "") -> float:
    """A number that follows the mouse by `field.speed` per pixel (Shift: 10 times, Alt: a hundredth)."""

    def draw(label: str) -> float:
        flags = imgui.SliderFlags_.always_clamp.value | imgui.SliderFlags_.no_round_to_format.value
        moved, new = imgui.drag_float(label, value, field.speed, field.low, field.high, _shown(field, value, label), flags)
        return field.clamp(short(new)) if moved else value

    return _control(field, value, disabled, draw)


def drag_int(field: Field, value: int, *, disabled: str = "") -> int:
    def draw(label: str) -> int:
        flags = imgui.SliderFlags_.always_clamp.value
        moved, new = imgui.drag_int(label, value, field.speed, int(field.low), int(field.high), _shown(field, value, label, "d"), flags)
        return new if moved else value

    return _control(field, value, disabled, draw)


def input_int(field: Field, value: int, *, disabled: str = "", shown: str = "") -> int:
    """A whole number to type, with - and + buttons; exact up to 2^53 (seeds are larger than 32-bit signed numbers).

    `shown`: what this value means, in the number's place.
    """

    def draw(label: str) -> int:
        moved, new = _typed(label, float(value), field.step, 100 * field.step, shown.replace("%", "%%") or "%.0f")
        return int(field.clamp(round(new))) if moved and math.isfinite(new) else value

    return _control(field, value, disabled, draw)


def input_float(field: Field, value: float, *, disabled: str = "") -> float:
    """A number to type, in double precision; taken over with Enter or when the field is left."""

    def draw(label: str) -> float:
        moved, new = _typed(label, value, 0.0, 0.0, field.format())
        return field.clamp(new) if moved and math.isfinite(new) else value

    return _control(field, value, disabled, draw)


def _shown(field: Field, value: float, label: str, kind: str = "f") -> str:
    """Dear ImGui's format for a number to drag. One that is finished text has a real minus, and no unit where that has no room.

    As long as a value may be typed it is the plain one: Dear ImGui puts into the field what the format makes of the number.
    """
    plain, io = field.format(kind), imgui.get_io()
    if io.key_ctrl or io.mouse_double_clicked[0] or io.nav_visible or imgui.internal.temp_input_is_active(imgui.get_id(label)):
        return plain
    decimals = field.decimals if kind == "f" else 0
    text = _fitting(field, value, decimals)
    return plain if text == f"{value:.{decimals}f}{unit_text(field.unit)}" else text.replace("%", "%%")


def _fitting(field: Field, value: float, decimals: int) -> str:
    text = number_text(value, field.unit, decimals)
    room = imgui.calc_item_width() - imgui.get_style().frame_padding.x
    return text if imgui.calc_text_size(text).x <= room else number_text(value, "", decimals)


def _power_slider(field: Field, label: str, value: float) -> float:
    slider_id = imgui.get_id(label)
    if slider_id in _typing:
        return _typed_value(field, label, value, slider_id)
    u = power_to_unit(field, value)
    low = -1.0 if field.low < 0 < field.high else 0.0
    text = _fitting(field, value, field.decimals).replace("%", "%%")
    flags = imgui.SliderFlags_.no_input.value | imgui.SliderFlags_.no_round_to_format.value | imgui.SliderFlags_.always_clamp.value
    ctrl = imgui.get_io().key_ctrl
    moved, new = imgui.slider_float(label, u, low, 1.0, text, flags)
    if ctrl and imgui.is_item_activated():
        _typing[slider_id] = False  # Ctrl-click: the field takes the slider's place from the next frame on
        return value
    return field.clamp(short(unit_to_power(field, new))) if moved and not (ctrl and imgui.is_item_active()) else value


def _typed_value(field: Field, label: str, value: float, slider_id: int) -> float:
    if not _typing[slider_id]:
        imgui.set_keyboard_focus_here()
    moved, new = _typed(label, value, 0.0, 0.0, f"%.{field.decimals}f", imgui.InputTextFlags_.auto_select_all.value)
    if imgui.is_item_active():
        _typing[slider_id] = True
    elif _typing[slider_id]:
        del _typing[slider_id]
    return field.clamp(new) if moved and math.isfinite(new) else value


# ---------------------------------------------------------------------------------------------------- choices, text


def checkbox(field: Field, value: bool, *, disabled: str = "") -> bool:
    def draw(label: str) -> bool:
        moved, new = imgui.checkbox(label, value)
        return new if moved else value

    return _control(field, value, disabled, draw)


def combo(field: Field, value: T, choices: Sequence[T] | Mapping[T, str], *, disabled: str = "") -> T:
    """One of `choices`; a mapping gives the text to show for each. Tests find an open list's entries as "Group.field.<choice>"."""

    def draw(label: str) -> T:
        if not imgui.begin_combo(label, _choice_text(choices, value)):
            return value
        try:
            chosen = value
            for choice in choices:
                clicked, _ = imgui.selectable(f"{_choice_text(choices, choice)}###{field.id}.{choice}", choice == value)
                chosen = choice if clicked and choice != value else chosen
            return chosen
        finally:
            imgui.end_combo()

    return _control(field, value, disabled, draw, _default_choice(field, choices))


def choice(field: Field, value: T, choices: Sequence[T] | Mapping[T, str], *, disabled: str = "") -> T:
    """One of a few `choices`, side by side, on another line where there is no room. Tests find each as "Group.field.<choice>"."""

    def draw(_: str) -> T:
        chosen = value
        spacing = imgui.get_style().item_inner_spacing.x
        edge = imgui.get_cursor_screen_pos().x + imgui.get_content_region_avail().x
        imgui.begin_group()
        try:
            for i, each in enumerate(choices):
                text = _choice_text(choices, each)
                needed = spacing + imgui.get_frame_height() + spacing + imgui.calc_text_size(text, hide_text_after_double_hash=True).x
                if i and imgui.get_item_rect_max().x + needed <= edge:
                    imgui.same_line(0, spacing)
                if imgui.radio_button(f"{text}###{field.id}.{each}", each == value) and each != value:
                    chosen = each
        finally:
            imgui.end_group()
        return chosen

    return _control(field, value, disabled, draw, _default_choice(field, choices))


def _choice_text(choices: Sequence[T] | Mapping[T, str], value: T) -> str:
    return choices.get(value, str(value)) if isinstance(choices, Mapping) else str(value)


def _default_choice(field: Field, choices: Sequence[T] | Mapping[T, str]) -> str:
    return "" if field.default is None else _choice_text(choices, field.default)


def text_input(field: Field, value: str, *, hint: str = "", disabled: str = "") -> str:
    """A line of text; the new text is returned once, when Enter is pressed or the field is left. Esc gives the old text back."""

    def draw(label: str) -> str:
        _, new = imgui.input_text_with_hint(label, hint, value)
        return new if imgui.is_item_deactivated_after_edit() else value

    return _control(field, value, disabled, draw)


# ---------------------------------------------------------------------------------------------------- buttons, text


def button(field: Field, *, disabled: str = "", width_em: float = 0.0) -> bool:
    """A button with the field's label on it; negative width: up to the right edge. True in the frame of the click."""
    imgui.begin_disabled(bool(disabled))
    try:
        width = width_em * imgui.get_font_size() if width_em >= 0 else -1.0
        clicked = imgui.button(f"{field.label}###{field.id}", (width, 0))
    finally:
        imgui.end_disabled()
    _tooltip(field, disabled)
    return clicked and not disabled


def toggle(field: Field, value: bool, *, disabled: str = "") -> bool:
    """A button that stays pressed: for toolbars."""
    color = imgui.get_style_color_vec4(imgui.Col_.slider_grab if value else imgui.Col_.button)
    imgui.push_style_color(imgui.Col_.button, imgui.ImVec4(color.x, color.y, color.z, 0.45 if value else color.w))
    try:
        clicked = button(field, disabled=disabled)
    finally:
        imgui.pop_style_color()
    return not value if clicked else value


def value_row(field: Field, text: str) -> None:
    """A labelled text that cannot be edited, e.g. from `number_text`; the tooltip and the copy menu are those of a control."""

    def draw(_: str) -> str:
        imgui.align_text_to_frame_padding()
        imgui.push_text_wrap_pos(0.0)
        imgui.text_unformatted(text)
        imgui.pop_text_wrap_pos()
        return text

    _control(field, text, "", draw)


@contextmanager
def section(title: str, *, opened: bool = True) -> Iterator[bool]:
    """A header that folds; yields whether its contents are to be drawn. Its state is remembered with the layout."""
    yield imgui.collapsing_header(title, imgui.TreeNodeFlags_.default_open.value if opened else 0)


@contextmanager
def label_column(width_em: float) -> Iterator[None]:
    """Width of the labels of the controls inside."""
    _label_width_em.append(width_em)
    try:
        yield
    finally:
        _label_width_em.pop()


# ---------------------------------------------------------------------------------------------------- what all share


def _control(field: Field, value: T, disabled: str, draw: Callable[[str], T], default: str | None = None) -> T:
    """Label, the control itself, tooltip, menu. `default` is what the tooltip says of it, in the words on screen."""
    default = default if default is not None else "" if field.default is None else value_text(field.default)
    imgui.begin_disabled(bool(disabled))
    try:
        if field.label:
            _label(field, disabled, default)
            room, em = imgui.get_content_region_avail().x, imgui.get_font_size()
            imgui.set_next_item_width(room if room > MIN_WIDTH_EM * em else POPUP_WIDTH_EM * em)  # a popup as wide as its contents has none
        new = draw(f"###{field.id}")
    finally:
        imgui.end_disabled()
    _tooltip(field, disabled, default)
    if disabled:
        return value
    return value_menu(field, value, new)


def _label(field: Field, disabled: str, default: str) -> None:
    width = min(_label_width_em[-1] * imgui.get_font_size(), LABEL_SHARE * imgui.get_content_region_avail().x)
    start = imgui.get_cursor_pos_x()
    imgui.align_text_to_frame_padding()
    imgui.text_unformatted(field.label)
    _tooltip(field, disabled, default)
    imgui.same_line(start + max(width, imgui.get_item_rect_size().x + imgui.get_style().item_inner_spacing.x))


def _tooltip(field: Field, disabled: str, default: str = "") -> None:
    if not (field.help or field.symbol or field.unit or disabled):
        return
    with tooltip_scope() as shown:
        if not shown:
            return
        if disabled:
            imgui.text_unformatted(disabled)
            imgui.spacing()
        if field.help:
            imgui.text_unformatted(field.help)
        facts = [f"in the paper: {field.symbol}"] if field.symbol else []
        facts += [f"unit: {field.unit}"] if field.unit else []
        facts += [f"default: {default}"] if default else []
        if facts:
            imgui.text_disabled(" · ".join(facts))
