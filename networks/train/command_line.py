"""The command line of the trainer, made from the fields of `Options`."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any

import torch

from networks.spec import ConfigError
from torch_utils.heap import keep_freed_memory

from .detached import detach, told_to_end
from .errors import TrainingError
from .fast_filters import enable
from .loop import Run
from .options import Options, option_fields
from .processes import Processes, join

EXAMPLES = """examples:
  a folder of pictures       python -m networks.train --data photos --crop 0.5 --x-flip --config T --resolution 128 --augment ada
  four GPUs                  torchrun --nproc-per-node 4 -m networks.train --data photos --config R --resolution 256
  globes on two CPU cores    torchrun --nproc-per-node 2 -m networks.train --data globes:earth.jpg --config T --images 140000
  go on after a break        the same command with --resume
  without this shell         the same command with --detach
  several rungs at once      python -m networks.train.together --help

files in --out: checkpoint.pt (all that is needed to go on), snapshot.safetensors (the averaged generator with its model card: open it in
the visualizer), samples.png, examples.png, log.jsonl. Each file appears whole or not at all.
"""


def parser(*, leave_out: Sequence[str] = ()) -> argparse.ArgumentParser:
    """One option for each field of `Options` but some, and those that say how to run."""
    result = argparse.ArgumentParser(
        prog="python -m networks.train",
        description="Train a generator of any rung: against a discriminator on pictures, or supervised on rendered globes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    groups: dict[str, Any] = {}
    for field in (field for field in option_fields() if field.name not in leave_out):
        name = field.metadata["group"]
        groups.setdefault(name, result.add_argument_group(name))
        _add(groups[name], field)
    groups["run"].add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    groups["run"].add_argument("--minutes", type=_minutes, help="save and stop after so many minutes")
    groups["run"].add_argument("--quiet", action="store_true", help="no progress bar")
    groups["run"].add_argument("--detach", action="store_true", help="go on without this shell, writing to output.log in --out")
    return result


def _add(group: Any, field: Field[Any]) -> None:
    flag, text = f"--{field.name.replace('_', '-')}", field.metadata["help"].replace("%", "%%")
    kind = str(field.type)
    if kind == "bool":
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default, help=text)
        return
    types: dict[str, Any] = {"int": int, "float": float, "str": str}
    known = {"type": types[kind.removesuffix(" | None")], "metavar": field.name.upper().rpartition("_")[2]}
    if field.default is MISSING:
        group.add_argument(flag, required=True, help=text, **known)
        return
    shown = "" if field.default is None or field.default == "" else f" (default: {field.default})"
    group.add_argument(flag, default=field.default, help=text + shown, **known)


def _minutes(text: str) -> float:
    """Not a number would be a run without an end."""
    if not 0 < (number := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes above 0")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; returns the exit code: 0, 1 for an error that is told in one sentence, 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    values = vars(parser().parse_args(given))
    resume, minutes, quiet, detached = (values.pop(name) for name in ("resume", "minutes", "quiet", "detach"))
    try:
        options = Options(**values)
        processes = join(options.device)
    except (TrainingError, ConfigError) as error:
        print(f"networks.train: {error}", file=sys.stderr)
        return 1
    if detached and processes.size > 1:
        print("networks.train: --detach is for one process: detach torchrun itself", file=sys.stderr)
        return 1
    if detached:
        detach("networks.train", [word for word in given if word != "--detach"], Path(options.out))
        return 0
    prepare_machine(processes)
    try:
        with told_to_end() as told:
            run = Run(options, processes, resume=resume)
            alone = processes.size == 1  # several would have to agree on the step they end after
            run.go(quiet=quiet, minutes=minutes, stopped=lambda images: alone and told.is_set())
    except (TrainingError, ConfigError) as error:
        print(f"networks.train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("networks.train: interrupted; go on from the last checkpoint with --resume", file=sys.stderr)
        return 130
    finally:
        processes.leave()
    return 0


def prepare_machine(processes: Processes) -> None:
    """On a CPU: one thread a process where there are several, native filters with gradients, freed memory kept, no denormal numbers."""
    if processes.device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]  # a fault finder, which costs a kernel for every new tensor
        return
    keep_freed_memory()
    torch.set_flush_denormal(True)
    if processes.size > 1 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    enable()
