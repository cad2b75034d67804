"""All checks, as the README's second line runs them: `python -m tests [pytest options]`.

Lint, format, types, tests; every check runs even if an earlier one failed, and the exit code tells whether all passed. The tests are dealt
out to a process for each core (four at most, each takes a gigabyte), which take from one another what is left; `-n 0` has them in one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPREAD = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")


def main(options: list[str]) -> int:
    python = [sys.executable, "-m"]
    checks = {
        "lint": [*python, "ruff", "check"],
        "format": [*python, "ruff", "format", "--check"],
        "types": [*python, "pyright", "--pythonpath", sys.executable],
        "tests": [*python, "pytest", *SPREAD, *options],
    }
    environment = {"OMP_NUM_THREADS": "1", **os.environ}  # the processes have the cores; tests of threads ask for theirs
    failed = []
    for name, command in checks.items():
        print(f"== {name}: {' '.join(command[1:])}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
