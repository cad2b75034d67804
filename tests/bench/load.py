"""Whole pictures while other programs hold the cores, against the fair share of the CPU: JSON lines.

    python -m tests.bench.load [--case T-256] [--busy 2] [--rounds 5]

One process makes pictures, in turns with the machine to itself and beside `--busy` processes that never wait; once with
OMP_WAIT_POLICY=passive, as the program sets it, and once as OpenMP comes. A scheduler that is fair to threads gives t threads beside b
others t / (t + b) of the cores, so a picture may take that much longer: `over_fair_share` is the time taken over that time, from medians
(1 is fair; the goal is at most 1.5). The CPU time of a picture is beside it: threads that spin at a barrier use more of it, for nothing.
Whatever else runs on the machine counts as busy without being counted; see the load average, and what the pictures took alone.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ("passive", None)  # None: the variable is not set


def fair_share(threads: int, busy: int, cores: int) -> float:
    """Of the CPU time that `threads` get alone, the part left to them beside `busy` others."""
    return min(threads, cores * threads / (threads + busy)) / min(threads, cores)


@contextmanager
def stopped_processes(count: int) -> Iterator[list[subprocess.Popen]]:
    """Processes that never wait, stopped until they get SIGCONT."""
    with ExitStack() as stack:
        processes = []
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(process.wait)
            stack.callback(process.kill)
            process.send_signal(signal.SIGSTOP)
            processes.append(process)
        yield processes


@contextmanager
def painter(case: str, threads: int, policy: str | None) -> Iterator[subprocess.Popen]:
    """The process that makes pictures, warm and waiting: a line to it gives a line with seconds and CPU seconds."""
    environment = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    environment |= {"OMP_WAIT_POLICY": policy} if policy else {}
    command = [sys.executable, "-m", "tests.bench.load", "--case", case, "--threads", str(threads), "--paint"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            picture(process)  # also waits for the network
            yield process
        finally:
            process.kill()


def picture(process: subprocess.Popen) -> tuple[float, float]:
    """Wall-clock and CPU milliseconds of one picture."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"the process that makes pictures ended with {process.wait()}")
    wall_ms, cpu_ms = json.loads(answer)
    return wall_ms, cpu_ms


def paint(case_name: str, threads: int) -> None:
    """What the painter runs."""
    import torch

    from tests.bench.synthesis import CASES
    from torch_utils.heap import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(threads)
    network = next(case for case in CASES if case.name == case_name).network()
    with torch.inference_mode():
        for _ in range(2):
            network.synthesize(network.map(torch.randn(1, network.z_dim)))
        for _ in sys.stdin:
            ws = network.map(torch.randn(1, network.z_dim))
            wall, cpu = time.perf_counter(), time.process_time()
            network.synthesize(ws)
            print(json.dumps([1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)]), flush=True)


def measure(options: argparse.Namespace, policy: str | None) -> dict[str, object]:
    """Medians over turns."""
    alone, loaded = [], []
    with painter(options.case, options.threads, policy) as process, stopped_processes(options.busy) as others:
        for _ in range(options.rounds):
            for times, wake in ((alone, signal.SIGSTOP), (loaded, signal.SIGCONT)):
                for other in others:
                    other.send_signal(wake)
                picture(process)  # caches and clock get used to the company
                times += [picture(process) for _ in range(options.pictures)]
    share = fair_share(options.threads, options.busy, len(os.sched_getaffinity(0)))
    alone_ms, loaded_ms = (statistics.median(wall for wall, _ in times) for times in (alone, loaded))
    alone_cpu_ms, loaded_cpu_ms = (statistics.median(cpu for _, cpu in times) for times in (alone, loaded))
    return {
        "case": options.case, "wait_policy": policy or "not set", "threads": options.threads, "busy": options.busy,
        "alone_ms": round(alone_ms, 1), "loaded_ms": round(loaded_ms, 1),
        "alone_cpu_ms": round(alone_cpu_ms, 1), "loaded_cpu_ms": round(loaded_cpu_ms, 1),
        "fair_share": round(share, 3), "over_fair_share": round(loaded_ms * share / alone_ms, 2),
    }  # fmt: skip


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="T-256", help="as in tests.bench.synthesis")
    parser.add_argument("--threads", type=int, default=cores)
    parser.add_argument("--busy", type=int, default=cores, help="processes that hold the cores")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=3, help="in each turn")
    parser.add_argument("--paint", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.paint:
        paint(options.case, options.threads)
        return
    print(json.dumps({"cores": cores, "load_average": os.getloadavg()[0]}), flush=True)
    for policy in POLICIES:
        print(json.dumps(measure(options, policy)), flush=True)


if __name__ == "__main__":
    main()
