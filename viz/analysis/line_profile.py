"""The profile: the values along the scan line, of what is shown now, as curves; of every view of a comparison.

Nothing is computed for it: the line is read out of the picture on screen. The cursor is that of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, button, checkbox
from gui_utils.libraries import imgui
from gui_utils.text import number_text
from viz.analysis.slice import NO_LENGTH, ScanLine
from viz.canvas import shared_cursor
from viz.commands import SaveMeasurement
from viz.figures.drawing import Color, Drawing
from viz.groups.compare import NAMES
from viz.panels import Panel, PanelContext
from viz.panels.invitation import SHOW, invitation
from viz.panels.parts import NO_NETWORK, beside, cached, significant, wrapped_text
from viz.request import Frame, Picture
from viz.state import Slice, ViewState

NAME = "profile"
ON = Field("Profile", "Slice.profile", "Plots the values along the scan line. Drag the line, or its ends, on the picture.", default=False)
EXPORT = Field("Save", "Slice.export_profile", "Saves the curves: a .png figure, and the values as .npz.")
EMPTY = "The values of the picture along a line that you drag on it, channel by channel; of a layer, as it computes them."
SHEET = "All channels are on screen, and no line leads through them: click one, or choose three."
RGB = ("R", "G", "B")
INKS: dict[str, Color] = {"R": (220, 50, 47), "G": (60, 160, 60), "B": (60, 110, 230)}
OTHER_INKS: tuple[Color, ...] = ((200, 120, 0), (0, 150, 150), (150, 80, 200))
DASHES: dict[int, tuple[float, ...]] = {1: (), 2: (4, 2), 3: (1.5, 1.5), 4: (6, 2, 1.5, 2)}
FADED = {1: 1.0, 2: 0.6, 3: 0.45, 4: 0.35}  # brightness of a further view's curves


@dataclass(frozen=True, eq=False)
class Profile:
    """`values` [n, C] at `position` [n], in image widths from the line's start; nan where nothing is known. `rate`: samples a width."""

    position: np.ndarray
    values: np.ndarray
    labels: tuple[str, ...]
    rate: float


def profile_of(line: Slice, picture: Picture | None) -> Profile | None:
    """None without a picture, of a contact sheet, and along no length. Masked samples, and what lies beyond the border, are not known."""
    scan = ScanLine(line.x0, line.y0, line.x1, line.y1)
    if picture is None or picture.grid or scan.length == 0:
        return None
    rate = picture.frame_rect[2] - picture.frame_rect[0]
    parts, values = scan.parts(rate), scan.read(picture.values, sampling_rate=rate).astype(np.float64)
    x, y = scan.at(parts)
    height, width = picture.values.shape[:2]
    known = (np.abs(x) <= width / rate / 2) & (np.abs(y) <= height / rate / 2)
    if picture.mask is not None:
        known &= scan.read(picture.mask[:, :, None].astype(np.float32), sampling_rate=rate)[:, 0] > 1 - 1e-6
    values[~known] = np.nan
    return Profile(parts * scan.length, values, labels_of(picture), rate)


def labels_of(picture: Picture) -> tuple[str, ...]:
    count = picture.values.shape[2]
    if count == 3 and (picture.note or picture.total_channels <= 3):
        return RGB
    return tuple(f"channel {i}" for i in picture.channels) if len(picture.channels) == count else ("value",) * count


def profiles(line: Slice, frame: Frame | None) -> dict[int, Profile]:
    """By the number of the view."""
    if frame is None:
        return {}
    pictures = {1: frame.picture, **{number: beside.frame.picture for number, beside in frame.others.items()}}
    return {number: found for number, picture in pictures.items() if (found := profile_of(line, picture)) is not None}


def limits(found: dict[int, Profile]) -> tuple[float, float]:
    """Around the values of all views, at multiples of an eighth to a quarter of their span: still while pictures change a little."""
    values = np.concatenate([each.values.ravel() for each in found.values()])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (-1.0, 1.0)
    step = 2.0 ** math.floor(math.log2(high - low)) / 4 if high > low else 0.5 * max(abs(low), 1.0)
    return step * math.floor(low / step - 0.1), step * math.ceil(high / step + 0.1)


def text_at(found: dict[int, Profile], position: float) -> str:
    """The values at the samples nearest to a position, in image widths along the line: a row for each view."""
    rows = []
    for number, each in found.items():
        index = int(np.abs(each.position - position).argmin())
        numbers = (f"{label} {significant(value, 3)}" for label, value in zip(each.labels, each.values[index].tolist(), strict=True))
        place = f"{number_text(float(each.position[index]), 'widths', 3)}, sample {index}" if number == 1 else NAMES[number].lower()
        rows.append(f"{place}: {'   '.join(numbers)}")
    return "\n".join(rows)


# ------------------------------------------------------------------------------------------------------------- files


