"""The lower rows of the timeline: what is exported, as which file, how far it is; and the session as a file."""

from __future__ import annotations

from dataclasses import replace

from gui_utils.controls import Field, button, combo, input_int
from gui_utils.libraries import imgui
from gui_utils.scopes import dim_text, item_width, tooltip_scope
from viz import commands
from viz.export.job import ExportJob, time_left_text
from viz.export.options import WHATS
from viz.panels import PanelContext
from viz.panels.parts import beside, wrapped_text
from viz.session.session import Session, kept_settings
from viz.state import OverlayView, ViewState

WHAT = Field("", "Export.what", "What the film shows. Sticking: the picture, the mean around it and the slice, as in the paper's "
             "Figure 1. Whole window: as it is now, in this workspace.", default="picture")  # fmt: skip
KIND = Field("", "Export.kind", "The kind of file. EXR: float values, the image as linear light.", default="mp4")
SIZE = Field("", "Export.size", "Output pixels per pixel of the picture, and the width that gives; resampled by our own Lanczos filter. "
             "The window is drawn larger.")  # fmt: skip
WIDTH = Field("", "Export.width", "Width of the window in the film.", "px", default=1600, low=640, high=8192)
HEIGHT = Field("", "Export.height", "Height of the window in the film.", "px", default=900, low=360, high=8192)
EXPORT = Field(
    "Export", "Export.start", "Renders every frame in the background and writes the film to the captures folder, with the session inside."
)
CANCEL = Field("Stop", "Export.cancel", "Stops after the current frame. What is there is kept, and the export can go on.")
RESUME = Field("Go on", "Export.resume", "Goes on with this export where it was.")
DISCARD = Field("Discard", "Export.discard", "Removes the frames kept for this film; those of a sequence stay.")
SAVE = Field("Save session", "Export.session", "Saves views, timeline and settings as JSON. Opening the file brings them back.")
KINDS = {
    "mp4": "MP4 (H.264)", "mp4 lossless": "MP4, lossless", "webm": "WebM (VP9)", "webm lossless": "WebM, lossless", "gif": "GIF",
    "png": "PNG sequence", "exr": "EXR sequence",
}  # fmt: skip
SIZES = (1, 2, 3, 4, 6, 8, 16)
USUAL_PX = 256  # a film of less is hard to see; unless another size was chosen
PREVIEW_EM, LARGE_EM, SIZE_EM = 4.0, 18.0, 8.0
NOTHING = "The timeline is empty."
NO_OVERLAY = "Nothing lies over the picture: choose a measurement above it, or film the picture."
NO_VALUES = "EXR holds values, and this shows colours only: choose another kind."


def export_rows(state: ViewState, context: PanelContext) -> None:
    """The export that runs, or what the next one is asked for."""
    job = context.film.job
    if job is not None and job.running:
        _running(job, context)
        return
    if context.film.stopped is not None:
        _stopped(context.film.stopped, context)
    what, kind, size, window = _choices(context)
    beside(EXPORT)
    if button(EXPORT, disabled=_missing(state, context, what, kind)):
        suffix, _, lossless = kind.partition(" ")
        context.emit(commands.StartExport(session_of(state, context), suffix, size, bool(lossless), what, window))
    beside(SAVE)
    if button(SAVE):
        context.emit(commands.SaveSession(session_of(state, context)))


def session_of(state: ViewState, context: PanelContext) -> Session:
    """What is saved and exported: the view on screen, the timeline, the settings that belong to the work."""
    return Session((state,), context.film.timeline, kept_settings(context.settings))


def _choices(context: PanelContext) -> tuple[str, str, int, tuple[int, int]]:
    chosen = context.scratch
    with item_width(9):
        what = chosen["export.what"] = combo(WHAT, chosen.get("export.what", WHAT.default), WHATS)
    beside(9)
    with item_width(9):
        kind = chosen["export.kind"] = combo(KIND, chosen.get("export.kind", KIND.default), KINDS)
    resolution = context.network.resolution if context.network is not None else 0
    usual = usual_size(resolution) if what != "window" else 1
    beside(SIZE_EM)
    with item_width(SIZE_EM):
        size = combo(replace(SIZE, default=usual), chosen.get("export.size", usual), size_texts(resolution if what == "picture" else 0))
    if size != chosen.get("export.size", usual):
        chosen["export.size"] = size
    if what != "window":
        return what, kind, size, (WIDTH.default, HEIGHT.default)
    lengths = []
    for field in (WIDTH, HEIGHT):
        beside(7)
        with item_width(7):
            lengths.append(input_int(field, chosen.get(field.id, field.default)))
            chosen[field.id] = lengths[-1]
    return what, kind, size, (lengths[0], lengths[1])


def usual_size(resolution: int) -> int:
    """The multiple that makes a picture of this resolution at least USUAL_PX wide."""
    return next((n for n in SIZES if n * resolution >= USUAL_PX), 1)


def size_texts(resolution: int) -> dict[int, str]:
    """The sizes on offer, with what comes of them where that is known."""
    return {n: f"{n} × · {n * resolution} px" if resolution else f"{n} ×" for n in SIZES}


def _missing(state: ViewState, context: PanelContext, what: str, kind: str) -> str:
    """Why there is nothing to export; "" if there is."""
    if not context.film.timeline.keyframes:
        return NOTHING
    if kind == "exr" and what in ("window", "cinema"):
        return NO_VALUES
    shown = (state, *(k.view for k in context.film.timeline.keyframes))
    return NO_OVERLAY if what == "overlay" and not any(view.get(OverlayView).image for view in shown) else ""


def _running(job: ExportJob, context: PanelContext) -> None:
    progress = job.progress
    imgui.progress_bar(progress.done / max(1, progress.total), (-5 * context.em, 0), time_left_text(progress))
    beside(CANCEL)
    if button(CANCEL):
        context.emit(commands.CancelExport())
    if progress.preview is None or context.image is None:
        return
    height, width = progress.preview.shape[:2]
    picture, shape = context.image("export preview", progress.preview), width / height
    imgui.image(picture, (PREVIEW_EM * context.em * shape, PREVIEW_EM * context.em))
    with tooltip_scope() as shown:
        if shown:
            side = LARGE_EM * context.em / max(1.0, shape)
            imgui.image(picture, (side * shape, side))
    imgui.same_line()
    dim_text(job.options.out.name)


def _stopped(job: ExportJob, context: PanelContext) -> None:
    wrapped_text(f"{job.options.out.name}: stopped after {job.progress.done} of {job.progress.total} frames.")
    if button(RESUME):
        context.emit(commands.ResumeExport())
    imgui.same_line()
    if button(DISCARD):
        context.emit(commands.DiscardExport())
