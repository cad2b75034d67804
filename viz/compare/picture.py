"""Several pictures as one: the difference of two with its number, and the four layouts as pixels, for files. Numpy only.

All pictures are registered in image coordinates: what is outside the first one's part is left out of the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from gui_utils.tone import BACKGROUND, PictureView, ToneMap, paint
from networks.measures.comparison import grid_change, psnr_db, ratio_db
from viz.compare.caption import captioned
from viz.compare.compare import chosen, compared, others, own_values
from viz.compare.layout import cell_at, columns_in_files
from viz.groups.compare import NAMES, OTHERS
from viz.request import Beside, Frame, Picture
from viz.stages.tone import shader_tone
from viz.state import CompareView, Source, StateError, Tone, View, ViewState

GAP = 2  # pixels between two views side by side, and the width of the wipe's line, for one of the picture
LINE = 235
Rect = tuple[float, float, float, float]


@dataclass(frozen=True)
class Difference:
    """second - first where both have values, with its number; or the reason why there is none. `note`: on which grid, if not on both's."""

    picture: Picture | None = None
    db: float | None = None
    unit: str = "PSNR"
    reason: str = ""
    note: str = ""


def difference(first: Picture, second: Picture, *, finished: bool) -> Difference:
    """The second minus the first. `finished`: pictures in [-1, 1], so the number is a PSNR with peak 2; layers have none, see `Beside`.

    Whole pictures of different sampling rates are compared on the coarser of both grids, in the band that both have.
    """
    unit, note = "PSNR" if finished else "signal to difference", ""
    if finished and _rate(first) != _rate(second) and _whole(first) and _whole(second):
        rate = min(_rate(first), _rate(second))
        first, second, note = _at_rate(first, rate), _at_rate(second, rate), f"Subtracted on the coarser grid, of {rate:g} samples a side."
    reason = _cannot(first, second)
    if reason:
        return Difference(unit=unit, reason=reason)
    rect = _common(first, second)
    a, b = _cropped(first.values, rect), _cropped(second.values, rect)
    mask = None
    for picture in (first, second):
        if picture.mask is not None:
            part = _cropped(picture.mask, rect)
            mask = part if mask is None else mask & part
    error = b - a
    frame_rect = tuple(edge - low for edge, low in zip(first.frame_rect, (rect[0], rect[1]) * 2, strict=True))
    picture = replace(first, values=error, frame_rect=frame_rect, mask=mask)
    counted = None if mask is None else _counted(mask[:, :, None], picture)[:, :, 0]
    return Difference(picture, _db(_counted(a, picture), _counted(error, picture), counted, finished=finished), unit, note=note)


def _counted(values: np.ndarray, picture: Picture) -> np.ndarray:
    """What the number is about, [h, w, C] of [H, W, C]: no margins, and of a contact sheet its channels without the empty cells."""
    if picture.grid:
        width, height = picture.cell
        cells = values.reshape(-1, height, picture.grid, width).transpose(1, 3, 0, 2).reshape(height, width, -1)
        values = cells[:, :, : len(picture.channels)]
    height, width = values.shape[:2]
    x0, y0, x1, y1 = (round(edge) for edge in picture.frame_rect)
    return values[max(0, y0) : min(height, y1), max(0, x0) : min(width, x1)]


def _db(signal: np.ndarray, error: np.ndarray, mask: np.ndarray | None, *, finished: bool) -> float | None:
    """The distance in dB over the samples [h, w, C] that `mask` [h, w] leaves."""
    count = error[:, :, 0].size if mask is None else int(mask.sum())
    if count == 0:
        return None
    weights = None if mask is None else mask[:, :, None].astype(np.float32)
    squared = _squares(error if weights is None else error * weights)
    if finished:
        return psnr_db(squared, count * error.shape[2])
    mean = np.average(signal, axis=(0, 1)) if mask is None else signal[mask].mean(axis=0)
    centred_signal = signal - mean.astype(np.float32)
    return ratio_db(_squares(centred_signal if weights is None else centred_signal * weights), squared)


def _squares(values: np.ndarray) -> float:
    """The sum of squares [H, W, C]: rows in float32, added up in float64."""
    planes = values.transpose(2, 0, 1)
    rows = planes.reshape(-1, planes.shape[2])
    return float(np.einsum("ij,ij->i", rows, rows).sum(dtype=np.float64))


def _cannot(first: Picture, second: Picture) -> str:
    """Why two pictures cannot be subtracted; "" if they can."""
    if first.grid or second.grid:
        same = first.values.shape == second.values.shape and first.channels == second.channels
        return "" if same else "Contact sheets of different layers have no difference."
    if first.values.shape[2] != second.values.shape[2]:
        return f"{first.values.shape[2]} channels and {second.values.shape[2]} have no difference."
    if _rate(first) != _rate(second):
        return f"Pictures of {_rate(first):g} and {_rate(second):g} samples a side have no difference, sample by sample."
    if any((first.frame_rect[i] - second.frame_rect[i]) % 1 for i in range(2)):
        return "The two layers' samples lie half a sample apart."
    return ""


