"""Overlay "Fourier input": the frequencies, phases and damping of the input under the current pose, and the window that the picture is
on its infinite plane, drawn to scale with the margin around it.

The input is a continuous signal: a pose moves the window that is sampled, not the picture. Nothing is computed here that the network
does not compute itself (`FourierInput.matrix` and `moved`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gui_utils import plots
from gui_utils.controls import Field
from gui_utils.libraries import imgui, implot
from gui_utils.text import MISSING, number_text
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.parts import nothing, result_of, switch
from viz.panels import Panel, PanelContext
from viz.panels.invitation import SHOW, invitation
from viz.panels.parts import NO_NETWORK, wrapped_text
from viz.panels.pose import learned_text
from viz.request import OverlayResult
from viz.state import FourierView, Pose, ViewState

if TYPE_CHECKING:
    from viz.stages import Run

NAME = "fourier input"
Array = npt.NDArray[np.float64]
HUES = 48  # colours that phases are divided into


@dataclass(frozen=True, eq=False)
class Fourier:
    """The input under one pose.

    `freqs` [C, 2] in cycles per image width (x right, y down), `phases` [C] in turns from -1/2 to 1/2, `amplitudes` [C] from 0 to 1,
    `strengths` [C]: how much of each the channel mixing lets through, the largest being 1. `matrix` [3, 3] leads from places in the
    picture to places in the plane of the signal. `canvas` is the sampled rectangle, margin included, in image widths; the image is
    1 by 1.
    """

    freqs: Array
    phases: Array
    amplitudes: Array
    strengths: Array
    matrix: Array
    learned: tuple[float, float, float, float]
    canvas: tuple[float, float]
    bandwidth: float
    nyquist: float

    def outline(self, *, width: float, height: float) -> Array:
        """The corners of a rectangle around the picture's middle as they lie in the plane, closed: [5, 2]."""
        x, y = width / 2, height / 2
        corners = np.array([(-x, -y, 1), (x, -y, 1), (x, y, 1), (-x, y, 1), (-x, -y, 1)])
        return (corners @ self.matrix.T)[:, :2]

    @property
    def damped(self) -> int:
        """How many frequencies are not at full amplitude."""
        return int((self.amplitudes < 1 - 1e-6).sum())


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult]:
    from viz.stages.synthesis import learned_pose_argument, pose_matrix

    ready = run.inputs["load"]
    source = ready.network.fourier_input
    if source is None:
        yield OverlayResult()
        return
    ws = run.inputs["latent"].ws
    replaced = learned_pose_argument(run.view, ready)
    learned = ready.network.learned_pose(ws[:, 0]) if replaced is None else ws.new_tensor([replaced])
    yield OverlayResult(fourier_of(source, learned, np.array(pose_matrix(run.view, ready))))


def fourier_of(source: Any, learned: Any, pose: Array) -> Fourier:
    """The input `source` (a `networks.fourier_input.FourierInput`) under a learned pose [1, 4] and the user's forward matrix [3, 3]."""
    import torch

    def array(tensor: Any) -> Array:
        return tensor.detach().cpu().double().numpy()

    with torch.inference_mode():
        inverse = learned.new_tensor(np.linalg.inv(pose).tolist())
        matrix = source.matrix(learned, inverse)
        freqs, phases, amplitudes = source.moved(matrix)
        strengths = array(source.weight.square().sum(dim=0).sqrt())
    spec = source.spec
    return Fourier(
        freqs=array(freqs[0]),
        phases=np.mod(array(phases[0]) + 0.5, 1.0) - 0.5,
        amplitudes=array(amplitudes[0]),
        strengths=strengths / max(float(strengths.max()), 1e-12),
        matrix=array(matrix[0]),
        learned=tuple(array(learned[0]).tolist()),  # type: ignore[arg-type]
        canvas=(spec.size[0] / spec.sampling_rate, spec.size[1] / spec.sampling_rate),
        bandwidth=float(source.bandwidth),
        nyquist=float(source.sampling_rate) / 2,
    )


OVERLAY = Overlay(NAME, FourierView, (*LATENT, *CONDITIONS, Pose), run, live=True)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Fourier input", "FourierView.on", "Follows the input while the latent and the pose change.", default=False)
EMPTY = "Every feature of the input is one wave: here are their frequencies and phases, and the window on them that the picture is."
NOTHING = "This network starts from a learned constant, not from waves."
WAVES = "One point a wave, its colour the phase; faint ones the channel mixing hardly uses."
WINDOW = "The plane of the waves. The picture sees the blue square, the network computes the yellow one, and the grey one is where the "\
         "picture would be without learned and own pose."  # fmt: skip
IMAGE, CANVAS, HOME = plots.series_color(0), plots.series_color(4), (0.6, 0.6, 0.6)


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    state = switch(state, ON, FourierView, disabled=NO_NETWORK if facts is None else "")
    if facts is None or not state.get(FourierView).on:
        return invitation(state, ON, FourierView, EMPTY, disabled=NO_NETWORK if facts is None else "", label=SHOW)
    result = result_of(context, NAME)
    found: Fourier | None = result.values if result is not None else None
    if found is None:
        if nothing(result):
            wrapped_text(NOTHING)
        return state
    wrapped_text(f"learned pose  {learned_text(found.learned)}", dim=False)
    waves = f"{len(found.freqs)} waves, {found.damped or 'none'} damped; canvas {number_text(found.canvas[0], '×', 2)} the image"
    wrapped_text(waves, dim=False)
    side = min(22.0, imgui.get_content_region_avail().x / imgui.get_font_size())
    wrapped_text(WAVES)
    _waves(found, side)
    _phases(side)
    wrapped_text(WINDOW)
    _window(found, side)
    return state


