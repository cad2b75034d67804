"""`python -m tests.endurance --actions N --seed S`: see `tests.endurance`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.endurance import Broken, run
from tests.endurance.held import Held


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description="Random but valid actions on the headless application.")
    parser.add_argument("--actions", metavar="N", type=int, default=20_000)
    parser.add_argument("--seed", metavar="S", type=int, default=0)
    parser.add_argument("--threaded", action="store_true", help="with a render thread, as for people")
    parser.add_argument("--minutes", metavar="M", type=float, default=600.0, help="end earlier, at the first rest after so long")
    options = parser.parse_args()
    # Mesa's software driver keeps its threads' scenes, 35 MB each time it wants one more: what we hold could not be told from it.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    begun, processor = time.monotonic(), time.process_time()

    def report(done: int, held: Held) -> bool:
        print(f"{done} actions, {time.monotonic() - begun:.0f} s: at rest {held}", flush=True)
        return time.monotonic() - begun > 60 * options.minutes

    with tempfile.TemporaryDirectory() as folder:
        try:
            found = run(options.actions, options.seed, Path(folder), report, threaded=options.threaded)
        except Broken as e:
            if e.__cause__ is not None:
                traceback.print_exception(e.__cause__)
            print(e, file=sys.stderr)
            return 1
    seconds, used = time.monotonic() - begun, time.process_time() - processor
    done = found.rests[-1][0]
    print(f"Endured: {done} of {options.actions} actions, {found.frames} frames, {found.requests} requests, seed {options.seed}.")
    print(f"{seconds:.0f} s ({seconds / done:.3f} s an action), {used:.0f} s of processor time.")
    print(f"At rest at first: {found.rests[0][1]}\nAt rest at last: {found.rests[-1][1]}")
    print("Growth an action over the second half: " + ", ".join(f"{name} {slope}" for name, slope in found.slopes.items()))
    print(found.coverage.table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
