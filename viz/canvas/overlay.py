"""A measurement over the picture: registered in image coordinates, with its own colours, gain and opacity, and a scale that says so."""

from __future__ import annotations

import numpy as np

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.picture import PicturePainter
from gui_utils.texture import FloatTexture
from gui_utils.tone import PictureView, colormap_table
from viz.canvas.arrows import draw_arrows
from viz.canvas.overlay_tone import end_texts, tone_of
from viz.canvas.placement import Area, Content, Placement
from viz.canvas.scene import Piece
from viz.compare.compare import compared
from viz.request import Frame, OverlayImage
from viz.state import CompareView, OverlayView, ViewState

SCALE_EM = (11.0, 0.6)
STEPS = 32
MOST_HIDDEN = 0.1  # of the image, by the scale
NOT_KEPT = "Not kept yet: measurements are of the picture below."
KEEP_FIRST = "What is on screen is not kept yet: {0} keeps it. Take the overlay away to save the picture below."


def offered(frame: Frame | None) -> dict[str, OverlayImage]:
    """The images that can be laid over this frame's picture, by id; nothing can lie over a contact sheet."""
    if frame is None or frame.picture is None or frame.picture.grid:
        return {}
    return {name: image for result in frame.overlays.values() for name, image in result.images.items()}


def mixed(state: ViewState) -> bool:
    """Whether what is drawn is of two views in one place."""
    return compared(state) and state.get(CompareView).mode != "side"


def laid_over(state: ViewState, frame: Frame | None) -> OverlayImage | None:
    """The image that lies over this frame's picture. In a comparison a measurement is of the first view alone."""
    return None if mixed(state) else offered(frame).get(state.get(OverlayView).image)


def keep_first(state: ViewState, frame: Frame | None) -> str:
    """Why nothing of this frame can be saved as what is on screen: that is the picture of a latent which is not kept. "" where it can."""
    image = laid_over(state, frame) if state.get(OverlayView).opacity else None
    return KEEP_FIRST.format(image.kept_by) if image is not None and image.kept_by else ""


def content_of(image: OverlayImage) -> Content:
    height, width = image.values.shape[:2]
    return Content(width, height, image.frame_rect[2] - image.frame_rect[0], 1.0, 1.0)


