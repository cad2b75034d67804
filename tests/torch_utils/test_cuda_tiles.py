"""The convolution for tensor cores: its source emulated on the CPU against the definition, its compilation, and (marked gpu) on a GPU.

Emulated, each product of fragments is made from the lanes' registers as the hardware deals them out, copies into shared memory arrive no
sooner than they are waited for, and warps between two barriers run in either order. Outputs are NaN before, and inputs are bounded.
"""

import ctypes
import re
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from tests.bench.gpu_conv import extents
from tests.torch_utils.test_cuda_conv import TYPES, call_of, error, gpu
from torch_utils import cuda_build
from torch_utils.cuda_build import ARCHITECTURES, SOURCES
from torch_utils.native_build import NativeUnavailable, find_toolchain
from torch_utils.ops import backends, cuda_contest, cuda_conv, cuda_resample, cuda_tiles, dispatch, modulated_conv2d, use
from torch_utils.ops.cuda_tiles import ROW_VARIANTS, SPLIT_VARIANTS, VARIANTS, Tiles, candidates, cycles, kernel_of
from torch_utils.ops.modulated_conv2d import ModulatedConvOptions, modulated_conv2d_reference

HERE = Path(__file__).parent
BOUNDS = {torch.float16: 1e-3, torch.bfloat16: 8e-3, torch.float32: 2e-6}  # of the largest value; in 16 bits twice the type's rounding
FAULTS = {1: "written beyond shared memory", 2: "not the blocks or bytes of the call", 3: "a barrier is missing", 4: "read astray"}
SMALL, SPLIT = VARIANTS[-1], SPLIT_VARIANTS[3]
CASES = [  # images, inputs, outputs, height, width, padding, tiles
    *((1, 35, tiles.outputs + 5, 11, 35, 2, tiles) for tiles in VARIANTS),
    *((1, 35, tiles.outputs + 5, 11, 35, 2, replace(tiles, ahead=True)) for tiles in (VARIANTS[0], VARIANTS[5], VARIANTS[7])),
    (1, 16, 16, 9, 11, 1, replace(VARIANTS[7], ahead=True)),
    (1, 3, 51, 20, 22, 2, SMALL),
    (1, 51, 32, 9, 12, 2, SMALL),
    (1, 81, 51, 7, 13, 1, SMALL),
    (1, 102, 81, 9, 14, 0, SMALL),
    (1, 161, 102, 8, 8, 2, VARIANTS[6]),
    (3, 20, 33, 10, 37, 1, VARIANTS[5]),
    (1, 16, 16, 33, 70, 2, VARIANTS[1]),
    (1, 1, 1, 1, 1, 2, SMALL),
]


# ------------------------------------------------------------------------------------------ without a GPU


@lru_cache(maxsize=64)
def library(folder: str, source: str, flags: tuple[str, ...]) -> ctypes.CDLL:
    out = Path(folder) / f"{source}{abs(hash(flags))}.so"
    command = [find_toolchain().compiler, "-std=c++17", "-O2", "-shared", "-fPIC", "-Wall", "-Wno-unused-function", "-Wno-unused-variable"]
    command += ["-Werror", "-DAF_EMULATED", *flags, f"-I{SOURCES}", str(HERE / f"{source}.cpp"), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(out))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    try:
        find_toolchain()
    except NativeUnavailable as failure:
        pytest.skip(f"the emulator needs a C++ compiler: {failure}")
    return str(tmp_path_factory.mktemp("emulator"))


class Launches:
    """Launches on the CPU, in the order asked for; keeps what was launched."""

    def __init__(self, folder: str) -> None:
        self.folder, self.order, self.kernels = folder, 0, []

    def __call__(self, kernel, blocks, shared_bytes, call, device):
        self.kernels.append(kernel)
        kind = TYPES.index(str(dict(kernel.defines)["TYPE"]))
        if kernel.name == "conv":
            emulator = library(self.folder, "conv_emulator", tuple(kernel.flags()[1:]))
            assert emulator.conv_call_bytes() == ctypes.sizeof(call)
            code = emulator.emulate_conv(ctypes.byref(call), blocks, shared_bytes, self.order)
        else:
            emulator = library(self.folder, "modulate_emulator", ())
            run = emulator.emulate_fragments if kernel.name == "fragments" else emulator.emulate_modulate
            code = run(ctypes.byref(call), kind, blocks, self.order)
        assert code == 0, FAULTS[code]


