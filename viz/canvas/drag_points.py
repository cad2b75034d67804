"""Handles and their targets on the picture: drawn, placed, moved and removed. What stays is a circle with a centre and a rim.

Points are kept as they stand before the view's pose; `matrix_shown` is between that and what is on screen.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from gui_utils import theme
from gui_utils.libraries import imgui
from viz.canvas.placement import Placement
from viz.groups.drag_points import NAME, Matrix, moved, moved_back
from viz.request import Frame, NetworkFacts
from viz.state import Channels, DragPair, DragPoints, DragPointsView, Pose, Unwarp, ViewState

if TYPE_CHECKING:
    from viz.canvas.canvas import Gesture

GRIP_EM, RIM_GRIP_EM = 0.75, 0.5
SHORTEST_EM = 0.4  # a drag this long places a pair; a click places none
HANDLE, TARGET = theme.WARNING, theme.ACCENT
FARTHEST, RIM_POINTS = 4.0, 96
STAYS = "stays"
ON_A_SHEET = "Nothing can be placed on a contact sheet: choose another way to show channels."
REFUSED = "The picture shown is a result: keep it or discard it, then place points."

Place = tuple[float, float]


def placing(state: ViewState) -> bool:
    return state.get(DragPointsView).place


def visible(state: ViewState) -> bool:
    return placing(state) or state.get(DragPoints).on


def matrix_shown(state: ViewState, facts: NetworkFacts | None) -> Matrix:
    """From points as they are kept to the picture on screen: the pose, unless the view undoes it or the network has none."""
    posed = facts is not None and facts.has_pose and not state.get(Unwarp).on
    return (state.get(Pose) if posed else Pose()).matrix(facts.resolution if facts else None)


def grip(state: ViewState, placement: Placement, facts: NetworkFacts | None, mouse: Place) -> str:
    """What lies under a point on screen: "handle 0", "target 0", ..., "region centre", "region rim" or "". The last placed lies on top."""
    if not placing(state):
        return ""
    points, matrix, em = state.get(DragPoints), matrix_shown(state, facts), imgui.get_font_size()
    near = lambda place: math.dist(placement.to_screen(*moved(matrix, place)), mouse) <= GRIP_EM * em  # noqa: E731
    for index, pair in reversed(tuple(enumerate(points.pairs))):
        for part, place in (("target", pair.target), ("handle", pair.handle)):
            if near(place):
                return f"{part} {index}"
    if points.keep:
        if near((points.keep_x, points.keep_y)):
            return "region centre"
        if min(math.dist(at, mouse) for at in _rim(points, placement, matrix)) <= RIM_GRIP_EM * em:
            return "region rim"
    return ""


def gesture_kind(state: ViewState, placement: Placement, facts: NetworkFacts | None, mouse: Place) -> str:
    """What a drag of the left button does that begins here, or a click of the right one; "" for what it always does.

    The handles of a result that is not kept yet stand on the picture before it, so there only targets can be moved.
    """
    if not placing(state) or state.get(Channels).mode == "sheet" or imgui.get_io().key_alt:
        return ""
    part = grip(state, placement, facts, mouse)
    if imgui.is_mouse_down(1):
        return f"remove {part}" if part and not part.startswith("region") else ""
    if state.get(DragPoints).on and (not part or part.startswith("handle")):
        return "point refused"
    return f"point {part or 'new'}"


def drag(state: ViewState, placement: Placement, facts: NetworkFacts | None, gesture: Gesture, mouse: tuple[Place, Place]) -> ViewState:
    """What a gesture on points does as the mouse moves from one place on screen to another. A new pair's target is then held by it."""
    part, matrix = gesture.kind.removeprefix("point "), matrix_shown(state, facts)
    if part == "refused":
        return state
    if part != "new":
        return _moved(state, placement, matrix, part, mouse)
    if math.dist(gesture.start, mouse[1]) < SHORTEST_EM * imgui.get_font_size():
        return state
    (x, y), (to_x, to_y) = (_limited(moved_back(matrix, placement.to_image(*at))) for at in (gesture.start, mouse[1]))
    points = state.get(DragPoints)
    gesture.kind = f"point target {len(points.pairs)}"
    return state.put(points.with_pair(len(points.pairs), DragPair(x, y, to_x, to_y)))


def _moved(state: ViewState, placement: Placement, matrix: Matrix, part: str, mouse: tuple[Place, Place]) -> ViewState:
    """With this part moved as the mouse moved."""
    points = state.get(DragPoints)
    before, after = (moved_back(matrix, placement.to_image(*at)) for at in mouse)

    def along(x: float, y: float) -> Place:
        return _limited((x + after[0] - before[0], y + after[1] - before[1]))

    what, _, which = part.partition(" ")
    if what == "region":
        if which == "rim":
            return state.edit(DragPoints, keep_radius=min(max(math.dist(after, (points.keep_x, points.keep_y)), 0.01), FARTHEST))
        x, y = along(points.keep_x, points.keep_y)
        return state.edit(DragPoints, keep_x=x, keep_y=y)
    index = int(which)
    if index >= len(points.pairs):  # undone meanwhile
        return state
    pair = points.pairs[index]
    x, y = along(*(pair.handle if what == "handle" else pair.target))
    return state.put(points.with_pair(index, replace(pair, x=x, y=y) if what == "handle" else replace(pair, to_x=x, to_y=y)))


