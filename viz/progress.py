"""A progress bar on the terminal for commands that load or download."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from viz.request import Report

DELAY_S = 0.3


@contextmanager
def terminal_progress() -> Iterator[Report]:
    """Yields `report(text, fraction, can_cancel)`; the bar appears only for work longer than DELAY_S, on a terminal only."""
    bar = tqdm(total=100, disable=not sys.stderr.isatty(), delay=DELAY_S, leave=False, bar_format="{desc} {percentage:3.0f}% |{bar}|")

    def report(text: str, fraction: float | None, can_cancel: bool) -> None:
        bar.set_description_str(text, refresh=False)
        bar.n = 100 * (fraction or 0.0)
        bar.refresh()

    try:
        yield report
    finally:
        bar.close()
