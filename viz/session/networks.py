"""The networks of a session: written with path, hash, size and address; found again where the file has moved; told where it has changed.

A view names its network (`Source.network`): a bundled or published one, an address, or a path. Beside the views a session holds, for
each of these names, a record {"path", "sha256", "size_bytes", "url"} of what was seen under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from networks.loading.cache import download_of, folder as cache_folder, read_json
from networks.loading.catalogue import entry_named
from networks.loading.reference import is_address
from viz.request import Frame, NetworkFacts
from viz.session.session import Session
from viz.state import GROUPS, Source, ViewState
from viz.weights import other_weights

Record = Mapping[str, Any]
NAMING: tuple[type[Any], ...] = tuple(kind for kind in GROUPS if {"network", "sha256"} <= {f.name for f in fields(kind)})


class KnownNetworks:
    """What this run of the program has seen of networks, and said about them."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._told: set[tuple[str, int, str]] = set()

    def note(self, frame: Frame) -> list[str]:
        """Remembers the frame's networks. Returns what is to be said of them, once: weights that are not those that the view was
        saved with, what loading had to say.
        """
        found: list[str] = []
        for part in (frame, *(beside.frame for beside in frame.others.values())):
            facts = part.network
            if facts is None:
                continue
            if self.records.get(facts.ref, {}).get("sha256") != facts.sha256:
                self.records[facts.ref] = record_of(facts)
            source = part.request.view.get(Source)
            texts = (other_weights(source, facts.name, facts.sha256), *(facts.notes if part is frame else ()))
            found += [text for text in dict.fromkeys(texts) if text and (facts.ref, source.reload, text) not in self._told]
            self._told.update((facts.ref, source.reload, text) for text in texts)
        return found

    def learn(self, opened: Session) -> None:
        """Takes over what a session knows of networks that were not seen here yet."""
        for ref, record in opened.networks.items():
            if isinstance(record, dict):
                self.records.setdefault(ref, record)

    def complete(self, shown: Session) -> Session:
        """The session with the records of its networks, and the hash of the weights in every view that has none yet."""
        records = {ref: found for ref in refs_of(shown) if (found := self._record(ref, shown.networks.get(ref)))}
        hashes = {ref: sha256 for ref, record in records.items() if isinstance(sha256 := record.get("sha256"), str)}
        return replace(shown.map_views(lambda view: _hashed(view, hashes)), networks=records)

    def _record(self, ref: str, saved: Any) -> Record:
        """What was seen, with what a newer version has written besides about the same weights."""
        saved, seen = saved if isinstance(saved, dict) else {}, self.records.get(ref, {})
        return {**saved, **seen} if seen.get("sha256") in (None, saved.get("sha256")) else seen


def _hashed(view: ViewState, hashes: Mapping[str, str]) -> ViewState:
    for kind in NAMING:
        named = view.get(kind)
        if not named.sha256 and named.network in hashes:
            view = view.edit(kind, sha256=hashes[named.network])
    return view


def record_of(facts: NetworkFacts) -> Record:
    """JSON of what leads back to a network's file. A bundled one needs none of it but its hash."""
    entry = entry_named(facts.ref)
    record: dict[str, Any] = {"sha256": facts.sha256, "size_bytes": facts.size_bytes}
    url = (entry.url if entry is not None else "") or (facts.ref if is_address(facts.ref) else "") or downloaded_from(facts.sha256)
    if url:
        record["url"] = url
    if entry is None and not is_address(facts.ref):
        record["path"] = facts.path
    return record


def downloaded_from(sha256: str) -> str:
    """The address that a file with this hash once came from, as far as the cache remembers; else ""."""
    try:
        records = [read_json(path) for path in cache_folder().glob("*.json")] if sha256 else []
    except OSError:
        return ""
    return next((r["url"] for r in records if r.get("sha256") == sha256 and isinstance(r.get("url"), str)), "")


def refs_of(session: Session) -> tuple[str, ...]:
    """What the views call their networks, each once."""
    names = (view.get(kind).network for view in session.all_views for kind in NAMING)
    return tuple(dict.fromkeys(name for name in names if name))