def removed(state: ViewState, kind: str) -> ViewState:
    """Without the pair that the gesture "remove ..." was on."""
    index = int(kind.rpartition(" ")[2])
    return state.put(state.get(DragPoints).with_pair(index, None)) if index < len(state.get(DragPoints).pairs) else state


def _limited(place: Place) -> Place:
    x, y = (min(max(value, -FARTHEST), FARTHEST) for value in place)
    return x, y


def _rim(points: DragPoints, placement: Placement, matrix: Matrix) -> list[Place]:
    """The circle on screen: an ellipse under a pose that stretches."""
    angles = (math.tau * i / RIM_POINTS for i in range(RIM_POINTS))
    places = ((points.keep_x + points.keep_radius * math.cos(a), points.keep_y + points.keep_radius * math.sin(a)) for a in angles)
    return [placement.to_screen(*moved(matrix, place)) for place in places]


# ---------------------------------------------------------------------------------------------------- drawing


def draw(
    lines: imgui.ImDrawList, placement: Placement, state: ViewState, frame: Frame, gesture: Gesture | None, mouse: Place | None
) -> None:
    """Handles (discs), targets (rings) and the ways between them; where a handle has got to, the way from there. What the mouse is on,
    or holds, is lit."""
    points, matrix, em = state.get(DragPoints), matrix_shown(state, frame.network), imgui.get_font_size()
    part = gesture.kind.removeprefix("point ") if gesture else grip(state, placement, frame.network, mouse) if mouse else ""
    if part == "refused" and gesture is not None:
        theme.shadowed_text(lines, (gesture.last[0], gesture.last[1] - 1.5 * em), REFUSED)
    result = frame.overlays.get(NAME)
    found = result.values if result is not None and points.on and not result.stale else None
    now = found.handles if found is not None and len(found.handles) == len(points.pairs) else None
    screen = lambda place: placement.to_screen(*moved(matrix, (float(place[0]), float(place[1]))))  # noqa: E731
    if points.keep:
        _draw_region(lines, points, placement, matrix, part)
    for index, pair in enumerate(points.pairs):
        begin, target = screen(pair.handle), screen(pair.target)
        at = begin if now is None else screen(now[index])
        if now is not None:
            lines.add_line(begin, at, theme.packed(HANDLE, 0.5), em / 16)
            lines.add_circle(begin, 0.2 * em, theme.packed(HANDLE, 0.5), 0, em / 16)
        shadow = theme.packed((0, 0, 0), 0.6)
        _arrow(lines, at, target, em)
        lines.add_circle(target, 0.38 * em, shadow, 0, em / 4)
        lines.add_circle(target, 0.38 * em, theme.packed(TARGET, 1.0 if part == f"target {index}" else 0.9), 0, em / 8)
        lines.add_circle_filled(at, 0.36 * em, shadow)
        lines.add_circle_filled(at, (0.34 if part == f"handle {index}" else 0.26) * em, theme.packed(HANDLE, 0.95))
        if len(points.pairs) > 1:
            theme.shadowed_text(lines, (at[0] + 0.5 * em, at[1] - 1.2 * em), str(index + 1))


def _arrow(lines: imgui.ImDrawList, start: Place, end: Place, em: float) -> None:
    """From the edge of the disc to that of the ring."""
    length = math.dist(start, end)
    if length < 0.9 * em:
        return
    ux, uy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    a, b = (start[0] + 0.3 * em * ux, start[1] + 0.3 * em * uy), (end[0] - 0.42 * em * ux, end[1] - 0.42 * em * uy)
    head = min(0.45 * em, length / 3)
    barbs = [(b[0] - head * (ux + side * 0.5 * uy), b[1] - head * (uy - side * 0.5 * ux)) for side in (-1, 1)]
    for tint, width in ((theme.packed((0, 0, 0), 0.6), 3.4), (theme.packed((1, 1, 1), 0.95), 1.6)):
        for p, q in ((a, b), *((barb, b) for barb in barbs)):
            lines.add_line(p, q, tint, width * em / 16)


def _draw_region(lines: imgui.ImDrawList, points: DragPoints, placement: Placement, matrix: Matrix, part: str) -> None:
    em = imgui.get_font_size()
    rim = _rim(points, placement, matrix)
    for tint, width in ((theme.packed((0, 0, 0), 0.5), 3.5), (theme.packed((1, 1, 1), 0.95 if part == "region rim" else 0.6), 1.5)):
        lines.add_polyline([imgui.ImVec2(*at) for at in rim], tint, theme.px(width), imgui.ImDrawFlags_.closed.value)
    x, y = placement.to_screen(*moved(matrix, (points.keep_x, points.keep_y)))
    lines.add_circle((x, y), 0.3 * em, theme.packed((1, 1, 1), 0.95 if part == "region centre" else 0.6), 0, theme.px(1.5))
    top = min(rim, key=lambda at: at[1])
    down = 0.2 if points.keep == "inside" else -1.3
    theme.shadowed_text(lines, (top[0] - imgui.calc_text_size(STAYS).x / 2, top[1] + down * em), STAYS)
