"""A session whose network is not where it was: a card asks where it is now, or for what may stand in its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gui_utils import controls, theme
from gui_utils.controls import Field
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import card_scope, color_scope, dim_text, font_scope, top_middle
from gui_utils.text import size_text
from viz import commands
from viz.panels.parts import wrapped_text
from viz.session.networks import Missing, renamed, renamed_view
from viz.session.session import Session
from viz.state import Source

if TYPE_CHECKING:
    from viz.app import App

WIDTH_EM = 30.0
PATH = Field("", "Missing.path", "Where the network's file is now. Enter opens it.")
OPEN = Field(f"{icons.ICON_FA_FOLDER_OPEN} Open…", "Missing.open", "Chooses the network's file.")
DOWNLOAD = Field(f"{icons.ICON_FA_DOWNLOAD} Download", "Missing.download", "Gets the network from where it once came from.")
INSTEAD = Field(
    "Use the network on screen", "Missing.instead", "Shows the session with the network that was on screen before: the pictures differ."
)
DISMISS = Field("Not now", "Missing.dismiss", "The views keep the old name. Opening the session's file again asks again.")


class MissingNetwork:
    """What is being asked for, one after the other."""

    def __init__(self) -> None:
        self.asked: tuple[Missing, ...] = ()
        self.refused = ""

    def ask(self, missing: tuple[Missing, ...]) -> None:
        self.asked, self.refused = missing, ""

    def found(self, app: App, ref: str) -> bool:
        """Puts network `ref` in the place of the one that is asked for. False if none is."""
        if not self.asked:
            return False
        gone, *rest = self.asked
        self.asked, self.refused = tuple(rest), ""
        app.state = renamed_view(app.state, gone.ref, ref)
        film = app.context.film
        film.edit(renamed(Session(timeline=film.timeline), gone.ref, ref).timeline)
        app.opened = renamed(app.opened, gone.ref, ref)
        return True

    def draw(self, app: App) -> None:
        if app.good is not None and app.good.network is not None:
            there = app.good.network.ref  # still in memory, or back in its place
            self.asked = tuple(gone for gone in self.asked if gone.ref != there)
        if not self.asked or app.tour.step is not None:
            return
        with card_scope("Missing network###missing network", WIDTH_EM, top_middle(), border=theme.WARNING):
            self._contents(app, self.asked[0])

    def _contents(self, app: App, gone: Missing) -> None:
        with font_scope(1.15):
            wrapped_text(f"Where is {gone.name}?", dim=False)
        facts = [f"SHA-256 {gone.sha256[:12]}…" if gone.sha256 else "", size_text(gone.size_bytes) if gone.size_bytes else ""]
        wrapped_text(f"What was opened shows {gone.ref}, which is not there. Drop the file on the window, or type its path.", dim=False)
        if any(facts):
            dim_text(" · ".join(fact for fact in facts if fact))
        imgui.set_next_item_width(-1)
        if typed := controls.text_input(PATH, "", hint="path of the file").strip().strip('"'):
            self._typed(app, typed)
        if self.refused:
            with color_scope(text=theme.WARNING):
                wrapped_text(self.refused, dim=False)
        self._buttons(app, gone)

    def _typed(self, app: App, typed: str) -> None:
        path = Path(typed).expanduser()
        try:
            there = path.exists()
        except (OSError, ValueError):
            there = False
        if there or typed.startswith(("http://", "https://")):
            self.found(app, str(path) if there else typed)
        else:
            self.refused = f"There is nothing at {typed[:200]}."

    def _buttons(self, app: App, gone: Missing) -> None:
        if controls.button(OPEN):
            app.context.emit(commands.OpenFile())
        if gone.url:
            imgui.same_line()
            host = urlsplit(gone.url).hostname
            if controls.button(replace(DOWNLOAD, label=f"{DOWNLOAD.label} from {host}", help=f"{DOWNLOAD.help}\n{gone.url}")):
                self.found(app, gone.url)
        shown = app.good.request.view.get(Source).network if app.good is not None else ""
        if controls.button(INSTEAD, disabled="" if shown and shown != gone.ref else "There is no other network on screen."):
            self.found(app, shown)
        imgui.same_line()
        if controls.button(DISMISS):
            self.asked = self.asked[1:]
