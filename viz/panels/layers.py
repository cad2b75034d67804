"""Panel "Layers": every place of the network that can be looked at, with its size and bandwidth."""

from __future__ import annotations

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.scopes import color_scope, table_scope
from gui_utils.text import MISSING, number_text
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, cached, headings, wrapped_text
from viz.request import Frame, LayerColumn, NetworkFacts
from viz.state import Tap, ViewState

COLUMNS = (
    ("Layer", "Click a row to look at that layer."),
    ("Size", "Width and height, in samples, with the margin."),
    ("Ch.", "Channels."),
    ("s", "Sampling rate, in samples per image width."),
    ("f_c", "Cutoff frequency of the layer's low-pass filter, in cycles per image width."),
    ("Margin", "Samples around the image on each side."),
    ("Type", "The type of the layer's numbers on a graphics card; the processor always computes in 32 bits."),
)
KEYS_HINT = "[ and ] go to the layer before and after."
COLUMNS_HINT = "[ and ] change the layer; measurements add columns."
TYPES = {"float16": "f16", "float32": "f32"}
SELECTED = (*theme.ACCENT, 0.3)
FEWEST = 4  # rows that the table shows, its headings among them


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    if facts is None:
        wrapped_text(NO_NETWORK)
        return state
    rows = cached(context, "layers.rows", facts, lambda: layer_rows(facts))
    measured = measured_columns(context.frame)
    columns = (*COLUMNS, *((column.heading, column.explanation) for column in measured))
    selected = facts.tap_name(state.get(Tap).layer)
    hint = KEYS_HINT if measured else COLUMNS_HINT
    below, whole = _height_below(hint), imgui.get_content_region_avail().y
    bar = context.scratch.get("layers.bar", 0.0)  # the scroll bar at the bottom, as it was a frame ago
    line = imgui.get_text_line_height() + 2 * imgui.get_style().cell_padding.y
    hinted, height = fitted(whole, below, line, len(rows), bar)
    place = (imgui.internal.get_current_window().id_, height)  # each workspace has a table of its own
    scrolls = context.scratch.get("layers.selected") != (*place, selected)
    context.scratch["layers.selected"] = (*place, selected)
    flags = imgui.TableFlags_
    look = flags.scroll_y | flags.scroll_x | flags.row_bg | flags.sizing_fixed_fit | flags.borders_inner_v
    with table_scope(f"##layers {len(columns)}", len(columns), look, (0, height / imgui.get_font_size())) as visible:
        if visible:
            imgui.table_setup_scroll_freeze(1, 1)
            headings(columns)
            for row in rows:
                numbers = tuple(column_text(column, row[0]) for column in measured)
                if _row((*row, *numbers), row[0] == selected) and row[0] != selected:
                    state = state.edit(Tap, layer="" if row is rows[-1] else row[0])
                    context.scratch["layers.selected"] = (*place, row[0])  # it is in view: it was clicked
            now = context.scratch["layers.bar"] = imgui.internal.get_current_window().scrollbar_sizes.y
            if scrolls or now != bar:
                index = next(i for i, row in enumerate(rows) if row[0] == selected)
                _scroll_to(index, line, height - now)
    if hinted:
        wrapped_text(hint)
    return state


def _scroll_to(index: int, row: float, height: float) -> None:
    """Brings a row of the current table into view, by whole rows; a row that is in view already moves nothing."""
    shown, first = int(height // row) - 1, imgui.get_scroll_y() / row  # less the headings
    if not first - 0.01 <= index <= first + shown - 1 + 0.01:
        imgui.set_scroll_y(max(0, index - shown // 2) * row)


def fitted(room: float, hint: float, row: float, count: int, bar: float) -> tuple[bool, float]:
    """Whether the hint stands below the table, and the table's height: whole rows, of `count` and the headings.

    All in pixels. The hint, `hint` high, gives way where all rows have room only without it, or where few have room with it.
    """
    needed = (count + 1) * row + bar
    shown = room - hint >= needed or (room < needed and room - hint >= FEWEST * row)
    room -= hint if shown else 0
    return shown, room if room >= needed else max(FEWEST, (room - bar) // row) * row + bar


def _height_below(hint: str) -> float:
    """What a wrapped sentence takes below the table, in pixels."""
    return imgui.calc_text_size(hint, False, imgui.get_content_region_avail().x).y + imgui.get_style().item_spacing.y


def measured_columns(frame: Frame | None) -> tuple[LayerColumn, ...]:
    """What the measurements under way say of single layers, in the order of their names, which does not change while they run."""
    results = sorted(frame.overlays.items()) if frame is not None else ()
    return tuple(column for _, result in results for column in result.columns)


def column_text(column: LayerColumn, tap: str) -> str:
    return number_text(column.numbers.get(tap))


def layer_rows(facts: NetworkFacts) -> tuple[tuple[str, ...], ...]:
    """The texts of the table: one row for each tap, one text for each of COLUMNS."""
    return tuple(_texts(facts, i) for i in range(len(facts.taps)))


def _texts(facts: NetworkFacts, index: int) -> tuple[str, ...]:
    tap = facts.taps[index]
    width, height = tap.size
    margin = (width - tap.sampling_rate) / 2
    return (
        tap.name,
        str(width) if width == height else f"{width} × {height}",
        str(tap.channels),
        f"{tap.sampling_rate:g}",
        number_text(facts.band(tap.name)[0]),
        f"{margin:g}" if margin > 0 else MISSING,
        TYPES.get(tap.dtype, tap.dtype),
    )


def _row(texts: tuple[str, ...], selected: bool) -> bool:
    imgui.table_next_row()
    imgui.table_next_column()
    with color_scope(header=SELECTED):
        clicked, _ = imgui.selectable(f"{texts[0]}###Tap.layer.{texts[0]}", selected, imgui.SelectableFlags_.span_all_columns.value)
    for text in texts[1:]:
        imgui.table_next_column()
        width = imgui.calc_text_size(text).x
        imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + max(0.0, imgui.get_content_region_avail().x - width))
        imgui.text_unformatted(text)
    return clicked


PANEL = Panel("Layers", "right", 10, draw)
