"""Groups of the view about the insides of a network: its filters, what breaks them, its input, its layers side by side.

As in `viz.groups.groups`, each default stands here and nowhere else. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from viz.groups.groups import ranged

RATES = {0: "1 ×", 1: "2 ×", -1: "1/2", -2: "1/4", -3: "1/8"}  # by octaves
WINDOWS = ("kaiser", "lanczos", "gaussian", "bilinear", "nearest")


@dataclass(frozen=True)
class Filters:
    """The filters of the network: taps, responses, design."""

    on: bool = False


@dataclass(frozen=True, kw_only=True)
class Breaks:
    """What can be broken in a layer. Each default leaves things as they are: see `networks.breakage.Breaks`, with the same fields."""

    upsampling: int = ranged(0, 0, 8, discrete=True)
    support: int = ranged(0, 0, 16, discrete=True)
    window: str = ranged("", choices=("", *WINDOWS))
    cutoff_octaves: float = ranged(0.0, -4, 4)
    margin: int = ranged(-1, -1, 64, special=-1)
    noise: float = ranged(0.0, 0, 10)
    pool: str = ranged("", choices=("", "max", "blur"))


BREAKS = tuple(f.name for f in fields(Breaks))


@dataclass(frozen=True)
class LayerBreak(Breaks):
    """What is broken in one layer, number `layer`."""

    layer: int = ranged(0, 0, 255)

    @property
    def on(self) -> bool:
        return LayerBreak(self.layer) != self

    def summary(self) -> str:
        """ "m = 1, nearest"; "" while nothing is broken."""
        parts = [f"m = {1 << (self.upsampling.bit_length() - 1)}"] if self.upsampling else []  # m is a power of two
        parts += [f"n = {self.support}"] if self.support else []
        parts += [self.window] if self.window else []
        parts += [f"f_c × {2**self.cutoff_octaves:.2g}"] if self.cutoff_octaves else []
        parts += [f"margin {self.margin}"] if self.margin >= 0 else []
        parts += [f"noise {self.noise:.2g}"] if self.noise else []
        parts += [f"{self.pool}-pool"] if self.pool else []
        return ", ".join(parts)


@dataclass(frozen=True)
class BreakIt(Breaks):
    """What is broken in the loaded network, without retraining: see `networks.breakage.Breakage`, which has the same fields.

    `layers` are the numbers (0 for L0) that the common fields mean, empty for all. `own`: layers with settings of their own, by
    number, to which nothing of the common ones is done. `rate_octaves`: the sampling rate of the whole network.
    """

    layers: tuple[int, ...] = ()
    own: tuple[LayerBreak, ...] = ()
    rate_octaves: int = ranged(0, -3, 1, discrete=True)

    @property
    def on(self) -> bool:
        """Whether anything is broken; which layers are meant breaks nothing by itself."""
        return self.rate_octaves != 0 or self.common().on or any(own.on for own in self.own)

    def common(self, layer: int = 0) -> LayerBreak:
        """The common settings, as those of one layer."""
        return LayerBreak(layer, **{name: getattr(self, name) for name in BREAKS})

    def of(self, layer: int) -> LayerBreak:
        """What is broken in this layer."""
        own = next((own for own in self.own if own.layer == layer), None)
        return own or (self.common(layer) if not self.layers or layer in self.layers else LayerBreak(layer))

    def with_own(self, *changed: LayerBreak) -> Self:
        """These layers with settings of their own; no longer, where those are what they would have anyway."""
        numbers = {new.layer for new in changed}
        kept = [own for own in self.own if own.layer not in numbers]
        rest = replace(self, own=())
        kept += [new for new in changed if new != rest.of(new.layer)]
        return replace(self, own=tuple(sorted(kept, key=lambda own: own.layer)))

    def spread(self) -> Self:
        """The same, said of all layers or of single ones: common settings of a few layers become each one's own."""
        if not self.layers:
            return self
        own = {number: self.common(number) for number in self.layers if self.common().on} | {own.layer: own for own in self.own}
        return type(self)(rate_octaves=self.rate_octaves).with_own(*own.values())

    def with_common(self, **changes: Any) -> Self:
        """Other common settings; a layer keeps its own ones unless they are now the same."""
        return replace(self, **changes, own=()).with_own(*self.own)

    def missing(self, taps: Sequence[Any]) -> tuple[str, ...]:
        """What is broken in layers that a network with these taps does not have, in a sentence; ToRGB has no filters."""
        known = [int(found[1]) for tap in taps if (found := re.match(r"L(\d+)_", tap.name))][:-1]
        named = {*(self.layers if self.common().on else ()), *(own.layer for own in self.own if own.on)}
        absent = sorted(named - set(known)) if known else ()
        return (f"there is no layer L{absent[0]} to break; there are L{known[0]} to L{known[-1]}",) if absent else ()

    def summary(self) -> str:
        """ "m = 1, nearest in L3, L4; n = 4 in L7"; "" while nothing is broken."""
        if not self.on:
            return ""
        where = _named(self.layers) if self.layers else "all other layers" if self.own else "all layers"
        parts = [f"{RATES[self.rate_octaves]} the sampling rate"] if self.rate_octaves else []
        parts += [f"{self.common().summary()} in {where}"] if self.common().on else []
        alike: dict[str, list[int]] = {}
        for own in self.own:
            alike.setdefault(own.summary(), []).append(own.layer)
        parts += [f"{text} in {_named(numbers)}" if text else f"{_named(numbers)} as trained" for text, numbers in alike.items()]
        return "; ".join(parts[:MOST_NAMED]) + (f"; {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else "")


MOST_NAMED = 4  # ways of being broken that a summary tells


def _named(layers: Iterable[int]) -> str:
    return f"L{', L'.join(map(str, sorted(layers)))}"


@dataclass(frozen=True)
class FourierView:
    """The Fourier input as it is now: frequencies, phases, damping, and the part of its plane that the picture sees."""

    on: bool = False


@dataclass(frozen=True)
class Filmstrip:
    """Every layer side by side, at one scale and on one grid."""

    on: bool = False


@dataclass(frozen=True)
class LayerHealth:
    """At every layer: what 16-bit numbers change, what the clamp cuts off, channels that carry nothing."""

    on: bool = False
    dtype: str = ranged("float16", choices=("float16", "bfloat16"))


@dataclass(frozen=True)
class ChannelEffect:
    """How much the picture changes when each channel of the layer on screen is turned off."""

    on: bool = False
