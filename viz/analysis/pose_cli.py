"""Commands `flow`, `equivariance`, `flicker`, `by-layer` and `sweep`: what happens to one latent's picture when its pose changes."""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np

from viz.analysis import flicker, flow_chart, layer_chart, live_equivariance, sweep_chart
from viz.analysis.measuring import Measurement, add_view_arguments, array_of, check_several, finite, pose_facts, shown, view_of
from viz.cli.arguments import at_least_one, number
from viz.errors import CommandError
from viz.figures.drawing import Drawing
from viz.figures.figure import Axis
from viz.state import Equivariance, Flicker, Flow, LayerEquivariance, Pose, Sweep, ViewState

IDENTITY = "The pose is the identity, so there is nothing to follow; --translate X Y or --rotate DEGREES moves the picture"

# ------------------------------------------------------------------------------------------------------------- flow


def add_flow_arguments(parser: argparse.ArgumentParser) -> None:
    default = Flow()
    add_view_arguments(parser, num=default.num, counted="poses")
    parser.add_argument("--over", choices=("shift", "turn"), default=default.over, help="how the pose moves (default shift)")
    parser.add_argument("--reach", metavar="PIXELS", type=number, default=default.reach_px,
                        help=f"how far; turning, at the middle of the image's edge (default {default.reach_px:g})")  # fmt: skip


def flow_view(options: argparse.Namespace) -> ViewState:
    _positive("--reach", options.reach)
    return view_of(options, Flow(on=True, over=options.over, reach_px=options.reach, num=options.num))


def run_flow(options: argparse.Namespace) -> int:
    asked = Measurement.of(options, flow_view(options), flow_chart.NAME)
    asked.need_grid()
    found: flow_chart.Attachment = asked.values
    group = asked.view.get(Flow)
    facts = {"num": found.count, "over": group.over, "reach_px": group.reach_px, "attached": found.attached,
             "stuck_share": found.stuck_share, "from_cycles": found.low}  # fmt: skip
    _, attached, note = flow_chart.texts(found)
    lines = (f"{asked.network.ref}: {found.count} poses around {asked.latent}", f"detail attached: {attached}", note)
    arrays: dict[str, Any] = {"attached": array_of([found.attached]), "shares": array_of(found.shares), "weights": array_of(found.weights)}
    image = asked.images.get(flow_chart.ARROWS)
    if image is not None and image.arrows is not None:
        arrays |= {"at": image.arrows.at, "moved": image.arrows.moved, "expected": image.arrows.expected}

    def figure() -> Drawing:
        from gui_utils.tone import colormap_table
        from viz.analysis.figures import arrows_figure

        if image is None or image.arrows is None or asked.frame.toned is None:
            raise CommandError("--out: there is no detail to draw arrows for")
        table = colormap_table(image.colormap)
        colors = table[np.round(np.clip(image.arrows.shares, 0, 1) * (len(table) - 1)).astype(int)]
        return arrows_figure(asked.frame.toned, image.arrows, colors, f"detail attached {attached}")

    return asked.tell(facts, lines, arrays, figure)


# ------------------------------------------------------------------------------------------------------ equivariance

ERRORS = {"level": live_equivariance.LEVEL, "signed": live_equivariance.SIGNED, "log": live_equivariance.LOG}


def add_equivariance_arguments(parser: argparse.ArgumentParser) -> None:
    add_view_arguments(parser, num=0, counted="")
    parser.add_argument("--image", choices=tuple(ERRORS), default="level", help="the error that a figure shows (default level, in dB)")


def equivariance_view(options: argparse.Namespace) -> ViewState:
    return view_of(options, Equivariance(on=True))


def posed(options: argparse.Namespace, view: ViewState, name: str) -> Measurement:
    """What compares a pose with none."""
    if not view.get(Pose).moved:
        raise CommandError(IDENTITY)
    asked = Measurement.of(options, view, name)
    asked.need_grid()
    return asked


def run_equivariance(options: argparse.Namespace) -> int:
    asked = posed(options, equivariance_view(options), live_equivariance.NAME)
    now: live_equivariance.Now = asked.values
    if now.kind is None:  # less than half a pixel, rounded
        raise CommandError(IDENTITY)
    facts = {**pose_facts(asked.view, asked.network.resolution), "kind": now.kind, "db": finite(now.db), "compared": now.valid_share}
    title, number, remark = live_equivariance.texts(now)
    lines = (f"{asked.network.ref}: {asked.latent}", f"{title}: {number}", remark)
    image = asked.images[ERRORS[options.image]]
    arrays = {name: asked.images[key].values for name, key in ERRORS.items()} | {"mask": image.mask, "db": array_of([now.db])}

    def figure() -> Drawing:
        from viz.analysis.figures import picture_figure

        return picture_figure(image, f"{image.label}; {title.split(' ')[0]} {number}")

    return asked.tell(facts, lines, arrays, figure)


# ---------------------------------------------------------------------------------------------------------- flicker


