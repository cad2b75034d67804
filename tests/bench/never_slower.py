"""The chosen path against the reference, call by call, where it might be slower: filters of full rank in 2-D, few channels, small images.

    python -m tests.bench.never_slower [--threads 2] [--rounds 9] [--cpu-time] [--all]

Runs of both alternate in one process, with warm memory. Printed are the calls whose ratio (best time over best time) is above 1, or all;
then how many there were and the worst. 1.1 is what noise may do to a call of a tenth of a millisecond. Beside other programs, one thread
and `--cpu-time` leave the ratios meaningful.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from torch_utils.heap import keep_freed_memory
from torch_utils.ops import backends, decisions, filtered_lrelu, upfirdn2d, use

IMAGES = ((3, 64), (3, 256), (16, 33), (64, 9), (64, 64), (4, 200), (128, 96))  # channels and width
RESAMPLINGS = ((2, 1, 12), (1, 2, 12), (1, 1, 12), (2, 2, 9), (1, 1, 5), (4, 1, 24), (1, 1, 3), (3, 2, 9), (1, 1, 21))  # up, down, taps
ACTIVATIONS = (  # up, down, taps of fu and fd; negative: 2-D
    *((2, 2, 12, -9), (2, 2, -9, -9), (2, 2, -12, 12), (2, 2, 12, -12), (4, 2, 24, -12), (1, 1, -5, -5)),
    *((1, 1, 5, 5), (3, 2, 15, 12), (2, 1, 4, 1), (1, 2, 1, 8), (1, 1, 1, 1), (6, 2, 36, 12), (2, 2, 9, -6)),
)


@dataclass(frozen=True)
class Case:
    """One call, by either path."""

    name: str
    op: str
    run: Callable[[], Tensor]


def random_filter(taps: int) -> Tensor | None:
    """Of full rank where it is 2-D (`taps` negative)."""
    if taps == 1:
        return None
    generator = torch.Generator().manual_seed(taps % 97)
    return torch.randn(*([-taps] * 2 if taps < 0 else [taps]), generator=generator)


def cases() -> Iterator[Case]:
    """Every image size with every resampling and every filtered activation."""
    for channels, size in IMAGES:
        x, b = torch.randn(1, channels, size, size), torch.randn(channels)
        image = f"{channels} channels of {size}x{size}"
        for up, down, taps in RESAMPLINGS:
            for kind in (-taps, taps):
                f = random_filter(kind)
                name = f"{image}, up {up} down {down}, {taps}{f'x{taps}' if kind < 0 else ''} taps"
                yield Case(name, "upfirdn2d", lambda x=x, f=f, u=up, d=down, t=taps: upfirdn2d(x, f, up=u, down=d, padding=t // 2))
        for up, down, rise, fall in ACTIVATIONS:
            fu, fd, padding = random_filter(rise), random_filter(fall), (abs(rise) + abs(fall)) // 2
            name = f"{image}, up {up} down {down}, taps {rise} and {fall} (negative: 2-D)"
            options = {"up": up, "down": down, "padding": padding, "clamp": 256.0}
            yield Case(name, "filtered_lrelu", lambda x=x, fu=fu, fd=fd, b=b, o=options: filtered_lrelu(x, fu, fd, b, **o))


def ratio(case: Case, rounds: int, clock: Callable[[], float]) -> tuple[float, float, str]:
    """Best time of the chosen path over the reference's, the reference's milliseconds, and who was chosen."""

    def timed(count: int) -> float:
        start = clock()
        for _ in range(count):
            case.run()
        return (clock() - start) / count

    timed(1)
    chosen = [d.backend.name for d in decisions() if d.call.op == case.op][-1]
    with use("reference", op=case.op):
        timed(1)
        count = max(1, min(50, int(2e-3 / max(timed(1), 1e-6))))  # at least two milliseconds between two looks at the clock
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(timed(count))
        with use("reference", op=case.op):
            theirs.append(timed(count))
    return min(ours) / min(theirs), 1e3 * min(theirs), chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cpu-time", action="store_true", help="count the process's time instead of the wall clock's")
    parser.add_argument("--all", action="store_true", help="print every call, not only those above 1")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    print(f"{backends()['upfirdn2d']}; {options.threads} threads; load {os.getloadavg()[0]:.1f}")
    clock = time.process_time if options.cpu_time else time.perf_counter
    worst, count, above = 0.0, 0, 0
    with torch.inference_mode():
        for case in cases():
            found, reference_ms, chosen = ratio(case, options.rounds, clock)
            worst, count, above = max(worst, found), count + 1, above + (found > 1.1)
            if options.all or found > 1:
                print(f"{case.op:15} {case.name:70} {chosen:10} reference {reference_ms:8.3f} ms, ratio {found:5.2f}", flush=True)
    print(f"{count} calls, {above} above 1.1, the worst {worst:.2f}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
