"""Each layer of T and R on a GPU against its floors, measured in the same run: the fused filters, and the convolutions.

    python -m tests.bench.gpu_layers [--minutes 1] [--configs r1024 t1024 r256 t256] [--convolutions R-1024 T-1024]

The memory floor is a copy of as many bytes; the arithmetic floor, the multiply-adds that the kernel makes, at the rate that the same unit
reaches in a product of large matrices. A convolution's `ms` is the whole operator as a network calls it (the weight, then the images),
`library_ms` the same by cuDNN and cuBLAS; in the type that the paper's rule gives the layer, and in float32. Lines of JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from tests.bench.filtered_lrelu import Case, layer_cases
from tests.bench.gpu_clock import Deadline, gpu_named, milliseconds, peak_tflops
from tests.bench.gpu_conv import arguments_of, extents
from tests.bench.synthesis import CASES
from torch_utils.ops import cuda_banded, cuda_conv, cuda_tiles, filtered_lrelu, use
from torch_utils.ops.cuda import filtered_lrelu_plan
from torch_utils.ops.cuda_plan import Mode
from torch_utils.ops.cuda_resample import using_tensor_cores
from torch_utils.ops.cuda_tiles import Extent
from torch_utils.ops.filtered_lrelu import FilteredLreluOptions


def arithmetic(case: Case, x: torch.Tensor, y: torch.Tensor) -> tuple[str, float]:
    """The kernel that serves, and the floating-point operations that it makes; products with banded matrices count their zeros."""
    options = FilteredLreluOptions((case.up, case.up), (case.down, case.down), case.padding, 2**0.5, 0.2, 256.0, False)
    plan = filtered_lrelu_plan(x, case.fu, case.fd, options)
    if cuda_banded.objection(plan, Mode.ACTIVATE, 0.2, x.dtype) is not None or not using_tensor_cores(x):
        return "resample", case.flops(y)
    made = cuda_banded.banded(plan, 2**0.5)
    products = cuda_banded.products(made.groups, made.rank, made.up) * made.strips * -(-y.shape[2] // 8)
    return "banded", 2.0 * 16 * 16 * 8 * products * y.shape[0] * y.shape[1]


def copy_ms(nbytes: int, device: str) -> float:
    """Reading half of it and writing the other."""
    source = torch.empty(nbytes // 4, dtype=torch.float16, device=device)
    target = torch.empty_like(source)
    return milliseconds(lambda: target.copy_(source))


def over_floors(ms: float, memory_ms: float, operations: float, unit: torch.dtype) -> dict[str, Any]:
    """The columns that all rows end with."""
    arithmetic_ms = operations / peak_tflops(unit) / 1e9
    floors = {"copy_ms": round(memory_ms, 4), "arithmetic_ms": round(arithmetic_ms, 4)}
    return {**floors, "times_the_floor": round(ms / max(memory_ms, arithmetic_ms), 2)}


def filter_row(case: Case, dtype: torch.dtype, device: str = "cuda") -> dict[str, Any]:
    """One layer's fused filter, as it is served and the plain one, forward. Elsewhere than on a GPU: only to see that it runs."""
    x, b, fu, fd = (t.to(device) for t in (case.x, case.b, case.fu, case.fd))
    x = x.to(dtype)

    def call() -> torch.Tensor:
        return filtered_lrelu(x, fu, fd, b, up=case.up, down=case.down, padding=case.padding, clamp=256.0)

    with torch.no_grad():
        y, ms = call(), milliseconds(call)
        with use("reference"):
            expected, reference_ms = call(), milliseconds(call, 3)
    kernel, operations = arithmetic(case, x, y)
    return {
        **{"layer": case.name, "dtype": str(dtype).removeprefix("torch."), "rank": case.rank, "kernel": kernel},
        **{"ms": round(ms, 4), "reference_ms": round(reference_ms, 4)},
        **{"error": float(f"{((y - expected).abs().max() / expected.abs().max()).item():.1e}")},
        **over_floors(ms, copy_ms(x.nbytes + y.nbytes, device), operations, dtype),
    }


def convolution_row(name: str, extent: Extent, device: str = "cuda") -> dict[str, Any]:
    """One layer's modulated convolution, as it is served and by the libraries. Elsewhere than on a GPU: only to see that it runs."""
    x, weight, styles, gain, options = arguments_of(extent, device)

    def call() -> torch.Tensor:
        return cuda_conv.modulated_conv2d_cuda(x, weight, styles, gain, options)

    with torch.no_grad():
        y, ms = call(), milliseconds(call)
        with cuda_tiles.by_libraries():
            expected, library_ms = call(), milliseconds(call)
    split = extent.dtype == torch.float32 and cuda_tiles.serves(x, weight, options.padding, scaled=True)
    operations = 2.0 * weight.numel() * y.shape[2] * y.shape[3] * (3 if split else 1)
    return {
        **{"convolution": name, "dtype": str(extent.dtype).removeprefix("torch."), "kernel": extent.kernel},
        **{"ms": round(ms, 4), "library_ms": round(library_ms, 4)},
        **{"difference": float(f"{((y - expected).abs().max() / expected.abs().max()).item():.1e}")},
        **over_floors(ms, copy_ms(x.nbytes + y.nbytes + weight.nbytes, device), operations, torch.float16 if split else extent.dtype),
    }


def rows_wanted(configs: list[str], networks: list[str]) -> Iterator[Callable[[], dict[str, Any]]]:
    """What to measure: convolutions first, which are the newest, then filters; a size that occurs twice once."""
    for network in networks:
        seen: set[Extent] = set()
        for name, extent in extents(network, smallest_kernel=1).items():
            for each in (extent, replace(extent, dtype=torch.float32)):
                if each not in seen:
                    seen.add(each)
                    yield lambda name=name, each=each: convolution_row(name, each)
    for config in configs:
        for case in layer_cases(config, halve_base=config.endswith("256")):
            for dtype in (torch.float16, torch.float32):
                yield lambda case=case, dtype=dtype: filter_row(case, dtype)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="stop after about so long")
    parser.add_argument("--configs", nargs="*", default=["r1024", "t1024", "r256", "t256"])
    parser.add_argument("--convolutions", nargs="*", default=["R-1024", "T-1024"], choices=[case.name for case in CASES])
    options = parser.parse_args()
    deadline = Deadline(options.minutes)
    if not gpu_named():
        return 2
    for row in rows_wanted(options.configs, options.convolutions):
        if deadline.left() < 0:
            print(json.dumps({"left_out": "the other layers: no time left"}), flush=True)
            break
        print(json.dumps(row()), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
