"""One frame of a film: the picture or the comparison as the window draws it, at any size; and its values. numpy only."""

from __future__ import annotations

import numpy as np

from gui_utils.tone import PictureView, resampled, tone_map
from viz.compare import picture as compare_picture
from viz.export.encoders import LARGEST_SIDE, ExportError
from viz.request import Frame, Picture
from viz.session.session import Session
from viz.stages.tone import shader_tone
from viz.state import BandFilter, Channels, CompareView, Tone, View, ViewState

LINEAR = "linear light: (v + 1) / 2 of the network's output v, from sRGB; not clamped"
COMPUTED = "as computed"


def output_size(picture: Picture, view: ViewState, size: int) -> tuple[int, int]:
    """(width, height) of an exported picture, or of two that are compared, in pixels."""
    return fitting(compare_picture.picture_size(view, size, compare_picture.source_of(picture, view)), size)


def fitting(pixels: tuple[int, int], size: int) -> tuple[int, int]:
    """The same. Raises ExportError if that is too large for a file."""
    width, height = pixels
    if max(width, height) > LARGEST_SIDE:
        raise ExportError(f"size {size} gives {width} x {height} pixels; at most {LARGEST_SIDE} a side can be written")
    return width, height


def pixels_of(picture: Picture, view: ViewState, size: tuple[int, int]) -> np.ndarray:
    """The picture as the window draws it, at `size` (width, height): uint8 [height, width, 3], by our own resampling."""
    source = compare_picture.source_of(picture, view)
    values, tone = picture.values, shader_tone(view.get(Tone), picture.values.shape[2])
    height, width = values.shape[:2]
    if picture.mask is None and source == (0, 0, width, height) and size == (width, height):
        return tone_map(values, tone)
    return compare_picture.painted(picture, tone, view, size, source)


def film_size(session: Session, picture: Picture, view: ViewState, size: int) -> tuple[int, int]:
    """(width, height) with room for every layout that the film ever shows; `picture` is its first, of `view`."""
    source = compare_picture.source_of(picture, view)
    sizes = {compare_picture.picture_size(v, size, source) for v in (view, *(k.view for k in session.film.keyframes))}
    return fitting((max(width for width, _ in sizes), max(height for _, height in sizes)), size)


def frame_pixels(frame: Frame, size: tuple[int, int], scale: int) -> np.ndarray:
    """The frame as the window draws it, its picture or the comparison that its view asks for, as large as fits into the film's frame."""
    assert frame.picture is not None
    view, source = frame.request.view, compare_picture.source_of(frame.picture, frame.request.view)
    fitted = _fitted(view, source, size, scale)
    if compare_picture.compared(view):
        pixels = compare_picture.composed(frame, view, fitted, source)
    else:
        pixels = pixels_of(frame.picture, view, compare_picture.cell_size(fitted, source))
    return compare_picture.centred(pixels, size)


def first_view(frame: Frame, size: tuple[int, int], scale: int) -> tuple[slice, slice]:
    """Rows and columns of `frame_pixels` in which the first view stands: alone, or at the upper left of those side by side."""
    assert frame.picture is not None
    view, source = frame.request.view, compare_picture.source_of(frame.picture, frame.request.view)
    fitted = _fitted(view, source, size, scale)
    whole, cell = compare_picture.picture_size(view, fitted, source), compare_picture.cell_size(fitted, source)
    left, top = (max(0, (room - length) // 2) for room, length in zip(size, whole, strict=True))
    return slice(top, min(top + cell[1], size[1])), slice(left, min(left + cell[0], size[0]))


def _fitted(view: ViewState, source: compare_picture.Rect, size: tuple[int, int], scale: int) -> float:
    """The scale at which a frame of the film has room for this view's layout."""
    natural = compare_picture.picture_size(view, scale, source)
    return scale * min(size[0] / natural[0], size[1] / natural[1])


def shown_part(picture: Picture, view: ViewState) -> tuple[float, float, float, float]:
    """What part of the picture is shown, in image coordinates: lengths in image widths, the origin at the centre."""
    x0, y0, x1, y1 = picture.frame_rect
    rate, middle = x1 - x0, ((x0 + x1) / 2, (y0 + y1) / 2)
    left, top, right, bottom = compare_picture.source_of(picture, view)
    return (left - middle[0]) / rate, (top - middle[1]) / rate, (right - middle[0]) / rate, (bottom - middle[1]) / rate


# -------------------------------------------------------------------------------------------------------- values


def frame_values(frame: Frame, view: ViewState, scale: int) -> tuple[np.ndarray, str]:
    """The numbers behind the picture, float32 [H, W, 1 or 3], and what they are. Where there is no number, nan.

    `view` is the whole one: the frame of a window answers only a part of it. The finished image is given as linear light, as other
    programs expect of such files; anything else as it was computed.
    """
    picture = frame.picture
    assert picture is not None and frame.network is not None
    changed = picture.grid or picture.note or view.get(Channels).normalize or view.get(BandFilter).on
    finished = picture.tap in ("", frame.network.taps[-1].name) and picture.values.shape[2] == 3 and not changed
    if compare_picture.compared(view):
        if view.get(CompareView).mode != "difference":
            raise ExportError("EXR holds the values of one view: end the comparison, or choose the difference")
        beside = frame.others.get(compare_picture.chosen(view))
        shown = beside.difference if beside is not None else None
        if shown is None:
            raise ExportError((beside.reason if beside else "") or "there is no difference")
        picture, finished = shown, False
    values = scaled(picture, view, scale)
    return (linear((values + 1) / 2), LINEAR) if finished else (values, COMPUTED)


def scaled(picture: Picture, view: ViewState, scale: int) -> np.ndarray:
    """The values of the shown part at a whole multiple of their size; without mask and scale, untouched."""
    source, values = compare_picture.source_of(picture, view), picture.values
    if picture.mask is not None:
        values = np.where(picture.mask[:, :, None], values, np.float32(np.nan))
    height, width = values.shape[:2]
    if scale == 1 and source == (0, 0, width, height):
        return values.astype(np.float32)
    size = fitting(compare_picture.cell_size(scale, source), scale)
    return resampled(values, PictureView(source, size, magnify=view.get(View).magnify))


def linear(encoded: np.ndarray) -> np.ndarray:
    """sRGB's decoding (IEC 61966-2-1), continued beyond 1 and mirrored below 0."""
    size = np.abs(encoded)
    return (np.sign(encoded) * np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)).astype(np.float32)
