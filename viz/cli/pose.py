"""The flags that move the input grid, and the pose that they mean."""

from __future__ import annotations

import argparse
import math

from viz.errors import CommandError
from viz.state import Pose

FACTORS = ("scale", "stretch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--translate", metavar=("X", "Y"), type=float, nargs=2, default=(0.0, 0.0), help="image widths, right and down")
    parser.add_argument("--rotate", metavar="DEGREES", type=float, default=0.0, help="counter-clockwise")
    parser.add_argument("--scale", metavar="F", type=float, default=1.0, help="enlargement around the middle, from 0.1 to 10 (default 1)")
    parser.add_argument("--stretch", metavar="F", type=float, default=1.0, help="width over height, from 0.1 to 10 (default 1)")
    parser.add_argument("--shear", metavar="K", type=float, default=0.0,
                        help="moves the top to the right, heights for each height, from -4 to 4 (default 0)")  # fmt: skip
    parser.add_argument("--mirror", action="store_true", help="swap left and right (before the rest)")


def pose_of(options: argparse.Namespace) -> Pose:
    """Raises CommandError for what is out of range, naming the flag."""
    for name in FACTORS:
        if not 0.1 <= getattr(options, name) <= 10:
            raise CommandError(f"--{name} {getattr(options, name):g} is out of range; from 0.1 to 10 is expected")
    if not -4 <= options.shear <= 4:
        raise CommandError(f"--shear {options.shear:g} is out of range; from -4 to 4 is expected")
    x, y = options.translate
    if not all(map(math.isfinite, (x, y, options.rotate))):
        raise CommandError("--translate and --rotate take finite numbers")
    return Pose(x, y, options.rotate / 360, False, options.scale, options.stretch, options.shear, options.mirror)
