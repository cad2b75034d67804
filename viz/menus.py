"""The menus of the menu bar. What has several forms, and the panels, stand in menus of the second level."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from itertools import groupby
from typing import TYPE_CHECKING

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.scopes import color_scope, dim_text, style_scope, tooltip_scope
from gui_utils.text import number_text
from viz import commands, keys, workspaces
from viz.canvas.overlay import keep_first
from viz.effects import figure as figure_effects
from viz.motion import moving
from viz.panels.performance import FONT_SCALES

if TYPE_CHECKING:
    from viz.app import App

Entry = tuple[str, str, commands.Command]  # text, with "menu|text" for one of the second level; key; what it does
LATENT_FILES = (".npz", ".npy", ".safetensors")
TAB_GAP_EM = 0.15  # between the tabs of workspaces
HINTS: dict[type, str] = {
    commands.ToggleOutput: "The picture alone, in a window of its own: for a projector or a second display. "
    "There, a double click or F11 fills the monitor it is on; Esc undoes that.",
}
NAMED_ROOM_EM = 12.0  # that their names leave for what is being done

MENUS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "File",
        (
            ("Open …", "o", commands.OpenFile()),
            ("Open directions …", "", commands.OpenDirections()),
            ("Open last session", "", commands.OpenLastSession()),
            ("Save view", "ctrl+s", commands.SaveView()),
            ("Save session", "", commands.SaveSession()),
            ("Capture picture", "c", commands.CapturePicture()),
            ("Capture window", "shift+c", commands.CaptureWindow()),
            ("Save raw values (.npy)", "", commands.SaveRaw()),
            ("Save values for compositing (.exr)", "", commands.SaveValues()),
            *((f"Save latent|{suffix}", "", commands.SaveLatent(suffix)) for suffix in LATENT_FILES),
            ("Quit", "ctrl+q", commands.Quit()),
        ),
    ),
    (
        "Edit",
        (
            ("Undo", "ctrl+z", commands.Undo()),
            ("Redo", "ctrl+shift+z", commands.Redo()),
            ("Stop all animation", "pause", commands.StopMotion()),
            ("Copy view", "ctrl+c", commands.CopyView()),
            ("Paste", "ctrl+v", commands.Paste()),
            ("Bookmark latent", "s", commands.Bookmark()),
        ),
    ),
    (
        "View",
        (
            *((w.name, str(i), commands.ChooseWorkspace(i)) for i, w in enumerate(workspaces.WORKSPACES, start=1)),
            ("Reset this workspace's layout", "", commands.ResetLayout()),
            *((f"Text size|{number_text(100 * s, '%', 0)}", "", commands.ChangeSettings((("font_scale", s),))) for s in FONT_SCALES),
            ("Picture only", "tab", commands.ToggleChrome()),
            ("Full screen", "f11", commands.ToggleFullscreen()),
            ("Output window", "shift+f11", commands.ToggleOutput()),
            ("Render again", "f5", commands.RetryRender()),
        ),
    ),
    ("Figures", figure_effects.entries()),
    (
        "Help",
        (
            ("Keys and gestures", "f1", commands.ToggleHelp()),
            ("Guided tour (two minutes)", "", commands.StartTour()),
            ("Texture sticking (ten seconds)", "t", commands.ShowSticking()),
            ("The average around a latent (ten seconds)", "", commands.ShowSticking("latents")),
            ("User guide", "shift+f1", commands.ShowGuide()),
        ),
    ),
)


def draw(app: App) -> None:
    """All menus, in the bar that is open."""
    for title, entries in MENUS:
        if imgui.begin_menu(title):
            try:
                _entries(app, entries)
                if title == "View":
                    _panels(app)
            finally:
                imgui.end_menu()


def workspace_tabs(app: App) -> float:
    """The workspaces at the right end of the bar, the one on screen lit: with their names, or, where that has no room, as keys alone.

    Returns the room that is left between the cursor and them, in pixels.
    """
    em, style, start = imgui.get_font_size(), imgui.get_style(), imgui.get_cursor_pos_x()
    room = imgui.get_window_width() - style.window_padding.x - start
    gap = TAB_GAP_EM * em
    for named, kept in ((True, NAMED_ROOM_EM * em), (False, 0.0)):
        labels = [f"{i} {w.name}" if named else str(i) for i, w in enumerate(workspaces.WORKSPACES, start=1)]
        width = sum(imgui.calc_text_size(label).x + 2 * style.frame_padding.x + gap for label in labels)
        if room - width >= kept:
            break
    else:
        return room
    imgui.set_cursor_pos_x(start + room - width)
    for i, (label, place) in enumerate(zip(labels, workspaces.WORKSPACES, strict=True), start=1):
        lit = (*theme.ACCENT, 0.3) if app.chrome_shown and app.settings.workspace == i else (0.0, 0.0, 0.0, 0.0)
        with color_scope(button=lit), style_scope(item_spacing=(gap, style.item_spacing.y)):
            if imgui.small_button(f"{label}###Workspace.{i}"):
                app.context.emit(commands.ChooseWorkspace(i))
        with tooltip_scope() as shown:
            if shown:
                imgui.text_unformatted(place.name)
                dim_text(f"{place.purpose} Key {i}.")
    imgui.set_cursor_pos_x(start)
    return room - width - 2 * em


def nothing_for(app: App, command: commands.Command) -> str:
    """Why a menu's command would do nothing now; "" where it does something."""
    film = app.context.film
    match command:
        case commands.Undo() if not (app.history.past or film.past):
            return "Nothing has been changed."
        case commands.Redo() if not (app.history.future or film.future):
            return "Nothing was undone."
        case commands.StopMotion() if not (moving(app.state) or film.playing):
            return "Nothing moves by itself."
        case commands.CapturePicture() | commands.SaveRaw() | commands.SaveValues() if app.good is None:
            return "There is no picture yet."
    return keep_first(app.state, app.good) if isinstance(command, commands.OF_WHAT_IS_SHOWN) else ""


