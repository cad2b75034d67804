"""The CUDA kernels' source, run on the CPU by an emulator of phases and threads, against the golden arrays and the references.

Shows that the arithmetic, the tiling, the shared memory's layout and what the host passes are right. It does not show that a GPU runs it.
"""

import ctypes
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings, strategies as st

from tests.torch_utils.cuda_calls import ORDERS, PREFIXES, assert_close, compute, factors, filtered_calls, reference
from tests.torch_utils.cuda_emulator import emulated, library
from tests.torch_utils.test_native import filters, fits, images, layer_call, layer_of, options_of, sum_of_taps
from torch_utils.native_build import NativeUnavailable, find_toolchain
from torch_utils.ops import Unavailable, cuda_plan, cuda_resample
from torch_utils.ops.bias_act import ACTIVATIONS
from torch_utils.ops.cuda import check_kernels
from torch_utils.ops.cuda_bias_act import CODES, BiasActCall

try:
    find_toolchain()
except NativeUnavailable as error:
    pytest.skip(f"the emulator needs a C++ compiler: {error}", allow_module_level=True)

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = json.loads((GOLDEN / "ops.json").read_text())


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "ops.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


def test_structures_are_those_of_the_kernels():
    assert library().emulated_call_bytes(0) == ctypes.sizeof(cuda_plan.ResampleCall) < 4096
    assert library().emulated_call_bytes(1) == ctypes.sizeof(BiasActCall)
    assert list(CODES) == list(ACTIVATIONS)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['op']}-{case['case']}")
def test_golden(case, arrays, order):
    prefix, names = PREFIXES[case["op"]]
    stem = f"{prefix}_{case['case']}_"
    with emulated(order=order) as emulator:
        y = compute(case["op"], *(arrays.get(stem + name) for name in names.split()), **options_of(case))
    assert_close(y, arrays[stem + "y"])
    assert len(emulator.launches) == 1


# One layer for each kind of filter: T's with factors 2 and 4, R's with radial filters of rank 2 to 4.
EXACT = [("t256", 3), ("t256", 2), ("r256", 1), ("r256", 9), ("r256", 12)]


@pytest.mark.parametrize("name, index", EXACT)
def test_kernels_of_constant_sizes(name, index):
    """The variants that a GPU would get, for layers of T and R; threads forwards and backwards give the same bits."""
    (x, fu, fd, b), options = layer_call(layer_of(name, index), channels=1)
    expected = reference("filtered_lrelu", x, fu, fd, b, **options)
    results = []
    for order in ORDERS[:2]:
        with emulated(order=order, exact=True) as emulator:
            results.append(compute("filtered_lrelu", x, fu, fd, b, **options))
    assert ("FIXED", 1) in emulator.launches[0][0].defines
    assert_close(results[0], expected)
    assert torch.equal(results[0], results[1])
    with emulated():
        assert_close(compute("filtered_lrelu", x, fu, fd, b, **options), results[0], 1e-6)


@settings(max_examples=100)
@given(
    x=images(),
    f=filters(),
    up=st.tuples(factors, factors),
    down=st.tuples(factors, factors),
    padding=st.tuples(*[st.integers(-5, 9)] * 4),
    flip=st.booleans(),
    order=st.sampled_from(ORDERS),
)
def test_upfirdn2d_agrees_with_the_reference(x, f, up, down, padding, flip, order):
    taps = (1, 1) if f is None else (f.shape[-1], f.shape[0])
    assume(fits(tuple(x.shape[3 - a] * up[a] + padding[2 * a] + padding[2 * a + 1] - taps[a] + 1 for a in (0, 1))))
    options = {"up": up, "down": down, "padding": padding, "flip_filter": flip, "gain": 1.7}
    with emulated(order=order):
        actual = compute("upfirdn2d", x, f, **options)
    expected = reference("upfirdn2d", x.double(), f, **options)
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max().item() <= 3e-5 * max(expected.abs().max().item(), 0.05, sum_of_taps(f))


@settings(max_examples=100)
@given(call=filtered_calls(), order=st.sampled_from(ORDERS))
def test_filtered_lrelu_agrees_with_the_reference(call, order):
    (x, fu, fd, b), options = call
    with emulated(order=order):
        actual = compute("filtered_lrelu", x, fu, fd, b, **options)
    expected = reference("filtered_lrelu", x.double(), fu, fd, b, **options)
    assert actual.shape == expected.shape
    bound = 3e-5 * max(expected.abs().max().item(), 0.05) * max(1.0, sum_of_taps(fu) * sum_of_taps(fd))
    assert (actual - expected).abs().max().item() <= bound


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("width", [61, 64])
def test_sixteen_bits_are_computed_in_thirty_two_and_rounded_once(dtype, width):
    (_, fu, fd, b), options = layer_call(layer_of("r256", 1), channels=2)
    x = torch.randn(1, 2, 40, width, generator=torch.Generator().manual_seed(0)).to(dtype)
    with emulated():
        for op, tensors, given in (("filtered_lrelu", (x, fu, fd, b), options), ("upfirdn2d", (x, fu), {"up": 2, "padding": 5})):
            y = compute(op, *tensors, **given)
            assert torch.equal(y, compute(op, x.float(), *tensors[1:], **given).to(dtype))
        y = compute("bias_act", x, b.to(dtype), act="swish", clamp=1.0)
        assert torch.equal(y, compute("bias_act", x.float(), b.to(dtype).float(), act="swish", clamp=1.0).to(dtype))


