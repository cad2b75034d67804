"""Around the panels: menu bar, the picture's window with its toolbar, status line, help sheet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gui_utils import layout, theme
from gui_utils.libraries import imgui
from gui_utils.scopes import color_scope, dim_text, style_scope, table_scope, tooltip_scope
from gui_utils.text import MISSING, duration_text, signed, signed_text, unit_text
from gui_utils.tone import BACKGROUND
from viz import commands, keys, menus
from viz.canvas.captions import fitting
from viz.canvas.toolbar import overlay_bar, toolbar
from viz.compare.bar import compare_bar, other_values
from viz.panels import PanelContext
from viz.panels.parts import significant, wrapped_text
from viz.state import ViewState
from viz.tour import demonstration

if TYPE_CHECKING:
    from viz.app import App

FIRST_HINT = "drag the picture · right-drag to move it · 1–6 for workspaces · F1 for help"
PREPARING = "The kernels for this machine are being prepared, which takes some seconds, once. Until then, pictures take longer."
HELP_EM = (84.0, 52.0)  # of the sheet of keys, where the window has room


def picture(app: App, context: PanelContext) -> ViewState:
    """Toolbar and canvas; a message stands over the canvas while there is no picture."""
    em = imgui.get_font_size()
    imgui.set_cursor_pos_y(0.35 * em)
    state = toolbar(app.state, app)
    state = overlay_bar(state, app)
    state = compare_bar(state)
    imgui.set_cursor_pos((0, imgui.get_cursor_pos_y() + 0.1 * em))
    state = app.canvas.draw(state, context, app.good)
    if app.frame is not None and app.frame.error is not None:
        _banner(app.frame.error.message, app.frame.error.advice)
    elif app.canvas.trouble:
        _banner(app.canvas.trouble, "A smaller window, or another layer, needs less.")
    elif app.good is None:
        progress = context.progress  # read once a frame: the render thread takes its own away at any moment
        _banner(f"{progress.text if progress else 'Starting'} …", "")
    return state


def _banner(message: str, advice: str) -> None:
    """Text over the middle of the canvas, readable on any picture."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
    width = min(0.8 * (high.x - low.x), 46 * em)
    text = f"{message}\n{advice}".strip()
    size = imgui.calc_text_size(text, False, width)
    x, y = (low.x + high.x - size.x) / 2, (low.y + high.y - size.y) / 2
    lines.add_rect_filled((x - em, y - 0.7 * em), (x + size.x + em, y + size.y + 0.7 * em), theme.packed((0.08, 0.08, 0.08), 0.88), 4.0)
    lines.add_text(imgui.get_font(), em, (x, y), theme.packed((0.93, 0.93, 0.93)), text, width)


# ------------------------------------------------------------------------------------------------------- menu bar


def menu_bar(app: App) -> None:
    """Menus, the network's name, the device and kernels, and what the last frame ran."""
    with layout.top_bar() as shown:
        if shown:
            menus.draw(app)
            imgui.separator()
            _network_chip(app)
            _activity(app, menus.workspace_tabs(app))


def _network_chip(app: App) -> None:
    facts = app.good.network if app.good else None
    if facts is None:
        return
    imgui.text_unformatted(facts.name)
    kernels = _kernels(app)
    dim_text(f"config {facts.config_name} · {facts.resolution} px · {facts.device}{f' · {kernels.name}' if kernels else ''}")
    with tooltip_scope() as shown:
        if shown:
            imgui.text_unformatted(kernels_text(kernels))


def _activity(app: App, room: float) -> None:
    """What is being done, or what was: cut to so many pixels."""

    def cut(text: str, width: float) -> str:
        return fitting(text, width, lambda part: imgui.calc_text_size(part).x)

    progress, busy = app.context.progress, app.context.busy
    measuring = measuring_text(app) if busy and not progress else ""
    if busy or progress:
        share = f" {100 * progress.fraction:.0f} %" if progress and progress.fraction is not None else ""
        cancel = "Cancel" if progress and progress.can_cancel else ""
        taken = imgui.calc_text_size(cancel).x + 2 * imgui.get_font_size() if cancel else 0.0
        with color_scope(text=theme.ACCENT):
            imgui.text_unformatted(cut(f"● {measuring or (progress.text if progress else 'rendering')}{share}", room - taken))
        if cancel and imgui.small_button(f"{cancel}##load"):
            app.context.emit(commands.CancelLoad())
    elif app.good is not None:
        dim_text(cut(what_ran(app), room))


def _kernels(app: App) -> Any:
    """The backend of the filtered nonlinearity, the operator that matters most; None while it is not known."""
    return next((b for b in (app.good.backends if app.good else ()) if b.op == "filtered_lrelu"), None)


def kernels_text(backend: Any) -> str:
    """What computes, and why."""
    if backend is None or backend.provisional:
        return PREPARING
    return f"Computed by {backend.name} kernels: {backend.why}. The panel Timing lists them all."


def measuring_text(app: App) -> str:
    """ "sticking 34 %" while the picture is out and measurements go on."""
    results = app.frame.overlays if app.frame else {}
    return ", ".join(f"{name} {100 * r.fraction:.0f} %" for name, r in results.items() if r.fraction < 1)


