"""Panel "Latent": where on the lattice of seeds the picture is taken from, and how neighbouring seeds are blended."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gui_utils.controls import Field, button, choice, combo, drag_float, input_int, value_row
from gui_utils.libraries import icons, imgui
from gui_utils.text import MISSING, signed_text
from viz import commands
from viz.panels import Panel, PanelContext, own_latent
from viz.panels.latent_pad import pad
from viz.panels.parts import NO_NETWORK, animate_row, cached, columns, reset_button
from viz.state import SEEDS_PER_ROW, Latent, LatentMotion, OwnLatent, ViewState

SEED = Field(
    "Seed", "Latent.seed",
    "The nearest seed of the lattice. One step to the right is the next seed, one step down is 100 seeds on. Type a seed to go to it.",
    default=0, low=-(2**32 - 1), high=2**32 - 1,
)  # fmt: skip
OFFSET = {
    "x": Field("Offset right", "Latent.offset_x", "How far the point lies to the right of the nearest seed.", "seeds", default=0.0,
               low=-1, high=1, speed=0.0025),
    "y": Field("Offset down", "Latent.offset_y", "How far the point lies below the nearest seed. A whole step is 100 seeds.", "seeds",
               default=0.0, low=-1, high=1, speed=0.0025),
}  # fmt: skip
ANIMATE = Field("Animate", "LatentMotion.on", "Walks to the right through the seeds.", default=False)
SPEED = Field("", "LatentMotion.seeds_per_s", "How fast the animation walks.", "seeds/s", default=0.25, low=-5, high=5, power=3)
BLEND = Field(
    "Blend", "Latent.blend",
    "How the four seeds around the point are mixed in W. Bilinear is the published way; it comes closer to the mean between seeds, "
    "as if truncated. Even variance rescales the weights to a unit sum of squares, so that truncation stays the same on the way.",
    symbol="w", default="published",
)  # fmt: skip
BLENDS = {"published": "bilinear", "preserving": "even variance"}
CLASS = Field("Class", "Latent.class_index", "The class of a conditional network. From the seed: drawn along with z, as published.",
              symbol="c", default=-1)  # fmt: skip
SHOWN = Field("On screen", "Latent.shown", "The seeds that make the picture on screen, with their weights in W.")
SNAP = Field("Snap", "Latent.snap", "Goes to the nearest seed.")
RESET = Field("Reset", "Latent.reset", "Seed 0, bilinear, no animation.")
BOOKMARK = Field("Bookmark", "Latent.bookmark", "Remembers this point. S does the same.")
REMOVE_HELP = "Forgets this bookmark."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    state = _seed(own_latent.rows(state, context))
    state = pad(state, context)
    state = _offset(state, "x")
    state = _offset(state, "y")
    motion = state.get(LatentMotion)
    on, speed = animate_row(ANIMATE, SPEED, motion.on, motion.seeds_per_s)
    state = state.edit(LatentMotion, on=on, seeds_per_s=speed)
    state = state.edit(Latent, blend=choice(BLEND, state.get(Latent).blend, BLENDS))
    state = _class(state, context)
    value_row(SHOWN, seeds_text(context.frame.seeds if context.frame else (), state.get(Latent)))
    state = _buttons(state, context)
    return _bookmarks(state, context)


def nearest(value: float) -> int:
    """The nearest whole number; halves go up, so that dragging passes from one seed to the next."""
    return math.floor(value + 0.5)


def seed_at(latent: Latent) -> int:
    """The seed of the nearest lattice point, not yet wrapped to 32 bits."""
    return nearest(latent.x) + SEEDS_PER_ROW * nearest(latent.y)


def place_text(x: float, y: float) -> str:
    """ "seed 107" on a lattice point, "seed 107 +0.25 −0.50" between."""
    seed = seed_at(Latent(x=x, y=y))
    dx, dy = x - nearest(x), y - nearest(y)
    between = "" if dx == dy == 0 else f"  {signed_text(dx, decimals=2)} {signed_text(dy, decimals=2)}"
    return f"seed {seed}{between}".replace("-", "−")


def _seed(state: ViewState) -> ViewState:
    shown = seed_at(state.get(Latent))
    seed = input_int(SEED, shown)
    return state if seed == shown else state.edit(Latent, x=float(seed), y=0.0)


def _offset(state: ViewState, axis: str) -> ViewState:
    position = getattr(state.get(Latent), axis)
    shown = position - nearest(position)
    offset = drag_float(OFFSET[axis], shown)
    return state if offset == shown else state.edit(Latent, **{axis: nearest(position) + offset})


def _class(state: ViewState, context: PanelContext) -> ViewState:
    classes = context.network.c_dim if context.network else 0
    reason = NO_NETWORK if context.network is None else "" if classes else "This network has no classes."
    names = cached(context, "latent.classes", None, lambda: {-1: "from the seed", **{i: str(i) for i in range(classes)}}, key=classes)
    return state.edit(Latent, class_index=combo(CLASS, state.get(Latent).class_index, names, disabled=reason))


def seeds_text(seeds: Sequence[tuple[int, float]], latent: Latent) -> str:
    """Seeds, named as on the map, and weights; always two lines, so that nothing below moves while one walks."""
    here = seed_at(latent)
    names = [str(seed - 2**32 * round((seed - here) / 2**32)).replace("-", "−") for seed, _ in seeds]
    texts = [f"{name} ({weight:.2f})" for name, (_, weight) in zip(names, seeds, strict=True)]
    return f"{', '.join(texts[:2]) or MISSING}\n{', '.join(texts[2:]) or ' '}"


def _buttons(state: ViewState, context: PanelContext) -> ViewState:
    latent = state.get(Latent)
    x, y = float(nearest(latent.x)), float(nearest(latent.y))
    if button(SNAP, disabled="" if (x, y) != (latent.x, latent.y) else "The point is on a seed already."):
        state = state.edit(Latent, x=x, y=y)
    imgui.same_line()
    known = (latent.x, latent.y) in context.settings.bookmarks
    if button(BOOKMARK, disabled="This point has a bookmark already." if known else ""):
        context.emit(commands.Bookmark())
    imgui.same_line()
    return reset_button(state, RESET, Latent, LatentMotion)


def _bookmarks(state: ViewState, context: PanelContext) -> ViewState:
    marks = context.settings.bookmarks
    if not marks:
        return state
    imgui.separator_text("Bookmarks")
    with columns("bookmarks", (0, 2), rows=len(marks) + 1) as visible:
        if not visible:
            return state
        for i, (x, y) in enumerate(marks):
            imgui.table_next_column()
            here = (x, y) == (state.get(Latent).x, state.get(Latent).y)
            _thumbnail(context, (x, y))
            imgui.align_text_to_frame_padding()
            if imgui.selectable(f"{place_text(x, y)}###Latent.bookmark.{i}", here)[0]:
                state = state.edit(Latent, x=x, y=y).reset(OwnLatent)
            imgui.table_next_column()
            if button(Field(icons.ICON_FA_XMARK, f"Latent.forget.{i}", REMOVE_HELP)):
                context.emit(commands.ChangeSettings((("bookmarks", (*marks[:i], *marks[i + 1 :])),)))
    return state


def _thumbnail(context: PanelContext, place: tuple[float, float]) -> None:
    """What the bookmark looked like, before its name."""
    pixels = context.thumbnails.get(place)
    if pixels is None or context.image is None:
        return
    size = 1.6 * imgui.get_frame_height()
    imgui.image(context.image(f"bookmark {place}", pixels), (size * pixels.shape[1] / pixels.shape[0], size))
    imgui.same_line()


PANEL = Panel("Latent", "left", 10, draw)
