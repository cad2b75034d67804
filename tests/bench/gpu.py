"""All that a GPU is needed for, the most important first: correctness, then times. For a bare machine; under 9 minutes.

    python -m tests.bench.gpu [--minutes 8.8] [--out runs/gpu] [--only pictures-1024 ...] [--list]

Needs Python 3.12 or so, torch with CUDA and `cuda-bindings` (which `cuda-core` brings), `compute-sanitizer` if it is there. Each part is a
process of its own with a limit of its own: what hangs is interrupted, then ended; what fails, crashes or is missing is told, and the next
one begins. A part gets what the others leave, and the last what is left. Every line is printed and written to `log.txt` in `--out` as it
comes, and after each part `summary.md` is written again: the parts, and the tables for RESULTS.md; so a machine that vanishes takes
little along. Exit code 0 if every part passed, 1 if not, 2 without a GPU.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.interruptible import heard

ROOT = Path(__file__).parents[2]
GRACE_S = 8.0  # for a report after the interruption
LEAST_S = 8.0  # for which no part is begun
NO_GPU = 2  # exit code of a part
TILES, TRAIN = "tests/torch_utils/test_cuda_tiles.py", "tests/networks/train/test_graphed.py"
KERNELS = (TILES, "tests/torch_utils/test_cuda_conv.py", "tests/torch_utils/test_cuda_device.py")
NETWORKS = (TRAIN, "tests/networks/test_cuda_graph.py", "tests/viz/test_cuda_render.py", "tests/gui_utils/test_cuda_texture.py")
FIRST_OF_TRAIN = "replayed_game and projected"  # failed on the last day, mended since
FLOAT32 = "by_every_tile and float32"
SANITIZER = ("compute-sanitizer", "--error-exitcode", "9", "--tool")
QUIET = ("--report-api-errors", "no")  # loading looks for entries that older drivers have not


@dataclass(frozen=True)
class Part:
    """One process: its command, and the seconds that it may take."""

    name: str
    limit_s: float
    command: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """How a part ended: `verdict` is "passed", or a sentence."""

    part: Part
    verdict: str
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.verdict == "passed"


def _bench(module: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"tests.bench.{module}", *words)


def _tests(*words: str, parallel: bool = False) -> tuple[str, ...]:
    """Tests marked gpu; beside each other if pytest-xdist is there, where they are many and small."""
    beside = ("-n", "8") if parallel and importlib.util.find_spec("xdist") else ()
    return (sys.executable, "-m", "pytest", "-m", "gpu", "-v", "--tb=short", "--maxfail=20", "-p", "no:benchmark", *beside, *words)


def parts() -> tuple[Part, ...]:
    """In order of importance. Times are those of an H100 with room; RESULTS.md says which of them never ran."""
    return (
        Part("facts", 40, _bench("gpu_checks", "facts")),
        Part("test-first", 50, _tests(f"{TRAIN}::test_a_replayed_game_is_a_plain_game", "-k", FIRST_OF_TRAIN)),
        Part("pictures-1024", 85, _bench("gpu_pictures", "--minutes", "1.2", "--cases", "R-1024", "T-1024")),
        Part("tests-float32", 75, _tests(TILES, "-k", FLOAT32, parallel=True)),
        Part("racecheck", 55, (*SANITIZER, "racecheck", *_bench("gpu_checks", "convolutions"))),
        Part("memcheck", 55, (*SANITIZER, "memcheck", *QUIET, *_bench("gpu_checks", "convolutions"))),
        Part("layers", 60, _bench("gpu_layers", "--minutes", "0.8", "--configs", "r1024", "t1024")),
        Part("pictures-small", 75, _bench("gpu_pictures", "--minutes", "1.1", "--cases", "R-512", "T-512", "R-256", "T-256")),
        Part("tests-networks", 60, _tests(*NETWORKS, "-k", f"not ({FIRST_OF_TRAIN})")),
        Part("tests-kernels", 120, _tests(*KERNELS, "-k", f"not ({FLOAT32})", parallel=True)),
        Part("racecheck-filters", 60, (*SANITIZER, "racecheck", *_bench("gpu_checks", "filters"))),
        Part("memcheck-filters", 60, (*SANITIZER, "memcheck", *QUIET, *_bench("gpu_checks", "filters"))),
    )


def run(part: Part, limit_s: float, told: Callable[[str], None]) -> Outcome:
    """Run one part; every line of it is `told` as it comes. At the limit it is interrupted (pytest then reports), and later ended."""
    if shutil.which(part.command[0]) is None:
        return Outcome(part, f"left out: {part.command[0]} is not on the path")
    start = time.monotonic()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")}
    with heard():
        process = subprocess.Popen(
            part.command, cwd=ROOT, env=environment, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    assert process.stdout is not None
    reader = threading.Thread(target=_read, args=(process.stdout, told), daemon=True)
    reader.start()
    verdict = _waited(process, limit_s)
    reader.join(GRACE_S)
    return Outcome(part, verdict, time.monotonic() - start)


def _read(lines: IO[str], told: Callable[[str], None]) -> None:
    with lines:
        for line in lines:
            told(line.rstrip("\n"))


def _waited(process: subprocess.Popen[str], limit_s: float) -> str:
    try:
        code = process.wait(limit_s)
        return "passed" if code == 0 else f"failed with exit code {code}"
    except subprocess.TimeoutExpired:
        for number in (signal.SIGINT, signal.SIGKILL):  # to all that it has started
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
                break
        return f"stopped after {limit_s:.0f} s"


class Record:
    """What was said, as it came; the rows of JSON among it; and the summary of both."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log, self._summary = folder / "log.txt", folder / "summary.md"
        self._log.write_text("", encoding="utf-8")
        self.rows: list[dict[str, Any]] = []

    def told(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)
        if line.startswith("{"):
            with suppress(json.JSONDecodeError):
                self.rows.append(json.loads(line))

    def summarise(self, outcomes: Sequence[Outcome]) -> str:
        lines = ["| part | seconds | |", "|---|---|---|"]
        lines += [f"| {outcome.part.name} | {outcome.seconds:.0f} | {outcome.verdict} |" for outcome in outcomes]
        for kind in ("picture", "convolution", "layer"):
            lines += ["", *table([row for row in self.rows if kind in row])]
        text = "\n".join(lines) + "\n"
        self._summary.write_text(text, encoding="utf-8")
        return text


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rows of one kind in Markdown; what is nested is only in the log."""
    titles = list(dict.fromkeys(key for row in rows for key, value in row.items() if not isinstance(value, dict | list)))
    if not titles:
        return []
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return lines + ["| " + " | ".join(str(row.get(title, "")) for title in titles) + " |" for row in rows]


def day(chosen: Sequence[Part], minutes: float, folder: Path) -> list[Outcome]:
    """Run the parts in order for so long at most."""
    end, record, outcomes = time.monotonic() + 60 * minutes, Record(folder), []
    for part in chosen:
        left = end - time.monotonic() - GRACE_S
        record.told(f"== {part.name}: at most {min(part.limit_s, left):.0f} s: {shlex.join(part.command)}")
        outcome = run(part, min(part.limit_s, left), record.told) if left >= LEAST_S else Outcome(part, "not begun: no time left")
        outcomes.append(outcome)
        record.told(f"== {part.name}: {outcome.verdict}, {outcome.seconds:.0f} s")
        record.summarise(outcomes)
        if part.name == "facts" and outcome.verdict.endswith(f"code {NO_GPU}"):
            break
    print(record.summarise(outcomes), flush=True)
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    known = {part.name: part for part in parts()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.8, help="all of it, at most")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="where log.txt and summary.md go")
    parser.add_argument("--only", nargs="+", choices=list(known), default=list(known), metavar="PART", help=", ".join(known))
    parser.add_argument("--list", action="store_true", help="say what would run")
    options = parser.parse_args(arguments)
    chosen = [known[name] for name in options.only]
    if options.list:
        print("\n".join(f"{part.name:18} {part.limit_s:4.0f} s  {shlex.join(part.command)}" for part in chosen))
        return 0
    outcomes = day(chosen, options.minutes, options.out)
    if len(outcomes) == 1 < len(chosen):
        return NO_GPU
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
