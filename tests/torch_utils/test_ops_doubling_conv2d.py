"""`doubling_conv2d`: the definition by hand, the native kernels against float64, and who takes which call."""

import pytest
import torch
import torch.nn.functional as F

from torch_utils.ops import BackendError, decisions, doubling_conv2d, use
from torch_utils.ops.native_doubling import LEAST_PIXELS, phase_weights


def square(*taps):
    row = torch.tensor(taps, dtype=torch.float32)
    return torch.outer(row, row) / row.sum() ** 2


SYMMETRIC, ASKEW = square(1, 3, 3, 1), square(1, 2, 5, 3)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def definition(x, weight, styles, taps):
    """Zeros between the samples, every step in float64, demodulated by the formed weights."""
    x, weight, styles, taps = (t.double() for t in (x, weight, styles, taps))
    count, ins, height, width = x.shape
    spread = torch.zeros(count, ins, 2 * height, 2 * width, dtype=torch.float64)
    spread[:, :, ::2, ::2] = x
    pictures = []
    for image, style in zip(spread, styles, strict=True):
        modulated = weight * style[None, :, None, None]
        modulated = modulated / modulated.square().sum((1, 2, 3), keepdim=True).sqrt()
        y = F.conv2d(image[None], modulated.flip(2, 3), padding=2)
        kernel = taps.flip(0, 1).repeat(len(weight), 1, 1, 1)
        n = len(taps)
        low = (n + 1) // 2 - 1
        pictures.append(4 * F.conv2d(F.pad(y, (low, n, low, n)), kernel, groups=len(weight))[:, :, : 2 * height, : 2 * width])
    return torch.cat(pictures)


def call(taps, count=2, ins=40, outs=24, size=(65, 70)):
    return normal(0, count, ins, *size), normal(1, outs, ins, 3, 3), 1 + 0.5 * normal(2, count, ins), taps


def error(y, expected):
    return ((y - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("taps", [SYMMETRIC, ASKEW, square(1, 1), square(1, 2, 4, 7, 2, 3)])
def test_the_reference_is_the_definition(taps):
    arguments = call(taps, size=(5, 7))
    with use("reference"):
        y = doubling_conv2d(*arguments)
    assert y.shape == (2, 24, 10, 14) and error(y, definition(*arguments)) < 2e-6


@pytest.mark.parametrize("types", ["dsss", "sdss", "ssds", "sssd", "hsds", "bdsd", "dsds"])
def test_any_mixture_of_types_gives_that_of_x(types):
    dtypes = {"d": torch.float64, "s": torch.float32, "h": torch.float16, "b": torch.bfloat16}
    arguments = [t.to(dtypes[k]) for t, k in zip(call(SYMMETRIC, size=(5, 7)), types, strict=True)]
    y = doubling_conv2d(*arguments)
    assert y.dtype == arguments[0].dtype
    assert error(y.double(), definition(*arguments)) < {"d": 1e-6, "s": 2e-6, "h": 2e-3, "b": 2e-2}[types[0]]


@pytest.mark.parametrize("taps", [SYMMETRIC, ASKEW])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_native_kernels_are_within_their_bound(taps, mode):
    arguments = call(taps)
    expected = definition(*arguments)
    try:
        with mode(), use("native", op="doubling_conv2d"):
            y, again = doubling_conv2d(*arguments), doubling_conv2d(*arguments)
    except BackendError as reason:
        pytest.skip(str(reason))
    assert error(y, expected) < 2e-5 and torch.equal(y, again)


def test_a_changed_weight_or_filter_is_noticed():
    x, weight, styles, taps = call(SYMMETRIC)
    with torch.no_grad():
        doubling_conv2d(x, weight, styles, taps)
        assert error(doubling_conv2d(x, weight, styles, ASKEW), definition(x, weight, styles, ASKEW)) < 2e-5
        weight[3] += 1.0
        assert error(doubling_conv2d(x, weight, styles, ASKEW), definition(x, weight, styles, ASKEW)) < 2e-5


def test_phases_are_every_other_tap_of_the_composed_kernel():
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 0, 0] = 1.0
    phases = phase_weights(weight, ASKEW)
    g = torch.zeros(6, 6)
    g[:4, :4] = 4 * ASKEW
    for phase, (a, b) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        assert torch.allclose(phases[phase, 0], torch.stack([g[a + 2 * (2 - p), [b + 4, b + 2, b]] for p in range(3)]))


def test_small_images_other_filters_and_64_bits_go_to_the_reference():
    x, weight, styles, taps = call(SYMMETRIC)
    with torch.no_grad():
        for arguments in (
            call(SYMMETRIC, size=(8, 8)),
            call(square(1, 1)),
            (x.double(), weight, styles, taps),
            (x, weight.double(), styles.double(), taps),
        ):
            before = {id(d): d.count for d in decisions()}
            doubling_conv2d(*arguments)
            taken = [d.backend.name for d in decisions() if d.call.op == "doubling_conv2d" and d.count > before.get(id(d), 0)]
            assert taken == ["reference"]
    assert LEAST_PIXELS > 8 * 8


def test_gradients_flow():
    x, weight, styles, taps = call(SYMMETRIC, count=1, ins=8, outs=4)
    x.requires_grad_()
    doubling_conv2d(x, weight, styles, taps).square().sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({1: torch.zeros(4, 40, 1, 1)}, "weight must have shape"),
        ({2: torch.zeros(2, 39)}, "styles must have shape"),
        ({3: torch.ones(4)}, "taps must be square"),
    ],
)
def test_a_mistake_is_named(change, said):
    arguments = dict(enumerate(call(SYMMETRIC, size=(4, 4)))) | change
    with pytest.raises(ValueError, match=said):
        doubling_conv2d(*arguments.values())
