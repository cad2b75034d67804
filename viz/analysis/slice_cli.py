"""Command `slice`: one line of the picture, stacked while the picture moves, and how much of its detail stands still."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

from viz.analysis.measuring import Measurement, add_view_arguments, check_out, check_pose, finite, shown, view_of
from viz.analysis.slice import ENOUGH
from viz.analysis.slice_strip import CAPACITY, Collected, drawing, export
from viz.cli.arguments import number
from viz.errors import CommandError
from viz.figures.drawing import Drawing
from viz.headless import first_frame
from viz.request import Frame
from viz.stages import quiet
from viz.state import Latent, LatentPath, OwnLatent, Pose, Slice, Tone, ViewState

MOVES = ("latent", "x", "y", "turn")
REACH = {"latent": 2.0, "x": 0.1, "y": 0.1, "turn": 0.05}  # seeds, image widths, turns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Slice()
    add_view_arguments(parser, num=128, counted="pictures")
    parser.add_argument("--move", choices=MOVES, default="latent", help="what changes from picture to picture (default latent)")
    parser.add_argument("--reach", metavar="R", type=number, default=None,
                        help="how far in all: seeds, image widths or turns (default 2 seeds, 0.1 widths, 0.05 turns)")  # fmt: skip
    line = (default.x0, default.y0, default.x1, default.y1)
    parser.add_argument("--line", metavar=("X0", "Y0", "X1", "Y1"), type=number, nargs=4, default=line,
                        help="ends of the scan line, image widths from the centre (default 0 -0.15 0 0.15)")  # fmt: skip


def views(options: argparse.Namespace) -> Iterator[ViewState]:
    """One view for each picture of the strip."""
    start, count, reach = view_of(options), options.num, reach_of(options)
    for i in range(count):
        part = reach * i / max(1, count - 1)
        latent, pose = start.get(Latent), start.get(Pose)
        match options.move:
            case "latent":
                yield start.put(replace(latent, x=latent.x + part)).reset(LatentPath, OwnLatent)
            case "turn":
                yield start.put(replace(pose, turns=pose.turns + part))
            case axis:
                yield start.put(replace(pose, **{axis: getattr(pose, axis) + part}))


def reach_of(options: argparse.Namespace) -> float:
    """In seeds, image widths or turns."""
    return REACH[options.move] if options.reach is None else options.reach


def run(options: argparse.Namespace) -> int:
    check_out(options)
    if not ENOUGH <= options.num <= CAPACITY:
        raise CommandError(f"--num {options.num}: a strip has from {ENOUGH} to {CAPACITY} pictures")
    if reach_of(options) == 0:
        raise CommandError("--reach 0: nothing would move from picture to picture")
    if max(map(abs, options.line)) > 2:
        raise CommandError("--line: numbers from -2 to 2 are expected")
    line = Slice(True, *options.line)
    if (line.x0, line.y0) == (line.x1, line.y1):
        raise CommandError("--line: the ends are the same point")
    frame, collected = collect(options, line)
    score = finite(collected.score())
    asked = Measurement(options, view_of(options), frame)
    count = len(collected.strip)  # a snapped pose stands still now and then, which adds no line
    facts = {"num": count, "move": options.move, "reach": reach_of(options), "line": list(options.line), "stuck": score}
    percent = shown(None if score is None else 100 * score, "%")
    lines = (
        f"{asked.network.ref}: {count} pictures from {asked.latent}, moved by {options.move}",
        f"detail that stands still: {percent}",
    )

    def figure() -> Drawing:
        title = f"slice over {count} pictures, moved by {options.move}, stuck {percent}"
        return replace(drawing(collected, Tone()), title=title)

    return asked.tell(facts, lines, export(collected, Tone()).arrays, figure)


def collect(options: argparse.Namespace, line: Slice) -> tuple[Frame, Collected]:
    """The last frame, and the strip that the window would have stacked."""
    from viz.pipeline import Pipeline
    from viz.progress import terminal_progress

    pipeline, collected, frame = Pipeline(headless=True), Collected(), None
    with terminal_progress() as report:
        for number, view in enumerate(views(options), start=1):
            frame = first_frame(pipeline, view, report if number == 1 else quiet)
            check_pose(view, frame)
            collected.see(line, frame.picture)
            report("stacking", number / options.num, True)
    assert frame is not None
    return frame, collected
