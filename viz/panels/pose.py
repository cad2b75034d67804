"""Panel "Pose": moves and rotates the grid that the picture is computed on, undoes it on the result, and holds the learned pose."""

from __future__ import annotations

import math
from dataclasses import replace

from gui_utils.controls import Field, checkbox, combo, drag_float, section, slider_float, value_row
from gui_utils.libraries import imgui
from gui_utils.text import MISSING, number_text
from viz.canvas import gestures
from viz.panels import Panel, PanelContext
from viz.panels.parts import (
    FAST_PER_EM,
    NO_GRID,
    NO_NETWORK,
    SLOW_PER_EM,
    animate_row,
    columns,
    drag_button,
    reset_button,
    unit_note,
    wrapped_text,
)
from viz.pose_text import deformation
from viz.request import NetworkFacts
from viz.state import LearnedPose, Pose, RotateMotion, TranslateMotion, Unwarp, ViewState

MOVE = {
    "x": Field("Right", "Pose.x", "Moves the picture to the right by moving the input grid.", "widths", symbol="t_x", default=0.0,
               low=-gestures.FAR, high=gestures.FAR, decimals=4, speed=0.0005),
    "y": Field("Down", "Pose.y", "Moves the picture down by moving the input grid.", "widths", symbol="t_y", default=0.0,
               low=-gestures.FAR, high=gestures.FAR, decimals=4, speed=0.0005),
}  # fmt: skip
LIMIT = Field("Limit", "Pose.limit", "The network has not learned what lies farther from the middle, so the grid stops there.")
TURN = Field("Rotate", "Pose.turns", "Rotates the picture by rotating the input grid; positive is counter-clockwise.", "°", symbol="α",
             default=0.0, low=-180, high=180, decimals=2, speed=0.1)  # fmt: skip
SCALE = Field("Scale", "Pose.scale", "Enlarges the picture by enlarging the input grid, around its middle. The paper asks no network to "
              "follow that: it shows how far equivariance goes beyond movement and rotation.", "×", default=1.0, low=0.25, high=4,
              decimals=3, speed=0.005)  # fmt: skip
STRETCH = Field("Stretch", "Pose.stretch", "Width over height of what was square, at constant area: √a times as wide, 1/√a times as high. "
                "It comes before shear, scale and rotation.", "×", default=1.0, low=0.25, high=4, decimals=3,
                logarithmic=True)  # fmt: skip
SHEAR = Field("Shear", "Pose.shear", "Moves the top to the right and the bottom to the left, by this many heights for each height: "
              "x − k y, where y runs down.", "heights per height", default=0.0, low=-2, high=2, decimals=3,
              speed=0.003)  # fmt: skip
MIRROR = Field("Mirror", "Pose.mirror", "Swaps left and right, before everything else. A network whose convolutions and filters have no "
               "handedness (R: 1×1 and radial) draws the same picture mirrored; T need not.", default=False)  # fmt: skip
DRAG_MOVE = Field("Drag", "Pose.drag", "Press and drag to move, 0.02 image widths per pixel and em of the font.", "widths")
DRAG_MOVE_SLOWLY = Field("Drag slowly", "Pose.drag_slowly", "Press and drag to move, 50 times finer.", "widths")
DRAG_TURN = Field("Drag", "Pose.drag_turn", "Press and drag sideways to rotate, 0.02 turns per pixel and em of the font.", "turns")
DRAG_TURN_SLOWLY = Field("Drag slowly", "Pose.drag_turn_slowly", "Press and drag sideways to rotate, 50 times finer.", "turns")
ANIMATE_MOVE = Field("Animate", "TranslateMotion.on", "Moves along a spiral that ends in a circle of radius 0.1 around the middle.",
                     default=False)  # fmt: skip
MOVE_SPEED = Field("", "TranslateMotion.widths_per_s", "Speed of the movement.", "widths/s", default=0.01, low=0, high=0.5, decimals=3,
                   power=5)  # fmt: skip
ANIMATE_TURN = Field("Animate", "RotateMotion.on", "Rotates steadily.", default=False)
TURN_SPEED = Field("", "RotateMotion.turns_per_s", "Speed of the rotation; positive is counter-clockwise.", "turns/s", default=0.005,
                   low=-1, high=1, decimals=3, power=3)  # fmt: skip
