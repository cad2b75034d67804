"""`modulated_conv2d` against the weights it never forms."""

import sys

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st

from torch_utils.ops import demodulation, modulated_conv2d, use, weight_energy


@pytest.fixture(autouse=True, scope="module")
def reference():
    with use("reference"):
        yield


def define(x, weight, styles, *, demodulate=True, padding=0, input_gain=1.0):
    """One convolution a sample, with its own modulated weight, formed from normalised weights and styles."""
    weight = weight / weight.square().mean((1, 2, 3), keepdim=True).sqrt() if demodulate else weight
    styles = styles / styles.square().mean(1, keepdim=True).sqrt() if demodulate else styles
    images = []
    for image, style in zip(x, styles, strict=True):
        modulated = weight * style[:, None, None]
        if demodulate:
            modulated = modulated / (modulated.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        images.append(F.conv2d(image[None], modulated * input_gain, padding=padding))
    return torch.cat(images)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def error(y, expected):
    assert y.shape == expected.shape
    return ((y - expected).abs().max() / expected.abs().max()).item()


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(3, 7), st.integers(3, 7)),
    st.sampled_from([(1, 1), (3, 3), (2, 3)]),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([None, 0.3]),
)
def test_it_is_a_convolution_with_the_modulated_weight(seed, sizes, kernel, padding, demodulate, input_gain):
    n, inputs, outputs, height, width = sizes
    x, weight, styles = normal(seed, n, inputs, height, width), normal(seed + 1, outputs, inputs, *kernel), normal(seed + 2, n, inputs)
    gain = 1.0 if input_gain is None else input_gain
    expected = define(x, weight, styles, demodulate=demodulate, padding=padding, input_gain=gain)
    y = modulated_conv2d(x, weight, styles, demodulate=demodulate, padding=padding, input_gain=input_gain)
    assert error(y, expected) < 1e-6


@pytest.mark.parametrize("kernel", [1, 3])
def test_float32_agrees_to_1e_6(kernel):
    x, weight, styles = normal(0, 2, 64, 16, 16), normal(1, 48, 64, kernel, kernel), 1 + 0.5 * normal(2, 2, 64)
    expected = define(x, weight, styles, padding=kernel - 1)
    y = modulated_conv2d(x.float(), weight.float(), styles.float(), padding=kernel - 1)
    assert y.dtype == torch.float32
    assert error(y.double(), expected) < 1e-6


