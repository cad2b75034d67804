"""Groups of the view about frequencies: which band is shown.

As in `viz.groups.groups`, each default stands here and nowhere else. Standard library only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from viz.groups.groups import ranged


@dataclass(frozen=True)
class BandFilter:
    """Only frequencies from `low` to `high` cycles per image are shown (`high` 0: no end), of the picture or layer on screen, and of
    the error of `Equivariance`. `softness`: width of the band's edges, as a part of their frequency.
    """

    on: bool = False
    error: bool = False
    low: float = ranged(8.0, 0, 4096)
    high: float = ranged(0.0, 0, 4096, special=0.0)
    softness: float = ranged(0.25, 0, 4)

    @property
    def end(self) -> float:
        """Where the band ends; infinity for no end."""
        return self.high if self.high > 0 else math.inf
