"""Edits of activations as people write them: "L3-L5:12-40,77:gain=0", and its parts. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from viz.groups.edits import OPERATIONS, Edit

EXAMPLE = "L5:12-40,77:gain=0"
MOST_CHANNELS = 4096
UNITS = {"deg": "turns", "°": "turns", "x": "scale", "×": "scale"}  # what a number of "move" is
TO = r"\s*[-–]\s*"
SIZES = r"(?:_\d{1,5}_\d{1,5})?"  # of L5_84_96, the full name of L5
NUMBERS, LAYERS, BLOCKS = (
    rf"{name}(\d{{1,{digits}}}){after}(?:{TO}{name}(\d{{1,{digits}}}){after})?"
    for name, digits, after in (("", 4, ""), ("[Ll]?", 3, SIZES), ("b", 5, ""))
)


def edit_of(text: str) -> Edit:
    """LAYERS:CHANNELS:WHAT=AMOUNT. Raises ValueError that says what is expected."""
    layers, _, rest = text.partition(":")
    channels, _, what = rest.partition(":")
    operation, equals, amount = (part.strip() for part in what.partition("="))
    if not equals or operation not in OPERATIONS:
        raise ValueError(f"{text!r} is not LAYERS:CHANNELS:WHAT=AMOUNT, such as {EXAMPLE}; WHAT is {', '.join(OPERATIONS)}")
    return with_amount(Edit(layers=layer_list(layers), channels=channel_list(channels), operation=operation), amount)


def text_of(edit: Edit) -> str:
    """What `edit_of` reads as this edit."""
    return f"{layers_text(edit.layers)}:{channels_text(edit.channels)}:{edit.operation}={_amount_text(edit)}"


def layer_list(text: str) -> tuple[str, ...]:
    """ "L3-L5, input" -> ("L3", "L4", "L5", "input"); "all" -> (). ValueError for what is no list of layers."""
    found: list[str] = []
    for part in (part.strip() for part in text.split(",")) if not _is_all(text) else ():
        layers, blocks = re.fullmatch(LAYERS, part), re.fullmatch(BLOCKS, part)
        span = layers or blocks
        first, last = (int(span[1]), int(span[2] or span[1])) if span else (1, 0)
        if layers and first <= last <= 255:
            found += [f"L{n}" for n in range(first, last + 1)]
        elif blocks and (sizes := [2**power for power in range(17) if first <= 2**power <= last]):
            found += [f"b{size}" for size in sizes]
        elif re.fullmatch(r"input|b\d{1,5}\.conv[01]", part):
            found.append(part)
        else:
            raise ValueError(f"{text!r} are not layers: all, L3, L3-L5, b16, b16.conv1 or input is expected")
    return tuple(dict.fromkeys(found))


def channel_list(text: str) -> tuple[int, ...]:
    """ "12-40,77" -> the numbers; "all" -> (). ValueError for what is no list of channels."""
    try:
        return () if _is_all(text) else number_list(text, MOST_CHANNELS - 1)
    except ValueError:
        raise ValueError(f"{text!r} are not channels: all, 12 or 12-40,77 is expected") from None


def number_list(text: str, most: int) -> tuple[int, ...]:
    """ "12-40,77" -> the numbers, in order. ValueError for anything else, and for numbers above `most`."""
    found: set[int] = set()
    for part in text.split(","):
        span = re.fullmatch(NUMBERS, part.strip())
        numbers = range(int(span[1]), int(span[2] or span[1]) + 1) if span else range(0)
        if not numbers or numbers[-1] > most:
            raise ValueError(f"{text!r} is not a list of numbers up to {most}")
        found.update(numbers)
    return tuple(sorted(found))


def with_amount(edit: Edit, text: str) -> Edit:
    """The edit by this much: a number, or for "move" X, Y, an angle and a scale. ValueError for anything else."""
    if edit.operation != "move":
        return replace(edit, amount=_number(text, f"{text!r} is not an amount: a number is expected, such as {edit.operation}=0.5"))
    values: dict[str, float] = {}
    wrong = f"{text!r} is not a move: X,Y in image widths, an angle such as 30deg, a scale such as 1.2x"
    for part in text.split(","):
        found = re.fullmatch(r"\s*(.+?)\s*(deg|°|x|×|)\s*", part)
        name = UNITS.get(found[2], "y" if "x" in values else "x") if found else ""
        if found is None or name in values:
            raise ValueError(wrong)
        values[name] = _number(found[1], wrong) / (360 if name == "turns" else 1)
    return replace(edit, **values)


def _number(text: str, wrong: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(wrong) from None


def _amount_text(edit: Edit) -> str:
    if edit.operation != "move":
        return f"{edit.amount:.12g}"
    turned = f",{360 * edit.turns:.12g}deg" if edit.turns else ""
    return f"{edit.x:.12g},{edit.y:.12g}{turned}" + (f",{edit.scale:.12g}x" if edit.scale != 1 else "")


def layers_text(layers: Sequence[str], dash: str = "-") -> str:
    """ "L3-L5,input" (with another dash, "L3–L5, input"): names of layers, those that are numbered in runs; "all" for none."""
    numbered = [int(name[1:]) for name in layers if re.fullmatch(r"L\d{1,3}", name)]
    runs = [re.sub(r"\d+", lambda found: f"L{found[0]}", _runs(numbered, dash))] if numbered else []
    return _separator(dash).join([*runs, *(name for name in layers if not re.fullmatch(r"L\d{1,3}", name))]) or "all"


def channels_text(channels: Iterable[int], dash: str = "-") -> str:
    """ "12-40,77" (with another dash, "12–40, 77"); "all" for none."""
    return _runs(channels, dash) or "all"


def _runs(numbers: Iterable[int], dash: str) -> str:
    runs = [[n for _, n in run] for _, run in groupby(enumerate(sorted(set(numbers))), lambda pair: pair[1] - pair[0])]
    return _separator(dash).join(str(run[0]) if len(run) == 1 else f"{run[0]}{dash}{run[-1]}" for run in runs)


def _separator(dash: str) -> str:
    return "," if dash == "-" else ", "


def _is_all(text: str) -> bool:
    return text.strip().lower() == "all"


def summary(edits: Iterable[Edit], most: int = 3) -> str:
    """ "channels 12–40 of L5 off; L3–L5 moved 0.1, 0 widths, 30°", for as many edits."""
    parts = [f"{where(edit)} {what(edit)}" for edit in edits]
    return "; ".join(parts[:most]) + (f"; {len(parts) - most} more" if len(parts) > most else "")


def where(edit: Edit) -> str:
    """ "channels 12–40, 77 of L5"."""
    layers = layers_text(edit.layers, "–") if edit.layers else "all layers"
    if not edit.channels:
        return layers
    return f"{'channel' if len(edit.channels) == 1 else 'channels'} {channels_text(edit.channels, '–')} of {layers}"


def what(edit: Edit) -> str:
    """ "off", "× 0.5", "raised by 2", "thresholded at 1", "moved 0.1, 0 widths, 30°"."""
    number = f"{edit.amount:g}".replace("-", "−")
    if edit.operation == "gain":
        return "off" if edit.amount == 0 else f"× {number}"
    if edit.operation == "threshold":
        return f"thresholded at {number}"
    if edit.operation == "offset":
        return f"lowered by {-edit.amount:g}" if edit.amount < 0 else f"raised by {number}"
    parts = [f"{edit.x:g}, {edit.y:g} widths"] if edit.x or edit.y else []
    parts += [f"{360 * edit.turns:g}°"] if edit.turns else []
    parts += [f"× {edit.scale:g}"] if edit.scale != 1 else []
    return f"moved {', '.join(parts) or 'nowhere'}".replace("-", "−")
