"""A session: views, timeline, networks, layout and a few settings as versioned JSON. What a newer version wrote is kept, and older
files load.

A saved view (`viz.state`) is the oldest form of a session: one view, no timeline. Exported films and pictures carry their
session (`viz.export.film_file` reads it back).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch_utils.atomic import atomic
from viz.session.saved_json import LARGEST_TEXT, checked, number, parsed, typed
from viz.settings import Settings
from viz.state import FORMAT as VIEW_FORMAT, Source, StateError, ViewState
from viz.timeline.timeline import Keyframe, Timeline, TimelineError

FORMAT, WHAT = "aliasfree-session", "a saved session"
VERSION = 1
MOST_VIEWS = 10_000
LARGEST_TIMELINE = 100_000
MOST_BOOKMARKS = 10_000
KNOWN = ("format", "version", "views", "timeline", "settings", "networks", "layout")
KEPT_SETTINGS = ("workspace", "font_scale", "bookmarks")  # what belongs to the work rather than to the machine


@dataclass(frozen=True)
class Session:
    """Everything that is needed to show the same again. `views[0]` is the one that was on screen.

    networks: what is known of the networks of these views, by what the views call them (`viz.session.networks`).
    layout: the window's size and where its panels stand (`viz.session.layout`).
    """

    views: tuple[ViewState, ...] = (ViewState(),)
    timeline: Timeline = field(default_factory=Timeline)
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    networks: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    layout: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    unknown: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), compare=False)

    @property
    def film(self) -> Timeline:
        """What is played: the timeline; without one, its first view for a moment."""
        return self.timeline if self.timeline.keyframes else replace(self.timeline, keyframes=(Keyframe(0.0, self.views[0]),))

    def with_source(self, ref: str, source: Source) -> Session:
        """Every view of network `ref` shows `source` instead (another file, or the same with its hash)."""

        return self.map_views(lambda view: view.put(source) if view.get(Source).network == ref else view)

    def edit_views(self, kind: type, **changes: Any) -> Session:
        """Every view with these fields of a group changed."""
        return self.map_views(lambda view: view.edit(kind, **changes))

    def map_views(self, change: Callable[[ViewState], ViewState]) -> Session:
        """Every view, those of the keyframes too, changed by this."""
        frames = tuple(replace(k, view=change(k.view)) for k in self.timeline.keyframes)
        return replace(self, views=tuple(map(change, self.views)), timeline=replace(self.timeline, keyframes=frames))

    @property
    def all_views(self) -> tuple[ViewState, ...]:
        return (*self.views, *(k.view for k in self.timeline.keyframes))

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.unknown,
            "format": FORMAT,
            "version": VERSION,
            "views": [view.to_dict() for view in self.views],
            "timeline": timeline_to_dict(self.timeline),
            "settings": dict(self.settings),
            **({"networks": dict(self.networks)} if self.networks else {}),
            **({"layout": dict(self.layout)} if self.layout else {}),
        }

    def to_json(self, **dump: Any) -> str:
        return json.dumps(self.to_dict(), **dump)

    @staticmethod
    def from_json(text: str) -> Session:
        return Session.from_dict(parsed(text, WHAT))

    @staticmethod
    def from_dict(data: Any) -> Session:
        """A session, or a saved view as a session of one view. Raises StateError naming what is wrong."""
        if isinstance(data, dict) and data.get("format") == VIEW_FORMAT:
            return Session((ViewState.from_dict(data),))
        data = checked(data, WHAT, FORMAT)
        views = typed(data, "views", list, [ViewState().to_dict()])
        if not views:
            raise StateError("views is empty; at least one view is expected")
        if len(views) > MOST_VIEWS:
            raise StateError(f"views has {len(views)} entries; at most {MOST_VIEWS} are expected")
        return Session(
            tuple(ViewState.from_dict(view) for view in views),
            timeline_from_dict(typed(data, "timeline", dict, {})),
            *(MappingProxyType(typed(data, name, dict, {})) for name in ("settings", "networks", "layout")),
            unknown=MappingProxyType({name: value for name, value in data.items() if name not in KNOWN}),
        )


def save(path: Path, session: Session) -> Path:
    """Writes the session as JSON, whole or not at all. Raises OSError."""
    with atomic(path) as temporary:
        temporary.write_text(session.to_json(indent=1), encoding="utf-8")
    return path


def load(path: Path) -> Session:
    """Reads a session or a saved view from JSON. Raises StateError or OSError."""
    if path.stat().st_size > LARGEST_TEXT:
        raise StateError(f"{path.name} is too large to be a session")
    try:
        return Session.from_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as e:
        raise StateError(f"{path.name} is not a text file") from e


def kept_settings(settings: Settings) -> dict[str, Any]:
    """The part of the settings that a session holds."""
    return {name: json.loads(json.dumps(getattr(settings, name))) for name in KEPT_SETTINGS}


def apply_settings(settings: Settings, session: Session) -> Settings:
    """The settings with what the session holds; values of another kind, or out of range, are left alone."""
    data = session.settings
    changes: dict[str, Any] = {}
    workspace, scale, places = data.get("workspace"), data.get("font_scale"), data.get("bookmarks")
    if isinstance(workspace, int) and not isinstance(workspace, bool) and 1 <= workspace <= 9:
        changes["workspace"] = workspace
    if isinstance(scale, int | float) and not isinstance(scale, bool) and 0.5 <= scale <= 4:
        changes["font_scale"] = float(scale)
    if isinstance(places, list) and len(places) <= MOST_BOOKMARKS and all(_is_place(place) for place in places):
        changes["bookmarks"] = tuple((float(x), float(y)) for x, y in places)
    return dataclasses.replace(settings, **changes)


def _is_place(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(n) in (int, float) and -1e12 < n < 1e12 for n in value)


# ---------------------------------------------------------------------------------------------------------- timeline


def timeline_to_dict(timeline: Timeline) -> dict[str, Any]:
    frames = [
        {**k.unknown, "time_s": float(k.time_s), "easing": k.easing, "short_way": k.short_way, "view": k.view.to_dict()}
        for k in timeline.keyframes
    ]
    return {
        **timeline.unknown,
        "fps": float(timeline.fps),
        "loop": timeline.loop,
        "closing_s": float(timeline.closing_s),
        "keyframes": frames,
    }


def timeline_from_dict(data: dict[str, Any]) -> Timeline:
    frames = typed(data, "keyframes", list, [])
    if len(frames) > LARGEST_TIMELINE:
        raise StateError(f"timeline.keyframes has {len(frames)} entries; at most {LARGEST_TIMELINE} are expected")
    known = ("fps", "loop", "closing_s", "keyframes")
    try:
        return Timeline(
            tuple(_keyframe(frame, f"timeline.keyframes[{i}]") for i, frame in enumerate(frames)),
            loop=typed(data, "loop", bool, False),
            closing_s=number(data, "closing_s", 0.0),
            fps=number(data, "fps", 30.0),
            unknown={name: value for name, value in data.items() if name not in known},
        )
    except TimelineError as e:
        raise StateError(str(e)) from e


def _keyframe(data: Any, name: str) -> Keyframe:
    if not isinstance(data, dict):
        raise StateError(f"{name} is {data!r:.80}; an object is expected")
    known = ("time_s", "easing", "short_way", "view")
    return Keyframe(
        number(data, "time_s", 0.0),
        ViewState.from_dict(data.get("view")),
        typed(data, "easing", str, "linear"),
        typed(data, "short_way", bool, True),
        {key: value for key, value in data.items() if key not in known},
    )
