"""What a drag, a wheel notch or a nudge does to the state. Pure: distances in, state out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from viz.canvas.placement import Placement
from viz.groups.edits import editable, names
from viz.request import NetworkFacts
from viz.state import EditActivations, Latent, Pose, Slice, Tap, ViewState

SEEDS_PER_EM = 0.04  # a drag of 25 em is one seed
RING = 0.4  # radius of the rotation ring, image widths
RING_GRIP_EM = 0.6  # how far from the ring a click still takes it
CENTER_GRIP_EM = 0.9
LINE_GRIP_EM = 0.8
FAR = 10.0  # image widths: no grid position beyond this makes sense


def walk(state: ViewState, dx: float, dy: float, em: float) -> ViewState:
    """Moves on the seed lattice by a drag of (dx, dy) screen pixels."""
    latent = state.get(Latent)
    return state.edit(Latent, x=latent.x + dx * SEEDS_PER_EM / em, y=latent.y + dy * SEEDS_PER_EM / em)


def translate(state: ViewState, dx: float, dy: float, facts: NetworkFacts | None) -> ViewState:
    """Moves the input grid by (dx, dy) image widths, within what the network has learned to draw."""
    if facts is None or not facts.has_pose:
        return state
    pose = state.get(Pose)
    return state.put(limited(replace(pose, x=pose.x + dx, y=pose.y + dy), facts))


def limited(pose: Pose, facts: NetworkFacts | None) -> Pose:
    """The pose with its translation shortened to the network's limit, if it names one."""
    limit = FAR if facts is None or facts.translation_limit is None else facts.translation_limit
    length = math.hypot(pose.x, pose.y)
    return pose if length <= limit else replace(pose, x=pose.x * limit / length, y=pose.y * limit / length)


def rotate(state: ViewState, turns: float, facts: NetworkFacts | None) -> ViewState:
    """Turns the input grid, counter-clockwise, keeping the angle within half a turn of zero."""
    if facts is None or not facts.has_pose:
        return state
    return state.edit(Pose, turns=wrapped(state.get(Pose).turns + turns))


def wrapped(turns: float) -> float:
    """The same angle between -1/2 and 1/2; angles already there are returned as they are."""
    return turns if -0.5 <= turns <= 0.5 else (turns + 0.5) % 1.0 - 0.5


def angle_between(placement: Placement, pose: Pose, before: tuple[float, float], after: tuple[float, float]) -> float:
    """Turns, counter-clockwise on screen, that a cursor moving from `before` to `after` makes around the pose's centre."""
    cx, cy = placement.to_screen(pose.x, pose.y)
    start = math.atan2(-(before[1] - cy), before[0] - cx)
    end = math.atan2(-(after[1] - cy), after[0] - cx)
    return (end - start) / math.tau % 1.0 if (end - start) % math.tau < math.pi else (end - start) / math.tau % 1.0 - 1.0


def grip(placement: Placement, pose: Pose, point: tuple[float, float], em: float) -> str:
    """Which part of the gizmo lies under a point on screen: "center", "ring" or ""."""
    cx, cy = placement.to_screen(pose.x, pose.y)
    distance = math.hypot(point[0] - cx, point[1] - cy)
    if distance <= CENTER_GRIP_EM * em:
        return "center"
    (xx, xy), (yx, yy) = pose.linear
    x, y, area = point[0] - cx, point[1] - cy, xx * yy - xy * yx
    before = math.hypot(yy * x - xy * y, xx * y - yx * x) / abs(area) / placement.scale  # the distance, before the pose
    return "ring" if abs(1 - RING / before) * distance <= RING_GRIP_EM * em else ""


def on_ring(pose: Pose, angle: float) -> tuple[float, float]:
    """The point of the ring at an angle (radians, clockwise) before the pose, relative to the pose's centre: image widths."""
    x, y = RING * math.cos(angle), RING * math.sin(angle)
    (xx, xy), (yx, yy) = pose.linear
    return xx * x + xy * y, yx * x + yy * y


def grip_line(placement: Placement, line: Slice, point: tuple[float, float], em: float) -> str:
    """Which part of the scan line lies under a point on screen: "start", "end", "line" or ""."""
    (ax, ay), (bx, by) = placement.to_screen(line.x0, line.y0), placement.to_screen(line.x1, line.y1)
    for name, x, y in (("start", ax, ay), ("end", bx, by)):
        if math.hypot(point[0] - x, point[1] - y) <= LINE_GRIP_EM * em:
            return name
    length = math.hypot(bx - ax, by - ay)
    if length == 0:
        return ""
    along = ((point[0] - ax) * (bx - ax) + (point[1] - ay) * (by - ay)) / length
    across = ((point[0] - ax) * (by - ay) - (point[1] - ay) * (bx - ax)) / length
    return "line" if 0 <= along <= length and abs(across) <= LINE_GRIP_EM / 2 * em else ""


def drag_line(state: ViewState, part: str, dx: float, dy: float) -> ViewState:
    """Moves an end of the scan line, or all of it, by (dx, dy) image widths, within the picture: as a whole it keeps its shape there."""
    line = state.get(Slice)
    names = {"start": ("x0", "y0"), "end": ("x1", "y1")}.get(part, ("x0", "y0", "x1", "y1"))
    moved: dict[str, float] = {}
    for axis, way in (("x", dx), ("y", dy)):
        held = {name: getattr(line, name) for name in names if name[0] == axis}
        way = min(max(way, -0.5 - min(held.values())), 0.5 - max(held.values()))
        moved |= {name: min(max(value + way, -0.5), 0.5) for name, value in held.items()}
    return state.edit(Slice, **moved)


def turn_off(state: ViewState, channels: Sequence[int], facts: NetworkFacts | None) -> ViewState:
    """Turns these channels of the layer on screen off, or on again where all of them are; nothing for a layer that cannot be edited."""
    tap = facts.tap(state.get(Tap).layer) if facts is not None else None
    if facts is None or tap not in editable(facts.taps):
        return state
    edits, layer = state.get(EditActivations), names(tap)[0]
    return state.put(edits.turned_off(layer, channels, off=not edits.off(layer).issuperset(channels)))
