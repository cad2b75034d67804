"""The kernel for tensor cores, run on the CPU by an emulator of warps, against the reference in float64.

Each product of fragments is emulated with the lanes' registers as the hardware deals them out; copies into shared memory arrive no sooner
than they are waited for. Shows that the arithmetic, the layout of fragments and what the host passes are right, not that a GPU runs it.
"""

import ctypes
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from tests.torch_utils.cuda_calls import ORDERS, compute, reference
from tests.torch_utils.cuda_emulator import emulated, library
from tests.torch_utils.test_cuda_arithmetic import VIEWS
from tests.torch_utils.test_native import layer_call, layer_of
from torch_utils.native_build import NativeUnavailable, find_toolchain
from torch_utils.ops import cuda as operators, cuda_banded, cuda_resample

try:
    find_toolchain()
except NativeUnavailable as error:
    pytest.skip(f"the emulator needs a C++ compiler: {error}", allow_module_level=True)

TOLERANCE = 1e-3  # of the largest value: the output's own rounding is up to half of it
BFLOAT16_TOLERANCE = 3e-3  # of which the output's own rounding is up to 2e-3
LAYERS = [("t256", 0), ("t256", 3), ("t256", 13), ("r256", 0), ("r256", 1), ("r256", 3), ("r256", 9), ("r256", 12)]


def error_of(actual: torch.Tensor, expected: torch.Tensor) -> float:
    assert actual.shape == expected.shape
    return ((actual.double() - expected).abs().max() / expected.abs().max()).item()


def on_tensor_cores(x, *rest, order: int = 0, **options) -> torch.Tensor:
    with emulated(order=order, tensor_cores=True) as emulator, torch.no_grad():
        y = compute("filtered_lrelu", x, *rest, **options)
    assert [kernel.name for kernel, *_ in emulator.launches] == ["banded"]
    return y


def test_the_structure_is_that_of_the_kernel():
    (x, *rest), options = layer_call(layer_of("t256", 3), channels=1)
    with emulated(tensor_cores=True) as emulator:
        compute("filtered_lrelu", x.half(), *rest, **options)
    ((kernel, *_),) = emulator.launches
    assert library(tuple(kernel.flags()[1:])).emulated_call_bytes(0) == ctypes.sizeof(cuda_banded.BandedCall)
    assert kernel.threads == 32 * cuda_banded.WARPS


@pytest.mark.parametrize("name, index", LAYERS)
def test_layers(name, index):
    """Every kind: factors 2 and 4, ranks 1 to 4. All of a batch, in either order of the tasks, to the same bits."""
    (x, fu, fd, b), options = layer_call(layer_of(name, index), channels=2)
    x, options["clamp"] = x.half(), 2.0
    expected = reference("filtered_lrelu", x.double(), fu, fd, b, **options)
    results = [on_tensor_cores(x, fu, fd, b, order=order, **options) for order in ORDERS[:2]]
    assert results[0].dtype == torch.float16
    assert error_of(results[0], expected) <= TOLERANCE
    assert torch.equal(*results)


@pytest.mark.parametrize("name, index", [("t256", 3), ("r256", 9)])
def test_bfloat16_is_float16_on_the_way(name, index):
    """Its results are those of the same numbers as halves, rounded to eight bits; also for rows that begin at odd elements."""
    (x, fu, fd, b), options = layer_call(layer_of(name, index), channels=2)
    x = x.bfloat16()
    for images in (x, x[..., 1:-2].contiguous()):
        y = on_tensor_cores(images, fu, fd, b, **options)
        expected = reference("filtered_lrelu", images.double(), fu, fd, b, **options)
        assert y.dtype == torch.bfloat16 and error_of(y, expected) <= BFLOAT16_TOLERANCE
        halves = on_tensor_cores(images.half(), fu, fd, b, **options)
        assert (y.float() - halves.float()).abs().max() <= 2**-8 * y.float().abs().max()
        assert (y == halves.bfloat16()).float().mean() > 0.92  # one in eight halves lies in the middle, and may go to either side
    x[0, 0, 20, 20] = 1e6
    seen = on_tensor_cores(x, fu, fd, b, **options)
    assert not seen[0, 0].isfinite().all() and seen[0, 1].isfinite().all()


