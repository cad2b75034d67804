"""Command `spectrum`: the average power spectrum of a network or of a folder of pictures, as numbers or as a figure."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from viz.analysis.average_spectrum import (
    Curves,
    FolderPictures,
    SetPower,
    check_seeds,
    curves,
    difference,
    load_curves,
    network_pictures,
    picture_files,
    save_arrays,
)
from viz.analysis.measuring import changes_of
from viz.analysis.metrics_cli import as_asked
from viz.analysis.value_table import as_json, rows_of, save_table
from viz.cli.arguments import at_least_one, check_out, seed_number
from viz.cli.values import add_set_argument, with_settings
from viz.errors import CommandError
from viz.figures.drawing import Drawing
from viz.figures.page import captioned
from viz.session.origin import running_command
from viz.state import ViewState

OUTPUTS = (".npz", ".csv", ".png", ".svg", ".pdf")
CURVES = ("axis0", "diagonal", "radial")  # as they are called in files
RANGE_DB = (-50.0, 30.0)  # of the figure's colours


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="NETWORK|FOLDER", help="a network (path, URL, or a name that --list shows), or a folder of pictures"
    )
    parser.add_argument("--num", metavar="N", type=at_least_one, default=100, help="pictures (default 100)")
    parser.add_argument("--seed", metavar="S", type=seed_number, default=0, help="first seed (default 0); pictures of a folder go by name")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help=".npz: curves and map; .csv: curves; .png, .svg, .pdf: the map with axes"
    )
    parser.add_argument("--reference", metavar="NPZ|NETWORK|FOLDER", default=None,
                        help="what it is compared with: curves of both, and A - B in dB")  # fmt: skip
    parser.add_argument("--curves", action="store_true", help="a figure shows curves (with --reference: A - B) and not the map")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda or mps (default auto)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with the curves")
    add_set_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Checks the name first, so that nothing is computed in vain. Exit code 0."""
    out: Path = options.out
    check_out(out, OUTPUTS)
    if not picture_files(Path(options.source)):
        check_seeds(options.seed, options.num)
    found = measured(options)
    other = reference(options)
    if out.suffix.lower() == ".npz":
        from viz.capture import save_npz

        save_npz(out, {**save_arrays(found), **difference_arrays(found, other)})
    elif out.suffix.lower() == ".csv":
        save_table(out, rows_of(facts_of(options, found, other)))
    else:
        from viz.figures.drawing_file import save

        drawn = curves_figure(found, other) if options.curves or other is not None else figure(found)
        save(out, captioned(drawn, f"Average power spectrum: {drawn.title}{_seeds(options)}"), command=running_command())
    if options.json:
        print(as_json(facts_of(options, found, other)))
        return 0
    print(f"{out}: {found.count} pictures of {found.label}, mean {found.mean:.2f}, standard deviation {found.std:.2f} (0 to 255)")
    if other is not None:
        axis, level = difference(found, other)["radial"]
        middle = float(np.median(level[axis > axis[-1] / 2]))
        print(f"minus {other.count} pictures of {other.label}: {middle:+.2f} dB in the upper half of the frequencies (median over circles)")
    return 0


def facts_of(options: argparse.Namespace, found: Curves, other: Curves | None) -> dict[str, Any]:
    """For JSON and tables: the curves as a list of points; with a reference also A - B, null where that one does not reach."""
    seeds = {} if picture_files(Path(options.source)) else {"seed": options.seed}
    compared = {} if other is None else {"reference": other.label, "reference_num": other.count}
    apart = {} if other is None else difference(found, other)
    points = []
    for curve, (name, (frequency, level)) in zip(CURVES, found.lines().items(), strict=True):
        minus = dict(zip(*map(np.ndarray.tolist, apart[name]), strict=True)) if apart else {}
        for at, db in zip(frequency.tolist(), level.tolist(), strict=True):
            points.append({"curve": curve, "cycles_per_image": at, "db": db, **({"minus_reference_db": minus.get(at)} if apart else {})})
    asked = {"source": options.source, "num": found.count, **seeds, **changes_of(with_settings(ViewState(), options.settings)), **compared}
    return {**asked, "mean": found.mean, "std": found.std, "points": points}


