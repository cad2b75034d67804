"""Files that views name besides networks (latents, directions, a picture to invert): found again where they have moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from viz.groups.compare import OTHERS
from viz.latent_file import LARGEST_BYTES, digest
from viz.session.networks import file_name, is_gone
from viz.session.session import Session
from viz.state import Directions, Inversion, OwnLatent, ViewState

NAMING: tuple[tuple[type[Any], str, str], ...] = (  # group, its field that names a file, that of the file's hash ("" is none)
    (OwnLatent, "file", "sha256"),
    (Directions, "file", "sha256"),
    (Inversion, "picture", ""),
    *((kind, "file", "file_sha256") for kind in OTHERS.values()),
)
NOT_FOUND = "{name} is not where it was ({place}), nor beside what was opened. Opened again, or dropped on the window, it takes its place."
CHANGED = "{name} was written again since this was saved (SHA-256 {before}…, now {now}…): the picture may differ."


def located(session: Session, folder: Path | None) -> tuple[Session, tuple[str, ...]]:
    """The session with files that now lie in `folder` (that of its own file) and hold the same; sentences about what has moved."""
    said: list[str] = []
    now: dict[str, str] = {}  # carried out together, as in `viz.session.networks`
    for file, sha256 in dict(each for view in session.all_views for each in _named(view)).items():
        if not is_gone(file):
            continue
        name, found = file_name(file), None if folder is None else folder / file_name(file)
        if found is not None and _holds(found, sha256):
            now[file] = str(found)
            said.append(f"{name} is not where it was; it was found at {found}.")
        else:
            said.append(NOT_FOUND.format(name=name, place=file))
    return (session.map_views(lambda view: _renamed_view(view, now)) if now else session), (*said, *changed(session))


def changed(session: Session) -> tuple[str, ...]:
    """Sentences about files that are in their place and no longer hold what the views were saved with."""
    said: list[str] = []
    for file, sha256 in dict.fromkeys(each for view in session.all_views for each in _named(view)):
        there = _digest(Path(file)) if sha256 and not is_gone(file) else ""
        if there not in ("", sha256):
            said.append(CHANGED.format(name=file_name(file), before=sha256[:8], now=there[:8]))
    return tuple(said)


def is_back(file: str, sha256: str, path: Path, found: str) -> bool:
    """Whether `path`, whose hash is `found`, is the `file` that a view names in vain: by its contents or its name."""
    return bool(file) and is_gone(file) and (found == sha256 or path.name == file_name(file))


def renamed_view(view: ViewState, file: str, new: str) -> ViewState:
    """The view with the file's new place in that of the old one."""
    return _renamed_view(view, {file: new})


def _renamed_view(view: ViewState, now: Mapping[str, str]) -> ViewState:
    for kind, field, _ in NAMING:
        if (new := now.get(getattr(view.get(kind), field))) is not None:
            view = view.put(replace(view.get(kind), **{field: new}))
    return view


def _named(view: ViewState) -> Iterator[tuple[str, str]]:
    for kind, field, sha256 in NAMING:
        group = view.get(kind)
        if file := getattr(group, field):
            yield file, getattr(group, sha256) if sha256 else ""


def _digest(path: Path) -> str:
    """Its SHA-256; "" for what cannot be one of our files."""
    try:
        return digest(path) if path.is_file() and path.stat().st_size <= LARGEST_BYTES else ""
    except (OSError, ValueError):
        return ""


def _holds(path: Path, sha256: str) -> bool:
    try:
        return path.is_file() and (not sha256 or digest(path) == sha256)
    except (OSError, ValueError):
        return False
