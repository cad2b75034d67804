"""Measurements without a window: the same view, the same overlays, their last result; printed, and written to a file."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from viz import headless
from viz.cli import arguments
from viz.cli.arguments import add_engine_arguments, at_least_one, seed_number
from viz.cli.values import add_set_argument, with_settings
from viz.errors import CommandError
from viz.request import Frame, NetworkFacts, OverlayResult
from viz.state import BreakIt, Device, Latent, Pose, Source, Truncation, ViewState

OUTPUTS = (".png", ".npz")


@dataclass(frozen=True)
class Measured:
    """What a command found: `facts` for --json, `lines` for the terminal, `arrays` for .npz, and a figure (uint8 [H, W, 3])."""

    facts: Mapping[str, Any]
    lines: tuple[str, ...]
    arrays: Mapping[str, Any] = field(default_factory=dict)
    figure: Callable[[], np.ndarray] | None = None


def add_view_arguments(parser: argparse.ArgumentParser, *, num: int, counted: str, posed: bool = True) -> None:
    """The latent, its pose, how many, and where the result goes."""
    parser.add_argument("network", metavar="NETWORK", help="path, URL, or a name that --list shows")
    parser.add_argument("--seed", metavar="S", type=seed_number, default=0, help="of the latent (default 0)")
    parser.add_argument("--psi", metavar="P", type=float, default=1.0, help="truncation: 1 none, 0 the mean w (default 1)")
    if posed:
        parser.add_argument("--translate", metavar=("X", "Y"), type=float, nargs=2, default=(0.0, 0.0), help="image widths, right and down")
        parser.add_argument("--rotate", metavar="DEGREES", type=float, default=0.0, help="counter-clockwise")
    if counted:
        parser.add_argument("--num", metavar="N", type=at_least_one, default=num, help=f"{counted} (default {num})")
    parser.add_argument("--out", metavar="FILE", type=Path, help=".png: a figure; .npz: the numbers as arrays")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_engine_arguments(parser)
    add_set_argument(parser)


def view_of(options: argparse.Namespace) -> ViewState:
    """The view that the window would show: everything else has its default."""
    view = ViewState().put(Source(network=options.network)).put(Latent(x=float(options.seed))).put(Truncation(psi=options.psi))
    if hasattr(options, "translate"):
        view = view.put(Pose(x=options.translate[0], y=options.translate[1], turns=options.rotate / 360))
    return with_settings(view.put(Device(device=options.device, backend=options.backend)), options.settings)


def check_out(out: Path | None) -> None:
    """Before anything is computed: CommandError for a file that could not be written."""
    if out is not None:
        arguments.check_out(out, OUTPUTS)


def measured(view: ViewState, name: str) -> tuple[Frame, OverlayResult]:
    """The finished result of the overlay `name`, which `view` has switched on, and its frame. CommandError for anything that fails."""
    from viz.pipeline import Pipeline
    from viz.progress import terminal_progress

    pipeline = Pipeline(headless=True)
    with terminal_progress() as report:
        frame = headless.first_frame(pipeline, view, report)
        check_pose(view, frame)
        return headless.refined(pipeline, frame, name, report)


def check_pose(view: ViewState, frame: Frame) -> None:
    """CommandError for what this network has not: a grid to pose, filters to break."""
    facts = facts_of(frame)
    if not facts.has_pose and view.get(Pose).moved:
        raise CommandError(f"{facts.titled} has no input grid: --translate and --rotate cannot act on it")
    if facts.kind != "alias-free" and view.get(BreakIt).on:
        raise CommandError(f"{facts.titled} has no designed filters: --break cannot act on it")


def need_grid(frame: Frame) -> None:
    """CommandError for a network that cannot be posed."""
    facts = facts_of(frame)
    if not facts.has_pose:
        raise CommandError(f"{facts.titled} has no input grid to move: this cannot be measured on it")


def facts_of(frame: Frame) -> NetworkFacts:
    """Of a frame without an error."""
    assert frame.network is not None
    return frame.network


def begun(frame: Frame, options: argparse.Namespace) -> dict[str, Any]:
    """What the facts of every measurement begin with."""
    facts = facts_of(frame)
    return {"network": facts.ref, "config": facts.config_name, "seed": options.seed}


def emit(found: Measured, options: argparse.Namespace) -> int:
    """Writes the file that was asked for, prints. Exit code 0."""
    out: Path | None = options.out
    if out is not None and out.suffix.lower() == ".npz":
        from viz.capture import save_npz

        save_npz(out, found.arrays)
    elif out is not None:
        from viz.capture import save_png

        if found.figure is None:
            raise CommandError(f"--out {out.name}: there is no picture of this measurement")
        save_png(out, found.figure(), None)
    print(json.dumps(found.facts, indent=1, allow_nan=False) if options.json else "\n".join(found.lines))
    return 0


def finite(value: float | None) -> float | None:
    """JSON has neither infinity nor nan: null."""
    return value if value is not None and math.isfinite(value) else None


def array_of(values: Any) -> np.ndarray:
    """float64; nan for what does not exist."""
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)


def shown(value: float | None, unit: str) -> str:
    from gui_utils.text import number_text

    return number_text(value, unit, 2)
