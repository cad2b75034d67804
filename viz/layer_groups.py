"""Groups of the view about the insides of a network: its filters, what breaks them, its input, its layers side by side.

As in `viz.groups`, each default stands here and nowhere else. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Filters:
    """The filters of the network: taps, responses, design."""

    on: bool = False
