"""Command `profile`: the values along one line of the picture, or of a layer, as a table, arrays, or a drawing."""

from __future__ import annotations

import argparse
import csv
import json
import math
from pathlib import Path

import numpy as np

from torch_utils.atomic import atomic
from viz.analysis.line_profile import Profile, arrays_of, drawing, line_text, profile_of
from viz.analysis.measuring import Measurement, add_view_arguments, check_pose, view_of
from viz.analysis.slice import ScanLine
from viz.capture import save_npz
from viz.cli.arguments import channel_list, check_out
from viz.cli.render import impossible, render
from viz.errors import CommandError
from viz.session.origin import running_command
from viz.state import Channels, Slice, Tap, Unwarp, ViewState

OUTPUTS = (".csv", ".npz", ".svg", ".pdf", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Slice()
    add_view_arguments(parser, num=0, counted="", outputs=".csv or .npz: the numbers; .svg, .pdf or .png: the curves")
    parser.add_argument("--untransform", action="store_true", help="undo the pose first")
    parser.add_argument("--layer", metavar="NAME", default="", help="of this layer, as `inspect` names it (default: the image)")
    parser.add_argument("--channels", metavar="I[,J,K]", type=channel_list, default=None, help="one channel or three (default 0,1,2)")
    line = (default.x0, default.y0, default.x1, default.y1)
    parser.add_argument("--line", metavar=("X0", "Y0", "X1", "Y1"), type=float, nargs=4, default=line,
                        help="ends of the scan line, image widths from the centre (default 0 -0.15 0 0.15)")  # fmt: skip


def view(options: argparse.Namespace) -> ViewState:
    channels = options.channels or ()
    shown = Channels(mode="single", first=channels[0]) if len(channels) == 1 else Channels(triple=channels)
    return view_of(options, Tap(options.layer), shown, Unwarp(on=options.untransform), Slice(False, *options.line, profile=True))


def run(options: argparse.Namespace) -> int:
    if options.out is not None:
        check_out(options.out, OUTPUTS)
    asked = view(options)
    line = asked.get(Slice)
    if not all(math.isfinite(v) and abs(v) <= 2 for v in options.line):
        raise CommandError("--line: finite numbers from -2 to 2 are expected")
    if ScanLine(line.x0, line.y0, line.x1, line.y1).length == 0:
        raise CommandError("--line: the ends are the same point")
    frame = render(asked)
    check_pose(asked, frame)
    for sentence in impossible(asked, frame):
        raise CommandError(sentence)
    found = profile_of(line, frame.picture)
    if found is None:
        raise CommandError("all channels are shown, and no line leads through them: --channels chooses one or three")
    measurement = Measurement(options, asked, frame)
    count, known = len(found.position), int(np.isfinite(found.values[:, 0]).sum())
    if options.out is not None:
        title = f"{measurement.network.name}, {measurement.latent}, {options.layer or 'image'}, {line_text(line)}"
        save(options.out, found, line, asked, title)
    facts = {"layer": measurement.network.tap_name(options.layer), "line": list(options.line), "samples_per_width": found.rate,
             "samples": count, "known": known, "channels": list(found.labels)}  # fmt: skip
    if options.json:
        numbers = {label: [v if math.isfinite(v) else None for v in found.values[:, i].tolist()] for i, label in enumerate(found.labels)}
        whole = {**measurement.facts, **facts, "position": found.position.tolist(), "values": numbers}
        print(json.dumps(whole, indent=1, allow_nan=False))
        return 0
    print(f"{measurement.network.ref}: {measurement.latent}, {facts['layer']}, {line_text(line)}, {count} samples")
    if options.out is None:
        print("\n".join(",".join(row) for row in table(found)))
    return 0


def table(found: Profile) -> list[list[str]]:
    """Rows of texts, the first with the names of the columns; "" where nothing is known."""
    rows = [["image_widths", *(label.replace(" ", "_") for label in found.labels)]]
    for position, values in zip(found.position.tolist(), found.values.tolist(), strict=True):
        rows.append([f"{position:.6f}", *(f"{v:.7g}" if math.isfinite(v) else "" for v in values)])
    return rows


def save(out: Path, found: Profile, line: Slice, asked: ViewState, title: str) -> None:
    """By the name; with the command that makes it again inside (a table has it in its first line, after a #)."""
    match out.suffix.lower():
        case ".npz":
            save_npz(out, arrays_of(line, {1: found}), asked)
        case ".csv":
            with atomic(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
                file.write(f"# {running_command()}\n")
                csv.writer(file, lineterminator="\n").writerows(table(found))
        case _:
            from viz.figures.drawing_file import save as save_drawing

            save_drawing(out, drawing({1: found}, title), asked.to_json(), running_command())
