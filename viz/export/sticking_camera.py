"""Films of what sticks: the slice that grows, and the paper's Figure 1 in motion (picture, mean of its neighbourhood, slice)."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from gui_utils.text import number_text
from gui_utils.theme import WARNING
from gui_utils.tone import BACKGROUND, PictureView, paint
from viz.analysis.slice import ScanLine, SliceStrip
from viz.export.camera import Job, OverlayCamera, PictureCamera, rendered
from viz.export.encoders import ExportError
from viz.export.overlay_picture import overlaid, with_line
from viz.export.picture import fitting, frame_pixels, output_size, shown_part
from viz.figures.figure import drawable, figure_font
from viz.request import Frame
from viz.stages.tone import shader_tone
from viz.state import Compare, OverlayView, Slice, Sticking, Tone, View, ViewState

LEGIBLE = 128  # pixels; smaller pictures have no words beside them


class SliceCamera(PictureCamera):
    """The slice: a column for every frame of the film, growing from the left."""

    remembers = True

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.total = job.session.film.frame_count
        self.strip = SliceStrip(self.total)
        self.rate = self.length = 1.0

    def open(self, first: Frame) -> tuple[int, int]:
        scale = self.job.options.size
        self.size = fitting((self.total * scale, len(self._line(first)) * scale), scale)
        return self.size

    def take(self, index: int, view: ViewState) -> np.ndarray:
        self.see(rendered(self.job.pipeline, index, view))
        return self._grown() if self.job.options.values else self.painted(view, self.size)

    def see(self, frame: Frame) -> None:
        self.strip.push(self._line(frame))

    def _line(self, frame: Frame) -> np.ndarray:
        """[n, C]: the pixels of the scan line."""
        wanted, picture = frame.request.view.get(Slice), frame.picture
        assert picture is not None
        line = ScanLine(wanted.x0, wanted.y0, wanted.x1, wanted.y1)
        self.rate, self.length = picture.frame_rect[2] - picture.frame_rect[0], line.length
        return line.read(picture.values, sampling_rate=self.rate)

    def painted(self, view: ViewState, size: tuple[int, int]) -> np.ndarray:
        """The strip, and the room for what is to come, in the colours of the picture."""
        values = self.strip.picture()
        source = (0.0, 0.0, float(self.total), float(len(values)))
        return paint(values, PictureView(source, size, shader_tone(view.get(Tone), values.shape[2]), "nearest"))

    def score(self) -> float | None:
        """The share of the strip's detail that stands still."""
        return self.strip.score(self.length, self.rate)

    def _grown(self) -> np.ndarray:
        values = self.strip.picture()
        out = np.full((len(values), self.total, values.shape[2]), np.nan, np.float32)
        out[:, : values.shape[1]] = values
        return out


class CinemaCamera(OverlayCamera):
    """Above, the picture with its scan line and the mean of its neighbourhood; below, the slice. Both numbers beside them."""

    remembers = True

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        if job.options.values:
            raise ExportError("EXR holds values: choose the picture, the overlay or the slice")
        self.slice = SliceCamera(job)
        self.side, self.gap, self.head, self.low = (1, 1), 2, 0, 1

    def open(self, first: Frame) -> tuple[int, int]:
        assert first.picture is not None
        self.slice.open(first)
        self.side = width, height = output_size(first.picture, first.request.view.reset(Compare), self.job.options.size)
        self.gap, self.head = max(2, width // 32), round(width / 11) if width >= LEGIBLE else 0
        self.low = max(1, height // 2)
        self.size = fitting((2 * width + 3 * self.gap, height + self.low + 3 * self.gap + 2 * self.head), self.job.options.size)
        return self.size

    def take(self, index: int, view: ViewState) -> np.ndarray:
        from viz.analysis import sticking_average

        view = view.edit(Sticking, on=True).edit(Slice, on=True).reset(Compare)
        frame, mean = self.measured(index, view, sticking_average.MEAN)
        self.slice.see(frame)
        assert frame.picture is not None
        part, line = shown_part(frame.picture, view), view.get(Slice)
        pixels = frame_pixels(frame, self.side, self.job.options.size)
        amber = (round(255 * WARNING[0]), round(255 * WARNING[1]), round(255 * WARNING[2]))
        left = with_line(pixels, (line.x0, line.y0, line.x1, line.y1), part, amber)
        right = pixels if mean is None else overlaid(pixels, mean, OverlayView(opacity=1.0), part, view.get(View).magnify, scale=False)
        strip = self.slice.painted(view, (self.size[0] - 2 * self.gap, self.low))
        kept = frame.overlays[sticking_average.NAME].values
        return self._page(left, right, strip, kept)

    def _page(self, left: np.ndarray, right: np.ndarray, strip: np.ndarray, kept: object) -> np.ndarray:
        page = np.full((self.size[1], self.size[0], 3), round(255 * BACKGROUND[0]), np.uint8)
        width, height = self.side
        top, second = self.gap + self.head, 2 * self.gap + width
        below = top + height + self.gap + self.head
        for pixels, x, y in ((left, self.gap, top), (right, second, top), (strip, self.gap, below)):
            page[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
        if not self.head:
            return page
        canvas = Image.fromarray(page)
        ink, font = ImageDraw.Draw(canvas), figure_font(0.5 * self.head)
        count, share = getattr(kept, "count", 0), getattr(kept, "share", None)
        score = self.slice.score()
        words = (
            (self.gap, top, "the picture", ""),
            (second, top, f"mean of {count} around it", "" if share is None else f"{number_text(100 * share, '%')} of detail kept"),
            (self.gap, below, "its line, over time", "" if score is None else f"{number_text(100 * score, '%')} of detail stands still"),
        )
        for (x, y, text, number), right_edge in zip(words, (self.gap + width, second + width, second + width), strict=True):
            ink.text((x, y - 0.3 * self.head), drawable(text), (215, 215, 215), font, anchor="ls")
            ink.text((right_edge, y - 0.3 * self.head), drawable(number), (255, 255, 255), font, anchor="rs")
        return np.asarray(canvas)
