"""Modulated convolution for CUDA: its kernel emulated on the CPU, its compilation, and (marked gpu) the real thing."""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.torch_utils.waiting import no_waiting
from torch_utils import cuda_build
from torch_utils.cuda_build import ARCHITECTURES, SOURCES, Kernel
from torch_utils.native_build import NativeUnavailable, find_toolchain
from torch_utils.ops import Unavailable, cuda_conv, cuda_resample, modulated_conv2d, use
from torch_utils.ops.modulated_conv2d import ModulatedConvOptions, modulated_conv2d_reference

TYPES = ("Float32", "Float16", "Bfloat16")
CASES = [  # images, in, out, kernel, padding, demodulated
    (1, 5, 7, 1, 0, True),
    (3, 300, 4, 1, 0, True),
    (2, 6, 3, 1, 0, False),
    (1, 40, 9, 3, 2, True),
    (3, 12, 8, 3, 2, True),
    (2, 12, 8, 3, 1, False),
    (1, 161, 102, 1, 0, True),
    (1, 81, 51, 3, 2, True),
]
gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")]


def call_of(case, *, device="cpu", dtype=torch.float32, gain="tensor", size=11):
    images, ins, outs, kernel, padding, demodulate = case
    generator = torch.Generator().manual_seed(ins)
    x, weight, styles = (
        torch.randn(*shape, generator=generator).to(device)
        for shape in ((images, ins, size, size), (outs, ins, kernel, kernel), (images, ins))
    )
    input_gain = {"tensor": torch.tensor(0.3, device=device), "number": torch.tensor(0.3, dtype=torch.float64), "none": None}[gain]
    return x.to(dtype), weight, styles + 0.5, input_gain, ModulatedConvOptions(demodulate, padding)


def error(y, expected):
    assert y.shape == expected.shape
    return ((y.double() - expected.double()).abs().max() / expected.abs().max()).item()


# ------------------------------------------------------------------------------------------ without a GPU


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    try:
        compiler = find_toolchain().compiler
    except NativeUnavailable as failure:
        pytest.skip(f"the emulator needs a C++ compiler: {failure}")
    out = tmp_path_factory.mktemp("emulator") / "modulate.so"
    command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Wno-unused-function", "-Werror", "-DAF_EMULATED"]
    command += [f"-I{SOURCES}", str(Path(__file__).parent / "modulate_emulator.cpp"), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(out))


@pytest.fixture(params=[0, 1, 37], ids=lambda order: f"threads in order {order}")
def launches(compiled, monkeypatch, request):
    found = []

    def launch(kernel, blocks, shared_bytes, call, device):
        found.append(kernel)
        assert kernel.name == "modulate"
        kind = TYPES.index(dict(kernel.defines)["TYPE"])
        assert compiled.emulate_modulate(ctypes.byref(call), kind, blocks, request.param) == 0

    monkeypatch.setattr(cuda_resample, "launch", launch)
    return found


def test_the_structure_is_the_kernels(compiled):
    assert compiled.modulate_call_bytes() == ctypes.sizeof(cuda_conv.ModulateCall)


