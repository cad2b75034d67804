"""Carries out the keyboard table with Dear ImGui's keys. While text is typed, or a menu is open, keys belong to that."""

from __future__ import annotations

from functools import cache

from gui_utils.libraries import imgui
from gui_utils.window import popup_open
from viz.commands import Command
from viz.keys import BINDINGS
from viz.panels import PanelContext
from viz.state import ViewState

MODIFIERS = {"ctrl": imgui.Key.mod_ctrl, "shift": imgui.Key.mod_shift, "alt": imgui.Key.mod_alt}
DIGITS = {str(i): getattr(imgui.Key, f"_{i}") for i in range(10)}


@cache
def key_of(text: str) -> tuple[imgui.Key, int]:
    """The key of a chord and the modifiers that must be held, and no others."""
    value, mask = chord_of(text), int(imgui.Key.mod_mask_)
    return imgui.Key(value & ~mask), value & mask


@cache
def chord_of(text: str) -> int:
    """ "ctrl+shift+z" as Dear ImGui's key chord. Raises AttributeError for a key that does not exist."""
    *modifiers, key = text.split("+")
    value = int(DIGITS[key] if key in DIGITS else getattr(imgui.Key, key))
    for name in modifiers:
        value |= int(MODIFIERS[name])
    return value


def handle(state: ViewState, context: PanelContext) -> ViewState:
    """The state after the keys pressed in this frame; commands are emitted."""
    io = imgui.get_io()
    if io.want_text_input or popup_open():
        return state
    held = io.key_mods
    for binding in BINDINGS:
        if any(_pressed(chord, held, repeats=binding.repeats) for chord in binding.chords):
            result = binding.action(state, context.network)
            if isinstance(result, ViewState):
                state = result
            else:
                command: Command = result
                context.emit(command)
    return state


def _pressed(chord: str, held: int, *, repeats: bool) -> bool:
    """Exactly these modifiers and the key: "c" is not pressed while Ctrl is held."""
    key, modifiers = key_of(chord)
    return held == modifiers and imgui.is_key_pressed(key, repeats)
