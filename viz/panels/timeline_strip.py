"""The strip of the timeline: a ruler, keyframes to drag, a playhead to scrub with."""

from __future__ import annotations

import math

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.scopes import clip_scope, tooltip_scope
from viz.export.film import Film
from viz.panels import PanelContext
from viz.state import ViewState
from viz.timeline import timeline

HEIGHT_EM = 3.2
GRAB_EM = 0.6
EDGE_EM = 0.6  # before the first moment, so that its keyframe can be seen and taken
SPARE = 1.15  # the strip is this much longer than the film, so that keyframes can be added behind its end
SHORTEST_S = 4.0
HELP = "Drag a keyframe to move it; drag elsewhere to move the playhead (its time and frame). Ctrl: without snapping to frames."


def strip(state: ViewState, context: PanelContext) -> ViewState:
    """Draws the strip and takes the mouse."""
    film, em = context.film, imgui.get_font_size()
    at = imgui.get_cursor_screen_pos()
    size = (max(4 * em, imgui.get_content_region_avail().x), HEIGHT_EM * em)
    imgui.invisible_button("###Timeline.strip", size)
    active, hovered = imgui.is_item_active(), imgui.is_item_hovered()
    span_s = context.scratch.get("timeline.span") if active else None
    span_s = span_s or shown_span(film)  # the scale stays while something is dragged
    context.scratch["timeline.span"] = span_s
    if hovered and not active:
        with tooltip_scope() as shown:
            if shown:
                imgui.text_unformatted(HELP)
    if imgui.is_item_activated():
        _grab(film, context, _time_at(at.x, size[0], span_s), GRAB_EM * em / size[0] * span_s)
    if active:
        state = _drag(state, context, _time_at(at.x, size[0], span_s))
    _draw(film, (at.x, at.y), size, span_s, bright=hovered or active)
    return state


def _time_at(left: float, width: float, span_s: float) -> float:
    """The moment under the mouse."""
    edge = EDGE_EM * imgui.get_font_size()
    return (imgui.get_io().mouse_pos.x - left - edge) / (width - edge) * span_s


def shown_span(film: Film) -> float:
    """Seconds from the left edge to the right one."""
    return max(SHORTEST_S, SPARE * max(film.timeline.duration_s, film.time_s))


def keyframe_at(film: Film, time_s: float, reach_s: float) -> int | None:
    """The nearest keyframe within `reach_s`."""
    near = [(abs(k.time_s - time_s), i) for i, k in enumerate(film.timeline.keyframes) if abs(k.time_s - time_s) <= reach_s]
    return min(near)[1] if near else None


def _grab(film: Film, context: PanelContext, time_s: float, reach_s: float) -> None:
    held = keyframe_at(film, time_s, reach_s)
    context.scratch["timeline.held"] = held is not None
    if held is not None:
        film.selected = held
    film.playing = False


def _drag(state: ViewState, context: PanelContext, time_s: float) -> ViewState:
    film = context.film
    if not imgui.get_io().key_ctrl:
        time_s = round(time_s * film.timeline.fps) / film.timeline.fps
    time_s = max(0.0, time_s)
    if context.scratch.get("timeline.held") and film.timeline.keyframes:  # undone meanwhile, perhaps
        before = film.timeline.keyframes[film.selected]
        moved = imgui.is_mouse_dragging(imgui.MouseButton_.left, 2.0)
        if moved and time_s != before.time_s:
            film.edit(timeline.move(film.timeline, film.selected, time_s))
            film.selected = next((i for i, k in enumerate(film.timeline.keyframes) if k.time_s == time_s), film.selected)
        return state if moved else film.seek(state, before.time_s)
    return film.seek(state, time_s) if time_s != film.time_s else state


def _draw(film: Film, at: tuple[float, float], size: tuple[float, float], span_s: float, *, bright: bool) -> None:
    lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
    corner = (at[0] + size[0], at[1] + size[1])
    edge = EDGE_EM * em
    x_of = lambda time_s: at[0] + edge + time_s / span_s * (size[0] - edge)  # noqa: E731
    lines.add_rect_filled(at, corner, _gray(0.095), 0.2 * em)
    with clip_scope(lines, at, corner):
        _ruler(lines, at, size, span_s)
        accent = theme.packed(theme.ACCENT)
        y, half = at[1] + 0.65 * size[1], 0.42 * em
        if film.timeline.keyframes:
            start, end = x_of(film.timeline.keyframes[0].time_s), x_of(film.timeline.duration_s)
            lines.add_line((start, y), (end, y), _gray(0.45), 2.0)
        for i, keyframe in enumerate(film.timeline.keyframes):
            x = x_of(keyframe.time_s)
            color = accent if i == film.selected else _gray(0.8)
            lines.add_quad_filled((x - half, y), (x, y - half), (x + half, y), (x, y + half), color)
        x = x_of(film.time_s)
        lines.add_line((x, at[1]), (x, corner[1]), accent, 1.5)
        text = f"{film.time_s:.2f} s · {round(film.time_s * film.timeline.fps)}"
        room = imgui.calc_text_size(text).x + 0.5 * em
        left = x if x + room < corner[0] else x - room
        lines.add_rect_filled((left, at[1]), (left + room, at[1] + 1.3 * em), accent)
        lines.add_text((left + 0.25 * em, at[1] + 0.1 * em), _gray(0.05), text)
    lines.add_rect(at, corner, _gray(0.4 if bright else 0.26), 0.2 * em)


def _ruler(lines: imgui.ImDrawList, at: tuple[float, float], size: tuple[float, float], span_s: float) -> None:
    em = imgui.get_font_size()
    step_s, edge = ruler_step(span_s * 4 * em / size[0]), EDGE_EM * em
    for i in range(math.floor(span_s / step_s) + 1):
        x = at[0] + edge + i * step_s / span_s * (size[0] - edge)
        lines.add_line((x, at[1]), (x, at[1] + size[1]), _gray(0.2))
        lines.add_text((x + 0.25 * em, at[1] + 0.1 * em), _gray(0.55), f"{i * step_s:g} s")


def ruler_step(least_s: float) -> float:
    """1, 2 or 5 times a power of ten, at least this many seconds."""
    power = 10.0 ** math.floor(math.log10(least_s))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= least_s * (1 - 1e-9))


def _gray(value: float) -> int:
    return theme.packed((value, value, value))
