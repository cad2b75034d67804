"""Downloading a network into the cache: progress, cancel, continue, and all or nothing.

The bytes go to a `.part` file, which a later try continues (HTTP Range, guarded by the ETag or date so that two versions
are never spliced); only a complete file of a known kind takes its final name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from .cache import CachedDownload, download_of, read_json, write_json
from .connection import ADDRESS, CONNECTION, Answer, Part, Stream, Watch
from .errors import LoadError
from .kinds import why_not_a_network
from .reference import resolve

MAX_BYTES = 16 << 30
KEPT = "What has arrived is kept and continued."


def is_here(ref: str | Path) -> bool:
    """Whether `ref` can be loaded without a download, or not at all."""
    try:
        place = resolve(ref)
    except LoadError:
        return True  # loading says why
    return not place.url or download_of(place.url).complete


def download(ref: str | Path, *, progress: Callable[[int, int | None, str], None], cancelled: Callable[[], bool]) -> None:
    """Fetch the network that `ref` names, if it is not here, without reading it. Raises LoadError or LoadCancelled."""
    place = resolve(ref)
    if place.url and not (wanted := download_of(place.url)).complete:
        fetch(wanted, place.title, Watch(progress, cancelled))


def fetch(place: CachedDownload, title: str, watch: Watch) -> None:
    """Download `place.url` to `place.file`. Raises LoadError or LoadCancelled; then `place.file` does not exist."""
    try:
        place.file.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(place, title):
            if not place.complete:  # another process may just have finished it
                _receive(place, title, watch)
                _accept(place, title)
    except OSError as error:
        why = f"the download could not be written ({error.strerror or error})"
        raise LoadError(title, why, f"Make room in {place.file.parent}, or free it.") from None


@contextlib.contextmanager
def _exclusive(place: CachedDownload, title: str) -> Iterator[None]:
    """One download of a file at a time, also among processes (where the system has locks)."""
    with place.file.with_name(place.file.name + ".lock").open("ab") as lock:  # "ab": a link there loses nothing
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LoadError(title, "it is being downloaded already", "Wait until the other download has finished.") from None
        except OSError:
            pass  # a folder on a network without locks: better than no download
        yield


def _receive(place: CachedDownload, title: str, watch: Watch) -> None:
    """Fill the `.part` file, continuing it if the server agrees that it is the same file. What cannot be continued does not stay."""
    part = _part_of(place)
    stream = Stream(place.url, part, title)
    try:
        watch.progress(part.size, None, f"Connecting to download {title}")
        answer = stream.next(watch)
        assert isinstance(answer, Answer)
        _check_room(answer, place, title)
        _write(stream, answer, place, title, watch)
    except BaseException as error:
        kept = _part_of(place).size
        if not kept:
            place.partial.unlink(missing_ok=True)
        if kept and isinstance(error, LoadError):
            raise LoadError(error.what, error.why, f"{error.do} {KEPT}") from None
        raise
    finally:
        stream.stop()


def _part_of(place: CachedDownload) -> Part:
    """What an earlier try has left and a server can be asked to continue."""
    if place.partial.is_symlink():  # none of ours: in a shared folder it may lead to any file of this user's
        place.partial.unlink()
    have = place.partial.stat().st_size if place.partial.exists() else 0
    origin = read_json(place.partial_origin)
    validator, total = origin.get("validator"), origin.get("total")
    if not (have and isinstance(validator, str) and validator):
        return Part()
    return Part(have, validator, total if type(total) is int else None)


def _check_room(answer: Answer, place: CachedDownload, title: str) -> None:
    if answer.content_type.startswith("text/html"):
        raise LoadError(title, "the address gives a web page, not a network", "Use the address of the file itself.")
    missing = (answer.total or 0) - answer.start
    if (answer.total or 0) > MAX_BYTES or missing > shutil.disk_usage(place.partial.parent).free:
        raise LoadError(title, f"there is no room for {missing:,} bytes", f"Make room in {place.partial.parent}.")


def _write(stream: Stream, answer: Answer, place: CachedDownload, title: str, watch: Watch) -> None:
    done = answer.start
    with place.partial.open("r+b" if done else "wb") as file:
        if not done:  # not before: an old part must never be taken for one of the new file
            write_json(place.partial_origin, {"validator": answer.validator, "total": answer.total})
        file.truncate(done)
        file.seek(done)
        while isinstance(data := stream.next(watch), bytes):
            file.write(data)
            done += len(data)
            if done > MAX_BYTES:
                raise LoadError(title, f"more than {MAX_BYTES >> 30} GiB arrived", ADDRESS)
            watch.progress(done, answer.total, f"Downloading {title}")
        file.flush()
        os.fsync(file.fileno())  # a name that outlives a power cut must not outlive what it names
    if answer.total is not None and done != answer.total:
        if done > answer.total:
            place.partial.unlink()
        raise LoadError(title, f"{done:,} bytes arrived where {answer.total:,} were announced", CONNECTION)


def _accept(place: CachedDownload, title: str) -> None:
    """Give the complete file its name, if it looks like a network at all."""
    with place.partial.open("rb") as file:
        reason = why_not_a_network(file.read(512), place.url)
    place.partial_origin.unlink(missing_ok=True)
    if reason:
        place.partial.unlink()
        raise LoadError(title, f"what was downloaded {reason}", "Use the address of a network file.")
    place.partial.replace(place.file)
