"""The CUDA kernels compile for every architecture, without spilling, and what is compiled is kept. Nothing here needs a GPU.

NVRTC comes from its wheel, which the `test` extra names: where it is missing these tests fail, they are not skipped. nvcc is a second way,
tested where it is on the path.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.torch_utils.test_native import layer_of
from torch_utils import cuda_build, cuda_driver, own_code
from torch_utils.cuda_build import ARCHITECTURES, Binary, Compiler, CudaUnavailable, Kernel
from torch_utils.ops import backends, cuda_banded, use
from torch_utils.ops.cuda import filtered_lrelu_plan
from torch_utils.ops.cuda_bias_act import CODES
from torch_utils.ops.cuda_plan import MOST_TAPS, SHARED_BYTES, Mode, Plan, Shape, kernel_for, variant_for
from torch_utils.ops.filtered_lrelu import FilteredLreluOptions

if sys.platform == "darwin":
    pytest.skip("NVIDIA makes neither NVRTC nor its bindings for macOS", allow_module_level=True)

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent.parent / "golden"
MOST_REGISTERS = 64  # a thread: so that registers leave room for four blocks of 256 on a multiprocessor, 1024 threads
MOST_BANDED_REGISTERS = {4: 168, 5: 255}  # by groups, sm_90: room for three warps, or two, on each quarter of a multiprocessor


def plan_of(name: str, index: int) -> Plan:
    layer = layer_of(name, index)
    with np.load(GOLDEN / "filters.npz") as stored:
        fu, fd = (torch.from_numpy(stored[layer[key]]) for key in ("up_filter", "down_filter"))
    width, height = (size + layer["conv_kernel"] - 1 for size in layer["in_size"])
    up, down = (layer["up_factor"],) * 2, (layer["down_factor"],) * 2
    options = FilteredLreluOptions(up, down, tuple(layer["padding"]), 2**0.5, 0.2, 256.0, False)
    return filtered_lrelu_plan(torch.empty(1, 1, height, width), fu, fd, options)


def kernel_of(plan: Plan, mode: Mode, dtype: torch.dtype) -> Kernel:
    shape = Shape.of(plan)
    variant = variant_for(shape, plan.out_size, marks=mode == Mode.ACTIVATE_AND_MARK)
    assert variant is not None and variant.fixed
    return kernel_for(shape, variant, mode, dtype)


def any_size(mode: Mode, dtype: str) -> Kernel:
    return Kernel("resample", (("TYPE", dtype), ("MODE", int(mode))))


def assert_lean(report: str, most: int = MOST_REGISTERS) -> None:
    """No spills, few registers; the compiler says so of exactly one kernel."""
    (registers,) = re.findall(r"Used (\d+) registers", report)
    assert re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", report) == [("0", "0")], report
    assert 0 < int(registers) <= most, report


SOME = {
    "T's layer, float16": lambda: kernel_of(plan_of("t256", 3), Mode.ACTIVATE, torch.float16),
    "R's layer, marking": lambda: kernel_of(plan_of("r256", 9), Mode.ACTIVATE_AND_MARK, torch.float32),
    "R's layer, back": lambda: kernel_of(plan_of("r256", 9).transposed(), Mode.SCALE_AS_MARKED, torch.bfloat16),
    "any size": lambda: any_size(Mode.ACTIVATE_AND_MARK, "Float16"),
    "bias_act": lambda: Kernel("bias_act", (("TYPE", "Bfloat16"), ("ACTIVATION", 2))),
}


@pytest.mark.parametrize("name", SOME)
def test_compiles_for_every_architecture_without_spills(name):
    compiler, kernel = cuda_build.nvrtc_compiler(), SOME[name]()
    for capability in ARCHITECTURES:
        binary = compiler.compile(kernel, compiler.target(capability))
        assert binary.code.startswith(b"\x7fELF")
        assert kernel.entry.encode() in binary.code
        assert_lean(binary.report)


def layers() -> list[tuple[str, int]]:
    specs = json.loads((GOLDEN / "layer_specs.json").read_text())
    return [(name, i) for name in ("t1024", "r1024") for i, layer in enumerate(specs[name]["layers"]) if not layer["is_torgb"]]


def test_every_layer_of_t_and_r_has_a_lean_kernel_of_its_own():
    """Forward for pictures, in float16, for one architecture; equal kernels are compiled once."""
    compiler = cuda_build.nvrtc_compiler()
    kernels = {kernel_of(plan_of(*layer), Mode.ACTIVATE, torch.float16) for layer in layers()}
    assert len(kernels) <= 24
    for kernel in kernels:
        assert_lean(compiler.compile(kernel, "sm_90").report)


def banded_of(layer: tuple[str, int], grain: int, dtype: torch.dtype = torch.float16) -> Kernel:
    plan = plan_of(*layer)
    assert cuda_banded.objection(plan, Mode.ACTIVATE, 0.2, dtype, 256.0) is None
    return cuda_banded.banded(plan, 2**0.5).kernel(Mode.ACTIVATE, grain, dtype)


def test_every_layer_of_t_and_r_has_a_kernel_for_tensor_cores():
    """T's rows can be read by pairs, R's by fours; without spills, within the registers that its warps are counted with."""
    compiler = cuda_build.nvrtc_compiler()
    types = (torch.float16, torch.bfloat16)
    kernels = {banded_of(layer, 2 if layer[0] == "t1024" else 4, dtype) for layer in layers() for dtype in types}
    assert 12 <= len(kernels) <= 32
    for kernel in kernels:
        assert_lean(compiler.compile(kernel, "sm_90").report, MOST_BANDED_REGISTERS[dict(kernel.defines)["GROUPS"]])


@pytest.mark.parametrize("capability", [c for c in ARCHITECTURES if c >= cuda_banded.OLDEST])
def test_the_kernel_for_tensor_cores_compiles_for_every_gpu_that_has_them(capability):
    compiler = cuda_build.nvrtc_compiler()
    for kernel in (banded_of(("r1024", 10), 4), banded_of(("t1024", 11), 1), banded_of(("t1024", 11), 1, torch.bfloat16)):
        binary = compiler.compile(kernel, compiler.target(capability))
        assert b"af_banded" in binary.code
        assert_lean(binary.report, 255)


@pytest.mark.parametrize("act", CODES)
def test_bias_act_compiles_for_every_activation(act):
    kernel = Kernel("bias_act", (("TYPE", "Float16"), ("ACTIVATION", CODES[act])))
    assert_lean(cuda_build.nvrtc_compiler().compile(kernel, "sm_90").report)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("dtype", ["Float32", "Float16", "Bfloat16"])
def test_the_kernel_for_all_sizes_compiles_in_every_mode_and_type(mode, dtype):
    assert_lean(cuda_build.nvrtc_compiler().compile(any_size(mode, dtype), "sm_75").report)


def test_nvcc_compiles_the_same():
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not on the path; NVRTC compiled the same sources above")
    compiler = cuda_build.nvcc_compiler()
    for name in ("R's layer, marking", "bias_act"):
        binary = compiler.compile(SOME[name](), compiler.target(90))
        assert binary.code.startswith(b"\x7fELF")
        assert_lean(binary.report)


def test_a_gpu_newer_than_the_compiler_gets_ptx():
    kernel = Kernel("bias_act", (("TYPE", "Float32"),))
    compiler = cuda_build.nvrtc_compiler()
    assert compiler.target(99999) == f"compute_{max(compiler.capabilities)}"
    ptx = compiler.compile(kernel, compiler.target(99999)).code
    assert b".entry af_bias_act" in ptx
    with pytest.raises(CudaUnavailable, match=r"capability 3\.5"):
        compiler.target(35)


def test_an_error_in_a_source_is_told():
    with pytest.raises(CudaUnavailable, match=r"sm_90.*NoSuchType"):
        cuda_build.nvrtc_compiler().compile(Kernel("bias_act", (("TYPE", "NoSuchType"),)), "sm_90")


def counting() -> tuple[Compiler, list[str]]:
    compiled: list[str] = []

    def compile_(kernel, target):
        compiled.append(target)
        return Binary(f"code for {target}".encode(), "")

    return Compiler("counting 1.0", (80, 90), compile_), compiled


def test_compiled_once_and_kept(tmp_path, caplog):
    caplog.set_level("INFO")
    compiler, compiled = counting()
    kernel, folder = Kernel("bias_act", (("TYPE", "Float32"),)), tmp_path / "cuda"
    for _ in range(2):
        assert cuda_build.machine_code(kernel, 90, compiler=compiler, folder=folder) == b"code for sm_90"
    assert cuda_build.machine_code(kernel, 86, compiler=compiler, folder=folder) == b"code for compute_80"
    assert compiled == ["sm_90", "compute_80"]
    assert "compiled af_bias_act for sm_90 with counting 1.0" in caplog.text
    assert not list(folder.glob(".*.part"))


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:30], lambda c: b"", lambda c: c[:-1] + b"?"])
def test_damaged_code_is_never_used(tmp_path, damage):
    compiler, compiled = counting()
    kernel = Kernel("bias_act", (("TYPE", "Float32"),))
    cuda_build.machine_code(kernel, 90, compiler=compiler, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert cuda_build.machine_code(kernel, 90, compiler=compiler, folder=tmp_path) == b"code for sm_90"
    assert len(compiled) == 2


def test_code_that_somebody_else_may_have_put_there_is_not_used(tmp_path, caplog, monkeypatch):
    compiler, compiled = counting()
    kernel, folder = Kernel("bias_act", (("TYPE", "Float32"),)), tmp_path / "cuda"
    cuda_build.machine_code(kernel, 90, compiler=compiler, folder=folder)
    (path,) = folder.iterdir()
    path.chmod(0o666)
    assert cuda_build.machine_code(kernel, 90, compiler=compiler, folder=folder) == b"code for sm_90"
    assert len(compiled) == 2 and path.stat().st_mode & 0o777 == 0o644
    monkeypatch.setattr(own_code, "trusted", lambda: (path.stat().st_uid + 1,))
    assert cuda_build.machine_code(kernel, 90, compiler=compiler, folder=folder) == b"code for sm_90"
    assert len(compiled) == 3 and "belongs to another user" in caplog.text


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    compiler, _ = counting()
    kernel = Kernel("bias_act", (("TYPE", "Float32"),))
    assert cuda_build.machine_code(kernel, 90, compiler=compiler, folder=tmp_path / "file") == b"code for sm_90"
    assert "cannot be kept" in caplog.text


def test_without_bindings_the_reason_says_what_to_install(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(cuda_build.importlib, "import_module", missing)
    with pytest.raises(CudaUnavailable, match=r"cuda-bindings cannot be imported.*pip install"):
        cuda_build.nvrtc_compiler()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_reason_is_told():
    with pytest.raises(CudaUnavailable, match=r"without CUDA|no CUDA device"):
        cuda_driver.describe()
    for op in ("filtered_lrelu", "upfirdn2d", "bias_act"):
        backend = backends("cuda")[op]
        assert backend.name == "reference"
        assert "cuda: " in backend.why and "CUDA" in backend.why
    with use("cuda"), pytest.raises(Exception, match="runs on cuda"):
        torch_op = __import__("torch_utils.ops", fromlist=["bias_act"]).bias_act
        torch_op(torch.zeros(3))


def test_plans_fit_the_kernels_limits():
    for layer in layers():
        plan = plan_of(*layer)
        for each in (plan, plan.transposed()):
            shape = Shape.of(each)
            for marks in (False, True):
                variant = variant_for(shape, each.out_size, marks=marks)
                assert variant is not None and variant.fixed
                assert shape.taps <= MOST_TAPS and shape.shared_bytes(variant.tile) <= SHARED_BYTES
        again = plan.transposed().transposed()
        assert (again.up, again.down, again.padding, again.size) == (plan.up, plan.down, plan.padding, plan.size)
        assert np.array_equal(again.rise.x, plan.rise.x)