SNAP = Field("Whole pixels", "Pose.snap", "Rounds the movement to whole pixels of the picture before it is used.", default=False)
UNWARP = Field("Untransform", "Unwarp.on", "Undoes the pose on the shown picture or layer, with a band-limiting filter. What "
               "an ideal network draws then stands still. Where nothing is known, the picture is dimmed.", default=False)  # fmt: skip
LEARNED = Field("Learned pose", "LearnedPose.mode", "The pose that the network derives from w: its own for each latent, that of the mean "
                "w (the point of view stays while the latent changes), none, or locked at what it is now, to be edited.",
                symbol="r_c, r_s, t_x, t_y", default="own")  # fmt: skip
LEARNED_MODES = {"own": "of each latent", "average": "of the mean w", "identity": "none", "fixed": "locked, to be edited"}
LOCKED = {
    "turns": Field("  turn", "LearnedPose.turns", "The rotation that replaces the learned one.", "°", symbol="r_c, r_s", default=0.0,
                   low=-180, high=180, decimals=2, speed=0.1),
    "x": Field("  right", "LearnedPose.x", "The movement in place of the learned one.", "widths", symbol="t_x", default=0.0,
               low=-gestures.FAR, high=gestures.FAR, decimals=4, speed=0.0005),
    "y": Field("  down", "LearnedPose.y", "The movement in place of the learned one.", "widths", symbol="t_y", default=0.0,
               low=-gestures.FAR, high=gestures.FAR, decimals=4, speed=0.0005),
}  # fmt: skip
LEARNED_NOW = Field("", "LearnedPose.now", "What the network derives from the current w: rotation, movement right and down.")
NOTED_EM = 15.0  # a narrower panel has no room for the pixels beside a coordinate
RESETS = (Pose, LearnedPose, Unwarp, TranslateMotion, RotateMotion)
RESET = Field("Reset", "Pose.reset", "No movement, rotation, deformation or animation; the network's own learned pose.")


def draw(state: ViewState, context: PanelContext) -> ViewState:
    facts = context.network
    reason = NO_NETWORK if facts is None else "" if facts.has_pose else NO_GRID
    state = _move(state, facts, reason)
    imgui.separator()
    state = _turn(state, facts, reason)
    state = _deform(state, reason)
    imgui.separator()
    state = state.edit(Unwarp, on=checkbox(UNWARP, state.get(Unwarp).on, disabled=reason))
    imgui.same_line(0, imgui.get_font_size())
    state = reset_button(state, RESET, *RESETS)
    state = _learned(state, context, reason)
    if reason:
        wrapped_text(reason)
    return state


def pixels_text(widths: float, facts: NetworkFacts | None) -> str:
    return MISSING if facts is None else number_text(widths * facts.resolution, "px", 1 if abs(widths * facts.resolution) >= 100 else 2)


def learned_text(pose: tuple[float, float, float, float] | None) -> str:
    """The learned pose (r_c, r_s, t_x, t_y) as rotation and movement; its forward matrix has the form of the user's."""
    if pose is None:
        return MISSING
    r_c, r_s, t_x, t_y = pose
    degrees = math.degrees(math.atan2(r_s, r_c))
    return f"{number_text(degrees, '°', 1)}   {number_text(t_x, decimals=3)}, {number_text(t_y, 'widths', 3)}"


def _move(state: ViewState, facts: NetworkFacts | None, reason: str) -> ViewState:
    state = _with_pixels(state, "x", facts, reason)
    state = _with_pixels(state, "y", facts, reason)
    em = imgui.get_font_size()
    dx, dy = drag_button(DRAG_MOVE, disabled=reason)
    imgui.same_line()
    slow_x, slow_y = drag_button(DRAG_MOVE_SLOWLY, disabled=reason)
    dx, dy = (dx * FAST_PER_EM + slow_x * SLOW_PER_EM) / em, (dy * FAST_PER_EM + slow_y * SLOW_PER_EM) / em
    if dx or dy:
        state = gestures.translate(state, dx, dy, facts)
    motion = state.get(TranslateMotion)
    on, speed = animate_row(ANIMATE_MOVE, MOVE_SPEED, motion.on, motion.widths_per_s, disabled=reason)
    state = state.edit(TranslateMotion, on=on, widths_per_s=speed)
    state = state.edit(Pose, snap=checkbox(SNAP, state.get(Pose).snap, disabled=reason))
    if facts is not None and facts.translation_limit is not None:
        value_row(LIMIT, number_text(facts.translation_limit, "widths", 2))
    return state


