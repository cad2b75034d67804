"""Words below a saved comparison: which picture is which, and what they share. The widths of lines are measured by Pillow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from gui_utils.text import number_text
from gui_utils.tone import BACKGROUND
from viz.compare.compare import chosen, others, own_values
from viz.groups.compare import NAMES
from viz.request import Frame
from viz.state import CompareView, Directions, Latent, OwnLatent, Pose, Source, Tap, Truncation, ViewState

INK = (225, 225, 225)
SMALLEST_PX, LARGEST_PX, PER_LINE = 10, 28, 48  # height of the letters: the picture's width over PER_LINE, within these


def captioned(pixels: np.ndarray, frame: Frame, view: ViewState) -> np.ndarray:
    """The composed picture, uint8 [H, W, 3], with its words in a strip below."""
    from viz.figures.figure import figure_font

    width = pixels.shape[1]
    size = min(max(width // PER_LINE, SMALLEST_PX), LARGEST_PX)
    font, gap = figure_font(size), size // 2
    lines = [part for text in texts(frame, view) for part in wrapped(text, width - 2 * gap, font.getlength)]
    strip = Image.new("RGB", (width, round(1.3 * size * len(lines)) + 2 * gap), (round(255 * BACKGROUND[0]),) * 3)
    ink = ImageDraw.Draw(strip)
    for i, line in enumerate(lines):
        ink.text((gap, gap + round(1.3 * size * i)), line, INK, font)
    return np.concatenate([pixels, np.asarray(strip)], axis=0)


def texts(frame: Frame, view: ViewState) -> list[str]:
    """A line for each view that is shown, and one for what all of them share."""
    shown = others(view) if view.get(CompareView).mode == "side" else (chosen(view),)
    return [f"{NAMES[1]}: {_network(frame, view.get(Source).network)}", *(_other(frame, view, n) for n in shown), shared(view)]


def _network(frame: Frame | None, ref: str) -> str:
    facts = frame.network if frame is not None else None
    return f"{facts.config_name} · {facts.name}" if facts is not None else Path(ref).name


def _other(frame: Frame, view: ViewState, number: int) -> str:
    beside, own = frame.others.get(number), own_values(view, number)
    name = _network(beside.frame if beside else None, own.network or view.get(Source).network)
    kept = [f.name.removeprefix("own_") for f in fields(own) if f.name.startswith("own_") and getattr(own, f.name)]
    distance = [f"{beside.unit} {number_text(beside.db, 'dB')}"] if beside is not None and beside.db is not None else []
    distance += [beside.apart] if distance and beside is not None and beside.apart else []
    return ", ".join((f"{NAMES[number]}: {name}", *distance, *(f"its own {what.replace('_', ' ')}" for what in kept)))


def shared(view: ViewState) -> str:
    """ "seed 3, moved (0.050, 0.000) widths, turned 18.0°, layer L5_84_96": what is not at its default."""
    latent, pose, psi = view.get(Latent), view.get(Pose), view.get(Truncation).psi
    whole = latent.x == round(latent.x) and latent.y == round(latent.y)
    where = f"seed {latent.x + 100 * latent.y:.0f}" if whole else f"latent ({latent.x:.2f}, {latent.y:.2f})"
    parts = [Path(view.get(OwnLatent).file).name if view.get(OwnLatent).file else where]
    if pose.x or pose.y:
        parts.append(f"moved ({number_text(pose.x, decimals=3)}, {number_text(pose.y, decimals=3)}) widths")
    if pose.turns:
        parts.append(f"turned {number_text(360 * pose.turns, '°')}")
    if pose.scale != 1:
        parts.append(f"scaled {number_text(pose.scale, '×', 2)}")
    if psi != 1:
        parts.append(f"ψ {number_text(psi, decimals=2)}")
    parts += [
        f"along {'own' if e.own else 'PC'} {e.number} by {number_text(e.amount, '×' if e.own else 'σ')}"
        for e in view.get(Directions).acting
    ]
    return ", ".join((*parts, *([f"layer {view.get(Tap).layer}"] if view.get(Tap).layer else [])))


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """The text in lines of at most this width, broken at spaces; a word that is longer than a line has one of its own."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measure(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