def drawing(found: dict[int, Profile], title: str = "") -> Drawing:
    """The curves on white paper; those of further views dashed."""
    from viz.figures.chart import Curve, Place, Scales, chart
    from viz.figures.figure import Axis

    curves = [
        Curve(name_of(number, label, len(found)), each.position, each.values[:, i], _ink(label, i), DASHES[number])
        for number, each in found.items()
        for i, label in enumerate(each.labels)
    ]
    length = max(float(each.position[-1] + each.position[0]) for each in found.values())
    scales = Scales(Axis("image widths along the line", 0.0, length), Axis("value", *limits(found)))
    return Drawing(420, 250, tuple(chart(Place(52, 24, 350, 186), scales, curves, title)), title)


def name_of(number: int, label: str, views: int) -> str:
    return label if views == 1 else f"{NAMES[number].lower()}: {label}"


def _ink(label: str, index: int) -> Color:
    return INKS.get(label) or OTHER_INKS[index % len(OTHER_INKS)]


def arrays_of(line: Slice, found: dict[int, Profile]) -> dict[str, Any]:
    """`values` [n, C] at `position` [n]; of further views with their names before them."""
    out: dict[str, Any] = {"line": np.array([line.x0, line.y0, line.x1, line.y1])}
    for number, each in found.items():
        before = "" if number == 1 else f"{NAMES[number].lower()} "
        out |= {f"{before}position": each.position, f"{before}values": each.values, f"{before}channels": np.array(each.labels)}
    return out


def export(line: Slice, found: dict[int, Profile]) -> SaveMeasurement:
    def figure() -> np.ndarray:
        from viz.figures.drawing_file import pixels

        return pixels(drawing(found, line_text(line)))

    return SaveMeasurement("Profile", arrays_of(line, found), figure)


def line_text(line: Slice) -> str:
    return f"from ({line.x0:g}, {line.y0:g}) to ({line.x1:g}, {line.y1:g}) image widths".replace("-", "−")


# ------------------------------------------------------------------------------------------------------------- panel


def draw(state: ViewState, context: PanelContext) -> ViewState:
    state = state.edit(Slice, profile=checkbox(ON, state.get(Slice).profile, disabled=NO_NETWORK if context.network is None else ""))
    line, frame = state.get(Slice), context.frame
    found = cached(context, NAME, frame, lambda: profiles(line, frame), key=line) if line.profile else {}
    imgui.same_line()
    if button(EXPORT, disabled="" if found else "There is nothing to save."):
        context.emit(export(line, found))
    _legend(found)
    if found:
        _curves(line, found, context)
        return state
    shared_cursor.point(context.scratch, NAME, None)
    if not line.profile:
        return invitation(state, ON, Slice, EMPTY, disabled=NO_NETWORK if context.network is None else "", label=SHOW)
    sheet = frame is not None and frame.picture is not None and bool(frame.picture.grid)
    at_a_point = (line.x0, line.y0) == (line.x1, line.y1)
    wrapped_text(SHEET if sheet else NO_LENGTH if at_a_point else EMPTY)
    return state


def _legend(found: dict[int, Profile]) -> None:
    """In the row of the switch, where it hides no curve."""
    for number, each in found.items():
        if len(found) > 1:
            beside(4.0, gap_em=1.0)
            imgui.align_text_to_frame_padding()
            imgui.text_disabled(f"{NAMES[number].lower()}:")
        for i, label in enumerate(each.labels):
            beside(imgui.calc_text_size(label).x / imgui.get_font_size(), gap_em=0.6)
            imgui.align_text_to_frame_padding()
            imgui.text_colored(imgui.ImVec4(*_tint(number, label, i), 1.0), label)


def _tint(number: int, label: str, index: int) -> plots.Color:
    r, g, b = (FADED[number] * part / 255 for part in _ink(label, index))
    return r, g, b


def _curves(line: Slice, found: dict[int, Profile], context: PanelContext) -> None:
    scan = ScanLine(line.x0, line.y0, line.x1, line.y1)
    axes = plots.Axes("image widths along the line", "value", x=(0, scan.length), y=limits(found), follow=True, legend="")
    room, over = imgui.get_content_region_avail().y / imgui.get_font_size(), None
    with plots.plot("##profile", axes, (-1, max(6.0, room - 0.3))) as shown:
        if shown:
            for number, each in reversed(found.items()):
                for i, label in enumerate(each.labels):
                    plots.line(f"##{number}.{i}", each.position, each.values[:, i], _tint(number, label, i))
            elsewhere = shared_cursor.cursor(context.scratch, outside=NAME)
            if elsewhere is not None:
                at = scan.nearest(*elsewhere) * scan.length
                plots.vertical_line(at, text_at(found, at))
            over = plots.cursor_text(lambda x, _: text_at(found, x))
    inside = over is not None and 0 <= over[0] <= scan.length > 0
    shared_cursor.point(context.scratch, NAME, scan.at(over[0] / scan.length) if inside and over is not None else None)


PANEL = Panel("Profile", "bottom", 11, draw, workspaces=(2, 5))