def test_every_half_is_converted_as_torch_does():
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int16)
    halves = bits.view(torch.float16)
    convert, narrow = library().emulate_conversion, library().emulate_narrowing
    convert.restype, convert.argtypes = ctypes.c_float, [ctypes.c_ushort]
    narrow.restype, narrow.argtypes = ctypes.c_ushort, [ctypes.c_float]
    actual = torch.tensor([convert(b & 0xFFFF) for b in bits.tolist()])
    assert torch.equal(actual.nan_to_num(1.5), halves.float().nan_to_num(1.5))
    between = torch.randn(20000, generator=torch.Generator().manual_seed(0)) * torch.logspace(-9, 5.2, 20000)
    ties = halves[halves.isfinite()].float()
    ties = (ties[1:] + ties[:-1]) / 2
    for values in (between, ties, torch.tensor([65519.9, 65520.0, -65520.0, float("inf"), 6.1e-5, 2.9e-8, 0.0])):
        expected = values.half().view(torch.int16).tolist()
        assert [narrow(v) for v in values.tolist()] == [e & 0xFFFF for e in expected]


VIEWS = {
    "channels": lambda x: x[:, ::2],
    "rows": lambda x: x[:, :, 1::2],
    "cropped": lambda x: x[..., 3:-2],
    "columns": lambda x: x[..., ::2],
    "transposed": lambda x: x.transpose(2, 3),
    "expanded": lambda x: x[:, :1].expand(-1, 4, -1, -1),
    "channels last": lambda x: x.to(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("view", VIEWS)
def test_strides_are_followed(view, dtype):
    (x, fu, fd, b), options = layer_call(layer_of("t256", 0), channels=8)
    x = VIEWS[view](torch.nn.functional.pad(x, (1, 3)).to(dtype))
    b = b[: x.shape[1]]
    with emulated():
        for op, others, given in (
            ("filtered_lrelu", (fu, fd, b), options),
            ("upfirdn2d", (fu,), {"up": 2, "padding": 5}),
            ("bias_act", (b,), {"act": "lrelu"}),
        ):
            y = compute(op, x, *others, **given)
            assert torch.equal(y, compute(op, x.contiguous(), *others, **given))
            assert y.is_contiguous(memory_format=torch.channels_last if view == "channels last" else torch.contiguous_format)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_stays_visible(value):
    (x, fu, fd, b), options = layer_call(layer_of("t256", 0), channels=1)
    x[0, 0, 20, 17] = value
    expected = reference("filtered_lrelu", x, fu, fd, b, **options)
    with emulated(exact=True):
        actual = compute("filtered_lrelu", x, fu, fd, b, **options)
        assert compute("bias_act", x, b, clamp=1.0)[0, 0, 20, 17].isnan() == np.isnan(value)
    assert torch.equal(actual.isnan(), expected.isnan())
    assert_close(actual.nan_to_num(), expected.nan_to_num())


def test_large_filters_are_computed_by_the_kernel_for_all_sizes():
    """The warp's anti-aliasing filter: 48 x 48 taps, four times up."""
    x, f = torch.randn(1, 1, 20, 25), torch.randn(48, 48)
    options = {"up": 4, "padding": (25, 22, 25, 22), "gain": 16}
    with emulated() as emulator:
        actual = compute("upfirdn2d", x, f, **options)
    assert "FIXED" not in dict(emulator.launches[0][0].defines)
    assert_close(actual, reference("upfirdn2d", x, f, **options), 2e-5)


def test_an_emulated_fault_is_seen(monkeypatch):
    """The emulator's guards: a tile whose shared memory is too small by one row is caught."""
    true = cuda_plan.Shape.shared_bytes
    monkeypatch.setattr(cuda_plan.Shape, "shared_bytes", lambda self, tile: true(self, tile) - 4 * tile[0])
    with emulated(), pytest.raises(AssertionError, match="beyond shared memory"):
        compute("upfirdn2d", torch.randn(1, 1, 64, 64), torch.ones(4), padding=2)


def test_kernels_that_do_not_compute_what_they_should_are_not_used(monkeypatch):
    with emulated() as emulator:
        check_kernels("cpu")
        assert len(emulator.launches) == 3

    def refused(*arguments):
        raise RuntimeError("the CUDA driver refused a call: CUDA_ERROR_NO_BINARY_FOR_GPU")

    monkeypatch.setattr(cuda_resample, "launch", refused)
    with pytest.raises(Unavailable, match=r"filtered_lrelu does not run on this GPU: .*NO_BINARY"):
        check_kernels("cpu")

    def wrong(kernel, blocks, shared_bytes, call, device):
        if kernel.name == "resample":
            call.slope += 0.5
        with emulated() as emulator:
            emulator(kernel, blocks, shared_bytes, call, device)

    monkeypatch.setattr(cuda_resample, "launch", wrong)
    with pytest.raises(Unavailable, match="filtered_lrelu differs from its definition"):
        check_kernels("cpu")
