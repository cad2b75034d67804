"""The line below a drawing that says what was measured: network, latent, pose, what is broken or edited."""

from __future__ import annotations

from viz.figures.drawing import Drawing, Item, Text
from viz.figures.drawing_file import helvetica_width
from viz.request import Frame

EDGE, ROOM, LARGEST = 14.0, 16.0, 7.0


def page(drawing: Drawing, frame: Frame, seen: str) -> Drawing:
    """The drawing with its caption, which is its title from now on; `seen`: latent and pose in words, "" where nothing depends on them."""
    facts = frame.network
    assert facts is not None
    name = f"{facts.name} (config {facts.config_name}, {facts.resolution} px)"
    caption = ", ".join(filter(None, (f"{drawing.title}: {name}", seen, frame.broken, frame.edited)))
    return captioned(drawing, caption)


def captioned(drawing: Drawing, caption: str) -> Drawing:
    """The same with words of one's own. A long line is set smaller."""
    size = min(LARGEST, (drawing.width - 2 * EDGE) / max(1.0, helvetica_width(caption)))
    line: Item = Text(EDGE, drawing.height + 9, caption, size, color=(90, 90, 90))
    return Drawing(drawing.width, drawing.height + ROOM, (*drawing.items, line), caption)