@pytest.fixture
def launches(folder, monkeypatch):
    found = Launches(folder)
    monkeypatch.setattr(cuda_resample, "launch", found)
    monkeypatch.setattr(cuda_tiles, "capable", lambda device: True)
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *shape, **options: empty(*shape, **options).fill_(float("nan")))
    return found


def wide_reference(x, weight, styles, gain, options) -> torch.Tensor:
    return modulated_conv2d_reference(x.double(), weight.double(), styles.double(), gain.double(), options)


def arguments_of(*shape: int, device="cpu", dtype=torch.float16, kernel=3) -> Any:
    images, inputs, outputs, height, width, padding = shape
    x, *rest = call_of((images, inputs, outputs, kernel, padding, True), device=device, dtype=dtype, size=max(height, width))
    return x[:, :, :height, :width].contiguous(), *rest


@pytest.mark.parametrize(
    "case, dtype",
    [*((case, torch.float16) for case in CASES), *((case, torch.bfloat16) for case in (CASES[0], CASES[7], CASES[8], CASES[-3]))],
    ids=lambda given: str(given) if isinstance(given, torch.dtype) else " ".join(map(str, given)),
)
def test_it_is_the_definition(case, dtype, launches):
    *shape, tiles = case
    x, *rest = arguments_of(*shape, dtype=dtype)
    y = cuda_conv.convolve_in_tiles(x, *rest, tiles=tiles)
    assert y.dtype == dtype and y.is_contiguous()
    assert error(y, modulated_conv2d_reference(x.float(), *rest)) < BOUNDS[dtype]
    launches.order = 1
    assert torch.equal(y, cuda_conv.convolve_in_tiles(x, *rest, tiles=tiles))
    assert [kernel.name for kernel in launches.kernels] == ["fragments", "conv"] * 2


@pytest.mark.parametrize("tiles", SPLIT_VARIANTS, ids=str)
def test_float32_is_as_exact_as_float32(tiles, launches):
    """Its error against float64 is not much more than what torch's own float32 makes on a CPU; and rows may begin anywhere."""
    x, *rest = arguments_of(1, 100, tiles.outputs + 5, 7, 10 + tiles.columns % 3, 2, dtype=torch.float32)
    x = x / 0.3  # of unit size under the gain
    y = cuda_conv.convolve_in_tiles(x, *rest, tiles=tiles)
    expected = wide_reference(x, *rest)
    assert y.dtype == torch.float32
    assert error(y, expected) < 2 * error(modulated_conv2d_reference(x, *rest), expected) < 2e-6
    launches.order = 1
    assert torch.equal(y, cuda_conv.convolve_in_tiles(x, *rest, tiles=tiles))


