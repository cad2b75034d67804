"""A small HTTP server on this machine for tests of downloading: it misbehaves as asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What is served, how, and what was asked for (`ranges`: the Range header of each request)."""

    data: bytes
    status: int = 200
    etag: str = '"one"'
    ranged: bool = True
    announced: int | None = None
    content_type: str = "application/octet-stream"
    stop_after: int | None = None
    stall: threading.Event | None = None
    redirect: str = ""
    skew: int = 0
    piece: int | None = None  # a continued download gets so many bytes at a time
    lies: bool = False  # continues whatever file it is, without a look at If-Range
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    ranges: list[str | None] = field(default_factory=list)


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            site.ranges.append(asked)
            self.close_connection = True
            if site.redirect:
                self.send_response(302)
                self.send_header("Location", site.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            status = site.status
            if asked and site.ranged and (site.lies or self.headers.get("If-Range") == site.etag):
                start, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            if start >= len(site.data) and status == 206:
                self.send_error(416)
                return
            body = site.data[start:][: site.piece if status == 206 else None]
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start + site.skew}-{start + len(body) - 1}/{len(site.data)}")
            self.send_header("Content-Type", site.content_type)
            for name, value in site.headers.items():
                self.send_header(name, value)
            if site.etag:
                self.send_header("ETag", site.etag)
            if site.announced != -1:
                self.send_header("Content-Length", str(len(body) if site.announced is None else site.announced))
            self.end_headers()
            self._send(body[: site.stop_after])
            if site.stall is not None:
                site.stall.wait(30)

        def _send(self, body: bytes) -> None:
            try:
                for start in range(0, len(body), 1 << 14):
                    self.wfile.write(body[start : start + (1 << 14)])
                self.wfile.flush()
            except OSError:
                pass  # the client went away, as a cancelled download does

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving(site: Site, path: str = "/network.pkl") -> Iterator[Site]:
    """Serve `site` on 127.0.0.1 while the block runs; `site.url` is its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        if site.stall is not None:
            site.stall.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