@pytest.mark.parametrize("view", VIEWS)
def test_strides_are_followed(view):
    (x, fu, fd, b), options = layer_call(layer_of("t256", 0), channels=8)
    x = VIEWS[view](torch.nn.functional.pad(x, (1, 3)).half())
    y = on_tensor_cores(x, fu, fd, b[: x.shape[1]], **options)
    assert torch.equal(y, on_tensor_cores(x.contiguous(), fu, fd, b[: x.shape[1]], **options))
    assert y.is_contiguous(memory_format=torch.channels_last if view == "channels last" else torch.contiguous_format)


sides = st.integers(5, 70)


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), sides, sides),
    up=st.tuples(st.sampled_from([2, 4]), st.sampled_from([2, 4])),
    taps=st.tuples(st.sampled_from([1, 5, 12, 15, 16]), st.integers(1, 12)),
    rank=st.integers(1, 4),
    padding=st.tuples(*[st.integers(-5, 20)] * 4),
    numbers=st.tuples(st.sampled_from([2**0.5, -1.3, 0.5]), st.sampled_from([-0.3, 0.0, 0.2, 1.0]), st.sampled_from([None, 0.7, 256.0])),
    seed=st.integers(0, 99),
)
def test_random_calls(shape, up, taps, rank, padding, numbers, seed):
    generator = torch.Generator().manual_seed(seed)
    x, b = torch.randn(shape, generator=generator).half(), torch.randn(shape[1], generator=generator)
    fu = torch.rand(taps[0], generator=generator) / taps[0]
    columns, rows = (torch.rand(rank, taps[1], generator=generator) / taps[1] for _ in range(2))
    fd = columns.T @ rows if rank > 1 else rows[0]
    if min(shape[3] * up[0] + sum(padding[:2]), shape[2] * up[1] + sum(padding[2:])) < taps[0] + taps[1]:
        return
    gain, slope, clamp = numbers
    options = {"up": up, "down": 2, "padding": padding, "gain": gain, "slope": slope, "clamp": clamp}
    actual = on_tensor_cores(x, fu, fd, b, **options)
    expected = reference("filtered_lrelu", x.double(), fu, fd, b.double(), **options)
    largest = abs(gain) * 4.0 if clamp is None else min(abs(gain) * 4.0, clamp)  # of the middle: that of an output may be less by chance
    scale = max(expected.abs().max().item(), 0.2 * largest * fd.abs().sum().item() ** (2 if fd.ndim == 1 else 1))
    # With a tap or two nothing averages out: four filters and four results may each be 2^-11 away.
    assert (actual.double() - expected).abs().max().item() <= 4 * TOLERANCE * scale


def test_reads_at_odd_columns():
    """16 taps leave no room to begin at an even one. The bias belongs to what is inside, from the first column to the last."""
    generator = torch.Generator().manual_seed(0)
    x, fu, fd = torch.randn(1, 1, 21, 33, generator=generator).half(), torch.rand(16, generator=generator) / 8, torch.ones(8) / 8
    options = {"up": 2, "down": 2, "padding": (10, 9, 10, 9)}
    plan = operators.filtered_lrelu_plan(x, fu, fd, operators.FilteredLreluOptions((2, 2), (2, 2), (10, 9, 10, 9), 1.0, 0.2, None, False))
    assert cuda_banded.banded(plan, 1.0).first == (-5, -5)
    expected = reference("filtered_lrelu", x.double(), fu, fd, torch.tensor([3.0]), **options)
    assert error_of(on_tensor_cores(x, fu, fd, torch.tensor([3.0]), **options), expected) <= 2 * TOLERANCE