def add_flicker_arguments(parser: argparse.ArgumentParser) -> None:
    default = Flicker()
    add_view_arguments(parser, num=default.num, counted="poses")
    parser.add_argument("--reach", metavar="PIXELS", type=number, default=default.reach_px,
                        help=f"the farthest shift (default {default.reach_px:g})")  # fmt: skip


def flicker_view(options: argparse.Namespace) -> ViewState:
    _positive("--reach", options.reach)
    check_several(options)
    return view_of(options, Flicker(on=True, num=options.num, reach_px=options.reach))


def run_flicker(options: argparse.Namespace) -> int:
    asked = Measurement.of(options, flicker_view(options), flicker.NAME)
    asked.need_grid()
    found: flicker.Steadiness = asked.values
    reach_px = asked.view.get(Flicker).reach_px
    facts = {"num": found.count, "reach_px": reach_px, "db": finite(found.db)}
    lines = (f"{asked.network.ref}: {found.count} poses around {asked.latent}, up to {reach_px:g} px",
             f"steadiness, peak over flicker: {shown(found.db, 'dB')}")  # fmt: skip
    image = asked.images[flicker.DEVIATION]

    def figure() -> Drawing:
        from viz.analysis.figures import picture_figure

        return picture_figure(image, f"flicker, steadiness {shown(found.db, 'dB')}")

    return asked.tell(facts, lines, {"db": array_of([found.db]), "flicker_db": image.values, "mask": image.mask}, figure)


# --------------------------------------------------------------------------------------------------------- by layer


def add_by_layer_arguments(parser: argparse.ArgumentParser) -> None:
    add_view_arguments(parser, num=0, counted="")


def by_layer_view(options: argparse.Namespace) -> ViewState:
    return view_of(options, LayerEquivariance(on=True))


def run_by_layer(options: argparse.Namespace) -> int:
    asked = posed(options, by_layer_view(options), layer_chart.NAME)
    found: layer_chart.Layers = asked.values
    if not found.posed:
        raise CommandError(IDENTITY)
    facts = {**pose_facts(asked.view, asked.network.resolution), "layers": [{"name": name, "db": finite(db)} for name, db in found.found]}
    lines = (f"{asked.network.ref}: variance over error, {asked.latent}",
             *(f"  {name:<20}{shown(db, 'dB'):>12}" for name, db in found.found))  # fmt: skip
    names, values = [name for name, _ in found.found], [db for _, db in found.found]

    def figure() -> Drawing:
        from viz.analysis.figures import layers_chart

        return layers_chart(names, {"": array_of(map(finite, values))}, _db_axis(values, zero=True), "how every layer follows the pose")

    return asked.tell(facts, lines, {"layer": np.array(names), "db": array_of(values)}, figure)


# ------------------------------------------------------------------------------------------------------------ sweep


def add_sweep_arguments(parser: argparse.ArgumentParser) -> None:
    add_view_arguments(parser, num=0, counted="", posed=False)
    parser.add_argument("--num", metavar="N", type=at_least_one, default=0, help="points (default 17 shifts, 49 angles)")
    parser.add_argument("--over", choices=("shift", "angle"), default="shift", help="of 0 to 1 pixel, or of one turn (default shift)")


def sweep_view(options: argparse.Namespace) -> ViewState:
    if options.num == 1:
        raise CommandError(f"--num {options.num}: a sweep has at least 2 points")
    return view_of(options, Sweep(on=True, over=options.over, num=options.num))


def run_sweep(options: argparse.Namespace) -> int:
    asked = Measurement.of(options, sweep_view(options), sweep_chart.NAME)
    asked.need_grid()
    curve: sweep_chart.Curve = asked.values
    unit, scale = ("shift_px", 1.0) if curve.over == "shift" else ("degrees", 360.0)
    points = [{unit: p.value * scale, "db": finite(p.db), "kind": p.kind} for p in curve.points]
    facts = {"over": curve.over, "num": len(points), "points": points}
    lines = (f"{asked.network.ref}: {asked.latent}, {unit.replace('_', ' in ')} and PSNR",
             *(f"  {p.value * scale:10.4f}{shown(p.db, 'dB'):>12}" for p in curve.points))  # fmt: skip
    x, y = array_of(p.value * scale for p in curve.points), array_of(p.db for p in curve.points)

    def figure() -> Drawing:
        from viz.analysis.figures import line_chart
        from viz.figures.chart import Scales

        label = "shift to the right (pixels)" if curve.over == "shift" else "degrees, counter-clockwise"
        scales = Scales(Axis(label, float(x.min()), float(x.max())), _db_axis(y))
        return line_chart({"PSNR": (x, np.where(np.isfinite(y), y, np.nan))}, scales, f"equivariance over {curve.over}")

    return asked.tell(facts, lines, {unit: x, "db": y}, figure)


def _db_axis(values: Any, *, zero: bool = False) -> Axis:
    known = [v for v in values if v is not None and math.isfinite(v)]
    low, high = (min(known), max(known)) if known else (0.0, 60.0)
    return Axis("dB", min(0.0, low - 3) if zero else low - 4, high + 6)


def _positive(name: str, value: float) -> None:
    if not (0 < value <= 64):
        raise CommandError(f"{name} {value:g} is out of range; more than 0 and at most 64 is expected")
