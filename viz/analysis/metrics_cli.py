"""Command `metrics`: EQ-T, EQ-T_frac and EQ-R of one or more networks, in a table or as JSON; alone or under `torchrun`.

Several processes: `torchrun --standalone --nproc-per-node 2 -- visualizer.py metrics NETWORK --num 1000`. The `--` keeps torchrun
from taking `--num` for an ambiguous option of its own; `--samples` is the same option under a name it does not mistake.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from networks.measures.comparison import KINDS, LABELS, Kind
from viz.analysis.measuring import changes_of, finite
from viz.analysis.value_table import as_json, rows_of, save_table
from viz.cli.arguments import add_engine_arguments, at_least_one, check_out, natural
from viz.cli.values import add_set_argument, with_settings
from viz.errors import CommandError
from viz.state import BreakIt, EditActivations, ViewState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    named = "path, URL, or a name that --list shows; several are measured on the same seeds, into one table"
    parser.add_argument("networks", metavar="NETWORK", nargs="+", help=named)
    parser.add_argument("--eq-t", action="store_true", help="translation by whole pixels (if none is chosen: all three)")
    parser.add_argument("--eq-t-frac", action="store_true", help="translation by fractions of pixels")
    parser.add_argument("--eq-r", action="store_true", help="rotation")
    parser.add_argument("--num", "--samples", metavar="N", type=at_least_one, default=100, help="samples (default 100)")
    parser.add_argument("--seed", metavar="S", type=natural, default=0, help="of latents and transforms (default 0)")
    parser.add_argument("--batch", metavar="B", type=at_least_one, default=8, help="pictures at a time; changes only the speed (default 8)")
    add_engine_arguments(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help=".csv: a row for each metric, with its 95 %% interval")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_set_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Measures, prints on the first process only. Exit code 0."""
    from viz.analysis.pooling import team

    if options.out is not None:
        check_out(options.out, (".csv",))
    kinds: tuple[Kind, ...] = tuple(kind for kind in KINDS if getattr(options, kind)) or KINDS
    with team() as members:
        found = _measured(options, kinds, members)
        if members.rank == 0:
            if options.out is not None:
                save_table(options.out, [row for facts in found for row in rows_of(as_rows(facts, kinds))])
            whole = found[0] if len(found) == 1 else {"networks": found}
            text = as_text(found[0], kinds) if len(found) == 1 else as_table(found, kinds)
            print(as_json(whole) if options.json else text)
    return 0


def _measured(options: argparse.Namespace, kinds: Sequence[Kind], members: Any) -> list[dict[str, Any]]:
    """The facts of each network. All are loaded and asked for what is broken before the first is measured: a slip ends no long run."""
    from viz.headless import load_network
    from viz.progress import terminal_progress

    device = _device(options.device)
    with terminal_progress() as report:
        loaded = [load_network(ref, report) for ref in options.networks]
        for each in loaded:
            as_asked(each.network.eval(), options.settings)
        found = []
        for number, each in enumerate(loaded, start=1):
            title = f"measuring {each.ref}" + (f" ({number} of {len(loaded)})" if len(loaded) > 1 else "")
            network = as_asked(each.network.to(device), options.settings)
            found.append(_facts(options, each, network, members, kinds, lambda part, title=title: report(title, part, True)))
            each.network.to("cpu")
    return found


def _facts(
    options: argparse.Namespace, loaded: Any, network: Any, members: Any, kinds: Sequence[Kind], report: Callable[[float], None]
) -> dict[str, Any]:
    from networks.measures.metrics import SampleErrors, sample_errors, summarise

    own: list[SampleErrors] = []
    if network.has_pose:
        share = members.share(options.num)
        with kernels(options.backend):
            for some in sample_errors(network, share, kinds=kinds, seed=options.seed, batch=options.batch):
                own.extend(some)
                report(len(own) / len(share))
    estimates = summarise(members.gather(own), kinds)
    facts: dict[str, Any] = {"network": loaded.ref, "config": loaded.config_name, "num": options.num, "seed": options.seed}
    facts |= changes_of(with_settings(ViewState(), options.settings))
    for kind, found in estimates.items():
        facts[kind] = finite(found.db)
        facts[f"{kind}_interval"] = None if found.low is None else [found.low, found.high]
    return {**facts, "sha256": loaded.sha256}


