"""What is remembered between starts: recent networks, bookmarks, font scale, folders. JSON in the platform's config folder."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from torch_utils.atomic import atomic

APP = "aliasfree-visualizer"
RECENT = 16
UNREADABLE = (OSError, ValueError, TypeError, RecursionError)  # what a file that somebody has edited may cause
RANGES = {
    "font_scale": (0.1, 10),
    "fps_limit": (1, 10_000),
    "window_width": (64, 1 << 15),
    "window_height": (64, 1 << 15),
    "output_width": (64, 1 << 15),
    "output_height": (64, 1 << 15),
    "workspace": (1, 99),
}


@dataclass(frozen=True)
class Settings:
    """Defaults are what a new user gets. Paths are strings so that JSON holds them as they are."""

    recent: tuple[str, ...] = ()
    bookmarks: tuple[tuple[float, float], ...] = ()  # positions on the seed lattice
    font_scale: float = 1.0
    capture_folder: str = "_screenshots"
    fps_limit: int = 60
    vsync: bool = True
    window_width: int = 1600
    window_height: int = 900
    output: bool = False  # whether the output window is open
    output_monitor: str = ""  # the one that it fills; "" for a plain window
    output_width: int = 960
    output_height: int = 540
    workspace: int = 1
    first_start: bool = True

    def with_recent(self, ref: str) -> Settings:
        return dataclasses.replace(self, recent=(ref, *(r for r in self.recent if r != ref))[:RECENT])

    def with_window(self, size: tuple[int, int]) -> Settings:
        """A minimised window has no size on Windows: then that of last time stays."""
        return self._with_size("window", size)

    def with_output(self, size: tuple[int, int]) -> Settings:
        return self._with_size("output", size)

    def _with_size(self, window: str, size: tuple[int, int]) -> Settings:
        new = dict(zip((f"{window}_width", f"{window}_height"), size, strict=True))
        return dataclasses.replace(self, **new) if all(_possible(*each) for each in new.items()) else self


def folder() -> Path:
    return Path(platformdirs.user_config_dir(APP, appauthor=False))


def load(path: Path) -> tuple[Settings, str]:
    """The settings and a note for the log. An unreadable file is set aside, never overwritten, and the defaults serve."""
    if not path.exists():
        return Settings(), ""
    try:
        return _read(path), ""
    except UNREADABLE as e:
        aside = path.with_suffix(".broken.json")
        try:
            path.replace(aside)
            where = f"; the file is kept as {aside.name}"
        except OSError:
            where = ""
        return Settings(), f"Settings could not be read ({e}); defaults are used{where}."


def save(path: Path, settings: Settings, since: Settings | None = None) -> None:
    """Writes atomically. Of the file, what another window has written there is kept where nothing was changed `since`. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if since is not None:
        with contextlib.suppress(*UNREADABLE):  # then nothing of another window's is there to be kept
            settings = merged(settings, since, _read(path))
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(dataclasses.asdict(settings), indent=1), encoding="utf-8")


def merged(mine: Settings, since: Settings, theirs: Settings) -> Settings:
    """`theirs` with what I have changed `since`. Of lists, with what I have added, and without what I have taken away."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        new, old, other = (getattr(each, field.name) for each in (mine, since, theirs))
        if new != old and field.name == "recent":
            other = tuple(dict.fromkeys((*new, *other)))[:RECENT]
        elif new != old and field.name == "bookmarks":
            other = tuple(dict.fromkeys((*(place for place in other if place in new or place not in old), *new)))
        elif new != old:
            other = new
        values[field.name] = other
    return Settings(**values)


def _read(path: Path) -> Settings:
    """The settings in a file. Raises one of UNREADABLE."""
    data, default = json.loads(path.read_text(encoding="utf-8")), Settings()
    if not isinstance(data, dict):
        raise ValueError("an object is expected")
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        if field.name not in data:
            continue
        value, expected = data[field.name], getattr(default, field.name)
        if isinstance(expected, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if isinstance(expected, tuple) and isinstance(value, list):
            value = tuple(tuple(v) if isinstance(v, list) else v for v in value)
        if type(value) is not type(expected) or not _possible(field.name, value):
            raise ValueError(f"{field.name} is {value!r:.80}")
        values[field.name] = value
    return Settings(**values)


def _possible(name: str, value: Any) -> bool:
    """Whether a value of the right type can be used: somebody may have edited the file."""
    if name in RANGES:
        low, high = RANGES[name]
        return low <= value <= high  # false for nan
    if name == "recent":
        return all(isinstance(ref, str) for ref in value)
    if name == "bookmarks":
        return all(
            isinstance(place, tuple) and len(place) == 2 and all(type(n) in (int, float) and abs(n) < 1e12 for n in place)
            for place in value
        )
    return True