def test_what_rounding_takes_from_a_bias_is_given_back():
    """10.003 as a half is 0.003 less, which would move the whole channel by 0.005."""
    (x, fu, fd, _), options = layer_call(layer_of("t256", 0), channels=1)
    x, b = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).half(), torch.tensor([10.003])
    options["clamp"] = None
    difference = on_tensor_cores(x, fu, fd, b, **options) - reference("filtered_lrelu", x.double(), fu, fd, b.double(), **options)
    assert abs(difference[..., 8:-8, 8:-8].mean().item()) <= 2.5e-3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_stays_visible(value):
    """It spreads further than its filter, to whole blocks of a product, but not through the image."""
    (x, fu, fd, b), options = layer_call(layer_of("t256", 0), channels=2)
    x = x.half()
    x[0, 0, 20, 17] = value
    finite = on_tensor_cores(x, fu, fd, b, **options).isfinite()
    assert not finite[0, 0, 18:20, 15:17].any()
    assert finite[0, 0].float().mean() > 0.2 and finite[0, 1].all()


def test_what_exceeds_a_half_is_clamped():
    (x, fu, fd, b), options = layer_call(layer_of("t256", 3), channels=1)
    x = torch.full_like(x, 60000.0).half()
    y = on_tensor_cores(x, fu, fd, b, **options | {"clamp": 256.0})
    assert (y[0, 0, 10:-10, 10:-10].float() - 256.0 * fd.sum() ** 2).abs().max() < 0.5


