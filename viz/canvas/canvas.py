"""The canvas: shows a frame's picture with our own resampling, and turns drags on it into an edited state."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from gui_utils import theme
from gui_utils.errors import TextureError
from gui_utils.libraries import imgui
from gui_utils.scopes import clip_scope, recovering
from gui_utils.shader import ShaderError
from gui_utils.text import signed_text
from gui_utils.texture import Pool
from gui_utils.tone import ToneMap
from viz.canvas import drag_points, gestures
from viz.canvas.badge import badge_text, draw_badge
from viz.canvas.comparison import CanvasCompare, drag_divider, on_divider
from viz.canvas.contact_sheet import measured
from viz.canvas.cursor import share_cursor
from viz.canvas.overlay import NOT_KEPT, CanvasOverlay, keep_first, laid_over, mixed, value_under
from viz.canvas.picture import CanvasPicture
from viz.canvas.placement import Area, Content, Placement, Probe, beside, pan, place, probe, zoom_at
from viz.canvas.sample_values import draw_sample_values
from viz.canvas.scene import Piece
from viz.canvas.snapping import Rest, chosen_snap
from viz.compare.compare import compared, own_values
from viz.panels import PanelContext
from viz.pose_text import deformation
from viz.request import Frame, NetworkFacts, OverlayImage, Picture
from viz.state import Channels, OverlayView, Pose, Slice, Tone, View, ViewState

RING_POINTS = 96
MOST_FREE = 0.5  # of the area's height, for what stands at its foot
STALE_BRIGHTNESS = 0.4  # of the last good picture while an error stands over it


@dataclass
class Gesture:
    """The drag in progress: what it does, and where the mouse was a frame ago."""

    kind: str  # "walk" | "translate" | "rotate" | "pan" | "slice start" | "slice end" | "slice line" | "divider" | "point ..."
    last: tuple[float, float]
    rest: Rest = field(default_factory=Rest)
    over: Probe | None = None  # what it began on, until it has become a drag
    start: tuple[float, float] = (0.0, 0.0)
    button: int = 0


class Canvas:
    """Owns the GL objects of the picture. `draw` is called inside the picture's ImGui window, once a frame."""

    def __init__(self) -> None:
        self.scene: list[Piece] = []  # what was drawn last, in order
        self._picture = CanvasPicture(self.scene)
        self.comparison = CanvasCompare(self.scene)
        self.gesture: Gesture | None = None
        self.placement: Placement | None = None
        self.content: Content | None = None
        self.probe: Probe | None = None
        self.kept_free = self.foot = 0.0  # asked for at the foot of the picture's area, for what stands there; and what of it was given
        self.trouble = ""  # why the picture could not be drawn; "" while it can
        self.overlays = Pool()  # the one that is drawn over the picture; given back when none has been for a while
        self.overlay_image: OverlayImage | None = None
        self.overlay_probe: tuple[float, ...] | None = None

    def draw(self, state: ViewState, context: PanelContext, frame: Frame | None) -> ViewState:
        """Draws the picture of `frame` (the last good one) over all the space left and handles the mouse."""
        area = _area()
        self.foot = min(self.kept_free, MOST_FREE * area.height)
        area = replace(area, height=area.height - self.foot)
        imgui.invisible_button("canvas", (area.width, area.height), _ALL_BUTTONS)
        hovered, active = imgui.is_item_hovered(), imgui.is_item_active()
        picture = frame.picture if frame else None
        self.probe = self.overlay_probe = None
        self.scene.clear()
        if picture is None or frame is None or frame.network is None:
            self.gesture = None
            return state
        view = state.get(View)
        self.content = Content.of(picture, margins=view.margins)
        self.placement = place(view, self.comparison.arrange(state, frame, area), self.content, frame.network.resolution)
        self.trouble = ""
        self.overlay_image = laid_over(state, frame)
        try:
            with recovering():
                self._paint(picture, state, context, frame)
                if self.overlay_image is not None:
                    overlay = self.overlays.get("overlay", lambda: CanvasOverlay(self.scene))
                    overlay.draw(self.overlay_image, state.get(OverlayView), self.placement, framebuffer_scale(), view.magnify)
        except Exception as e:  # the border to the graphics driver; the next frame tries again
            why = str(e) if isinstance(e, TextureError | ShaderError) else f"{type(e).__name__}: {e or 'there is no memory left'}"
            self.trouble = f"The picture cannot be drawn: {why}."
        self.overlays.end_frame()
        self._decorate(picture, state, frame, hovered)
        if state.get(View).gizmo and not picture.grid and frame.network.has_pose and not drag_points.placing(state):
            self._other_gizmos(state, frame, hovered)
        mouse = self.mouse()
        if compared(state):
            self.comparison.read(frame, self.placement, mouse, margins=view.margins)
            if hovered:
                self.comparison.crosshair(self.placement, mouse, _mouse())
        if hovered and self.gesture is None:
            self.probe = probe(picture, self.placement, self.content, *mouse)
            if self.overlay_image is not None:
                self.overlay_probe = value_under(self.overlay_image, self.placement, *mouse)
        share_cursor(self, context, picture)
        return self._handle(state, context, mouse, hovered, active)

    def delete(self) -> None:
        for part in (self._picture, self.comparison, self.overlays):
            part.delete()

    # ---------------------------------------------------------------------------------------------- drawing

    def mouse(self) -> tuple[float, float]:
        """The cursor in the first view, also while it is over another."""
        if self.placement is None:
            return _mouse()
        return self.comparison.map_mouse(_mouse(), self.placement.area, held=self.gesture is not None)

    def _paint(self, picture: Picture, state: ViewState, context: PanelContext, frame: Frame) -> None:
        assert self.placement is not None
        placement, view, tone = self.placement, state.get(View), tone_map_of(state.get(Tone))
        error = context.frame is not None and context.frame.error is not None
        brightness = STALE_BRIGHTNESS if error else 1.0

        def paint(clip: Area | None) -> None:
            self._picture.draw(picture, placement, tone, margins=view.margins, magnify=view.magnify, brightness=brightness, clip=clip)

        if compared(state):
            self.comparison.draw(state, frame, placement, tone, paint)
        else:
            paint(None)

    def _decorate(self, picture: Picture, state: ViewState, frame: Frame, hovered: bool) -> None:
        assert self.placement is not None and self.content is not None and frame.network is not None
        lines = imgui.get_window_draw_list()
        area = self.placement.area
        with clip_scope(lines, *area.corners):
            if picture.grid:
                self._sheet_labels(lines, picture, measured(frame))
            else:
                if self.content.width != self.content.sampling_rate:  # a layer with margins: show where the image lies
                    _rectangle(lines, self.placement, (-0.5, -0.5, 0.5, 0.5), theme.packed(theme.ACCENT, 0.8))
                if state.get(View).gizmo and frame.network.has_pose and not drag_points.placing(state):
                    self._gizmo(lines, self.placement, state, hovered)
                if state.get(Slice).placed:
                    self._scan_line(lines, state.get(Slice))
                if drag_points.visible(state):
                    drag_points.draw(lines, self.placement, state, frame, self.gesture, self.mouse() if hovered else None)
            if self.overlay_image is None and not mixed(state):
                draw_sample_values(lines, picture, self.placement, self.content, margins=state.get(View).margins)
            altered = "" if compared(state) else badge_text(frame)  # else the captions say it
            draw_badge("\n".join(filter(None, (altered, keep_first(state, frame) and NOT_KEPT))), area)

    def _other_gizmos(self, state: ViewState, frame: Frame, hovered: bool) -> None:
        """The handles once more over the views beside that follow the same pose."""
        assert self.placement is not None
        for number, area in self.comparison.areas.items():
            other = frame.others[number].frame.network if number in frame.others else None
            if other is None or not other.has_pose or own_values(state, number).own_pose:
                continue
            lines = imgui.get_window_draw_list()
            with clip_scope(lines, *area.corners):
                self._gizmo(lines, replace(self.placement, area=area), state, hovered)

    def _gizmo(self, lines: imgui.ImDrawList, placement: Placement, state: ViewState, hovered: bool) -> None:
        """Ring = rotate, centre = translate. There while the mouse is over the picture; faint until it is near, to hide nothing."""
        assert self.placement is not None
        pose, em = state.get(Pose), imgui.get_font_size()
        dragging = self.gesture.kind if self.gesture else ""
        part = gestures.grip(self.placement, pose, self.mouse(), em) if hovered and not dragging else ""
        if not (pose.moved or (hovered and not dragging) or dragging in ("rotate", "translate")):
            return
        cx, cy = placement.to_screen(pose.x, pose.y)
        ring = theme.packed(theme.ACCENT, 0.95 if dragging == "rotate" or part == "ring" else 0.35)
        center = theme.packed(theme.ACCENT, 0.95 if dragging == "translate" or part == "center" else 0.45)
        angles = (math.tau * i / RING_POINTS for i in range(RING_POINTS))
        points = [placement.to_screen(pose.x + x, pose.y + y) for x, y in (gestures.on_ring(pose, angle) for angle in angles)]
        hx, hy = points[0]
        shadow = theme.packed((0, 0, 0), 0.45)
        for tint, width in ((shadow, theme.px(3.5)), (ring, theme.px(1.5))):
            lines.add_polyline([imgui.ImVec2(*point) for point in points], tint, width, imgui.ImDrawFlags_.closed.value)
            lines.add_line((cx, cy), (hx, hy), tint, width)
        lines.add_circle_filled((hx, hy), 0.35 * em, ring)
        lines.add_circle((cx, cy), 0.55 * em, shadow, 0, theme.px(3.5))
        lines.add_circle((cx, cy), 0.55 * em, center, 0, theme.px(1.5))
        if dragging in ("rotate", "translate") or part:
            x, y = signed_text(pose.x, decimals=3), signed_text(pose.y, "widths", decimals=3)
            text = "   ".join((signed_text(pose.turns * 360, "°"), f"{x}, {y}", *deformation(pose)))
            at = beside(cx, cy, imgui.calc_text_size(text).x, placement.area, em, below=hy < cy - 0.1 * em)  # off the spoke
            theme.shadowed_text(lines, at, text)

    def _scan_line(self, lines: imgui.ImDrawList, line: Slice) -> None:
        """The pixels that the slice is made of; both ends and the line can be dragged."""
        assert self.placement is not None
        em = imgui.get_font_size()
        ends = self.placement.to_screen(line.x0, line.y0), self.placement.to_screen(line.x1, line.y1)
        for tint, width in ((theme.packed((0, 0, 0), 0.6), theme.px(4.0)), (theme.packed(theme.WARNING, 0.95), theme.px(2.0))):
            lines.add_line(*ends, tint, width)
        for end in ends:
            lines.add_circle_filled(end, 0.45 * em, theme.packed((0, 0, 0), 0.6))
            lines.add_circle_filled(end, 0.35 * em, theme.packed(theme.WARNING, 0.95))

    def _sheet_labels(self, lines: imgui.ImDrawList, picture: Picture, words: tuple[str, ...]) -> None:
        assert self.placement is not None and self.content is not None
        rate = self.content.sampling_rate
        width, height = picture.cell[0] / rate, picture.cell[1] / rate
        left, top = -self.content.width / rate / 2, -self.content.height / rate / 2
        for i, channel in enumerate(picture.channels):
            x, y = left + i % picture.grid * width, top + i // picture.grid * height
            _rectangle(lines, self.placement, (x, y, x + width, y + height), theme.packed((0.5, 0.5, 0.5), 0.5))
            if width * self.placement.scale > 2.2 * imgui.get_font_size():
                sx, sy = self.placement.to_screen(x, y)
                note = picture.notes[i] if picture.notes else ""
                fits = note and _fits(note, width * self.placement.scale)
                theme.shadowed_text(lines, (sx + 3, sy + 2), f"{channel}  {note}" if fits else str(channel))
                size = imgui.calc_text_size(words[i])
                if size.x + 6 <= width * self.placement.scale and 2 * size.y + 6 <= height * self.placement.scale:
                    theme.shadowed_text(lines, (sx + 3, sy + height * self.placement.scale - size.y - 3), words[i])

    # ---------------------------------------------------------------------------------------------- the mouse

    def _handle(self, state: ViewState, context: PanelContext, mouse: tuple[float, float], hovered: bool, active: bool) -> ViewState:
        assert self.placement is not None
        resolution = context.network.resolution if context.network else 1
        io = imgui.get_io()
        if hovered and io.mouse_wheel and not io.key_ctrl:
            state = state.put(zoom_at(state.get(View), self.placement, resolution, io.mouse_wheel, *mouse))
        if hovered and imgui.is_mouse_double_clicked(0):
            view = state.get(View)
            if self.gesture is None or self.gesture.kind in ("walk", "pan"):
                state = state.put(replace(view, zoom=0.0, center_x=0.0, center_y=0.0))
        if active and self.gesture is None:
            kind, button = self._kind(state, context, mouse), int(imgui.is_mouse_down(1))
            self.gesture = Gesture(kind, mouse, over=self.probe, start=mouse, button=button)
        if not active:
            state, self.gesture = self._clicked(state, context.network), None
        if self.gesture is None:
            return state
        before, self.gesture.last = self.gesture.last, mouse
        self.gesture.over = None if imgui.is_mouse_dragging(self.gesture.button) else self.gesture.over
        return state if mouse == before else self._drag(state, context, before, mouse)

    def _clicked(self, state: ViewState, facts: NetworkFacts | None) -> ViewState:
        """A click on one channel of the contact sheet: that channel alone; with the right button it is turned off, or on again."""
        if self.gesture is not None and self.gesture.kind.startswith("remove "):
            return drag_points.removed(state, self.gesture.kind)
        over = self.gesture.over if self.gesture is not None and (self.gesture.kind == "walk" or self.gesture.button) else None
        if over is None or self.gesture is None or state.get(Channels).mode != "sheet":
            return state
        if self.gesture.button:
            return gestures.turn_off(state, over.channels, facts)
        return state.edit(Channels, mode="single", first=over.channels[0])

    def _kind(self, state: ViewState, context: PanelContext, mouse: tuple[float, float]) -> str:
        io = imgui.get_io()
        has_pose = context.network is not None and context.network.has_pose
        assert self.placement is not None
        if on_divider(state, self.placement, mouse) and imgui.is_mouse_down(0):
            return "divider"
        if imgui.is_mouse_down(2) or imgui.is_key_down(imgui.Key.space):
            return "pan"
        if point := drag_points.gesture_kind(state, self.placement, context.network, mouse):
            return point
        if imgui.is_mouse_down(1):
            return "translate" if has_pose else "none"
        if io.key_alt:
            return "rotate" if has_pose else "none"
        if state.get(Slice).placed and state.get(Channels).mode != "sheet":
            part = gestures.grip_line(self.placement, state.get(Slice), mouse, imgui.get_font_size())
            if part:
                return f"slice {part}"
        if has_pose and state.get(View).gizmo and state.get(Channels).mode != "sheet":
            part = gestures.grip(self.placement, state.get(Pose), mouse, imgui.get_font_size())
            if part:
                return "rotate" if part == "ring" else "translate"
        return "walk"

    def _drag(self, state: ViewState, context: PanelContext, before: tuple[float, float], after: tuple[float, float]) -> ViewState:
        assert self.gesture is not None and self.placement is not None
        dx, dy = after[0] - before[0], after[1] - before[1]
        match self.gesture.kind:
            case "pan":
                resolution = context.network.resolution if context.network else 1
                return state.put(pan(state.get(View), self.placement, resolution, dx, dy))
            case "translate" | "rotate":
                return self._drag_pose(state, context.network, before, after)
            case "divider":
                return drag_divider(state, self.placement, after[0])
            case "walk":
                return gestures.walk(state, dx, dy, context.em)
            case "slice start" | "slice end" | "slice line" as kind:
                part = kind.removeprefix("slice ")
                return gestures.drag_line(state, part, dx / self.placement.scale, dy / self.placement.scale)
            case kind if kind.startswith("point "):
                return drag_points.drag(state, self.placement, context.network, self.gesture, (before, after))
        return state

    def _drag_pose(
        self, state: ViewState, facts: NetworkFacts | None, before: tuple[float, float], after: tuple[float, float]
    ) -> ViewState:
        """Moves or turns the grid with the mouse; where it snaps, the gesture keeps how far the mouse has gone on."""
        assert self.gesture is not None and self.placement is not None
        shown, scale, io = state.get(Pose), self.placement.scale, imgui.get_io()
        free, snap = state.put(self.gesture.rest.added(shown)), chosen_snap(ctrl=io.key_ctrl, shift=io.key_shift)
        if self.gesture.kind == "rotate":
            free = gestures.rotate(free, gestures.angle_between(self.placement, shown, before, after), facts)
            new = snap.turned(free.get(Pose)) if snap else free.get(Pose)
        else:
            free = gestures.translate(free, (after[0] - before[0]) / scale, (after[1] - before[1]) / scale, facts)
            new = snap.moved(free.get(Pose), facts) if snap else free.get(Pose)
        self.gesture.rest = Rest.between(free.get(Pose), new)
        return state.put(new)