# ------------------------------------------------------------------------------------------------ where it is now


@dataclass(frozen=True)
class Missing:
    """A network that is not where the session says. `url` "" where no address is known."""

    ref: str
    url: str = ""
    sha256: str = ""
    size_bytes: int = 0

    @property
    def name(self) -> str:
        return file_name(self.ref)


def located(session: Session, folder: Path | None, others: Iterable[str] = ()) -> tuple[Session, tuple[str, ...], tuple[Missing, ...]]:
    """The session with files found again that have moved, sentences about those, and what is still missing.

    A file is looked for by its name: where it was by its full path, in `folder` (that of the session's file) and among `others`
    (networks that were opened before); there by size, too. Whether its weights are the same is told when it is loaded.
    An address from which nothing was fetched yet is missing as well: a picture that somebody sent must not make this machine call out.
    """
    said: list[str] = []
    missing: list[Missing] = []
    now: dict[str, str] = {}  # carried out together: a session may name thousands
    others = tuple(others)
    for ref in refs_of(session):
        if not_here(ref) and ref not in others:
            shown = ref.partition("://")[2]  # no longer an address: whoever loads the view before the answer fetches nothing
            now[ref] = shown
            missing.append(Missing(shown, ref))
            continue
        if not is_gone(ref):
            continue
        record = session.networks.get(ref)
        record = record if isinstance(record, dict) else {}
        found = next((path for path in _places(ref, record, folder, others) if _fits(path, record)), None)
        if found is None:
            url, sha256, size = record.get("url"), record.get("sha256"), record.get("size_bytes")
            missing.append(
                Missing(
                    ref,
                    url if isinstance(url, str) and url.startswith(("http://", "https://")) else "",
                    sha256 if isinstance(sha256, str) else "",
                    size if type(size) is int else 0,
                )
            )
            continue
        now[ref] = str(found)
        said.append(f"{file_name(ref)} is not where it was; it was found at {found}.")
    return (_renamed(session, now) if now else session), tuple(said), tuple(missing)


def renamed(session: Session, ref: str, new: str) -> Session:
    """Every view of network `ref`, also beside another, takes `new` in its place; the hash it was saved with stays, to be checked."""
    return _renamed(session, {ref: new})


def renamed_view(view: ViewState, ref: str, new: str) -> ViewState:
    return _renamed_view(view, {ref: new})


def _renamed(session: Session, now: Mapping[str, str]) -> Session:
    changed = session.map_views(lambda view: _renamed_view(view, now))
    records = {now.get(name, name): record for name, record in session.networks.items()}
    return replace(changed, networks=records)


def _renamed_view(view: ViewState, now: Mapping[str, str]) -> ViewState:
    for kind in NAMING:
        if (new := now.get(view.get(kind).network)) is not None:
            view = view.edit(kind, network=new)
    return view


def file_name(ref: str) -> str:
    """The last part of a path, whichever system wrote it."""
    return PureWindowsPath(ref).name if "\\" in ref else PurePosixPath(ref).name


def not_here(ref: str) -> bool:
    """Whether this is an address from which nothing was fetched yet, and none that the program itself comes with."""
    return is_address(ref) and entry_named(ref.strip()) is None and not download_of(ref.strip()).complete


def is_gone(ref: str) -> bool:
    """Whether this is a path at which there is nothing."""
    if "://" in ref or entry_named(ref) is not None:
        return False
    try:
        return not Path(ref).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return True


def _places(ref: str, record: Record, folder: Path | None, others: Iterable[str]) -> Iterator[Path]:
    name, full = file_name(ref), record.get("path")
    if isinstance(full, str) and full:
        yield Path(full)
    if folder is not None and name:
        yield folder / name
    for other in others:
        if name and not is_address(other) and file_name(other) == name:
            yield Path(other)


def _fits(path: Path, record: Record) -> bool:
    size = record.get("size_bytes")
    try:
        return path.is_file() and (type(size) is not int or path.stat().st_size == size)
    except (OSError, ValueError):
        return False
