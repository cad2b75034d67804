"""The native filters with gradients against the reference: results, gradients, and gradients of gradients."""

from __future__ import annotations

import pytest
import torch
from scipy.signal import firwin

from networks.build import build
from networks.configs import rung
from networks.train import fast_filters
from networks.train.fast_filters import FilteredLrelu, Resampled, adjoint
from torch_utils import ops
from torch_utils.native_build import NativeUnavailable
from torch_utils.ops.dispatch import Implementation, Registry
from torch_utils.ops.filtered_lrelu import FilteredLreluOptions, _options, filtered_lrelu_reference
from torch_utils.ops.upfirdn2d import UpfirdnOptions, upfirdn2d_reference


@pytest.fixture(autouse=True)
def _native():
    from torch_utils.native_library import library

    try:
        library()
    except NativeUnavailable as error:
        pytest.skip(f"no native kernels: {error}")


def radial() -> torch.Tensor:
    """The radial filter of a layer of R."""
    network = build(rung("R", 16, num_layers=4, channel_base=64, channel_max=4))
    layers = [m for m in network.synthesis.children() if getattr(m, "down_filter", None) is not None]
    return next(m.down_filter for m in layers if m.down_filter.ndim == 2)  # type: ignore[union-attr, return-value]


def separable(taps: int = 12) -> torch.Tensor:
    """Not symmetric, so that a mirrored filter is noticed."""
    return torch.tensor(firwin(taps, 0.4), dtype=torch.float32) * torch.linspace(0.7, 1.3, taps)


CASES = {
    "up 2": (separable(), UpfirdnOptions((2, 2), (1, 1), (5, 6, 4, 7), False, 4.0)),
    "down 2, cropping": (separable(), UpfirdnOptions((1, 1), (2, 2), (-1, 2, 3, -2), True, 1.0)),
    "up 3, down 2": (separable(9), UpfirdnOptions((3, 3), (2, 2), (4, 3, 5, 5), False, 2.0)),
    "radial, down 2": (radial, UpfirdnOptions((1, 1), (2, 2), (0, 0, 0, 0), False, 1.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_resampling_and_its_gradients(case: str) -> None:
    f, options = CASES[case]
    f = f() if callable(f) else f
    x = torch.randn(2, 3, 19, 22, requires_grad=True)
    y, expected = Resampled.apply(x, f, options), upfirdn2d_reference(x, f, options)
    torch.testing.assert_close(y, expected, rtol=0, atol=2e-5)
    weights = torch.randn_like(expected)
    found, right = (torch.autograd.grad((result.square() * weights).sum(), x, create_graph=True)[0] for result in (y, expected))
    scale = float(right.detach().abs().max())
    torch.testing.assert_close(found, right, rtol=0, atol=3e-4 * scale)
    direction = torch.randn_like(x)
    curvatures = [torch.autograd.grad((gradient * direction).sum(), x)[0] for gradient in (found, right)]
    torch.testing.assert_close(*curvatures, rtol=0, atol=3e-4 * float(curvatures[1].abs().max()))


def test_the_adjoint_of_the_adjoint_is_the_operator() -> None:
    f, options = CASES["up 3, down 2"]
    x = torch.randn(1, 1, 19, 22)
    y = upfirdn2d_reference(x, f, options)  # type: ignore[arg-type]
    back = adjoint(adjoint(options, f, x, y), f, y, x)  # type: ignore[arg-type]
    assert (back.up, back.down, back.flip_filter) == (options.up, options.down, options.flip_filter)
    torch.testing.assert_close(upfirdn2d_reference(x, f, back), y)  # type: ignore[arg-type]


def lrelu_cases() -> dict[str, tuple[torch.Tensor, torch.Tensor, FilteredLreluOptions]]:
    up4 = torch.tensor(firwin(24, 0.2), dtype=torch.float32)
    return {
        "T": (separable(), separable(), _options(2, 2, (8, 9, 8, 9), 2**0.5, 0.2, 256.0, False)),
        "R, up 4, clamped": (up4, radial(), _options(4, 2, (-3, 8, -3, 8), 2**0.5, 0.2, 0.8, False)),
    }


@pytest.mark.parametrize("case", ["T", "R, up 4, clamped"])
def test_filtered_lrelu_and_its_gradients(case: str) -> None:
    fu, fd, options = lrelu_cases()[case]
    x = torch.randn(2, 40, 14, 14, requires_grad=True)  # more channels than a block has
    b = torch.randn(40, requires_grad=True)
    y, expected = FilteredLrelu.apply(x, b, (fu, fd), options), filtered_lrelu_reference(x, fu, fd, b, options)
    torch.testing.assert_close(y, expected, rtol=0, atol=2e-5)
    weights = torch.randn_like(expected)
    for wanted, tolerance in ((x, 3e-4), (b, 3e-4)):
        found, right = (torch.autograd.grad((result * weights).sum(), wanted, retain_graph=True)[0] for result in (y, expected))
        torch.testing.assert_close(found, right, rtol=0, atol=tolerance * float(right.abs().max()))
    first = [torch.autograd.grad((result.square() * weights).sum(), (x, b), create_graph=True) for result in (y, expected)]
    direction = torch.randn_like(x)
    second = [torch.autograd.grad((gx * direction).sum() + gb.square().sum(), x)[0] for gx, gb in first]
    torch.testing.assert_close(*second, rtol=0, atol=1e-3 * float(second[1].abs().max()))


def test_enabled_backends_serve_calls_with_gradients_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a registry of the test's own, so that other tests keep the reference."""
    registry = Registry()
    registry.define("upfirdn2d", upfirdn2d_reference, lambda _: None)
    registry.define("filtered_lrelu", filtered_lrelu_reference, lambda _: None)
    registry.register(Implementation("upfirdn2d", "inference", upfirdn2d_reference))
    monkeypatch.setattr("networks.train.fast_filters.dispatch.register", registry.register)
    fast_filters.enable()
    x, f = torch.randn(1, 2, 8, 8), separable(4)
    options = UpfirdnOptions((2, 2), (1, 1), (2, 1, 2, 1), False, 4.0)
    registry.dispatch("upfirdn2d", (x, f), options)
    registry.dispatch("upfirdn2d", (x.clone().requires_grad_(True), f), options)
    registry.dispatch("upfirdn2d", (x.double().requires_grad_(True), f.double()), options)
    assert [d.backend.name for d in registry.decisions()] == ["inference", fast_filters.NAME, "reference"]


def test_the_real_dispatch_is_left_alone_by_importing() -> None:
    assert all(fast_filters.NAME not in str(backend.name) for backend in ops.backends().values())
