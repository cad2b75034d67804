"""The other end of `viz.remote.Client`: a small HTTP server on 127.0.0.1 that hands every request to the GUI's loop.

    GET  /state       the view as JSON             POST /state   show this view
    GET  /frame.npy   float32 [C, H, W] on show    GET  /frame.png   the picture, as captured, with the view inside
    GET  /first.png   the first view alone, where several are compared; /frame.npy and /facts are always of that one
    GET  /facts       what is known of the network

Opt-in. Whoever asks needs the token that was printed; other hosts, names that are not this machine's (a page that rebinds its
name), and pages in a browser are refused, before a body is read. Nothing is served but these six. Errors are JSON: {"error": text}.
Frames are those that answer the view which was shown last.
"""

from __future__ import annotations

import dataclasses
import hmac
import io
import json
import queue
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from viz.compare.compare import others
from viz.errors import CommandError
from viz.motion import moving
from viz.request import Frame
from viz.state import RENDERED, StateError, ViewState

if TYPE_CHECKING:
    from viz.app import App

HOST = "127.0.0.1"
LARGEST_BODY = 16 << 20
TIMEOUT_S = 110.0
MOST_WAITING = 64  # requests that are being answered at once
JSON = "application/json"
PATHS = {"GET": ("/state", "/frame.npy", "/frame.png", "/first.png", "/facts"), "POST": ("/state",)}


def error_json(why: str) -> bytes:
    return json.dumps({"error": why}).encode()


class Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = JSON


TOO_LATE = Answer(504, error_json("the window did not answer in time"))


@dataclasses.dataclass(eq=False)
class Asked:
    """A request between the server's thread and the GUI's. `result` is replaced as a whole, before `answered` is set: whoever stops
    waiting finds one answer or the other, never half of each.
    """

    method: str
    path: str
    content: bytes
    result: Answer = TOO_LATE
    answered: threading.Event = dataclasses.field(default_factory=threading.Event)

    def answer(self, status: int, body: bytes | str, kind: str = JSON) -> None:
        self.result = Answer(status, body.encode() if isinstance(body, str) else body, kind)
        self.answered.set()

    def refuse(self, status: int, why: str) -> None:
        self.answer(status, error_json(why))


