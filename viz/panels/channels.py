"""Panel "Channels": which channels of the layer are on screen, how they are turned into colours, and their statistics."""

from __future__ import annotations

from dataclasses import replace

from gui_utils.controls import Field, button, checkbox, choice, combo, drag_int, label_column, slider_float, value_row
from gui_utils.libraries import imgui
from gui_utils.text import MISSING
from gui_utils.tone import COLORMAPS
from viz.canvas import gestures
from viz.canvas.contact_sheet import page_count
from viz.groups.edits import names
from viz.panels import Panel, PanelContext, histogram
from viz.panels.edits import no_channels
from viz.panels.parts import NO_NETWORK, columns, reset_button, significant, text_table, wrapped_text
from viz.request import Frame, NetworkFacts, Statistics
from viz.state import Channels, EditActivations, HeldRange, Tap, Tone, ViewState
from viz.steady_range import shown_range

MODE = Field("", "Channels.mode", "Three channels as red, green and blue; one channel through a colormap; all, side by side; the three "
             "principal components of all; or two channels as a complex number: its angle as the hue, its magnitude as the brightness.",
             default="rgb")  # fmt: skip
MODES = {"rgb": "three", "single": "one", "sheet": "all", "pca": "PCA", "phase": "phase"}
SORT = Field("Order", "Channels.sort", "Which channels come first: by number; by energy (variance inside the image); by equivariance error "
             "(of the pose, or of a shift by 1.5 samples while there is none); by the share of power beyond f_c; or as "
             "the panel Channel effect ranks them.",
             default="number")  # fmt: skip
SORTS = {
    "number": "by number",
    "energy": "by energy",
    "error": "by equivariance error",
    "band": "by out-of-band share",
    "ranked": "as ranked",
}
FIRST = Field("Channel", "Channels.first", "The channel shown, or the first of three. Drag, or − and = on the keyboard.", default=0,
              speed=0.05)  # fmt: skip
PREVIOUS = Field("−", "Channels.previous", "The previous channel.")
NEXT = Field("+", "Channels.next", "The next channel.")
FREE = Field("Free choice", "Channels.free", "Any three channels, instead of three consecutive ones.", default=False)
TRIPLE = tuple(
    Field("", f"Channels.triple.{i}", f"The channel shown as {name}.", speed=0.05) for i, name in enumerate(("red", "green", "blue"))
)
PAGE = Field("Page", "Channels.sheet_page", "Which channels the contact sheet shows.", default=0, speed=0.05)
PREVIOUS_PAGE = Field("−", "Channels.previous_page", "The previous page.")
NEXT_PAGE = Field("+", "Channels.next_page", "The next page.")
ON_SCREEN = Field("On screen", "Channels.shown", "The channels that the picture was made of.")
TURN_OFF = Field("Turn off", "Channels.turn_off", "Turns the channels on screen off before the next layer sees them, or on again: an edit "
                 "with gain 0 (panel Edits). In the sheet: right-click a channel.")  # fmt: skip
NORMALIZE = Field("Normalise", "Channels.normalize", "Divides each channel by its largest magnitude inside the image.", default=False)
HOLD = Field("Hold", "HeldRange.on", "Goes on dividing these channels of this layer by what this picture is divided by, so that brightness "
             "does not change from picture to picture. While something moves that is so by itself, until it rests. Larger values are "
             "cut off: lower the gain to see them.", default=False)  # fmt: skip
DIVIDED = Field("Divided by", "HeldRange.largest", "What each channel on screen is divided by: the largest magnitude in this "
                "picture, or the one that is held.")  # fmt: skip
GAIN = Field("Gain", "Tone.gain_db", "Brightens or darkens what is shown by a factor of 10^(dB / 20). Renders nothing again.", "dB",
             default=0.0, low=-40, high=40, decimals=1)  # fmt: skip
OFFSET = Field("Offset", "Tone.offset", "Added after the gain.", default=0.0, low=-2, high=2)
SIGNED = Field("Range", "Tone.signed", "The values that are shown from black to white, or over the whole colormap.", default=True)
RANGES = {True: "−1 to 1", False: "0 to 1"}
COLORMAP = Field("Colours", "Tone.colormap", "How values become colours where one channel is shown. Diverging: blue below zero, red above.",
                 default="gray")  # fmt: skip
