"""What the command line decides about the window."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from viz.session.networks import Missing
from viz.state import ViewState


@dataclass(frozen=True)
class AppOptions:
    """What the command line decides. `settings_folder` None keeps nothing (headless, tests)."""

    view: ViewState = field(default_factory=ViewState)
    settings_folder: Path | None = None
    capture_folder: Path | None = None
    browse_folder: Path | None = None
    recent: tuple[str, ...] = ()
    opens: tuple[Path, ...] = ()  # sessions, views, latents, pictures: opened one after another, as if they were dropped
    missing: tuple[Missing, ...] = ()  # networks of `view` that are asked for, and what is to be said about others
    said: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    font_scale: float | None = None
    output: str | None = None  # a monitor for the output window, "" for a plain window; None: as it was last
    workspace: int | None = None
    headless: bool = False
    offer_tour: bool = False
    remote_port: int | None = None  # 0 is any free one
    osc: tuple[str, int] | None = None  # where Open Sound Control is listened for: address and port