def _with_pixels(state: ViewState, axis: str, facts: NetworkFacts | None, reason: str) -> ViewState:
    """One coordinate in image widths, with its pixels beside it."""
    pose = state.get(Pose)
    value = getattr(pose, axis)
    noted = imgui.get_content_region_avail().x > NOTED_EM * imgui.get_font_size()
    with columns(f"pose.{axis}", (0, 4.5) if noted else (0,)) as visible:
        if not visible:
            return state
        imgui.table_next_column()
        new = drag_float(MOVE[axis], value, disabled=reason)
        if noted:
            imgui.table_next_column()
            unit_note(pixels_text(value, facts))
    return state if new == value else state.put(gestures.limited(replace(pose, **{axis: new}), facts))


def _turn(state: ViewState, facts: NetworkFacts | None, reason: str) -> ViewState:
    degrees = state.get(Pose).turns * 360
    new = drag_float(TURN, degrees, disabled=reason)
    if new != degrees:
        state = state.edit(Pose, turns=new / 360)
    em = imgui.get_font_size()
    dx, _ = drag_button(DRAG_TURN, disabled=reason)
    imgui.same_line()
    slow_x, _ = drag_button(DRAG_TURN_SLOWLY, disabled=reason)
    if dx or slow_x:
        state = gestures.rotate(state, (dx * FAST_PER_EM + slow_x * SLOW_PER_EM) / em, facts)
    motion = state.get(RotateMotion)
    on, speed = animate_row(ANIMATE_TURN, TURN_SPEED, motion.on, motion.turns_per_s, disabled=reason)
    return state.edit(RotateMotion, on=on, turns_per_s=speed)


def _deform(state: ViewState, reason: str) -> ViewState:
    pose = state.get(Pose)
    state = state.edit(Pose, scale=drag_float(SCALE, pose.scale, disabled=reason))
    title = ", ".join(deformation(replace(pose, scale=1.0))) or "Stretch, shear, mirror"
    with section(f"{title}###Pose.deform", opened=False) as opened:
        if not opened:
            return state
        stretch, shear = slider_float(STRETCH, pose.stretch, disabled=reason), slider_float(SHEAR, pose.shear, disabled=reason)
        return state.edit(Pose, stretch=stretch, shear=shear, mirror=checkbox(MIRROR, pose.mirror, disabled=reason))


def _learned(state: ViewState, context: PanelContext, reason: str) -> ViewState:
    mode = combo(LEARNED, state.get(LearnedPose).mode, LEARNED_MODES, disabled=reason)
    learned = context.frame.learned_pose if context.frame else None
    if mode == "fixed" != state.get(LearnedPose).mode:
        state = state.put(locked(learned))
    value_row(replace(LEARNED_NOW, label="  from w"), learned_text(learned))
    if mode != "fixed":
        return state if mode == state.get(LearnedPose).mode else state.put(LearnedPose(mode))
    now = state.get(LearnedPose)
    degrees = now.turns * 360
    new = drag_float(LOCKED["turns"], degrees, disabled=reason)
    x, y = (drag_float(LOCKED[axis], getattr(now, axis), disabled=reason) for axis in ("x", "y"))
    return state.edit(LearnedPose, x=x, y=y, turns=now.turns if new == degrees else new / 360)


def locked(learned: tuple[float, float, float, float] | None) -> LearnedPose:
    """The pose that the network derives from the current w, held fast."""
    r_c, r_s, t_x, t_y = learned or (1.0, 0.0, 0.0, 0.0)
    return LearnedPose("fixed", math.atan2(r_s, r_c) / math.tau, t_x, t_y)


PANEL = Panel("Pose", "left", 40, draw)
