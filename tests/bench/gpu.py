"""All that a GPU is needed for: correctness, then times. For a bare machine with torch and `cuda-bindings`; under 9 minutes.

    python -m tests.bench.gpu [--minutes 9] [--no-tests] [--no-sanitizer] [--cases T-256 R-1024 ...]

1. The tests marked `gpu`. 2. `compute-sanitizer`, memcheck and racecheck, over one call of each kind, if it is on the path. 3. For each
layer of T and R the fused operator against the plain one, with the time that copying its input and output takes in the same run (the memory
floor), the rate of its separable arithmetic, and its time against the higher of that floor and the arithmetic one: the multiply-adds that
its kernel makes, at the rate that the same unit reaches in a product of large matrices in the same run. 4. Whole pictures (`gpu_pictures`),
float32 and float16, by graph and step by step, and from an event to the picture. Lines of JSON after the tests, and at the end the pictures
as a table for RESULTS.md; every section is left out, and says so, when the time is up.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from tests.bench.filtered_lrelu import Case, layer_cases
from tests.bench.gpu_pictures import NAMES, markdown, picture_rows
from torch_utils.cuda_build import CudaUnavailable
from torch_utils.cuda_driver import describe
from torch_utils.ops import backends, bias_act, cuda_banded, filtered_lrelu, use
from torch_utils.ops.cuda import filtered_lrelu_plan
from torch_utils.ops.cuda_plan import Mode
from torch_utils.ops.cuda_resample import using_tensor_cores
from torch_utils.ops.filtered_lrelu import FilteredLreluOptions

ROOT = Path(__file__).parents[2]


class Deadline:
    """Seconds left of the time given."""

    def __init__(self, minutes: float) -> None:
        self.end = time.monotonic() + 60 * minutes

    def left(self) -> float:
        return self.end - time.monotonic()


def milliseconds(function: Callable[[], object], rounds: int = 20) -> float:
    """The median over `rounds` of the time between two events around a call, after three calls that do not count."""
    for _ in range(3):
        function()
    times = []
    for _ in range(rounds):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        function()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def run_tests(deadline: Deadline) -> bool:
    """The tests marked gpu, in a process of their own."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "--maxfail=20", "tests"]
    try:
        return subprocess.run(command, cwd=ROOT, timeout=min(240.0, deadline.left()), check=False).returncode == 0
    except subprocess.TimeoutExpired:
        print("the tests took longer than the time given")
        return False


def run_sanitizers(deadline: Deadline) -> bool:
    """One call of each kind under memcheck and racecheck."""
    if shutil.which("compute-sanitizer") is None:
        print("compute-sanitizer is not on the path: memory and races were not checked")
        return True
    passed = True
    for tool in ("memcheck", "racecheck"):
        quiet = ["--report-api-errors", "no"] if tool == "memcheck" else []  # loading looks for entries that older drivers have not
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", *quiet]
        command += [sys.executable, "-m", "tests.bench.gpu", "--one-of-each"]
        try:
            done = subprocess.run(command, cwd=ROOT, timeout=max(1.0, min(90.0, deadline.left())), check=False)
        except subprocess.TimeoutExpired:
            print(f"{tool}: not finished in the time given")
            continue
        print(f"{tool}: {'clean' if done.returncode == 0 else 'FAILED'}")
        passed = passed and done.returncode == 0
    return passed


def one_of_each() -> None:
    """Few channels of every layer, forward and back, in two types."""
    for config in ("t256", "r256"):
        for case in layer_cases(config, divide_channels=256):
            for dtype in (torch.float32, torch.float16):
                x = case.x.cuda().to(dtype).requires_grad_()
                options = {"up": case.up, "down": case.down, "padding": case.padding}
                with use("cuda"):
                    y = filtered_lrelu(x, case.fu.cuda(), case.fd.cuda(), case.b.cuda(), **options)
                    bias_act(y, act="lrelu").sum().backward()
                    with torch.no_grad():  # without gradients float16 goes to the tensor cores
                        filtered_lrelu(x, case.fu.cuda(), case.fd.cuda(), case.b.cuda(), **options)
    torch.cuda.synchronize()


@lru_cache(maxsize=2)
def peak_tflops(dtype: torch.dtype) -> float:
    """What a product of large matrices reaches: the tensor cores in 16 bits, the ordinary units in float32 (no TF32)."""
    a, b = (torch.randn(6144, 6144, device="cuda", dtype=dtype) for _ in range(2))
    return 2 * a.shape[0] ** 3 / milliseconds(lambda: a @ b, 10) / 1e9


