"""All benchmarks, one after the other: `python -m tests.bench [--quick]`. Each prints its load average; see each file for what it times."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

PARTS = {
    "window": ["--runs", "5", "--seconds", "8"],
    "stages": [],
    "filtered_lrelu": ["--rounds", "5"],
    "never_slower": [],
    "conv": ["--rounds", "5"],
    "synthesis": ["--rounds", "5"],
    "load": [],
}
QUICK = {"filtered_lrelu": ["--rounds", "1"], "conv": ["--rounds", "1"], "synthesis": ["--rounds", "2", "--cases", "T-256", "R-256"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, the 256-pixel networks only")
    options = parser.parse_args()
    environment = {**os.environ, "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "passive")}  # as the program itself sets it
    worst = 0
    for name, arguments in PARTS.items():
        words = QUICK.get(name, arguments) if options.quick else arguments
        print(f"== python -m tests.bench.{name} {' '.join(words)}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", f"tests.bench.{name}", *words], env=environment, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
