"""Latents as files and bookmarks: opened by dropping, saved from the menu; thumbnails of bookmarks."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from torch_utils.picture_file import opened_picture
from viz import capture, commands, directions_file, latent_file
from viz.analysis.inversion import NAME as INVERSION
from viz.canvas.canvas import tone_map_of
from viz.effects.saving import free_name, saved
from viz.errors import sentence
from viz.export.encoders import SESSION_KEY
from viz.session import moved_files
from viz.session.session import Session
from viz.state import (
    Direction,
    Directions,
    Inversion,
    Latent,
    LatentPath,
    Mixing,
    OverlayView,
    OwnLatent,
    StateError,
    Tone,
    Truncation,
    ViewState,
)

if TYPE_CHECKING:
    from viz.app import App

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")  # that may be looked for
THUMBNAIL = 64  # pixels along the longer side
Place = tuple[float, float]
Command = commands.Bookmark | commands.OpenDirections | commands.SaveLatent | commands.UseLatent


def open_latent(app: App, path: Path) -> None:
    """Shows the (first) latent in a file; a file that does not fit the network on screen changes nothing."""
    try:
        latents = latent_file.read(path)
        facts = app.good.network if app.good else None
        if facts is not None:
            latents.check(path.name, z_dim=facts.z_dim, w_dim=facts.w_dim, num_ws=facts.num_ws)
        own = OwnLatent(str(path.resolve()), sha256=latent_file.digest(path))
    except (latent_file.LatentError, OSError) as e:
        app.toasts.add("error", f"{path.name} was not opened: {sentence(e)}", "Nothing was changed.")
        return
    before = app.state.get(OwnLatent)
    if moved_files.is_back(before.file, before.sha256, path, own.sha256):
        _put_back(app, before.file, own.file)
        own = replace(own, index=before.index, space=before.space)
    app.state = app.state.reset(LatentPath).put(own)
    more = f", the first of {latents.count}" if latents.count > 1 else ""
    also = acting_on_rows(app.state) if latents.kind != "z" else ""
    app.toasts.add("info", f"Latent {latents.kind} of {path.name}{more}. Walking through the seeds leaves it.{also}")


def acting_on_rows(state: ViewState) -> str:
    """What changes w out of a file before it is shown, as a sentence: saved under the same settings, it is changed a second time."""
    truncation, mixing = state.get(Truncation), state.get(Mixing)
    acting = {
        "truncation": truncation.psi != 1 and truncation.cutoff != 0,
        "style mixing": bool(mixing.rows) and mixing.amount != 0,
        "directions": bool(state.get(Directions).acting),
    }
    names = [name for name, acts in acting.items() if acts]
    return f" On screen it is changed by {' and '.join(names)}, too: reset them to see what is in the file." if names else ""


def open_directions(app: App, path: Path) -> None:
    """Offers the directions in a file, the first one at 0; those of another file go. One that does not fit changes nothing."""
    try:
        arrays = directions_file.read(path)
        facts = app.good.network if app.good else None
        if facts is not None:
            directions_file.fitted(path.name, arrays, num_ws=facts.num_ws, w_dim=facts.w_dim)
        sha256 = latent_file.digest(path)
    except (latent_file.LatentError, OSError) as e:
        app.toasts.add("error", f"{path.name} was not opened: {sentence(e)}", "Nothing was changed.")
        return
    before, file = app.state.get(Directions), str(path.resolve())
    if moved_files.is_back(before.file, before.sha256, path, sha256):
        _put_back(app, before.file, file)
        app.state = app.state.edit(Directions, sha256=sha256)
        app.toasts.add("info", f"{path.name} is back, and its directions with it.")
        return
    kept = tuple(edit for edit in before.edits if not edit.own)
    app.state = app.state.put(Directions((*kept, Direction(own=True)), file, sha256))
    app.toasts.add("info", f"{path.name} holds directions: the panel Directions (workspace 1) moves the latent along them.")


def _put_back(app: App, file: str, new: str) -> None:
    """A file that had moved, in every view that names it."""

    def renamed(view: ViewState) -> ViewState:
        return moved_files.renamed_view(view, file, new)

    film = app.context.film
    film.edit(Session(timeline=film.timeline).map_views(renamed).timeline)
    app.state, app.opened = renamed(app.state), app.opened.map_views(renamed)


def save_latent(app: App, suffix: str) -> Path:
    """Writes what is on screen into the captures folder. Raises OSError, or StateError where there is no latent."""
    styles = app.good.styles if app.good else None
    if styles is None:
        raise StateError("there is no latent yet")
    return latent_file.write(free_name(app, suffix), arrays_of(styles, app.good))


def use_latent(app: App, ws: np.ndarray, then: tuple[Any, ...] = ()) -> None:
    """Saves what was found, and shows it as it is, neither truncated nor mixed nor moved; what looked for it stops.

    `then`: groups of the view that come with it.
    """
    try:
        path = latent_file.write(free_name(app, ".npz"), {"ws": ws})
    except OSError as e:
        app.toasts.add("error", f"Latent could not be saved: {sentence(e)}", f"Folder: {app.capture_folder}")
        return
    app.state = app.state.edit(Inversion, on=False).edit(Directions, edits=()).reset(OverlayView, Truncation, Mixing)
    for group in then:
        app.state = app.state.put(group)
    open_latent(app, path)


def is_plain_picture(path: Path) -> bool:
    """Whether this is a picture that no program of ours has written a view into."""
    if path.suffix.lower() not in PICTURES:
        return False
    try:
        with opened_picture(path) as picture:
            return not {capture.KEY, SESSION_KEY} & set(getattr(picture, "text", {}))
    except OSError:
        return False


def look_for(app: App, path: Path) -> None:
    """A picture without a view inside: it can be looked for in the network."""
    app.state = app.state.edit(Inversion, picture=str(path.resolve()), on=False)
    app.context.scratch.pop(INVERSION, None)  # what was found of a file of this name, which may hold another picture now
    what_to_do = 'Tick "Look for it" in the panel Inversion (workspace 1) to find the latent that shows it.'
    app.toasts.add("info", f"{path.name} holds no view. {what_to_do}")


def arrays_of(styles: Any, frame: Any) -> dict[str, np.ndarray]:
    """ws [1, num_ws, w_dim] as shown; w [1, w_dim] where all rows are the same; z and c where it is one seed, neither mixed nor moved."""
    from viz.stages.latent import draw_z

    ws = styles.ws.float().cpu().numpy()
    arrays = {"ws": ws}
    if (ws == ws[:, :1]).all():
        arrays["w"] = ws[:, 0]
        view, facts = frame.request.view, frame.network
        untouched = not view.get(Directions).acting and all(row >= facts.num_ws for row in view.get(Mixing).rows)
        if untouched and len(styles.seeds) == 1 and styles.seeds[0][1] == 1:
            latent = view.get(Latent)
            z, c = draw_z(styles.seeds[0][0], facts.z_dim, facts.c_dim, latent.class_index)
            arrays.update({"z": z[None]} if c is None else {"z": z[None], "c": c[None]})
    return arrays


def bookmark(app: App) -> None:
    """Remembers the place on the lattice, with a small picture of what is there."""
    latent = app.state.get(Latent)
    if app.state.get(OwnLatent).file:
        app.toasts.add("warning", "A latent from a file has no place among the seeds: save it instead (File menu).")
        return
    place = (latent.x, latent.y)
    if app.good is not None and app.good.picture is not None and not app.state.get(LatentPath).seeds:
        app.context.thumbnails[place] = thumbnail(app)
    app.change_settings(bookmarks=tuple(dict.fromkeys((*app.settings.bookmarks, place))))
    if app.options.settings_folder is not None and place in app.context.thumbnails:
        try:
            capture.save_png(thumbnail_path(app.options.settings_folder, place), app.context.thumbnails[place], app.state)
        except OSError as e:
            app.toasts.add("warning", f"The bookmark's picture was not saved: {sentence(e)}")
    app.toasts.add("info", f"Bookmarked latent {latent.x:.2f}, {latent.y:.2f}.")


def thumbnail(app: App) -> np.ndarray:
    """uint8 [h, w, 3] of what is on screen."""
    from gui_utils.tone import tone_map

    assert app.good is not None and app.good.picture is not None
    picture = Image.fromarray(tone_map(np.asarray(app.good.picture.values), tone_map_of(app.state.get(Tone))))
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return np.asarray(picture.convert("RGB"))


def forget_pictures(app: App) -> None:
    """Lets go of the pictures of bookmarks that are no more: the textures, and the files."""
    for place in [p for p in app.context.thumbnails if p not in app.settings.bookmarks]:
        del app.context.thumbnails[place]
        app.images.drop(f"bookmark {place}")
        if app.options.settings_folder is not None:
            with suppress(OSError):
                thumbnail_path(app.options.settings_folder, place).unlink(missing_ok=True)


def thumbnail_path(folder: Path, place: Place) -> Path:
    return folder / "bookmarks" / f"{place[0]!r}_{place[1]!r}.png"


def read_thumbnails(folder: Path | None, places: Iterable[Place]) -> dict[Place, np.ndarray]:
    """Those that are there; what cannot be read is left out."""
    found: dict[Place, np.ndarray] = {}
    if folder is None:
        return found
    for place in places:
        try:
            with opened_picture(thumbnail_path(folder, place)) as picture:
                if max(picture.size) <= THUMBNAIL:
                    found[place] = np.asarray(picture.convert("RGB"))
        except OSError:
            continue
    return found


def carry_out(app: App, command: Command) -> None:
    match command:
        case commands.Bookmark():
            bookmark(app)
        case commands.SaveLatent(suffix):
            saved(app, "Latent", lambda: save_latent(app, suffix))
        case commands.UseLatent(ws, then):
            use_latent(app, ws, then)
        case commands.OpenDirections(""):
            app.file_dialog.start(app, open_directions, "Open directions in W", ("Directions", "*.npy *.npz *.safetensors"))
        case commands.OpenDirections(path):
            open_directions(app, Path(path).expanduser())