@contextmanager
def kernels(backend: str) -> Iterator[None]:
    """The backend named, for all operators that have it; "auto": each its fastest. CommandError for one that nobody has."""
    from torch_utils import ops

    try:
        with ops.use(None if backend == "auto" else backend):
            yield
    except (ValueError, ops.BackendError) as e:
        if backend == "auto":
            raise
        raise CommandError(f"--backend {backend}: {e}") from e


def as_asked(network: Any, settings: Sequence[Any]) -> Any:
    """The network, or the broken or edited copy of it that --set, --break and --edit ask for. Of the view, what is measured over random
    latents reads nothing else. Raises CommandError.
    """
    from networks.breakage import Breakage, broken
    from viz.stages.load import with_edits

    view = with_settings(ViewState(), settings)
    others = [kind.__name__ for kind in view.groups if kind not in (BreakIt, EditActivations)]
    if others:
        raise CommandError(f"--set {others[0]}: what is measured over random latents depends on BreakIt and EditActivations only")
    breaks = view.get(BreakIt)
    if breaks.on and network.config.family != "alias-free":
        raise CommandError(f"--set BreakIt: a {network.config.family} generator has no designed filters to break")
    for sentence in view.get(EditActivations).missing(network.taps):
        raise CommandError(f"--edit: {sentence}")
    for sentence in breaks.missing(network.taps):
        raise CommandError(f"--break: {sentence}")
    network = broken(network, Breakage.of_fields(asdict(breaks))) if breaks.on else network
    return with_edits(network, view.get(EditActivations).at_taps(network.taps))


def as_rows(facts: dict[str, Any], kinds: Sequence[Kind]) -> dict[str, Any]:
    """What was asked, and under "metrics" one object for each metric."""
    asked = {name: facts[name] for name in ("network", "config", "num", "seed", "breaks", "edits") if name in facts}
    rows = []
    for kind in kinds:
        low, high = facts[f"{kind}_interval"] or (None, None)
        rows.append({"metric": LABELS[kind], "db": facts[kind], "low_db": low, "high_db": high})
    return {**asked, "metrics": rows}


def as_table(found: Sequence[dict[str, Any]], kinds: Sequence[Kind]) -> str:
    """A line for each network, a column for each metric: dB, and the 95 % interval."""
    first, widest = found[0], max(len(facts["network"]) for facts in found)
    lines = [f"{first['num']} samples, seed {first['seed']}; dB, 95 % intervals"]
    lines.append(" " * (widest + 2) + "".join(f"{LABELS[kind]:>26}" for kind in kinds))
    for facts in found:
        cells = []
        for kind in kinds:
            low, high = facts[f"{kind}_interval"] or (None, None)
            value = "—" if facts[kind] is None else f"{facts[kind]:.2f}"
            cells.append(f"{value}" + ("" if low is None else f"  {low:.2f} to {high:.2f}"))
        lines.append(f"{facts['network']:<{widest + 2}}" + "".join(f"{cell:>26}" for cell in cells))
    return "\n".join(lines)


def as_text(facts: dict[str, Any], kinds: Sequence[Kind]) -> str:
    """A line for each metric; an em dash where a number does not exist."""
    lines = [f"{facts['network']}: config {facts['config']}, {facts['num']} samples, seed {facts['seed']}"]
    for kind in kinds:
        interval = facts[f"{kind}_interval"]
        value = "—" if facts[kind] is None else f"{facts[kind]:.2f} dB"
        spread = f"  95 % interval {interval[0]:.2f} to {interval[1]:.2f}" if interval else ""
        lines.append(f"{LABELS[kind]:<10}{value:>12}{spread}")
    if all(facts[kind] is None for kind in kinds):
        lines.append("This network has no input grid to transform, or its pictures are too small to compare, or not finite.")
    return "\n".join(lines)


def _device(name: str) -> Any:
    """The device asked for; under `torchrun`, each process takes a CUDA device of its own."""
    import torch

    from viz.stages.load import choose_device

    device = choose_device(name)
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    return device
