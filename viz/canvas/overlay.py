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
from viz.canvas.placement import Content, Placement
from viz.canvas.scene import Piece
from viz.compare.compare import compared
from viz.request import Frame, OverlayImage
from viz.state import CompareView, OverlayView, ViewState

SCALE_EM = (11.0, 0.6)
STEPS = 32
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
        """The colours with the values they stand for, at the lower left."""
        lines, em = imgui.get_window_draw_list(), imgui.get_font_size()
        width, height = SCALE_EM[0] * em, SCALE_EM[1] * em
        left, top = placement.area.x + 0.8 * em, placement.area.y + placement.area.height - 3.2 * em
        ground = theme.packed((0.08, 0.08, 0.08), 0.8)
        right = left + max(width, imgui.calc_text_size(image.label).x) + 0.5 * em
        colors = image.values.ndim == 3  # they stand for themselves: a name is enough
        if colors:
            top += height + 1.6 * em
        lines.add_rect_filled((left - 0.5 * em, top - 1.5 * em), (right, top + (0 if colors else height + 1.6 * em)), ground, 0.25 * em)
        white = theme.packed((0.93, 0.93, 0.93))
        lines.add_text((left, top - 1.3 * em), white, image.label)
        if colors:
            return
        table = colormap_table(tone_of(image, view.gain_db).colormap)
        for i in range(STEPS):
            color = theme.packed(table[round((i + 0.5) / STEPS * 256)].tolist())
            lines.add_rect_filled((left + width * i / STEPS, top), (left + width * (i + 1) / STEPS + 0.5, top + height), color)
        low, high = end_texts(image, view.gain_db)
        lines.add_text((left, top + height + 0.1 * em), white, low)
        lines.add_text((left + width - imgui.calc_text_size(high).x, top + height + 0.1 * em), white, high)

    def delete(self) -> None:
        for part in (self._painter, self._values, self._mask):
            part.delete()
        self._uploaded = None
