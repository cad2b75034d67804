"""What `gpu` looks at before it measures: the machine, and one small call of every kernel, for `compute-sanitizer`.

python -m tests.bench.gpu_checks facts
compute-sanitizer --tool racecheck python -m tests.bench.gpu_checks convolutions
compute-sanitizer --tool racecheck python -m tests.bench.gpu_checks filters
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
from collections.abc import Iterator

import torch

from tests.bench.filtered_lrelu import layer_cases
from tests.bench.gpu_clock import gpu_named
from torch_utils.ops import backends, bias_act, cuda_conv, cuda_tiles, filtered_lrelu, use
from torch_utils.ops.cuda_resample import tensor_core_faults
from torch_utils.ops.cuda_tiles import Tiles

MODULES = (
    *("numpy", "scipy", "PIL", "platformdirs", "safetensors", "tqdm", "OpenGL", "glfw", "pytest", "hypothesis", "xdist"),
    "efficientnet_lite_pytorch",  # for the game against the projected discriminator
)
PROGRAMS = ("nvcc", "ninja", "compute-sanitizer", "c++")


def facts() -> int:
    """Versions, who serves and why (which runs each kernel's self-check), and what is missing. 2 without a GPU."""
    missing = [m for m in MODULES if importlib.util.find_spec(m) is None] + [p for p in PROGRAMS if not shutil.which(p)]
    print(json.dumps({"missing": missing}), flush=True)
    if not gpu_named():
        return 2
    served = backends("cuda").values()
    print(json.dumps({"backends": [str(backend) for backend in served]}), flush=True)
    ours = all(backend.name == "cuda" for backend in served if backend.op != "doubling_conv2d")
    return 0 if ours and not cuda_tiles.all_faults() and not tensor_core_faults else 1


def convolution_calls() -> Iterator[tuple[torch.dtype, int, Tiles]]:
    """Type, kernel and tiles: every variant once, 16-bit types in turns."""
    for kernel in (3, 1):
        yield from ((torch.float32, kernel, tiles) for tiles in cuda_tiles.variants(torch.float32, kernel))
    for number, tiles in enumerate(cuda_tiles.variants(torch.float16, 3)):
        yield (torch.bfloat16 if number % 2 else torch.float16), 3, tiles


def convolutions(device: str = "cuda") -> None:
    """Few pixels and channels, so that blocks reach over every border: `conv.cuh`, `fragments.cuh`, `split.cuh`; and `modulate.cuh`,
    without the libraries' convolutions, which are not ours to check and slow to watch.
    """
    for dtype, kernel, tiles in convolution_calls():
        x, weight, styles, gain, options = cuda_conv.sample(device, kernel, 1, 35)
        for odd in (0, 1):  # rows that begin at even elements, and others
            images = x[..., :15, : 16 - odd].contiguous().to(dtype)
            cuda_conv.convolve_in_tiles(images, weight, styles, gain, options, tiles)
        cuda_conv.modulated_weight(weight, styles, gain, dtype, demodulate=True)


def filters(device: str = "cuda") -> None:
    """Few channels of every layer: forward and back in two types, and on tensor cores in two."""
    for config in ("t256", "r256"):
        for case in layer_cases(config, divide_channels=256):
            fu, fd, b = (t.to(device) for t in (case.fu, case.fd, case.b))
            for dtype in (torch.float32, torch.float16, torch.bfloat16):
                x = case.x.to(device, dtype).requires_grad_()
                options = {"up": case.up, "down": case.down, "padding": case.padding, "clamp": 256.0}
                with use("cuda"):
                    with torch.no_grad():  # without gradients 16 bits go to the tensor cores
                        filtered_lrelu(x, fu, fd, b, **options)
                    if dtype != torch.bfloat16:
                        bias_act(filtered_lrelu(x, fu, fd, b, **options), act="lrelu").sum().backward()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=("facts", "convolutions", "filters"))
    check = parser.parse_args().check
    if check == "facts":
        return facts()
    with torch.no_grad() if check == "convolutions" else torch.enable_grad():
        convolutions() if check == "convolutions" else filters()
    torch.cuda.synchronize()
    print(f"{check}: each called once")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
