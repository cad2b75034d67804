"""The Fourier input's channel mixing: by whatever backend, of the weight as it is now, with gradients where they are asked for."""

import copy
import math

import pytest
import torch

from networks.fourier_input import FourierInput
from networks.spec import InputSpec
from torch_utils import ops


@pytest.fixture
def layer() -> FourierInput:
    made = FourierInput(InputSpec(channels=24, size=(20, 18), sampling_rate=16, bandwidth=2), w_dim=8)
    made.draw_weights(torch.Generator().manual_seed(0))
    return made


POSE = torch.tensor([[0.8, 0.6, 0.1, -0.2], [1.0, 0.0, 0.0, 0.0]])


def by_definition(layer: FourierInput) -> torch.Tensor:
    """Mixed in float64: features are the output for the unit matrix as the weight."""
    plain = copy.deepcopy(layer)
    with torch.no_grad(), ops.use("reference"):
        plain.weight.copy_(torch.eye(24) * math.sqrt(24))
        features = plain(POSE)
    return torch.einsum("oc,nchw->nohw", layer.weight.detach().double() / math.sqrt(24), features.double())


def agrees(layer: FourierInput) -> bool:
    expected = by_definition(layer)
    with torch.no_grad():
        return bool((layer(POSE) - expected).abs().max() < 4e-6 * expected.abs().max())


def test_the_weight_is_followed(layer):
    """What a backend keeps of the weight must follow changes in place, loading, replacement, and copies of the layer."""
    assert agrees(layer)
    with torch.no_grad():
        layer.weight[0] *= 3
    assert agrees(layer)
    other = copy.deepcopy(layer)
    with torch.no_grad():
        other.weight.mul_(-2)
    assert agrees(other) and agrees(layer)
    layer.load_state_dict(other.state_dict())
    assert agrees(layer)
    layer.weight = torch.nn.Parameter(torch.ones(24, 24))
    assert agrees(layer)


def test_the_kernel_is_one_tensor_and_no_state(layer):
    """A new tensor each time would be packed each time."""
    names = set(layer.state_dict())
    with torch.inference_mode():
        first = layer._mixing()
        assert layer._mixing() is first
    assert not first.is_inference() and first.data_ptr() == layer.weight.data_ptr()
    assert set(layer.state_dict()) == names


def test_gradients_reach_weight_and_pose(layer):
    with torch.no_grad():
        layer(POSE)  # keeps a kernel that knows no gradients
    pose = POSE.clone().requires_grad_()
    layer(pose).square().sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0
    assert pose.grad is not None and pose.grad.abs().sum() > 0
