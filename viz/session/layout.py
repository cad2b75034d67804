"""The layout of a session: the window's size, whether the picture stands alone, and where every workspace's panels are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gui_utils.layout_text import LayoutError, usable

if TYPE_CHECKING:
    from viz.app import App

SMALLEST, LARGEST = 320, 16384  # pixels a side


def now(app: App) -> dict[str, Any]:
    """JSON of how the window is laid out."""
    try:
        panels = usable(app.window.layout.text, app.arrangements)
    except LayoutError:  # a newer Dear ImGui that writes other words: a session goes without
        panels = ""
    return {"window": list(app.window.plain_size), "picture_only": not app.chrome_shown, "panels": panels}


def restore(app: App, layout: Mapping[str, Any]) -> str:
    """Lays the window out so. What cannot be used is left as it is; returns what to say about that, or ""."""
    size, alone, panels = layout.get("window"), layout.get("picture_only"), layout.get("panels")
    if isinstance(size, list) and len(size) == 2 and all(type(n) is int and SMALLEST <= n <= LARGEST for n in size):
        app.window.resize((size[0], size[1]))
    if isinstance(alone, bool):
        app.chrome_shown = not alone
    if not isinstance(panels, str) or not panels:
        return ""
    try:
        app.window.layout.restore(usable(panels, app.arrangements))
    except LayoutError as e:
        return f"Panels stay where they are: {e}."
    app.window.redraw()
    return ""


def complete(app: App) -> None:
    """Panels that the layout of last time does not know yet (a newer program has more) stand beside their neighbours, not in the way."""
    if app.window.had_layout:
        restore(app, {"panels": app.window.layout.found})