@pytest.mark.parametrize("gain", ["tensor", "number", "none"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_definition(case, gain, launches):
    arguments = call_of(case, gain=gain)
    assert error(cuda_conv.modulated_conv2d_cuda(*arguments), modulated_conv2d_reference(*arguments)) < 2e-6
    assert len(launches) == 1


@pytest.mark.parametrize("dtype, bound", [(torch.float16, 2e-3), (torch.bfloat16, 1.6e-2)], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_16_bits_round_the_weight_once(case, dtype, bound, launches):
    x, *rest = call_of(case, dtype=dtype)
    y = cuda_conv.modulated_conv2d_cuda(x, *rest)
    assert y.dtype == dtype
    assert error(y, modulated_conv2d_reference(x.float(), *rest)) < bound


@pytest.mark.parametrize("style_scale", [1e-9, 1e4])
@pytest.mark.parametrize("case", [CASES[1], CASES[3], CASES[4]], ids=str)
def test_styles_of_any_size_leave_16_bits_in_range(case, style_scale, launches):
    x, weight, styles, gain, options = call_of(case, dtype=torch.float16)
    y = cuda_conv.modulated_conv2d_cuda(x, weight * 1e4, styles * style_scale, gain, options)
    assert error(y, modulated_conv2d_reference(x.float(), weight, styles, gain, options)) < 2e-3


def test_the_energy_is_that_of_the_weight_as_it_is_now(launches):
    x, weight, styles, gain, options = call_of(CASES[0])
    with torch.no_grad():
        cuda_conv.modulated_conv2d_cuda(x, weight, styles, gain, options)
        assert cuda_conv.energy_of(weight) is cuda_conv.energy_of(weight)
        weight[0] *= 5
        y = cuda_conv.modulated_conv2d_cuda(x, weight, styles, gain, options)
    assert error(y, modulated_conv2d_reference(x, weight, styles, gain, options)) < 2e-6


def test_a_right_kernel_is_used(launches):
    cuda_conv.check_convolution("cpu")
    assert {dict(kernel.defines)["TYPE"] for kernel in launches} == {"Float32", "Float16"}


def test_a_wrong_kernel_is_not_used(compiled, monkeypatch):
    def launch(kernel, blocks, shared_bytes, call, device):
        call.factor *= 1.01
        assert compiled.emulate_modulate(ctypes.byref(call), 0, blocks, 0) == 0

    monkeypatch.setattr(cuda_resample, "launch", launch)
    with pytest.raises(Unavailable, match="differs from its definition"):
        cuda_conv.check_convolution("cpu")


@pytest.mark.skipif(sys.platform == "darwin", reason="NVIDIA makes no NVRTC for macOS")
@pytest.mark.parametrize("kind", TYPES)
def test_the_kernel_compiles_for_every_architecture_without_spills(kind):
    compiler, kernel = cuda_build.nvrtc_compiler(), Kernel("modulate", (("TYPE", kind),))
    for capability in ARCHITECTURES:
        binary = compiler.compile(kernel, compiler.target(capability))
        (registers,) = re.findall(r"Used (\d+) registers", binary.report)
        assert int(registers) <= 64
        assert re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", binary.report) == [("0", "0")]


# ------------------------------------------------------------------------------------------ with one

LAYERS = [
    (1, 512, 512, 3, 2, True),
    (1, 1024, 512, 1, 0, True),
    (1, 128, 3, 1, 0, False),
    (4, 512, 256, 1, 0, True),
    (4, 96, 64, 3, 2, True),
]


@pytest.mark.parametrize("dtype, bound", [(torch.float32, 2e-5), (torch.float16, 2e-3), (torch.bfloat16, 1.6e-2)], ids=str)
@pytest.mark.parametrize("case", [pytest.param(case, marks=gpu, id=str(case)) for case in (*CASES, *LAYERS)])
def test_on_a_gpu(case, dtype, bound):
    x, weight, styles, gain, options = call_of(case, device="cuda", dtype=dtype, size=36)
    with use("cuda", op="modulated_conv2d"):
        y = modulated_conv2d(x, weight, styles, demodulate=options.demodulate, padding=options.padding, input_gain=gain)
    wide = [t.double() for t in (x, weight, styles, gain)]
    assert y.dtype == dtype
    assert error(y, modulated_conv2d_reference(*wide, options)) < bound


@pytest.mark.parametrize("part", [pytest.param("waits", marks=gpu)])
def test_a_call_does_not_wait_for_the_gpu(part):
    arguments = call_of(LAYERS[0], device="cuda", dtype=torch.float16, size=36)
    cuda_conv.modulated_conv2d_cuda(*arguments)
    with no_waiting():
        cuda_conv.modulated_conv2d_cuda(*arguments)
