"""From a reference to a network: find it, fetch it, hash it, read it as inert data, compare, build, fill."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from networks.generator import Generator
from networks.spec import GeneratorConfig

from .cache import CachedDownload, download_of
from .connection import Watch
from .errors import Foreign, LoadError, Malformed, Refused, UnusableFile, printable
from .fetch import fetch
from .kinds import kind_of, why_not_a_network
from .loaded import LoadedNetwork, Matrix
from .reference import Place, resolve
from .safetensors_file import read_safetensors
from .snapshot import read_snapshot
from .spans import Span
from .tensorflow import read_tuple
from .unpickle import read_pickle
from .weights import Stored, fill

CHUNK = 1 << 20
DAMAGED = "The file is damaged or incomplete: get it again, or choose another one."
OTHER = "Choose a published snapshot (.pkl) or a .safetensors file written by `convert`."
THROWN_AWAY = "The copy that was kept of it is thrown away: another try downloads it again."
DO_NOT_TRUST = "Nothing was run. Do not trust this file; get the network from its publisher."


@dataclass(frozen=True)
class _Contents:
    """What a file holds, unread."""

    kind: str
    config: GeneratorConfig
    tensors: dict[str, Any]
    metadata: dict[str, Any]


def load_network(
    ref: str | Path,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int | None, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> LoadedNetwork:
    """See `networks.loading.load`."""
    watch = Watch(progress or (lambda done, total, text: None), cancelled or (lambda: False))
    place = resolve(ref)
    if place.path is not None:
        return _load_file(place, place.path, device, watch)
    download = download_of(place.url)
    fresh = not download.complete
    if fresh:
        fetch(download, place.title, watch)
    try:
        loaded = _load_file(place, download.file, device, watch, download)
    except UnusableFile as error:
        with contextlib.suppress(OSError):
            download.forget()  # so that a retry asks the server again
        raise error if fresh else UnusableFile(error.what, error.why, f"{error.do} {THROWN_AWAY}") from None
    try:
        download.remember(loaded.sha256)
    except OSError as error:
        return replace(loaded, notes=(*loaded.notes, f"The checksum of this download could not be noted down ({error.strerror or error})."))
    return loaded


def _load_file(place: Place, path: Path, device: str | torch.device, watch: Watch, download: CachedDownload | None = None) -> LoadedNetwork:
    title = place.title
    with _as_load_errors(title), path.open("rb") as file:
        before = os.fstat(file.fileno())
        size = before.st_size
        reason = why_not_a_network(file.read(512), path.name)
        if reason:
            raise UnusableFile(title, f"it {reason}", OTHER)
        sha256 = _hash(file, size, title, watch)
        contents = _read(file, path, size, title, watch)
        if contents.kind != "safetensors":
            contents.metadata.update(origin=title, origin_sha256=sha256)
        network, broken = _build(contents, size, title, watch)
        after = path.stat()
        if (after.st_size, after.st_mtime_ns) != (size, before.st_mtime_ns):
            raise LoadError(title, "it changed while it was read", "Try again when it has been written.")
        network = _moved(network, device, title)
        return LoadedNetwork(
            network=network,
            ref=place.ref,
            path=path,
            sha256=sha256,
            size_bytes=size,
            modified_ns=before.st_mtime_ns,
            kind=contents.kind,
            config_name=_config_name(contents),
            metadata=contents.metadata,
            base_transform=_base_transform(network),
            notes=tuple(_notes(broken, sha256, download)),
        )


@contextlib.contextmanager
def _as_load_errors(title: str) -> Iterator[None]:
    """Turn whatever a damaged, hostile or unreadable file causes into one clear LoadError."""
    try:
        yield
    except Refused as error:
        raise UnusableFile(title, str(error), DO_NOT_TRUST) from None
    except Foreign as error:
        raise UnusableFile(title, str(error), OTHER) from None
    except Malformed as error:
        raise UnusableFile(title, str(error), DAMAGED) from None
    except MemoryError:
        raise LoadError(title, "there is not enough memory for it", "Close other programs, or choose a smaller network.") from None
    except OSError as error:
        raise LoadError(title, f"it could not be read ({error.strerror or error})", "Check the file and its permissions.") from None


def _hash(file: BinaryIO, size: int, title: str, watch: Watch) -> str:
    digest, done = hashlib.sha256(), 0
    file.seek(0)
    while done < size and (data := file.read(min(CHUNK, size - done))):  # a file that still grows has no end
        watch.check()
        digest.update(data)
        done += len(data)
        watch.progress(done, size, f"Reading {title}")
    return digest.hexdigest()


def _read(file: BinaryIO, path: Path, size: int, title: str, watch: Watch) -> _Contents:
    """Understand the file without reading its tensors."""
    file.seek(0)
    if kind_of(file.read(512), path.name) == "safetensors":
        config, tensors, metadata = read_safetensors(Span(file, 0, size))
        return _Contents("safetensors", config, tensors, metadata)

    def watched(position: int) -> None:
        watch.check()
        watch.progress(min(position, size), size, f"Reading {title}")

    found = read_pickle(Span(file, 0, size), watched)
    if isinstance(found, tuple):
        config, arrays = read_tuple(found)
        return _Contents("tensorflow", config, dict(arrays), {})
    if isinstance(found, dict):
        config, stored = read_snapshot(found)
        return _Contents("snapshot", config, dict(stored), {})
    raise Foreign(f"it is a pickled {printable(type(found).__name__)}, not a snapshot")


def _build(contents: _Contents, size: int, title: str, watch: Watch) -> tuple[Generator, tuple[str, ...]]:
    def step(done: int, total: int) -> None:
        watch.check()
        watch.progress(size * done // total, size, f"Building {title}")

    tensors: dict[str, Stored] = contents.tensors
    return fill(contents.config, tensors, size, step)


def _moved(network: Generator, device: str | torch.device, title: str) -> Generator:
    try:
        return network.to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).strip().split("\n")[0]
        raise LoadError(title, f"it could not be moved to {device} ({first})", "Use another device, such as cpu.") from None


def _config_name(contents: _Contents) -> str:
    named = contents.metadata.get("config")
    return named if isinstance(named, str) and named else contents.config.rung


def _base_transform(network: Generator) -> Matrix | None:
    matrix = np.asarray(network.base_transform, dtype=np.float64)
    return None if np.array_equal(matrix, np.eye(3)) else tuple(tuple(float(v) for v in row) for row in matrix)


def _notes(broken: tuple[str, ...], sha256: str, download: CachedDownload | None) -> Iterator[str]:
    if broken:
        yield f"{len(broken)} tensors hold values that are not finite ({broken[0]} for one): the picture may be empty."
    if download is not None and (first := download.first_sha256) not in (None, sha256):
        yield (
            f"The file behind this address has changed: its SHA-256 is {sha256}, but that of the first download was {first}. "
            "No checksum is published, so make sure that you trust it."
        )