_ALL_BUTTONS = (
    imgui.ButtonFlags_.mouse_button_left.value | imgui.ButtonFlags_.mouse_button_right.value | imgui.ButtonFlags_.mouse_button_middle.value
)


def tone_map_of(tone: Tone) -> ToneMap:
    return ToneMap.from_db(tone.gain_db, offset=tone.offset, signed=tone.signed, colormap=tone.colormap)


def framebuffer_scale() -> float:
    return imgui.get_io().display_framebuffer_scale.x or 1.0


def _area() -> Area:
    """The space left in the window, on the framebuffer's pixel grid so that 1:1 is exact."""
    at, size, scale = imgui.get_cursor_screen_pos(), imgui.get_content_region_avail(), framebuffer_scale()
    x, y = round(at.x * scale) / scale, round(at.y * scale) / scale
    imgui.set_cursor_screen_pos((x, y))
    return Area(x, y, max(1.0, int(size.x * scale) / scale), max(1.0, int(size.y * scale) / scale))


def _mouse() -> tuple[float, float]:
    at = imgui.get_io().mouse_pos
    return at.x, at.y


def _rectangle(lines: imgui.ImDrawList, placement: Placement, rect: tuple[float, float, float, float], tint: int) -> None:
    a, b = placement.to_screen(rect[0], rect[1]), placement.to_screen(rect[2], rect[3])
    lines.add_rect(a, b, theme.packed((0, 0, 0), 0.5), 0, theme.px(3.0))
    lines.add_rect(a, b, tint, 0, theme.px(1.0))


def _fits(note: str, width: float) -> bool:
    """Whether a cell of a contact sheet has room for its number and a word."""
    return imgui.calc_text_size(note).x + 3 * imgui.get_font_size() < width
