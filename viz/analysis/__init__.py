"""Overlays and measurements: one file each, computation and control. Torch is imported inside functions.

An overlay is a value: the group of the view that switches and configures it, the groups that decide its result, and a
computation that goes on step by step. `viz.refinement` runs the steps after the picture is out, and stops between two of
them for anything newer. A module of this package with an `OVERLAY` is run, one with a `PANEL` is shown; adding a
measurement is adding a file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from viz.request import OverlayResult
from viz.state import Device, Directions, Latent, LatentPath, LearnedPose, Mixing, Noise, OwnLatent, Truncation, ViewState

if TYPE_CHECKING:
    from viz.stages import Run

LATENT: tuple[type, ...] = (Latent, LatentPath, OwnLatent, Mixing, Directions, Truncation)
CONDITIONS: tuple[type, ...] = (LearnedPose, Noise, Device)
"""What every synthesis depends on besides the latent and the pose."""


def _switched_on(view: ViewState, options: type) -> bool:
    return bool(view.get(options).on)


@dataclass(frozen=True)
class Overlay:
    """`options`: its group, with a field `on`. `reads`: the other groups of the view that decide its result.

    `run` is a generator: an OverlayResult after every step, the last one finished; None where `Run.superseded` stopped it half
    way through a step (`networks.measures.patience`). `live`: it is one short step that belongs to the
    picture (it runs with every other picture even while newer ones wait, and what it showed stays until then). `file`: which one the
    options name, if any; where it is written again, its results are of another question.
    """

    name: str
    options: type
    reads: tuple[type, ...]
    run: Callable[[Run], Iterator[OverlayResult | None]]
    live: bool = False
    file: Callable[[Any], str] | None = None

    def wanted(self, view: ViewState) -> bool:
        return _switched_on(view, self.options)

    def key(self, view: ViewState, network: Hashable) -> Hashable:
        """What decides the result: the network's identity, the groups read, and when the file was written."""
        written = file_stamp(self.file(view.get(self.options))) if self.file is not None else None
        return ("overlay", self.name, network, tuple(view.get(kind) for kind in (self.options, *self.reads)), written)


def file_stamp(path: str) -> Hashable:
    """What changes when a file, or the list of a folder, is written again; None where there is none of this name."""
    try:
        found = Path(path).stat() if path else None
    except (OSError, ValueError):
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size)


_COMMANDS_ONLY = ("measuring", "figures")


def modules() -> tuple[ModuleType, ...]:
    """All modules of this package that the window may show, by name: without its commands, so that a start need not wait for them."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.endswith("_cli"))
    return tuple(importlib.import_module(f"{__name__}.{name}") for name in names if name not in _COMMANDS_ONLY)


@cache
def overlays() -> tuple[Overlay, ...]:
    """All overlays, live ones first."""
    found: list[Any] = [module.OVERLAY for module in modules() if hasattr(module, "OVERLAY")]
    return tuple(sorted(found, key=lambda overlay: not overlay.live))
