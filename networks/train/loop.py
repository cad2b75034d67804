"""A run from its first to its last image: steps, log, checkpoints, snapshots, and how it is resumed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from networks.loading import save_safetensors

from . import checkpoint, report
from .card import model_card
from .checkpoint import load_checkpoint, save_checkpoint
from .errors import CheckpointError, TrainingError
from .generator import TrainedGenerator
from .graphed import turn
from .options import Options
from .processes import Processes
from .supervised import grid_latents

FREE = (  # options that may differ in a resumed run: they do not decide the weights
    *("out", "snapshot_every", "log_every", "keep_snapshots", "device", "half", "data"),
    *("frechet", "frechet_images", "licence", "data_name", "graph", "part_mb"),
)

Stopped = Callable[[int], bool]  # after so many images; it may wait


class Training(Protocol):
    """What the loop asks of a way of training."""

    generator: TrainedGenerator

    @property
    def translation_limit(self) -> float | None: ...
    def step(self, number: int, images: int) -> dict[str, Tensor | float]: ...
    def examples(self, count: int) -> Tensor: ...
    def figures(self) -> dict[str, float | str]: ...
    def state(self) -> dict[str, Any]: ...
    def load(self, state: dict[str, Any], images: int) -> None: ...


@dataclass
class Position:
    """How far a run has come."""

    step: int = 0
    images: int = 0
    seconds: float = 0.0


def prepare(options: Options, processes: Processes) -> Training:
    """The way of training that the options ask for, with its data checked."""
    if options.supervised:
        from .supervised import SupervisedTraining

        return SupervisedTraining(options, processes)
    from .adversarial import AdversarialTraining

    return AdversarialTraining(options, processes)


class Run:
    """One run, in one folder: checkpoint.pt, snapshot.safetensors, samples.png, examples.png, log.jsonl."""

    def __init__(self, options: Options, processes: Processes, *, resume: bool = False) -> None:
        self.options, self.processes = options.resolved(), processes
        self.folder = Path(options.out)
        path = self.folder / checkpoint.NAME
        if checkpoint.exists(path) and not resume:
            raise CheckpointError(f"{str(self.folder)!r} already holds a run. Go on with it by --resume, or choose another --out.")
        state = load_checkpoint(path) if resume else None
        if state is not None:
            _compare(self.options, state["options"])
        self.training = prepare(self.options, processes)
        self.position = Position()
        if state is not None:
            self.position = Position(**state["position"])
            self.training.load(state["training"], self.position.images)
        if processes.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.log = report.Log(self.folder / "log.jsonl", self.position.images) if processes.is_first else None

    def go(
        self, *, until: int | None = None, quiet: bool = False, minutes: float | None = None, stopped: Stopped = lambda images: False
    ) -> None:
        """Train until all images (or `until` of them) were shown, until the minutes are over, or until `stopped` says so; then save."""
        options, position, means = self.options, self.position, report.Means()
        batch, end = options.batch or 1, options.images if until is None else min(until, options.images)
        progress = report.Progress(options.images, position.images, shown=self.processes.is_first and not quiet, name=options.config)
        if position.images == 0:
            self._guarded(self._save_examples)
        started, begun_at, logged = time.monotonic(), position.seconds, position.images
        clock, is_over, saved = started, False, -1

        def passed(every: int | None) -> bool:
            return position.images // (every or 1) != (position.images - batch) // (every or 1)

        while position.images < end and not is_over:
            means.add(self.training.step(position.step, position.images))
            position.step += 1
            position.images += batch
            now = time.monotonic()
            position.seconds = begun_at + now - started
            progress.advance(batch)
            if passed(options.log_every):
                facts = means.take()
                self._check(facts)
                rate = (position.images - logged) / max(now - clock, 1e-9)
                self._note({**facts, "images_per_second": round(rate, 2)})
                progress.describe(facts)
                clock, logged = now, position.images
            is_over = self._is_over(minutes, now - started) or stopped(position.images)
            if passed(options.snapshot_every):
                self._check(means.so_far())
                self.save()
                saved = position.images
        if saved != position.images:
            self._check(means.so_far())
            self.save()
        progress.close()

    def save(self) -> None:
        """Checkpoint first, then what can be made again from it. Raises CheckpointError; the checkpoint before is then intact."""
        with turn:
            figures = self.training.figures()
        if not self.processes.is_first:
            return
        state = {"options": asdict(self.options), "position": asdict(self.position), "training": self.training.state()}
        part_bytes = None if self.options.part_mb is None else int(self.options.part_mb * 1e6)
        save_checkpoint(self.folder / checkpoint.NAME, state, part_bytes=part_bytes)
        self._note(dict(figures))
        self._guarded(lambda: self._save_snapshot(figures))

    def _save_snapshot(self, figures: dict[str, float | str]) -> None:
        network, position = self.training.generator.average, self.position
        facts = {"images_seen": position.images, "steps": position.step, "minutes": round(position.seconds / 60, 1), **figures}
        name = f"snapshot-{position.images:08d}" if self.options.keep_snapshots else "snapshot"
        card = model_card(self.options, network, facts, self.training.translation_limit)
        save_safetensors(network, self.folder / f"{name}.safetensors", card)
        z = grid_latents(network.z_dim, math.prod(report.GRID)).to(self.processes.device)
        with turn, torch.no_grad():
            shown = [network.synthesize(network.map(part)) for part in z.split(8)]
        report.save_grid(self.folder / f"{name.replace('snapshot', 'samples')}.png", torch.cat([p for p in shown if p is not None]))

    def _save_examples(self) -> None:
        report.save_grid(self.folder / "examples.png", self.training.examples(math.prod(report.GRID)))

    def _guarded(self, write: Callable[[], None]) -> None:
        """Run what writes files, in the first process. A full disk is told as such."""
        if not self.processes.is_first:
            return
        try:
            write()
        except OSError as error:
            raise CheckpointError(
                f"{str(self.folder)!r} could not be written to: {checkpoint.reason(error)}. Make room, then go on with --resume."
            ) from error

    def _note(self, facts: dict[str, Any]) -> None:
        if self.log is not None:
            log, position = self.log, self.position
            line = {"images": position.images, "step": position.step, "seconds": round(position.seconds, 2)}
            line |= {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in facts.items()}
            self._guarded(lambda: log.write(line))

    def _check(self, facts: dict[str, float]) -> None:
        broken = [name for name, value in facts.items() if not math.isfinite(value)]
        if broken:
            raise TrainingError(
                f"{broken[0]} is not a number after {self.position.images} images: training fell apart, nothing of it was saved. "
                "Lower --lr-g, or change --seed; the last checkpoint is as it was."
            )

    def _is_over(self, minutes: float | None, seconds: float) -> bool:
        """Whether the time is up for any of the processes: all of them answer alike."""
        if minutes is None or self.processes.size == 1:
            return minutes is not None and seconds >= minutes * 60
        over = torch.tensor([float(seconds >= minutes * 60)], device=self.processes.device)
        self.processes.average_([over])
        return bool(over > 0)


def _compare(given: Options, stored: dict[str, Any]) -> None:
    """Raise CheckpointError unless a resumed run has the options of its beginning, as far as they decide the weights."""
    now = asdict(given)
    for name, before in stored.items():
        if name not in FREE and now.get(name) != before:
            raise CheckpointError(f"--{name.replace('_', '-')} is {now.get(name)!r}, but the run to resume was begun with {before!r}")


def train(options: Options, processes: Processes | None = None, *, resume: bool = False, quiet: bool = True) -> Run:
    """A whole run in this process: prepare, go, and return it."""
    run = Run(options, processes or Processes(), resume=resume)
    run.go(quiet=quiet)
    return run
