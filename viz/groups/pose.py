"""The pose of the input grid: one affine map, as seven numbers that a person can set. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from viz.groups.groups import ranged

Linear = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Pose:
    """What happens to the Fourier input grid, in this order: mirror, stretch, shear, scale, rotation, translation.

    `mirror` swaps left and right; `stretch` is width over height at constant area; `shear` moves the top to the right, by so many
    heights for one height. Every invertible matrix is such a product, in one way (a QR decomposition), so nothing is said twice.
    `snap` rounds the translation to whole pixels.
    """

    x: float = 0.0
    y: float = 0.0
    turns: float = ranged(0.0, turn=True)
    snap: bool = False
    scale: float = ranged(1.0, 0.1, 10.0, geometric=True)
    stretch: float = ranged(1.0, 0.1, 10.0, geometric=True)
    shear: float = ranged(0.0, -4.0, 4.0)
    mirror: bool = False

    def matrix(self, resolution: int | None = None) -> tuple[tuple[float, float, float], ...]:
        """Forward 3x3 matrix in image widths; `resolution` is needed for `snap`."""
        x, y = self.x, self.y
        if self.snap and resolution:
            x, y = round(x * resolution) / resolution, round(y * resolution) / resolution
        (xx, xy), (yx, yy) = self.linear
        return ((xx, xy, x), (yx, yy, y), (0.0, 0.0, 1.0))

    @property
    def linear(self) -> Linear:
        """The matrix without its translation: rotation * scale * [[1, -shear], [0, 1]] * diag(sqrt(stretch), 1 / sqrt(stretch)) * mirror.

        y runs down, hence the sign of the shear and those of the rotation [[cos, sin], [-sin, cos]].
        """
        c, s = self.scale * math.cos(self.turns * math.tau), self.scale * math.sin(self.turns * math.tau)
        wide = math.sqrt(self.stretch)
        left, down, slant = (-wide if self.mirror else wide), 1 / wide, -self.shear / wide
        return ((c * left, c * slant + s * down), (-s * left, c * down - s * slant))

    @property
    def deformed(self) -> bool:
        """Whether it does more than the paper's transforms, translation and rotation."""
        return (self.scale, self.stretch, self.shear, self.mirror) != (1, 1, 0, False)

    @property
    def moved(self) -> bool:
        return self.deformed or (self.x, self.y, self.turns) != (0, 0, 0)
