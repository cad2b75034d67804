"""One cursor and one zoom for everything that shows the picture's plane: what the mouse is over in one place is marked in the others.

Places are in image widths from the image's centre. The window's only memory of it is the panels' scratch: it is no part of the view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Place = tuple[float, float]
Rect = tuple[float, float, float, float]
_CURSOR, _VISIBLE = "shared.cursor", "shared.visible"


@dataclass(frozen=True)
class Cursor:
    """Where the mouse is, and in which part of the window."""

    at: Place
    owner: str


def point(scratch: dict[str, Any], owner: str, at: Place | None) -> None:
    """`owner` says where the mouse is in it; None takes back what it said before, and nothing of others."""
    known: Cursor | None = scratch.get(_CURSOR)
    if at is not None:
        scratch[_CURSOR] = Cursor(at, owner)
    elif known is not None and known.owner == owner:
        del scratch[_CURSOR]


def cursor(scratch: dict[str, Any], *, outside: str = "") -> Place | None:
    """Where the mouse is, unless it is in the part named `outside`, which draws its own."""
    known: Cursor | None = scratch.get(_CURSOR)
    return known.at if known is not None and known.owner != outside else None


def show_region(scratch: dict[str, Any], region: Rect | None) -> None:
    """The part of the plane (x0, y0, x1, y1) that the picture's window shows; None while all of the picture fits into it."""
    scratch[_VISIBLE] = region


def shown_region(scratch: dict[str, Any]) -> Rect | None:
    return scratch.get(_VISIBLE)