REFUSED = {
    "float32": ({}, torch.float32, "computed in float32"),
    "bfloat16": ({"clamp": None}, torch.bfloat16, "without a clamp"),
    "bfloat16 of any size": ({"clamp": 1e5}, torch.bfloat16, "without a clamp"),
    "steep": ({"slope": 1.5}, torch.float16, "slopes up to 1"),
    "factors": ({"up": 3}, torch.float16, "up 2 or 4"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_tensor_cores_do_not_serve_goes_the_other_way(name):
    changed, dtype, reason = REFUSED[name]
    (x, fu, fd, b), options = layer_call(layer_of("t256", 0), channels=1)
    options |= changed
    with emulated(tensor_cores=True) as emulator:
        compute("filtered_lrelu", x.to(dtype), fu, fd, b, **options)
        compute("filtered_lrelu", x.half().requires_grad_(), fu, fd, b, **options)
    assert {kernel.name for kernel, *_ in emulator.launches} == {"resample"}
    checked = operators.FilteredLreluOptions(
        (options["up"],) * 2, (options["down"],) * 2, tuple(options["padding"]), 1.0, options.get("slope", 0.2), None, False
    )
    plan = operators.filtered_lrelu_plan(x, fu, fd, checked)
    clamp = options["clamp"] or math.inf
    assert reason in str(cuda_banded.objection(plan, cuda_resample.Mode.ACTIVATE, checked.slope, dtype, clamp))
    assert cuda_banded.objection(plan, cuda_resample.Mode.LINEAR, 1.0, torch.bfloat16) is not None


def test_taps_are_rounded_together():
    (_, fu, fd, _), _ = layer_call(layer_of("t256", 3), channels=1)
    taps = fd.numpy().astype(np.float64)
    made = cuda_banded.rounded_fall(taps, 4)[0].astype(np.float64)
    assert np.abs(made - taps).max() <= 2**-10 * np.abs(taps).max()
    assert abs((made - taps).sum()) <= min(1e-5, abs((taps.astype(np.float16) - taps).sum()))
    for phase in range(4):
        rise = 4 * fu.numpy().astype(np.float64)
        error = cuda_banded.rounded_rise(rise, 4)[0][phase::4].astype(np.float64) - rise[phase::4]
        assert abs(error.sum()) <= abs((rise.astype(np.float16) - rise)[phase::4].sum()) + 1e-12


@pytest.mark.parametrize("name, index", [("t256", 3), ("r256", 9)])
def test_scales_of_filters_come_to_nothing(name, index):
    """Each is a multiple of what it should be, to its rounding; those of one rise, and of one fall, together of 1."""
    (x, fu, fd, _), options = layer_call(layer_of(name, index), channels=1)
    up = (options["up"],) * 2
    checked = operators.FilteredLreluOptions(up, (2, 2), tuple(options["padding"]), 1.0, 0.2, None, False)
    plan = operators.filtered_lrelu_plan(x, fu, fd, checked)
    for pair, rise in ((plan.rise, True), (plan.fall, False)):
        made, factors = cuda_banded.rounded_pair(pair.x, pair.y, up, rise=rise), []
        for m, t in zip(made, (pair.x, pair.y), strict=True):
            factors.append(float((m * t).sum() / (t * t).sum()))
            assert m.dtype == np.float16
            assert np.abs(m - factors[-1] * t).max() <= 2**-9 * np.abs(m).max()
        assert abs(np.prod(factors) - 1) <= 2e-4


def test_fragments_are_dealt_out_as_the_products_read_them():
    matrix = np.arange(256, dtype=np.float16).reshape(16, 16)
    words = cuda_banded.fragment(matrix)
    halves = words.view(np.uint16).reshape(4, 32, 2).view(np.float16)
    assert halves[0, 6].tolist() == [matrix[1, 4], matrix[1, 5]]
    assert halves[3, 31].tolist() == [matrix[15, 14], matrix[15, 15]]


def test_a_launch_is_prepared_once_and_anew_when_a_filter_changes(monkeypatch):
    (x, fu, fd, b), options = layer_call(layer_of("t256", 0), channels=1)
    x, made = x.half(), []
    true = operators.prepare
    monkeypatch.setattr(operators, "prepare", lambda *arguments: made.append(1) or true(*arguments))
    with emulated(tensor_cores=True):
        results = [compute("filtered_lrelu", x, fu, fd, b, **options) for _ in range(2)]
        assert len(made) == 1
        compute("filtered_lrelu", x.clone(memory_format=torch.channels_last).transpose(2, 3), fu, fd, b, **options)
        assert len(made) == 2
        fd.mul_(2.0)
        results.append(compute("filtered_lrelu", x, fu, fd, b, **options))
        assert len(made) == 3
    assert torch.equal(results[0], results[1])
    assert error_of(results[2], 4 * results[0].double()) < 2 * TOLERANCE


@pytest.mark.parametrize("wrong_type", ["Float16", "Bfloat16"])
def test_a_kernel_that_fails_on_a_gpu_is_not_used_for_that_type(wrong_type, monkeypatch):
    monkeypatch.setattr(cuda_resample, "tensor_core_faults", faults := {})
    monkeypatch.setattr(operators, "tensor_core_faults", faults)
    with emulated(tensor_cores=True) as emulator:
        told = operators.check_tensor_cores("cpu")
        assert "float16 on tensor cores" in told and "bfloat16 too" in told and not faults
        true = cuda_resample.launch

        def wrong(kernel, blocks, shared_bytes, call, device):
            if dict(kernel.defines)["TYPE"] == wrong_type:
                call.slope ^= 0x01000100  # its exponent
            true(kernel, blocks, shared_bytes, call, device)

        monkeypatch.setattr(cuda_resample, "launch", wrong)
        assert "differs from its definition" in operators.check_tensor_cores("cpu")
        monkeypatch.setattr(cuda_resample, "launch", true)
        (x, fu, fd, b), options = layer_call(layer_of("t256", 0), channels=1)
        emulator.launches.clear()
        for dtype in (torch.float16, torch.bfloat16):
            compute("filtered_lrelu", x.to(dtype), fu, fd, b, **options)
        served = {dict(kernel.defines)["TYPE"]: kernel.name for kernel, *_ in emulator.launches}
        assert {kind for kind, name in served.items() if name == "resample"} == {wrong_type} and len(faults) == 1
    with emulated():
        assert "without tensor cores" in operators.check_tensor_cores("cpu")
