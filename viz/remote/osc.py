"""Open Sound Control in: messages by UDP that set fields of the view, as `viz.remote.addresses` lists them.

A thread receives and parses; the GUI's loop takes what is newest for each address once a frame. A stream of messages is one gesture,
so it is one step of undo. Nothing that comes can name a file or an address of a network.
Needs the package python-osc.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viz.errors import CommandError
from viz.export.film import leave_path
from viz.remote.addresses import LAYER, OscError, applied

if TYPE_CHECKING:
    from viz.app import App

HERE = "127.0.0.1"
QUIET_S = 0.5  # after this long without a change, and two frames of a window that is slow, a stream is over
MOST_WAITING, MOST_TOLD = 1024, 20  # messages between two frames; different sentences about bad ones
LARGEST = 1 << 16  # bytes of a datagram
LOOK_S = 1.0  # how often a thread that receives nothing looks whether it is to end
NO_OSC = '--osc needs the package "python-osc": python -m pip install "aliasfree-visualizer[osc]"'
NOT_OSC = "something arrived that is not an OSC message"

Message = tuple[str, tuple[Any, ...]]


def _not_of_parser(record: logging.LogRecord) -> bool:
    """The parser warns in the terminal of every datagram that it cannot read; here a sentence in the window says so once."""
    return "pythonosc" not in Path(record.pathname).parts


def leads_to_its_end(data: bytes) -> bool:
    """Whether the elements of a bundle, and of bundles in it, are as long as they say. The parser goes as far as it is told, also back:
    one element of -4 bytes would keep it for ever.
    """
    waiting = [data]
    while waiting:
        part = waiting.pop()
        at = 16 if part.startswith(b"#bundle\0") else len(part)  # its name and its time come first
        while at < len(part):
            size = int.from_bytes(part[at : at + 4], "big", signed=True)
            if not 0 < size <= len(part) - at - 4:
                return False
            waiting.append(part[at + 4 : at + 4 + size])
            at += 4 + size
    return True


class OscInput:
    """Listens from the start; `wake` is called from its thread when there is something new. Port 0 takes any free one. Raises OSError."""

    def __init__(self, host: str = HERE, port: int = 0, wake: Callable[[], None] = lambda: None) -> None:
        from pythonosc.osc_packet import OscPacket

        self._parse, self._wake = OscPacket, wake
        logging.getLogger().addFilter(_not_of_parser)
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._waiting: dict[tuple[str, int], Message] = {}
        self._count = 0
        self._troubles: dict[str, None] = {}
        self._told: set[str] = set()
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(LOOK_S)
        self._thread = threading.Thread(target=self._receive, name="osc", daemon=True)
        self._thread.start()

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return self._socket.getsockname()[:2]

    def close(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError), socket.socket(self._socket.family, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.place)  # so that the thread need not wait
        self._thread.join(5 * LOOK_S)
        self._socket.close()

    # ------------------------------------------------------------------------------- in the thread

    def _receive(self) -> None:
        while not self._ended.is_set():
            try:
                data = self._socket.recv(LARGEST)
            except (TimeoutError, ConnectionError):
                continue
            except OSError as e:
                if not self._ended.is_set():
                    self._note([], f"listening has ended: {e}")
                return
            if self._ended.is_set():
                return
            try:
                if not leads_to_its_end(data):
                    raise ValueError(NOT_OSC)
                messages = [(timed.message.address, tuple(timed.message.params)) for timed in self._parse(data).messages]
            except Exception:  # the border to other programs: whatever a parser makes of bytes from outside
                self._note([], NOT_OSC)
            else:
                self._note(messages)

    def _note(self, messages: list[Message], trouble: str = "") -> None:
        """The newest message of each address waits for the next frame; steps from layer to layer all count."""
        with self._lock:
            first = not (self._waiting or self._troubles)
            for message in messages:
                self._count += 1
                key = message[0], self._count if message[0].lower() == LAYER else 0
                self._waiting.pop(key, None)  # in the order in which they came last
                self._waiting[key] = message
                if len(self._waiting) > MOST_WAITING:
                    del self._waiting[next(iter(self._waiting))]
            if trouble:
                self._troubles[trouble] = None
            first = first and bool(self._waiting or self._troubles)
        if first:
            self._wake()

    # ------------------------------------------------------------------------------- in the GUI thread

    def each_frame(self, app: App) -> None:
        """Sets what was asked for since the last frame; says once what could not be."""
        with self._lock:
            messages, troubles = list(self._waiting.values()), list(self._troubles)
            self._waiting, self._troubles = {}, {}
        if not (messages or troubles):
            return
        view, facts = app.state, app.good.network if app.good else None
        for path, values in messages:
            try:
                view = applied(view, facts, path, values)
            except OscError as e:
                if len(self._told) < MOST_TOLD:
                    troubles.append(str(e))
        if view != app.state:
            app.state = leave_path(app.state, view)
            app.streaming_until = time.monotonic() + QUIET_S + 2 * max(app.context.timing.ui_frames_s[-1:], default=0.0)
        for trouble in troubles:
            if trouble not in self._told and len(self._told) < MOST_TOLD:
                self._told.add(trouble)
                app.toasts.add("warning", f"OSC: {trouble}")

    def draw(self, app: App) -> None:
        """Nothing is shown."""


def attach(app: App, host: str, port: int) -> OscInput:
    """Starts listening, and prints where. Raises CommandError where the port is taken or the package is missing."""
    try:
        found = OscInput(host, port, app.window.wake)
    except ModuleNotFoundError as e:
        raise CommandError(NO_OSC) from e
    except OSError as e:
        raise CommandError(f"--osc {host}:{port}: {e}") from e
    app.attached.append(found)
    print("OSC: listening on {}, port {} (UDP)".format(*found.place), flush=True)
    return found