def phase_color(phase: float) -> plots.Color:
    """Hue by phase in turns: the same colour half a turn below and above, as it must be."""
    r, g, b = imgui.color_convert_hsv_to_rgb((phase + 0.5) % 1.0, 0.75, 1.0)
    return r, g, b


def _waves(found: Fourier, side_em: float) -> None:
    edge = 1.08 * max(found.bandwidth, float(np.abs(found.freqs).max()))
    axes = plots.Axes("→ cycles / image", "↓ cycles / image", x=(-edge, edge), y=(-edge, edge), equal=True, invert_y=True, legend="")
    with plots.plot(f"##waves {edge:.1f}", axes, (side_em, side_em)) as shown:
        if not shown:
            return
        plots.circle(found.bandwidth, "f_c", (1.0, 1.0, 1.0))
        plots.circle(found.nyquist, "s/2", (0.7, 0.7, 0.7))
        _points(found)
        plots.cursor_text(lambda x, y: wave_text(found, x, y))


def _phases(side_em: float) -> None:
    """Which colour is which phase, from half a turn below to half a turn above."""
    em, lines, start = imgui.get_font_size(), imgui.get_window_draw_list(), imgui.get_cursor_screen_pos()
    width, height = side_em * em / HUES, 0.6 * em
    for i in range(HUES):
        color = imgui.color_convert_float4_to_u32(imgui.ImVec4(*phase_color((i + 0.5) / HUES - 0.5), 1.0))
        lines.add_rect_filled((start.x + i * width, start.y), (start.x + (i + 1) * width, start.y + height), color)
    imgui.dummy((side_em * em, height))
    left = imgui.get_cursor_pos_x()
    for text, part in (("−180°", 0.0), ("phase 0°", 0.5), ("180°", 1.0)):
        if part:
            imgui.same_line()
        imgui.set_cursor_pos_x(left + part * (side_em * em - imgui.calc_text_size(text).x))
        imgui.text_disabled(text)


def _points(found: Fourier) -> None:
    """Dots by hand: colour by phase, opacity and size by what gets through."""
    lines, em = implot.get_plot_draw_list(), imgui.get_font_size()
    implot.push_plot_clip_rect()
    try:
        for (x, y), phase, amplitude, strength in zip(found.freqs, found.phases, found.amplitudes, found.strengths, strict=True):
            at = implot.plot_to_pixels(float(x), float(y))
            color = imgui.ImVec4(*phase_color(float(phase)), 0.15 + 0.85 * float(amplitude * strength))
            lines.add_circle_filled((at.x, at.y), (0.12 + 0.16 * float(strength)) * em, imgui.color_convert_float4_to_u32(color))
    finally:
        implot.pop_plot_clip_rect()


def wave_text(found: Fourier, x: float, y: float) -> str:
    """The wave nearest to a point of the frequency plane."""
    if not len(found.freqs):
        return MISSING
    index = int(np.hypot(found.freqs[:, 0] - x, found.freqs[:, 1] - y).argmin())
    right, down = found.freqs[index]
    length = number_text(math.hypot(right, down), "cycles / image", 2)
    amplitude, strength = (number_text(float(v[index]), decimals=2) for v in (found.amplitudes, found.strengths))
    return f"wave {index}: {length}\nphase {number_text(360 * float(found.phases[index]), '°', 0)}, amplitude {amplitude}, used {strength}"


def _window(found: Fourier, side_em: float) -> None:
    outlines = {
        "without pose": (np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)]), HOME),
        "canvas": (found.outline(width=found.canvas[0], height=found.canvas[1]), CANVAS),
        "image": (found.outline(width=1, height=1), IMAGE),
    }
    reach = 1.05 * max(float(np.abs(points).max()) for points, _ in outlines.values())
    edge = math.ceil(4 * reach) / 4
    axes = plots.Axes("image widths", "", x=(-edge, edge), y=(-edge, edge), equal=True, invert_y=True, legend="out", follow=True)
    with plots.plot("##window", axes, (side_em, side_em)) as shown:
        if not shown:
            return
        for name, (points, color) in outlines.items():
            plots.line(name, points[:, 0], points[:, 1], color, weight=1.2 if name == "without pose" else 2.2)
        top = found.outline(width=0, height=1)[:2].mean(axis=0)
        middle = found.matrix[:2, 2]
        plots.line("##up", np.array([middle[0], top[0]]), np.array([middle[1], top[1]]), IMAGE)
        plots.cursor_text(lambda x, y: place_text(found, x, y))


def place_text(found: Fourier, x: float, y: float) -> str:
    """A place of the plane, and where it is in the picture."""
    u, v, _ = np.linalg.inv(found.matrix) @ np.array([x, y, 1.0])
    plane, picture = (f"{number_text(a, decimals=2)}, {number_text(b, decimals=2)}" for a, b in ((x, y), (u, v)))
    return f"plane {plane}\npicture {picture}"


PANEL = Panel("Fourier input", "right", 36, draw, workspaces=(2, 4))
