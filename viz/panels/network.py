"""Panel "Network": which network is shown, what it is, and which others can be opened."""

from __future__ import annotations

import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from gui_utils import theme
from gui_utils.controls import Field, button, label_column, section, text_input, value_row
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import color_scope, tooltip_scope
from gui_utils.text import MISSING, size_text
from gui_utils.toasts import progress_bar
from viz import commands
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, cached, wrapped_text
from viz.request import NetworkFacts
from viz.state import Source, ViewState

if TYPE_CHECKING:
    from networks.loading.catalogue import CatalogueEntry

REF = Field("", "Source.network", "A file, an address or the name of a network. Enter opens it.")
HINT = "file, URL or name"
OPEN = Field(f"{icons.ICON_FA_FOLDER_OPEN} Open…", "Network.open", "Chooses a file: a network, a saved view or a captured picture. "
             "O does the same, as does dropping a file on the window.")  # fmt: skip
RELOAD = Field(f"{icons.ICON_FA_ROTATE_RIGHT} Reload", "Network.reload", "Reads the network's file again.")
COPY_HASH = Field(icons.ICON_FA_COPY, "Network.copy_hash", "Copies the whole SHA-256 of the file.")
LABEL_EM = 6.0
MOST_CARDS, LONGEST_CARD = 64, 4000


def draw(state: ViewState, context: PanelContext) -> ViewState:
    _open(state, context)
    _progress(context)
    _entries("Bundled", "bundled", state, context)
    _entries("Published", "published", state, context)
    _recent(state, context)
    if context.network is None:
        wrapped_text(NO_NETWORK)
    else:
        _details(context.network, context)
    return state


def _open(state: ViewState, context: PanelContext) -> None:
    current = state.get(Source).network
    imgui.set_next_item_width(-1)
    ref = text_input(REF, current, hint=HINT).strip()
    if ref and ref != current:
        context.emit(commands.OpenNetwork(ref))
    if button(OPEN):
        context.emit(commands.OpenFile())
    imgui.same_line()
    if button(RELOAD, disabled="" if context.network else NO_NETWORK):
        context.emit(commands.ReloadNetwork())
    if context.changed_on_disk:
        with color_scope(text=theme.WARNING):
            wrapped_text(f"{icons.ICON_FA_TRIANGLE_EXCLAMATION} The file has changed on disk: reload to see it.", dim=False)


def _progress(context: PanelContext) -> None:
    progress = context.progress
    if progress is not None and progress_bar(progress.text, progress.fraction, can_cancel=progress.can_cancel):
        context.emit(commands.CancelLoad())


# ---------------------------------------------------------------------------------------------------- what it is


def _details(facts: NetworkFacts, context: PanelContext) -> None:
    with section("Details") as opened:
        if not opened:
            return
        with label_column(LABEL_EM):
            for field, text in cached(context, "network.rows", facts, lambda: detail_rows(facts)):
                value_row(field, text)
            if facts.sha256:
                _hash(facts, context)
        for note in facts.notes:
            with color_scope(text=theme.WARNING):
                wrapped_text(f"{icons.ICON_FA_TRIANGLE_EXCLAMATION} {note}", dim=False)
        _card(facts, context)


def detail_rows(facts: NetworkFacts) -> tuple[tuple[Field, str], ...]:
    """Labels and texts of what is known about a network."""
    kinds = {"alias-free": "alias-free", "stylegan2": "StyleGAN2"}
    rows = (
        ("Name", facts.name, facts.ref),
        ("Configuration", f"{facts.config_name}, {kinds.get(facts.kind, facts.kind)}", "The configuration of the paper's ladder (A to R)."),
        ("Picture", f"{facts.resolution} × {facts.resolution} px", "Size of the finished picture."),
        ("Parameters", f"{facts.parameters:,}".replace(",", " "), "How many numbers were learned."),
        ("z, c, w", f"{facts.z_dim}, {facts.c_dim or MISSING}, {facts.w_dim}", "Dimensions of the latent z, the class c and the style w."),
        ("Rows of ws", str(facts.num_ws), "Inputs for styles: one row of ws for each."),
        ("Layers", str(len(facts.taps)), "How many layers can be looked at."),
        ("Computed on", facts.device, "Where the network's numbers are."),
        ("File", facts.path.replace("\\", "/").rsplit("/", 1)[-1] or MISSING, facts.path),
        ("Size", size_text(facts.size_bytes or None), "Size of the file."),
        ("Changed", date_text(facts.modified_ns), "When the file was last written."),
    )
    return tuple((Field(label, f"Network.{label}", text), value) for label, value, text in rows)


