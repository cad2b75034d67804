"""Measures every rung of the ladder and prints the table beside the paper's: EQ-T, EQ-T_frac, EQ-R, time, parameters, for
trained ones also what their model cards say of their pictures (PSNR against targets, a Fréchet distance).

    python -m networks.ladder [--resolution 64] [--samples 32] [--rungs D E F] [--ablations] [--capacity 0.0625] [--seed 0]
    python -m networks.ladder --networks DIR        # trained networks, each named by its rung: b.safetensors, T.pkl, ...
    python -m networks.ladder --train DATA --images 100000 --out DIR [--resolution 32]     # trains what DIR does not hold yet

Without `--networks` and `--train` the weights are untrained, and their decibels are those of pictures scaled to a common contrast.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from networks.generator import Generator
from networks.ladder import ABLATED, CONTRAST, LADDER, Line, Row, contrast_db, small_config, table, untrained
from networks.loading import LoadError, load
from networks.measures.metrics import measure
from networks.spec import ConfigError
from networks.train.checkpoint import NAME, exists
from networks.train.command_line import prepare_machine
from networks.train.errors import TrainingError
from networks.train.loop import train
from networks.train.options import Options, chooses_layers
from networks.train.processes import join

Found = tuple[Line, Generator, dict[str, Any]]  # with the model card's part on training
SUFFIXES = (".safetensors", ".pkl")
ROUNDS = 5
UNMOVED = 0.0  # no rung is shown a moved picture: what it does when its input moves, its architecture does
UNTRAINED = f"""\
Untrained weights: signal processing alone, on pictures scaled to a standard deviation of {CONTRAST:g}. Noise inputs have strength 0.1.
The paper's numbers are of trained networks at 256 x 256: compare the order of the rungs, not the decibels."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line names."""
    options = _parser().parse_args(arguments)
    try:
        rows = list(_rows(options))
    except (ConfigError, LoadError, TrainingError, OSError) as error:
        raise SystemExit(f"networks.ladder: {error}") from None
    if not rows:
        raise SystemExit(f"networks.ladder: there is nothing to measure in {options.networks}: no file is named by a rung")
    print("", table(rows), "", "" if options.networks or options.train else UNTRAINED, sep="\n")


def _rows(options: argparse.Namespace) -> Iterator[Row]:
    lines = [line for line in (*LADDER, *(ABLATED if options.ablations else ())) if line.rung in options.rungs]
    are_trained = options.networks or options.train
    found = _trained(options.networks, lines) if options.networks else (_training if options.train else _untrained)(options, lines)
    for line, network, card in found:
        offset_db = 0.0 if are_trained else contrast_db(network) if network.has_pose else 0.0
        yield replace(measured(line, network, options.samples, offset_db), card=card)
        print(f"measured {line.name}", file=sys.stderr, flush=True)


def measured(line: Line, network: Generator, samples: int, offset_db: float = 0.0) -> Row:
    """One line of the table; `offset_db` is added to all figures."""
    *_, found = measure(network, num=samples)
    assert found is not None, "the last step has the result"
    figures = {str(kind): None if e.db is None else e.db + offset_db for kind, e in found.estimates.items()}
    return Row(line, sum(p.numel() for p in network.parameters()), seconds_per_image(network), figures)


@torch.inference_mode()
def seconds_per_image(network: Generator) -> float:
    """Median of a few syntheses of one picture, after one that does not count."""
    ws = network.w_avg.expand(1, network.num_ws, -1)
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        network.synthesize(ws)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _untrained(options: argparse.Namespace, lines: Sequence[Line]) -> Iterator[Found]:
    for line in lines:
        yield line, untrained(line, options.resolution, seed=options.seed, capacity=options.capacity), {}


def _training(options: argparse.Namespace, lines: Sequence[Line]) -> Iterator[Found]:
    """Each rung, trained on the same data and images in a folder of its own; what was begun there goes on."""
    processes = join("auto")
    prepare_machine(processes)
    for line in lines:
        if line.ablation is not None:
            continue
        folder, config = options.out / line.rung.lower(), small_config(line, options.resolution, capacity=options.capacity)
        wanted = Options(data=options.train, config=line.rung, resolution=options.resolution, out=str(folder))
        wanted = replace(wanted, images=options.images, seed=options.seed, channel_base=config.channel_base, channel_max=config.channel_max)
        layers = options.layers if chooses_layers(config) else None
        wanted = replace(wanted, moves=UNMOVED, num_layers=layers, early_margin=options.early_margin)
        wanted = replace(wanted, frechet=options.frechet, frechet_images=options.frechet_images)
        try:
            train(wanted, processes, resume=exists(folder / NAME), quiet=False)
        except TrainingError as error:
            raise SystemExit(f"networks.ladder: {line.name}: {error}") from None
        yield _loaded(line, folder / "snapshot.safetensors")


def _trained(folder: Path, lines: Sequence[Line]) -> Iterator[Found]:
    files = {path.stem.upper(): path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES}
    for line in lines:
        if line.ablation is None and line.rung in files:
            yield _loaded(line, files[line.rung])


def _loaded(line: Line, path: Path) -> Found:
    loaded = load(str(path))
    card = loaded.metadata.get("training")
    return line, loaded.network, card if isinstance(card, dict) else {}


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _share(text: str) -> float:
    if not 0 < (number := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the ladder.", prog="python -m networks.ladder")
    parser.add_argument("--networks", type=Path, metavar="DIR", help="folder of trained networks, each named by its rung")
    parser.add_argument("--train", metavar="DATA", help="train each rung on this folder or zip of pictures, or globes:MAP.jpg")
    parser.add_argument("--images", type=int, default=100_000, help="images that each rung is trained on (default 100000)")
    parser.add_argument("--out", type=Path, default=Path("ladder"), help="folder for the trained rungs (default ladder)")
    rungs = [line.rung for line in LADDER]
    parser.add_argument("--rungs", nargs="+", type=str.upper, choices=rungs, default=rungs, metavar="RUNG", help="only these")
    parser.add_argument("--ablations", action="store_true", help="the paper's ablations of T and R too")
    parser.add_argument("--resolution", type=int, default=64, help="of untrained and newly trained networks, a power of two (default 64)")
    parser.add_argument("--capacity", type=_share, default=1 / 16, help="channels of these, as a fraction of the usual (default 1/16)")
    parser.add_argument("--layers", type=int, metavar="N", help="layers before ToRGB of newly trained T and R (default 14)")
    parser.add_argument("--early-margin", type=int, metavar="M", help="margin for the first three quarters of a training; less is faster")
    parser.add_argument("--frechet", default="none", help="features for Fréchet distances of trained networks, as in networks.train")
    parser.add_argument("--frechet-images", type=int, default=2000, metavar="N", help="pictures of each kind for these (default 2000)")
    parser.add_argument("--samples", type=_count, default=32, help="pictures per network (default 32)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights")
    return parser


if __name__ == "__main__":
    main()
