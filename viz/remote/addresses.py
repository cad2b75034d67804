"""What can be set by Open Sound Control: one address for each of these controls, with the control's own range. The guide lists them."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gui_utils.field import Field, short
from viz.analysis import break_it_panel, line_profile, live_equivariance, parts, slice_strip, sticking_average
from viz.canvas.gestures import limited
from viz.keys import layer_step
from viz.panels import band, channels, compare, latent, mixing, pose, spectrum, truncation
from viz.request import NetworkFacts
from viz.state import GROUPS, Pose, Tap, ViewState

LAYER = "/layer"
FAR = 1e9  # where nothing else bounds a number
LONGEST = 60  # of an address that is compared with those there are
X, Y = (
    Field(label, f"Latent.{name}", "", "seeds", low=-FAR, high=FAR) for name, label in (("x", "Seed, to the right"), ("y", "Seed, down"))
)
ALONG_PATH = Field("Along a path", "LatentPath.position", "", "seeds", low=-FAR, high=FAR)
ZOOM = Field("Zoom", "View.zoom", "", "screen pixels a pixel; 0 fits", low=0, high=4096)
CENTRE = tuple(
    Field(label, f"View.center_{name}", "", "widths", low=-2, high=2) for name, label in (("x", "Centre"), ("y", "Centre, down"))
)
FIELDS: tuple[Field, ...] = (
    X, Y, ALONG_PATH, latent.ANIMATE, latent.SPEED, truncation.PSI, truncation.CUTOFF,
    mixing.SEED, mixing.AMOUNT, truncation.NOISE, truncation.NOISE_SEED,
    *pose.MOVE.values(), pose.TURN, pose.SCALE, pose.STRETCH, pose.SHEAR, pose.MIRROR, pose.SNAP, pose.UNWARP,
    pose.LEARNED, *pose.LOCKED.values(), pose.ANIMATE_MOVE, pose.MOVE_SPEED, pose.ANIMATE_TURN, pose.TURN_SPEED,
    channels.MODE, channels.FIRST, channels.NORMALIZE, channels.GAIN, channels.OFFSET, channels.COLORMAP,
    band.ON, band.LOW, band.HIGH, band.SOFTNESS, spectrum.ON, spectrum.RANGE,
    compare.MODE, compare.SECOND, compare.GAIN,
    break_it_panel.WINDOW, break_it_panel.CUTOFF, break_it_panel.NOISE,
    live_equivariance.ON, sticking_average.ON, sticking_average.STRENGTH, parts.OPACITY, parts.GAIN,
    slice_strip.ON, line_profile.ON, *slice_strip.ENDS, ZOOM, *CENTRE,
)  # fmt: skip


class OscError(ValueError):
    """What a message asked for cannot be: a sentence with its address."""


class NoAddress(OscError):
    """The address does not exist. Which one is near it takes longer than setting a value does: it is looked for when it is said."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        near = difflib.get_close_matches(_plain(self.path[:LONGEST]), addresses(), n=1)
        hint = f"did you mean {addresses()[near[0]].path}?" if near else "the guide lists all (Figures, latents, notebooks)"
        return f"there is no address {self.path!r:.60}; {hint}"


@dataclass(frozen=True)
class Address:
    """A field of the view. `low`, `high`: what numbers are kept within; `choices`: the words that a text may be. `around`: an angle, which
    comes in again at the other end."""

    path: str
    kind: type
    field: str
    type: type
    low: float
    high: float
    choices: tuple[str, ...]
    label: str
    unit: str
    around: bool

    @staticmethod
    def of(control: Field) -> Address:
        group, _, name = control.id.partition(".")
        kind = next(kind for kind in GROUPS if kind.__name__ == group)
        field = next(field for field in dataclasses.fields(kind) if field.name == name)
        meta, low, high, unit = field.metadata, control.low, control.high, control.unit
        if unit == "°":  # the view counts turns
            low, high, unit = low / 360, high / 360, "turns"
        if type(field.default) is int:  # the control's own range depends on the network
            low, high = (bound if (bound := meta.get(end)) is not None else FAR for end in ("low", "high"))
        path = f"/{re.sub(r'(?<!^)(?=[A-Z])', '_', group).lower()}/{name}"
        return Address(path, kind, name, type(field.default), low, high, meta.get("choices") or (), control.label.strip(), unit,
                       bool(meta.get("turn")))  # fmt: skip

    @property
    def takes(self) -> str:
        """For a person: "true or false", "−1 … 1 turns", or the words."""
        if self.type is bool:
            return "0 or 1"
        if self.choices:
            return ", ".join(choice or '""' for choice in self.choices)
        low, high = ("" if abs(bound) >= FAR else f"{bound:g}".replace("-", "−") for bound in (self.low, self.high))
        span = f"{low} … {high}" if low and high else f"from {low}" if low else "any number"
        more = (", whole" if self.type is int else "", f", {self.unit}" if self.unit else "", ", and around" if self.around else "")
        return span + "".join(more)

    def checked(self, value: Any) -> Any:
        """The value as the view holds it, within the control's range. Raises OscError."""
        if self.choices:
            if value not in self.choices:
                raise OscError(f"{self.path} is {value!r:.60}; one of {', '.join(self.choices)} is expected")
            return value
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise OscError(f"{self.path} is {value!r:.60}; a number is expected")
        if self.type is bool:
            return value >= 0.5
        if self.around and not self.low <= value <= self.high:
            value = (value - self.low) % (self.high - self.low) + self.low
        value = min(max(value, self.low), self.high)
        if self.type is int:
            return round(value)
        return short(value) if float(np.float32(value)) == value else float(value)  # OSC's own numbers are 32 bits wide


@cache
def addresses() -> dict[str, Address]:
    """By path, lower case and without underscores."""
    return {_plain(found.path): found for found in map(Address.of, FIELDS)}


def _plain(path: str) -> str:
    return path.lower().replace("_", "")


def applied(view: ViewState, facts: NetworkFacts | None, path: str, values: tuple[Any, ...]) -> ViewState:
    """The view as a message wants it. Raises OscError."""
    if len(values) != 1:
        raise OscError(f"{path:.60} comes with {len(values)} values; one is expected")
    if _plain(path) == LAYER:
        return _at_layer(view, facts, values[0])
    address = addresses().get(_plain(path))
    if address is None:
        raise NoAddress(path)
    view = view.edit(address.kind, **{address.field: address.checked(values[0])})
    return view.put(limited(view.get(Pose), facts)) if address.kind is Pose else view


def _at_layer(view: ViewState, facts: NetworkFacts | None, value: Any) -> ViewState:
    names = [tap.name for tap in facts.taps] if facts is not None else []
    if value in ("next", "previous"):
        return layer_step(1 if value == "next" else -1)(view, facts)
    if value not in names:
        raise OscError(f"{LAYER} is {value!r:.60}; next, previous, or {', '.join(names) or 'the name of a layer'} is expected")
    return view.put(Tap("" if value == names[-1] else value))


def table() -> Iterator[str]:
    """The guide's table, line by line."""
    yield "| address | what | value |"
    yield "| --- | --- | --- |"
    yield f"| `{LAYER}` | Layer on screen | next, previous, or its name |"
    for each in addresses().values():
        yield f"| `{each.path}` | {each.label or each.field.replace('_', ' ')} | {each.takes} |"
