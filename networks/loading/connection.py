"""One answer of a server, received by a thread of its own, so that cancelling does not wait for a silent server.

What a server says is not believed: redirections stay on the web, a continued download has to be the same file at the right
place, and whatever goes wrong is a LoadError in words for the person at the screen.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import re
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import LoadCancelled, LoadError, printable

CHUNK = 1 << 16
TIMEOUT_S = 30.0  # for a connection, and for silence on it
POLL_S = 0.05  # between two questions to `cancelled`
LATER, CONNECTION, ADDRESS = "Try again later.", "Check the connection and try again.", "Check the address."
BROWSER = "Download it with a web browser (it may ask you to sign in), then open the file."
CERTIFICATES = "Check this machine's date and its certificates (on macOS, Python's own Install Certificates.command)."


@dataclass(frozen=True)
class Watch:
    """How a download reports and how it is stopped."""

    progress: Callable[[int, int | None, str], None]
    cancelled: Callable[[], bool]

    def check(self) -> None:
        if self.cancelled():
            raise LoadCancelled("cancelled")


@dataclass(frozen=True)
class Part:
    """What is here of a file already: the first `size` bytes of one of `total` bytes that the server calls `validator`."""

    size: int = 0
    validator: str = ""
    total: int | None = None


@dataclass(frozen=True)
class Answer:
    """The head of a server's answer. `start` is the first byte that it sends, `total` the size of the whole file."""

    start: int
    total: int | None
    validator: str
    content_type: str


class _BadAnswer(Exception):
    """Why an answer is of no use, and what to do."""


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections within the web, but never from https to an unprotected address."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> urllib.request.Request | None:
        scheme = newurl.partition(":")[0].lower()
        if scheme not in ("http", "https"):
            raise urllib.error.URLError(f"the server redirects to a {printable(scheme, 20)}: address, which is not followed")
        if req.full_url.lower().startswith("https:") and scheme != "https":
            raise urllib.error.URLError("the server redirects to an unprotected address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Stream:
    """The answer to one request: an Answer, then bytes, then None; or a LoadError."""

    def __init__(self, url: str, part: Part, title: str) -> None:
        self._queue: queue.Queue[Answer | bytes | LoadError | None] = queue.Queue(maxsize=16)
        self._stopped = threading.Event()
        self._url, self._part, self._title = url, part, title
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
            answer, response = self._open()
            with response:
                self._put(answer)
                while not self._stopped.is_set() and (data := response.read1(CHUNK)):
                    self._put(data)
            self._put(None)
        except Exception as error:  # the border to the network: whoever waits for this thread would wait for ever
            why, do = _explained(error)
            self._put(LoadError(self._title, why, do))

    def _open(self) -> tuple[Answer, Any]:
        """The answer, continuing `part` where the server has the same file; otherwise that of a download from its start."""
        if self._part.size:
            ranged = {"Range": f"bytes={self._part.size}-", "If-Range": self._part.validator}
            try:
                response = self._ask(ranged)
            except urllib.error.HTTPError as error:
                if error.code != 416:  # the part is longer than the file
                    raise
                error.close()
            else:
                with contextlib.suppress(_BadAnswer):
                    answer = answer_of(response)
                    if answer.start == 0 or continues(answer, self._part):
                        return answer, response
                response.close()
        response = self._ask({})
        answer = answer_of(response)
        if answer.start:
            response.close()
            raise _BadAnswer("the server sent a piece of it that nobody had asked for", LATER)
        return answer, response

    def _ask(self, more: dict[str, str]) -> Any:
        headers = {"User-Agent": "aliasfree-visualizer", "Accept-Encoding": "identity", **more}
        opener = urllib.request.build_opener(_SafeRedirects)
        return opener.open(urllib.request.Request(self._url, headers=headers), timeout=TIMEOUT_S)


def answer_of(response: Any) -> Answer:
    """What the head of an answer says. Raises _BadAnswer for one whose bytes are not those of the file."""
    headers = response.headers
    encoding = headers.get("Content-Encoding", "").lower()
    if encoding not in ("", "identity"):
        raise _BadAnswer(f"the server sent it packed ({printable(encoding, 20)}), which was not asked for", BROWSER)
    start, total = 0, _count(headers.get("Content-Length", ""))
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d{1,20})-\d{1,20}/(\d{1,20}|\*)", headers.get("Content-Range", "").strip(), re.ASCII)
        if found is None:
            raise _BadAnswer("the server does not say which piece of it it sent", LATER)
        start = int(found[1])
        total = _count(found[2]) if found[2] != "*" else None if total is None else start + total
    etag = headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
    return Answer(start, total, validator, headers.get("Content-Type", ""))


def continues(answer: Answer, part: Part) -> bool:
    """Whether the answer goes on where `part` ends, in the same file as far as server and part say."""
    same = answer.validator in ("", part.validator) and (None in (answer.total, part.total) or answer.total == part.total)
    return same and answer.start == part.size


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,20}", text, re.ASCII) else None


# ---------------------------------------------------------------------------------------------------- what went wrong


def _explained(error: Exception) -> tuple[str, str]:
    """Why, and what to do."""
    if isinstance(error, _BadAnswer):
        return error.args[0], error.args[1]
    if isinstance(error, urllib.error.HTTPError):
        return _refusal(error)
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return f"the server was silent for {TIMEOUT_S:.0f} seconds", CONNECTION
    if isinstance(reason, str):
        return f"the download failed: {printable(reason, 200)}", ADDRESS
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"the server's certificate could not be verified ({_words(reason)})", CERTIFICATES
    if isinstance(reason, ValueError | http.client.InvalidURL) and not isinstance(reason, OSError):
        return f"the download failed: this is not a usable address ({printable(str(reason))})", ADDRESS
    return f"the download failed: {_words(reason)}", CONNECTION


def _words(reason: object) -> str:
    if isinstance(reason, socket.gaierror):
        return "no server of that name was found"
    if isinstance(reason, ConnectionRefusedError):
        return "nobody answers at that address"
    if isinstance(reason, http.client.IncompleteRead | ConnectionResetError):
        return "the server hung up"
    if isinstance(reason, http.client.HTTPException):
        return f"what answered is not a web server ({printable(str(reason).strip(), 60)})"
    text = (reason.strerror if isinstance(reason, OSError) else None) or str(reason) or type(reason).__name__
    return printable(text)


def _refusal(error: urllib.error.HTTPError) -> tuple[str, str]:
    """An answer that is no file, by its status code."""
    error.close()
    if 300 <= error.code < 400:
        return f"the server redirects in a circle, or to nowhere on the web ({error.code})", ADDRESS
    why = f"the server answered {error.code} ({printable(str(error.reason), 60)})"
    if error.code in (401, 403):
        return why, BROWSER
    if error.code == 429 or error.code >= 500:
        wait_s = _count(error.headers.get("Retry-After", "")) if error.headers is not None else None
        return why, LATER if wait_s is None else f"It asks for {wait_s} seconds of patience: try again then."
    return why, ADDRESS
