"""Carries out the keyboard table with Dear ImGui's keys. While text is typed, keys belong to the text."""

from __future__ import annotations

from functools import cache

from gui_utils.libraries import imgui
from viz.commands import Command
from viz.keys import BINDINGS
from viz.panels import PanelContext
from viz.state import ViewState

MODIFIERS = {"ctrl": imgui.Key.mod_ctrl, "shift": imgui.Key.mod_shift, "alt": imgui.Key.mod_alt}
DIGITS = {str(i): getattr(imgui.Key, f"_{i}") for i in range(10)}


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
    if imgui.get_io().want_text_input:
        return state
    for binding in BINDINGS:
        if any(_pressed(chord, repeats=binding.repeats) for chord in binding.chords):
            result = binding.action(state, context.network)
            if isinstance(result, ViewState):
                state = result
            else:
                command: Command = result
                context.emit(command)
    return state


def _pressed(chord: str, *, repeats: bool) -> bool:
    """Exactly these modifiers and the key: "c" is not pressed while Ctrl is held."""
    value = chord_of(chord)
    mods = value & int(imgui.Key.mod_mask_)
    key = imgui.Key(value & ~int(imgui.Key.mod_mask_))
    return imgui.get_io().key_mods == mods and imgui.is_key_pressed(key, repeats)