def in_force(app: App, command: commands.Command) -> bool:
    """Whether this is how things are now: a tick stands before it."""
    match command:
        case commands.ChooseWorkspace(number):
            return app.settings.workspace == number
        case commands.ChangeSettings(changes):
            return all(getattr(app.settings, name) == value for name, value in changes)
        case commands.ToggleFullscreen():
            return app.window.fullscreen
        case commands.ToggleOutput():
            return app.output.window is not None
    return False


def _entries(app: App, entries: Iterable[Entry]) -> None:
    for menu, parts in groupby(entries, key=lambda entry: entry[0].rpartition("|")[0]):
        if not menu:
            for entry in parts:
                _entry(app, entry)
        elif imgui.begin_menu(menu):
            try:
                for text, key, command in parts:
                    _entry(app, (text.rpartition("|")[2], key, command))
            finally:
                imgui.end_menu()


def _entry(app: App, entry: Entry) -> None:
    text, chord, command = entry
    nothing = nothing_for(app, command)
    hint = nothing or HINTS.get(type(command), "")
    shortcut = keys.label(chord) if chord else ""
    if imgui.menu_item(text, shortcut, in_force(app, command), enabled=not nothing)[0]:
        app.context.emit(command)
    with tooltip_scope() if hint else nullcontext() as shown:
        if shown:
            imgui.text_unformatted(hint)


def _panels(app: App) -> None:
    """Every panel by name: it comes to the front, in this workspace or, where that has none, in the one whose key stands beside it."""
    if not imgui.begin_menu("Panels"):
        return
    try:
        for panel in sorted(app.panels, key=lambda panel: panel.title):
            number = workspaces.with_panel(panel.title, app.arrangements, app.settings.workspace)
            if imgui.menu_item(panel.title, "" if number == app.settings.workspace else str(number), False)[0]:
                app.show_panel(panel.title)
    finally:
        imgui.end_menu()
