"""What the user asked for, as one immutable value.

A `ViewState` maps group types (frozen dataclasses, in `viz.groups.groups`) to values; a group left out has its defaults, so each default
stands in exactly one place. Because the state is a value, comparison, undo, JSON sessions, captures that restore the
view and headless rendering all come from the same few lines. Standard library only: this module is imported long
before torch.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from viz.groups.band import BandFilter
from viz.groups.compare import Compare, CompareView, FourthBreak, FourthView, SecondBreak, ThirdBreak, ThirdView
from viz.groups.drag_points import DragPair, DragPoints, DragPointsView
from viz.groups.edits import Edit, EditActivations
from viz.groups.groups import (
    AverageSpectrum,
    Channels,
    Device,
    Equivariance,
    Flicker,
    Flow,
    HeldRange,
    Latent,
    LatentPath,
    LayerEquivariance,
    LayerShares,
    LearnedPose,
    Metrics,
    Mixing,
    Noise,
    Nonlinearity,
    OverlayView,
    Slice,
    Source,
    Spectrum,
    SpectrumReference,
    SpectrumView,
    Sticking,
    Sweep,
    Tap,
    Tone,
    Truncation,
    Unwarp,
    View,
)
from viz.groups.histogram import Histogram, HistogramView
from viz.groups.latent import Direction, Directions, Inversion, OwnLatent
from viz.groups.layer import BreakIt, ChannelEffect, Filmstrip, Filters, FourierView, LayerBreak, LayerHealth
from viz.groups.motion import LatentMotion, MixingMotion, NoiseMotion, RotateMotion, TranslateMotion
from viz.groups.pose import Pose
from viz.session.saved_json import StateError, checked, finite, parsed

FORMAT, WHAT = "aliasfree-view", "a saved view"
VERSION = 1
LONGEST_TEXT = 1 << 16  # of a path, for one
EXPECTED: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
SEEDS_PER_ROW = 100  # the seed lattice: one step in y is this many seeds

G = TypeVar("G")


GROUPS: tuple[type, ...] = (
    Source, Device, BreakIt, Latent, LatentPath, OwnLatent, Mixing, Directions, Truncation, Noise, Pose, LearnedPose, Unwarp, Tap, Channels,
    EditActivations, HeldRange, BandFilter, Spectrum, Histogram,
    Compare, ThirdView, FourthView, SecondBreak, ThirdBreak, FourthBreak, CompareView,
    Equivariance, LayerEquivariance, Sweep, Flicker, Flow, Metrics, Sticking, AverageSpectrum, SpectrumReference, LayerShares, Nonlinearity,
    Filters, FourierView, Filmstrip, LayerHealth, ChannelEffect,
    Inversion, DragPoints,
    Tone, SpectrumView, HistogramView, View, OverlayView, Slice, DragPointsView, LatentMotion, MixingMotion, NoiseMotion, TranslateMotion,
    RotateMotion,
)  # fmt: skip
PARTS: tuple[type, ...] = (Direction, LayerBreak, DragPair, Edit)  # what groups hold lists of
ANALYSES: tuple[type, ...] = (
    Equivariance, LayerEquivariance, Sweep, Flicker, Flow, Metrics, Sticking, AverageSpectrum, SpectrumReference, LayerShares, Nonlinearity,
    Filters, FourierView, Filmstrip, LayerHealth, ChannelEffect, BreakIt, Inversion, DragPoints,
)  # fmt: skip
MOTION: tuple[type, ...] = (LatentMotion, MixingMotion, NoiseMotion, TranslateMotion, RotateMotion)
DRAWN: tuple[type, ...] = (  # asks for no new frame
    Tone, SpectrumView, HistogramView, View, OverlayView, Slice, DragPointsView, CompareView, *MOTION,
)  # fmt: skip
RENDERED: tuple[type, ...] = tuple(kind for kind in GROUPS if kind not in DRAWN)


# ------------------------------------------------------------------------------------------------------ ViewState


@dataclass(frozen=True)
class ViewState:
    """Immutable set of groups. `unknown` keeps the groups and fields of a newer version through a round trip."""

    groups: Mapping[type, Any] = field(default_factory=lambda: MappingProxyType({}))
    unknown: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def get(self, kind: type[G]) -> G:
        value = self.groups.get(kind)
        return kind() if value is None else value

    def edit(self, kind: type[G], **changes: Any) -> ViewState:
        """The state with these fields changed; the same object if nothing changed."""
        old = self.get(kind)
        return self.put(dataclasses.replace(old, **changes))  # type: ignore[type-var]

    def put(self, value: Any) -> ViewState:
        """The state with this group replaced; the same object if it was equal. Groups at their defaults are dropped.

        A whole number where any number may stand is stored as a float: between keyframes it moves, as it does after a round trip.
        """
        kind = type(value)
        if self.get(kind) == value:
            return self
        groups = {k: v for k, v in self.groups.items() if k is not kind}
        if value != kind():
            groups[kind] = _with_floats(value, kind)
        return ViewState(MappingProxyType(groups), self.unknown)

    def only(self, *kinds: type) -> ViewState:
        """These groups alone, the others at their defaults."""
        return ViewState(MappingProxyType({k: v for k, v in self.groups.items() if k in kinds}))

    def reset(self, *kinds: type) -> ViewState:
        state = self
        for kind in kinds:
            state = state.put(kind())
        return state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ViewState) and dict(self.groups) == dict(other.groups) and dict(self.unknown) == dict(other.unknown)

    def __hash__(self) -> int:
        return hash(frozenset(self.groups.items()))

    # -------------------------------------------------------------------------------------------------- JSON

    def to_json(self, **dump: Any) -> str:
        return json.dumps(self.to_dict(), **dump)

    def to_dict(self) -> dict[str, Any]:
        """All groups that differ from their defaults, written whole, so that a later change of a default is harmless."""
        out: dict[str, Any] = {**self.unknown, "format": FORMAT, "version": VERSION}
        for kind in GROUPS:
            if kind in self.groups:
                extra = out.get(kind.__name__)  # fields of a newer version
                fields = dataclasses.asdict(self.groups[kind])
                out[kind.__name__] = {**extra, **fields} if isinstance(extra, dict) else fields
        return out

    @staticmethod
    def from_json(text: str) -> ViewState:
        return ViewState.from_dict(parsed(text, WHAT))

    @staticmethod
    def from_dict(data: Any) -> ViewState:
        """Raises StateError naming the field; unknown groups and fields are kept, not dropped."""
        data = checked(data, WHAT, FORMAT)
        known = {kind.__name__: kind for kind in GROUPS}
        unknown: dict[str, Any] = {}
        state = ViewState()
        for name, values in data.items():
            if name in ("format", "version"):
                continue
            if name not in known:
                unknown[name] = values
                continue
            if not isinstance(values, dict):
                raise StateError(f"{name} is {values!r:.80}; an object is expected")
            group, extra = _read_group(known[name], values)
            if extra:
                unknown[name] = extra
            state = state.put(group)
        return ViewState(state.groups, MappingProxyType(unknown))


@functools.cache
def _float_fields(kind: type) -> tuple[tuple[str, Any], ...]:
    """Fields of a group or a part that hold floats, lists of them or lists of parts, with their types."""
    hints = get_type_hints(kind).items()
    return tuple((name, hint) for name, hint in hints if hint is float or set(get_args(hint)) & {float, *PARTS})


def _with_floats(value: Any, hint: Any) -> Any:
    """A value of this type, with floats in place of whole numbers; the same object if it is right."""
    if hint is float:
        return float(value) if type(value) is int else value
    if get_origin(hint) is tuple:
        items = tuple(_with_floats(item, get_args(hint)[0]) for item in value)
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    old = {name: (getattr(value, name), field_hint) for name, field_hint in _float_fields(hint)}
    changes = {name: new for name, (was, field_hint) in old.items() if (new := _with_floats(was, field_hint)) is not was}
    return dataclasses.replace(value, **changes) if changes else value


def _read_group(kind: type, values: dict[str, Any], place: str = "") -> tuple[Any, dict[str, Any]]:
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    changes, extra = {}, {}
    for name, value in values.items():
        if name in fields:
            changes[name] = _read_value(f"{place or kind.__name__}.{name}", value, hints[name], fields[name].metadata)
        else:
            extra[name] = value
    return kind(**changes), extra


def _read_value(name: str, value: Any, hint: Any, limits: Mapping[str, Any]) -> Any:
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple) or len(value) > 4096:
            raise StateError(f"{name} is {value!r:.80}; a list is expected")
        part = get_args(hint)[0]
        return tuple(_read_value(f"{name}[{i}]", v, part, {"low": 0} if part is int else {}) for i, v in enumerate(value))
    if hint in PARTS:
        if not isinstance(value, dict):
            raise StateError(f"{name} is {value!r:.80}; an object is expected")
        return _read_group(hint, value, name)[0]
    if hint is float and isinstance(value, int | float):
        value = finite(name, value)
    if type(value) is not hint:
        raise StateError(f"{name} is {value!r:.80}; {EXPECTED[hint]} is expected")
    if isinstance(value, str) and (len(value) > LONGEST_TEXT or (not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value))):
        raise StateError(f"{name} is {value!r:.80}; a text of at most {LONGEST_TEXT} characters is expected")
    low, high, choices = limits.get("low"), limits.get("high"), limits.get("choices")
    if choices and value not in choices:
        raise StateError(f"{name} is {value!r:.80}; one of {', '.join(choices)} is expected")
    if (low is not None and value < low) or (high is not None and value > high):
        raise StateError(f"{name} is {value!r:.80}; {'at least ' + str(low) if high is None else f'{low} to {high}'} is expected")
    return value
