"""Drives the interface the way a person does, without a person: click, drag, press keys, type, find a control by its label.

Two back ends behind one class. `Driver(draw)` has no window and no OpenGL at all (a click takes milliseconds; textures cannot be
made). `Driver(draw, window=Window(...))` draws into a headless window and can take screenshots.

    with Driver(draw) as ui:
        ui.set("Latent.x", 2.5)          # Ctrl-click, type, Enter
        ui.click("Network.load")
        ui.drag((400, 300), (450, 300))
        ui.key("ctrl+z")

Controls made by `gui_utils.controls` are found by their id ("Latent.x"), anything else by its text ("Reset to default") or by a full
path that starts with "//". Every wait has a deadline; what cannot be found raises LookupError, naming it.

It uses the Dear ImGui Test Engine inside imgui-bundle, whose own licence is free for open-source software but not for every company;
therefore only the tests import it, never the application. The engine runs its script on a second thread that takes turns with
`ImGui::Render`, so Render must be called with the GIL released: through ctypes, by its symbol (absent from the Windows build).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from gui_utils.libraries import imgui
from gui_utils.window import Window
from tests.finding import Item, chord, find
from tests.windowless import (
    FRAME_S,
    DriveError,
    pretend_uploads,
    render_without_gil,
    start_without_window,
    stop_without_window,
)

__all__ = ["DriveError", "Driver", "Item", "chord"]

engine_api = imgui.test_engine

MAX_FRAMES = 3000
GRACE_FRAMES, GRACE_S = 300, 5.0
Place = str | tuple[float, float]


class _Watched:
    """The engine's context for one action: each call first asks whether the action's time is over."""

    def __init__(self, context: Any, driver: Driver) -> None:
        self._context, self._driver = context, driver

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._context, name)
        if not callable(value):
            return value

        def call(*args: Any, **options: Any) -> Any:
            if self._driver.overdue:
                raise TimeoutError(f"the script did not finish within {self._driver.deadline_s} s or {MAX_FRAMES} frames")
            return value(*args, **options)

        return call


class Driver:
    """`draw` builds one frame of the interface; it may be replaced at any time. `size` is for the back end without a window."""

    def __init__(
        self, draw: Callable[[], None], *, window: Window | None = None, size: tuple[int, int] = (1280, 720), deadline_s: float = 120.0
    ) -> None:
        self.draw = draw
        self.window = window
        self.deadline_s = deadline_s
        self.frame_count = 0
        self._render = render_without_gil()
        if window is None:
            start_without_window(size)
        else:
            window.render_imgui = self._render
        self._engine = engine_api.create_context()
        io = engine_api.get_io(self._engine)
        io.config_run_speed = engine_api.TestRunSpeed.fast
        io.config_log_to_tty = False
        io.config_verbose_level = engine_api.TestVerboseLevel.info
        io.config_watchdog_warning = io.config_watchdog_kill_test = io.config_watchdog_kill_app = 1e9  # deadlines are ours
        engine_api.start(self._engine, imgui.get_current_context())
        self._action: Callable[[Any], None] | None = None
        self._failure: BaseException | None = None
        self._closing = False
        self.overdue = False
        self._test = engine_api.register_test(self._engine, "driver", "person")
        self._test.test_func = self._person

    def _person(self, context: Any) -> None:
        """The one long script: does an action when there is one, else lets frames pass. (A script per action would close popups.)"""
        watched = _Watched(context, self)
        while not self._closing and not context.is_error():
            if self._action is not None:
                try:
                    self._action(watched)
                except BaseException as e:  # it must not reach C++; `run` raises it again
                    self._failure = e
                self._action = None
            context.yield_(1)

    # ------------------------------------------------------------------------------------------------ frames

    def frames(self, count: int = 1) -> None:
        """Draw frames without doing anything."""
        for _ in range(count):
            self._frame()

    def _frame(self) -> None:
        if self.window is None:
            imgui.get_io().delta_time = FRAME_S
            imgui.new_frame()
            try:
                self.draw()
            finally:
                self._render()
            pretend_uploads()
        else:
            self.window.wait(0)
            imgui.get_io().delta_time = FRAME_S
            self.window.begin_frame()
            imgui.get_io().delta_time = FRAME_S
            try:
                self.draw()
            finally:
                self.window.end_frame()
        engine_api.post_swap(self._engine)
        self.frame_count += 1

    def run(self, script: Callable[[Any], None], what: str = "script") -> None:
        """Run `script(context)` of the test engine while frames are drawn; errors in it, and errors in `draw`, come out here."""
        if engine_api.is_test_queue_empty(self._engine):
            engine_api.queue_test(self._engine, self._test)
        self._failure, self._action, self.overdue = None, script, False
        give_up = time.monotonic() + self.deadline_s
        last_frame = self.frame_count + MAX_FRAMES
        while self._action is not None and not self._aborted():
            self._frame()
            self.overdue = time.monotonic() > give_up or self.frame_count > last_frame
            if self.frame_count > last_frame + GRACE_FRAMES or time.monotonic() > give_up + GRACE_S:
                engine_api.abort_current_test(self._engine)  # it hangs inside one call of the engine
        self._action = None
        if self._failure is not None:
            raise self._failure
        if self._test.output.status == engine_api.TestStatus.error:
            log = self._test.output.log.get_text()
            for _ in range(GRACE_FRAMES):  # let the engine put the script away; the next action starts a new one
                if self._aborted():
                    break
                self._frame()
            raise DriveError(f"{what} failed\n{log}")
        if self.overdue:
            raise TimeoutError(f"{what} did not finish within {self.deadline_s} s or {MAX_FRAMES} frames")

    def _aborted(self) -> bool:
        """Whether the engine has ended the script by itself."""
        return engine_api.is_test_queue_empty(self._engine)

    # ------------------------------------------------------------------------------------------------ finding

    def exists(self, label: str) -> bool:
        found: list[bool] = []
        self.run(lambda context: found.append(find(context, label) is not None), f"exists({label!r})")
        return found[0]

    def item(self, label: str) -> Item:
        """The control of this label; LookupError if there is none on screen."""
        found: list[Item] = []

        def look(context: Any) -> None:
            info = context.item_info(self._reference(context, label))
            rect = info.rect_full
            off = bool(info.item_flags & imgui.ItemFlags_.disabled.value)
            found.append(Item(rect.min.x, rect.min.y, rect.max.x, rect.max.y, off, info.window.name if info.window else ""))

        self.run(look, f"item({label!r})")
        return found[0]

    def _reference(self, context: Any, label: str) -> Any:
        reference = find(context, label)
        if reference is None:
            raise LookupError(f"no control {label!r} is on screen")
        return reference

    # ------------------------------------------------------------------------------------------------ mouse

    def click(self, label: str, button: int = 0) -> None:
        """Click a control (scrolling to it if need be). The click also happens where the control is disabled; it must then do nothing."""

        def act(context: Any) -> None:
            reference = self._reference(context, label)
            context.mouse_move(reference, engine_api.TestOpFlags_.no_check_hovered_id.value)
            context.mouse_click(button)

        self.run(act, f"click({label!r})")

    def double_click(self, place: Place, button: int = 0) -> None:
        def act(context: Any) -> None:
            self._move(context, place)
            context.mouse_double_click(button)

        self.run(act, f"double_click({place!r})")

    def click_at(self, place: tuple[float, float], button: int = 0) -> None:
        def act(context: Any) -> None:
            self._move(context, place)
            context.mouse_click(button)

        self.run(act, f"click_at({place!r})")

    def menu(self, label: str, entry: str) -> None:
        """Right-click a control and choose from its menu."""
        self.click(label, button=1)
        self.click(entry)

    def hover(self, place: Place) -> None:
        """Rest the mouse there long enough for a tooltip."""

        def act(context: Any) -> None:
            self._move(context, place)
            context.sleep_no_skip(1.0, FRAME_S)

        self.run(act, f"hover({place!r})")

    def drag(self, start: Place, end: tuple[float, float], button: int = 0, *, steps: int = 4, keys: str = "") -> None:
        """Press at `start`, move to `end` in `steps` frames, release; `keys` ("alt", "ctrl+shift") are held meanwhile."""

        def act(context: Any) -> None:
            begin = self._move(context, start)
            if keys:
                context.key_down(chord(keys))
            context.mouse_down(button)
            context.yield_(1)
            for i in range(1, steps + 1):
                part = i / steps
                at = (begin[0] + (end[0] - begin[0]) * part, begin[1] + (end[1] - begin[1]) * part)
                context.mouse_teleport_to_pos(at)
                context.yield_(1)
            context.mouse_up(button)
            if keys:
                context.key_up(chord(keys))
            context.yield_(1)

        self.run(act, f"drag({start!r}, {end!r})")

    def drag_by(self, start: Place, delta: tuple[float, float], button: int = 0, *, steps: int = 4, keys: str = "") -> None:
        x, y = self.item(start).center if isinstance(start, str) else start
        self.drag((x, y), (x + delta[0], y + delta[1]), button, steps=steps, keys=keys)

    def wheel(self, place: Place, amount: float) -> None:
        """Turn the wheel there; positive is up, away from the user."""

        def act(context: Any) -> None:
            self._move(context, place)
            context.mouse_wheel((0, amount))

        self.run(act, f"wheel({place!r}, {amount})")

    def _move(self, context: Any, place: Place) -> tuple[float, float]:
        if isinstance(place, str):
            reference = self._reference(context, place)
            context.mouse_move(reference, engine_api.TestOpFlags_.no_check_hovered_id.value)
        else:
            context.mouse_move_to_pos(place)
        at = imgui.get_io().mouse_pos
        return at.x, at.y

    # ------------------------------------------------------------------------------------------------ keyboard, values

    def key(self, keys: str) -> None:
        """Press and release a chord: "f5", "ctrl+z", "ctrl+shift+z", "escape", "left"."""
        self.run(lambda context: context.key_press(chord(keys)), f"key({keys!r})")

    def type(self, text: str, *, enter: bool = False) -> None:
        """Type into what has the keyboard."""
        self.run(lambda context: (context.key_chars_append_enter if enter else context.key_chars_append)(text), f"type({text!r})")

    def set(self, label: str, value: float | int | str) -> None:
        """Type a value into a control (Ctrl-click, replace, Enter)."""

        def act(context: Any) -> None:
            reference = self._reference(context, label)
            context.mouse_move(reference)
            context.key_down(imgui.Key.mod_ctrl)
            context.mouse_click(0)
            context.key_up(imgui.Key.mod_ctrl)
            context.yield_(2)
            context.key_chars_replace_enter(str(value))
            context.yield_(2)

        self.run(act, f"set({label!r}, {value!r})")

    def choose(self, label: str, choice: object) -> None:
        """Open a combo of `gui_utils.controls` and choose an entry by its value."""
        self.click(label)
        self.click(f"{label}.{choice}")

    # ------------------------------------------------------------------------------------------------ pictures, end

    def screenshot(self) -> np.ndarray:
        """uint8 [height, width, 3] of the last frame; needs a window."""
        assert self.window is not None, "a screenshot needs Driver(draw, window=...)"
        return self.window.screenshot()

    def close(self) -> None:
        """Stop the engine; without a window also end Dear ImGui (a window is closed by whoever opened it, after this)."""
        self._closing = True
        self._frame()
        engine_api.stop(self._engine)
        if self.window is None:
            stop_without_window()
            engine_api.destroy_context(self._engine)
        else:
            self.window.render_imgui = imgui.render
            self.window.after_close.append(lambda: engine_api.destroy_context(self._engine))  # it must outlive Dear ImGui's context

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
