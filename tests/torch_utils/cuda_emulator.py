"""Runs the CUDA kernels' own source on CPU tensors: a stand-in for the launch that the operators make (`cuda_resample.launch`)."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import torch

from torch_utils.cuda_build import SOURCES, Kernel
from torch_utils.native_build import find_toolchain
from torch_utils.ops import cuda_resample

HERE = Path(__file__).parent
FAULTS = {
    1: "written beyond shared memory",
    2: "no such mode, or not the blocks of all tasks",
    3: "two phases without a barrier",
    4: "16 bytes read astray",
}
TYPES = ("Float32", "Float16", "Bfloat16")


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()


@lru_cache(maxsize=64)
def library(flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The emulator, for all sizes or, with a kernel's flags, of that kernel alone."""
    out = Path(_folder().name) / f"emulator{abs(hash(flags))}.so"
    warnings = ["-Wall", "-Wno-unused-function", "-Wno-unused-variable", "-Wno-unused-but-set-variable", "-Werror"]
    command = [find_toolchain().compiler, "-std=c++17", "-O1", "-shared", "-fPIC", *warnings, "-DAF_EMULATED", *flags]
    command += [f"-I{SOURCES}", str(HERE / "cuda_emulator.cpp"), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(out))


class Emulator:
    """Launches on the CPU, and keeps what was launched. `exact` compiles each variant as a GPU would get it (about a second each)."""

    def __init__(self, *, order: int = 0, exact: bool = False) -> None:
        self.order, self.exact = order, exact
        self.launches: list[tuple[Kernel, int, int]] = []

    def __call__(self, kernel: Kernel, blocks: int, shared_bytes: int, call: ctypes.Structure, device: torch.device) -> None:
        assert device.type == "cpu"
        self.launches.append((kernel, blocks, shared_bytes))
        defines = dict(kernel.defines)
        if kernel.name == "banded":
            code = library(tuple(kernel.flags()[1:])).emulate_banded(ctypes.byref(call), blocks, self.order)
            assert code == 0, FAULTS[code]
            return
        kind = TYPES.index(str(defines["TYPE"]))
        if kernel.name == "bias_act":
            code = library().emulate_bias_act(ctypes.byref(call), kind, blocks, self.order)
        else:
            fixed = self.exact and "FIXED" in defines
            chosen = library(tuple(kernel.flags()[1:])) if fixed else library()
            code = chosen.emulate_resample(ctypes.byref(call), kind, defines["MODE"], blocks, shared_bytes, self.order)
        assert code == 0, FAULTS[code]


@contextmanager
def emulated(*, order: int = 0, exact: bool = False, tensor_cores: bool = False) -> Iterator[Emulator]:
    """The operators of `torch_utils.ops.cuda` compute CPU tensors within the `with` block; on a GPU with tensor cores if asked."""
    emulator, before = Emulator(order=order, exact=exact), (cuda_resample.launch, cuda_resample._tensor_cores)
    cuda_resample.launch, cuda_resample._tensor_cores = emulator, lambda device: tensor_cores
    try:
        yield emulator
    finally:
        cuda_resample.launch, cuda_resample._tensor_cores = before
