"""Which division of work suits a GPU's tensor-core kernel of `filtered_lrelu`: for each layer of T and R, every candidate, timed.

    python -m tests.bench.gpu_tune [--minutes 3] [--configs r1024 t1024 r256 t256] [--groups 3 4 5 6]

For each layer shape, each number of groups (of eight columns of a strip) and rows of a part: milliseconds, beside the memory floor (a
copy of as many bytes in the same run) and the arithmetic floor (its products, at the rate of a product of large matrices in the same
run). A candidate that does not give the reference's picture is left out. Rows of JSON while it measures, as errors; at the end one JSON
object: the best of each layer, the `Division` of `torch_utils/ops/cuda_banded.py` whose sum over all layers is least, and what is gained
by it. Without a GPU: exit code 2.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from tests.bench.filtered_lrelu import CLAMP, GAIN, SLOPE, Case, layer_cases
from tests.bench.gpu_clock import Deadline, gpu_named, milliseconds, peak_tflops
from torch_utils.ops import cuda_banded, filtered_lrelu, use
from torch_utils.ops.cuda import filtered_lrelu_plan
from torch_utils.ops.cuda_banded import DIVISION, Banded, Division
from torch_utils.ops.cuda_plan import Mode, Plan
from torch_utils.ops.cuda_resample import Middle, prepare
from torch_utils.ops.filtered_lrelu import FilteredLreluOptions

GROUPS = (3, 4, 5, 6)
TASKS = (3000, 6000, 12000, 24000, 48000)
FEWEST_ROWS = (32, 64, 96, 160)
TOLERANCE = 2e-3  # of the largest value
ROUNDS = 10
Divided = tuple[int, int]  # groups, rows of a part: all that a launch depends on


@dataclass(frozen=True)
class Layer:
    """What was measured of one layer: milliseconds by division, and the floors; `part_rows` by (groups, tasks, fewest rows)."""

    name: str
    times_ms: Mapping[Divided, float]
    current: Divided
    memory_ms: float
    arithmetic_ms: float

    @property
    def best(self) -> Divided:
        return min(self.times_ms, key=lambda divided: self.times_ms[divided])

    def row(self) -> dict[str, Any]:
        """For people and programs."""
        best, floor = self.best, max(self.memory_ms, self.arithmetic_ms)
        return {
            "layer": self.name,
            "groups": best[0],
            "part_rows": best[1],
            "ms": round(self.times_ms[best], 4),
            "now_ms": round(self.times_ms[self.current], 4),
            "memory_ms": round(self.memory_ms, 4),
            "arithmetic_ms": round(self.arithmetic_ms, 4),
            "times_the_floor": round(self.times_ms[best] / floor, 2) if floor else math.nan,
            "candidates": len(self.times_ms),
        }


def divided(made: Banded, planes: int) -> Divided:
    """What of a division a launch sees."""
    return made.groups, made.part_rows(planes)


def divisions(groups: Sequence[int]) -> Iterator[Division]:
    """All candidates: each number of groups alone, and the choice that there is now."""
    for chosen in (*((g,) for g in groups), DIVISION.groups):
        for tasks, rows in itertools.product(TASKS, FEWEST_ROWS):
            yield Division(chosen, tasks, rows)


def candidates(plan: Plan, planes: int, groups: Sequence[int]) -> dict[Divided, Division]:
    """One division for each launch that differs; the current one is among them."""
    found = {divided(cuda_banded.banded(plan, GAIN), planes): DIVISION}
    for division in divisions(groups):
        found.setdefault(divided(cuda_banded.banded(plan, GAIN, division), planes), division)
    return found


def measured(case: Case, groups: Sequence[int], time_ms: Callable[[Callable[[], object]], float], device: str) -> Layer | None:
    """All candidates of one layer in float16; None where the tensor cores do not serve it."""
    x, b, fu, fd = (t.to(device) for t in (case.x.half(), case.b, case.fu, case.fd))
    options = FilteredLreluOptions((case.up, case.up), (case.down, case.down), case.padding, GAIN, SLOPE, CLAMP, False)
    plan = filtered_lrelu_plan(x, fu, fd, options)
    if cuda_banded.objection(plan, Mode.ACTIVATE, SLOPE, x.dtype) is not None:
        return None
    planes = x.shape[0] * x.shape[1]
    with use("reference"):
        padding = case.padding
        expected = filtered_lrelu(x, fu, fd, b, up=case.up, down=case.down, padding=padding, gain=GAIN, slope=SLOPE, clamp=CLAMP)
    times: dict[Divided, float] = {}
    for form, division in candidates(plan, planes, groups).items():
        launch = prepare(x, plan, Middle(Mode.ACTIVATE, SLOPE, GAIN, CLAMP), division)
        error = float((launch(x, b, None) - expected).abs().max() / expected.abs().max())
        if error > TOLERANCE:
            print(json.dumps({"layer": case.name, "division": asdict(division), "wrong_by": error}), file=sys.stderr, flush=True)
            continue
        times[form] = time_ms(lambda launch=launch: launch(x, b, None))
    current = divided(cuda_banded.banded(plan, GAIN), planes)
    if current not in times:
        raise SystemExit(f"{case.name}: the current division gives a wrong picture; nothing is tuned by wrong pictures")
    moved = torch.empty((x.numel() + expected.numel()) // 2, dtype=x.dtype, device=device)
    target = torch.empty_like(moved)
    made = cuda_banded.banded(plan, GAIN)
    products = cuda_banded.products(made.groups, made.rank, made.up) * made.strips * -(-made.out_size[1] // 8) * planes
    arithmetic_ms = 2.0 * 16 * 16 * 8 * products / peak_tflops(torch.float16) / 1e9 if device == "cuda" else 0.0
    return Layer(case.name, times, current, time_ms(lambda: target.copy_(moved)), arithmetic_ms)


def verdict(layers: Sequence[tuple[Layer, Plan, int]], groups: Sequence[int]) -> dict[str, Any]:
    """The division that takes least over all layers, and what each layer would take by itself."""
    totals: dict[Division, float] = {}
    for division in divisions(groups):
        forms = [(layer, divided(cuda_banded.banded(plan, GAIN, division), planes)) for layer, plan, planes in layers]
        if all(form in layer.times_ms for layer, form in forms):
            totals[division] = sum(layer.times_ms[form] for layer, form in forms)
    best = min(totals, key=lambda division: totals[division])
    return {
        "division": asdict(best),
        "ms": round(totals[best], 4),
        "now": asdict(DIVISION),
        "now_ms": round(sum(layer.times_ms[layer.current] for layer, *_ in layers), 4),
        "each_its_own_ms": round(sum(layer.times_ms[layer.best] for layer, *_ in layers), 4),
        "layers": [layer.row() for layer, *_ in layers],
    }


def tune(cases: Sequence[Case], groups: Sequence[int], deadline: Deadline, device: str) -> dict[str, Any]:
    """Measure while there is time; shapes that occur twice are measured once."""
    layers: list[tuple[Layer, Plan, int]] = []
    seen: set[tuple] = set()
    for case in cases:
        shape = (case.x.shape, case.up, case.fd.shape, case.padding)
        if shape in seen:
            continue
        seen.add(shape)
        if deadline.left() < 5:
            print(json.dumps({"layer": case.name, "left_out": "no time left"}), file=sys.stderr, flush=True)
            continue
        layer = measured(case, groups, milliseconds_of if device == "cuda" else once_ms, device)
        if layer is not None:
            print(json.dumps(layer.row()), file=sys.stderr, flush=True)
            options = FilteredLreluOptions((case.up, case.up), (case.down, case.down), case.padding, GAIN, SLOPE, CLAMP, False)
            layers.append((layer, filtered_lrelu_plan(case.x, case.fu, case.fd, options), case.x.shape[0] * case.x.shape[1]))
    if not layers:
        raise SystemExit("no layer was measured: the tensor cores serve none of them, or the time was too short")
    return verdict(layers, groups)


def milliseconds_of(function: Callable[[], object]) -> float:
    """On a GPU."""
    return milliseconds(function, ROUNDS)


def once_ms(function: Callable[[], object]) -> float:
    """In an emulation, where times mean nothing but that it ran."""
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 without a GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="all of it, at most")
    parser.add_argument("--configs", nargs="+", default=["r1024", "t1024", "r256", "t256"])
    parser.add_argument("--groups", nargs="+", type=int, default=list(GROUPS))
    options = parser.parse_args(arguments)
    if not gpu_named():
        return 2
    cases = [case for config in options.configs for case in layer_cases(config, halve_base=config.endswith("256"))]
    with torch.no_grad():
        print(json.dumps(tune(cases, options.groups, Deadline(options.minutes), "cuda"), indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
