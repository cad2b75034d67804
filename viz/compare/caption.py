"""Words below a saved comparison: which picture is which, and what they share. The widths of lines are measured by Pillow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from gui_utils.text import number_text, signed_text
from gui_utils.tone import BACKGROUND
from viz.compare.compare import chosen, others, own_values
from viz.groups.compare import NAMES, OwnValues
from viz.latent_text import latent_name, latent_text
from viz.pose_text import deformation
from viz.request import Beside, Frame, NetworkFacts
from viz.state import CompareView, Directions, Latent, LatentPath, Pose, Source, Tap, Truncation, ViewState

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
    first = (f"{NAMES[1]}: {_network(frame, view.get(Source).network)}", frame.broken, frame.edited)
    return [", ".join(filter(None, first)), *(_other(frame.others.get(n), view, n) for n in shown), shared(view)]


def _network(frame: Frame | None, ref: str) -> str:
    facts = frame.network if frame is not None else None
    return f"{facts.config_name} · {facts.name}" if facts is not None else Path(ref).name


def _other(beside: Beside | None, view: ViewState, number: int) -> str:
    own, frame = own_values(view, number), beside.frame if beside else None
    name = _network(frame, own.network or view.get(Source).network)
    done = (frame.broken, frame.edited) if frame is not None else ()
    return ", ".join(filter(None, (f"{NAMES[number]}: {name}", number_of(beside), own_text(own), *done)))


def number_of(beside: Beside | None) -> str:
    """ "PSNR 31.4 dB"; with why it says little, where it does."""
    if beside is None or beside.difference is None:
        return ""
    return f"{beside.unit} {number_text(beside.db, 'dB')}" + (f" ({beside.apart})" if beside.apart else "")


def own_text(own: OwnValues) -> str:
    """What a view has for itself, with its values."""
    parts = []
    if own.own_latent:
        parts.append(latent_name(own.file, LatentPath(own.seeds, own.position), Latent(own.x, own.y)))
    if own.own_truncation:
        parts.append(f"ψ {own.psi:g}")
    if own.own_noise:
        parts.append(f"noise {own.noise_seed}" if own.noise == "random" else f"noise {'stored' if own.noise == 'const' else own.noise}")
    if own.own_pose:
        pose = own.posed(Pose())
        x, y = (signed_text(v, decimals=3) for v in (pose.x, pose.y))
        parts += [f"pose {x}, {y}, {signed_text(360 * pose.turns, '°')}", *deformation(pose)] if pose.moved else ["not moved"]
    if own.own_layer:
        parts.append("layer of its own")
    if own.intact:
        parts.append("intact")
    return ", ".join(parts)


def shared(view: ViewState, network: NetworkFacts | None = None) -> str:
    """ "seed 3, moved (0.050, 0.000) widths, turned 18.0°, layer L5_84_96": what is not at its default. Of one `network`: nothing of a
    pose that it cannot take, and whole pixels where the pose snaps.
    """
    pose = view.get(Pose) if network is None or network.has_pose else Pose()
    psi, parts = view.get(Truncation).psi, [latent_text(view)]
    (_, _, x), (_, _, y), _ = pose.matrix(None if network is None else network.resolution)
    if x or y:
        parts.append(f"moved ({number_text(x, decimals=3)}, {number_text(y, decimals=3)}) widths")
    if pose.turns:
        parts.append(f"turned {number_text(360 * pose.turns, '°')}")
    parts += deformation(pose)
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
