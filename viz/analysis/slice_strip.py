"""The slice: one line of the picture, stacked over time while anything moves. The paper's Figure 1, right.

Nothing is computed for it: every new picture on screen gives its line. Moving detail draws strands that wander, stuck
detail draws straight streaks; the streak score tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, button, checkbox, drag_float
from gui_utils.libraries import imgui
from gui_utils.scopes import item_width, tooltip_scope
from gui_utils.text import number_text
from gui_utils.tone import ToneMap, tone_map
from viz.analysis.slice import NO_LENGTH, ScanLine, SliceStrip
from viz.commands import SaveMeasurement
from viz.figures.drawing import Drawing
from viz.panels import Panel, PanelContext
from viz.panels.invitation import START, invitation
from viz.panels.parts import NO_NETWORK, beside, cached, unit_note, wrapped_text
from viz.request import Frame, Picture
from viz.state import Slice, Tone, ViewState

CAPACITY = 512

ON = Field("Slice", "Slice.on", "Stacks the pixels of the scan line over time. Drag the line, or its ends, on the picture.", default=False)
ENDS = tuple(
    Field("", f"Slice.{name}", f"The {where} of the line, from the centre of the image.", "widths", default=default, low=-0.5, high=0.5,
          decimals=3, speed=0.002)
    for name, where, default in (("x0", "start, to the right,", 0.0), ("y0", "start, down,", -0.15), ("x1", "end, to the right,", 0.0),
                                 ("y1", "end, down,", 0.15))
)  # fmt: skip
COORDINATE_EM, NARROW_EM, WORD_EM = 6.5, 4.2, 3.5  # a coordinate with its unit and without; "from" or "to"
BUTTON_EM, SCORE_EM, BUTTONS_EM = 3.0, 6.5, 23.0  # BUTTONS_EM: all before the coordinates
CLEAR = Field("Clear", "Slice.clear", "Begins anew.")
EXPORT = Field("Save", "Slice.export", "Saves the strip with its axes: a .png figure, and the values as .npz.")
SCORE_HELP = "Share of the strip's detail that stands still: 100 % for straight streaks, 0 % for strands that move."
OFF = "One line of the picture, over time: detail that moves along makes strands, detail that sticks to the pixels straight streaks."
EMPTY = "Move the picture, walk in latent space or start an animation: every new picture adds a line."
SHEET = "All channels are on screen, and no line leads through them: click one, or choose three, to collect lines again."


@dataclass
class Collected:
    """The strip of this window: lines pushed so far, and what they belong to."""

    strip: SliceStrip = field(default_factory=lambda: SliceStrip(CAPACITY))
    line: Slice = field(default_factory=Slice)
    picture: Picture | None = None
    network: str = ""
    rate: float = 1.0
    values: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 1), np.float32))

    def see(self, line: Slice, picture: Picture | None, network: str = "") -> None:
        """Takes the line out of a picture that was not seen before; another line, layer or network begins anew.

        `network`: what tells the picture's network from others. Lines of two would have one score.
        """
        if picture is None or picture.grid or (picture is self.picture and line == self.line):
            return
        other = self.picture is None or picture.tap != self.picture.tap or picture.channels != self.picture.channels
        if other or line != self.line or network != self.network:
            self.strip.clear()
        x0, _, x1, _ = picture.frame_rect
        self.line, self.picture, self.network, self.rate = line, picture, network, x1 - x0
        self.strip.push(ScanLine(line.x0, line.y0, line.x1, line.y1).read(picture.values, sampling_rate=self.rate))
        self.values = self.strip.picture()

    @property
    def length(self) -> float:
        return ScanLine(self.line.x0, self.line.y0, self.line.x1, self.line.y1).length

    def score(self) -> float | None:
        return self.strip.score(self.length, self.rate)


def draw(state: ViewState, context: PanelContext) -> ViewState:
    collected: Collected = context.scratch.setdefault("slice", Collected())
    state = state.edit(Slice, on=checkbox(ON, state.get(Slice).on, disabled=NO_NETWORK if context.network is None else ""))
    line = state.get(Slice)
    if line.on and context.frame is not None:
        collected.see(line, context.frame.picture, network_of(context.frame))
    state = _controls(state, context, collected)
    if not line.on:
        return invitation(state, ON, Slice, OFF, disabled=NO_NETWORK if context.network is None else "", label=START)
    sheet = context.frame is not None and context.frame.picture is not None and bool(context.frame.picture.grid)
    if sheet or not len(collected.strip):
        wrapped_text(SHEET if sheet else EMPTY)
        return state
    _strip(collected, state.get(Tone), context)
    return state


def network_of(frame: Frame) -> str:
    """What tells its network from others; broken or edited it is another one."""
    facts = frame.network
    return "" if facts is None else "\n".join((facts.sha256 or facts.ref, *frame.altered))


def _controls(state: ViewState, context: PanelContext, collected: Collected) -> ViewState:
    """The buttons and the score, then the line's two ends, each in the row if it fits and else in the next."""
    line, reason = state.get(Slice), "" if state.get(Slice).on else "The slice is switched off."
    coordinate_em = _coordinate_em(imgui.get_content_region_avail().x / imgui.get_font_size())
    nothing = reason or ("There is no line yet." if not len(collected.strip) else "" if collected.length else NO_LENGTH)
    imgui.same_line()
    if button(CLEAR, disabled=nothing):
        collected.strip.clear()
        collected.values = collected.strip.picture()
    beside(BUTTON_EM)
    if button(EXPORT, disabled=nothing):
        context.emit(export(collected, state.get(Tone)))
    beside(SCORE_EM)
    imgui.align_text_to_frame_padding()
    score = cached(context, "slice.score", collected.values, collected.score) if line.on else None
    imgui.text_unformatted(f"stuck: {number_text(None if score is None else 100 * score, '%'):<6}")
    with tooltip_scope() as explained:
        if explained:
            imgui.text_unformatted(SCORE_HELP)
    for word, ends in (("from", ENDS[:2]), ("to", ENDS[2:])):
        beside((2 if word == "from" else 1) * (WORD_EM + 2 * coordinate_em))  # both ends in one row, if any row has room for both
        unit_note(word)
        for end in ends:
            name = end.id.removeprefix("Slice.")
            imgui.same_line()
            with item_width(max(1.0, coordinate_em)):
                state = state.edit(Slice, **{name: drag_float(end, getattr(line, name), disabled="" if line.placed else reason)})
    return state


