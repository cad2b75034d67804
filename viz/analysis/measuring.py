"""Measurements without a window: the same view, the same overlays, their last result; printed, and written to a file."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from viz import headless
from viz.analysis.value_table import as_json, rows_of, save_table
from viz.capture import save_npz
from viz.cli import arguments, pose as cli_pose
from viz.cli.arguments import add_engine_arguments, at_least_one, psi_number, seed_number
from viz.cli.render import impossible, seen
from viz.cli.values import add_set_argument, with_settings
from viz.edit_text import text_of
from viz.errors import CommandError
from viz.figures.drawing import Drawing
from viz.latent_text import latent_text, seed_of
from viz.request import Frame, NetworkFacts, OverlayImage, OverlayResult
from viz.session.origin import running_command
from viz.state import ANALYSES, BreakIt, Device, EditActivations, Filters, Latent, Pose, Source, Tap, Truncation, ViewState

FIGURES = (".png", ".svg", ".pdf")
OUTPUTS = (*FIGURES, ".npz", ".csv")
OUTPUTS_HELP = ".png, .svg or .pdf: a figure; .npz: the numbers as arrays; .csv: as a table, named as in --json"


def add_view_arguments(parser: argparse.ArgumentParser, *, num: int, counted: str, posed: bool = True, outputs: str = OUTPUTS_HELP) -> None:
    """The latent, its pose, how many, and where the result goes."""
    add_network_argument(parser)
    parser.add_argument("--seed", metavar="S", type=seed_number, default=0, help="of the latent (default 0)")
    parser.add_argument("--psi", metavar="P", type=psi_number, default=1.0, help="truncation: 1 none, 0 the mean w (default 1)")
    if posed:
        cli_pose.add_arguments(parser)
    if counted:
        parser.add_argument("--num", metavar="N", type=at_least_one, default=num, help=f"{counted} (default {num})")
    add_result_arguments(parser, outputs)


def add_network_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help="path, URL, or a name that --list shows")


def add_result_arguments(parser: argparse.ArgumentParser, outputs: str = OUTPUTS_HELP) -> None:
    """Where the result goes, by what it is computed, and every other value of the view."""
    parser.add_argument("--out", metavar="FILE", type=Path, help=outputs)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_engine_arguments(parser)
    add_set_argument(parser)


def view_of(options: argparse.Namespace, *groups: Any) -> ViewState:
    """The view that the window would show, with these groups, what they measure switched on: everything else has its default.

    --set, --break and --edit come last, as everywhere.
    """
    view = ViewState().put(Source(network=options.network))
    if hasattr(options, "seed"):
        view = view.put(Latent(x=float(options.seed))).put(Truncation(psi=options.psi))
    if hasattr(options, "translate"):
        view = view.put(cli_pose.pose_of(options))
    for group in (Device(device=options.device, backend=options.backend), *groups):
        view = view.put(group)
    view = with_settings(view, options.settings)
    for kind in (type(group) for group in groups if type(group) in ANALYSES):
        view = view.edit(kind, on=True)
    return view


@dataclass(frozen=True)
class Measurement:
    """What a command was asked and has found, on the way to the terminal and a file."""

    options: argparse.Namespace
    view: ViewState
    frame: Frame
    values: Any = None
    images: Mapping[str, OverlayImage] = field(default_factory=dict)

    @staticmethod
    def of(options: argparse.Namespace, view: ViewState, name: str) -> Measurement:
        """The overlay `name`, which `view` has switched on, run to its end. CommandError for anything that fails, a file's name first."""
        check_out(options)
        frame, result = measured(view, name)
        return Measurement(options, frame.request.view, frame, result.values, result.images)

    @property
    def network(self) -> NetworkFacts:
        return facts_of(self.frame)

    @property
    def latent(self) -> str:
        return latent_text(self.view)

    @property
    def facts(self) -> dict[str, Any]:
        """What the facts of every measurement begin with."""
        seed = seed_of(self.view)
        named = {} if seed is not None else {"latent": self.latent}
        chosen = self.view.get(Latent).class_index
        named |= {"class": chosen} if chosen >= 0 else {}  # else it is drawn from the seed
        asked = {"network": self.network.ref, "config": self.network.config_name, "seed": seed, **named}
        pose = pose_facts(self.view, self.network.resolution) if self.view.get(Pose).moved else {}
        return {**asked, "psi": self.view.get(Truncation).psi, **pose, **changes_of(self.view)}

    def need_grid(self) -> None:
        """CommandError for a network that cannot be posed."""
        if not self.network.has_pose:
            raise CommandError(f"{self.network.titled} has no input grid to move: this cannot be measured on it")

    def tell(
        self,
        facts: Mapping[str, Any],
        lines: Iterable[str],
        arrays: Mapping[str, Any],
        figure: Callable[[], Drawing] | None = None,
        rows: list[dict[str, Any]] | None = None,
    ) -> int:
        """Writes the file that was asked for (`arrays`, the figure, or a table), prints the lines or, as JSON, the facts.

        `rows`: of a table, where the facts hold no list of them.
        """
        out: Path | None = self.options.out
        whole = {**self.facts, **facts}
        if out is not None and out.suffix.lower() == ".npz":
            save_npz(out, arrays, seen(self.view, self.frame))
        elif out is not None and out.suffix.lower() == ".csv":
            save_table(out, rows_of(whole if rows is None else {**whole, "rows": rows}))
        elif out is not None:
            if figure is None:
                raise CommandError(f"--out {out.name}: there is no picture of this measurement")
            self._save(out, figure())
        print(as_json({**whole, "sha256": self.network.sha256}) if self.options.json else "\n".join(lines))
        return 0

    def _save(self, out: Path, figure: Drawing) -> None:
        """With what was measured in words below it, and the view and the command inside."""
        from viz.compare.caption import shared
        from viz.figures.drawing_file import save
        from viz.figures.page import page

        of_latent = not self.view.get(Filters).on  # the design is the same for all of them
        drawn = page(figure, self.frame, shared(self.view, self.network) if of_latent else "")
        save(out, drawn, seen(self.view, self.frame).to_json(), running_command())


