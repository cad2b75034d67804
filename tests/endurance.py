"""Proof of endurance: random but valid actions on the real application, headless; what goes wrong can be replayed from its seed.

    python -m tests.endurance --actions 20000 --seed 0

An action is a value drawn from the seed before anything is done, so the same seed does the same again: gestures anywhere in the
window, every key, numbers typed into whatever is there, files dropped, the window resized, any valid value put into any group of
the view. After each of them: no exception, no GL error, and the newest frame answers the newest request. At the end: memory as it
was after the first part, and no GL object left.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import gc
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from gui_utils import gl
from gui_utils.libraries import glfw
from gui_utils.named_textures import KEPT_FRAMES
from gui_utils.texture import live_objects
from gui_utils.window import Window, WindowOptions
from tests.drive import FRAME_S, Driver, chord
from viz import commands
from viz.app import App, AppOptions
from viz.keys import BINDINGS
from viz.pipeline import Pipeline
from viz.render_thread import Inline
from viz.settings import Settings
from viz.state import GROUPS, Device, OwnLatent, Source, ViewState
from viz.timeline import Timeline

GOLDEN = Path(__file__).resolve().parent / "golden"
NETWORKS = ("tiny_r.pkl", "tiny_t.pkl", "tiny_sg2.pkl", "tiny_t_cond.pkl")
SIZES = ((1280, 800), (1280, 800), (900, 600), (640, 480))
NOT_PRESSED = ("ctrl+q", "o")  # ends the program; asks the system for a dialog
NOT_EDITED = (Source, Device, OwnLatent)  # files are dropped; another device is another machine
STEPS = 3  # of measuring, for each request
KEPT_ACTIONS = 40
GROWTH = {"bytes": 128 << 20, "objects": 100_000, "gl": 4, "threads": 0}  # a software driver keeps 100 MB more or less of its own
REST_FRAMES = 8


@dataclass(frozen=True)
class Action:
    """What is done, with all its numbers. Places are parts of the window's width and height."""

    kind: str
    values: tuple[Any, ...] = ()


class Broken(AssertionError):
    """The application did not endure: what happened, the seed, and the last actions."""


# ------------------------------------------------------------------------------------------------ what is done


def actions(seed: int) -> Iterator[Action]:
    """Endless, and the same for the same seed."""
    stream = random.Random(seed)
    kinds = {
        "click": 30, "drag": 18, "key": 18, "edit": 12, "set": 6, "wheel": 5, "menu": 4, "hover": 3, "double": 3, "idle": 2, "type": 2,
        "drop": 2, "resize": 1, "settings": 1,
    }  # fmt: skip
    while True:
        (kind,) = stream.choices(tuple(kinds), tuple(kinds.values()))
        yield Action(kind, DRAWN[kind](stream))


def _place(stream: random.Random) -> tuple[float, float]:
    return round(stream.random(), 4), round(stream.random(), 4)


def _drag(stream: random.Random) -> tuple[Any, ...]:
    keys = stream.choice(("", "", "", "shift", "alt", "ctrl", "space"))
    return (_place(stream), _place(stream), stream.choice((0, 0, 0, 1, 2)), stream.randint(1, 6), keys)


def _edit(stream: random.Random) -> tuple[Any, ...]:
    kind = stream.choice([k for k in GROUPS if k not in NOT_EDITED])
    field = stream.choice(dataclasses.fields(kind))
    return (kind.__name__, field.name, any_value(stream, get_type_hints(kind)[field.name], field.metadata))


def any_value(stream: random.Random, hint: Any, limits: Any) -> Any:
    """Something that a saved view may hold in this field, mostly near what people use."""
    low, high, choices = limits.get("low"), limits.get("high"), limits.get("choices")
    if get_origin(hint) is tuple:
        return tuple(any_value(stream, get_args(hint)[0], {"low": 0}) for _ in range(stream.choice((0, 1, 3, 5))))
    if hint is bool:
        return stream.random() < 0.5
    if hint is str:
        return stream.choice(choices) if choices else stream.choice(("", "L3_16_12", "output", "b16.conv0", "sticking.mean", "no such"))
    span = stream.choice((1.0, 10.0, 1000.0))
    least, most = (-span if low is None else float(low)), (span if high is None else min(float(high), float(low or 0) + span))
    return stream.randint(int(least), int(most)) if hint is int else round(stream.uniform(least, most), 4)


def _key(stream: random.Random) -> tuple[Any, ...]:
    return (stream.choice([c for b in BINDINGS for c in b.chords if c not in NOT_PRESSED] + ["escape", "escape", "enter"]),)


