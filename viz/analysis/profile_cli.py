"""Command `profile`: the values along one line of the picture, or of a layer, as a table, arrays or a drawing; of several networks, too."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from torch_utils.atomic import atomic
from viz.analysis.line_profile import Profile, arrays_of, drawing, line_text, profiles
from viz.analysis.measuring import Measurement, add_view_arguments, check_pose, view_of
from viz.analysis.slice import ScanLine
from viz.analysis.value_table import as_json
from viz.capture import save_npz
from viz.cli.arguments import channel_list, check_out
from viz.cli.render import render, seen
from viz.compare.pairs import with_networks_beside
from viz.errors import CommandError
from viz.groups.compare import NAMES, OTHERS
from viz.request import Frame
from viz.session.origin import running_command
from viz.state import Channels, Slice, Tap, Unwarp, ViewState

OUTPUTS = (".csv", ".npz", ".svg", ".pdf", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Slice()
    add_view_arguments(parser, num=0, counted="", outputs=".csv or .npz: the numbers; .svg, .pdf or .png: the curves")
    parser.add_argument("--untransform", action="store_true", help="undo the pose first")
    parser.add_argument("--layer", metavar="NAME", default="", help="of this layer, as `inspect` names it, or L5 (default: the image)")
    parser.add_argument("--channels", metavar="I[,J,K]", type=channel_list, default=None, help="one channel or three (default 0,1,2)")
    line = (default.x0, default.y0, default.x1, default.y1)
    parser.add_argument("--line", metavar=("X0", "Y0", "X1", "Y1"), type=float, nargs=4, default=line,
                        help="ends of the scan line, image widths from the centre (default 0 -0.15 0 0.15)")  # fmt: skip
    parser.add_argument("--compare", metavar="NETWORK", action="append", default=[],
                        help="another network under the same latent, pose and layer; up to three times")  # fmt: skip


def view(options: argparse.Namespace) -> ViewState:
    channels = options.channels or ()
    shown = Channels(mode="single", first=channels[0]) if len(channels) == 1 else Channels(triple=channels)
    beside = with_networks_beside(ViewState(), options.compare) if options.compare else ViewState()
    line = Slice(False, *options.line, profile=True)
    return view_of(options, Tap(options.layer), shown, Unwarp(on=options.untransform), line, *map(beside.get, OTHERS.values()))


def run(options: argparse.Namespace) -> int:
    if options.out is not None:
        check_out(options.out, OUTPUTS)
    if not all(math.isfinite(v) and abs(v) <= 2 for v in options.line):
        raise CommandError("--line: finite numbers from -2 to 2 are expected")
    asked = view(options)
    line = asked.get(Slice)
    if ScanLine(line.x0, line.y0, line.x1, line.y1).length == 0:
        raise CommandError("--line: the ends are the same point")
    frame = render(asked)
    asked = frame.request.view
    check_pose(asked, frame)
    found = profiles(line, frame)
    if 1 not in found:
        raise CommandError("all channels are shown, and no line leads through them: --channels chooses one or three")
    say_apart(frame)
    measurement = Measurement(options, asked, frame)
    if options.out is not None:
        title = f"{measurement.network.name}, {measurement.latent}, {asked.get(Tap).layer or 'image'}, {line_text(line)}"
        save(options.out, found, line, seen(asked, frame), title)
    if options.json:
        others = {NAMES[n].lower(): {"network": options.compare[n - 2], **facts_of(found[n])} for n in found if n > 1}
        layer = {"layer": measurement.network.tap_name(asked.get(Tap).layer), "line": list(options.line)}
        whole = {**measurement.facts, **layer, **facts_of(found[1]), **({"others": others} if others else {})}
        print(as_json({**whole, "sha256": measurement.network.sha256}))
        return 0
    for number, each in found.items():
        shown = frame if number == 1 else frame.others[number].frame
        name = f"{NAMES[number].lower()}: " if len(found) > 1 else ""
        tap = shown.network.tap_name(shown.request.view.get(Tap).layer) if shown.network else ""
        ref = shown.network.ref if shown.network else ""
        print(f"{name}{ref}: {measurement.latent}, {tap}, {line_text(line)}, {len(each.position)} samples")
    if options.out is None:
        print("\n".join(",".join(row) for row in table(found)))
    return 0


def say_apart(frame: Frame) -> None:
    """What the views do not share. Raises CommandError for one that is an error."""
    for number, beside in frame.others.items():
        if beside.frame.error is not None:
            raise CommandError(beside.frame.error.sentences)
        for note in beside.notes:
            print(f"{NAMES[number]} view: {note}", file=sys.stderr)


def facts_of(found: Profile) -> dict[str, Any]:
    """For JSON."""
    numbers = {label: [v if math.isfinite(v) else None for v in found.values[:, i].tolist()] for i, label in enumerate(found.labels)}
    count, known = len(found.position), int(np.isfinite(found.values[:, 0]).sum())
    known_facts = {"samples_per_width": found.rate, "samples": count, "known": known, "channels": list(found.labels)}
    return {**known_facts, "position": found.position.tolist(), "values": numbers}


def table(found: Mapping[int, Profile]) -> list[list[str]]:
    """Rows of texts, the first with the names of the columns; "" where nothing is known. Several views stand one below the other."""
    labels = list(dict.fromkeys(label for each in found.values() for label in each.labels))
    several = len(found) > 1
    rows = [[*(["view"] if several else []), "image_widths", *(label.replace(" ", "_") for label in labels)]]
    for number, each in found.items():
        columns = [each.labels.index(label) if label in each.labels else None for label in labels]
        for position, values in zip(each.position.tolist(), each.values.tolist(), strict=True):
            texts = ("" if i is None or not math.isfinite(values[i]) else f"{values[i]:.7g}" for i in columns)
            rows.append([*([NAMES[number].lower()] if several else []), f"{position:.6f}", *texts])
    return rows


def save(out: Path, found: dict[int, Profile], line: Slice, asked: ViewState, title: str) -> None:
    """By the name; with the command that makes it again inside (a table has it in its first line, after a #)."""
    match out.suffix.lower():
        case ".npz":
            save_npz(out, arrays_of(line, found), asked)
        case ".csv":
            with atomic(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
                file.write(f"# {running_command()}\n")
                csv.writer(file, lineterminator="\n").writerows(table(found))
        case _:
            from viz.figures.drawing_file import save as save_drawing

            save_drawing(out, drawing(found, title), asked.to_json(), running_command())
