"""The output window: what the canvas shows, alone, in a window of its own for a projector or a second display.

The pictures are painted anew at its size, from the values that the canvas has on the GPU already; nothing is uploaded or computed twice.
It is drawn only when what it shows has changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gui_utils import monitors
from gui_utils.composition import Composition, Part, Rect
from gui_utils.errors import WindowError
from gui_utils.output_window import OutputWindow
from gui_utils.picture import PicturePainter
from gui_utils.tone import PictureView
from viz.canvas.placement import Area, Placement
from viz.canvas.scene import Piece, cell_of, cells, clipped, elsewhere
from viz.state import CompareView, View

if TYPE_CHECKING:
    from viz.app import App

TITLE = "Output – alias-free visualizer"
BLACK = (0.0, 0.0, 0.0)
LINE_PX, LINE_GREY = 2, 0.9  # of the wipe


class Output:
    """Attached to the application; `window` is None while it is closed."""

    def __init__(self) -> None:
        self.window: OutputWindow | None = None
        self._painters: list[PicturePainter] = []
        self._composition = Composition()
        self._composed: tuple[object, ...] = ()  # what the texture shows
        self._texture = 0
        self._begun = False

    def toggle(self, app: App) -> None:
        """Closes it, or opens it as it was last: on a monitor only where that leaves another one for the panels."""
        if self.window is not None:
            self._shut(app)
        else:
            self.open(app, app.settings.output_monitor if len(monitors.monitors()) > 1 else "")

    def open(self, app: App, monitor: str) -> None:
        """Full screen on this monitor, by number or part of its name; "" is a plain window."""
        try:
            self.window = OutputWindow(app.window, TITLE, (app.settings.output_width, app.settings.output_height))
        except WindowError as e:
            app.toasts.add("error", f"The output window cannot be opened: {e}.")
            return
        if monitor and (found := monitors.named(monitor)):
            self.window.fill(found)
        elif monitor:
            app.toasts.add("warning", f"There is no monitor {monitor}, so the output is a plain window. Monitors: {monitors.listed()}.")

    def each_frame(self, app: App) -> None:
        """Between two frames: what happened to the window."""
        if not self._begun:
            self._begun = True
            if app.options.output is not None:
                self.open(app, app.options.output)
            elif app.settings.output:
                self.toggle(app)
        if self.window is not None and self.window.should_close:
            self._shut(app)
        if self.window is not None:
            if lost := self.window.lost_monitor():
                app.toasts.add("warning", f"The monitor {lost} has gone, so the output is a plain window.")
            self._remember(app)

    def draw(self, app: App) -> None:
        """After the canvas. The border to a second graphics context: what fails there ends the output and nothing else."""
        if self.window is None or app.canvas.trouble or 0 in (size := self.window.framebuffer_size):
            return
        try:
            self._show(app, self.window, size)
        except Exception as e:
            self._shut(app)
            app.toasts.add("error", f"The output window was closed: {type(e).__name__}: {e}")

    def close(self) -> None:
        window, self.window = self.window, None
        if window is not None:
            window.close()
        for each in (*self._painters, self._composition):
            each.delete()
        self._painters, self._composed = [], ()

    def _shut(self, app: App) -> None:
        self._remember(app)
        self.close()
        app.change_settings(output=False)

    def _remember(self, app: App) -> None:
        assert self.window is not None
        now = replace(app.settings, output=True, output_monitor=self.window.monitor).with_output(self.window.plain_size)
        if now != app.settings:  # else they stay the same object, by which others see that nothing has changed
            app.settings = now

    # ------------------------------------------------------------------------------------------------ drawing

    def _show(self, app: App, window: OutputWindow, size: tuple[int, int]) -> None:
        parts = self._parts(app, size)
        composed = (size, parts, tuple(painter.passes for painter in self._painters))
        if composed != self._composed:
            self._texture, self._composed = self._composition.draw(size, parts), composed
            window.exposed = True
        if window.exposed:
            window.show(self._texture, size)

    def _parts(self, app: App, size: tuple[int, int]) -> list[Part]:
        """Paints what the canvas has drawn, at this size."""
        canvas, view = app.canvas, app.state.get(View)
        while len(self._painters) > len(canvas.scene):
            self._painters.pop().delete()
        if canvas.placement is None or canvas.content is None:
            return []
        areas = (canvas.placement.area, *canvas.comparison.areas.values())
        places = cells(len(areas), app.state.get(CompareView).columns, size)
        parts: list[Part] = []
        for i, piece in enumerate(canvas.scene):
            there = elsewhere(piece.placement, view, canvas.content, places[cell_of(piece, areas)])
            if i == len(self._painters):
                self._painters.append(PicturePainter())
            parts += _painted(self._painters[i], piece, there, clipped(piece, there))
        return parts


def _painted(painter: PicturePainter, piece: Piece, there: Placement, clip: Area) -> list[Part]:
    """The piece within its part, and the line before it where that begins inside a picture."""
    x, y, width, height = _rect(there.area)
    shown = PictureView(there.source(piece.content), (width, height), piece.tone, piece.magnify, piece.brightness, BLACK)
    painter.draw(piece.values, shown, piece.mask)
    part = Part(painter.name, (x, y), _rect(clip), piece.opacity)
    if clip.x == there.area.x:
        return [part]
    return [part, Part(0, (0, 0), (max(0, round(clip.x) - LINE_PX // 2), y, LINE_PX, height), grey=LINE_GREY)]


def _rect(area: Area) -> Rect:
    return round(area.x), round(area.y), round(area.width), round(area.height)
