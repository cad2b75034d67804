"""Groups of drag points: pairs of a handle and its target, and how the latent follows them. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from viz.groups.groups import ranged

Matrix = Sequence[Sequence[float]]
Place = tuple[float, float]
NAME = "drag points"  # of the overlay


@dataclass(frozen=True)
class DragPair:
    """From the handle (x, y) to its target, in image widths from the centre of the picture before the view's pose moves it."""

    x: float = ranged(0.0, -4, 4)
    y: float = ranged(0.0, -4, 4)
    to_x: float = ranged(0.0, -4, 4)
    to_y: float = ranged(0.0, -4, 4)

    @property
    def handle(self) -> Place:
        return self.x, self.y

    @property
    def target(self) -> Place:
        return self.to_x, self.to_y


@dataclass(frozen=True)
class DragPoints:
    """What is under each handle is moved to its target by optimising rows `first` to `last` of ws (-1: to that of the layer).

    `layer` "" is chosen by its sampling rate. `motion_radius` and `tracking_radius` (r_1, r_2) are image widths; `step_size` is a part of
    w's spread. It ends at the targets, or after `steps`; `stopped_at` is the step at which it was stopped (0: it was not). `keep` says
    which side of a circle must stay, with the weight lambda.
    """

    on: bool = False
    pairs: tuple[DragPair, ...] = ()
    layer: str = ""
    motion_radius: float = ranged(0.04, 0, 0.5)
    tracking_radius: float = ranged(0.05, 0, 0.5)
    first: int = ranged(0, 0, 255, discrete=True)
    last: int = ranged(-1, -1, 255, discrete=True)
    step_size: float = ranged(0.01, 1e-5, 1)
    steps: int = ranged(200, 1, 10**4, discrete=True)
    stopped_at: int = ranged(0, 0, 10**4, discrete=True)
    keep: str = ranged("", choices=("", "inside", "outside"))
    keep_x: float = ranged(0.0, -4, 4)
    keep_y: float = ranged(0.0, -4, 4)
    keep_radius: float = ranged(0.25, 0, 4)
    weight: float = ranged(3.0, 0, 10**4)

    @property
    def limit(self) -> int:
        """The step at which it stands still."""
        return min(self.stopped_at or self.steps, self.steps)

    def with_pair(self, index: int, pair: DragPair | None) -> Self:
        """With pair `index` replaced, left out (None), or added at the end."""
        return replace(self, pairs=(*self.pairs[:index], *([] if pair is None else [pair]), *self.pairs[index + 1 :]))


@dataclass(frozen=True)
class DragPointsView:
    """Whether a drag on the picture places points: drawing, not rendering."""

    place: bool = False


def moved(matrix: Matrix, place: Place) -> Place:
    """A place under a 3x3 matrix."""
    x, y = place
    return matrix[0][0] * x + matrix[0][1] * y + matrix[0][2], matrix[1][0] * x + matrix[1][1] * y + matrix[1][2]


def moved_back(matrix: Matrix, place: Place) -> Place:
    """The place that `matrix` moves there."""
    (a, b, e), (c, d, f) = matrix[0], matrix[1]
    x, y, scale = place[0] - e, place[1] - f, a * d - b * c
    return (d * x - b * y) / scale, (a * y - c * x) / scale