def _rate(picture: Picture) -> float:
    """Samples across the image."""
    return picture.frame_rect[2] - picture.frame_rect[0]


def _whole(picture: Picture) -> bool:
    """Whether it is all of an image and nothing else: no margins, no samples without data, no contact sheet."""
    height, width = picture.values.shape[:2]
    return not picture.grid and picture.mask is None and picture.frame_rect == (0, 0, width, width) and height == width


def _at_rate(picture: Picture, rate: float) -> Picture:
    """A whole picture on a coarser grid, or itself."""
    if _rate(picture) == rate:
        return picture
    matrix = grid_change(picture.values.shape[0], round(rate)).astype(np.float32)
    values = np.einsum("yv,vuc,xu->yxc", matrix, picture.values, matrix, optimize=True)
    return replace(picture, values=np.ascontiguousarray(values), frame_rect=(0.0, 0.0, rate, rate))


def _common(first: Picture, second: Picture) -> tuple[int, int, int, int]:
    """The samples (x0, y0, x1, y1) of the first that the second has too."""
    dx, dy = (round(first.frame_rect[i] - second.frame_rect[i]) for i in range(2))
    (h, w), (h2, w2) = first.values.shape[:2], second.values.shape[:2]
    return max(0, dx), max(0, dy), min(w, w2 + dx), min(h, h2 + dy)


def _cropped(values: np.ndarray, rect: tuple[int, int, int, int]) -> np.ndarray:
    """The middle of the values, as large as `rect`, the common part of two pictures: they are centred alike."""
    width, height = rect[2] - rect[0], rect[3] - rect[1]
    top, left = (values.shape[0] - height) // 2, (values.shape[1] - width) // 2
    return values[top : top + height, left : left + width]


# ------------------------------------------------------------------------------------------------------ for files


def picture_size(view: ViewState, scale: float, source: Rect) -> tuple[int, int]:
    """(width, height) in pixels of the composed picture, or of one alone; `source`: the shown part of the first, in its samples."""
    cell = cell_size(scale, source)
    if not compared(view) or view.get(CompareView).mode != "side":
        return cell
    count, gap = 1 + len(others(view)), _gap(scale)
    columns = columns_in_files(count, view.get(CompareView).columns)
    width, height = (n * length + (n - 1) * gap for n, length in zip((columns, math.ceil(count / columns)), cell, strict=True))
    return width, height


def cell_size(scale: float, source: Rect) -> tuple[int, int]:
    """(width, height) in pixels of one view, so many times as large as the part of it that is shown, in its samples."""
    return max(1, round((source[2] - source[0]) * scale)), max(1, round((source[3] - source[1]) * scale))


def _gap(scale: float) -> int:
    return max(1, round(GAP * scale))


def composed(frame: Frame, view: ViewState, scale: float, source: Rect) -> np.ndarray:
    """What the comparison shows, as uint8 [H, W, 3]. Raises ValueError where the chosen layout cannot be made."""
    shown, size = view.get(CompareView), cell_size(scale, source)
    if frame.picture is None:
        raise ValueError("there is no picture yet")
    if shown.mode == "side":
        return _side_by_side(frame, view, scale, source)
    number = chosen(view)
    beside, second = frame.others.get(number), _picture_of(frame, number)
    assert beside is not None
    if shown.mode == "difference":
        return _difference_pixels(frame.picture, beside, view, size, source)
    there = same_part(frame.picture, second, source)
    if shown.mode == "flip":
        return _pixels(second, view, size, there) if shown.second else _pixels(frame.picture, view, size, source)
    pixels = _pixels(frame.picture, view, size, source), _pixels(second, view, size, there)
    first = frame.picture.frame_rect
    column = min(max(round(((first[0] + first[2]) / 2 + shown.split * (first[2] - first[0]) - source[0]) * scale), 0), size[0])
    wiped = np.concatenate([pixels[0][:, :column], pixels[1][:, column:]], axis=1)
    half = max(1, round(scale * GAP / 2))
    wiped[:, max(0, column - half) : column + half] = LINE
    return wiped


def _picture_of(frame: Frame, number: int) -> Picture:
    """Raises ValueError where it is not there yet."""
    beside = frame.others.get(number)
    if beside is None or beside.frame.picture is None:
        raise ValueError(f"there is no {NAMES[number].lower()} picture yet")
    return beside.frame.picture


