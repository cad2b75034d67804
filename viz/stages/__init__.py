"""One stage, one file. A stage is a value: what it follows, which groups of the view decide its result, and how to run it.

The memo key of a stage is made of the keys of the stages it follows and of the groups it reads; a result is computed only
if that key has not been seen lately.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from viz.memory import Memory
from viz.request import Report
from viz.state import ViewState


class _Superseded:
    def __repr__(self) -> str:
        return "SUPERSEDED"


SUPERSEDED = _Superseded()  # what a stage returns when it stopped because a newer question waits


def _never() -> bool:
    return False


def quiet(text: str, fraction: float | None, can_cancel: bool) -> None:
    """Reports nothing."""


@dataclass
class Run:
    """What a running stage may use. `inputs` holds the results of the stages it follows, by name."""

    view: ViewState
    inputs: dict[str, Any]
    keys: dict[str, Hashable]
    memory: Memory
    superseded: Callable[[], bool] = _never
    load_superseded: Callable[[], bool] = _never
    download_superseded: Callable[[], bool] = _never  # asked while a network is on its way, which goes on in any case
    progress: Report = quiet
    layers_ran: list[str] = field(default_factory=list)  # the layers that were really computed, in order
    replays: Any = None  # viz.gpu.replay.Replays, for what is synthesised on a GPU


@dataclass(frozen=True)
class Stage:
    """`key` overrides the group values where a network ignores some of them; `wanted` leaves the stage out of a view."""

    name: str
    after: tuple[str, ...]
    reads: tuple[type, ...]
    run: Callable[[Run], Any]
    wanted: Callable[[ViewState], bool] = lambda view: True
    key: Callable[[ViewState, dict[str, Any]], Hashable] | None = None

    def memo_key(self, view: ViewState, inputs: dict[str, Any], keys: dict[str, Hashable]) -> Hashable:
        own = self.key(view, inputs) if self.key else tuple(view.get(kind) for kind in self.reads)
        return (self.name, tuple(keys.get(name) for name in self.after), own)
