"""Panel "Timeline": keyframes over every control; play, edit, export."""

from __future__ import annotations

from dataclasses import replace

from gui_utils.controls import Field, button, combo, drag_float, input_float, toggle
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import item_width
from viz.export.film import Film
from viz.panels import Panel, PanelContext
from viz.panels.export_rows import NOTHING, export_rows
from viz.panels.parts import beside, wrapped_text
from viz.panels.timeline_strip import strip
from viz.state import ViewState
from viz.timeline import paths, timeline
from viz.timeline.easing import EASINGS
from viz.timeline.timeline import Keyframe

PLAY = Field(icons.ICON_FA_PLAY, "Timeline.play", "Plays the timeline from the playhead on.", default=False)
BACK = Field(icons.ICON_FA_BACKWARD, "Timeline.backwards", "Plays it backwards.", default=False)
LOOP = Field("Loop", "Timeline.loop", "Starts again at the end.", default=False)
ADD = Field("Add", "Timeline.add", "Puts a keyframe with what is on screen at the playhead (replaces one that stands there).")
COPY = Field(icons.ICON_FA_COPY, "Timeline.duplicate", "Copies the selected keyframe to the playhead.")
DELETE = Field(icons.ICON_FA_TRASH, "Timeline.delete", "Takes the selected keyframe away.")
REVERSE = Field("Reverse", "Timeline.reverse", "Reverses the whole timeline.")
UNDO = Field(icons.ICON_FA_ARROW_ROTATE_LEFT, "Timeline.undo", "Takes back the last change of the timeline.")
REDO = Field(icons.ICON_FA_ARROW_ROTATE_RIGHT, "Timeline.redo", "Makes the change again.")
TIME = Field("", "Timeline.time", "When the selected keyframe is shown.", "s", high=86400, decimals=3)
EASING = Field("", "Timeline.easing", "How values go from the selected keyframe to the next. Spline passes through the neighbours without "
               "a kink; hold waits and jumps.", default="linear")  # fmt: skip
SHORT_WAY = Field("Short way", "Timeline.short_way", "Angles turn the short way round to the next keyframe. Off: as they are, also "
                  "whole turns.", default=True)  # fmt: skip
PRESET = Field("", "Timeline.preset", "A ready-made path that starts at what is on screen; it replaces the timeline.", default="")
SECONDS = Field("", "Timeline.seconds", "Length of a ready-made path.", "s", default=4.0, low=0.1, high=600, decimals=1, speed=0.05)
CLOSING = Field("", "Timeline.closing_s", "Time from the last keyframe back to the first. 0: the last one is the first again.", "s",
                default=0.0, high=600, decimals=2, speed=0.02)  # fmt: skip
FPS = Field("", "Timeline.fps", "Frames a second of exported films.", "fps", default=30.0, low=1, high=240, decimals=1, speed=0.2)
EMPTY = "Add a keyframe, change anything, move the playhead and add another; or choose a ready-made path."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    film = context.film
    _transport(state, film)
    state = _ready_made(state, context)
    state = strip(state, context)
    if film.timeline.keyframes:
        _selected(film)
    else:
        wrapped_text(EMPTY)
    export_rows(state, context)
    film.note(in_gesture=imgui.is_any_item_active())
    return state


def _transport(state: ViewState, film: Film) -> None:
    line, nothing = film.timeline, "" if film.timeline.keyframes else NOTHING
    forwards, back = film.playing and not film.backwards, film.playing and film.backwards
    if (pressed := toggle(replace(PLAY, label=icons.ICON_FA_PAUSE) if forwards else PLAY, forwards, disabled=nothing)) != forwards:
        film.play() if pressed else _stop(film)
    beside(BACK)
    if (pressed := toggle(BACK, back, disabled=nothing)) != back:
        film.play(backwards=True) if pressed else _stop(film)
    beside(LOOP)
    if (loop := toggle(LOOP, line.loop)) != line.loop:
        film.edit(replace(line, loop=loop))
    _keyframe_buttons(state, film, nothing)
    beside(UNDO)
    if button(UNDO, disabled="" if film.past else "There is nothing to undo."):
        film.undo()
    beside(REDO)
    if button(REDO, disabled="" if film.future else "There is nothing to redo."):
        film.redo()


def _keyframe_buttons(state: ViewState, film: Film, nothing: str) -> None:
    """`nothing` says why there is none to change."""
    beside(ADD)
    if button(ADD):
        film.edit(timeline.add(film.timeline, Keyframe(film.time_s, state)))
        film.selected = min(range(len(film.timeline.keyframes)), key=lambda i: abs(film.timeline.keyframes[i].time_s - film.time_s))
    for field, change in (
        (COPY, lambda line: timeline.duplicate(line, film.selected, film.time_s)),
        (DELETE, lambda line: timeline.delete(line, film.selected)),
        (REVERSE, timeline.reverse),
    ):
        beside(field)
        if button(field, disabled=nothing):
            film.edit(change(film.timeline))


def _stop(film: Film) -> None:
    film.playing = False


def _ready_made(state: ViewState, context: PanelContext) -> ViewState:
    film, line = context.film, context.film.timeline
    seconds_s = context.scratch.get("timeline.seconds", SECONDS.default)
    with item_width(7.5):
        name = combo(PRESET, "", {"": "Ready-made", **paths.TITLES})
    beside(4)
    with item_width(4):
        context.scratch["timeline.seconds"] = drag_float(SECONDS, seconds_s)
    beside(5)
    with item_width(5):
        if (fps := drag_float(FPS, line.fps)) != line.fps:
            film.edit(replace(line, fps=fps))
    if line.loop:
        beside(7.0)
        with item_width(4.5):
            if (closing_s := drag_float(CLOSING, line.closing_s)) != line.closing_s:
                film.edit(replace(line, closing_s=closing_s))
        imgui.same_line()
        imgui.text_unformatted("back")
    if name:
        film.edit(paths.ready_made(name, state, seconds_s, line.fps))
        film.selected = 0
        return film.seek(state, 0.0)
    return state


def _selected(film: Film) -> None:
    line, index = film.timeline, film.selected
    keyframe = line.keyframes[index]
    imgui.align_text_to_frame_padding()
    imgui.text_unformatted(f"{index + 1} of {len(line.keyframes)}")
    beside(5.5)
    with item_width(5.5):
        time_s = input_float(TIME, keyframe.time_s)
    beside(5.5)
    with item_width(5.5):
        easing = combo(EASING, keyframe.easing, tuple(EASINGS))
    beside(SHORT_WAY)
    short_way = toggle(SHORT_WAY, keyframe.short_way)
    if (easing, short_way) != (keyframe.easing, keyframe.short_way):
        film.edit(timeline.change(line, index, easing=easing, short_way=short_way))
    if time_s != keyframe.time_s:
        move(film, index, time_s)


def move(film: Film, index: int, time_s: float) -> None:
    """Moves a keyframe and keeps it selected."""
    before = film.timeline
    moved = timeline.move(before, index, time_s)
    if moved is not before:
        others = [k for i, k in enumerate(before.keyframes) if i != index]
        film.timeline = moved
        film.selected = sum(k.time_s < max(0.0, time_s) for k in others)


PANEL = Panel("Timeline", "bottom", 80, draw, workspaces=(1, 5, 6))
