"""Proof of endurance: random but valid actions on the real application, headless; what goes wrong can be replayed from its seed.

    python -m tests.endurance --actions 20000 --seed 0

An action is a value drawn from the seed before anything is done, so the same seed does the same again: gestures anywhere in the
window and on every control, every key, numbers typed into whatever is there, files dropped, good ones and broken ones, films,
figures, the tour, another program's requests, the window resized, any valid value put into any group of the view. After each of
them: no exception, no GL error, and the newest frame answers the newest request. Every now and then the application rests: its
picture must be, bit for bit, what is computed afresh, and what the process then holds must not grow. At the end: no GL object left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.endurance.actions import Action, actions
from tests.endurance.application import Broken, Endurance, endurance
from tests.endurance.coverage import Coverage
from tests.endurance.held import Held, Slope, growing, slopes

__all__ = ["Action", "Broken", "Endurance", "Found", "actions", "endurance", "run"]

PART = 200  # actions between two rests
LEAST_RESTS = 5


@dataclass(frozen=True)
class Found:
    """What a run has seen. `rests`: number of the action, and what was held then."""

    rests: tuple[tuple[int, Held], ...]
    slopes: dict[str, Slope]
    coverage: Coverage
    frames: int
    requests: int


def run(
    count: int, seed: int, folder: Path, report: Callable[[int, Held], bool | None] = lambda done, held: None, *, threaded: bool = False
) -> Found:
    """`count` actions (at least 5), with a rest after every two hundred, or five in all. Raises Broken.

    `report` is told of each rest; True ends the run there.
    """
    with endurance(folder, threaded=threaded) as driven:
        stream, rests, done = actions(seed), [(0, driven.rest())], 0
        try:
            for done in range(1, count + 1):
                driven.do(next(stream))
                if done % max(1, min(PART, count // LEAST_RESTS)) == 0:
                    rests.append((done, driven.rest()))
                    if report(*rests[-1]):
                        break
        except Exception as e:
            listed = "\n".join(f"  {action}" for action in driven.last)
            raise Broken(f"{type(e).__name__} at action {done} of seed {seed}: {e}\nThe last actions, newest last:\n{listed}") from e
        found = slopes(rests)
        if grows := growing(found):
            listed = "\n".join(f"  {at}: {held}" for at, held in rests)
            raise Broken(f"Seed {seed}: {'; '.join(grows)}.\nAt rest, by the number of the action:\n{listed}")
        return Found(tuple(rests), found, driven.coverage, driven.ui.frame_count, driven.app.requests)
