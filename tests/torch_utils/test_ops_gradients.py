"""First and second derivatives of the references, against finite differences in float64."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from torch_utils.ops import bias_act, filtered_lrelu, modulated_conv2d, upfirdn2d, use
from torch_utils.ops.bias_act import ACTIVATIONS


@pytest.fixture(autouse=True, scope="module")
def reference():
    with use("reference"):
        yield


def normal(seed, *shape):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x.requires_grad_()


def check(function, *inputs):
    """Both orders, along random directions rather than entry by entry: seconds instead of minutes."""
    assert gradcheck(function, inputs, fast_mode=True)
    assert gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_bias_act(act):
    check(lambda x, b: bias_act(x, b, act=act, gain=1.3, clamp=0.9), normal(0, 2, 3, 2), normal(1, 3))


RESAMPLINGS = {
    "filter": {"padding": (1, 2, 2, 1)},
    "crop": {"padding": (1, -2, -1, 3), "flip_filter": True, "gain": 2.0},
    "up": {"up": 2, "padding": (2, 1, 2, 1)},
    "up, padded further than the filter reaches": {"up": 2, "padding": (5, 5, 4, 4)},
    "up, cropped": {"up": (3, 2), "padding": (-4, 2, 2, -3)},
    "down": {"down": 2, "padding": (1, 2, 2, 1)},
    "both": {"up": 2, "down": 3, "padding": (3, 2, -1, 3)},
    "one axis each": {"up": (2, 1), "down": (1, 2), "padding": (0, 1, 2, 3)},
}


@pytest.mark.parametrize("shape", [None, (3,), (2, 3)], ids=str)
@pytest.mark.parametrize("name", RESAMPLINGS)
def test_upfirdn2d(name, shape):
    x = normal(0, 1, 2, 4, 5)
    if shape is None:
        check(lambda x: upfirdn2d(x, None, **RESAMPLINGS[name]), x)
    else:
        check(lambda x, f: upfirdn2d(x, f, **RESAMPLINGS[name]), x, normal(1, *shape))


FILTERED = {
    "layer": {"up": 2, "down": 2, "padding": (4, 3, 4, 3)},
    "clamped": {"up": 2, "down": 2, "padding": 3, "clamp": 0.5, "gain": 1.3, "slope": 0.1, "flip_filter": True},
    "cropped": {"up": 4, "down": 2, "padding": (-1, -2, 1, 2), "clamp": 2.0},
    "nothing to filter": {"slope": 1.0, "gain": 1.0, "clamp": 1.0},
    "negative gain": {"up": 2, "padding": 2, "gain": -1.0},
}


@pytest.mark.parametrize("two_dimensional", [False, True])
@pytest.mark.parametrize("name", FILTERED)
def test_filtered_lrelu(name, two_dimensional):
    x, b = normal(0, 1, 2, 5, 4), normal(1, 2)
    if name == "nothing to filter":
        check(lambda x, b: filtered_lrelu(x, b=b, **FILTERED[name]), x, b)
        return
    fd = normal(3, 2, 3) if two_dimensional else normal(3, 3)
    check(lambda x, b, fu, fd: filtered_lrelu(x, fu, fd, b, **FILTERED[name]), x, b, normal(2, 4), fd)


@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize("kernel", [1, 3])
def test_modulated_conv2d(kernel, demodulate):
    def function(x, weight, styles, gain):
        return modulated_conv2d(x, weight, styles, demodulate=demodulate, padding=kernel - 1, input_gain=gain)

    check(function, normal(0, 2, 2, 3, 4), normal(1, 3, 2, kernel, kernel), normal(2, 2, 2), normal(3, 1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_have_the_types_of_their_tensors(dtype):
    x, f, b = (
        normal(0, 1, 2, 6, 6).detach().to(dtype).requires_grad_(),
        torch.full((4,), 0.25),
        normal(1, 2).detach().float().requires_grad_(),
    )
    weight, styles = normal(2, 3, 2, 1, 1).detach().float().requires_grad_(), normal(3, 1, 2).detach().float().requires_grad_()
    y = filtered_lrelu(x, f, f, b, up=2, down=2, padding=3)
    y = modulated_conv2d(bias_act(upfirdn2d(y, f), b, act="lrelu"), weight, styles)
    gradients = torch.autograd.grad(y.float().square().sum(), (x, b, weight, styles))
    assert [g.dtype for g in gradients] == [dtype, torch.float32, torch.float32, torch.float32]
    assert all(g.isfinite().all() and g.any() for g in gradients)