def arithmetic(case: Case, x: torch.Tensor, y: torch.Tensor) -> tuple[str, float]:
    """The kernel that serves, and the floating-point operations that it makes; products with banded matrices count their zeros."""
    options = FilteredLreluOptions((case.up, case.up), (case.down, case.down), case.padding, 2**0.5, 0.2, 256.0, False)
    plan = filtered_lrelu_plan(x, case.fu.cuda(), case.fd.cuda(), options)
    if cuda_banded.objection(plan, Mode.ACTIVATE, 0.2, x.dtype) is not None or not using_tensor_cores(x):
        return "resample", case.flops(y)
    made = cuda_banded.banded(plan, 2**0.5)
    products = cuda_banded.products(made.groups, made.rank, made.up) * made.strips * -(-y.shape[2] // 8)
    return "banded", 2.0 * 16 * 16 * 8 * products * y.shape[0] * y.shape[1]


def layer_row(case: Case, dtype: torch.dtype) -> dict[str, object]:
    """One layer's times, forward, ours and the plain one's; and forward and back."""
    x, b, fu, fd = (t.cuda() for t in (case.x, case.b, case.fu, case.fd))
    x = x.to(dtype)

    def call(x: torch.Tensor) -> torch.Tensor:
        return filtered_lrelu(x, fu, fd, b, up=case.up, down=case.down, padding=case.padding, clamp=256.0)

    row: dict[str, Any] = {"layer": case.name, "dtype": str(dtype).removeprefix("torch."), "rank": case.rank}
    with use("cuda", op="filtered_lrelu"):
        with torch.no_grad():
            y = call(x)
            row["cuda_ms"] = round(ours := milliseconds(lambda: call(x)), 4)
        leaf = x.clone().requires_grad_()
        row["cuda_with_gradient_ms"] = round(milliseconds(lambda: call(leaf).backward(y), 10), 4)
    with use("reference"), torch.no_grad():
        row["reference_ms"] = round(milliseconds(lambda: call(x), 5), 4)
        expected = call(x)
    row["error"] = float(f"{((y - expected).abs().max() / expected.abs().max()).item():.1e}")
    moved = torch.empty((x.numel() + y.numel()) // 2, dtype=dtype, device="cuda")
    target = torch.empty_like(moved)
    row["copy_ms"] = round(milliseconds(lambda: target.copy_(moved)), 4)
    row["tflops"] = round(case.flops(y) / ours / 1e9, 2)
    row["kernel"], operations = arithmetic(case, x, y)
    row["arithmetic_ms"] = round(operations / peak_tflops(dtype) / 1e9, 4)
    row["times_the_floor"] = round(ours / max(row["arithmetic_ms"], row["copy_ms"]), 2)
    return row


def layer_rows(deadline: Deadline) -> Iterator[dict[str, object]]:
    for config in ("r1024", "t1024", "r256", "t256"):
        for case in layer_cases(config, halve_base=config.endswith("256")):
            for dtype in (torch.float16, torch.float32):
                if deadline.left() < 60:
                    yield {"layer": case.name, "left_out": "no time left"}
                    return
                yield layer_row(case, dtype)
                torch.cuda.empty_cache()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.5, help="all of it, at most")
    parser.add_argument("--no-tests", dest="tests", action="store_false")
    parser.add_argument("--no-sanitizer", dest="sanitizer", action="store_false")
    parser.add_argument("--cases", nargs="*", default=list(NAMES))
    parser.add_argument("--one-of-each", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    deadline = Deadline(options.minutes)
    try:
        print(f"{describe()}; torch {torch.__version__}, CUDA {torch.version.cuda}", flush=True)
    except CudaUnavailable as error:
        print(f"no GPU to test or measure: {error}")
        return 2
    if options.one_of_each:
        one_of_each()
        return 0
    passed = not options.tests or run_tests(deadline)
    passed = (not options.sanitizer or run_sanitizers(deadline)) and passed
    print(json.dumps({"backends": [str(b) for b in backends("cuda").values()]}), flush=True)
    pictures = []
    for row in itertools.chain(picture_rows(options.cases, deadline.left, milliseconds), layer_rows(deadline)):
        print(json.dumps(row), flush=True)
        pictures += [row] if "picture" in row else []
    print(markdown(pictures), flush=True)
    if not passed:
        print("NOT ALL CORRECT: see above; the times mean nothing until that is mended")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
