"""`--break LAYERS:NAME=VALUE,...`: breaks layers of the network from the command line, as the panel "Break it" does."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, replace
from typing import Any

from viz.edit_text import LAYERS
from viz.errors import CommandError
from viz.groups.layer import BREAKS, WINDOWS, BreakIt, LayerBreak
from viz.state import StateError, ViewState

RATE = "rate_octaves"  # of the whole network
NAMES = {"m": "upsampling", "n": "support", "f_c": "cutoff_octaves", "rate": RATE, **{name: name for name in BREAKS}}
FACTORS = {"2": 1, "1": 0, "1/2": -1, "0.5": -1, "1/4": -2, "0.25": -2, "1/8": -3, "0.125": -3}
EXAMPLE = "L3-L5:m=1,window=nearest"
HELP = (
    f"break layers as the panel Break it does, e.g. {EXAMPLE} or all:noise=0.1; may be repeated. Names: m (1, 2, 4), n (4, 6, 8), "
    f"window ({', '.join(WINDOWS)}), f_c (octaves), margin (samples), noise, pool (max, blur), and of all layers rate (2, 1/2, 1/4, 1/8)"
)


@dataclass(frozen=True)
class Breaking:
    """What one `--break` says: layers (empty: all) and the fields that change."""

    layers: tuple[int, ...]
    changes: tuple[tuple[str, Any], ...]

    def applied(self, view: ViewState) -> ViewState:
        """Raises CommandError for a value that a saved view could not have."""
        broken, changes = view.get(BreakIt).spread(), dict(self.changes)
        new = broken.with_own(*(replace(broken.of(n), **changes) for n in self.layers)) if self.layers else broken.with_common(**changes)
        try:
            return view.put(ViewState.from_dict(ViewState().put(new).to_dict()).get(BreakIt))
        except StateError as e:
            raise CommandError(f"--break: {e}") from e


def breaking(text: str) -> Breaking:
    """argparse type."""
    where, colon, what = text.partition(":")
    pairs = [pair.partition("=") for pair in what.split(",")]
    if not colon or not all(equals for _, equals, _ in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not LAYERS:NAME=VALUE, such as {EXAMPLE}")
    layers, changes = _layers(where), tuple(_change(name.strip(), value.strip()) for name, _, value in pairs)
    if layers and any(field == RATE for field, _ in changes):
        raise argparse.ArgumentTypeError(f"{text!r}: the sampling rate is that of the whole network; all:rate=1/2 is expected")
    return Breaking(layers, changes)


def _layers(text: str) -> tuple[int, ...]:
    if text.strip().lower() == "all":
        return ()
    found: set[int] = set()
    for part in text.split(","):
        span = re.fullmatch(LAYERS, part.strip())
        numbers = range(int(span[1]), int(span[2] or span[1]) + 1) if span else range(0)
        if not numbers or numbers[-1] > 255:
            raise argparse.ArgumentTypeError(f"{text!r} are not layers: all, L3, L3-L5 or L3,L7 is expected")
        found.update(numbers)
    return tuple(sorted(found))


def _change(name: str, value: str) -> tuple[str, Any]:
    field = NAMES.get(name)
    if field is None:
        raise argparse.ArgumentTypeError(f"{name!r} cannot be broken; {', '.join(n for n in NAMES if NAMES[n] != n)}, "
                                         f"{', '.join(BREAKS)} can")  # fmt: skip
    if field == RATE:
        if value not in FACTORS:
            raise argparse.ArgumentTypeError(f"{name}={value!r}: one of {', '.join(FACTORS)} is expected")
        return field, FACTORS[value]
    kind = type(getattr(LayerBreak(), field))
    try:
        found = kind(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name}={value!r}: {'a whole number' if kind is int else 'a number'} is expected") from None
    if said := refused_value(field, found):
        raise argparse.ArgumentTypeError(f"{name}={value}: {said}")
    return field, found


def refused_value(field: str, value: object) -> str:
    """Why a layer cannot be broken so, where the value would be rounded otherwise; "" where it can."""
    if field == "upsampling" and isinstance(value, int) and value > 0 and value & (value - 1):
        return f"a power of two is expected, such as {1 << (value.bit_length() - 1)}"
    return ""
