"""Panel "Style mix": rows of ws that are taken from another seed."""

from __future__ import annotations

from gui_utils.controls import Field, button, checkbox, input_int, slider_float
from gui_utils.libraries import imgui
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, animate_row, cached, reset_button, unit_note, wrapped_text
from viz.request import NetworkFacts
from viz.state import Mixing, MixingMotion, ViewState

SEED = Field("Seed", "Mixing.seed", "The seed whose styles replace the ticked rows.", default=1000, high=2**32 - 1)
AMOUNT = Field("Amount", "Mixing.amount", "How far the ticked rows go towards the seed above: 0 leaves them, 1 takes its style whole.",
               default=1.0)  # fmt: skip
ANIMATE = Field("Animate", "MixingMotion.on", "Goes through the seeds one after another.", default=False)
SPEED = Field("", "MixingMotion.seeds_per_s", "How fast the animation changes the seed.", "seeds/s", default=2.0, low=0, high=60,
              decimals=1, power=2)  # fmt: skip
NO_ROWS = "Tick rows: the layers that they feed take their style from the seed above. Early rows change shapes, late rows colours."
RESET = Field("Reset", "Mixing.reset", "Seed 1000, no row ticked, full amount, no animation.")
ROW_WIDTH_EM = 3.2


def draw(state: ViewState, context: PanelContext) -> ViewState:
    state = state.edit(Mixing, seed=input_int(SEED, state.get(Mixing).seed))
    mixing = state.get(Mixing)
    state = state.edit(Mixing, amount=slider_float(AMOUNT, mixing.amount, disabled="" if mixing.rows else "No row is ticked."))
    motion = state.get(MixingMotion)
    on, speed = animate_row(ANIMATE, SPEED, motion.on, motion.seeds_per_s)
    state = state.edit(MixingMotion, on=on, seeds_per_s=speed)
    if context.network is None:
        wrapped_text(NO_NETWORK)
        return reset_button(state, RESET, Mixing, MixingMotion)
    facts = context.network
    rows = _boxes(state.get(Mixing).rows, facts, context)
    rows = _choices(rows, facts)
    state = state.edit(Mixing, rows=rows)
    imgui.same_line()
    state = reset_button(state, RESET, Mixing, MixingMotion)
    if not rows:
        wrapped_text(NO_ROWS)
    return state


def row_help(facts: NetworkFacts, row: int) -> str:
    """Which layers read a row of ws."""
    names = [tap.name for tap in facts.taps if tap.row == row]
    return f"Row {row} of ws feeds {', '.join(names)}." if names else f"Row {row} of ws."


def _boxes(rows: tuple[int, ...], facts: NetworkFacts, context: PanelContext) -> tuple[int, ...]:
    """A check box for each row; rows that this network does not have are kept for one that does."""
    unit = ROW_WIDTH_EM * imgui.get_font_size()
    per_line = max(1, int(imgui.get_content_region_avail().x // unit))
    fields = cached(context, "mixing.fields", facts, lambda: tuple(_box_field(facts, row) for row in range(facts.num_ws)))
    chosen = set(rows)
    start = imgui.get_cursor_pos_x()
    for row, field in enumerate(fields):
        if row % per_line:
            imgui.same_line(start + row % per_line * unit)
        if checkbox(field, row in rows) != (row in rows):
            chosen ^= {row}
        imgui.same_line(0, imgui.get_style().item_inner_spacing.x)
        unit_note(str(row))
    return rows if chosen == set(rows) else tuple(sorted(chosen))


def _box_field(facts: NetworkFacts, row: int) -> Field:
    return Field("", f"Mixing.rows.{row}", row_help(facts, row), symbol=f"w_{row}", default=False)


def _choices(rows: tuple[int, ...], facts: NetworkFacts) -> tuple[int, ...]:
    """Buttons that tick several rows at once."""
    half, total = facts.num_ws // 2, facts.num_ws
    presets = (
        ("All", "all", range(total), "Takes every row from the other seed."),
        ("None", "none", range(0), "Takes no row from the other seed."),
        ("Coarse", "coarse", range(half), f"Rows 0 to {half - 1}: pose and large shapes."),
        ("Fine", "fine", range(half, total), f"Rows {half} to {total - 1}: colours and detail."),
    )
    for i, (label, name, wanted, text) in enumerate(presets):
        if i:
            imgui.same_line()
        if button(Field(label, f"Mixing.{name}", text), disabled="" if rows != tuple(wanted) else "That is so already."):
            rows = tuple(wanted)
    return rows


PANEL = Panel("Style mix", "left", 20, draw)
