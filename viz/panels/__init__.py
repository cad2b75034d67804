"""One panel, one file. A panel is a value: where it stands, its title, and `draw(state, context) -> state`.

`discover()` finds every module here, and in `viz.analysis`, that holds a `PANEL`; adding a panel is adding a file. Panels
never import torch and change nothing but the state they return; effects go through `context.emit`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gui_utils.toasts import Log
from viz.commands import Command
from viz.export.film import Film
from viz.request import Frame, NetworkFacts, Progress
from viz.settings import Settings
from viz.state import ViewState


@dataclass(frozen=True)
class UiTiming:
    """Recent durations in seconds, oldest first."""

    ui_frames_s: tuple[float, ...] = ()
    renders_s: tuple[float, ...] = ()


@dataclass
class PanelContext:
    """What a panel may look at while it draws. `frame` is the newest answer, perhaps to an older question."""

    em: float = 16.0  # font size in pixels: lengths on screen are multiples of it
    frame: Frame | None = None
    network: NetworkFacts | None = None
    progress: Progress | None = None
    busy: bool = False
    settings: Settings = field(default_factory=Settings)
    timing: UiTiming = UiTiming()
    log: Log = field(default_factory=Log)  # shown with gui_utils.toasts.log_view
    changed_on_disk: bool = False
    image: Callable[[str, np.ndarray], Any] | None = None
    """Shows uint8 [H, W, 3 or 4] under a name and returns its `imgui.ImTextureRef`; None where textures cannot be made (no GL)."""
    catalogue: tuple[Any, ...] = ()  # networks.loading.CatalogueEntry: bundled first, then published
    film: Film = field(default_factory=Film)  # the timeline and its playhead
    thumbnails: dict[tuple[float, float], np.ndarray] = field(default_factory=dict)  # of bookmarks: uint8 [h, w, 3]
    commands: list[Command] = field(default_factory=list)
    scratch: dict[str, Any] = field(default_factory=dict)  # a panel's own unsaved input, e.g. text being typed

    def emit(self, command: Command) -> None:
        self.commands.append(command)


@dataclass(frozen=True)
class Panel:
    """`region` is "left", "right" or "bottom"; `order` sorts within it. `workspaces` are those that have it (where the workspace does not
    name its place, behind the others of its region)."""

    title: str
    region: str
    order: int
    draw: Callable[[ViewState, PanelContext], ViewState]
    workspaces: tuple[int, ...] = (1, 2, 3, 4, 5, 6)


def discover() -> tuple[Panel, ...]:
    """All panels, by region and order."""
    from viz import analysis

    names = sorted(m.name for m in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    panels = [m.PANEL for m in (*modules, *analysis.modules()) if hasattr(m, "PANEL")]
    return tuple(sorted(panels, key=lambda p: (p.region, p.order)))