DRAWN: dict[str, Callable[[random.Random], tuple[Any, ...]]] = {
    "click": lambda s: (_place(s),),
    "double": lambda s: (_place(s),),
    "menu": lambda s: (_place(s),),
    "hover": lambda s: (_place(s),),
    "drag": _drag,
    "wheel": lambda s: (_place(s), s.choice((-3, -1, 1, 3))),
    "key": _key,
    "set": lambda s: (_place(s), s.choice(("0", "1", "-1", "7.5", "1e9", "nan", "x", "", "0.01"))),
    "type": lambda s: (s.choice(("12", "0.5", "abc", "-", "é")),),
    "edit": _edit,
    "drop": lambda s: (s.choice((*NETWORKS, *NETWORKS, "view.json", "broken.pkl", "broken.json", "notes.txt", "missing.pkl")),),
    "resize": lambda s: (s.choice(SIZES),),
    "settings": lambda s: (s.choice((("font_scale", 1.0), ("font_scale", 1.4), ("vsync", True), ("fps_limit", 30))),),
    "idle": lambda s: (s.randint(1, 12),),
}


# ------------------------------------------------------------------------------------------------ doing it


class Sitting(Driver):
    """Drives whole turns of the application's loop: what it does after a frame, it does between two of them."""

    app: App | None = None

    def _frame(self) -> None:
        if self.app is not None:
            self.app.begin()
        super()._frame()
        if self.app is not None:
            self.app.finish(FRAME_S)


class Endurance:
    """The application in a headless window, a driver, and a folder with files to drop on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start = ViewState().put(Source(str(GOLDEN / NETWORKS[0])))
        self._write_files()
        self.last: deque[Action] = deque(maxlen=KEPT_ACTIONS)
        self.done: Counter[str] = Counter()
        self.pipeline = Pipeline(memory_bytes=64 << 20)
        self.window = Window(WindowOptions(size=SIZES[0], headless=True))
        options = AppOptions(self.start, folder / "settings", folder / "captures", headless=True)
        self.app = App(options, self.window, Inline(self.pipeline, steps=STEPS), Settings(first_start=False))
        self.app._catalogue = ()  # nothing is downloaded
        self.window.request_close = lambda: self.done.update(quit=1)  # the File menu is clicked like everything else
        self.ui = Sitting(lambda: self.app.draw(FRAME_S), window=self.window, deadline_s=120)
        self.ui.app = self.app
        self.ui.frames(REST_FRAMES)

    def _write_files(self) -> None:
        (self.folder / "view.json").write_text(self.start.to_json())
        (self.folder / "broken.json").write_text('{"format": "aliasfree-view", "version": 1, "Pose": {"x": "left"}}')
        (self.folder / "broken.pkl").write_bytes(b"\x80\x04not a network")
        (self.folder / "notes.txt").write_text("hello")

    def do(self, action: Action) -> None:
        """Does it and looks at what came of it. Raises Broken, or whatever the application raised."""
        self.last.append(action)
        self.done[action.kind] += 1
        getattr(self, f"_{action.kind}")(*action.values)
        self.check()

    def check(self) -> None:
        if (error := int(gl.glGetError())) != 0:
            raise Broken(f"GL error {error:#x}")
        frame, app = self.app.renderer.frame, self.app
        if frame is None or frame.request.view != app.submitted:
            raise Broken("the newest frame answers another request")
        if frame.error is not None and frame.error.stage != "load":
            raise Broken(f"the frame is an error: {frame.error.message}\n{frame.error.details}")
        for name, result in frame.overlays.items():
            if result.error is not None and "there is no such file" not in result.error.message:
                raise Broken(f"the measurement {name} is an error: {result.error.message}\n{result.error.details}")
        if self.window.should_close:
            raise Broken("the window closed itself")

    def _at(self, place: tuple[float, float]) -> tuple[float, float]:
        width, height = self.window.size
        return place[0] * (width - 1), place[1] * (height - 1)

    def _press(self, place: tuple[float, float], button: int = 0, times: int = 1, keys: str = "") -> None:
        def act(context: Any) -> None:
            context.mouse_teleport_to_pos(self._at(place))
            context.yield_(1)
            if keys:
                context.key_down(chord(keys))
            for _ in range(times):
                context.mouse_down(button)
                context.yield_(1)
                context.mouse_up(button)
                context.yield_(1)
            if keys:
                context.key_up(chord(keys))
                context.yield_(1)

        self.ui.run(act)

    def _click(self, place: tuple[float, float]) -> None:
        self._press(place)

    def _double(self, place: tuple[float, float]) -> None:
        self._press(place, times=2)

    def _menu(self, place: tuple[float, float]) -> None:
        self._press(place, button=1)

    def _hover(self, place: tuple[float, float]) -> None:
        def act(context: Any) -> None:
            context.mouse_teleport_to_pos(self._at(place))
            context.sleep_no_skip(0.6, 0.1)

        self.ui.run(act)

    def _drag(self, start: tuple[float, float], end: tuple[float, float], button: int, steps: int, keys: str) -> None:
        self.ui.drag(self._at(start), self._at(end), button, steps=steps, keys=keys)

    def _wheel(self, place: tuple[float, float], amount: int) -> None:
        self.ui.wheel(self._at(place), amount)

    def _key(self, keys: str) -> None:
        self.ui.key(keys)

    def _set(self, place: tuple[float, float], text: str) -> None:
        self._press(place, keys="ctrl")
        self.ui.type(text, enter=True)

    def _type(self, text: str) -> None:
        self.ui.type(text)

    def _edit(self, group: str, field: str, value: Any) -> None:
        kind = next(k for k in GROUPS if k.__name__ == group)
        self.app.state = self.app.state.edit(kind, **{field: value})
        self.ui.frames(2)

    def _drop(self, name: str) -> None:
        self.window.drop([GOLDEN / name if name in NETWORKS else self.folder / name])
        self.ui.frames(3)

    def _resize(self, size: tuple[int, int]) -> None:
        glfw.set_window_size(self.window._handle, *size)  # pyright: ignore[reportArgumentType]
        self.ui.frames(3)

    def _settings(self, change: tuple[str, Any]) -> None:
        self.app.context.emit(commands.ChangeSettings((change,)))
        self.ui.frames(2)

    def _idle(self, count: int) -> None:
        self.ui.frames(count)

    # -------------------------------------------------------------------------------------------- rest and end

    def rest(self) -> dict[str, float]:
        """Back at the first view with nothing remembered: what is held then, in bytes and numbers."""
        for _ in range(4):
            self.ui.key("escape")
        self._resize(SIZES[0])
        app = self.app
        if app.context.film.job is not None:
            app.context.film.job.close()
        app.context.film.playing, app.context.film.time_s = False, 0.0
        app.context.film.edit(Timeline())
        app.state, app.chrome_shown, app.help_shown = self.start, True, False
        app.context.emit(commands.ChangeSettings((("workspace", 1), ("font_scale", 1.0), ("bookmarks", ()))))
        app.toasts.log.entries.clear()
        shutil.rmtree(self.folder / "captures", ignore_errors=True)
        self.ui.frames(KEPT_FRAMES + REST_FRAMES)
        self.check()
        self.pipeline.networks.clear()
        gl.glFinish()  # a software driver keeps what belongs to frames that it has not finished
        self.ui.frames(2)
        self.pipeline.memory.clear()
        gc.collect()
        give_back_freed_memory()
        return {
            "bytes": resident_bytes(), "objects": sys.getallocatedblocks(), "gl": sum(live_objects().values()),
            "threads": threading.active_count(),
        }  # fmt: skip

    def close(self) -> None:
        self.ui.app, self.ui.draw = None, lambda: None
        self.app.close()
        self.ui.close()
        self.window.close()


def give_back_freed_memory() -> None:
    """The application tells glibc to keep what is freed (`torch_utils.heap`), which is not what is held."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).malloc_trim(0)