def _seeds(options: argparse.Namespace) -> str:
    """Which pictures of networks were measured; those of a folder go by name."""
    folders = picture_files(Path(options.source)) and (options.reference is None or picture_files(Path(options.reference)))
    return "" if folders else f", seeds {options.seed} to {options.seed + options.num - 1}"


def reference(options: argparse.Namespace) -> Curves | None:
    """What --reference names, measured like the source, but whole: --break and --edit are for the source. None without it."""
    if options.reference is None:
        return None
    if Path(options.reference).suffix.lower() == ".npz":
        return load_curves(Path(options.reference))
    return measured(argparse.Namespace(**{**vars(options), "source": options.reference, "settings": []}))


def difference_arrays(found: Curves, other: Curves | None) -> dict[str, Any]:
    """A - B, under the names of A's curves."""
    if other is None:
        return {}
    pairs = zip(CURVES, difference(found, other).values(), strict=True)
    return {f"difference_{name}_{what}": values for name, line in pairs for what, values in zip(("frequency", "db"), line, strict=True)}


def curves_figure(found: Curves, other: Curves | None) -> Drawing:
    """The curves, or with a reference A - B, in dB over cycles per image."""
    from viz.analysis.figures import line_chart
    from viz.figures.chart import Scales
    from viz.figures.figure import Axis

    lines = found.lines() if other is None else difference(found, other)
    values = np.concatenate([level[1:] for _, level in lines.values()])
    last = max(float(frequency[-1]) for frequency, _ in lines.values())
    label = "dB" if other is None else "dB, A - B"
    title = f"A: {found.label}, {found.count} pictures" + ("" if other is None else f"; B: {other.label}, {other.count} pictures")
    level = Axis(label, float(values.min()) - 3, float(values.max()) + 5)
    return line_chart(lines, Scales(Axis("cycles per image", 0.0, last), level), title)


def measured(options: argparse.Namespace) -> Curves:
    from viz.progress import terminal_progress

    sums = SetPower()
    with terminal_progress() as report:
        label, pictures, total = _pictures(options, report)
        for picture in pictures:
            sums.add(picture)
            report(f"measuring {label()}", sums.count / total, True)
    try:
        return curves(sums, label())
    except ValueError as e:
        raise CommandError(f"{label()}: {e}") from e


def _pictures(options: argparse.Namespace, report: Any) -> tuple[Callable[[], str], Iterable[Any], int]:
    """What they are called by the time they were read, themselves, and how many."""
    files = picture_files(Path(options.source))[: options.num]
    if files and options.settings:
        raise CommandError(f"{options.source} is a folder of pictures: --set, --break and --edit change networks")
    if files:
        pictures = FolderPictures(files)
        return lambda: pictures.label, pictures, len(files)
    from viz.headless import load_network
    from viz.stages.load import choose_device

    device = choose_device(options.device)
    loaded = load_network(options.source, report)
    network = as_asked(loaded.network.to(device).eval(), options.settings)
    said = ", ".join(_words(changes_of(with_settings(ViewState(), options.settings))))
    label = f"{loaded.ref} ({said})" if said else loaded.ref
    return lambda: label, (p for p in network_pictures(network, num=options.num, seed=options.seed) if p is not None), options.num


def _words(changes: dict[str, Any]) -> list[str]:
    return [*([changes["breaks"]] if "breaks" in changes else []), *changes.get("edits", ())]


def figure(found: Curves) -> Drawing:
    """The map in dB, from -50 to 30, with its axes in cycles per image."""
    from gui_utils.tone import ToneMap, tone_map
    from viz.analysis.figures import map_figure
    from viz.figures.figure import Axis

    low, high = RANGE_DB
    tone = ToneMap(gain=1 / (high - low), offset=-low / (high - low), signed=False, colormap="viridis")
    right, (bottom, top) = found.spans
    x, y = Axis("cycles per image", *right), Axis("cycles per image", -top, -bottom)
    return map_figure(tone_map(found.heat_db, tone), x, y, f"{found.label}, {found.count} pictures", ("viridis", Axis("dB", low, high)))
