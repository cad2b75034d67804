"""Command `drag-points`: the latent in which what is under some points has moved to others, as the panel of this name finds it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from viz import headless, latent_file
from viz.cli import latent as cli_latent, pose as cli_pose
from viz.cli.arguments import add_engine_arguments, check_out, number, psi_number, seed_number
from viz.cli.render import write
from viz.cli.values import add_set_argument
from viz.errors import CommandError
from viz.groups.drag_points import NAME, moved_back
from viz.request import NetworkFacts
from viz.state import Device, Directions, DragPair, DragPoints, Mixing, OwnLatent, Truncation, Unwarp, ViewState


def add_drag_points_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = ", ".join(latent_file.SUFFIXES)
    parser.add_argument("network", metavar="NETWORK", help="path, URL, or a name that --list shows")
    parser.add_argument("--point", metavar=("X", "Y", "TX", "TY"), type=number, nargs=4, action="append", required=True,
                        help="handle and target on the picture, image widths from its centre, right and down; may be repeated")  # fmt: skip
    parser.add_argument("--seed", metavar="S", type=seed_number, default=0, help="of the latent (default 0)")
    parser.add_argument("--psi", metavar="P", type=psi_number, default=1.0, help="truncation: 1 none, 0 the mean w (default 1)")
    cli_latent.add_latent_arguments(parser)
    cli_pose.add_arguments(parser)
    parser.add_argument("--untransform", action="store_true", help="the points are on the picture with the pose undone")
    parser.add_argument(
        "--layer", metavar="NAME", help="whose features are followed, as `inspect` names it, or L5 (default: chosen by its rate)"
    )
    parser.add_argument("--steps", metavar="N", type=int, help=f"most steps (default {DragPoints().steps}); it ends when all have arrived")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help=f"where ws goes: {kinds}; `render --latent FILE` shows it")
    parser.add_argument("--picture", metavar="FILE", type=Path, help=".png: also the picture of it")
    add_engine_arguments(parser)
    add_set_argument(parser)


def run_drag_points(options: argparse.Namespace) -> int:
    from viz.analysis.dragging_panel import slid_text
    from viz.analysis.measuring import check_pose, facts_of
    from viz.pipeline import Pipeline
    from viz.progress import terminal_progress

    check_out(options.out, latent_file.SUFFIXES)
    if options.picture is not None:
        check_out(options.picture, (".png",))
    view, pipeline = view_of(options), Pipeline(headless=True)
    with terminal_progress() as report:
        frame = headless.first_frame(pipeline, view, report)
        check_pose(view, frame)
        facts = facts_of(frame)
        view = placed(frame.request.view, options.point, facts)
        frame, result = headless.refined(pipeline, headless.first_frame(pipeline, view, report), NAME, report)
    found = result.values
    latent_file.write(options.out, {"ws": found.ws})
    rows = f"rows {found.rows[0]} to {found.rows[1]} of ws"
    print(f"{options.out}: {facts.ref}, {found.step} of {found.steps} steps, by {found.layer}, {rows}")
    for index, (distance, arrived) in enumerate(zip(found.distances, found.arrived, strict=True)):
        print(f"point {index + 1}: {distance * facts.resolution:.1f} px from its target{', arrived' if arrived else ''}")
        if found.slid[index]:
            print(f"  {slid_text(float(found.doubts[index]), facts.resolution)}")
    if options.picture is None:
        return 0
    own = OwnLatent(str(options.out.resolve()), sha256=latent_file.digest(options.out))
    return write(view.reset(DragPoints, Directions, Truncation, Mixing).put(own), options.picture)


def view_of(options: argparse.Namespace) -> ViewState:
    """The view that the window would show, without its points. Raises CommandError."""
    from viz.analysis import measuring

    view = measuring.view_of(options, Unwarp(on=options.untransform), Device(device=options.device, backend=options.backend))
    view = cli_latent.with_latent(view, options)
    asked = {"layer": options.layer, "steps": options.steps}
    if options.steps is not None and not 1 <= options.steps <= 10_000:
        raise CommandError(f"--steps {options.steps}: from 1 to 10000 are expected")
    return view.edit(DragPoints, **{name: value for name, value in asked.items() if value is not None})


def placed(view: ViewState, points: Sequence[Sequence[float]], facts: NetworkFacts) -> ViewState:
    """With its points, which lie on the picture as it stands. Raises CommandError."""
    from viz.canvas.drag_points import matrix_shown

    matrix = matrix_shown(view, facts)
    pairs = tuple(DragPair(*moved_back(matrix, (x, y)), *moved_back(matrix, (to_x, to_y))) for x, y, to_x, to_y in points)
    if any(not abs(place) <= 4 for pair in pairs for place in (*pair.handle, *pair.target)):
        raise CommandError("--point: places are image widths from the centre, at most 4 away from it")
    return view.edit(DragPoints, on=True, pairs=pairs, stopped_at=0)
