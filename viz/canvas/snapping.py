"""Ctrl, held while the grid is dragged: it stops at round angles and at whole pixels; Shift too: at finer ones. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from viz.canvas.gestures import limited, wrapped
from viz.request import NetworkFacts
from viz.state import Pose

DEGREES, FINE_DEGREES = 15, 1
PIXELS, FINE_PIXELS = 1.0, 1 / 8  # as the arrow keys move, without and with Shift


@dataclass(frozen=True)
class Snap:
    """Where a drag stops: multiples of so many degrees, and of so many pixels of the picture."""

    degrees: float
    pixels: float

    def turned(self, pose: Pose) -> Pose:
        step = self.degrees / 360
        return replace(pose, turns=wrapped(round(pose.turns / step) * step))

    def moved(self, pose: Pose, facts: NetworkFacts | None) -> Pose:
        """Within what the network has learned to draw, which may lie between two stops."""
        if facts is None:
            return pose
        step = self.pixels / facts.resolution
        return limited(replace(pose, x=round(pose.x / step) * step, y=round(pose.y / step) * step), facts)


def chosen_snap(*, ctrl: bool, shift: bool) -> Snap | None:
    """By the keys that are held; None without Ctrl."""
    if not ctrl:
        return None
    return Snap(FINE_DEGREES, FINE_PIXELS) if shift else Snap(DEGREES, PIXELS)


@dataclass(frozen=True)
class Rest:
    """How far the mouse is ahead of the pose that it drags, because that has snapped: image widths, and turns."""

    x: float = 0.0
    y: float = 0.0
    turns: float = 0.0

    @staticmethod
    def between(free: Pose, shown: Pose) -> Rest:
        return Rest(free.x - shown.x, free.y - shown.y, wrapped(free.turns - shown.turns))

    def added(self, pose: Pose) -> Pose:
        """Where the pose would be, had it not snapped."""
        return replace(pose, x=pose.x + self.x, y=pose.y + self.y, turns=wrapped(pose.turns + self.turns))