class _Quiet(ThreadingHTTPServer):
    """Says nothing in the terminal about clients that hang up."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class RemoteServer:
    """Listens from the start; `wake` is called from its threads when something is asked. Port 0 takes any free one. Raises OSError."""

    def __init__(self, port: int = 0, wake: Callable[[], None] = lambda: None, timeout_s: float = TIMEOUT_S) -> None:
        self.token = secrets.token_urlsafe(24)
        self._wake, self._timeout_s = wake, timeout_s
        self._asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self._waiting: list[Asked] = []
        self._places = threading.Semaphore(MOST_WAITING)
        self._server = _Quiet((HOST, port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="remote", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)
        while not self._asked.empty():
            self._waiting.append(self._asked.get())
        for asked in self._waiting:
            asked.refuse(503, "the window was closed")

    # ------------------------------------------------------------------------------- in the GUI thread

    def each_frame(self, app: App) -> None:
        """Answers what can be answered now; frames that are still being rendered wait for a later call."""
        while not self._asked.empty():
            self._waiting.append(self._asked.get())
        self._waiting = [asked for asked in self._waiting if not (asked.answered.is_set() or answered(app, asked))]

    def draw(self, app: App) -> None:
        """Nothing is shown."""

    # ------------------------------------------------------------------------------- in the server's threads

    def refusal(self, headers: Any, client: str) -> tuple[int, str] | None:
        """Why a request is not even looked at; None where it may pass."""
        port = self._server.server_port
        if client != HOST:
            return 403, "only this machine may ask"
        from_page = headers.get("Origin") is not None or headers.get("Sec-Fetch-Site") is not None
        if headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}") or from_page:
            return 403, "only programs on this machine may ask, not pages in a browser"
        given = headers.get("Authorization") or ""
        if not hmac.compare_digest(given.encode(errors="replace"), f"Bearer {self.token}".encode()):
            return 401, "the token is missing or wrong: it is printed where the window was started"
        return None

    def wait_for(self, asked: Asked) -> None:
        if not self._places.acquire(blocking=False):
            asked.refuse(503, f"{MOST_WAITING} requests are waiting already")
            return
        try:
            self._asked.put(asked)
            self._wake()
            if not asked.answered.wait(self._timeout_s):
                asked.answered.set()  # nobody waits for it any more: it is not carried out later
        finally:
            self._places.release()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30
            server_version, sys_version = "aliasfree-visualizer", ""

            def do_GET(self) -> None:
                if self._allowed():
                    self._ask(b"")

            def do_POST(self) -> None:
                if not self._allowed():
                    return
                length = self.headers.get("Content-Length", "")
                if not length.isdecimal() or len(length) > 9 or int(length) > LARGEST_BODY:
                    self.send_error(413, "a body of at most 16 MiB with its length is expected")
                    return
                self._ask(self.rfile.read(int(length)))

            def _allowed(self) -> bool:
                refused = server.refusal(self.headers, self.client_address[0])
                if refused is None and self.path not in PATHS[self.command]:
                    refused = 404, f"{self.command} {self.path[:100]} is not known; there are {PATHS}"
                if refused is not None:
                    self.send_error(*refused)
                return refused is None

            def _ask(self, content: bytes) -> None:
                asked = Asked(self.command, self.path, content)
                server.wait_for(asked)
                self._send(asked.result)

            def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
                self._send(Answer(code, error_json(message or self.responses.get(code, ("not possible",))[0])))

            def _send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                headers = ("Content-Type", answer.kind), ("Content-Length", str(len(answer.body))), ("Cache-Control", "no-store")
                for name, value in (*headers, ("X-Content-Type-Options", "nosniff"), ("Connection", "close")):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: Any) -> None:
                pass  # the terminal belongs to whoever started the window

        return Handler


def answered(app: App, asked: Asked) -> bool:
    """Answers if it can be done now. Whatever goes wrong becomes the answer."""
    try:
        if asked.path == "/state":
            _state(app, asked)
            return True
        return _frame(app, asked)
    except Exception as e:  # the border to other programs: the window lives on
        asked.refuse(500, f"{type(e).__name__}: {e}")
        return True


def _state(app: App, asked: Asked) -> None:
    from viz.effects.saving import view_to_save

    if asked.method == "GET":
        asked.answer(200, view_to_save(app, app.good).to_json(indent=1))
        return
    try:
        view = ViewState.from_json(asked.content.decode())
    except (StateError, UnicodeDecodeError) as e:
        asked.refuse(400, str(e))
        return
    app.state = view
    asked.answer(200, "{}")


def _frame(app: App, asked: Asked) -> bool:
    """False while the picture of the newest view is not there yet."""
    frame = app.renderer.frame
    if frame is None or not (_moves(app) or frame.request.view == app.state.only(*RENDERED)):
        return False
    error = frame.error
    if asked.path == "/frame.png" and error is None:
        if not _complete(app, frame):
            return False
        error = next((beside.frame.error for beside in frame.others.values() if beside.frame.error is not None), None)
    if error is not None:
        asked.refuse(409, error.sentences)
    elif asked.path == "/facts":
        asked.answer(200, json.dumps(dataclasses.asdict(frame.network), default=str))  # type: ignore[arg-type]
    else:
        asked.answer(200, *_picture(app, frame, asked.path))
    return True


def _complete(app: App, frame: Frame) -> bool:
    """Whether all views that are compared are there; while something moves, also those that lag."""
    shown = [frame.others.get(number) for number in others(frame.request.view)]
    return all(beside is not None and (_moves(app) or not beside.stale) for beside in shown)


def _moves(app: App) -> bool:
    """Whether the view changes all the time, so that its newest picture is always one behind."""
    return moving(app.state) or app.context.film.playing or time.monotonic() < app.streaming_until


def _picture(app: App, frame: Frame, path: str) -> tuple[bytes, str]:
    from PIL import Image, PngImagePlugin

    from gui_utils.tone import tone_map
    from viz.canvas.canvas import tone_map_of
    from viz.capture import KEY
    from viz.compare.picture import captured
    from viz.effects.saving import view_of_picture
    from viz.state import Tone

    assert frame.picture is not None
    data, values = io.BytesIO(), np.asarray(frame.picture.values)
    if path == "/frame.npy":
        np.save(data, np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32))
        return data.getvalue(), "application/octet-stream"
    info = PngImagePlugin.PngInfo()
    info.add_text(KEY, view_of_picture(app, frame).to_json())
    if path == "/frame.png" and others(frame.request.view):
        pixels = captured(frame, app.state)
    else:
        pixels = tone_map(values, tone_map_of(app.state.get(Tone)))
    Image.fromarray(pixels).save(data, format="PNG", pnginfo=info)
    return data.getvalue(), "image/png"


def attach(app: App, port: int) -> RemoteServer:
    """Starts listening, and prints the address with the token. Raises CommandError where the port is taken."""
    try:
        server = RemoteServer(port, app.window.wake)
    except (OSError, OverflowError) as e:
        raise CommandError(f"--remote-port {port}: {e}") from e
    app.attached.append(server)
    print(f"Remote control: viz.remote.Client({server.address!r}, {server.token!r})", flush=True)
    return server