def _side_by_side(frame: Frame, view: ViewState, scale: float, source: Rect) -> np.ndarray:
    """All views in rows and columns, in order."""
    assert frame.picture is not None
    cell, gap, numbers = cell_size(scale, source), _gap(scale), others(view)
    columns = columns_in_files(1 + len(numbers), view.get(CompareView).columns)
    size = picture_size(view, scale, source)
    out = np.full((size[1], size[0], 3), round(255 * BACKGROUND[0]), np.uint8)
    for i, number in enumerate((1, *numbers)):
        picture = frame.picture if number == 1 else _picture_of(frame, number)
        part = source if number == 1 else same_part(frame.picture, picture, source)
        left, top = (at * (length + gap) for at, length in zip(cell_at(i, columns), cell, strict=True))
        out[top : top + cell[1], left : left + cell[0]] = _pixels(picture, view, cell, part)
    return out


def centred(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels in the middle of a frame of `size` (width, height): a film has one size, whatever its layout."""
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    out = np.full((size[1], size[0], 3), round(255 * BACKGROUND[0]), np.uint8)
    left, top = max(0, (size[0] - width) // 2), max(0, (size[1] - height) // 2)
    shown = pixels[: size[1], : size[0]]
    out[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return out


def captured(frame: Frame, view: ViewState) -> np.ndarray:
    """The comparison at the first picture's own size. Raises StateError where there is nothing to show yet."""
    assert frame.picture is not None
    try:
        pixels = composed(frame, view, 1, source_of(frame.picture, view))
        return captioned(pixels, frame, view) if view.get(CompareView).captions else pixels
    except ValueError as e:
        raise StateError(str(e)) from e


def source_of(picture: Picture, view: ViewState) -> Rect:
    """What part of a picture is shown: all of it, or the image frame alone where the view leaves margins out."""
    height, width = picture.values.shape[:2]
    return (0.0, 0.0, width, height) if picture.grid or view.get(View).margins else picture.frame_rect


def with_hash(view: ViewState, frame: Frame) -> ViewState:
    """The view with the hashes of the other networks' weights, as they were seen."""
    for number in others(view):
        answer, network = frame.others[number].frame if number in frame.others else None, own_values(view, number).network
        if network and answer is not None and answer.network is not None and answer.request.view.get(Source).network == network:
            view = view.edit(OTHERS[number], sha256=answer.network.sha256)
    return view


def difference_tone(view: ViewState, channels: int) -> ToneMap:
    """Zero is mid-grey; one channel has blue below and red above."""
    return ToneMap.from_db(view.get(CompareView).gain_db, colormap="diverging" if channels == 1 else "gray")


def same_part(first: Picture, second: Picture, source: Rect) -> Rect:
    """`source`, in samples of the first, as samples of the second: the same place in the image."""
    if first.grid or second.grid:
        height, width = second.values.shape[:2]
        return (0.0, 0.0, float(width), float(height))
    factor = (second.frame_rect[2] - second.frame_rect[0]) / (first.frame_rect[2] - first.frame_rect[0])
    x0, y0, x1, y1 = ((edge - first.frame_rect[i % 2]) * factor + second.frame_rect[i % 2] for i, edge in enumerate(source))
    return x0, y0, x1, y1


def _pixels(picture: Picture, view: ViewState, size: tuple[int, int], source: Rect) -> np.ndarray:
    return painted(picture, shader_tone(view.get(Tone), picture.values.shape[2]), view, size, source)


def raw_difference(frame: Frame, number: int = 2) -> np.ndarray:
    """The view of this number minus the first, of the whole layers, float32 [C, H, W]; headless frames only.

    Raises ValueError with the reason where there is none.
    """
    beside = frame.others.get(number)
    if beside is None or frame.raw is None or beside.frame.raw is None or frame.picture is None or beside.frame.picture is None:
        raise ValueError(f"there is no {NAMES[number].lower()} picture")
    first, second = (
        replace(each.picture, values=each.raw.transpose(1, 2, 0), mask=None, grid=0)
        for each in (frame, beside.frame)
        if each.picture is not None and each.raw is not None
    )
    found = difference(first, second, finished=True)
    if found.picture is None:
        raise ValueError(found.reason)
    return found.picture.values.transpose(2, 0, 1)


def _difference_pixels(first: Picture, beside: Beside, view: ViewState, size: tuple[int, int], source: Rect) -> np.ndarray:
    shown = beside.difference
    if shown is None:
        raise ValueError(beside.reason or "there is no difference yet")
    return painted(shown, difference_tone(view, shown.values.shape[2]), view, size, same_part(first, shown, source))


def painted(picture: Picture, tone: ToneMap, view: ViewState, size: tuple[int, int], source: Rect) -> np.ndarray:
    """The part `source` of a picture, as the window draws it: uint8 [size[1], size[0], 3]."""
    mask = None if picture.mask is None else picture.mask.astype(np.float32)
    return paint(picture.values, PictureView(source, size, tone, view.get(View).magnify), mask)
