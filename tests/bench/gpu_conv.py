"""The convolutions of T and R, by a kernel of our own and by the libraries, on this machine's GPU: one JSON row a layer and division.

    python -m tests.bench.gpu_conv [--minutes 1] [--networks T-1024 R-1024]

In float16 or float32, as the network computes the layer, or as `--dtype` says. For each layer first `cudnn_ms` (images in planes as
they are used: with cuDNN's conversions and the filling up to eights). Then each division into tiles: `ms` of the convolution alone,
`with_weight_ms` of both launches, TFLOP/s of what is asked for, the `error` against float32 relative to the largest value, and
`expected_ms` by `cuda_tiles.cycles`, by which it is `tried` when the size first comes. Every output is NaN before. Compiling does not
count. Needs no network.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from networks.configs import rung
from networks.layer_rule import layer_specs
from tests.bench.gpu_clock import gpu_named
from tests.bench.synthesis import CASES
from torch_utils.ops import backends, cuda_conv, cuda_tiles
from torch_utils.ops.cuda_tiles import Extent
from torch_utils.ops.modulated_conv2d import ModulatedConvOptions

CLOCK_GHZ = 1.755  # an H100's, for `expected_ms`


def extents(name: str, *, smallest_kernel: int = 3) -> dict[str, Extent]:
    """What the layers with kernels of this size or larger convolve, by their names; not the last one, which makes the picture."""
    (case,) = [case for case in CASES if case.name == name]
    specs = layer_specs(rung(case.config, case.resolution, channel_base=case.channel_base))
    found = {}
    for spec in specs:
        if spec.conv_kernel >= smallest_kernel and not spec.is_torgb:
            width, height = (size + spec.conv_kernel - 1 for size in spec.in_size)
            dtype = torch.float16 if spec.use_fp16 else torch.float32
            found[f"{name} {spec.name}"] = Extent(1, spec.in_channels, spec.out_channels, height, width, spec.conv_kernel, dtype)
    return found


def milliseconds(run, seconds: float = 0.03) -> float:
    """The fastest of several runs of a few calls, between two events, so that the calls wait for nothing but the GPU."""
    run()
    torch.cuda.synchronize()
    best, end = float("inf"), time.perf_counter() + seconds
    for _ in range(20):
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        events[0].record()
        for _ in range(5):
            run()
        events[1].record()
        events[1].synchronize()
        best = min(best, events[0].elapsed_time(events[1]) / 5)
        if time.perf_counter() > end:
            break
    return best


def arguments_of(extent: Extent, device: str = "cuda") -> tuple[Tensor, Tensor, Tensor, Tensor, ModulatedConvOptions]:
    """Activations and a weight of unit size."""
    generator, padding = torch.Generator(device).manual_seed(0), extent.kernel - 1
    size, kernel = (extent.out_height - padding, extent.out_width - padding), (extent.kernel, extent.kernel)
    shapes = ((extent.images, extent.inputs, *size), (extent.outputs, extent.inputs, *kernel), (extent.images, extent.inputs))
    x, weight, styles = (torch.randn(*shape, generator=generator, device=device) for shape in shapes)
    return x.to(extent.dtype), weight, styles + 1, torch.ones((), device=device), ModulatedConvOptions(True, padding)


def rows(name: str, extent: Extent) -> Iterator[dict[str, object]]:
    """One layer: the library, then each division."""
    x, weight, styles, gain, options = arguments_of(extent)
    gflop = 2e-9 * weight.numel() * extent.out_height * extent.out_width
    exact = cuda_conv.modulated_conv2d_cuda
    with cuda_tiles.by_libraries():
        expected = exact(x.float(), weight, styles, gain, options)
        library_ms = milliseconds(lambda: exact(x, weight, styles, gain, options))
    about = {"layer": name, "dtype": str(extent.dtype).removeprefix("torch."), "gflop": round(gflop, 2)}
    yield {**about, "cudnn_ms": round(library_ms, 4), "tflops": round(gflop / library_ms, 1)}
    made = cuda_conv.factor_of(x, weight, styles, gain, demodulate=True)
    for tiles in cuda_tiles.variants(extent.dtype, extent.kernel):
        torch.full_like(expected, torch.nan, dtype=extent.dtype)  # freed at once: the next output is likely to lie there
        y = cuda_tiles.correlate(x, made, options.padding, tiles)
        error = ((y.float() - expected).abs().max() / expected.abs().max()).item()
        ms = milliseconds(lambda: cuda_tiles.correlate(x, made, options.padding, tiles))  # noqa: B023
        both_ms = milliseconds(lambda: cuda_conv.convolve_in_tiles(x, weight, styles, gain, options, tiles))  # noqa: B023
        yield {
            **{**about, "tiles": str(tiles), "tried": tiles in cuda_tiles.candidates(extent), "ms": round(ms, 4)},
            **{"with_weight_ms": round(both_ms, 4), "tflops": round(gflop / ms, 1), "error": float(f"{error:.1e}")},
            "expected_ms": round(1e-6 * cuda_tiles.cycles(tiles, extent) / CLOCK_GHZ, 4),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="stop after about so long")
    parser.add_argument("--networks", nargs="+", default=["T-1024", "R-1024"], choices=[case.name for case in CASES])
    parser.add_argument("--dtype", choices=("float16", "bfloat16", "float32"), help="for all layers")
    arguments = parser.parse_args()
    end = time.perf_counter() + 60 * arguments.minutes
    if not gpu_named():
        return 2
    print(json.dumps({"backend": str(backends("cuda")["modulated_conv2d"])}), flush=True)
    done = set()
    with torch.inference_mode():
        for network in arguments.networks:
            for name, extent in reversed(extents(network, smallest_kernel=1).items()):  # the slow ones first
                if arguments.dtype:
                    extent = replace(extent, dtype=getattr(torch, arguments.dtype))
                if extent.dtype in cuda_tiles.KERNELS[extent.kernel] and extent not in done and time.perf_counter() < end:
                    for row in rows(name, extent):
                        print(json.dumps(row), flush=True)
                done.add(extent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
