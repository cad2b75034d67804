"""Times the native filtered leaky ReLU against the operator's definition, for each layer of T and R.

    python -m tests.bench.filtered_lrelu [--config t256 r256] [--threads 2] [--rounds 5] [--divide-channels 16] [--no-baseline]

Runs of both are interleaved in one process with warm memory. Printed are medians (and the best), their ratio, the arithmetic rate, and two
floors: the time a plain copy of input and output takes in the same run, and the arithmetic at `--peak` GFLOP/s (a multiply-add counts
two). On a busy machine, calls that are short against the scheduler's slice (`--divide-channels`, one thread, many rounds) leave the best
times meaningful.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.bench.baseline import filtered_lrelu_baseline, keep_memory
from torch_utils.ops import backends, filtered_lrelu, use
from torch_utils.ops.native import decompose

GOLDEN = Path(__file__).parent.parent / "golden"
GAIN, SLOPE, CLAMP = 2**0.5, 0.2, 256.0


@dataclass(frozen=True)
class Case:
    """One layer's call."""

    name: str
    x: Tensor
    b: Tensor
    fu: Tensor
    fd: Tensor
    up: int
    down: int
    padding: tuple[int, int, int, int]

    def run(self, operator: Callable[..., Tensor]) -> Tensor:
        return operator(
            *(self.x, self.fu, self.fd, self.b), up=self.up, down=self.down, padding=self.padding, gain=GAIN, slope=SLOPE, clamp=CLAMP
        )

    @property
    def rank(self) -> int:
        return 1 if self.fd.ndim == 1 else decompose(self.fd.numpy()).rank

    def flops(self, out: Tensor) -> float:
        """Of separable passes by phases; without the activation."""
        n, c, h_in = self.x.shape[:3]
        h, w = out.shape[2:]
        taps = self.fu.shape[-1] / self.up
        wide, high = w * self.down, h * self.down
        rise = taps * (h_in * wide + high * wide)
        fall = self.rank * self.fd.shape[-1] * (h * wide + h * w)
        return 2.0 * n * c * (rise + fall)


def layer_cases(config: str, *, divide_channels: int = 1, halve_base: bool = True) -> list[Case]:
    """The layers of a configuration of the golden specs; `halve_base` gives the published 256 setting (base 16384 for T, 32768 for R)."""
    spec = json.loads((GOLDEN / "layer_specs.json").read_text())[config]
    filters = np.load(GOLDEN / "filters.npz")
    base = spec["channel_base"] / (2 if halve_base else 1)
    cases = []
    for index, layer in enumerate(spec["layers"]):
        if layer["is_torgb"]:
            continue
        channels = max(1, min(round(base / 2 / layer["out_cutoff"]), spec["channel_max"]) // divide_channels)
        width, height = (size + layer["conv_kernel"] - 1 for size in layer["in_size"])
        generator = torch.Generator().manual_seed(index)
        cases.append(
            Case(
                f"{config} L{index}_{layer['out_size'][0]}_{channels}",
                torch.randn(1, channels, height, width, generator=generator),
                torch.randn(channels, generator=generator),
                torch.from_numpy(filters[layer["up_filter"]]),
                torch.from_numpy(filters[layer["down_filter"]]),
                layer["up_factor"],
                layer["down_factor"],
                tuple(layer["padding"]),
            )
        )
    return cases


def _timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _native(case: Case) -> Tensor:
    with use("native", op="filtered_lrelu"):
        return case.run(filtered_lrelu)


def measure(case: Case, rounds: int, *, baseline: bool, peak: float) -> tuple[float, float, float, float]:
    """Prints a row; returns medians and best times, ours and the baseline's, in seconds."""
    out = _native(case)
    moved = torch.empty((case.x.numel() + out.numel()) // 2)
    target = torch.empty_like(moved)
    ours, theirs, copies = [], [], []
    if baseline:
        expected = case.run(filtered_lrelu_baseline)
        error = ((out - expected).abs().max() / expected.abs().max()).item()
        assert error < 1e-5, f"{case.name}: differs from the definition by {error:.1e}"
    for _ in range(rounds):
        if baseline:
            theirs.append(_timed(lambda: case.run(filtered_lrelu_baseline)))
        ours += [_timed(lambda: _native(case)) for _ in range(3)]
        copies.append(_timed(lambda: target.copy_(moved)))
    mine, other = statistics.median(ours), statistics.median(theirs) if theirs else float("nan")
    gflop = case.flops(out) / 1e9
    nanoseconds = mine * 1e9 * torch.get_num_threads() / case.x.numel()
    best = min(theirs, default=float("nan")) / min(ours)
    print(
        f"{case.name:20} rank {case.rank} up {case.up}"
        f" | definition {other * 1e3:8.1f} ms | native {mine * 1e3:7.2f} ms (best {min(ours) * 1e3:7.2f})"
        f" | x {other / mine:5.1f} (best {best:5.1f}) | {gflop / mine:5.0f} GF/s, {nanoseconds:5.2f} ns per input sample and thread"
        f" | floors: copy {statistics.median(copies) * 1e3:5.2f}, arithmetic {gflop / peak * 1e3:5.2f} ms"
    )
    return mine, other, min(ours), min(theirs, default=float("nan"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", nargs="*", default=["t256", "r256"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--divide-channels", type=int, default=1, help="time a fraction of each layer's channels")
    parser.add_argument("--peak", type=float, default=474.0, help="GFLOP/s of all threads (default: two cores with AVX-512 at 3.7 GHz)")
    parser.add_argument("--no-baseline", dest="baseline", action="store_false")
    options = parser.parse_args()
    kept = keep_memory()
    torch.set_num_threads(options.threads)
    print(f"{backends()['filtered_lrelu']}; {options.threads} threads; heap {'kept' if kept else 'default'}; load {os.getloadavg()[0]:.1f}")
    with torch.no_grad():
        for config in options.config:
            cases = layer_cases(config, divide_channels=options.divide_channels)
            rows = [measure(case, options.rounds, baseline=options.baseline, peak=options.peak) for case in cases]
            mine, other, best, other_best = (sum(column) for column in zip(*rows, strict=True))
            print(f"{config}: medians: definition {other * 1e3:.0f} ms, native {mine * 1e3:.1f} ms, x {other / mine:.1f}")
            print(f"{config}: best: definition {other_best * 1e3:.0f} ms, native {best * 1e3:.1f} ms, x {other_best / best:.1f}")


if __name__ == "__main__":
    main()