@pytest.mark.parametrize("weight_scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("style_scale", [1e-6, 1.0, 1e6])
def test_demodulation_cancels_the_scales_of_weights_and_styles(weight_scale, style_scale):
    x, weight, styles = normal(0, 2, 6, 5, 5), normal(1, 4, 6, 3, 3), normal(2, 2, 6)
    y = modulated_conv2d(x, weight * weight_scale, styles * style_scale)
    assert error(y, modulated_conv2d(x, weight, styles)) < 1e-12


def test_demodulation_keeps_the_variance():
    """Unit-variance input gives unit-variance output, whatever the styles (StyleGAN2, section 2.2)."""
    x, weight, styles = normal(0, 4, 64, 32, 32), normal(1, 32, 64, 3, 3), torch.exp(normal(2, 4, 64))
    variance = modulated_conv2d(x, weight, styles).var((2, 3))
    assert 0.9 < variance.mean() < 1.1


def test_the_coefficients_are_those_of_the_formed_weight():
    weight, styles = normal(1, 4, 6, 3, 3), normal(2, 2, 6)
    norms = (weight * styles[:, None, :, None, None]).square().sum((2, 3, 4)).sqrt()
    energy = weight_energy(weight)
    assert energy.shape == (4, 6)
    assert error(demodulation(energy, styles), 1 / norms) < 1e-7


def test_no_styles_or_weights_give_zeros_and_finite_gradients():
    x = normal(0, 1, 3, 4, 4)
    weight, styles = torch.zeros(2, 3, 1, 1).double().requires_grad_(), torch.zeros(1, 3).double().requires_grad_()
    for w, s in ((weight, normal(1, 1, 3)), (normal(1, 2, 3, 1, 1), styles), (weight, styles)):
        y = modulated_conv2d(x, w, s)
        assert torch.equal(y, torch.zeros_like(y))
        for parameter in (p for p in (w, s) if p.requires_grad):
            (gradient,) = torch.autograd.grad(y.sum(), parameter, retain_graph=True)
            assert gradient.isfinite().all()


@pytest.mark.parametrize("gain", [0.3, torch.tensor(0.3), torch.tensor([0.3]), torch.tensor(0.3, dtype=torch.float64)])
@pytest.mark.parametrize("demodulate", [False, True])
def test_the_input_gain_multiplies_everything(gain, demodulate):
    x, weight, styles = normal(0, 2, 3, 4, 4).float(), normal(1, 5, 3, 1, 1).float(), normal(2, 2, 3).float()
    y = modulated_conv2d(x, weight, styles, demodulate=demodulate, input_gain=gain)
    assert y.dtype == torch.float32
    assert error(y, 0.3 * modulated_conv2d(x, weight, styles, demodulate=demodulate)) < 1e-6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_types_are_rounded_once_on_a_cpu(dtype):
    x, weight, styles = normal(0, 2, 8, 6, 6).to(dtype), normal(1, 5, 8, 3, 3).float(), normal(2, 2, 8).float()
    y = modulated_conv2d(x, weight, styles, padding=1)
    assert y.dtype == dtype
    assert torch.equal(y, modulated_conv2d(x.float(), weight, styles, padding=1).to(dtype))


@pytest.mark.parametrize("demodulate", [False, True])
def test_16_bit_convolution_as_on_an_accelerator_does_not_overflow(monkeypatch, demodulate):
    """The path that convolves in float16 itself: weights and styles of any size, and images near the clamp of 256, stay in range."""
    monkeypatch.setattr(sys.modules["torch_utils.ops.modulated_conv2d"], "_convolves_halves", lambda x: True)
    x = normal(0, 2, 32, 6, 6).mul(40).clamp(-256, 256)
    scale = 1e4 if demodulate else 0.02
    weight, styles = normal(1, 5, 32, 3, 3) * scale, normal(2, 2, 32) * scale * 10
    expected = define(x, weight, styles, demodulate=demodulate)
    y = modulated_conv2d(x.half(), weight.float(), styles.float(), demodulate=demodulate)
    assert y.dtype == torch.float16
    assert y.isfinite().all()
    assert error(y.double(), expected) < 2e-3


def test_an_empty_batch():
    x, weight = torch.zeros(0, 3, 5, 5, requires_grad=True), torch.ones(4, 3, 3, 3, requires_grad=True)
    y = modulated_conv2d(x, weight, torch.ones(0, 3), padding=2, input_gain=2.0)
    assert y.shape == (0, 4, 7, 7)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(weight.grad, torch.zeros_like(weight))


def test_the_inputs_are_left_alone():
    x, weight, styles = normal(0, 2, 3, 4, 4), normal(1, 5, 3, 1, 1), normal(2, 2, 3)
    copies = [t.clone() for t in (x, weight, styles)]
    modulated_conv2d(x, weight, styles, input_gain=2.0)
    assert all(torch.equal(t, copy) for t, copy in zip((x, weight, styles), copies, strict=True))


BAD = [
    ({"padding": -1}, "padding must be an int, at least 0, got -1"),
    ({"padding": (1, 1)}, r"padding must be an int, at least 0, got \(1, 1\)"),
    ({"weight": torch.ones(4, 3, 1)}, r"weight must have 4 axes, got shape \(4, 3, 1\)"),
    ({"weight": torch.ones(4, 2, 1, 1)}, r"weight of shape \(4, 2, 1, 1\) does not fit the 3 channels of x"),
    ({"weight": torch.ones(0, 3, 1, 1)}, r"weight of shape \(0, 3, 1, 1\)"),
    ({"styles": torch.ones(3)}, r"styles must have 2 axes, got shape \(3,\)"),
    ({"styles": torch.ones(1, 3)}, r"styles must have shape \(2, 3\), as x has, got \(1, 3\)"),
    ({"input_gain": torch.ones(2)}, r"input_gain must be one number, got shape \(2,\)"),
    ({"input_gain": float("nan")}, "input_gain must be a finite number, got nan"),
    ({"weight": torch.ones(4, 3, 7, 7)}, "nothing is left: x of 5 x 5 .* would give -1 x -1"),
    ({"x": torch.ones(3, 5, 5)}, r"x must be N x C x H x W, got shape \(3, 5, 5\)"),
    ({"weight": None}, "weight must have 4 axes, got None"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=lambda value: str(value)[:30])
def test_bad_arguments_are_named_with_their_value(changes, message):
    arguments = {"x": torch.ones(2, 3, 5, 5), "weight": torch.ones(4, 3, 1, 1), "styles": torch.ones(2, 3)} | changes
    with pytest.raises(ValueError, match=message):
        modulated_conv2d(**arguments)
