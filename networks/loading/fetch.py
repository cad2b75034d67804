"""Downloading a network into the cache: progress, cancel, continue, and all or nothing.

The bytes go to a `.part` file, which a later try continues (HTTP Range, guarded by the ETag or date so that two versions
are never spliced); only a complete file of a known kind takes its final name. The connection is served by a thread of its
own, so that cancelling does not wait for a silent server.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .cache import CachedDownload, read_json, write_json
from .errors import LoadCancelled, LoadError
from .kinds import why_not_a_network

CHUNK = 1 << 16
TIMEOUT_S = 30.0  # for a connection, and for silence on it
POLL_S = 0.05  # between two questions to `cancelled`
MAX_BYTES = 16 << 30
RETRY = "Check the connection and try again; what has arrived is kept and continued."


@dataclass(frozen=True)
class Watch:
    """How a download reports and how it is stopped."""

    progress: Callable[[int, int | None, str], None]
    cancelled: Callable[[], bool]

    def check(self) -> None:
        if self.cancelled():
            raise LoadCancelled("cancelled")


@dataclass(frozen=True)
class Answer:
    """The head of a server's answer. `start` is the first byte that it sends, `total` the size of the whole file."""

    start: int
    total: int | None
    validator: str
    content_type: str


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but never from https to an unprotected address."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.URLError("the server redirects to an unprotected address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(place: CachedDownload, title: str, watch: Watch) -> None:
    """Download `place.url` to `place.file`. Raises LoadError or LoadCancelled; then `place.file` does not exist."""
    try:
        place.file.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(place, title):
            _receive(place, title, watch)
            _accept(place, title)
    except OSError as error:
        raise LoadError(title, f"the download could not be written ({error})", f"Make room in {place.file.parent}, or free it.") from None


@contextlib.contextmanager
def _exclusive(place: CachedDownload, title: str) -> Iterator[None]:
    """One download of a file at a time, also among processes (where the system has locks)."""
    with place.file.with_name(place.file.name + ".lock").open("wb") as lock:
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LoadError(title, "it is being downloaded already", "Wait until the other download has finished.") from None
        yield


def _receive(place: CachedDownload, title: str, watch: Watch) -> None:
    """Fill the `.part` file, continuing it if the server agrees that it is the same file."""
    have = place.partial.stat().st_size if place.partial.exists() else 0
    validator = read_json(place.partial_origin).get("validator")
    if not (have and isinstance(validator, str) and validator):
        have, validator = 0, ""
    stream = _Stream(place.url, have, validator, title)
    watch.progress(have, None, f"Connecting to download {title}")
    answer = stream.next(watch)
    assert isinstance(answer, Answer)
    if answer.start not in (0, have):
        raise LoadError(title, "the server continued at the wrong place", "Try again.")
    _check_room(answer, place, title)
    write_json(place.partial_origin, {"validator": answer.validator})
    done = answer.start
    with place.partial.open("r+b" if done else "wb") as file:
        file.truncate(done)
        file.seek(done)
        try:
            while isinstance(data := stream.next(watch), bytes):
                file.write(data)
                done += len(data)
                if done > MAX_BYTES:
                    raise LoadError(title, f"more than {MAX_BYTES >> 30} GiB arrived", "Check the address.")
                watch.progress(done, answer.total, f"Downloading {title}")
        finally:
            stream.stop()
    if answer.total is not None and done != answer.total:
        if done > answer.total:
            place.partial.unlink()
        raise LoadError(title, f"{done:,} bytes arrived where {answer.total:,} were announced", RETRY)


def _check_room(answer: Answer, place: CachedDownload, title: str) -> None:
    if answer.content_type.startswith("text/html"):
        raise LoadError(title, "the address gives a web page, not a network", "Use the address of the file itself.")
    missing = (answer.total or 0) - answer.start
    if (answer.total or 0) > MAX_BYTES or missing > shutil.disk_usage(place.partial.parent).free:
        raise LoadError(title, f"there is no room for {missing:,} bytes", f"Make room in {place.partial.parent}.")


def _accept(place: CachedDownload, title: str) -> None:
    """Give the complete file its name, if it looks like a network at all."""
    with place.partial.open("rb") as file:
        reason = why_not_a_network(file.read(512), place.url)
    place.partial_origin.unlink(missing_ok=True)
    if reason:
        place.partial.unlink()
        raise LoadError(title, f"what was downloaded {reason}", "Use the address of a network file.")
    place.partial.replace(place.file)


class _Stream:
    """The answer to one request, received by a thread: an Answer, then bytes, then None; or an exception."""

    def __init__(self, url: str, start: int, validator: str, title: str):
        self._queue: queue.Queue[Answer | bytes | LoadError | None] = queue.Queue(maxsize=16)
        self._stopped = threading.Event()
        self._url, self._start, self._validator, self._title = url, start, validator, title
        threading.Thread(target=self._run, name="download", daemon=True).start()

    def next(self, watch: Watch) -> Answer | bytes | None:
        """What arrived next, None at the end. Raises LoadError, or LoadCancelled within about a tenth of a second."""
        while True:
            try:
                watch.check()
                item = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                continue
            except LoadCancelled:
                self.stop()
                raise
            if isinstance(item, LoadError):
                raise item
            return item

    def stop(self) -> None:
        self._stopped.set()

    def _put(self, item: Answer | bytes | LoadError | None) -> None:
        while not self._stopped.is_set():
            try:
                return self._queue.put(item, timeout=POLL_S)
            except queue.Full:
                continue

    def _run(self) -> None:
        try:
            with self._open() as response:
                self._put(_answer(response, self._start))
                while not self._stopped.is_set() and (data := response.read1(CHUNK)):
                    self._put(data)
            self._put(None)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._put(_network_error(error, self._title))

    def _open(self) -> Any:
        headers = {"User-Agent": "aliasfree-visualizer", "Accept-Encoding": "identity"}
        ranged = {"Range": f"bytes={self._start}-", "If-Range": self._validator} if self._start else {}
        opener = urllib.request.build_opener(_SafeRedirects)
        try:
            return opener.open(urllib.request.Request(self._url, headers=headers | ranged), timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            if error.code != 416 or not ranged:
                raise
            error.close()  # the part is longer than the file: start afresh
            return opener.open(urllib.request.Request(self._url, headers=headers), timeout=TIMEOUT_S)


def _answer(response: Any, start: int) -> Answer:
    headers = response.headers
    length = headers.get("Content-Length", "")
    remaining = int(length) if length.isdigit() else None
    if response.status == 206:
        start = int(headers.get("Content-Range", "").removeprefix("bytes ").split("-")[0])
    else:
        start = 0
    etag = headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
    total = None if remaining is None else start + remaining
    return Answer(start, total, validator, headers.get("Content-Type", ""))


def _network_error(error: Exception, title: str) -> LoadError:
    if isinstance(error, urllib.error.HTTPError):
        gone = error.code in (404, 410)
        error.close()
        return LoadError(title, f"the server answered {error.code} ({error.reason})", "Check the address." if gone else "Try again later.")
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return LoadError(title, f"the server was silent for {TIMEOUT_S:.0f} seconds", RETRY)
    return LoadError(title, f"the download failed ({reason or type(error).__name__})", RETRY)
