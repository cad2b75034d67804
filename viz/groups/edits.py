"""The group of the view that edits activations: channels of layers are scaled, raised, thresholded or moved. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from viz.groups.groups import ListOfEdits, ranged

OPERATIONS = ("gain", "offset", "threshold", "move")


@dataclass(frozen=True)
class Edit:
    """One edit: `operation` by `amount` on channels of layers; see `networks.editing.ChannelEdit`, which has the other fields.

    `layers` are short names ("L5"; "b16.conv1", or "b16" for both convolutions; "input"), () for every layer but the input; `channels`
    are numbers, () for all. `x`, `y` (image widths), `turns` and `scale` belong to "move".
    """

    on: bool = True
    layers: tuple[str, ...] = ()
    channels: tuple[int, ...] = ()
    operation: str = ranged("gain", choices=OPERATIONS)
    amount: float = ranged(1.0, -1000, 1000)
    x: float = ranged(0.0, -10, 10)
    y: float = ranged(0.0, -10, 10)
    turns: float = ranged(0.0, turn=True)
    scale: float = ranged(1.0, 0.1, 10.0, geometric=True)

    @property
    def changes(self) -> bool:
        """Whether it changes anything where it acts."""
        if self.operation == "move":
            return (self.x, self.y, self.turns, self.scale) != (0, 0, 0, 1)
        return self.operation == "threshold" or self.amount != (1 if self.operation == "gain" else 0)

    def turns_off(self, layer: str) -> bool:
        """Whether it turns off some channels of this layer, by number and of no other layer."""
        return self.on and self.layers == (layer,) and bool(self.channels) and (self.operation, self.amount) == ("gain", 0)

    def layers_among(self, taps: Sequence[Any]) -> tuple[Any, ...]:
        """Of a network's taps, those that are meant."""
        return tuple(tap for tap in editable(taps) if (self.layers and not {*names(tap)}.isdisjoint(self.layers))
                     or (not self.layers and tap.name != "input"))  # fmt: skip

    def at(self, tap: Any) -> Edit | None:
        """The edit with the channels that this layer has; None where it has none of them."""
        kept = tuple(sorted({number for number in self.channels if number < tap.channels}))
        return replace(self, layers=(), channels=kept) if kept or not self.channels else None


@dataclass(frozen=True)
class EditActivations(ListOfEdits):
    """What is done to activations of the loaded network, in order, each edit after the layer's nonlinearity and before the next layer."""

    edits: tuple[Edit, ...] = ranged((), each=True)

    @property
    def acting(self) -> tuple[Edit, ...]:
        """The edits that are on and change something where they act."""
        return tuple(edit for edit in self.edits if edit.on and edit.changes)

    def at_taps(self, taps: Sequence[Any]) -> dict[str, tuple[Edit, ...]]:
        """What is done at each tap of a network, by its name; layers and channels that it does not have are left out."""
        found: dict[str, tuple[Edit, ...]] = {}
        for edit in self.acting:
            for tap in edit.layers_among(taps):
                if (here := edit.at(tap)) is not None:
                    found[tap.name] = (*found.get(tap.name, ()), here)
        return found

    def found_in(self, taps: Sequence[Any]) -> Self:
        """The edits that act on a network with these taps, with the channels and layers that it has."""
        found = []
        for edit in self.acting:
            layers, widest = edit.layers_among(taps), max((tap.channels for tap in edit.layers_among(taps)), default=0)
            known = {name for tap in layers for name in names(tap)}
            kept = replace(edit, layers=tuple(n for n in edit.layers if n in known), channels=tuple(n for n in edit.channels if n < widest))
            if layers and (kept.channels or not edit.channels):
                found.append(kept)
        return replace(self, edits=tuple(found))

    def off(self, layer: str) -> frozenset[int]:
        """The channels of a layer ("L5") that are turned off by number."""
        return frozenset(number for edit in self.edits if edit.turns_off(layer) for number in edit.channels)

    def turned_off(self, layer: str, channels: Sequence[int], *, off: bool = True) -> Self:
        """With these channels of a layer turned off, by one edit for all of the layer; or no longer, where such an edit did so."""
        kept, at, numbers = [], len(self.edits), {*channels} if off else set()
        for edit in self.edits:
            if not edit.turns_off(layer):
                kept.append(edit)
                continue
            at = min(at, len(kept))
            numbers |= {*edit.channels} - ({*channels} if not off else set())
        now = [Edit(layers=(layer,), channels=tuple(sorted(numbers)), amount=0.0)] if numbers else []
        return replace(self, edits=(*kept[:at], *now, *kept[at:]))

    def missing(self, taps: Sequence[Any]) -> tuple[str, ...]:
        """What acting edits name and a network with these taps does not have, in sentences."""
        said, known = [], [names(tap) for tap in editable(taps)]
        for edit in self.acting:
            absent = [name for name in edit.layers if not any(name in of_tap for of_tap in known)]
            widest = max((tap.channels for tap in edit.layers_among(taps)), default=0)
            beyond = [number for number in edit.channels if number >= widest]
            if absent:
                said.append(f"there is no layer {absent[0]} to edit; there are {', '.join(short for short, *_ in known)}")
            elif beyond:
                said.append(f"there is no channel {beyond[0]}; the widest of these layers has {widest}, numbered from 0")
        return tuple(said)


def editable(taps: Sequence[Any]) -> tuple[Any, ...]:
    """The taps of a network that can be edited: its input, and layers with a nonlinearity (not ToRGB)."""
    return tuple(
        tap
        for tap in taps
        if tap.name == "input" or ".conv" in tap.name or (tap.spec is not None and len(taps) > 1 and tap is not taps[-2])
    )


def names(tap: Any) -> tuple[str, ...]:
    """What an edit may call a tap: "L5" for L5_148_512; "b16.conv1", or "b16" with the block's other convolution."""
    short = tap.name.split("_")[0]
    return (short, short.split(".")[0]) if "." in short else (short,)
