"""Times the native convolutions against torch's F.conv2d, for each layer of T and R at 256 x 256.

    python -m tests.bench.conv [--config t256 r256] [--threads 2] [--rounds 9] [--clock cpu] [--full-base]

Runs are interleaved in one process with warm memory; the output goes into a buffer kept between calls. Printed for each path are the best
time, the arithmetic rate by the definition (2 · out · in · taps · pixels, so Winograd's may exceed the machine's), and the ratios to
torch of the medians. `peak` is what the innermost loop alone reaches on data in the first cache, measured in the same process.
Layers as in the published 256 setting, channel base 16384 (R 32768).
"""

import argparse
import ctypes
import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier

import torch
import torch.nn.functional as F

from tests.bench.baseline import keep_memory
from torch_utils import native_library
from torch_utils.ops.conv_weights import entries, has_bf16
from torch_utils.ops.native_conv import ConvShape, choose, conv2d, memory

GOLDEN = Path(__file__).parent.parent / "golden"


@dataclass(frozen=True)
class Case:
    """One layer's convolution."""

    name: str
    shape: ConvShape

    @property
    def gflop(self) -> float:
        return 2 * self.shape.macs / 1e9


def layer_cases(config: str, *, halve_base: bool = True) -> list[Case]:
    """The layers of a configuration of the golden specs."""
    spec = json.loads((GOLDEN / "layer_specs.json").read_text())[config]
    base = spec["channel_base"] / (2 if halve_base else 1)
    cases, channels = [], round(min(base / 2 / spec["layers"][0]["in_cutoff"], spec["channel_max"]))
    for index, layer in enumerate(spec["layers"]):
        wide = 3 if layer["is_torgb"] else round(min(base / 2 / layer["out_cutoff"], spec["channel_max"]))
        width, height = layer["in_size"]
        kernel = layer["conv_kernel"]
        cases.append(Case(f"L{index}_{width}_{channels}_{wide}", ConvShape(1, channels, wide, height, width, kernel, kernel - 1)))
        channels = wide
    return cases


def measured_peak(threads: int, clock: Callable[[], float], repeats: int = 5) -> float:
    """GFLOP/s of `threads` innermost loops at once, the best of `repeats`."""
    peak = entries().af_conv_peak
    peak.argtypes, peak.restype = [ctypes.c_int64], ctypes.c_int64
    together = Barrier(threads)

    def rate(rounds: int) -> float:
        peak(rounds)  # by the end of it the system has given each thread a core of its own
        together.wait()
        start = clock()
        return peak(rounds) / (clock() - start) / 1e9

    with ThreadPoolExecutor(threads) as pool:
        return max(sum(pool.map(rate, [100_000] * threads)) for _ in range(repeats))


def clock_of(name: str, threads: int) -> Callable[[], float]:
    """Wall time, or the process's CPU time for each thread, which a busy machine disturbs less."""
    return time.perf_counter if name == "wall" else lambda: time.process_time() / threads


def measure(case: Case, rounds: int, peak: float, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Prints a row; returns each path's times in seconds."""
    shape = case.shape
    x = torch.randn(shape.batch, shape.in_channels, shape.in_height, shape.in_width)
    weight = torch.randn(shape.out_channels, shape.in_channels, shape.kernel, shape.kernel) / (shape.in_channels * shape.kernel**2) ** 0.5
    out = torch.empty(shape.batch, shape.out_channels, shape.out_height, shape.out_width)
    paths: dict[str, Callable[[], torch.Tensor]] = {
        "torch": lambda: F.conv2d(x, weight, padding=shape.padding),
        "native": lambda: conv2d(x, weight, padding=shape.padding, out=out),
    }
    if has_bf16():
        paths["native bf16"] = lambda: conv2d(x, weight, padding=shape.padding, out=out, bf16=True, algorithm="bf16")
    expected = paths["torch"]()
    times: dict[str, list[float]] = {name: [] for name in paths}
    errors = {name: ((run() - expected).abs().max() / expected.abs().max()).item() for name, run in paths.items()}
    for _ in range(rounds):
        for name, run in paths.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    cells = [f"{case.name:18} {choose(shape).algorithm:8}"]
    for name, values in times.items():
        ratio = statistics.median(times["torch"]) / statistics.median(values)
        rate = case.gflop / min(values)
        cells.append(f"{name} {min(values) * 1e3:7.2f} ms {rate:5.0f} GF/s {rate / peak:5.0%} x {ratio:4.2f} err {errors[name]:.0e}")
    print(" | ".join(cells), flush=True)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", nargs="*", default=["t256", "r256"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: CPU time of the process over the threads")
    parser.add_argument("--full-base", action="store_true", help="channel base 32768 (R 65536)")
    options = parser.parse_args()
    kept = keep_memory()
    torch.set_num_threads(options.threads)
    clock = clock_of(options.clock, options.threads)
    peak = measured_peak(options.threads, clock)
    print(f"{native_library.describe()}; {options.threads} threads; heap {'kept' if kept else 'default'}; load {os.getloadavg()[0]:.1f}")
    print(f"peak of the innermost loop {peak:.0f} GF/s")
    with torch.no_grad():
        for config in options.config:
            rows = [measure(case, options.rounds, peak, clock) for case in layer_cases(config, halve_base=not options.full_base)]
            for name in rows[0]:
                best, median = (sum(reduce(row[name]) for row in rows) * 1e3 for reduce in (min, statistics.median))
                ratio = sum(statistics.median(row["torch"]) for row in rows) * 1e3 / median
                print(f"{config} sum, {name}: best {best:.0f} ms, median {median:.0f} ms, x {ratio:.2f}")
    print(f"working memory held: {memory()['scratch'] >> 20} MiB; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