RESET = Field("Reset", "Channels.reset", "The first three channels, as they are.")
RESET_EM = 3.5
IMAGE = "The finished picture has no other channels."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    if facts is None:
        wrapped_text(NO_NETWORK)
    total = facts.tap(state.get(Tap).layer).channels if facts else 1
    reason = NO_NETWORK if facts is None else ""
    mode = choice(MODE, state.get(Channels).mode, MODES, disabled=reason)
    state = state.edit(Channels, mode=mode)
    if mode == "sheet":
        state = _page(state, facts, reason)
        state = state.edit(Channels, sort=combo(SORT, state.get(Channels).sort, SORTS, disabled=reason))
    elif mode != "pca":
        state = _first(state, total, reason)
        state = _triple(state, total, reason) if mode != "phase" else state
    value_row(ON_SCREEN, shown_text(context.frame))
    state = _turn_off(state, context)
    state = _normalize(state, context.frame)
    state = _tone(state, total)
    _statistics(context.frame)
    return histogram.draw(state, context, disabled=reason)


def _turn_off(state: ViewState, context: PanelContext) -> ViewState:
    picture = context.frame.picture if context.frame is not None else None
    reason = no_channels(state, context.network)
    if state.get(Channels).mode == "sheet":
        reason = "Right-click a channel of the sheet to turn it off, or on again."
    layer = names(context.network.tap(state.get(Tap).layer))[0] if context.network is not None else ""
    channels = picture.channels if picture is not None else ()
    are_off = bool(channels) and state.get(EditActivations).off(layer).issuperset(channels)
    if button(replace(TURN_OFF, label="Turn on") if are_off and not reason else TURN_OFF, disabled=reason):
        state = gestures.turn_off(state, channels, context.network)
    return state


def shown_text(frame: Frame | None) -> str:
    """Like "0, 1, 2 of 512", "64 – 127 of 512", or what was made of them."""
    if frame is None or frame.picture is None or not frame.picture.channels:
        return MISSING
    channels, total = frame.picture.channels, frame.picture.total_channels
    if frame.picture.grid and frame.picture.note:
        return f"{len(channels)} of {total}, {frame.picture.note}"
    if frame.picture.note:
        return frame.picture.note
    names = f"{channels[0]} – {channels[-1]}" if len(channels) > 3 else ", ".join(map(str, channels))
    return f"{names} of {total}"


def _steps(fields: tuple[Field, Field, Field], value: int, last: int, reason: str) -> int:
    """A field to drag, with buttons for one step back and forth; `value` is already within 0 ... `last`."""
    with columns(fields[0].id, (0, 1.7, 1.7)) as visible:
        if not visible:
            return value
        imgui.table_next_column()
        new = drag_int(replace(fields[0], high=last), value, disabled=reason or ("" if last else "There is nothing else to show."))
        imgui.table_next_column()
        if button(fields[1], disabled=reason or ("" if value > 0 else "This is the first."), width_em=-1):
            new = value - 1
        imgui.table_next_column()
        if button(fields[2], disabled=reason or ("" if value < last else "This is the last."), width_em=-1):
            new = value + 1
    return new


def _first(state: ViewState, total: int, reason: str) -> ViewState:
    channels = state.get(Channels)
    last = max(0, total - {"rgb": 3, "phase": 2}.get(channels.mode, 1)) if total >= 3 else total - 1
    free = channels.mode == "rgb" and channels.triple
    shown = min(channels.first, last)
    new = _steps((FIRST, PREVIOUS, NEXT), shown, last, reason or ("Three channels are chosen one by one below." if free else ""))
    return state if new == shown else state.edit(Channels, first=new)


def _triple(state: ViewState, total: int, reason: str) -> ViewState:
    channels = state.get(Channels)
    if not reason and channels.mode != "rgb":
        reason = "Only for three channels."
    if not reason and total < 3:
        reason = f"This layer has {total} channels; three are needed."
    free = checkbox(FREE, bool(channels.triple), disabled=reason)
    if free != bool(channels.triple):
        first = max(0, min(channels.first, total - 3))
        state = state.edit(Channels, triple=(first, first + 1, first + 2) if free else ())
    if not free or reason:
        return state
    triple = tuple(min(i, total - 1) for i in state.get(Channels).triple[:3])
    new = _three(triple, total - 1)
    return state if new == triple else state.edit(Channels, triple=new)


def _three(triple: tuple[int, ...], last: int) -> tuple[int, ...]:
    new = list(triple)
    with columns("triple", (0, 0, 0)) as visible:
        for i, letter in enumerate("RGB" if visible and len(triple) == 3 else ""):
            imgui.table_next_column()
            imgui.align_text_to_frame_padding()
            imgui.text_unformatted(letter)
            imgui.same_line(0, imgui.get_style().item_inner_spacing.x)
            imgui.set_next_item_width(-1)
            new[i] = drag_int(replace(TRIPLE[i], high=last), triple[i])
    return tuple(new)


