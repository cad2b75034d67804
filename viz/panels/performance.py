"""Panel "Timing": how long frames take and what was computed, where it is computed, and saving what is on screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, button, checkbox, combo, input_int, section, text_input, value_row
from gui_utils.libraries import imgui, implot
from gui_utils.text import MISSING, duration_text, number_text, size_text
from viz import commands
from viz.gpu.handover import Handover, handover
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, columns, reset_button, text_table
from viz.request import Frame
from viz.settings import Settings
from viz.state import Device, ViewState

UI = Field("Window", "Timing.ui", "Time to draw a frame of the window: mean, the slowest of a hundred, and frames per second.")
RENDER = Field("Picture", "Timing.render", "Time to compute a picture: mean, the slowest of a hundred, and pictures per second.")
MEMORY = Field("Remembered", "Timing.memory", "Results of layers and stages that are kept, so that a change computes only what it touches.")
LAYERS = Field("Layers run", "Timing.layers", "Layers that the last picture actually computed; the others were remembered.")
DEVICE = Field("Device", "Device.device", "Where pictures are computed. Auto: a CUDA card, else Apple's, else the processor.",
               default="auto")  # fmt: skip
DEVICES = ("auto", "cpu", "cuda", "mps")
BACKEND = Field("Kernels", "Device.backend", "Auto takes the fastest that works here; reference is plain torch, to compare with; "
                "bf16 rounds the factors of 1x1 products.",
                default="auto")  # fmt: skip
BACKENDS = {"auto": "auto", "native-bf16": "native, bf16 products", "reference": "reference"}
FORCE_FP32 = Field("Force fp32", "Device.force_fp32", "32-bit floating point also in layers that are made for 16 bits: slower, exact.",
                   default=False)  # fmt: skip
RESET = Field("Reset", "Device.reset", "Automatic device and kernels.")
FPS_LIMIT = Field("Frame limit", "Settings.fps_limit", "Most frames per second of the window while something moves.", "1/s", default=60,
                  low=5, high=1000)  # fmt: skip
VSYNC = Field("Vertical sync", "Settings.vsync", "Draws in step with the screen.", default=True)
FONT_SCALE = Field("Text size", "Settings.font_scale", "Size of text and controls.", default=1.0)
FONT_SCALES = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
FOLDER = Field("Folder", "Settings.capture_folder", "Where pictures are saved.")
SAVE_PICTURE = Field("Save picture", "Capture.picture", "Saves what the canvas shows, at the network's resolution, with the view inside: "
                     "opening the file brings the view back. C does the same.")  # fmt: skip
SAVE_WINDOW = Field("Save window", "Capture.window", "Saves the whole window as it is drawn. Shift+C does the same.")
SAVE_RAW = Field("Save values", "Capture.raw", "Saves the numbers of what is shown, before its colours, float32, as .npy.")
SAVE_VALUES = Field("Save EXR", "Capture.values", "Saves what is shown as an OpenEXR file with float values: the image as linear light, "
                    "anything else as computed.")  # fmt: skip
SAVE_VIEW = Field("Save view", "Capture.view", "Saves the view as JSON. Ctrl+S does the same.")
CAPTURES = (
    (SAVE_PICTURE, commands.CapturePicture(), True),  # needs a picture
    (SAVE_WINDOW, commands.CaptureWindow(), False),
    (SAVE_RAW, commands.SaveRaw(), True),
    (SAVE_VALUES, commands.SaveValues(), True),
    (SAVE_VIEW, commands.SaveView(), False),
)
NO_PICTURE = "There is no picture yet."
PLOT_EM = 5.0


def draw(state: ViewState, context: PanelContext) -> ViewState:
    with section("Capture") as opened:
        if opened:
            _capture(context)
    with section("Timing") as opened:
        if opened:
            _durations(UI, context.timing.ui_frames_s)
            _durations(RENDER, context.timing.renders_s)
            _stages(context.frame)
    with section("Computing") as opened:
        if opened:
            state = _device(state, context)
            _kernels(context.frame)
    with section("Interface") as opened:
        if opened:
            _interface(context)
    return state


# ---------------------------------------------------------------------------------------------------- timing


def summary(durations_s: Sequence[float]) -> str:
    """Mean, 99th percentile and rate; an em dash while there is nothing to average."""
    if not durations_s:
        return MISSING
    values = np.asarray(durations_s)
    mean = float(values.mean())
    rate = number_text(1 / mean, "/ s", 1 if mean > 0.1 else 0) if mean > 0 else MISSING
    return f"{duration_text(mean)}   p99 {duration_text(float(np.percentile(values, 99)))}   {rate}"


def layers_text(frame: Frame | None) -> str:
    """ "L7_52_512 … output, 9 of 17"."""
    if frame is None or frame.network is None:
        return MISSING
    ran = frame.layers_ran
    names = "none" if not ran else ran[0] if len(ran) == 1 else f"{ran[0]} … {ran[-1]}"
    return f"{names}, {len(ran)} of {len(frame.network.taps)}" if ran else names


def _durations(field: Field, durations_s: Sequence[float]) -> None:
    value_row(field, summary(durations_s))
    if len(durations_s) < 2:
        return
    values = np.asarray(durations_s) * 1e3
    top = max(1.0, float(values.max()) * 1.15)
    axes = plots.Axes("", "ms", x=(0, len(values) - 1), y=(0, top), follow=True, legend="")
    with plots.plot(f"##{field.id}", axes, (-1, PLOT_EM)) as shown:
        if shown:
            implot.setup_axis(implot.ImAxis_.x1.value, "", implot.AxisFlags_.no_tick_labels.value)  # counts frames: no unit
            plots.line("ms", np.arange(len(values)), values, plots.series_color(0))
            plots.cursor_text(lambda x, _: number_text(float(values[min(max(round(x), 0), len(values) - 1)]), "ms"))


def _stages(frame: Frame | None) -> None:
    """What the last picture made run; what was remembered is not in the list."""
    value_row(LAYERS, layers_text(frame))
    value_row(MEMORY, size_text(frame.memory_bytes if frame else None))
    if frame is None or not frame.timing.stages:
        return
    rows = (*frame.timing.stages, ("together", frame.timing.total_s))
    text_table("##stages", ("Stage that ran", "Time"), [(name, duration_text(seconds)) for name, seconds in rows])


def _kernels(frame: Frame | None) -> None:
    backends: tuple[Any, ...] = frame.backends if frame else ()
    if backends:
        names = [(b.op, b.name) for b in backends]
        text_table("##kernels", ("Operator", "Kernel"), names, tooltips=[b.why for b in backends])
    if rows := gpu_rows(frame, handover):
        text_table("##gpu", ("On the GPU", "Way"), [row[:2] for row in rows], tooltips=[row[2] for row in rows])


def gpu_rows(frame: Frame | None, found: Handover) -> list[tuple[str, str, str]]:
    """How the last picture was made on a GPU and how it gets to the screen, with the reasons for the tooltip; nothing without a GPU."""
    if frame is None or frame.network is None or not frame.path:
        return []
    way, _, why = frame.path.partition("; ")
    screen = "not shown yet" if found.shared is None else "on the GPU" if found.shared else "through pinned memory"
    return [("Picture", way, why or way), ("To the screen", screen, found.why)]


# ---------------------------------------------------------------------------------------------------- settings


def _device(state: ViewState, context: PanelContext) -> ViewState:
    device = state.get(Device)
    on_cpu = context.network is not None and context.network.device.startswith("cpu")
    reason = NO_NETWORK if context.network is None else "The processor computes in 32 bits anyway." if on_cpu else ""
    state = state.edit(
        Device,
        device=combo(DEVICE, device.device, DEVICES),
        backend=combo(BACKEND, device.backend, BACKENDS),
        force_fp32=checkbox(FORCE_FP32, device.force_fp32, disabled=reason),
    )
    imgui.same_line(0, imgui.get_font_size())
    return reset_button(state, RESET, Device)


def _interface(context: PanelContext) -> None:
    settings = context.settings
    _change(context, "fps_limit", input_int(FPS_LIMIT, settings.fps_limit))
    _change(context, "vsync", checkbox(VSYNC, settings.vsync))
    scales = {scale: number_text(100 * scale, "%", 0) for scale in sorted({*FONT_SCALES, settings.font_scale})}
    _change(context, "font_scale", combo(FONT_SCALE, settings.font_scale, scales))


def _change(context: PanelContext, name: str, value: Any) -> None:
    if value != getattr(context.settings, name):
        context.emit(commands.ChangeSettings(((name, value),)))


def _capture(context: PanelContext) -> None:
    settings: Settings = context.settings
    folder = text_input(FOLDER, settings.capture_folder).strip()
    if folder:
        _change(context, "capture_folder", folder)
    has_picture = context.frame is not None and context.frame.picture is not None
    with columns("capture", (0, 0), rows=2) as visible:
        for field, command, needs_picture in CAPTURES if visible else ():
            imgui.table_next_column()
            if button(field, disabled=NO_PICTURE if needs_picture and not has_picture else "", width_em=-1):
                context.emit(command)


PANEL = Panel("Timing", "right", 40, draw)