def date_text(modified_ns: int) -> str:
    return datetime.datetime.fromtimestamp(modified_ns / 1e9).strftime("%Y-%m-%d %H:%M") if modified_ns else MISSING


def _hash(facts: NetworkFacts, context: PanelContext) -> None:
    value_row(Field("SHA-256", "Network.sha256", facts.sha256), f"{facts.sha256[:12]}…")
    imgui.same_line()
    if button(COPY_HASH):
        context.emit(commands.CopyText(facts.sha256))


def _card(facts: NetworkFacts, context: PanelContext) -> None:
    """What the network's file says about itself."""
    texts = cached(context, "network.card", facts, lambda: card_texts(facts))
    if not texts:
        return
    with section("Card", opened=False) as opened:
        for name, text in texts if opened else ():
            imgui.text_disabled(name)
            wrapped_text(text, dim=False)


def card_texts(facts: NetworkFacts) -> tuple[tuple[str, str], ...]:
    """Names and texts, of any file at all: only so many, only so long (each is laid out in every frame), without control characters."""
    known = ((name, str(value)) for name, value in facts.metadata.items() if name not in ("constructor", "format"))
    return tuple((_clean(name, 80), _clean(text, LONGEST_CARD)) for name, text in islice(known, MOST_CARDS) if text)


def _clean(text: str, most: int) -> str:
    shown = "".join(c if c.isprintable() or c == "\n" else " " for c in text[:most])
    return shown + ("…" if len(text) > most else "")


# ---------------------------------------------------------------------------------------------------- what else there is


def _entries(title: str, kind: str, state: ViewState, context: PanelContext) -> None:
    entries = [entry for entry in context.catalogue if entry.kind == kind]
    if not entries:
        return
    with section(title, opened=kind == "bundled") as opened:
        if not opened:
            return
        if kind == "published":
            wrapped_text("Downloaded when clicked. They are not part of this program and have terms of their own.")
        here = cached(context, f"network.{kind}", context.network, lambda: {e.name: e.cached for e in entries}, key=len(entries))
        for entry in entries:
            _entry(entry, state, context, cached_here=here[entry.name])


def _entry(entry: CatalogueEntry, state: ViewState, context: PanelContext, *, cached_here: bool) -> None:
    size = size_text(entry.size_bytes) if entry.size_bytes else "on disk" if cached_here else icons.ICON_FA_DOWNLOAD
    if _line(entry.title, f"Network.{entry.name}", size, state.get(Source).network == entry.name, entry_help(entry)):
        context.emit(commands.OpenNetwork(entry.name))


def entry_help(entry: Any) -> str:
    size = size_text(entry.size_bytes) if entry.size_bytes else "unknown before the download"
    lines = (entry.description, f"Name: {entry.name}", f"Configuration {entry.config or MISSING}, {entry.resolution} px", f"Size: {size}",
             f"Licence: {entry.licence or MISSING}")  # fmt: skip
    return "\n".join(line for line in lines if line)


def _recent(state: ViewState, context: PanelContext) -> None:
    current = state.get(Source).network
    recent = [ref for ref in context.settings.recent if ref != current]
    if not recent:
        return
    with section("Recent") as opened:
        for i, ref in enumerate(recent if opened else ()):
            if _line(ref.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1], f"Network.recent.{i}", "", False, ref):
                context.emit(commands.OpenNetwork(ref))


def _line(text: str, name: str, right: str, selected: bool, help_text: str) -> bool:
    """A line to click, with something at its right end. True when it was clicked."""
    start, room = imgui.get_cursor_pos_x(), imgui.get_content_region_avail().x
    width = imgui.calc_text_size(right).x if right else 0.0
    size = (max(1.0, room - width - imgui.get_style().item_spacing.x), 0.0) if right else (0.0, 0.0)
    clicked, _ = imgui.selectable(f"{text}###{name}", selected, 0, size)
    with tooltip_scope() as shown:
        if shown:
            imgui.text_unformatted(help_text)
    if right:
        imgui.same_line(start + room - width)
        imgui.text_disabled(right)
    return clicked


PANEL = Panel("Network", "left", 50, draw)
