"""Several rungs at once, on the same data, images, seed and share of the usual channels: networks that can be compared.

    python -m networks.train.together --like landscapes-128 --data photos --configs B T R --out runs --minutes 27 --detach
    python -m networks.train.together --like landscapes-128 --data photos --configs B T R --out runs --resume

One process, one thread a run, on a GPU each with a stream of its own. The runs keep in step: whenever they are stopped (`--minutes`,
Ctrl-C, `kill`), all have seen as many images. All other options are those of `python -m networks.train`; a run is what it would be alone,
on a GPU but for rounding: cuDNN's switch for TF32 is the process's, and while one run's generator has it off (`full_precision`), so have
the others' discriminators, which then round less.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from networks.configs import rung
from networks.spec import ConfigError

from . import checkpoint
from .command_line import parser, prepare_machine
from .detached import detach, told_to_end
from .errors import TrainingError
from .loop import Run
from .options import Options, chooses_layers
from .pace import Pace
from .processes import Processes, join

LEAD_STEPS = 8
LIKE: dict[str, dict[str, Any]] = {
    # 141 photographs, twice as wide as high: crops and flips, and features that need not be learned from them. On a processor a step of the
    # projected discriminator takes a 37th of the usual one's time, and it trains a 30th of its weights. Three runs with all they need to go
    # on take less than 64 MB. What is counted in images is for a short run: the average, the magnitudes and p follow sooner than in a long
    # one, and the margins are narrow for three quarters. All are blurred at first, not only R: without it T lost the game within 10,000
    # images on an H100, and R where the blur ended, at 65,000 of 70,000; so it ends later here.
    "landscapes-128": {
        "resolution": 128, "crop": 0.7, "x_flip": True, "batch": 32, "images": 150_000, "z_dim": 64, "w_dim": 128, "capacity": 1 / 8,
        "num_layers": 10, "early_margin": 4, "discriminator": "projected", "lr_d": 0.0003, "blur": 5.0, "blur_images": 120_000,
        "augment": "ada", "ada_images": 100_000, "magnitude_half_life": 5_000.0, "style_mixing": 0.0, "path_length": 0.0, "part_mb": 15.0,
    },
    "globes-64": {
        "resolution": 64, "moves": 0.0, "images": 160_000, "capacity": 1 / 16, "num_layers": 10, "early_margin": 4, "part_mb": 15.0,
    },
}  # fmt: skip


def options_of(configs: Sequence[str], values: Mapping[str, Any], capacity: float) -> dict[str, Options]:
    """The options of each rung's run, in a folder of its own within `out`. Raises TrainingError or ConfigError.

    Channels are `capacity` times the rung's. A number of layers is for T and R: the others' follow from the resolution.
    """
    found = {}
    for name in configs:
        usual = rung(name, values["resolution"])
        channels = {key: max(1, round(getattr(usual, key) * capacity)) for key in ("channel_base", "channel_max")}
        own = {key: value for key, value in values.items() if key != "num_layers" or chooses_layers(usual)}
        own |= {key: channels[key] for key in channels if values.get(key) is None}
        found[name.upper()] = Options(**{**own, "config": name.upper(), "out": str(Path(values["out"]) / name.lower())})
    return found


class Together:
    """Runs by the name of their rung, each in a thread; `go` returns the sentences of those that failed."""

    def __init__(self, runs: Mapping[str, Options], processes: Processes, *, resume: bool = False) -> None:
        self._runs, self._processes, self._resume = runs, processes, resume
        batch = max(options.resolved().batch or 1 for options in runs.values())
        self._pace = Pace(LEAD_STEPS * batch)
        self._faults: dict[str, str] = {}

    def go(self, *, minutes: float | None = None, quiet: bool = True) -> dict[str, str]:
        """Train all of them to their end, or until the minutes are over or the process is told to end."""
        for name in self._runs:
            self._pace.enter(name)
        threads = [threading.Thread(target=self._train, args=(name, quiet), name=f"training {name}") for name in self._runs]
        end = None if minutes is None else time.monotonic() + 60 * minutes
        with told_to_end() as told:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                try:
                    if told.is_set() or (end is not None and time.monotonic() >= end):
                        self._pace.stop()
                    for thread in threads:
                        thread.join(0.1)
                except KeyboardInterrupt:
                    self._pace.stop()
        return self._faults

    def _train(self, name: str, quiet: bool) -> None:
        options, device = self._runs[name], self._processes.device
        stream: AbstractContextManager[Any] = nullcontext()
        if device.type == "cuda":
            torch.cuda.set_device(device)
            stream = torch.cuda.stream(torch.cuda.Stream(device))
        else:
            torch.set_flush_denormal(True)  # each thread's own
        try:
            with stream:
                resume = self._resume and checkpoint.exists(Path(options.out) / checkpoint.NAME)
                run = Run(options, self._processes, resume=resume)
                self._pace.enter(name, run.position.images)
                run.go(quiet=quiet, stopped=lambda images: self._pace.is_over(name, images))
        except (TrainingError, ConfigError) as error:
            self._faults[name] = str(error)
        except Exception as error:
            traceback.print_exc()
            self._faults[name] = f"{type(error).__name__}: {error}"
        finally:
            self._pace.leave(name)


def carried_bytes(folder: Path) -> tuple[int, int]:
    """All of what lies in a folder and below, and the largest file of it."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(sizes), max(sizes, default=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train together; the exit code: 0, or 1 if a run failed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    values = vars(_parser(given).parse_args(given))
    configs, capacity = values.pop("configs"), values.pop("capacity")
    resume, minutes, quiet, detached = (values.pop(name) for name in ("resume", "minutes", "quiet", "detach"))
    values.pop("like")
    try:
        runs = options_of(configs, values, capacity)
        processes = join(values["device"])
        if processes.size > 1:
            raise TrainingError("one process trains all runs: start it without torchrun")
    except (TrainingError, ConfigError) as error:
        print(f"networks.train.together: {error}", file=sys.stderr)
        return 1
    if detached:
        detach("networks.train.together", [word for word in given if word != "--detach"], Path(values["out"]))
        return 0
    prepare_machine(processes)
    faults = Together(runs, processes, resume=resume).go(minutes=minutes, quiet=quiet)
    for name, fault in faults.items():
        print(f"networks.train.together: {name}: {fault}", file=sys.stderr)
    whole, largest = carried_bytes(Path(values["out"]))
    print(f"{values['out']}: {whole / 1e6:.1f} MB in all, the largest file {largest / 1e6:.1f} MB")
    return 1 if faults else 0


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    result = parser(leave_out=("config",))
    result.prog, result.description, result.epilog = "python -m networks.train.together", __doc__, None
    result.add_argument("--configs", nargs="+", default=["B", "T", "R"], metavar="RUNG", help="the rungs (default: B T R)")
    result.add_argument("--capacity", type=float, default=1.0, help="channels, as a fraction of the rungs' usual ones (default 1)")
    result.add_argument("--like", choices=sorted(LIKE), help="options of a known experiment; options given beside it override them")
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--like", choices=sorted(LIKE))
    like = first.parse_known_args(given)[0].like
    result.set_defaults(**({} if like is None else LIKE[like]))
    return result


if __name__ == "__main__":
    sys.exit(main())