def what_ran(app: App) -> str:
    """ "ran L7–L13, output · 41 ms", "nothing ran" when all was remembered."""
    frame = app.frame or app.good
    if frame is None or math.isnan(frame.timing.total_s):  # a film says nothing of what depends on the machine
        return ""
    if not frame.ran:
        return "nothing ran: all remembered"
    layers = frame.layers_ran
    what = f"{layers[0]} to {layers[-1]}" if len(layers) > 1 else layers[0] if layers else ", ".join(frame.ran)
    return f"ran {what} · {duration_text(frame.timing.total_s)}"


# ------------------------------------------------------------------------------------------------------- layout, status, help


@contextmanager
def whole_window() -> Iterator[None]:
    """The picture alone, over the whole viewport."""
    viewport = imgui.get_main_viewport()
    imgui.set_next_window_pos(viewport.pos)
    imgui.set_next_window_size(viewport.size)
    flags = imgui.WindowFlags_.no_decoration | imgui.WindowFlags_.no_docking | imgui.WindowFlags_.no_saved_settings
    flags |= imgui.WindowFlags_.no_bring_to_front_on_focus
    with style_scope(window_padding=(0.0, 0.0), window_border_size=0.0, window_rounding=0.0), color_scope(window_bg=BACKGROUND):
        imgui.begin("##picture only", None, int(flags))
    try:
        yield
    finally:
        imgui.end()


def status_line(app: App) -> None:
    with layout.status_line() as shown:
        if shown:
            _status_text(app)


def _status_text(app: App) -> None:
    found = app.canvas.probe
    if found is None:
        dim_text(FIRST_HINT)
        demonstration.invitation(app)
        return
    values = "  ".join(signed_text(v, decimals=4) for v in found.values)
    x, y = (signed_text(v, decimals=3) for v in (found.x, found.y))
    channels = ", ".join(str(c) for c in found.channels)
    note = "" if found.valid else "   (no data here: outside what could be untransformed)"
    imgui.text_unformatted(
        f"sample {found.column}, {found.row}   ({x}, {y}) widths   channel {channels}:  {values}{note}"
        f"{_measured_text(app)}{other_values(app.canvas.comparison.probes)}"
    )
    hint_x = imgui.get_window_width() - imgui.calc_text_size(FIRST_HINT).x - imgui.get_style().window_padding.x
    if imgui.get_window_pos().x + hint_x > imgui.get_item_rect_max().x + 2 * imgui.get_font_size():
        imgui.set_cursor_pos_x(hint_x)
        dim_text(FIRST_HINT)  # most of all over the picture, which it speaks of


def _measured_text(app: App) -> str:
    """What lies over the picture at the cursor."""
    image, found = app.canvas.overlay_image, app.canvas.overlay_probe
    if image is None:
        return ""
    values = MISSING if found is None else "  ".join(signed(significant(v)) for v in found)
    return f"   {image.label}:  {values}{unit_text(image.unit)}"


def help_sheet(app: App) -> None:
    """Made from the same table that handles the keys."""
    if not app.help_shown:
        return
    em, viewport = imgui.get_font_size(), imgui.get_main_viewport()
    width, height = (min(a * em, b - em) for a, b in zip(HELP_EM, (viewport.work_size.x, viewport.work_size.y), strict=True))
    imgui.set_next_window_pos(viewport.get_center(), imgui.Cond_.appearing.value, (0.5, 0.5))
    imgui.set_next_window_size((width, height), imgui.Cond_.appearing.value)
    visible, stays = imgui.begin(
        "Keys and gestures", True, imgui.WindowFlags_.no_docking.value | imgui.WindowFlags_.no_saved_settings.value
    )
    try:
        if visible:
            _help_columns(2 if width > 0.7 * HELP_EM[0] * em else 1)
    finally:
        imgui.end()
    app.help_shown = bool(stays) and not imgui.is_key_pressed(imgui.Key.escape, False)


def _help_columns(count: int) -> None:
    """All of it at one glance where there is room: what acts on the picture at the left, the rest at the right."""
    groups = list(dict.fromkeys(b.group for b in keys.BINDINGS))
    middle = groups.index("Compare")
    with table_scope("##help", count, imgui.TableFlags_.sizing_stretch_same.value) as shown:
        if not shown:
            return
        imgui.table_next_column()
        _help_table("On the picture", keys.GESTURES)
        for i, group in enumerate(groups):
            if i == middle:
                imgui.table_next_column()
            _help_table(group, keys.rows(group))


def _help_table(title: str, rows: tuple[tuple[str, str], ...]) -> None:
    imgui.separator_text(title)
    with table_scope(title, 2, imgui.TableFlags_.row_bg.value) as shown:
        if not shown:
            return
        for name, weight in (("key", 0.4), ("text", 0.6)):
            imgui.table_setup_column(name, imgui.TableColumnFlags_.width_stretch.value, weight)
        for key, text in rows:
            imgui.table_next_row()
            imgui.table_next_column()
            wrapped_text(key, dim=False)
            imgui.table_next_column()
            wrapped_text(text)
