"""Chords that are tapped faster than a frame is drawn.

Dear ImGui looks at the modifiers once a frame. Where Ctrl goes up among the same events in which Z went down, it sees Z alone: Ctrl+Z does
nothing, and Shift+C is taken for C. So the release of a modifier, and what comes after it, waits for the frame that sees the key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gui_utils.libraries import glfw, imgui

MODIFIERS = frozenset(range(glfw.KEY_LEFT_SHIFT, glfw.KEY_RIGHT_SUPER + 1))

Event = tuple[int, int, int, int]  # key, scancode, action, modifiers, as GLFW tells them


class Chords:
    """Between GLFW's keys and `pass_on`. Tell it of every frame."""

    def __init__(self, pass_on: Callable[[Event], None]) -> None:
        self._pass_on = pass_on
        self._pressed = False  # a key that is no modifier, since the last frame
        self._waiting: list[Event] = []

    def key(self, event: Event) -> None:
        key, _, action, _ = event
        if self._waiting or (self._pressed and action == glfw.RELEASE and key in MODIFIERS):
            self._waiting.append(event)
            return
        self._pressed |= action == glfw.PRESS and key not in MODIFIERS
        self._pass_on(event)

    def frame_drawn(self) -> bool:
        """Whether there was something that waited for it, so that another frame is due."""
        waiting, self._waiting, self._pressed = self._waiting, [], False
        for event in waiting:
            self.key(event)
        return bool(waiting)


def install(handle: Any, address: int, touched: Callable[[], None]) -> Chords:
    """In place of the callback that Dear ImGui's backend has set for this window. None may have been set before: the backend would call it
    although the `glfw` module has let go of it.
    """
    chords = Chords(lambda event: imgui.backends.glfw_key_callback(address, *event))

    def key(_: Any, *event: int) -> None:
        touched()
        chords.key((event[0], event[1], event[2], event[3]))

    glfw.set_key_callback(handle, key)
    return chords
