"""Command `sticking`: the average of pictures around a latent, and how much of their detail survives it."""

from __future__ import annotations

import argparse

from viz.analysis import sticking_average as overlay
from viz.analysis.measuring import Measurement, add_view_arguments, array_of, check_several, shown, view_of
from viz.cli.arguments import in_range_of, number, seed_number
from viz.errors import CommandError
from viz.figures.drawing import Drawing
from viz.state import Sticking, ViewState

IMAGES = {"mean": overlay.MEAN, "deviation": overlay.DEVIATION, "detail": overlay.DETAIL}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Sticking()
    add_view_arguments(parser, num=default.num, counted="pictures")
    parser.add_argument("--radius", metavar="R", type=in_range_of(Sticking, "strength"), default=default.strength,
                        help=f"of the neighbourhood, as a fraction of all latents' deviation (default {default.strength:g})")  # fmt: skip
    parser.add_argument("--space", choices=("w", "z", "pose"), default=default.space,
                        help="neighbours in w or z, or shifts of the pose (default w)")  # fmt: skip
    parser.add_argument("--reach", metavar="PIXELS", type=number, default=default.reach_px,
                        help=f"standard deviation of the shifts, with --space pose (default {default.reach_px:g})")  # fmt: skip
    parser.add_argument("--neighbours-seed", metavar="S", type=seed_number, default=default.seed, help="seed of the neighbours (default 0)")
    parser.add_argument("--hold-pose", action="store_true", help="give every neighbour the pose of the latent itself")
    parser.add_argument("--image", choices=tuple(IMAGES), default="mean", help="what a figure shows (default mean)")


def view(options: argparse.Namespace) -> ViewState:
    check_several(options)
    group = Sticking(on=True, num=options.num, strength=options.radius, space=options.space, reach_px=options.reach,
                     hold_pose=options.hold_pose, seed=options.neighbours_seed)  # fmt: skip
    return view_of(options, group)


def run(options: argparse.Namespace) -> int:
    if not 0 <= options.reach <= 64:
        raise CommandError(f"--reach {options.reach:g} is out of range; from 0 to 64 is expected")
    asked = Measurement.of(options, view(options), overlay.NAME)
    if asked.view.get(Sticking).space == "pose":
        asked.need_grid()
    kept: overlay.Kept = asked.values
    octaves = [{"from": band.low, "to": band.high, "kept": band.share, "held": band.held} for band in kept.octaves]
    group = asked.view.get(Sticking)
    posed = group.space == "pose"
    around = {"space": group.space, "radius": None if posed else group.strength, "reach_px": group.reach_px if posed else None,
              "hold_pose": group.hold_pose, "neighbours_seed": group.seed}  # fmt: skip
    facts = {"num": kept.count, **around, "kept": kept.share, "from_cycles": kept.low, "held": kept.held, "octaves": octaves}
    percent = lambda share: shown(None if share is None else 100 * share, "%")  # noqa: E731
    lines = (
        f"{asked.network.ref}: {kept.count} pictures around {asked.latent}",
        f"detail kept, from {kept.low:g} cycles per image: {percent(kept.share)}",
        *(f"  {o.low:6g} to {o.high:<6g} {percent(o.share):>10}   of {100 * o.held:8.2g} % of the power" for o in kept.octaves),
    )
    arrays = {name: asked.images[image].values for name, image in IMAGES.items()}
    arrays |= {"octaves": array_of(v for o in kept.octaves for v in (o.low, o.high, o.share, o.held)).reshape(-1, 4)}

    def figure() -> Drawing:
        from viz.analysis.figures import picture_figure

        return picture_figure(asked.images[IMAGES[options.image]], f"{options.image} of {kept.count}, detail kept {percent(kept.share)}")

    return asked.tell(facts, lines, {**arrays, "kept": array_of([kept.share])}, figure)
