"""What the user asked for, as one immutable value.

A `ViewState` maps group types (frozen dataclasses below) to values; a group left out has its defaults, so each default
stands in exactly one place. Because the state is a value, comparison, undo, JSON sessions, captures that restore the
view and headless rendering all come from the same few lines. Standard library only: this module is imported long
before torch.

Lengths are image widths, angles are turns (positive = counter-clockwise on screen), unless the name says otherwise.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

FORMAT = "aliasfree-view"
VERSION = 1
DEFAULT_NETWORK = "globe-r-64"
SEEDS_PER_ROW = 100  # the seed lattice: one step in y is this many seeds

G = TypeVar("G")


class StateError(ValueError):
    """A saved view cannot be read: says which field, what it holds, and what it may hold."""


def ranged(default: Any, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()) -> Any:
    """A dataclass field with the range that a saved view must respect (controls use their own, narrower ones)."""
    return field(default=default, metadata={"low": low, "high": high, "choices": choices})


# ------------------------------------------------------------------------------------------------ what is rendered


@dataclass(frozen=True)
class Source:
    """Which network: a path, a URL, or the name of a bundled or published one; `reload` counts requested re-reads."""

    network: str = DEFAULT_NETWORK
    sha256: str = ""
    reload: int = ranged(0, 0)


@dataclass(frozen=True)
class Device:
    """Where and how to compute. `backend` names a kernel backend, "auto" takes the best."""

    device: str = "auto"
    force_fp32: bool = False
    backend: str = "auto"


@dataclass(frozen=True)
class Latent:
    """A point on the seed lattice: seeds `(floor x + i) + 100 (floor y + j)` at the four corners, blended in W.

    `blend` "published" weighs the corners bilinearly (shrinks towards the mean between seeds); "preserving" rescales
    the weights to unit sum of squares, so that truncation does not breathe while dragging. `class_index` -1 draws the
    class of each seed as the published tools do.
    """

    x: float = 0.0
    y: float = 0.0
    blend: str = ranged("published", choices=("published", "preserving"))
    class_index: int = ranged(-1, -1)


@dataclass(frozen=True)
class Mixing:
    """Rows of ws that are taken from another seed."""

    rows: tuple[int, ...] = ()
    seed: int = ranged(1000, 0, 2**32 - 1)


@dataclass(frozen=True)
class Truncation:
    """psi pulls the first `cutoff` rows of ws towards their mean; cutoff -1 means all rows."""

    psi: float = ranged(1.0, -10, 10)
    cutoff: int = ranged(-1, -1)


@dataclass(frozen=True)
class Noise:
    """Per-pixel noise inputs (StyleGAN2): the stored one, none, or drawn from `seed`."""

    mode: str = ranged("const", choices=("const", "none", "random"))
    seed: int = ranged(0, 0, 2**32 - 1)


@dataclass(frozen=True)
class Pose:
    """Rotation, then translation, of the Fourier input grid. `snap` rounds the translation to whole pixels."""

    x: float = 0.0
    y: float = 0.0
    turns: float = 0.0
    snap: bool = False

    def matrix(self, resolution: int | None = None) -> tuple[tuple[float, float, float], ...]:
        """Forward 3x3 matrix in image widths; `resolution` is needed for `snap`."""
        x, y = self.x, self.y
        if self.snap and resolution:
            x, y = round(x * resolution) / resolution, round(y * resolution) / resolution
        c, s = math.cos(self.turns * math.tau), math.sin(self.turns * math.tau)
        return ((c, s, x), (-s, c, y), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class LearnedPose:
    """The rotation and translation that the network itself derives from w: its own, that of the mean w, or none."""

    mode: str = ranged("own", choices=("own", "average", "identity"))


@dataclass(frozen=True)
class Unwarp:
    """Undo the pose on the picture (band-limited rotation), in image coordinates also on layers with margins."""

    on: bool = False


@dataclass(frozen=True)
class Tap:
    """Which layer to look at; "" is the finished image."""

    layer: str = ""


@dataclass(frozen=True)
class Channels:
    """Which channels to show: a triple as RGB, one as a scalar map, or all as a contact sheet."""

    mode: str = ranged("rgb", choices=("rgb", "single", "sheet"))
    first: int = ranged(0, 0)
    triple: tuple[int, ...] = ()  # three free channels; empty = first, first + 1, first + 2
    normalize: bool = False
    sheet_page: int = ranged(0, 0)


@dataclass(frozen=True)
class Spectrum:
    """Power spectrum of what is shown. beta = 0 is a rectangular window."""

    on: bool = False
    all_channels: bool = True
    beta: float = ranged(8.0, 0, 50)


# ------------------------------------------------------------------------------- how it is drawn: never re-renders


@dataclass(frozen=True)
class Tone:
    """From values to colours: gain and offset, colormap for scalar maps. Applied in a shader."""

    gain_db: float = ranged(0.0, -80, 80)
    offset: float = 0.0
    colormap: str = ranged("gray", choices=("gray", "viridis", "magma", "cividis", "diverging"))
    signed: bool = True  # scalar maps and pictures span [-1, 1]; False: [0, 1]


@dataclass(frozen=True)
class SpectrumView:
    """How the spectrum is drawn: dB range, own mean as reference or absolute, circles at f_c, f_t, s/2."""

    range_db: float = ranged(50.0, 0.1, 200)
    absolute: bool = False
    circles: bool = True
    colormap: str = ranged("viridis", choices=("viridis", "magma", "cividis", "gray"))


@dataclass(frozen=True)
class View:
    """Zoom and pan of the canvas. zoom 0 = fit; else screen pixels per image pixel. Centre in image widths."""

    zoom: float = ranged(0.0, 0, 4096)
    center_x: float = 0.0
    center_y: float = 0.0
    magnify: str = ranged("lanczos", choices=("nearest", "bicubic", "lanczos"))
    gizmo: bool = True
    margins: bool = True  # show a layer's margins around the image frame


# --------------------------------------------------------------------------------------------------------- motion


@dataclass(frozen=True)
class LatentMotion:
    on: bool = False
    seeds_per_s: float = ranged(0.25, -100, 100)


@dataclass(frozen=True)
class MixingMotion:
    on: bool = False
    seeds_per_s: float = ranged(2.0, 0, 240)
    phase: float = ranged(0.0, 0, 1)  # how far the next seed has come


@dataclass(frozen=True)
class NoiseMotion:
    on: bool = False
    seeds_per_s: float = ranged(10.0, 0, 240)
    phase: float = ranged(0.0, 0, 1)


@dataclass(frozen=True)
class TranslateMotion:
    """Spirals onto a circle of radius 0.1 image widths around the origin."""

    on: bool = False
    widths_per_s: float = ranged(0.01, 0, 10)


@dataclass(frozen=True)
class RotateMotion:
    on: bool = False
    turns_per_s: float = ranged(0.005, -10, 10)


GROUPS: tuple[type, ...] = (
    Source, Device, Latent, Mixing, Truncation, Noise, Pose, LearnedPose, Unwarp, Tap, Channels, Spectrum,
    Tone, SpectrumView, View, LatentMotion, MixingMotion, NoiseMotion, TranslateMotion, RotateMotion,
)  # fmt: skip
MOTION: tuple[type, ...] = (LatentMotion, MixingMotion, NoiseMotion, TranslateMotion, RotateMotion)
DRAWN: tuple[type, ...] = (Tone, SpectrumView, View, *MOTION)  # a change of these needs no new frame
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
        """The state with this group replaced; the same object if it was equal. Groups at their defaults are dropped."""
        kind = type(value)
        if self.get(kind) == value:
            return self
        groups = {k: v for k, v in self.groups.items() if k is not kind}
        if value != kind():
            groups[kind] = value
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
        try:
            data = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as e:
            raise StateError(f"not a saved view: {e}") from e
        return ViewState.from_dict(data)

    @staticmethod
    def from_dict(data: Any) -> ViewState:
        """Raises StateError naming the field; unknown groups and fields are kept, not dropped."""
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise StateError(f'not a saved view: an object with "format": "{FORMAT}" is expected')
        if not isinstance(data.get("version"), int) or data["version"] < 1:
            raise StateError(f"version is {data.get('version')!r}; a whole number from 1 is expected")
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
                raise StateError(f"{name} is {values!r}; an object is expected")
            group, extra = _read_group(known[name], values)
            if extra:
                unknown[name] = extra
            state = state.put(group)
        return ViewState(state.groups, MappingProxyType(unknown))


def _read_group(kind: type, values: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    changes, extra = {}, {}
    for name, value in values.items():
        if name in fields:
            changes[name] = _read_value(f"{kind.__name__}.{name}", value, hints[name], fields[name].metadata)
        else:
            extra[name] = value
    return kind(**changes), extra


def _read_value(name: str, value: Any, hint: Any, limits: Mapping[str, Any]) -> Any:
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple) or len(value) > 4096:
            raise StateError(f"{name} is {value!r}; a list is expected")
        return tuple(_read_value(f"{name}[{i}]", v, get_args(hint)[0], {"low": 0}) for i, v in enumerate(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise StateError(f"{name} is {value!r}; {hint.__name__} is expected")
    if hint is float and not math.isfinite(value):
        raise StateError(f"{name} is {value!r}; a finite number is expected")
    low, high, choices = limits.get("low"), limits.get("high"), limits.get("choices")
    if choices and value not in choices:
        raise StateError(f"{name} is {value!r}; one of {', '.join(choices)} is expected")
    if (low is not None and value < low) or (high is not None and value > high):
        raise StateError(f"{name} is {value!r}; {'at least ' + str(low) if high is None else f'{low} to {high}'} is expected")
    return value
