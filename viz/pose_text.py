"""What a pose does to the picture besides moving and turning it, in words."""

from __future__ import annotations

from gui_utils.text import number_text
from viz.state import Pose


def deformation(pose: Pose) -> list[str]:
    """For example "scaled 1.25×", "mirrored": what is not at its default."""
    parts = [f"scaled {number_text(pose.scale, '×', 2)}"] if pose.scale != 1 else []
    parts += [f"stretched {number_text(pose.stretch, '×', 2)}"] if pose.stretch != 1 else []
    parts += [f"sheared {number_text(pose.shear, decimals=2)}"] if pose.shear else []
    return [*parts, "mirrored"] if pose.mirror else parts