@pytest.mark.parametrize("tiles", ROW_VARIANTS, ids=str)
def test_1x1_in_float32_is_as_exact_as_float32(tiles, launches):
    """Images of several rows, whose pixels are tiles' without a rest but at the end, and which may begin at odd elements."""
    for images, inputs, outputs, height, width in ((1, 100, tiles.outputs + 5, 7, 2 * tiles.pixels // 7 + 3), (2, 33, 20, 5, 9)):
        x, *rest = arguments_of(images, inputs, outputs, height, width, 0, dtype=torch.float32, kernel=1)
        y = cuda_conv.convolve_in_tiles(x / 0.3, *rest, tiles=tiles)
        expected = wide_reference(x / 0.3, *rest)
        assert y.is_contiguous() and y.dtype == torch.float32
        assert error(y, expected) < 3 * error(modulated_conv2d_reference(x / 0.3, *rest), expected) < 2e-6
        launches.order = 1
        assert torch.equal(y, cuda_conv.convolve_in_tiles(x / 0.3, *rest, tiles=tiles))
    assert [kernel.name for kernel in launches.kernels] == ["fragments", "conv"] * 4


def test_1x1_is_ours_only_where_it_is_faster(launches, monkeypatch):
    """On a GPU whose clock is pretended: each size is timed once, none while a graph is recorded, and `backends()` could tell."""
    times = iter([0.2, 0.5, 0.4, 0.3])  # ours, theirs
    asked, recording = [], True
    monkeypatch.setattr(cuda_contest, "milliseconds", lambda run: (asked.append(run()), next(times))[1])
    monkeypatch.setattr(cuda_contest, "_contests", {})
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: recording)
    faster = cuda_contest.faster
    monkeypatch.setattr(cuda_contest, "faster", lambda device, *rest: faster(torch.device("cuda", 0), *rest))
    names = []
    for ours, recording in ((False, True), (True, False), (True, True), (False, False)):
        x, *rest = arguments_of(1, 9, 8, 6, 7 if ours or recording else 8, 0, dtype=torch.float32, kernel=1)
        y = cuda_conv.modulated_conv2d_cuda(x, *rest)
        names.append(launches.kernels[-1].name)
        assert (names[-1] == "conv") == ours
        assert error(y, wide_reference(x, *rest)) < 1e-6
    assert len(asked) == 4 and len(cuda_contest._contests) == 2
    assert cuda_contest.told() == "1x1 in float32 by our kernel for 1 of 2 sizes: 0.50 ms, by the libraries alone 0.80 ms"
    (cuda,) = [c for c in dispatch._registry._operators["modulated_conv2d"].candidates if c.name == "cuda"]
    assert cuda.implementation.tells is cuda_contest.told


@pytest.mark.parametrize("gain, style", [(1e-6, 1e6), (3e5, 1e-8), (-0.2, 1.0)])
def test_float32_of_any_size_that_the_gain_tells(gain, style, launches):
    x, weight, styles, _, options = arguments_of(2, 33, 20, 5, 9, 1, dtype=torch.float32)
    arguments = x / gain, weight, styles * style, torch.tensor(gain)
    y = cuda_conv.convolve_in_tiles(*arguments, options, tiles=SPLIT)
    assert error(y, wide_reference(*arguments, options)) < 1e-6


def test_what_halves_cannot_hold_becomes_nan_where_it_is_seen(launches):
    x, *rest = arguments_of(1, 20, 20, 12, 12, 2, dtype=torch.float32)
    for value in (16_000 / 0.25, 17_000 / 0.25, torch.inf):  # the gain is 0.3, of which the power of two is 0.25
        x[0, 19, 5, 6] = value
        y = cuda_conv.convolve_in_tiles(x, *rest, tiles=SPLIT)
        seen = torch.zeros(14, 14, dtype=torch.bool)
        seen[5:8, 6:9] = value > 16_376 / 0.25
        assert torch.equal(y[0].isnan().all(0), seen) and torch.equal(y[0].isfinite().all(0), ~seen)
        if not seen.any():
            assert error(y, modulated_conv2d_reference(x.double(), *rest)) < 1e-6


def test_float32_is_ours_only_where_the_factors_are_of_known_size(launches):
    x, weight, styles, gain, options = arguments_of(1, 9, 8, 6, 7, 1, dtype=torch.float32)
    loud = ModulatedConvOptions(demodulate=False, padding=1)
    for input_gain, given, name in ((gain, options, "conv"), (None, options, "modulate"), (gain, loud, "modulate")):
        cuda_conv.modulated_conv2d_cuda(x, weight, styles, input_gain, given)
        assert launches.kernels[-1].name == name
    with cuda_tiles.strict_float32():
        cuda_conv.modulated_conv2d_cuda(x, weight, styles, gain, options)
        assert launches.kernels[-1].name == "modulate"
        cuda_conv.modulated_conv2d_cuda(x.half(), weight, styles, gain, options)
        assert launches.kernels[-1].name == "conv"


def test_3x3_and_1x1_in_float32_take_this_way_and_others_the_libraries(launches):
    for dtype, kernel, padding, own in (
        *((torch.float16, 3, 1, True), (torch.float32, 1, 0, True)),
        *((torch.float32, 1, 1, False), (torch.float16, 1, 0, False), (torch.float32, 2, 0, False)),
    ):
        launches.kernels.clear()
        x, weight, *rest = cast(Any, call_of((1, 9, 8, kernel, padding, True), dtype=dtype))
        cuda_conv.modulated_conv2d_cuda(x, weight, *rest)
        assert (launches.kernels[-1].name == "conv") == own
        with cuda_tiles.by_libraries():
            cuda_conv.modulated_conv2d_cuda(x, weight, *rest)
        assert launches.kernels[-1].name == "modulate"


def test_an_infinite_input_is_not_hidden(launches):
    """Nor does it spread: only the outputs that see it are not finite."""
    x, *rest = arguments_of(1, 20, 20, 12, 12, 2)
    x[0, 19, 5, 6] = torch.inf
    y = cuda_conv.convolve_in_tiles(x, *rest, tiles=SMALL)
    seen = torch.zeros(14, 14, dtype=torch.bool)
    seen[5:8, 6:9] = True
    assert torch.equal(y[0].isfinite().all(0), ~seen)
    assert not y[0, :, seen].isfinite().any()


def test_a_right_kernel_is_used_and_a_wrong_one_is_told(launches, monkeypatch):
    monkeypatch.setattr(cuda_tiles, "faults", [])
    monkeypatch.setattr(cuda_tiles, "split_faults", [])
    cuda_conv.check_tiles("cpu")
    assert cuda_tiles.faults == cuda_tiles.split_faults == []
    kinds = {(kernel.name, dict(kernel.defines)["TYPE"]) for kernel in launches.kernels}
    assert kinds == {(name, kind) for name in ("fragments", "conv") for kind in ("Float16", "Float32")}

    def wrong(kernel, blocks, shared_bytes, call, device):
        if kernel.name == "conv":
            call.inputs -= 1
        launches(kernel, blocks, shared_bytes, call, device)

    monkeypatch.setattr(cuda_resample, "launch", wrong)
    cuda_conv.check_tiles("cpu")
    assert "differs by" in cuda_tiles.faults[0]
    x, weight, *_ = arguments_of(1, 9, 8, 12, 12, 2)
    assert not cuda_tiles.serves(x, weight, 2, scaled=True)


def test_float32_that_is_a_little_wrong_is_told_and_16_bits_stay(launches, monkeypatch):
    monkeypatch.setattr(cuda_tiles, "faults", [])
    monkeypatch.setattr(cuda_tiles, "split_faults", [])

    def wrong(kernel, blocks, shared_bytes, call, device):
        if kernel.name == "fragments":
            call.factor *= 1 + 2e-5
        launches(kernel, blocks, shared_bytes, call, device)

    monkeypatch.setattr(cuda_resample, "launch", wrong)
    cuda_conv.check_tiles("cpu")
    assert cuda_tiles.faults == [] and "in float32 on tensor cores is not used" in cuda_tiles.split_faults[0]
    x, weight, *_ = arguments_of(1, 9, 8, 12, 12, 2)
    assert cuda_tiles.serves(x, weight, 2, scaled=True) and not cuda_tiles.serves(x.float(), weight, 2, scaled=True)


def test_tiles_fill_a_large_gpu_and_waste_little():
    """Products beyond those that are asked for, a last round that only some multiprocessors have, and loads cost at most so much."""
    ideal = expected = 0.0
    for extent in extents("T-1024").values():
        products = extent.outputs / 16 * extent.out_height * extent.out_width / 8 * extent.inputs / 16 * 9
        ideal += 1.24 * products * (3 if extent.dtype == torch.float32 else 1) / cuda_tiles.MULTIPROCESSORS
        expected += cycles(candidates(extent)[0], extent)
    assert 0.25 < ideal / expected < 1


# The release that torch 2.14 brings keeps four registers of 32x256 for sm_90 in memory; 13.5 none.
SPILLED_BYTES = {"NVRTC 13.0": 16}


@pytest.mark.skipif(sys.platform == "darwin", reason="NVIDIA makes no NVRTC for macOS")
@pytest.mark.parametrize(
    "tiles, dtype, kernel",
    [(t, each, k) for each, k in ((torch.float16, 3), (torch.float32, 3), (torch.float32, 1)) for t in cuda_tiles.variants(each, k)],
    ids=str,
)
def test_every_variant_compiles_without_spills(tiles: Tiles, dtype, kernel):
    """For sm_90 both 16-bit types, otherwise float16; or float32. There is room for as many blocks as are counted with."""
    compiler = cuda_build.nvrtc_compiler()
    capabilities = [c for c in ARCHITECTURES if c >= cuda_tiles.OLDEST]
    split = dtype == torch.float32
    other = dtype if split else torch.bfloat16
    for capability, each, even in [(90, other, False), *((c, dtype, True) for c in capabilities)]:
        binary = compiler.compile(kernel_of(tiles, each, kernel, pairs_in=even, pairs_out=even), compiler.target(capability))
        (registers,) = re.findall(r"Used (\d+) registers", binary.report)
        fewer = not (split or tiles.ahead or capability == 90 or tiles.resident < 3)  # see AF_AT_ONCE
        assert int(registers) * tiles.threads * (tiles.resident - fewer) <= 65536
        (spilled,) = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", binary.report)
        assert max(map(int, spilled)) <= SPILLED_BYTES.get(compiler.version, 0)
    assert (tiles.shared_bytes(kernel, dtype) + 1024) * tiles.resident <= 228 * 1024


# ------------------------------------------------------------------------------------------ with one

LAYERS = [
    *((e.inputs, e.outputs, e.out_height - 2, e.out_width - 2) for name in ("T-1024", "T-256") for e in extents(name).values()),
    (3, 5, 31, 45),
    (161, 102, 77, 30),
    (102, 81, 64, 53),
]


@pytest.mark.parametrize("dtype", [pytest.param(dtype, marks=gpu, id=str(dtype)) for dtype in BOUNDS])
@pytest.mark.parametrize("layer", sorted(set(LAYERS)), ids=str)
def test_on_a_gpu_every_layer_by_every_tile(layer, dtype):
    """Against cuDNN in float32, and float32 against float64. Memory that outputs will get is NaN before."""
    x, *rest = arguments_of(1, *layer, 2, device="cuda", dtype=dtype)
    with use("cuda", op="modulated_conv2d"), cuda_tiles.by_libraries(), torch.no_grad():
        assert cuda_tiles.serves(x, rest[0], 2, scaled=True) is False
        if dtype == torch.float32:
            expected = wide_reference(x, *rest).float()
        else:
            expected = modulated_conv2d(x.float(), rest[0], rest[1], padding=2, input_gain=rest[2])
    for tiles in (None, *cuda_tiles.variants(dtype)):
        torch.full_like(expected, torch.nan, dtype=dtype)  # freed at once, so that the output is likely to get it
        assert error(cuda_conv.convolve_in_tiles(x, *rest, tiles=tiles), expected) < BOUNDS[dtype], tiles


ROWS = [(e.inputs, e.outputs, e.out_width) for e in extents("R-1024", smallest_kernel=1).values()]


@pytest.mark.parametrize(
    "layer", [pytest.param(layer, marks=gpu, id=str(layer)) for layer in (*sorted({*ROWS}), (161, 102, 77), (3, 5, 31))]
)
def test_on_a_gpu_every_1x1_of_float32_by_every_tile(layer):
    inputs, outputs, width = layer
    x, *rest = arguments_of(1, inputs, outputs, width, width, 0, device="cuda", dtype=torch.float32, kernel=1)
    expected = wide_reference(x, *rest).float()
    for tiles in (None, *ROW_VARIANTS):
        torch.full_like(expected, torch.nan)  # freed at once, so that the output is likely to get it
        assert error(cuda_conv.convolve_in_tiles(x, *rest, tiles=tiles), expected) < 2e-6, tiles
    assert cuda_tiles.all_faults() == []
    assert error(cuda_conv.modulated_conv2d_cuda(x, *rest), expected) < 2e-6  # by whoever is faster
    assert "1x1 in float32 by our kernel for " in backends("cuda")["modulated_conv2d"].why


@pytest.mark.parametrize("part", [pytest.param("serves", marks=gpu)])
def test_on_a_gpu_it_is_used_and_can_be_recorded(part):
    x, *rest = arguments_of(2, 40, 51, 40, 44, 2, device="cuda")
    options: ModulatedConvOptions = rest[3]
    assert cuda_tiles.faults == [] and cuda_tiles.serves(x, rest[0], options.padding, scaled=True)
    y = cuda_conv.modulated_conv2d_cuda(x, *rest)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        again = cuda_conv.modulated_conv2d_cuda(x, *rest)
    x.copy_(-x)
    graph.replay()
    assert torch.equal(again, -y)
