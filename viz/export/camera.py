"""What a film shows, frame by frame: the picture, or a measurement over it (see also `sticking_camera`, `window_camera`).

A camera turns a view into an array: uint8 [H, W, 3], or float32 values [H, W, 1 or 3] for EXR files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gui_utils.tone import PictureView, resampled
from viz.compare import picture as compare_picture
from viz.export.encoders import ExportError
from viz.export.options import WHATS, ExportOptions
from viz.export.overlay_picture import overlaid
from viz.export.picture import COMPUTED, film_size, first_view, fitting, frame_pixels, frame_values, shown_part
from viz.request import Frame, OverlayImage, RenderRequest
from viz.session.session import Session
from viz.state import ANALYSES, BreakIt, CompareView, Inversion, OverlayView, View, ViewState

if TYPE_CHECKING:
    from viz.pipeline import Pipeline

MEASURING_STEPS = 100_000  # an end for what has none
NEVER_OFF = (BreakIt, Inversion)  # these change what is rendered, or are no measurement of a film


class Camera(Protocol):
    """`remembers`: a frame depends on those before it, so that all are taken in order, also those that are there already."""

    remembers: bool
    holds: str  # what floating-point values are

    def open(self, first: Frame) -> tuple[int, int]: ...
    def take(self, index: int, view: ViewState) -> np.ndarray: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Job:
    """What every camera is made from."""

    session: Session
    options: ExportOptions
    pipeline: Pipeline


def camera(job: Job) -> Camera:
    """The one for `options.what`. Raises ExportError for an unknown one."""
    if job.options.what == "window":
        from viz.export.window_camera import WindowCamera

        return WindowCamera(job)
    from viz.export.sticking_camera import CinemaCamera, SliceCamera

    kinds = {"picture": PictureCamera, "overlay": OverlayCamera, "slice": SliceCamera, "cinema": CinemaCamera}
    if job.options.what not in kinds:
        raise ExportError(f"what is {job.options.what!r}; one of {', '.join(WHATS)} is expected")
    return kinds[job.options.what](job)


def rendered(pipeline: Pipeline, index: int, view: ViewState) -> Frame:
    """One frame with a picture. Raises ExportError with the failing stage's sentence."""
    frame = pipeline.render(RenderRequest(index, view))
    if frame is None or frame.error or frame.picture is None:
        why = frame.error.sentences if frame and frame.error else "nothing was rendered"
        raise ExportError(f"frame {index}: {why}")
    return frame


class PictureCamera:
    """The picture, or the comparison."""

    remembers = False
    holds = COMPUTED

    def __init__(self, job: Job) -> None:
        self.job = job
        self.size = (1, 1)

    def open(self, first: Frame) -> tuple[int, int]:
        assert first.picture is not None
        self.size = film_size(self.job.session, first.picture, first.request.view, self.job.options.size)
        return self.size

    def take(self, index: int, view: ViewState) -> np.ndarray:
        frame = rendered(self.job.pipeline, index, view)
        if not self.job.options.values:
            return frame_pixels(frame, self.size, self.job.options.size)
        values, self.holds = frame_values(frame, view, self.job.options.size)
        return values

    def close(self) -> None:
        pass


class OverlayCamera(PictureCamera):
    """The picture with the measurement over it that the view chooses, computed to its end."""

    def take(self, index: int, view: ViewState) -> np.ndarray:
        options = self.job.options
        frame, image = self.measured(index, view, view.get(OverlayView).image)
        if options.values:
            return self._values(frame, image)
        pixels = frame_pixels(frame, self.size, options.size)
        name = view.get(OverlayView).image
        result = frame.overlays.get(name.partition(".")[0])
        if image is None and not index and (result is None or result.images):  # one without images has nothing to say of this view
            there = ", ".join(known for each in frame.overlays.values() for known in each.images)
            raise ExportError(f"no {name or 'measurement'} lies over the picture; there is {there or 'none'}")
        if image is None:
            return pixels
        assert frame.picture is not None
        magnify, part = view.get(View).magnify, shown_part(frame.picture, view)
        if compare_picture.compared(view) and view.get(CompareView).mode != "side":  # a measurement is of the first view alone
            return pixels
        here, pixels = first_view(frame, self.size, options.size), pixels.copy()
        pixels[here] = overlaid(pixels[here], image, view.get(OverlayView), part, magnify)
        return pixels

    def measured(self, index: int, view: ViewState, name: str) -> tuple[Frame, OverlayImage | None]:
        """The frame, and the image `name` of a measurement; None where this view has none."""
        overlay = name.partition(".")[0]
        frame = rendered(self.job.pipeline, index, view.reset(*_others(overlay)))
        for refined in islice(self.job.pipeline.refine(frame), MEASURING_STEPS):
            frame = refined
        result = frame.overlays.get(overlay)
        if result is not None and result.error is not None:
            raise ExportError(f"frame {index}: {result.error.sentences}")
        return replace(frame, request=replace(frame.request, view=view)), result.images.get(name) if result is not None else None

    def _values(self, frame: Frame, image: OverlayImage | None) -> np.ndarray:
        result = frame.overlays.get(frame.request.view.get(OverlayView).image.partition(".")[0])
        if result is not None and result.values is not None and not result.images:  # it has nothing to say of this view
            return np.full((self.size[1], self.size[0], 1), np.nan, np.float32)
        if image is None or not image.values.size:
            raise ExportError("no measurement with values lies over the picture: choose one, or export the picture")
        self.holds = f"{image.label}{f', {image.unit}' if image.unit else ''}"
        values = image.values if image.mask is None else np.where(image.mask, image.values, np.float32(np.nan))
        height, width = values.shape[:2]
        scale = self.job.options.size
        if scale > 1:
            values = resampled(values, PictureView((0, 0, width, height), fitting((width * scale, height * scale), scale)))
        return values.astype(np.float32).reshape(height * scale, width * scale, -1)


def _others(overlay: str) -> tuple[type, ...]:
    """The measurements that a film of `overlay` does not show: they are not computed."""
    from viz.analysis import overlays

    wanted = {each.options for each in overlays() if each.name == overlay}
    return tuple(kind for kind in ANALYSES if kind not in wanted and kind not in NEVER_OFF)
