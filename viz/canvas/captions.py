"""Which picture is which: a caption above each of several views, in space of its own, so that it never covers a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.scopes import clip_scope
from gui_utils.text import number_text
from viz.canvas.placement import Area
from viz.compare.caption import number_of, own_text
from viz.compare.compare import own_values
from viz.compare.scenes import training_of
from viz.groups.compare import NAMES
from viz.request import Beside, Frame, NetworkFacts
from viz.state import BreakIt, CompareView, EditActivations, ViewState

Color = tuple[float, float, float]
INK, DIM = (0.95, 0.95, 0.95), (0.72, 0.72, 0.72)
LINE_EM, PADDING_EM, SIDE_EM = 1.2, 0.35, 0.6
METRICS = "metrics"  # the overlay that measures a network
ELLIPSIS = "…"


@dataclass(frozen=True)
class Caption:
    """Lines of a caption with their colours; `whole` is what a tooltip says where a line does not fit."""

    lines: tuple[tuple[str, Color], ...]

    @property
    def whole(self) -> str:
        return "\n".join(text for text, _ in self.lines)


@dataclass
class KnownEquivariance:
    """EQ-T and EQ-R in dB of the networks that were measured in this window, or that say so themselves."""

    measured: dict[tuple[str, BreakIt, EditActivations], dict[str, float]] = field(default_factory=dict)

    def note(self, frame: Frame) -> None:
        """Remembers what the panel Metrics has measured of the first view's network."""
        result = frame.overlays.get(METRICS)
        if result is None or result.values is None or result.fraction < 1 or frame.network is None:
            return
        found = {kind: estimate.db for kind, estimate in result.values.newest.estimates.items() if estimate.db is not None}
        self.measured[_as_it_was(frame.network, frame)] = found

    def text(self, facts: NetworkFacts, frame: Frame) -> str:
        """ "EQ-T 76.3, EQ-R 47.4 dB"; "" where nothing is known of this network, broken and edited as in this frame."""
        found = self.measured.get(_as_it_was(facts, frame))
        if found is None:
            found = {} if frame.altered else stored_equivariance(facts.metadata)
        parts = [f"{label} {number_text(found[kind])}" for kind, label in (("eq_t", "EQ-T"), ("eq_r", "EQ-R")) if kind in found]
        return f"{', '.join(parts)} dB" if parts else ""


def _as_it_was(facts: NetworkFacts, frame: Frame) -> tuple[str, BreakIt, EditActivations]:
    view = frame.request.view
    return facts.sha256, view.get(BreakIt), view.get(EditActivations).found_in(facts.taps)


def stored_equivariance(metadata: Mapping[str, Any]) -> dict[str, float]:
    """What a network's file says of itself: kind -> dB."""
    training = training_of(metadata)
    return {kind: float(v) for kind in ("eq_t", "eq_r") if isinstance(v := training.get(f"{kind}_db"), int | float)}


def captions(frame: Frame, state: ViewState, numbers: tuple[int, ...], known: KnownEquivariance) -> dict[int, Caption]:
    """The captions of these views (1 is the first)."""
    return {n: first_caption(frame, known) if n == 1 else other_caption(frame.others.get(n), state, n, known) for n in numbers}


def first_caption(frame: Frame, known: KnownEquivariance) -> Caption:
    return Caption(_lines(f"{NAMES[1]}: {name_of(frame)}", _equivariance(frame, known), frame))


def other_caption(beside: Beside | None, state: ViewState, number: int, known: KnownEquivariance) -> Caption:
    if beside is None:
        return Caption(((f"{NAMES[number]}: on its way {ELLIPSIS}", INK),))
    own = own_text(own_values(state, number))
    facts = " · ".join(part for part in (number_of(beside), own, _equivariance(beside.frame, known)) if part)
    title = f"{NAMES[number]}: {name_of(beside.frame)}" + (f" {ELLIPSIS}" if beside.stale else "")
    return Caption((*_lines(title, facts, beside.frame), *((note, DIM) for note in beside.notes)))


def difference_caption(frame: Frame, beside: Beside, state: ViewState, number: int) -> Caption:
    """What the difference shows, and its colours."""
    if beside.difference is None:
        return Caption(((f"{NAMES[number]} − first", INK), (beside.reason, theme.WARNING)))
    gain_db = state.get(CompareView).gain_db
    gain = f" · gain {number_text(gain_db, 'dB', 1)}" if gain_db else ""
    zero = "white" if beside.difference.shape[2] == 1 else "grey"
    title = f"{NAMES[number]} − first: {name_of(beside.frame)} − {name_of(frame)}" + (f" {ELLIPSIS}" if beside.stale else "")
    return Caption(((title, INK), (f"{number_of(beside)} · {zero} is no difference{gain}", DIM)))


def name_of(frame: Frame) -> str:
    """The configuration first: where a long name is cut off, it still tells one network from the other."""
    if frame.network is None:
        return frame.request.view.to_dict().get("Source", {}).get("network", "no network")
    layer = frame.picture.tap if frame.picture and frame.picture.tap != frame.network.taps[-1].name else ""
    return f"{frame.network.config_name} · {frame.network.name}" + (f", {layer}" if layer else "")


def _equivariance(frame: Frame, known: KnownEquivariance) -> str:
    return known.text(frame.network, frame) if frame.network is not None else ""


def _lines(title: str, facts: str, frame: Frame) -> tuple[tuple[str, Color], ...]:
    lines, error = [(title, INK), (facts, DIM), *((text, theme.WARNING) for text in frame.altered)], frame.error
    if error is not None:
        lines.insert(1, (error.sentences, theme.ERROR))
    return tuple((text, color) for text, color in lines if text)


# ------------------------------------------------------------------------------------------------------- drawing


def height_of(shown: Mapping[int, Caption]) -> float:
    """Pixels that the tallest of these captions takes."""
    lines = max((len(caption.lines) for caption in shown.values()), default=0)
    em = imgui.get_font_size()
    return round((lines * LINE_EM + 2 * PADDING_EM) * em) if lines else 0.0


def width_of(caption: Caption) -> float:
    """Pixels that all of this caption's text takes, with the space beside it."""
    return max((imgui.calc_text_size(text).x for text, _ in caption.lines), default=0.0) + 2 * SIDE_EM * imgui.get_font_size() + 1


def draw_caption(caption: Caption, area: Area, *, hovered: bool) -> None:
    """At the upper left of a part of the canvas; a line that does not fit ends in an ellipsis, and the tooltip has all of it."""
    lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
    width, cut = area.width - 2 * SIDE_EM * em, False
    y = area.y + PADDING_EM * em
    with clip_scope(lines, *area.corners):
        for text, rgb in caption.lines:
            shown = fitting(text, width, lambda part: imgui.calc_text_size(part).x)
            cut = cut or shown != text
            lines.add_text((area.x + SIDE_EM * em, y), theme.packed(rgb), shown)
            y += LINE_EM * em
    mouse = imgui.get_io().mouse_pos
    if cut and hovered and area.contains(mouse.x, mouse.y):
        imgui.set_tooltip(caption.whole)


def fitting(text: str, width: float, measure: Callable[[str], float]) -> str:
    """As much of the text as fits into `width`, with an ellipsis where something is left out."""
    if measure(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[:middle].rstrip() + ELLIPSIS) <= width else (low, middle - 1)
    return text[:low].rstrip() + ELLIPSIS
