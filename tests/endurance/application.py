"""The application in a headless window, driven by actions; after each it is looked at."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gui_utils import gl
from gui_utils.libraries import glfw, imgui
from gui_utils.texture import KEPT_FRAMES, live_objects
from gui_utils.window import Window, WindowOptions
from tests.drive import FRAME_S, Driver, chord
from tests.endurance import files
from tests.endurance.actions import NETWORKS, SIZES, Action
from tests.endurance.answers import of_a_file, others, same_picture, wrong
from tests.endurance.coverage import Coverage
from tests.endurance.errands import Errands
from tests.endurance.held import Held, held_now
from viz import commands, history, undo, workspaces
from viz.app import App, AppOptions
from viz.errors import UNFORESEEN
from viz.export import film as film_module
from viz.pipeline import Pipeline
from viz.remote.osc import OscInput
from viz.remote.server import RemoteServer
from viz.render_thread import Inline, RenderThread
from viz.request import RenderRequest
from viz.session.autosave import Autosave
from viz.settings import Settings
from viz.state import ANALYSES, GROUPS, MOTION
from viz.timeline.timeline import Timeline

FILLED_EVERY = 8  # frames
STEPS = 2  # of measuring, for each request
KEPT_ACTIONS = 40
REST_FRAMES = 8
HOVER_FRAME_S = 0.25  # a tooltip comes after half a second: two frames
DEADLINE_S = 120
SCALE = 0.5  # of everything in the window: a quarter of the pixels to fill
MEMORY_BYTES = 64 << 20


class Broken(AssertionError):
    """The application did not endure: what happened, the seed, and the last actions."""


class Sitting(Driver):
    """Drives whole turns of the application's loop: what it does after a frame, it does between two of them.

    A software driver takes longer to fill the pixels than all else takes together: they are filled now and then, and when
    an action is over.
    """

    app: App | None = None
    frame_s = FRAME_S
    _unfilled = 0

    def filled_frame(self) -> None:
        """One whose pixels are filled in any case."""
        self._unfilled = FILLED_EVERY
        self._frame()

    def _frame(self) -> None:
        if self.app is None:
            super()._frame()
            return
        self.app.begin()
        self._unfilled = (self._unfilled + 1) % FILLED_EVERY if self._unfilled < FILLED_EVERY else 0
        with self._pixels(filled=self._unfilled == 0):
            super()._frame()
        self.app.finish(self.frame_s)

    @contextmanager
    def _pixels(self, *, filled: bool) -> Iterator[None]:
        assert self.window is not None
        draw = self.window._draw_gl
        if not filled:
            self.window._draw_gl = lambda: None
        try:
            yield
        finally:
            self.window._draw_gl = draw


class Endurance(Errands):
    """The application in a headless window, a driver, and a folder with files to drop on it.

    `threaded`: pictures come from a render thread, as for people, instead of being awaited in place.
    """

    def __init__(self, folder: Path, *, threaded: bool = False) -> None:
        self.folder, self.captures = folder, folder / "captures"
        self.start = files.source(NETWORKS[0])
        files.write(folder, self.start)
        self.last: deque[Action] = deque(maxlen=KEPT_ACTIONS)
        self.coverage = Coverage()
        self.pipeline = Pipeline(memory_bytes=MEMORY_BYTES)
        self.window = Window(WindowOptions(size=SIZES[0], headless=True, content_scale=SCALE))
        renderer = RenderThread(self.window.wake, lambda: self.pipeline) if threaded else Inline(self.pipeline, steps=STEPS)
        self.app = App(
            AppOptions(self.start, folder / "settings", self.captures, headless=True), self.window, renderer, Settings(first_start=False)
        )
        self.app._catalogue = tuple(entry for entry in self.app._catalogue if entry.kind == "bundled")  # nothing is downloaded
        self.window.request_close = lambda: None  # the File menu is clicked like everything else
        self.remote = RemoteServer(0, self.window.wake, timeout_s=DEADLINE_S)
        self.autosave = Autosave(folder / "settings", clock=lambda: self.ui.frame_count * FRAME_S)
        self.osc = OscInput(wake=self.window.wake)
        self.app.attached += [self.autosave, self.remote, self.osc]
        self.ui = Sitting(lambda: self.app.draw(FRAME_S), window=self.window, deadline_s=DEADLINE_S)
        self.ui.app = self.app
        self.coverage.watch(self.app)
        self.ui.frames(REST_FRAMES)
        self.settle()

    def do(self, action: Action) -> None:
        """Does it and looks at what came of it. Raises Broken, or whatever the application raised."""
        self.last.append(action)
        self.coverage.actions[action.kind] += 1
        begun = time.monotonic()
        getattr(self, f"_{action.kind}")(*action.values)
        self.ui.filled_frame()
        self.settle()
        self.check()
        self.coverage.seconds[action.kind] += time.monotonic() - begun

    def settle(self) -> None:
        """Waits for the answer to what was asked last; without a thread it is there already."""
        give_up = time.monotonic() + DEADLINE_S
        while not self._answered():
            if time.monotonic() > give_up or isinstance(self.app.renderer, Inline):
                raise Broken("the newest frame answers another request")
            self.app.renderer.wait_idle(0.02)  # pyright: ignore[reportAttributeAccessIssue]

    def _answered(self) -> bool:
        frame = self.app.renderer.frame
        return frame is not None and frame.request.view == self.app.submitted

    def check(self) -> None:
        """No GL error, and an answer, without an error, to what is on screen."""
        if (error := int(gl.glGetError())) != 0:
            raise Broken(f"GL error {error:#x}")
        frame, app = self.app.renderer.frame, self.app
        if app.submitted != app._question():
            raise Broken("what is on screen was not asked for")
        assert frame is not None
        for shown in (frame, *(beside.frame for beside in others(frame))):
            if shown.error is not None and not of_a_file(shown.error):
                raise Broken(f"the frame is an error: {shown.error.message}\n{shown.error.details}")
        for name, result in frame.overlays.items():
            if (told := wrong(result)) is not None:
                raise Broken(f"the measurement {name} is an error: {told.message}\n{told.details}")
        for entry in app.toasts.log.entries:
            if UNFORESEEN in entry.text:
                raise Broken(f"{entry.text}\n{entry.details}")
        if app.canvas.trouble:
            raise Broken(app.canvas.trouble)
        if self.window.should_close:
            raise Broken("the window closed itself")
        self.coverage.look(self.app, frame)

    def check_afresh(self) -> None:
        """The picture on screen is the one that a pipeline without memory makes of the newest request, bit for bit."""
        frame = self.app.renderer.frame
        assert frame is not None
        again = Pipeline(memory_bytes=MEMORY_BYTES).render(RenderRequest(1, frame.request.view))
        assert again is not None
        if (frame.error is None) != (again.error is None) or not same_picture(frame, again):
            raise Broken(f"the picture is not what its request asks for: {frame.request.view.to_json()}")
        self.coverage.afresh += 1

    # ------------------------------------------------------------------------------------------------ mouse and keys

    def _at(self, place: tuple[float, float]) -> tuple[float, float]:
        width, height = self.window.size
        return place[0] * (width - 1), place[1] * (height - 1)

    def _press(self, at: tuple[float, float], button: int = 0, times: int = 1, keys: str = "") -> None:
        def act(context: Any) -> None:
            context.mouse_teleport_to_pos(at)
            if keys:
                context.key_down(chord(keys))
            for _ in range(times):
                context.mouse_down(button)
                context.mouse_up(button)
            if keys:
                context.key_up(chord(keys))

        self.ui.run(act)

    def _click(self, place: tuple[float, float]) -> None:
        self._press(self._at(place))

    def _double(self, place: tuple[float, float]) -> None:
        self._press(self._at(place), times=2)

    def _menu(self, place: tuple[float, float]) -> None:
        self._press(self._at(place), button=1)

    def _menubar(self, x: float, entry: tuple[float, float]) -> None:
        """A menu, and one of its entries."""
        left = x * self.window.size[0]
        self._press((left, 0.4 * imgui.get_font_size()))
        self._press((left + entry[0] * 60, (1 + 24 * entry[1]) * 9))

    def _hover(self, place: tuple[float, float]) -> None:
        self.ui.run(lambda context: context.mouse_teleport_to_pos(self._at(place)))
        self.ui.frame_s = HOVER_FRAME_S
        self.ui.frames(4)
        self.ui.frame_s = FRAME_S

    def _drag(self, start: tuple[float, float], end: tuple[float, float], button: int, steps: int, keys: str) -> None:
        self.ui.drag(self._at(start), self._at(end), button, steps=steps, keys=keys)

    def _wheel(self, place: tuple[float, float], amount: int) -> None:
        self.ui.wheel(self._at(place), amount)

    def _key(self, keys: str) -> None:
        self.ui.key(keys)
        self.coverage.keys[keys] += 1

    def _set(self, place: tuple[float, float], text: str) -> None:
        self._press(self._at(place), keys="ctrl")
        self.ui.type(text, enter=True)

    def _type(self, text: str) -> None:
        self.ui.type(text)

    def _control(self, part: float, how: str, text: str, distance: int) -> None:
        """One of the controls on screen, however small, rather one that was seldom chosen."""
        at = self.coverage.a_control(part)
        if at is None:
            return
        if how == "set":
            self._press(at, keys="ctrl")
            self.ui.type(text, enter=True)
        elif how == "drag":
            self.ui.drag(at, (at[0] + distance, at[1]), steps=3)
        elif how == "wheel":
            self.ui.wheel(at, distance / 20)
        else:
            self._press(at, button=int(how == "menu"), times=2 if how == "double" else 1)

    # ------------------------------------------------------------------------------------------------ the view, the window

    def _panel(self, workspace: int, part: float) -> None:
        """A workspace, and one of its panels in front of the others."""
        self.app.context.emit(commands.ChooseWorkspace(workspace))
        self.ui.frames(1)
        titles = [title for title in self.app.arrangement.windows if title != workspaces.PICTURE]
        imgui.set_window_focus(self.app.arrangement.window_name(titles[int(part * len(titles))]))
        self.ui.frames(2)

    def _edit(self, group: str, field: str, value: Any) -> None:
        kind = next(k for k in GROUPS if k.__name__ == group)
        if field in ("network", "picture") and value:
            value = str(files.find(value, self.folder, self.captures))
        self.app.state = self.app.state.edit(kind, **{field: value})
        self.coverage.edits[f"{group}.{field}"] += 1
        self.ui.frames(2)

    def _calm(self, what: str) -> None:
        """Animations stop, or everything that is measured and broken goes back to how it was."""
        self.app.state = self.app.state.reset(*(MOTION if what == "motion" else ANALYSES))
        self.app.context.film.playing = False
        self.ui.frames(1)

    def _resize(self, size: tuple[int, int]) -> None:
        glfw.set_window_size(self.window._handle, *size)  # pyright: ignore[reportArgumentType]
        self.coverage.sizes[f"{size[0]} x {size[1]}"] += 1
        self.ui.frames(3)

    def _settings(self, change: tuple[str, Any]) -> None:
        self.coverage.settings[f"{change[0]} {change[1]}"] += 1
        self.app.context.emit(commands.ChangeSettings((change,)))
        self.ui.frames(2)

    def _idle(self, count: int) -> None:
        self.ui.frames(count)

    # -------------------------------------------------------------------------------------------- rest and end

    def rest(self) -> Held:
        """Back at the first view with nothing remembered: what is held then."""
        begun = time.monotonic()
        self.check_afresh()
        for _ in range(4):
            self.ui.key("escape")
        self._resize(SIZES[0])
        app = self.app
        self._end_jobs()
        app.tour.stop()
        if app.output.window is not None:
            app.output.toggle(app)
        self.autosave.offered = None
        app.context.film.playing, app.context.film.time_s = False, 0.0
        app.context.film.edit(Timeline())
        app.state, app.chrome_shown, app.help_shown, app.guide.shown = self.start, True, False, False
        app.context.emit(commands.ChangeSettings((("workspace", 1), ("font_scale", 1.0), ("bookmarks", ()), ("recent", ()))))
        app.toasts.log.entries.clear()
        self._forget_steps()
        shutil.rmtree(self.captures, ignore_errors=True)
        self.ui.frames(REST_FRAMES)
        self.settle()
        self.check()
        for _ in range(KEPT_FRAMES + 1):  # as after so many frames in which nobody shows them
            app.images.end_frame()
            app.canvas.comparison.pictures.end_frame()
            app.canvas.overlays.end_frame()
        self.ui.frames(2)
        gl.glFinish()  # a software driver keeps what belongs to frames that it has not finished
        if isinstance(app.renderer, RenderThread) and not app.renderer.wait_idle(DEADLINE_S):
            raise Broken("the render thread goes on although nothing is asked")
        self.pipeline.networks.clear()
        self.pipeline.memory.clear()
        held = held_now()
        self.coverage.seconds["rest"] += time.monotonic() - begun
        return held

    def _forget_steps(self) -> None:
        """Of undo: they are bounded, and what they hold differs from rest to rest."""
        app, film = self.app, self.app.context.film
        if len(app.history.past) > history.LIMIT or len(film.past) > film_module.LIMIT:
            raise Broken(f"undo holds {len(app.history.past)} and {len(film.past)} steps")
        app.history, app.undo_order, film.past, film.future = history.History(app.state), undo.Order(), (), ()

    def close(self) -> None:
        self.ui.app, self.ui.draw = None, lambda: None
        self.coverage.unwatch()
        self.app.close()
        self.ui.close()
        self.window.close()


@contextmanager
def endurance(folder: Path, *, threaded: bool = False) -> Iterator[Endurance]:
    """An application to be driven; raises Broken at the end if it leaves GL objects behind."""
    before, threads = live_objects(), threading.active_count()
    driven = Endurance(folder, threaded=threaded)
    try:
        yield driven
    finally:
        driven.close()
    if live_objects() != before:
        raise Broken(f"GL objects are left behind: {live_objects()}, before it were {before}")
    if threading.active_count() > threads:
        raise Broken(f"threads are left behind: {threading.enumerate()}")
