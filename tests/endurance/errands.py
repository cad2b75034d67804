"""The actions that are no mouse and no key: files, commands, films, figures, the tour, the remote control."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gui_utils.libraries import glfw
from tests.endurance import files
from tests.endurance.actions import BUNDLED, NETWORKS
from tests.endurance.coverage import Coverage
from viz import commands
from viz.app import App
from viz.effects.session import current
from viz.export.film import leave_path
from viz.remote import Client, RemoteError
from viz.remote.addresses import LAYER, addresses
from viz.render_thread import Inline
from viz.session.session import Session
from viz.state import MOTION, AverageSpectrum, DragPair, DragPoints, Inversion, Latent, Pose, SpectrumReference, ViewState
from viz.timeline import paths

DEADLINE_S = 120
FILM_S, FILM_FPS = 0.4, 10.0


class Errands:
    """Belongs to `tests.endurance.application.Endurance`, which has these."""

    app: App
    ui: Any
    window: Any
    remote: Any
    osc: Any
    autosave: Any
    start: ViewState
    folder: Path
    captures: Path
    coverage: Coverage

    # ------------------------------------------------------------------------------------------------ files

    def _drop(self, name: str) -> None:
        path = files.find(name, self.folder, self.captures)
        self.coverage.files[name if name != "saved" else f"saved {path.suffix or 'folder'}"] += 1
        self.window.drop([path])
        self.ui.frames(3)

    def _bundled(self, name: str) -> None:
        self.app.context.emit(commands.OpenNetwork(name))
        self.ui.frames(3)

    def _command(self, name: str, number: int) -> None:
        """What a menu or a panel would ask for; `number` decides the rest."""
        kind, _, suffix = name.partition(".")
        self.app.context.emit(self._made(kind, suffix, random.Random(number)))
        self.ui.frames(3)

    def _made(self, kind: str, suffix: str, chance: random.Random) -> Any:
        app = self.app
        values: dict[str, Callable[[], tuple[Any, ...]]] = {
            "OpenNetwork": lambda: (str(files.GOLDEN / chance.choice(NETWORKS)),),
            "OpenPath": lambda: (str(files.find("saved", self.folder, self.captures)),),
            "SaveMeasurement": lambda: ("Numbers", {"a": np.zeros(8)}, lambda: np.zeros((8, 8, 3), np.uint8)),
            "SaveSession": lambda: (current(app),),
            "SaveLatent": lambda: (f".{suffix}",),
            "CopyText": lambda: (chance.choice(("0.25", "3", "hello", "", "nan", app.state.to_json(), str(files.GOLDEN / NETWORKS[1]))),),
            "ChooseWorkspace": lambda: (chance.randint(1, 6),),
            "ChangeSettings": lambda: ((("fps_limit", chance.choice((30, 60, 144))),),),
        }
        if kind == "UseLatent":
            styles = app.good.styles if app.good is not None else None
            return commands.SaveView() if styles is None else commands.UseLatent(styles.ws.float().numpy())
        return getattr(commands, kind)(*values.get(kind, tuple)())

    # ------------------------------------------------------------------------------------------------ timeline, films, figures

    def _path(self, name: str, plays: bool) -> None:
        """A ready-made film in the timeline, perhaps played."""
        film = self.app.context.film
        film.edit(paths.ready_made(name, self.app.state, 1.0, FILM_FPS))
        if plays:
            film.play()
        self.coverage.paths[name] += 1
        self.ui.frames(4)

    def _export(self, kind: str, lossless: bool) -> None:
        """A film of a few frames, in the background; the last one must be over."""
        self._await(lambda: self.app.context.film.job is None)
        view = self.app.state.reset(*MOTION)
        if self._bundled_shown():
            view = self.start
        film = Session((view,), paths.ready_made("circle", view, FILM_S, FILM_FPS))
        self.app.context.emit(commands.StartExport(film, kind, lossless=lossless))
        self.coverage.films[kind + (" lossless" if lossless else "")] += 1
        self.ui.frames(3)

    def _figure(self, name: str, suffix: str) -> None:
        self._await(lambda: self.app.figure_job is None)
        self.app.context.emit(commands.MakeFigure(name, suffix))
        self.coverage.figures[name] += 1
        self.ui.frames(3)

    def _bundled_shown(self) -> bool:
        return self.app.good is not None and self.app.good.network is not None and self.app.good.network.ref in BUNDLED

    def _await(self, over: Callable[[], bool]) -> None:
        """A few frames for a job to end; then it is stopped."""
        give_up = time.monotonic() + 1.0
        while not over() and time.monotonic() < give_up:
            self.ui.frames(1)
        if not over():
            self._end_jobs()

    def _end_jobs(self) -> None:
        """Films and figures stop; the window says so in its next frame."""
        for job in (self.app.context.film.job, self.app.figure_job):
            if job is not None:
                job.close(DEADLINE_S)
                assert job.join(0), "a job that was told to stop goes on"
        self.ui.frames(1)

    # ------------------------------------------------------------------------------------------------ what random edits hardly ever reach

    def _points(self, *pairs: tuple[float, float, float, float]) -> None:
        """Random edits hardly ever place points within the picture."""
        placed = tuple(DragPair(*(part - 0.5 for part in pair)) for pair in pairs)
        self.app.state = self.app.state.edit(DragPoints, on=True, pairs=placed, layer="", steps=3, stopped_at=0)
        self.ui.frames(4)

    def _inversion(self, space: str, steps: int, taken: bool) -> None:
        """Some steps of looking for a picture; perhaps what was found is taken."""
        picture = str(files.find("plain.png", self.folder, self.captures))
        self.app.state = self.app.state.edit(Inversion, on=True, picture=picture, space=space, steps=10, perceptual=False)
        self._measure(steps)
        frame = self.app.frame
        result = frame.overlays.get("inversion") if frame is not None else None
        if taken and result is not None and result.values is not None:
            self.app.context.emit(commands.UseLatent(result.values.ws))
        self.ui.frames(2)

    def _reference(self, source: str, num: int, beside: bool) -> None:
        """The spectrum to compare with, of files or of another network; perhaps with the one that it is compared with."""
        found = str(files.find(source, self.folder, self.captures))
        self.app.state = self.app.state.edit(SpectrumReference, source=found, num=num).edit(AverageSpectrum, on=beside, num=num)
        self._measure(4 * num)

    def _measure(self, steps: int) -> None:
        """Asks, and takes some more steps of measuring than a frame does; a render thread goes on by itself."""
        self.ui.frames(2)
        if isinstance(self.app.renderer, Inline):
            self.app.renderer.proceed(steps)
        self.ui.frames(2)

    def _output(self, what: str, size: tuple[int, int]) -> None:
        """The output window is opened or closed; or something is done in it, as its own keys, mouse and edges do."""
        window = self.app.output.window
        if what == "toggle" or window is None:
            self.ui.key("shift+f11")
        elif what == "close":
            window.request_close()
        elif what == "fill":
            window.key(glfw.KEY_F11, glfw.PRESS)
        elif what == "double":
            for _ in range(2):
                window.click(glfw.MOUSE_BUTTON_LEFT, glfw.PRESS)
        elif not window.monitor:
            glfw.set_window_size(window._handle, *size)
        self.ui.frames(2)

    # ------------------------------------------------------------------------------------------------ tour, remote, OSC

    def _tour(self, steps: int) -> None:
        """Begins it, and goes on some steps; past the last one it is over."""
        self.app.context.emit(commands.StartTour())
        self.ui.frames(3)
        for _ in range(steps):
            self.coverage.tour[self.app.tour.index] += 1
            if self.app.tour.index is not None:
                self.ui.click("Tour.finish" if self.app.tour.index == len(self.app.tour.steps) - 1 else "Tour.next")

    def _offer(self, which: str) -> None:
        """What is asked at a start: whether to go on with the last session, or to begin the tour."""
        if which == "tour":
            self.app.tour.stop()
            self.app.tour.offered = True
        else:
            self.autosave.offered = current(self.app)
        self.ui.frames(2)

    def _osc(self, *asked: tuple[float, Any]) -> None:
        """A datagram from a controller: values that fit and others, to addresses that exist and one that does not."""
        from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
        from pythonosc.osc_message_builder import OscMessageBuilder

        paths_known = [*(address.path for address in addresses().values()), LAYER, "/no/such"]
        bundle = OscBundleBuilder(IMMEDIATELY)  # pyright: ignore[reportArgumentType]
        for part, value in asked:
            message = OscMessageBuilder(paths_known[int(part * len(paths_known))])
            message.add_arg(value)
            bundle.add_content(message.build())  # pyright: ignore[reportArgumentType]
            self.coverage.osc[message.address or ""] += 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(bundle.build().dgram, self.osc.place)
        give_up = time.monotonic() + DEADLINE_S
        while not self.osc._waiting:
            assert time.monotonic() < give_up, "an OSC message did not arrive"
            time.sleep(0.001)
        self.ui.frames(2)
        self.app.streaming_until = 0.0  # the stream is over: by the clock, the same seed would not do the same again
        self.ui.frames(2)

    def _remote(self, what: str, value: float) -> None:
        """Another program asks; the window answers between its frames."""
        client = Client(self.remote.address, self.remote.token, timeout_s=DEADLINE_S)
        view = self.app.state.reset(*MOTION).edit(Latent, x=10 * value).edit(Pose, x=0.1 * value)
        asks: dict[str, Callable[[], Any]] = {
            "edit": lambda: client.show(leave_path(self.app.state, view)),
            "values": client.values,
            "pixels": client.pixels,
            "facts": client.facts,
            "view": client.view,
            "nonsense": lambda: client._ask("/state", b"not a view"),
        }
        told: list[str] = []

        def ask() -> None:
            try:
                asks[what]()
            except RemoteError as e:
                told.append(str(e))

        asking = threading.Thread(target=ask, name="asking")
        asking.start()
        give_up = time.monotonic() + DEADLINE_S
        while asking.is_alive() and time.monotonic() < give_up:
            self.ui.frames(1)
            asking.join(0.002)
        assert not asking.is_alive(), "the window did not answer another program"
        frame = self.app.renderer.frame
        fails = what == "nonsense" or (what in ("values", "pixels", "facts") and frame is not None and frame.error is not None)
        assert bool(told) == fails, f"{what}: {told}"
        self.coverage.remote[what] += 1
        self.ui.frames(2)
