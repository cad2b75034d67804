"""The keyboard, as one table: the same rows handle the keys and make the help sheet.

A chord is text such as "ctrl+shift+z"; the last part is a Dear ImGui key name in lower case. An action takes the state and
what is known of the network, and returns a new state or a command.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from viz import commands
from viz.canvas import gestures
from viz.compare import compare
from viz.request import NetworkFacts
from viz.state import (
    Channels,
    Latent,
    Pose,
    RotateMotion,
    Tap,
    TranslateMotion,
    Unwarp,
    View,
    ViewState,
)

CTRL = "Cmd" if sys.platform == "darwin" else "Ctrl"  # Dear ImGui exchanges the two there by itself
Action = Callable[[ViewState, NetworkFacts | None], "ViewState | commands.Command"]


@dataclass(frozen=True)
class Binding:
    """`repeats` while held; `group` is the heading in the help sheet, where neighbours with the same `text` are one row."""

    chords: tuple[str, ...]
    text: str
    group: str
    action: Action
    repeats: bool = False


def _nudge(dx: float, dy: float) -> Action:
    def act(state: ViewState, facts: NetworkFacts | None) -> ViewState:
        size = 1 / facts.resolution if facts else 0.0
        return gestures.translate(state, dx * size, dy * size, facts)

    return act


def _turn(degrees: float) -> Action:
    return lambda state, facts: gestures.rotate(state, degrees / 360, facts)


def layer_step(step: int) -> Callable[[ViewState, NetworkFacts | None], ViewState]:
    """So many layers further on."""

    def act(state: ViewState, facts: NetworkFacts | None) -> ViewState:
        if facts is None:
            return state
        names = [tap.name for tap in facts.taps]
        index = names.index(facts.tap_name(state.get(Tap).layer)) + step
        name = names[min(max(index, 0), len(names) - 1)]
        return state.edit(Tap, layer="" if name == names[-1] else name)

    return act


def _channel(step: int) -> Action:
    def act(state: ViewState, facts: NetworkFacts | None) -> ViewState:
        if facts is None:
            return state
        total = facts.tap(state.get(Tap).layer).channels
        channels = state.get(Channels)
        shown = 3 if channels.mode == "rgb" else 1
        if channels.mode == "sheet":
            return state.edit(Channels, sheet_page=max(0, channels.sheet_page + step))
        first = min(max(channels.first + step, 0), max(0, total - shown))
        return state.edit(Channels, first=first, triple=())

    return act


def _seed(step: int) -> Action:
    return lambda state, facts: state.edit(Latent, x=float(round(state.get(Latent).x) + step), y=float(round(state.get(Latent).y)))


def _toggle(kind: type) -> Action:
    return lambda state, facts: state.edit(kind, on=not state.get(kind).on)


def _next_layout(state: ViewState, facts: NetworkFacts | None) -> ViewState | commands.Command:
    """While nothing is compared there is no layout to see: it begins."""
    return compare.next_mode(state) if compare.compared(state) else commands.ToggleCompare()


def _reset_pose(state: ViewState, facts: NetworkFacts | None) -> ViewState:
    return state.put(replace(Pose(), snap=state.get(Pose).snap)).edit(TranslateMotion, on=False).edit(RotateMotion, on=False)


def _command(command: commands.Command) -> Action:
    return lambda state, facts: command


def _zoom(zoom: float) -> Action:
    return lambda state, facts: state.edit(View, zoom=zoom, center_x=0.0, center_y=0.0)


BINDINGS: tuple[Binding, ...] = (
    Binding(("left_arrow",), "move the grid by one pixel", "Pose", _nudge(-1, 0), repeats=True),
    Binding(("right_arrow",), "move the grid by one pixel", "Pose", _nudge(1, 0), repeats=True),
    Binding(("up_arrow",), "move the grid by one pixel", "Pose", _nudge(0, -1), repeats=True),
    Binding(("down_arrow",), "move the grid by one pixel", "Pose", _nudge(0, 1), repeats=True),
    Binding(("shift+left_arrow",), "… by 1/8 pixel", "Pose", _nudge(-1 / 8, 0), repeats=True),
    Binding(("shift+right_arrow",), "… by 1/8 pixel", "Pose", _nudge(1 / 8, 0), repeats=True),
    Binding(("shift+up_arrow",), "… by 1/8 pixel", "Pose", _nudge(0, -1 / 8), repeats=True),
    Binding(("shift+down_arrow",), "… by 1/8 pixel", "Pose", _nudge(0, 1 / 8), repeats=True),
    Binding(("ctrl+left_arrow",), "… by 8 pixels", "Pose", _nudge(-8, 0), repeats=True),
    Binding(("ctrl+right_arrow",), "… by 8 pixels", "Pose", _nudge(8, 0), repeats=True),
    Binding(("ctrl+up_arrow",), "… by 8 pixels", "Pose", _nudge(0, -8), repeats=True),
    Binding(("ctrl+down_arrow",), "… by 8 pixels", "Pose", _nudge(0, 8), repeats=True),
    Binding(("comma",), "rotate by 1°, counter-clockwise or clockwise", "Pose", _turn(1), repeats=True),
    Binding(("period",), "rotate by 1°, counter-clockwise or clockwise", "Pose", _turn(-1), repeats=True),
    Binding(("u",), "untransform on or off", "Pose", _toggle(Unwarp)),
    Binding(("r",), "reset the pose", "Pose", _reset_pose),
    Binding(("n",), "next seed", "Latent", _seed(1), repeats=True),
    Binding(("shift+n",), "previous seed", "Latent", _seed(-1), repeats=True),
    Binding(("s",), "bookmark the latent", "Latent", _command(commands.Bookmark())),
    Binding(("left_bracket",), "previous layer, next layer", "Layers", layer_step(-1), repeats=True),
    Binding(("right_bracket",), "previous layer, next layer", "Layers", layer_step(1), repeats=True),
    Binding(("minus",), "previous channel, next channel", "Layers", _channel(-1), repeats=True),
    Binding(("equal",), "previous channel, next channel", "Layers", _channel(1), repeats=True),
    Binding(("f",), "spectrum on or off", "Layers", _command(commands.ToggleSpectrum())),
    Binding(("v",), "comparison with other views on or off", "Compare", _command(commands.ToggleCompare())),
    Binding(("shift+v",), "next layout of the comparison", "Compare", _next_layout),
    Binding(("shift+x",), "wipe, flip and difference with the next view", "Compare", lambda state, facts: compare.next_other(state)),
    Binding(("0",), "fit the picture", "View", _zoom(0.0)),
    Binding(("shift+1",), "1:1, one screen pixel per image pixel", "View", _zoom(1.0)),
    Binding(("tab",), "show the picture only", "View", _command(commands.ToggleChrome())),
    Binding(("f11",), "full screen on or off", "View", _command(commands.ToggleFullscreen())),
    Binding(("shift+f11",), "the output window: the picture alone, for a projector", "View", _command(commands.ToggleOutput())),
    *(
        Binding(
            (str(i),),
            "workspaces: Explore, Layers, Spectra, Equivariance, Sticking, Compare",
            "View",
            _command(commands.ChooseWorkspace(i)),
        )
        for i in range(1, 7)
    ),
    Binding(("c",), "capture the picture", "File", _command(commands.CapturePicture())),
    Binding(("shift+c",), "capture the window", "File", _command(commands.CaptureWindow())),
    Binding(("o",), "open a network, a saved view or a captured picture", "File", _command(commands.OpenFile())),
    Binding(("ctrl+s",), "save the view", "File", _command(commands.SaveView())),
    Binding(("ctrl+c",), "copy the view as JSON", "Edit", _command(commands.CopyView())),
    Binding(("ctrl+v",), "open what was copied: a view, a session, a path or an address", "Edit", _command(commands.Paste())),
    Binding(("ctrl+z",), "undo", "Edit", _command(commands.Undo()), repeats=True),
    Binding(("ctrl+shift+z", "ctrl+y"), "redo", "Edit", _command(commands.Redo()), repeats=True),
    Binding(("pause",), "stop all animation", "Edit", _command(commands.StopMotion())),
    Binding(("f5",), "render again", "Edit", _command(commands.RetryRender())),
    Binding(("t",), "texture sticking and its cure, in motion; again to go back", "Help", _command(commands.ShowSticking())),
    Binding(("f1", "shift+slash"), "this sheet", "Help", _command(commands.ToggleHelp())),
    Binding(("shift+f1",), "the user guide", "Help", _command(commands.ShowGuide())),
    Binding(("ctrl+q",), "quit", "File", _command(commands.Quit())),
)

GESTURES: tuple[tuple[str, str], ...] = (
    ("left-drag", "walk in latent space"),
    ("right-drag, or drag the ring's centre", "move the input grid"),
    ("drag the ring, or Alt + left-drag", "rotate the input grid"),
    ("hold Ctrl while moving or rotating", "snap to whole pixels, and to every 15°"),
    ("hold Ctrl + Shift", "snap to 1/8 pixels, and to every 1°"),
    ("wheel", "zoom at the cursor"),
    ("middle-drag, or Space + drag", "pan"),
    ("double-click", "fit the picture"),
    ("click a channel in the contact sheet", "see it alone"),
    ("right-click a channel in the contact sheet", "turn it off for the layers that follow, or on again"),
    ("hold X", "while comparing, see the other view in place"),
    ("drag the divider", "wipe between the first view and the chosen one"),
    ("drag the scan line, or its ends", "place the slice and the profile, while one is on"),
    ("left-drag, while points are placed", "drag a point: from its handle to its target; or move an end, or the circle that stays"),
    ("right-click an end, while points are placed", "remove the pair"),
    ("right-click a control", "reset it, or copy its value"),
    (f"{CTRL} + click a slider", "type a value"),
)

_SIGNS = {
    "left_arrow": "←", "right_arrow": "→", "up_arrow": "↑", "down_arrow": "↓", "comma": ",", "period": ".", "minus": "−",
    "equal": "=", "left_bracket": "[", "right_bracket": "]", "slash": "/", "shift": "Shift", "ctrl": CTRL, "tab": "Tab", "pause": "Pause",
}  # fmt: skip


def label(chord: str) -> str:
    """ "ctrl+shift+z" -> "Ctrl+Shift+Z"; Shift and / is what people call ?."""
    if chord == "shift+slash":
        return "?"
    return "+".join(_SIGNS.get(part, part.upper()) for part in chord.split("+"))


def rows(group: str) -> tuple[tuple[str, str], ...]:
    """What the help sheet says of a group: keys, and what they do."""
    found: dict[str, list[str]] = {}
    for binding in (b for b in BINDINGS if b.group == group):
        found.setdefault(binding.text, []).append(" or ".join(label(chord) for chord in binding.chords))
    return tuple((_together(labels), text) for text, labels in found.items())


def _together(labels: list[str]) -> str:
    """ "Shift+← → ↑ ↓": the modifiers once."""
    modifiers = labels[0].rpartition("+")[0]
    return " ".join((labels[0], *(text.removeprefix(f"{modifiers}+") for text in labels[1:])))
