"""What the random actions have reached, out of all that there is."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import types
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, get_args

import viz
from gui_utils import controls
from gui_utils.controls import Field
from gui_utils.libraries import imgui
from tests.endurance.actions import FIGURES, FILMS, NOT_EDITED, NOT_PRESSED, WEIGHTS
from viz import commands, workspaces
from viz.analysis import overlays
from viz.app import App
from viz.effects import effects
from viz.guide.text import PAGES
from viz.keys import BINDINGS
from viz.remote.addresses import addresses
from viz.request import Frame
from viz.state import GROUPS
from viz.timeline.paths import PATHS
from viz.tour.tour import all_steps

NOT_ASKED = ("OpenFile", "OpenDirections")  # a dialog of the system


class Coverage:
    """Counters, one for each area. `watch` looks over the application's shoulder; it changes nothing."""

    def __init__(self) -> None:
        self.actions: Counter[str] = Counter()
        self.seconds: dict[str, float] = defaultdict(float)
        self.keys: Counter[str] = Counter()
        self.edits: Counter[str] = Counter()
        self.files: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()
        self.settings: Counter[str] = Counter()
        self.paths: Counter[str] = Counter()
        self.films: Counter[str] = Counter()
        self.figures: Counter[str] = Counter()
        self.remote: Counter[str] = Counter()
        self.osc: Counter[str] = Counter()
        self.tour: Counter[Any] = Counter()
        self.guide: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        self.panels: Counter[str] = Counter()
        self.workspaces: Counter[str] = Counter()
        self.networks: Counter[str] = Counter()
        self.measurements: Counter[str] = Counter()
        self.shown: Counter[str] = Counter()
        self.drawn: Counter[str] = Counter()
        self.used: Counter[str] = Counter()
        self.afresh = 0
        self.on_screen: dict[str, tuple[float, float]] = {}
        self._chosen: Counter[str] = Counter()
        self._next: dict[str, tuple[float, float]] = {}
        self._kept: list[tuple[Any, str, Any]] = []

    # ------------------------------------------------------------------------------------------------ watching

    def watch(self, app: App) -> None:
        """Notes every control, panel and command of this application from now on."""
        tooltip, carry_out, draw = controls._tooltip, effects.carry_out, app.draw

        def noted(field: Field, disabled: str, default: str = "") -> None:
            self._note(field, disabled)
            tooltip(field, disabled, default)

        def carried_out(to: App, command: Any) -> None:
            self.commands[type(command).__name__] += 1
            carry_out(to, command)

        def drawn(dt: float) -> None:
            self._next = {}
            draw(dt)
            self.on_screen = self._next

        self._replace(controls, "_tooltip", noted)
        self._replace(effects, "carry_out", carried_out)
        self._replace(app, "draw", drawn)
        app.panels = tuple(dataclasses.replace(panel, draw=self._counted(panel.title, panel.draw)) for panel in app.panels)

    def unwatch(self) -> None:
        for owner, name, value in reversed(self._kept):
            setattr(owner, name, value)
        self._kept = []

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._kept.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def _counted(self, title: str, draw: Any) -> Any:
        def counted(state: Any, context: Any) -> Any:
            self.panels[title] += 1
            return draw(state, context)

        return counted

    def _note(self, field: Field, disabled: str) -> None:
        self.drawn[field.id] += 1
        if not imgui.is_item_visible():
            return
        low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
        self._next[field.id] = ((low.x + high.x) / 2, (low.y + high.y) / 2)
        if imgui.is_item_activated() and not disabled:
            self.used[field.id] += 1

    def a_control(self, part: float) -> tuple[float, float] | None:
        """Where one of the controls on screen is: `part` 0 to 1 goes through them from the least to the most often chosen."""
        names = sorted(self.on_screen, key=lambda name: (self._chosen[name], name))
        if not names:
            return None
        name = names[int(part**2 * len(names))]
        self._chosen[name] += 1
        return self.on_screen[name]

    def look(self, app: App, frame: Frame) -> None:
        """After an action."""
        self.workspaces[app.arrangement.name if app.chrome_shown else "picture alone"] += 1
        self.networks[frame.network.name if frame.network is not None else "an error: no network"] += 1
        for name, result in frame.overlays.items():
            self.measurements[name] += result.error is None
        for what, shown in (("help", app.help_shown), ("guide", app.guide.shown), ("tour", app.tour.step is not None),
                            ("comparison", frame.beside is not None), ("error", frame.error is not None),
                            ("timeline with keyframes", bool(app.context.film.timeline.keyframes)),
                            ("film playing", app.context.film.playing), ("export running", app.context.film.job is not None)):  # fmt: skip
            self.shown[what] += shown
        if app.guide.shown:
            self.guide[app.guide.page] += 1
        self.tour[app.tour.index] += app.tour.index is not None

    # ------------------------------------------------------------------------------------------------ the table

    def table(self) -> str:
        """A line for each area: how much of it was reached, how often, and what was not."""
        areas: list[tuple[str, Counter[Any], Iterable[Any]]] = [
            ("Actions", self.actions, WEIGHTS),
            ("Keys", self.keys, [c for b in BINDINGS for c in b.chords if c not in NOT_PRESSED]),
            ("Commands", self.commands, [c.__name__ for c in get_args(commands.Command) if c.__name__ not in NOT_ASKED]),
            ("Workspaces", self.workspaces, (*(w.name for w in workspaces.WORKSPACES), "picture alone")),
            ("Panels drawn", self.panels, [p.title for p in discovered()]),
            ("Controls drawn", self.drawn, known_controls()),
            ("Controls used", self.used, known_controls()),
            ("Fields edited", self.edits, [f"{k.__name__}.{f.name}" for k in GROUPS if k not in NOT_EDITED for f in dataclasses.fields(k)]),
            ("Networks", self.networks, ()),
            ("Measurements", self.measurements, [o.name for o in overlays()]),
            ("Files dropped", self.files, ()),
            ("Shown", self.shown, ()),
            ("Ready-made paths", self.paths, PATHS),
            ("Films", self.films, FILMS),
            ("Figures", self.figures, FIGURES),
            ("Guide pages", self.guide, PAGES),
            ("Tour steps", self.tour, range(len(all_steps()))),
            ("Remote", self.remote, ()),
            ("OSC", self.osc, [address.path for address in addresses().values()]),
            ("Window sizes", self.sizes, ()),
            ("Settings", self.settings, ()),
        ]  # fmt: skip
        lines = [f"Pictures compared with a fresh computation, bit for bit: {self.afresh}"]
        by_time = sorted(self.seconds.items(), key=lambda item: -item[1])
        each = [f"{kind} {t:.0f} s ({1e3 * t / max(1, self.actions[kind]):.0f} ms)" for kind, t in by_time]
        lines.append(f"Time by kind of action (each): {', '.join(each)}")
        return "\n".join([*lines, *(_line(*area) for area in areas)])


def _line(name: str, counts: Counter[Any], known: Iterable[Any]) -> str:
    reached, all_known = {k for k, n in counts.items() if n}, set(known)
    missing = sorted(str(k) for k in all_known - reached)
    of = f"{len(all_known & reached)} of {len(all_known)}" if all_known else str(len(reached))
    listed = ", ".join(f"{k} {n}" for k, n in counts.most_common(80) if n) if len(counts) <= 80 else f"{sum(counts.values())} in all"
    return f"{name}: {of}: {listed}" + (f"; not reached: {', '.join(missing)}" if missing else "")


def discovered() -> tuple[Any, ...]:
    from viz.panels import discover

    return discover()


def known_controls() -> set[str]:
    """The ids of all `Field` values that modules of the window hold."""
    found: set[str] = set()
    for module in pkgutil.walk_packages(viz.__path__, "viz."):
        if "stages" not in module.name and "cli" not in module.name:
            found |= _fields(importlib.import_module(module.name))
    return found


def _fields(module: types.ModuleType) -> set[str]:
    found: set[str] = set()
    for value in vars(module).values():
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,):
            if isinstance(each, Field):
                found.add(each.id)
    return found
