"""The gradients of the CUDA operators, run on the CPU by the emulator, against those of the references."""

import pytest
import torch
from hypothesis import assume, given, settings, strategies as st

from tests.torch_utils.cuda_calls import ORDERS, assert_close, compute, filtered_calls, reference
from tests.torch_utils.cuda_emulator import emulated
from tests.torch_utils.test_native import layer_call, layer_of, sum_of_taps
from torch_utils.native_build import NativeUnavailable, find_toolchain
from torch_utils.ops.bias_act import ACTIVATIONS

try:
    find_toolchain()
except NativeUnavailable as error:
    pytest.skip(f"the emulator needs a C++ compiler: {error}", allow_module_level=True)


@pytest.mark.parametrize("name, index", [("t256", 2), ("r256", 9)])
def test_kernels_of_constant_sizes_mark_and_go_back(name, index):
    """The variants of training: bit for bit the same however threads and blocks are ordered, and the gradient of the reference."""
    (x, fu, fd, b), options = layer_call(layer_of(name, index), channels=1)
    options["clamp"] = 1.5
    g = torch.randn(reference("filtered_lrelu", x, fu, fd, b, **options).shape, generator=torch.Generator().manual_seed(0))
    results = []
    for order in ORDERS[:2]:
        with emulated(order=order, exact=True) as emulator:
            y = compute("filtered_lrelu", x.requires_grad_(), fu, fd, b, **options)
            results.append(torch.autograd.grad(y, x, g)[0])
        assert [dict(kernel.defines).get("FIXED") for kernel, *_ in emulator.launches] == [1, 1]
    assert torch.equal(*results)
    (expected,) = torch.autograd.grad(reference("filtered_lrelu", x, fu, fd, b, **options), x, g)
    # A sample within rounding of a kink may fall on either side of it; those are few.
    assert ((results[0] - expected).norm() / expected.norm()).item() <= 1e-3
    assert (results[0] - expected).abs().median().item() <= 1e-6 * expected.abs().max().item()


@settings(max_examples=60)
@given(call=filtered_calls(), order=st.sampled_from(ORDERS))
def test_gradients_agree_with_the_reference(call, order):
    """x's and b's; a gradient of the gradient; and what the kernel marks changes nothing of its result."""
    (x, fu, fd, b), options = call
    x, b = x.requires_grad_(), b.requires_grad_()
    generator = torch.Generator().manual_seed(1)
    with emulated(order=order):
        with torch.no_grad():
            plain = compute("filtered_lrelu", x, fu, fd, b, **options)
        y = compute("filtered_lrelu", x, fu, fd, b, **options)
        g = torch.randn(y.shape, generator=generator).requires_grad_()
        assert torch.equal(y.detach(), plain)
        dx, db = torch.autograd.grad(y, (x, b), g, create_graph=True)
        v = torch.randn(x.shape, generator=generator)
        (second,) = torch.autograd.grad(dx, g, v)
    assume(_is_smooth_at(x, fu, b, options))
    wide = [None if t is None else t.detach().double() for t in (x, fu, fd, b, g)]
    for t in (wide[0], wide[3], wide[4]):
        t.requires_grad_()
    y2 = reference("filtered_lrelu", *wide[:4], **options)
    expected = torch.autograd.grad(y2, (wide[0], wide[3]), wide[4], create_graph=True)
    (expected_second,) = torch.autograd.grad(expected[0], wide[4], v.double())
    for actual, wanted in ((dx, expected[0]), (db, expected[1]), (second, expected_second)):
        bound = 1e-4 * max(wanted.abs().max().item(), 0.05) * max(1.0, sum_of_taps(fu) * sum_of_taps(fd))
        assert actual.shape == wanted.shape
        assert (actual - wanted).abs().max().item() <= bound


def _is_smooth_at(x, fu, b, options) -> bool:
    """Whether rounding cannot decide on which side of a kink a sample lies (so that both sides may differ)."""
    gain = options["gain"] * options["up"][0] * options["up"][1]
    u = reference("upfirdn2d", (x + b[:, None, None]).detach().double(), fu, **{k: options[k] for k in ("up", "padding", "flip_filter")})
    u = u * gain
    near = 1e-5 * max(1.0, sum_of_taps(fu)) * abs(gain)
    outside = u == 0  # exactly 0, in padding, on both sides alike
    kinks = (u.abs() < near) & ~outside
    if options["clamp"] is not None:
        limited = torch.where(u * gain > 0, u, u * options["slope"])
        kinks |= ((limited.abs() - options["clamp"]).abs() < near) & ~outside
    return not bool(kinks.any()) and options["clamp"] != 0.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_have_the_types_of_their_tensors(dtype):
    (x, fu, fd, b), options = layer_call(layer_of("t256", 0), channels=2)
    x, b = x.to(dtype).requires_grad_(), b.requires_grad_()
    with emulated():
        y = compute("bias_act", compute("filtered_lrelu", x, fu, fd, b, **options), b, act="lrelu")
        gradients = torch.autograd.grad(y.float().square().sum(), (x, b))
    assert [g.dtype for g in gradients] == [dtype, torch.float32]
    assert all(g.isfinite().all() and g.any() for g in gradients)


def test_filters_that_need_gradients_get_them():
    x, f = torch.randn(1, 2, 8, 8), torch.randn(4).requires_grad_()
    with emulated() as emulator:
        compute("upfirdn2d", x, f, padding=2).sum().backward()
        compute("filtered_lrelu", x, f, None, None, padding=2).sum().backward()
    assert f.grad is not None and not emulator.launches


def test_marks_are_two_bits_a_sample():
    (x, fu, fd, b), options = layer_call(layer_of("t256", 3), channels=2)
    with emulated():
        y = compute("filtered_lrelu", x.requires_grad_(), fu, fd, b, **options)
    (marks,) = y.grad_fn.saved_tensors
    middle = y.shape[2] * 2 + 10
    assert marks.numel() * 16 <= 2 * (middle + 15) * middle


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("dim, shape", [(1, (2, 3, 7, 5)), (1, (4, 3)), (0, (9,)), (-1, (2, 2, 6)), (1, (1, 8, 4, 4))])
def test_bias_act_and_its_gradients(act, dim, shape):
    generator = torch.Generator().manual_seed(0)
    x, b = (3 * torch.randn(shape, generator=generator)).requires_grad_(), torch.randn(shape[dim], generator=generator).requires_grad_()
    options = {"dim": dim, "act": act, "gain": 1.3, "clamp": 0.9}
    expected = reference("bias_act", x, b, **options)
    g = torch.randn(shape, generator=generator).requires_grad_()
    with emulated() as emulator:
        y = compute("bias_act", x, b, **options)
        gradients = torch.autograd.grad(y, (x, b), g, retain_graph=True)
        assert len(emulator.launches) == 2
        second = _second_gradients(y, x, g)
    assert_close(y, expected, 1e-6)
    for actual, wanted in zip(gradients, torch.autograd.grad(expected, (x, b), g, retain_graph=True), strict=True):
        assert_close(actual, wanted, 1e-5)
    for actual, wanted in zip(second, _second_gradients(expected, x, g), strict=True):
        assert_close(actual, wanted)


def _second_gradients(y: torch.Tensor, x: torch.Tensor, g: torch.Tensor) -> tuple[torch.Tensor, ...]:
    (dx,) = torch.autograd.grad(y, x, g, create_graph=True)
    return torch.autograd.grad(dx.square().sum(), (x, g), materialize_grads=True)
