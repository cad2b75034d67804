"""Part of the panel "Channels": how often each value occurs in what is shown, and where black and white are, which can be moved."""

from __future__ import annotations

import math

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, checkbox, choice
from gui_utils.libraries import imgui
from gui_utils.text import number_text
from gui_utils.tone import ToneMap
from viz.panels import PanelContext
from viz.panels.parts import beside, significant, text_table, wrapped_text
from viz.request import Frame, HistogramResult
from viz.state import Channels, Histogram, HistogramView, Tone, ViewState

ON = Field("Histogram", "Histogram.on", "How often each value occurs inside the image, after Normalise, before gain and offset. The two "
           "lines are the values drawn black and white (or as the ends of the colormap): drag them to set gain and offset.",
           default=False)  # fmt: skip
LOG = Field("", "HistogramView.log", "The axis of shares: rare values are seen on a logarithmic one.", default=True)
LOGS = {False: "linear", True: "logarithmic"}
LOGS_EM = 11.0  # of the two choices
CHANNEL_COLORS: tuple[plots.Color, ...] = ((0.95, 0.35, 0.3), (0.35, 0.8, 0.35), (0.4, 0.6, 1.0))
BLACK, WHITE = (0.55, 0.55, 0.55), (1.0, 1.0, 1.0)
COLUMNS = 128  # drawn
TO_BE_SEEN = "histogram.to_be_seen"
LEAST, MOST = 1e-4, 1e4  # gain, as the slider has it


def draw(state: ViewState, context: PanelContext, *, disabled: str = "") -> ViewState:
    was_on, frame = state.get(Histogram).on, context.frame
    state = state.edit(Histogram, on=checkbox(ON, was_on, disabled=disabled))
    if not state.get(Histogram).on or disabled:
        return state
    if not was_on:
        context.scratch[TO_BE_SEEN] = True
    beside(LOGS_EM, gap_em=1)
    state = state.edit(HistogramView, log=choice(LOG, state.get(HistogramView).log, LOGS))
    found = frame.histogram if frame is not None else None
    if found is None or frame is None or frame.picture is None:
        wrapped_text("There is no picture yet.")
        return state
    colors = CHANNEL_COLORS if len(found.counts) == 3 else (plots.WHITE,)
    names = names_of(frame, len(found.counts))
    ends = shown_range(state.get(Tone), frame.picture.shape[2])
    state = _plot(state, found, ends, list(zip(names, colors, strict=True)))
    _clipped(found, ends, names)
    if context.scratch.pop(TO_BE_SEEN, False):
        imgui.set_scroll_here_y(1.0)  # it stands at the end of its panel, where the switch was the last that could be seen
    return state


def names_of(frame: Frame, count: int) -> tuple[str, ...]:
    """What the rows of a histogram are called."""
    picture = frame.picture
    assert picture is not None
    if count == 3:
        image = picture.total_channels == 3 or picture.note
        return ("R", "G", "B") if image else tuple(str(i) for i in picture.channels)
    return (str(picture.channels[0]),) if len(picture.channels) == 1 else ("all",)


def shown_range(tone: Tone, channels: int) -> tuple[float, float]:
    """The values that are drawn as black and as white."""
    a, b = ToneMap.from_db(tone.gain_db, offset=tone.offset, signed=tone.signed, colormap=tone.colormap).affine(channels)
    return -b / a, (1 - b) / a


def with_range(tone: Tone, black: float, white: float, channels: int) -> dict[str, float]:
    """Gain and offset that draw these values black and white."""
    signed = ToneMap(signed=tone.signed, colormap=tone.colormap).affine(channels)[0] < 1
    gain = min(max((2.0 if signed else 1.0) / max(white - black, 1e-9), LEAST), MOST)
    return {"gain_db": 20 * math.log10(gain), "offset": (-1.0 if signed else 0.0) - gain * black}


def _plot(state: ViewState, found: HistogramResult, ends: tuple[float, float], rows: list[tuple[str, plots.Color]]) -> ViewState:
    log, shares = state.get(HistogramView).log, columns_of(found)
    edges = np.linspace(found.low, found.high, shares.shape[1] + 1)
    least = 100 / max(found.counts.sum(axis=1).max(), 1) / 2  # half a sample
    top = max(float(shares.max()), 2 * least)
    y = (least, 2 * top) if log else (0.0, 1.05 * top)
    margin = 0.03 * (found.high - found.low)
    x = min(found.low, max(ends[0], 2 * found.low)) - margin, max(found.high, min(ends[1], 2 * found.high)) + margin
    label, legend = "value / divisor" if state.get(Channels).normalize else "value", "out" if len(rows) > 1 else ""
    axes = plots.Axes(label, "% samples", x=x, y=y, follow=True, y_log=log, legend=legend)
    with plots.plot("##histogram", axes, (-1, 10)) as shown:
        if not shown:
            return state
        for (name, color), heights in zip(rows, shares, strict=True):
            plots.stairs(name, edges, np.maximum(heights, least) if log else heights, color)
        black, white = plots.drag_line(0, ends[0], BLACK), plots.drag_line(1, ends[1], WHITE)
        plots.cursor_text(lambda value, _: read_out(found, value))
    if (black, white) != ends and black < white:
        state = state.edit(Tone, **with_range(state.get(Tone), black, white, 3 if len(rows) == 3 else 1))
    return state


def columns_of(found: HistogramResult) -> np.ndarray:
    """[C, columns]: percent of the samples of each row, in as many columns as are drawn."""
    counts = found.counts.reshape(len(found.counts), COLUMNS, -1).sum(axis=2)
    return 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def read_out(found: HistogramResult, value: float) -> str:
    shares = ", ".join(number_text(100 * share, "%") for share in found.share_below(value))
    return f"{significant(value, 3)}: {shares} below"


def _clipped(found: HistogramResult, ends: tuple[float, float], names: tuple[str, ...]) -> None:
    """How much of each channel is drawn black or white because it lies beyond them."""
    below, above = found.share_below(ends[0]), 1 - found.share_below(ends[1])
    rows = [(name, percent(low), percent(high)) for name, low, high in zip(names, below, above, strict=True)]
    titles = ("cut off", f"below {significant(ends[0], 3)}", f"above {significant(ends[1], 3)}")
    text_table("##clipped", titles, rows)
    if found.non_finite:
        imgui.text_unformatted(f"{found.non_finite} values are not finite.")


def percent(share: float) -> str:
    """ "none", "0.02 %" """
    return "none" if share < 1e-9 else f"{significant(100 * share, 2)} %"