def value_under(image: OverlayImage, placement: Placement, px: float, py: float) -> tuple[float, ...] | None:
    """What was measured at a point on screen; None outside, and where nothing could be measured."""
    content = content_of(image)
    u, v = placement.to_sample(content, px, py)
    column, row = int(u // 1), int(v // 1)
    if not (0 <= column < content.width and 0 <= row < content.height):
        return None
    if image.mask is not None and not image.mask[row, column]:
        return None
    return tuple(float(x) for x in np.atleast_1d(image.values[row, column]))


class CanvasOverlay:
    """Owns the GL objects of one overlay; made of the same parts as the picture, so it is filtered and mapped the same way."""

    def __init__(self, scene: list[Piece]) -> None:
        self._scene = scene
        self._painter, self._values, self._mask = PicturePainter(), FloatTexture(), FloatTexture()
        self._uploaded: OverlayImage | None = None

    def draw(self, image: OverlayImage, view: OverlayView, placement: Placement, pixels_per_unit: float, magnify: str) -> None:
        """Over the canvas area of the window being drawn. Uploads an image once, redraws only what changed."""
        if image.values.size:
            self._draw_values(image, view, placement, pixels_per_unit, magnify)
        if image.arrows is not None:
            draw_arrows(image.arrows, image.colormap, placement)
        self._scale(image, view, placement)

    def _draw_values(self, image: OverlayImage, view: OverlayView, placement: Placement, pixels_per_unit: float, magnify: str) -> None:
        if image is not self._uploaded:
            self._values.upload(image.values)
            if image.mask is not None:
                self._mask.upload(image.mask.astype(np.float32))
            self._uploaded = image
        area, content, tone = placement.area, content_of(image), tone_of(image, view.gain_db)
        mask = self._mask if image.mask is not None else None
        shown = PictureView(
            source=placement.source(content),
            size=(max(1, round(area.width * pixels_per_unit)), max(1, round(area.height * pixels_per_unit))),
            tone=tone,
            magnify=magnify,
        )
        self._painter.draw(self._values, shown, mask)
        tint = theme.packed((1, 1, 1), view.opacity)
        imgui.get_window_draw_list().add_image(self._painter.ref, *area.corners, (0, 0), (1, 1), tint)
        self._scene.append(Piece(self._values, mask, content, placement, tone, magnify, opacity=view.opacity))

    def _scale(self, image: OverlayImage, view: OverlayView, placement: Placement) -> None:
        """The colours with the values they stand for, at the lower left; in one row without their name where they would hide too much."""
        lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
        colors = image.values.ndim == 3  # they stand for themselves: a name is enough
        width, label_px = SCALE_EM[0] * em, imgui.calc_text_size(image.label).x
        left, bottom = placement.area.x + 0.3 * em, placement.area.y + placement.area.height
        height = (1.5 if colors else 3.1 + SCALE_EM[1]) * em
        box = Area(left, bottom - height - em, max(width, label_px) + em, height)
        low, high = ("", "") if colors else end_texts(image, view.gain_db)
        table = colormap_table(tone_of(image, view.gain_db).colormap)
        white = theme.packed((0.93, 0.93, 0.93))

        def bar(left: float, top: float, width: float) -> None:
            for i in range(STEPS):
                color = theme.packed(table[round((i + 0.5) / STEPS * 256)].tolist())
                right = left + width * (i + 1) / STEPS + 0.5
                lines.add_rect_filled((left + width * i / STEPS, top), (right, top + SCALE_EM[1] * em), color)

        if not colors and hidden_part(box, placement) > MOST_HIDDEN:
            ends = [imgui.calc_text_size(text).x for text in (low, high)]
            room = min(width, placement.area.width - 0.6 * em - sum(ends) - 1.4 * em)
            if room < em:
                return
            row = Area(left, bottom - 1.6 * em, room + sum(ends) + 1.4 * em, 1.3 * em)
            _ground(lines, row)
            lines.add_text((row.x + 0.3 * em, row.y + 0.15 * em), white, low)
            bar(row.x + ends[0] + 0.7 * em, row.y + 0.35 * em, room)
            lines.add_text((row.x + row.width - 0.3 * em - ends[1], row.y + 0.15 * em), white, high)
            return
        _ground(lines, box)
        left, top = box.x + 0.5 * em, box.y + 1.5 * em
        lines.add_text((left, top - 1.3 * em), white, image.label)
        if colors:
            return
        bar(left, top, width)
        below = top + (SCALE_EM[1] + 0.1) * em
        lines.add_text((left, below), white, low)
        lines.add_text((left + width - imgui.calc_text_size(high).x, below), white, high)

    def delete(self) -> None:
        for part in (self._painter, self._values, self._mask):
            part.delete()
        self._uploaded = None


def hidden_part(box: Area, placement: Placement) -> float:
    """How much of the image, as far as it is on screen, lies under a box."""
    (x0, y0), (x1, y1) = placement.to_screen(-0.5, -0.5), placement.to_screen(0.5, 0.5)
    shown = _overlap(placement.area, Area(x0, y0, x1 - x0, y1 - y0))
    under = _overlap(shown, box)
    return under.width * under.height / max(1.0, shown.width * shown.height)


def _overlap(a: Area, b: Area) -> Area:
    x, y = max(a.x, b.x), max(a.y, b.y)
    return Area(x, y, max(0.0, min(a.x + a.width, b.x + b.width) - x), max(0.0, min(a.y + a.height, b.y + b.height) - y))


def _ground(lines: imgui.ImDrawList, box: Area) -> None:
    low, high = box.corners
    lines.add_rect_filled(low, high, theme.packed((0.08, 0.08, 0.08), 0.8), 0.25 * imgui.get_font_size())
