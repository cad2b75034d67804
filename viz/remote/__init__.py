"""The visualizer from Python: `Session` renders without a window, `Client` talks to a window that was opened with `--remote`.

from viz.remote import Client, Session
from viz.state import Latent, Pose

here = Session("globe-r-64")              # in this process
here.edit(Pose, turns=0.1)
values = here.values()                    # float32 [C, H, W]

window = Client("http://127.0.0.1:8730", token)   # both are printed by visualizer.py --remote
window.edit(Latent, x=3.5)
pixels = window.pixels()                  # uint8 [H, W, 3], as on screen
"""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from typing import Any

import numpy as np
from PIL import Image

from viz.compare.picture import captured, compared
from viz.errors import CommandError
from viz.groups.groups import DEFAULT_NETWORK
from viz.request import Frame, NetworkFacts, RenderRequest
from viz.state import Source, ViewState

TIMEOUT_S = 120.0


class RemoteError(CommandError):
    """The window answered that something cannot be done, or did not answer: says what and why."""


class _Viewer:
    """What a session and a window have in common: a view to edit, values and pixels to take."""

    def view(self) -> ViewState:
        raise NotImplementedError

    def show(self, view: ViewState) -> None:
        raise NotImplementedError

    def values(self) -> np.ndarray:
        raise NotImplementedError

    def pixels(self, *, first: bool = False) -> np.ndarray:
        raise NotImplementedError

    def edit(self, group: type, **changes: Any) -> None:
        """Changes fields of a group of `viz.state`, for example `edit(Pose, x=0.1)`."""
        self.show(self.view().edit(group, **changes))

    def _repr_png_(self) -> bytes:
        """How a notebook shows it."""
        data = io.BytesIO()
        Image.fromarray(self.pixels()).save(data, format="PNG")
        return data.getvalue()


class Session(_Viewer):
    """Renders in this process, without a window. What one view shares with the next is computed once, as in the window."""

    def __init__(self, network: str = DEFAULT_NETWORK, view: ViewState | None = None) -> None:
        from viz.pipeline import Pipeline

        self._pipeline = Pipeline(headless=True)
        self._view = view if view is not None else ViewState().put(Source(network=network))
        self._frame: Frame | None = None

    def view(self) -> ViewState:
        return self._view

    def show(self, view: ViewState) -> None:
        self._view, self._frame = view, None

    def frame(self) -> Frame:
        """The whole answer (`viz.request.Frame`) with measurements that are switched on. Raises RemoteError."""
        if self._frame is None:
            frame = self._pipeline.render(RenderRequest(1, self._view))
            assert frame is not None  # nothing supersedes it
            if frame.error is not None:
                raise RemoteError(frame.error.sentences)
            for refined in self._pipeline.refine(frame):
                frame = refined
            self._frame = frame
        return self._frame

    def values(self) -> np.ndarray:
        """float32 [C, H, W]: the layer on show, whole (`Tap`; the finished image by default)."""
        raw = self.frame().raw
        assert raw is not None
        return raw

    def pixels(self, *, first: bool = False) -> np.ndarray:
        """uint8 [H, W, 3]: through the tone mapping. Where views are compared, all of them in their layout, or the `first` alone."""
        frame = self.frame()
        assert frame.toned is not None
        return captured(frame, self._view) if compared(self._view) and not first else frame.toned

    def facts(self) -> NetworkFacts:
        facts = self.frame().network
        assert facts is not None
        return facts


class Client(_Viewer):
    """A window that was opened with `--remote`. Every call waits until the window has answered."""

    def __init__(self, address: str, token: str, timeout_s: float = TIMEOUT_S) -> None:
        self.address, self._token, self._timeout_s = address.rstrip("/"), token, timeout_s

    def view(self) -> ViewState:
        return ViewState.from_json(self._ask("/state").decode())

    def show(self, view: ViewState) -> None:
        """Shows a view. Raises RemoteError naming the field that cannot be."""
        self._ask("/state", view.to_json().encode())

    def values(self) -> np.ndarray:
        """float32 [C, H, W]: the channels on show, before the tone mapping."""
        return np.load(io.BytesIO(self._ask("/frame.npy")), allow_pickle=False)

    def pixels(self, *, first: bool = False) -> np.ndarray:
        """uint8 [H, W, 3]: the picture as it is captured. Where views are compared, all of them in their layout, or the `first` alone."""
        with Image.open(io.BytesIO(self._ask("/first.png" if first else "/frame.png"))) as picture:
            return np.asarray(picture.convert("RGB"))

    def facts(self) -> dict[str, Any]:
        """What the window knows of the network."""
        return json.loads(self._ask("/facts"))

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, data=body, headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is this machine: no proxy
        try:
            with opener.open(request, timeout=self._timeout_s) as answer:
                return answer.read()
        except urllib.error.HTTPError as e:
            raise RemoteError(f"{path}: {_why(e.read()) or e.reason}") from e
        except (urllib.error.URLError, TimeoutError, ConnectionError) as e:
            raise RemoteError(f"{self.address} does not answer: {e}") from e


def _why(body: bytes) -> str:
    """The text of {"error": text}; whatever else came, as it is."""
    text = body.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text
