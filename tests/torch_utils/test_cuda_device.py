"""The CUDA operators on a GPU, against the golden arrays and the references. Skipped only where there is no CUDA device.

`tests/bench/gpu.py` runs them, then measures.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.networks.agreement import golden_arrays, relative_error, tiny
from tests.torch_utils.cuda_calls import compute
from tests.torch_utils.cuda_emulator import emulated
from tests.torch_utils.test_native import layer_call, layer_of, options_of
from torch_utils.cuda_build import Kernel
from torch_utils.native_build import NativeUnavailable, find_toolchain
from torch_utils.ops import backends, bias_act, cuda_resample, filtered_lrelu, upfirdn2d, use

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")]

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = json.loads((GOLDEN / "ops.json").read_text())
OPERATORS = {
    "filtered_lrelu": (filtered_lrelu, "flrelu", "x fu fd b"),
    "upfirdn2d": (upfirdn2d, "upfirdn", "x f"),
    "bias_act": (bias_act, "bias_act", "x b"),
}
LAYERS = [(name, i) for name in ("t256", "r256", "t1024", "r1024") for i in range(14)]


def on_gpu(tensors):
    return [None if t is None else t.cuda() for t in tensors]


def assert_close(actual, expected, tolerance=1e-5):
    assert actual.shape == expected.shape
    scale = max(expected.abs().max().item(), 1e-30)
    assert (actual.cpu().double() - expected.cpu().double()).abs().max().item() <= tolerance * scale


def test_the_kernels_serve():
    chosen = backends("cuda")
    for op in OPERATORS:
        assert chosen[op].name == "cuda", chosen[op]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['op']}-{case['case']}")
def test_golden(case):
    operator, prefix, names = OPERATORS[case["op"]]
    with np.load(GOLDEN / "ops.npz") as stored:
        arrays = {name: torch.from_numpy(stored[name]) for name in stored.files if name.startswith(f"{prefix}_{case['case']}_")}
    stem = f"{prefix}_{case['case']}_"
    with use("cuda"):
        y = operator(*on_gpu(arrays.get(stem + name) for name in names.split()), **options_of(case))
    assert_close(y, arrays[stem + "y"])


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float16, 1e-3), (torch.bfloat16, 8e-3)], ids=str)
@pytest.mark.parametrize("name, index", LAYERS)
def test_every_layer(name, index, dtype, tolerance):
    if layer_of(name, index)["up_filter"] is None:
        return  # reads no filter: nothing for this operator to do
    (x, fu, fd, b), options = layer_call(layer_of(name, index), channels=2)
    x = x.to(dtype)
    with use("reference"):
        expected = filtered_lrelu(x.float(), fu, fd, b, **options)
    with use("cuda"):
        assert_close(filtered_lrelu(*on_gpu((x, fu, fd, b)), **options), expected, tolerance)


def kernels_of(launched: list[Kernel]) -> list[str]:
    return [kernel.name for kernel in launched]


@pytest.fixture
def launched(monkeypatch):
    """The kernels launched, in order."""
    kernels: list[Kernel] = []
    true = cuda_resample.launch

    def launch(kernel, *arguments):
        kernels.append(kernel)
        true(kernel, *arguments)

    monkeypatch.setattr(cuda_resample, "launch", launch)
    return kernels


tensor_cores = pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_capability()[0] < 8, reason="this GPU has none that multiply 16 x 16 by 16 x 8"
)

SHAPES = {
    "a batch": lambda x: torch.cat([x, -x, 0.3 * x]),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "odd sizes": lambda x: x[..., 1:, 2:-1].contiguous(),
    "cropped": lambda x: x[..., 3:-2],
    "odd rows": lambda x: torch.nn.functional.pad(x, (0, 1))[..., :-1],
    "every other channel": lambda x: x[:, ::2],
    "transposed": lambda x: x.transpose(2, 3),
}


@tensor_cores
@pytest.mark.parametrize("dtype, tolerance", [(torch.float16, 1e-3), (torch.bfloat16, 8e-3)], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name, index", [("t256", 3), ("t1024", 8), ("r256", 1), ("r256", 9), ("r1024", 5), ("r256", 13)])
def test_tensor_cores(name, index, shape, dtype, tolerance, launched):
    """Five channels, in every way that images lie in memory; and the same bits a second time, and beside other work."""
    (x, fu, fd, b), options = layer_call(layer_of(name, index), channels=5)
    x = SHAPES[shape](x.cuda().to(dtype))
    b = b[: x.shape[1]]
    with use("reference"):
        expected = filtered_lrelu(x.cpu().double(), fu, fd, b, **options)
    fu, fd, b = on_gpu((fu, fd, b))
    with use("cuda"), torch.no_grad():
        torch.full_like(expected, torch.nan, device="cuda", dtype=dtype)  # what the result is likely to be given the memory of
        results = [filtered_lrelu(x, fu, fd, b, **options) for _ in range(2)]
    assert kernels_of(launched) == ["banded"] * 2
    assert results[0].dtype == dtype
    assert_close(results[0], expected, tolerance)
    assert torch.equal(*results)


@tensor_cores
def test_tensor_cores_take_no_other_calls(launched):
    (x, fu, fd, b), options = layer_call(layer_of("r256", 1), channels=3)
    x, fu, fd, b = on_gpu((x, fu, fd, b))
    with use("cuda"):
        filtered_lrelu(x, fu, fd, b, **options)
        filtered_lrelu(x.half().requires_grad_(), fu, fd, b, **options).sum().backward()
    assert set(kernels_of(launched)) == {"resample"}
    why = backends("cuda")["filtered_lrelu"].why
    assert "float16 on tensor cores" in why and "bfloat16 too" in why


def last_place(value: torch.Tensor) -> float:
    """The distance between neighbouring halves at a value: 2^-10 between 1 and 2."""
    return 2.0 ** (math.frexp(value.item())[1] - 11)


@tensor_cores
def test_tensor_cores_agree_with_their_emulator(launched):
    """To a unit in the last place: the order of a sum within a product is the hardware's own, so a sum near the middle between two halves
    may go to either. That moves what is computed from it by less than such a unit, which shows only where that is near the middle too.
    """
    try:
        find_toolchain()
    except NativeUnavailable as error:
        pytest.skip(f"the emulator needs a C++ compiler: {error}")
    (x, fu, fd, b), options = layer_call(layer_of("r256", 9), channels=3)
    with emulated(tensor_cores=True), torch.no_grad():
        expected = compute("filtered_lrelu", x.half(), fu, fd, b, **options)
    with use("cuda"), torch.no_grad():
        actual = filtered_lrelu(*on_gpu((x.half(), fu, fd, b)), **options)
    assert kernels_of(launched) == ["banded"]
    difference = (actual.cpu().double() - expected.double()).abs()
    assert difference.max().item() <= last_place(expected.abs().max())
    assert (difference == 0).double().mean().item() >= 0.9


@pytest.mark.parametrize("name, index", [("t256", 3), ("t256", 2), ("r256", 9)])
def test_gradients(name, index):
    (x, fu, fd, b), options = layer_call(layer_of(name, index), channels=2)
    results = []
    for backend in ("cuda", "reference"):
        leaves = [x.cuda().requires_grad_(), b.cuda().requires_grad_()]
        with use(backend):
            y = filtered_lrelu(leaves[0], fu.cuda(), fd.cuda(), leaves[1], **options)
            g = torch.randn(y.shape, generator=torch.Generator().manual_seed(0)).cuda().requires_grad_()
            dx, db = torch.autograd.grad(y, leaves, g, create_graph=True)
            (second,) = torch.autograd.grad(dx.square().sum(), g)
        results.append((dx, db, second))
    for actual, expected in zip(*results, strict=True):
        # A sample within rounding of 0 has another derivative on either path: few may differ, and not by much of the whole.
        assert ((actual - expected).norm() / expected.norm()).item() <= 1e-3


@pytest.mark.parametrize("case", range(40))
def test_random_calls(case):
    """Sizes, factors, filters, paddings and types drawn from a seed; as the emulator's tests draw them."""
    generator = np.random.RandomState(case)
    up, down = (tuple(int(v) for v in generator.randint(1, 5, 2)) for _ in range(2))
    n, c, h, w = (int(generator.randint(1, m)) for m in (3, 4, 90, 90))
    fu = torch.from_numpy(generator.randn(*([12] if case % 2 else [5, 7])).astype(np.float32)) / 12
    fd = torch.from_numpy(generator.randn(*([9] if case % 3 else [6, 11])).astype(np.float32)) / 12
    x, b = torch.from_numpy(generator.randn(n, c, h, w).astype(np.float32)), torch.from_numpy(generator.randn(c).astype(np.float32))
    options = {"up": up, "down": down, "padding": tuple(int(v) for v in generator.randint(10, 20, 4)), "clamp": 0.7}
    if case % 4 == 1:
        x = x.to(memory_format=torch.channels_last)
    if case % 4 == 2:
        x = x.transpose(2, 3)
    with use("reference"):
        expected = filtered_lrelu(x, fu, fd, b, **options), upfirdn2d(x, fu, up=up, down=down, padding=20)
    with use("cuda"):
        assert_close(filtered_lrelu(*on_gpu((x, fu, fd, b)), **options), expected[0], 3e-5)
        assert_close(upfirdn2d(x.cuda(), fu.cuda(), up=up, down=down, padding=20), expected[1], 3e-5)


def test_a_graph_replays_the_kernels():
    (x, fu, fd, b), options = layer_call(layer_of("r256", 9), channels=2)
    x, fu, fd, b = on_gpu((x, fu, fd, b))
    stream = torch.cuda.Stream()
    with use("cuda"), torch.no_grad():
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            filtered_lrelu(x, fu, fd, b, **options)  # compiles, and reads the filters once
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = filtered_lrelu(x, fu, fd, b, **options)
        x.normal_()
        graph.replay()
        assert torch.equal(y, filtered_lrelu(x, fu, fd, b, **options))


@pytest.mark.parametrize("name", ["tiny_t", "tiny_t_cond", "tiny_r", "tiny_sg2"])
def test_golden_networks(name):
    arrays, network = golden_arrays(name), tiny(name).cuda()
    z, c = torch.from_numpy(arrays["z"]).cuda(), torch.from_numpy(arrays["c"]).cuda()
    with torch.no_grad():
        ws = network.map(z, c)
        image = network.synthesize(ws)
    assert relative_error(ws.cpu().numpy(), arrays["ws"]) < 1e-4
    assert relative_error(image.cpu().numpy(), arrays["image"]) < 1e-4