def _coordinate_em(room_em: float) -> float:
    """How wide a coordinate is: with its unit where that leaves both ends beside the buttons, or in the row below; else without."""
    with_units, without = 2 * (WORD_EM + 2 * COORDINATE_EM), 2 * (WORD_EM + 2 * NARROW_EM)
    if room_em >= BUTTONS_EM + with_units or with_units <= room_em < BUTTONS_EM + without:
        return COORDINATE_EM
    return min(NARROW_EM, (room_em - WORD_EM) / 2)


def pixels_of(values: np.ndarray, tone: Tone) -> np.ndarray:
    """The strip in the colours of the picture."""
    colormap = tone.colormap if values.shape[2] == 1 else "gray"
    return tone_map(values, ToneMap.from_db(tone.gain_db, offset=tone.offset, signed=tone.signed, colormap=colormap))


def _strip(collected: Collected, tone: Tone, context: PanelContext) -> None:
    values = collected.values
    count, half = values.shape[1], collected.length / 2
    axes = plots.Axes("pictures", "widths", x=(0, CAPACITY), y=(-half, half), invert_y=True, follow=True, legend="")
    with plots.plot("##slice", axes, (-1, -6)) as shown:
        if shown and context.image is not None:
            pixels = cached(context, "slice.pixels", values, lambda: pixels_of(values, tone), key=tone)
            plots.picture("##strip", context.image("slice", pixels), (0.0, float(count)), (-half, half))


def export(collected: Collected, tone: Tone) -> SaveMeasurement:
    """The values [n, time, C] with their axes: `position` in image widths from the line's middle, `picture` counting."""
    values, line = collected.values, collected.line
    count, length = values.shape[1], collected.length
    position = (np.arange(len(values)) + 0.5) / len(values) * length - length / 2
    arrays: dict[str, Any] = {
        "values": values,
        "position": position,
        "picture": np.arange(count),
        "line": np.array([line.x0, line.y0, line.x1, line.y1]),
        "stuck": np.array(np.nan if (score := collected.score()) is None else score),
    }

    def figure() -> np.ndarray:
        from viz.figures.drawing_file import pixels

        return pixels(drawing(collected, tone))

    return SaveMeasurement("Slice", arrays, figure)


def drawing(collected: Collected, tone: Tone) -> Drawing:
    """The strip with its axes."""
    from viz.analysis.figures import strip_figure
    from viz.figures.figure import Axis

    score, half = collected.score(), collected.length / 2
    title = f"slice, stuck {number_text(None if score is None else 100 * score, '%')}"
    axes = Axis("pictures", 0, collected.values.shape[1]), Axis("image widths", -half, half)
    return strip_figure(pixels_of(collected.values, tone), *axes, title)


PANEL = Panel("Slice", "bottom", 10, draw, workspaces=(5,))
