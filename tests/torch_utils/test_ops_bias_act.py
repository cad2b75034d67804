"""`bias_act`: activations against numpy formulas, axes, types, and messages."""

import math

import numpy as np
import pytest
import torch

from torch_utils.ops import bias_act, use
from torch_utils.ops.bias_act import ACTIVATIONS


@pytest.fixture(autouse=True, scope="module")
def reference():
    with use("reference"):
        yield


def selu(x):
    alpha, scale = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


FORMULAS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "lrelu": lambda x: np.where(x < 0, 0.2 * x, x),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": selu,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "swish": lambda x: x / (1 + np.exp(-x)),
}
GAINS = {"relu": math.sqrt(2), "lrelu": math.sqrt(2), "swish": math.sqrt(2)}


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_every_activation_has_a_formula_here():
    assert set(FORMULAS) == set(ACTIVATIONS)


@pytest.mark.parametrize("act", FORMULAS)
def test_activations(act):
    x, b = 3 * normal(2, 4, 5), normal(4, seed=1)
    expected = GAINS.get(act, 1.0) * FORMULAS[act](x.numpy() + b.numpy()[:, None])
    np.testing.assert_allclose(bias_act(x, b, act=act).numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "dim"), [((3,), 0), ((2, 3), 1), ((2, 4, 3), 2), ((2, 4, 3), -1), ((3, 2, 2, 2), 0), ((2, 3, 4, 5, 6), 1)]
)
def test_the_bias_lies_on_its_axis(shape, dim):
    x, b = normal(*shape), normal(3, seed=1)
    expected = (x.movedim(dim, -1) + b).movedim(-1, dim)
    assert torch.equal(bias_act(x, b, dim=dim), expected)


def test_gain_then_clamp():
    x = torch.tensor([[-3.0, -0.1, 0.1, 3.0]])
    assert torch.equal(bias_act(x, gain=2.0, clamp=1.0), torch.tensor([[-1.0, -0.2, 0.2, 1.0]]))
    assert torch.equal(bias_act(x, clamp=0), torch.zeros(1, 4))
    assert torch.equal(bias_act(x, gain=-1), -x)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 1.5, -0.3])
def test_alpha_is_the_slope_of_lrelu(alpha):
    x = normal(2, 3)
    assert torch.allclose(bias_act(x, act="lrelu", alpha=alpha, gain=1.0), torch.where(x < 0, alpha * x, x), atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("act", FORMULAS)
def test_16_bit_types_are_rounded_once(dtype, act):
    x, b = normal(2, 7, 3).to(dtype), normal(7, seed=1).float()
    y = bias_act(x, b, act=act, gain=1.7, clamp=1.5)
    assert y.dtype == dtype
    assert torch.equal(y, bias_act(x.float(), b, act=act, gain=1.7, clamp=1.5).to(dtype))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 4), (2, 3, 0)])
def test_nothing_in_gives_nothing(shape):
    x = torch.ones(shape, requires_grad=True)
    y = bias_act(x, torch.ones(shape[1]), act="lrelu", clamp=1)
    y.sum().backward()
    assert y.shape == shape
    assert x.grad is not None


def test_the_input_is_left_alone():
    x, b = normal(2, 3), normal(3)
    before = x.clone()
    bias_act(x, b, act="lrelu", clamp=0.1)
    bias_act(x, act="relu", clamp=0.1)
    assert torch.equal(x, before)


BAD = [
    ({"act": "gelu"}, ValueError, "act must be one of linear, relu, .* got 'gelu'"),
    ({"act": "tanh", "alpha": 0.1}, ValueError, "alpha is the slope of lrelu; tanh has none, got 0.1"),
    ({"act": "lrelu", "alpha": math.inf}, ValueError, "alpha must be a finite number, got inf"),
    ({"gain": "2"}, ValueError, "gain must be a finite number, got '2'"),
    ({"clamp": -0.5}, ValueError, "clamp must be None or at least 0, got -0.5"),
    ({"b": torch.ones(4)}, ValueError, r"b must have shape \(3,\) for x of shape \(2, 3\), got \(4,\)"),
    ({"b": torch.ones(3, 1)}, ValueError, r"b must have shape \(3,\)"),
    ({"b": torch.ones(3), "dim": 2}, ValueError, "dim must be an axis of x, which has 2, got 2"),
    ({"b": torch.ones(3).long()}, TypeError, r"b must be of a floating type, got torch\.int64"),
    ({"x": torch.ones(2, 3).long()}, TypeError, r"x must be .* got torch\.int64"),
    ({"x": [1.0]}, TypeError, "bias_act takes tensors, got list"),
]


@pytest.mark.parametrize(("changes", "error", "message"), BAD, ids=lambda value: str(value)[:30])
def test_bad_arguments_are_named_with_their_value(changes, error, message):
    with pytest.raises(error, match=message):
        bias_act(**({"x": torch.ones(2, 3)} | changes))