def pose_facts(view: ViewState, resolution: int) -> dict[str, Any]:
    """The pose that was measured, whichever options gave it: image widths (rounded to pixels if it snaps), degrees, factors."""
    pose = view.get(Pose)
    (_, _, x), (_, _, y), _ = pose.matrix(resolution)
    more = {name: getattr(pose, name) for name in ("scale", "stretch", "shear", "mirror")}
    return {"translate": [x, y], "rotate": round(360 * pose.turns, 9), **more}


def changes_of(view: ViewState) -> dict[str, Any]:
    """What makes another network of the one that is named: layers broken, activations edited. Nothing where it is whole."""
    broken, edits = view.get(BreakIt), view.get(EditActivations).acting
    return {**({"breaks": broken.summary()} if broken.on else {}), **({"edits": [text_of(edit) for edit in edits]} if edits else {})}


def check_out(options: argparse.Namespace) -> None:
    """Before anything is computed: CommandError for a file that could not be written."""
    if options.out is not None:
        arguments.check_out(options.out, OUTPUTS)


def check_several(options: argparse.Namespace) -> None:
    """CommandError for a mean over one."""
    if options.num < 2:
        raise CommandError(f"--num {options.num}: at least 2 are expected")


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
    """CommandError for what this network has not: a layer to look at, a grid to pose, filters to break, a class, a row, a noise input."""
    facts = facts_of(frame)
    if sentence := facts.no_layer(frame.request.view.get(Tap).layer):
        raise CommandError(f"--layer {sentence}")
    if not facts.has_pose and view.get(Pose).moved:
        raise CommandError(f"{facts.titled} has no input grid: nothing can move or turn it")
    if facts.kind != "alias-free" and view.get(BreakIt).on:
        raise CommandError(f"{facts.titled} has no designed filters: --break cannot act on it")
    for sentence in view.get(EditActivations).missing(facts.taps):
        raise CommandError(f"--edit: {sentence}")
    for sentence in view.get(BreakIt).missing(facts.taps):
        raise CommandError(f"--break: {sentence}")
    for sentence in impossible(frame.request.view, frame):
        raise CommandError(sentence)


def facts_of(frame: Frame) -> NetworkFacts:
    """Of a frame without an error."""
    assert frame.network is not None
    return frame.network


def finite(value: float | None) -> float | None:
    """JSON has neither infinity nor nan: null."""
    return value if value is not None and math.isfinite(value) else None


def array_of(values: Any) -> np.ndarray:
    """float64; nan for what does not exist."""
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)


def shown(value: float | None, unit: str) -> str:
    from gui_utils.text import number_text

    return number_text(value, unit, 2)