def _page(state: ViewState, facts: NetworkFacts | None, reason: str) -> ViewState:
    last = 0
    if facts is not None:
        tap = facts.tap(state.get(Tap).layer)
        last = page_count(tap.channels, tap.size[0] * tap.size[1]) - 1
    shown = min(state.get(Channels).sheet_page, last)
    new = _steps((PAGE, PREVIOUS_PAGE, NEXT_PAGE), shown, last, reason)
    return state if new == shown else state.edit(Channels, sheet_page=new)


def _normalize(state: ViewState, frame: Frame | None) -> ViewState:
    """Whether channels are divided, and by whose range: each picture's, or one that is held."""
    state = state.edit(Channels, normalize=checkbox(NORMALIZE, state.get(Channels).normalize))
    held, reason = held_range(state, frame), ""
    if not state.get(Channels).normalize:
        reason = "Normalise first."
    elif state.get(Channels).combined or (frame is not None and frame.request.view.get(Channels).combined):
        reason = "Components and phases have a range of their own in each picture."
    elif held is None and not divisors(state, frame):
        reason = "There is no picture yet."
    imgui.same_line(0, imgui.get_font_size())
    with label_column(2.5):
        hold = checkbox(HOLD, held is not None and not reason, disabled=reason)
    if not reason and hold != (held is not None):
        state = state.put(shown_range(frame)) if hold and frame else state.reset(HeldRange)
    imgui.same_line(0, imgui.get_font_size())
    if imgui.get_content_region_avail().x < RESET_EM * imgui.get_font_size():
        imgui.new_line()
    state = reset_button(state, RESET, Channels, Tone, HeldRange)
    if state.get(Channels).normalize:
        value_row(DIVIDED, divided_text(state, frame))
    return state


def held_range(state: ViewState, frame: Frame | None) -> tuple[float, ...] | None:
    """What the channels on screen are held to; None where each picture has its own range."""
    if frame is None or frame.picture is None or state.get(Channels).combined:
        return None
    return state.get(HeldRange).of(frame.picture.tap, frame.picture.channels)


def divisors(state: ViewState, frame: Frame | None) -> tuple[float, ...]:
    """What the channels on screen are divided by, in their order; () while that is not known."""
    own = frame.statistics_shown.largest if frame and frame.statistics_shown else ()
    return held_range(state, frame) or _in_motion(frame) or own


def _in_motion(frame: Frame | None) -> tuple[float, ...]:
    """What a picture was divided by because something moved (`viz.steady_range`)."""
    return (held_range(frame.request.view, frame) or ()) if frame is not None else ()


def divided_text(state: ViewState, frame: Frame | None) -> str:
    """Like "3.21, 1.05, 0.72", or "0.52 – 7.3 held"; "in motion" where it is held for as long as something moves."""
    found = divisors(state, frame)
    if not found:
        return MISSING
    ends = f"{significant(min(found), 3)} – {significant(max(found), 3)}"
    numbers = ", ".join(significant(number, 3) for number in found) if len(found) <= 3 else ends
    return numbers + (" held" if held_range(state, frame) else " in motion" if _in_motion(frame) else "")


def _tone(state: ViewState, total: int) -> ViewState:
    tone = state.get(Tone)
    gain = slider_float(GAIN, tone.gain_db)
    offset = slider_float(OFFSET, tone.offset)
    one = state.get(Channels).mode in ("single", "sheet") or total < 3
    colormap = combo(COLORMAP, tone.colormap, COLORMAPS, disabled="" if one else "These are colours already.")
    diverging = "The diverging colormap has zero in its middle, so it is always −1 to 1." if one and colormap == "diverging" else ""
    signed = choice(SIGNED, tone.signed, RANGES, disabled=diverging)
    return state.edit(Tone, gain_db=gain, offset=offset, signed=signed, colormap=colormap)


def _statistics(frame: Frame | None) -> None:
    """Measured before gain and normalising, over the image area only: without the margin."""
    everything, shown = (frame.statistics_all, frame.statistics_shown) if frame else (None, None)
    names = {"mean": "mean", "std": "std. dev.", "max_abs": "max |x|", "non_finite": "not finite"}
    rows = [(name, _cell(everything, attribute), _cell(shown, attribute)) for attribute, name in names.items()]
    titles = ("in the image", "all channels", "on screen")
    text_table("##statistics", titles, rows)


def _cell(statistics: Statistics | None, attribute: str) -> str:
    if statistics is None:
        return MISSING
    value = getattr(statistics, attribute)
    return str(value) if isinstance(value, int) else significant(value)


PANEL = Panel("Channels", "right", 20, draw)