def resident_bytes() -> int:
    """Memory of this process; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


@contextmanager
def endurance(folder: Path) -> Iterator[Endurance]:
    """An application to be driven; raises Broken at the end if it leaves GL objects behind."""
    before = live_objects()
    driven = Endurance(folder)
    try:
        yield driven
    finally:
        driven.close()
    if live_objects() != before:
        raise Broken(f"GL objects are left behind: {live_objects()}, before it were {before}")


def run(count: int, seed: int, folder: Path, report: Callable[[int, dict[str, float]], None] = lambda done, held: None) -> dict[str, Any]:
    """`count` actions (at least 5). Rests five times; what is held at the last rests is what was held at the first. Raises Broken."""
    with endurance(folder) as driven:
        stream, part, rests = actions(seed), max(1, count // 5), []
        try:
            for done in range(1, count + 1):
                driven.do(next(stream))
                if done % part == 0:
                    rests.append(driven.rest())
                    report(done, rests[-1])
        except Exception as e:
            listed = "\n".join(f"  {action}" for action in driven.last)
            raise Broken(f"{type(e).__name__} at action {done} of seed {seed}: {e}\nThe last actions, newest last:\n{listed}") from e
        for name, limit in GROWTH.items():
            growth = min(held[name] for held in rests[3:]) - max(held[name] for held in rests[:2])
            if growth > limit:
                raise Broken(f"{name} grew by {growth:.0f} from the first two rests to the last two, seed {seed}: {rests}")
        return {"rests": rests, "done": driven.done, "frames": driven.ui.frame_count, "requests": driven.app.requests}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description="Random but valid actions on the headless application.")
    parser.add_argument("--actions", metavar="N", type=int, default=20_000)
    parser.add_argument("--seed", metavar="S", type=int, default=0)
    options = parser.parse_args()
    begun = time.monotonic()

    def report(done: int, held: dict[str, float]) -> None:
        numbers = f"{held['bytes'] / 1e6:.0f} MB, {held['objects']:.0f} blocks of Python, {held['gl']:.0f} GL objects"
        print(f"{done} actions, {time.monotonic() - begun:.0f} s: at rest {numbers}, {held['threads']:.0f} threads", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        try:
            found = run(options.actions, options.seed, Path(folder), report)
        except Broken as e:
            print(e, file=sys.stderr)
            return 1
    print(f"Endured: {options.actions} actions, {found['frames']} frames, {found['requests']} requests, seed {options.seed}.")
    print(", ".join(f"{kind} {n}" for kind, n in found["done"].most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
