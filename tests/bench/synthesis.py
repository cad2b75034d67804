"""Whole pictures against the operators' definition, in turns, in one process: the numbers that the README quotes.

    python -m tests.bench.synthesis [--cases T-256 R-256 ...] [--rounds 5] [--threads 2] [--json]

The definition (`baseline`): modulated weights formed for each image, zeros inserted, one grouped convolution per axis (in 2-D for radial
filters), bias and activation as passes of their own. This is how the published CPU path works. Both run on a heap that does not return
memory, with warm buffers, so that page faults flatter neither. A network of 1024 pixels is timed without the definition, which needs
more than 24 GiB for R; its peak memory is that of a process of its own. `floor_ms` is what no implementation of these operators can
beat (`floors`), in float32, with ceilings measured in the same turns; `over_floor` is the float32 time over it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from networks.alias_free import AliasFreeGenerator
from networks.build import build
from networks.configs import rung
from networks.layers import FilteredLayer
from networks.stylegan2 import StyleGAN2Generator
from tests.bench.baseline import filtered_lrelu_baseline
from tests.bench.floors import CeilingMeter, counted
from torch_utils import ops
from torch_utils.heap import keep_freed_memory


@dataclass(frozen=True)
class Case:
    """A network to time. `channel_base` as the constructor takes it (the published 256-pixel setting is half the default)."""

    config: str
    resolution: int
    channel_base: int
    baseline: bool = True

    @property
    def name(self) -> str:
        return f"{self.config}-{self.resolution}"

    def network(self) -> AliasFreeGenerator | StyleGAN2Generator:
        config = rung(self.config, self.resolution, channel_base=self.channel_base)
        return build(config, seed=0)  # type: ignore[return-value]


CASES = (
    Case("T", 256, 16384),
    Case("R", 256, 32768),
    Case("T", 512, 32768),
    Case("R", 512, 65536),
    Case("A", 256, 16384, baseline=False),
    Case("T", 1024, 32768, baseline=False),
    Case("R", 1024, 65536, baseline=False),
)


def definition(network: AliasFreeGenerator, ws: Tensor) -> Tensor:
    """The picture of one ws [1, num_ws, w_dim], computed as the definition of each operator says."""
    synthesis = network.synthesis
    x = synthesis.input(synthesis.input.learned_pose(ws[:, 0]))
    for row, spec in enumerate(synthesis.specs, start=1):
        x = _layer(synthesis.layer(spec), x, ws[:, row])
    return x * synthesis.output_scale


def _layer(layer: FilteredLayer, x: Tensor, w: Tensor) -> Tensor:
    spec, weight = layer.spec, layer.weight
    styles = layer.affine(w)
    if spec.is_torgb:
        styles = styles / spec.in_channels**0.5
    else:
        weight = weight * weight.square().mean([1, 2, 3], keepdim=True).rsqrt()
        styles = styles * styles.square().mean().rsqrt()
    modulated = weight[None] * styles[:, None, :, None, None]
    if not spec.is_torgb:
        modulated = modulated * (modulated.square().sum(dim=[2, 3, 4]) + 1e-8).rsqrt()[:, :, None, None, None]
    modulated = modulated * layer.magnitude_ema.rsqrt()
    x = F.conv2d(x, modulated[0], padding=spec.conv_kernel - 1)
    clamp = layer.conv_clamp or 256.0
    if spec.is_torgb:
        return (x + layer.bias[None, :, None, None]).clamp(-clamp, clamp)
    assert layer.up_filter is not None and layer.down_filter is not None
    return filtered_lrelu_baseline(
        *(x, layer.up_filter, layer.down_filter, layer.bias),
        up=spec.up_factor, down=spec.down_factor, padding=spec.padding, gain=2**0.5, slope=0.2, clamp=clamp,
    )  # fmt: skip


def timed(function: Callable[[], object]) -> tuple[float, int]:
    """Seconds and page faults."""
    faults, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
    function()
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults


def measure(case: Case, rounds: int) -> dict[str, object]:
    """Medians over `rounds` turns; every turn has a latent that was not seen before."""
    network = case.network()
    result: dict[str, object] = {"case": case.name, "rounds": rounds}
    meter = CeilingMeter()
    paths: dict[str, Callable[[Tensor], object]] = {"float32": lambda ws: network.synthesize(ws)}
    if "bf16" in str(ops.backends()["modulated_conv2d"]) and case.config != "A":
        paths["bf16"] = lambda ws: _with_bf16(network, ws)
    if case.baseline:
        paths["definition"] = lambda ws: definition(network, ws)  # type: ignore[arg-type]
    times: dict[str, list[float]] = {name: [] for name in paths}
    faults: dict[str, int] = dict.fromkeys(paths, 0)
    with torch.inference_mode():
        ws = network.map(torch.randn(1, network.z_dim))
        pictures = {name: torch.as_tensor(path(ws)) for name, path in paths.items()}  # also warms the buffers, twice for the heap
        works = counted(lambda: network.synthesize(ws))
        for path in paths.values():
            path(ws)
        for _ in range(rounds):
            meter.measure()
            ws = network.map(torch.randn(1, network.z_dim))
            for name, path in paths.items():
                seconds, count = timed(lambda path=path, ws=ws: path(ws))
                times[name].append(seconds)
                faults[name] = max(faults[name], count)
    for name, values in times.items():
        result[f"{name}_ms"] = round(1e3 * statistics.median(values), 1)
        result[f"{name}_best_ms"] = round(1e3 * min(values), 1)
        result[f"{name}_faults"] = faults[name]
    for name in ("float32", "bf16"):
        if case.baseline and name in times:
            result[f"{name}_ratio"] = round(statistics.median(times["definition"]) / statistics.median(times[name]), 2)
            error = (pictures[name] - pictures["definition"]).abs().max() / pictures["definition"].abs().max()
            result[f"{name}_error"] = float(f"{error:.1e}")
    ceilings = meter.ceilings()
    floor_ms = 1e3 * sum(ceilings.floor_s(work) for work in works)
    return result | {
        "gflop": round(sum(work.operations for work in works) / 1e9, 1),
        "gb": round(sum(work.nbytes for work in works) / 1e9, 2),
        "gemm_gflop_s": round(ceilings.gemm_s / 1e9),
        "loop_gflop_s": round(ceilings.loop_s / 1e9),
        "copy_gb_s": round(ceilings.bytes_s / 1e9, 1),
        "floor_ms": round(floor_ms, 1),
        "over_floor": round(1e3 * statistics.median(times["float32"]) / floor_ms, 2),
    }


def _with_bf16(network: AliasFreeGenerator | StyleGAN2Generator, ws: Tensor) -> Tensor | None:
    with ops.use("native-bf16", op="modulated_conv2d"):
        return network.synthesize(ws)


def peak_memory(case: Case) -> float:
    """GiB of a process that makes three pictures of this case and nothing else. (Its `ru_maxrss` would begin with this process's.)"""
    code = (
        "import torch; from tests.bench.synthesis import CASES; from torch_utils.heap import keep_freed_memory;"
        f"keep_freed_memory(); case = next(c for c in CASES if c.name == {case.name!r}); n = case.network();\n"
        "with torch.inference_mode():\n  for _ in range(3): n.synthesize(n.map(torch.randn(1, 512)))\n"
        "print(next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM')) / 2**20)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1800, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", default=[c.name for c in CASES], help="names, e.g. T-256 R-1024 A-256 (StyleGAN2)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    options = parser.parse_args()
    heap = keep_freed_memory()
    torch.set_num_threads(options.threads)
    header = {
        "threads": options.threads,
        "torch": torch.__version__,
        "heap": heap,
        "backends": [str(b) for b in ops.backends().values()],
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(header))
    for case in CASES:
        if case.name not in options.cases:
            continue
        row = measure(case, options.rounds)
        if case.resolution >= 1024:
            row["peak_memory_gib"] = round(peak_memory(case), 2)
        print(json.dumps(row) if options.json else as_text(row), flush=True)


def as_text(row: dict[str, object]) -> str:
    name = str(row.pop("case"))
    return f"{name:<8}" + "  ".join(f"{key} {value}" for key, value in row.items())


if __name__ == "__main__":
    main()
