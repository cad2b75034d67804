"""The command line of the trainer, made from the fields of `Options`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import MISSING, Field
from typing import Any

import torch

from networks.spec import ConfigError
from torch_utils.heap import keep_freed_memory

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

files in --out: checkpoint.pt (all that is needed to go on), snapshot.safetensors (the averaged generator with its model card: open it in
the visualizer), samples.png, examples.png, log.jsonl. Each file appears whole or not at all.
"""


def parser() -> argparse.ArgumentParser:
    """One option for each field of `Options`, and those that say how to run."""
    result = argparse.ArgumentParser(
        prog="python -m networks.train",
        description="Train a generator of any rung: against a discriminator on pictures, or supervised on rendered globes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    groups: dict[str, Any] = {}
    for field in option_fields():
        name = field.metadata["group"]
        groups.setdefault(name, result.add_argument_group(name))
        _add(groups[name], field)
    groups["run"].add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    groups["run"].add_argument("--minutes", type=float, help="save and stop after so many minutes")
    groups["run"].add_argument("--quiet", action="store_true", help="no progress bar")
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; returns the exit code: 0, 1 for an error that is told in one sentence, 130 when interrupted."""
    values = vars(parser().parse_args(arguments))
    resume, minutes, quiet = (values.pop(name) for name in ("resume", "minutes", "quiet"))
    try:
        options = Options(**values)
        processes = join(options.device)
    except (TrainingError, ConfigError) as error:
        print(f"networks.train: {error}", file=sys.stderr)
        return 1
    prepare_machine(processes)
    try:
        Run(options, processes, resume=resume).go(quiet=quiet, minutes=minutes)
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
