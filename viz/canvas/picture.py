"""One picture on the canvas: owns its GL objects, uploads a frame's values once, and draws them where a placement says."""

from __future__ import annotations

import numpy as np

from gui_utils.libraries import imgui
from gui_utils.picture import PicturePainter
from gui_utils.scopes import clip_scope
from gui_utils.texture import FloatTexture
from gui_utils.tone import PictureView, ToneMap
from viz.canvas.placement import Area, Content, Placement
from viz.canvas.scene import Piece
from viz.gpu.handover import place
from viz.request import Picture


class CanvasPicture:
    """`draw` may be called for one picture after another; only what changed is uploaded and painted again. `scene` is told of it."""

    def __init__(self, scene: list[Piece]) -> None:
        self._scene = scene
        self._painter, self._values, self._mask = PicturePainter(), FloatTexture(), FloatTexture()
        self._uploaded: Picture | None = None

    def draw(
        self,
        picture: Picture,
        placement: Placement,
        tone: ToneMap,
        *,
        margins: bool,
        magnify: str,
        brightness: float,
        clip: Area | None = None,
    ) -> None:
        """Over the placement's area, or the part of it within `clip`."""
        if picture is not self._uploaded:  # a frame is uploaded once, whatever is drawn over it later
            place(self._values, picture)
            if picture.mask is not None:
                self._mask.upload(picture.mask.astype(np.float32))
            self._uploaded = picture
        area, scale = placement.area, imgui.get_io().display_framebuffer_scale.x or 1.0
        size = max(1, round(area.width * scale)), max(1, round(area.height * scale))
        content, mask = Content.of(picture, margins=margins), self._mask if picture.mask is not None else None
        self._painter.draw(self._values, PictureView(placement.source(content), size, tone, magnify, brightness), mask)
        lines = imgui.get_window_draw_list()
        with clip_scope(lines, *(clip or area).corners):
            lines.add_image(self._painter.ref, *area.corners)
        self._scene.append(Piece(self._values, mask, content, placement, tone, magnify, brightness, clip=clip))

    def delete(self) -> None:
        for part in (self._painter, self._values, self._mask):
            part.delete()
        self._uploaded = None
