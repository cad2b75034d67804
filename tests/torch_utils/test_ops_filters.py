"""`upfirdn2d` and `filtered_lrelu` against their definition, written here with the zeros inserted, and what follows from it."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings, strategies as st
from torch.utils.flop_counter import FlopCounterMode

from torch_utils.ops import filtered_lrelu, upfirdn2d, use
from torch_utils.ops.reference import Resampling


@pytest.fixture(autouse=True, scope="module")
def reference():
    with use("reference"):
        yield


def define_upfirdn2d(x, f, up, down, padding, flip_filter, gain):
    """Zeros inserted, padded or cropped, every sample multiplied, then most dropped. None where no sample is left."""
    n, c, height, width = x.shape
    stuffed = x.new_zeros(n, c, height * up[1], width * up[0])
    stuffed[:, :, :: up[1], :: up[0]] = x
    f = x.new_ones(1) if f is None else f.to(x.dtype)
    f = torch.outer(f, f) if f.ndim == 1 else f
    f = f if flip_filter else f.flip(0, 1)
    x_lo, x_hi, y_lo, y_hi = padding
    room = (stuffed.shape[2] + y_lo + y_hi - f.shape[0], stuffed.shape[3] + x_lo + x_hi - f.shape[1])
    if min(room) < 0:
        return None
    padded = F.pad(stuffed, [max(0, p) for p in padding])
    padded = padded[:, :, max(0, -y_lo) :, max(0, -x_lo) :]
    padded = padded[:, :, : room[0] + f.shape[0], : room[1] + f.shape[1]]
    windows = padded.unfold(2, f.shape[0], 1).unfold(3, f.shape[1], 1)
    return gain * torch.einsum("nchwij,ij->nchw", windows, f)[:, :, :: down[1], :: down[0]]


def define_filtered_lrelu(x, fu, fd, b, up, down, padding, *, gain, slope, clamp, flip_filter):
    x = x if b is None else x + b[:, None, None]
    x = define_upfirdn2d(x, fu, up, (1, 1), padding, flip_filter, up[0] * up[1])
    if x is None:
        return None
    x = torch.where(x < 0, x * slope, x) * gain
    x = x if clamp is None else torch.minimum(torch.maximum(x, x.new_tensor(-clamp)), x.new_tensor(clamp))
    return define_upfirdn2d(x, fd, (1, 1), down, (0, 0, 0, 0), flip_filter, 1)


seeds = st.integers(0, 2**31)
sizes = st.integers(1, 9)
factors = st.tuples(st.integers(1, 4), st.integers(1, 4))
paddings = st.tuples(*[st.integers(-6, 14)] * 4)
filter_shapes = st.one_of(st.none(), st.tuples(st.integers(1, 9)), st.tuples(st.integers(1, 9), st.integers(1, 9)))
booleans = st.booleans()
checked = settings(max_examples=150, deadline=None, derandomize=True)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def draw_filter(seed, shape):
    return None if shape is None else normal(seed + 1, *shape)


def assert_close(y, expected, tolerance=1e-12):
    assert y.shape == expected.shape
    assert (y - expected).abs().max() <= tolerance * (1 + expected.abs().max())


@checked
@given(seeds, sizes, sizes, filter_shapes, factors, factors, paddings, booleans)
def test_upfirdn2d_is_its_definition(seed, height, width, shape, up, down, padding, flip):
    x, f = normal(seed, 2, 3, height, width), draw_filter(seed, shape)
    expected = define_upfirdn2d(x, f, up, down, padding, flip, 1.7)
    arguments = {"up": up, "down": down, "padding": padding, "flip_filter": flip, "gain": 1.7}
    if expected is None:
        with pytest.raises(ValueError, match="upfirdn2d: nothing is left"):
            upfirdn2d(x, f, **arguments)
    else:
        assert_close(upfirdn2d(x, f, **arguments), expected)


@checked
@given(seeds, sizes, sizes, filter_shapes, filter_shapes, factors, factors, paddings, booleans, st.sampled_from([None, 0.0, 0.4]))
def test_filtered_lrelu_is_its_definition(seed, height, width, shape_up, shape_down, up, down, padding, flip, clamp):
    x, fu, fd, b = normal(seed, 2, 3, height, width), draw_filter(seed, shape_up), draw_filter(seed + 1, shape_down), normal(seed, 3)
    rest = {"gain": 1.3, "slope": 0.3, "clamp": clamp, "flip_filter": flip}
    expected = define_filtered_lrelu(x, fu, fd, b, up, down, padding, **rest)
    if expected is None:
        with pytest.raises(ValueError, match="filtered_lrelu: nothing is left"):
            filtered_lrelu(x, fu, fd, b, up=up, down=down, padding=padding, **rest)
    else:
        assert_close(filtered_lrelu(x, fu, fd, b, up=up, down=down, padding=padding, **rest), expected)


@pytest.mark.parametrize("gain", [-1.5, 0.0, 1.0])
@pytest.mark.parametrize("slope", [-0.5, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("biased", [False, True])
def test_unusual_gains_and_slopes(gain, slope, biased):
    x, f, b = normal(0, 1, 2, 7, 6), normal(1, 6), normal(2, 2) if biased else None
    rest = {"gain": gain, "slope": slope, "clamp": 0.8, "flip_filter": False}
    expected = define_filtered_lrelu(x, f, f, b, (2, 2), (2, 2), (5, 5, 5, 5), **rest)
    assert_close(filtered_lrelu(x, f, f, b, up=2, down=2, padding=5, **rest), expected)


@checked
@given(seeds, filter_shapes, factors, factors, st.floats(-3, 3), st.floats(-3, 3))
def test_linearity(seed, shape, up, down, a, b):
    x, y, f = normal(seed, 1, 2, 6, 5), normal(seed + 7, 1, 2, 6, 5), draw_filter(seed, shape)

    def op(x):
        return upfirdn2d(x, f, up=up, down=down, padding=6)

    assert_close(op(a * x + b * y), a * op(x) + b * op(y))


@checked
@given(seeds, filter_shapes, factors, factors, st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_a_shift_by_down_samples_becomes_one_by_up(seed, shape, up, down, times):
    """Shifting the input by `down` samples shifts the output by `up`, in each axis."""
    x, f = normal(seed, 1, 1, 5, 4), draw_filter(seed, shape)
    steps = [(times[0] * down[0], times[1] * down[1]), (times[0] * up[0], times[1] * up[1])]

    def op(left, top):
        image = F.pad(x, (left, 20 - left, top, 20 - top))
        return upfirdn2d(image, f, up=up, down=down, padding=8)

    still, moved = op(0, 0), op(*steps[0])
    height, width = still.shape[2] - steps[1][1], still.shape[3] - steps[1][0]
    assert_close(moved[:, :, steps[1][1] :, steps[1][0] :], still[:, :, :height, :width])


@checked
@given(seeds, st.integers(1, 4), st.integers(1, 3), st.integers(1, 6), st.booleans())
def test_a_level_is_kept(seed, up, down, taps, two_dimensional):
    """A filter whose phases all have the same sum, with gain up², multiplies a level by that of its taps."""
    smooth = normal(seed, taps) + 0.5
    f = F.conv1d(smooth[None, None], smooth.new_ones(1, 1, up) / up, padding=up - 1)[0, 0]
    level = f.sum() ** 2
    f = torch.outer(f, f) if two_dimensional else f
    y = upfirdn2d(normal(0, 1, 1, 1, 1).expand(1, 1, 40, 40), f, up=up, down=down, gain=up**2)
    inside = y[:, :, taps:-taps, taps:-taps]
    assert inside.numel() >= 16
    assert_close(inside, (normal(0, 1, 1, 1, 1) * level).expand_as(inside))


@checked
@given(seeds, sizes, sizes, filter_shapes, factors, st.tuples(*[st.integers(-3, 6)] * 2), booleans)
def test_down_is_the_adjoint_of_up(seed, height, width, shape, up, before, flip):
    """<up(x), y> = <x, down(y)>, with the filter turned round and the complementary paddings."""
    x, f = normal(seed, 1, 2, height, width), draw_filter(seed, shape)
    taps = (1, 1) if f is None else (f.shape[-1], f.shape[0])
    padding = (before[0], taps[0] - 1, before[1], taps[1] - 1)
    out = Resampling(up, (1, 1), padding).size(width, height, taps)
    assume(min(out) >= 1)
    raised = upfirdn2d(x, f, up=up, padding=padding, flip_filter=flip)
    y = normal(seed + 3, *raised.shape)
    lo = [taps[axis] - 1 - before[axis] for axis in (0, 1)]
    hi = [(size - 1) * up[axis] + taps[axis] - out[axis] - lo[axis] for axis, size in ((0, width), (1, height))]
    lowered = upfirdn2d(y, f, down=up, padding=(lo[0], hi[0], lo[1], hi[1]), flip_filter=not flip)
    assert lowered.shape == x.shape
    assert_close((raised * y).sum(), (x * lowered).sum(), 1e-10)


def test_a_separable_filter_is_its_outer_product():
    x, f = normal(0, 2, 3, 9, 8), normal(1, 7)
    for arguments in ({"up": 3, "padding": (6, 5, -2, 7)}, {"down": 2, "padding": 3}, {"up": 2, "down": 3, "padding": 6}):
        assert_close(upfirdn2d(x, f, gain=2.5, **arguments), upfirdn2d(x, torch.outer(f, f), gain=2.5, **arguments))


def test_flip_turns_the_filter_round():
    x, f = normal(0, 1, 1, 9, 8), normal(1, 4, 3)
    assert torch.equal(upfirdn2d(x, f, up=2, padding=3, flip_filter=True), upfirdn2d(x, f.flip(0, 1), up=2, padding=3))
    impulse = F.pad(torch.ones(1, 1, 1, 1), (2, 2, 3, 3))
    assert torch.equal(upfirdn2d(impulse, f.float())[0, 0], f.float())  # convolution answers an impulse by the filter itself


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("two_dimensional", [False, True])
def test_16_bit_types_are_rounded_once(dtype, two_dimensional):
    x, f, b = normal(0, 2, 5, 11, 10).to(dtype), normal(1, 8).float(), normal(2, 5).to(dtype)
    f = torch.outer(f, f) if two_dimensional else f
    for op in (
        lambda x: upfirdn2d(x, f, up=2, down=2, padding=7),
        lambda x: filtered_lrelu(x, f, f, b, up=2, down=2, padding=7, clamp=0.5),
    ):
        y = op(x)
        assert y.dtype == dtype
        assert torch.equal(y, op(x.float()).to(dtype))


@pytest.mark.parametrize("shape", [(0, 3, 6, 5), (2, 0, 6, 5), (0, 0, 6, 5), (2, 3, 0, 5), (2, 3, 6, 0), (1, 1, 0, 0)])
@pytest.mark.parametrize("filter_shape", [None, (5,), (5, 4)])
def test_nothing_in_gives_nothing_or_zeros(shape, filter_shape):
    x = torch.ones(shape, requires_grad=True)
    f = None if filter_shape is None else torch.ones(filter_shape)
    full = torch.ones(1, 1, *shape[2:]) if min(shape[2:]) else None
    y = upfirdn2d(x, f, up=2, down=3, padding=9)
    z = filtered_lrelu(x, f, f, torch.zeros(shape[1]), up=2, down=1, padding=9)
    for result in (y, z):
        assert result.shape[:2] == shape[:2]
        assert not result.any()
    if full is not None:
        assert y.shape[2:] == upfirdn2d(full, f, up=2, down=3, padding=9).shape[2:]
    (y.sum() + z.sum()).backward()
    assert x.grad is not None and x.grad.shape == shape


def test_only_padding_left_is_zeros():
    x, f = torch.ones(1, 2, 4, 4), torch.ones(3)
    assert torch.equal(upfirdn2d(x, f, padding=(-5, 9, 0, 0)), torch.zeros(1, 2, 2, 6))
    assert torch.equal(upfirdn2d(x, f, up=2, padding=(-9, 9, 2, 2)), torch.zeros(1, 2, 10, 6))


@pytest.mark.parametrize("arguments", [{"up": 2, "padding": 3}, {"down": 2, "padding": 3}, {"padding": (-1, 2, 0, -1)}])
@pytest.mark.parametrize("taps", [None, 4])
def test_layout_is_kept_and_the_input_is_left_alone(arguments, taps):
    x, f = normal(0, 2, 3, 8, 7), None if taps is None else normal(1, taps)
    for image in (x, x.contiguous(memory_format=torch.channels_last), normal(0, 2, 3, 7, 8).mT, x[:, :1].expand(2, 3, 8, 7)):
        before = image.clone()
        y = upfirdn2d(image, f, **arguments)
        z = filtered_lrelu(image, f, f, normal(2, 3), up=2, padding=4, clamp=0.1)
        plain = not image.is_contiguous(memory_format=torch.channels_last)
        for result in (y, z):
            assert result.is_contiguous() if plain else result.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(y, upfirdn2d(before.contiguous(), f, **arguments))
        assert torch.equal(image, before)


def test_no_inserted_zero_is_multiplied():
    """Work, counted by torch: 6 taps a phase and axis, where the zeros would make it `up` times as many."""
    x, f = torch.ones(1, 4, 20, 20), torch.ones(24)
    with FlopCounterMode(display=False) as counter:
        y = upfirdn2d(x, f, up=4, padding=(12, 11, 12, 11))
    macs = counter.get_total_flops() / 2 / y.numel()
    assert macs <= (6 + 6 / 4) * 1.15
    with FlopCounterMode(display=False) as counter:
        y = upfirdn2d(x, f, down=4, padding=(12, 11, 12, 11))
    assert counter.get_total_flops() / 2 / y.numel() <= (24 + 24 * 4) * 1.3


def test_cropped_samples_cost_nothing():
    """Cropping by 7 and 9 upsampled samples of 4 is dropping 2 samples at either end: as much work, and the same result."""
    x, f = normal(0, 1, 2, 16, 16), normal(1, 24)
    results, work = [], []
    for image, padding in ((x, (-7, -9, -7, -9)), (x[:, :, 2:-2, 2:-2], (1, -1, 1, -1))):
        with FlopCounterMode(display=False) as counter:
            results.append(upfirdn2d(image, f, up=4, padding=padding))
        work.append(counter.get_total_flops())
    assert_close(*results)
    assert work[0] == work[1]


BAD = [
    ({"up": 0}, "upfirdn2d: up must be a positive int or a pair .* got 0"),
    ({"up": (2, 2, 2)}, r"up must .* got \(2, 2, 2\)"),
    ({"down": 1.5}, "down must .* got 1.5"),
    ({"padding": (1, 2)}, r"padding must be an int or \(x_lo, x_hi, y_lo, y_hi\), got \(1, 2\)"),
    ({"padding": 0.5}, "padding must .* got 0.5"),
    ({"gain": float("nan")}, "gain must be a finite number, got nan"),
    ({"padding": -3}, "nothing is left: x of 5 x 6 .* would give"),
    ({"f": torch.ones(0)}, r"f must be a 1-D or 2-D filter .* got shape \(0,\)"),
    ({"f": torch.ones(2, 2, 2)}, r"f must .* got shape \(2, 2, 2\)"),
    ({"x": torch.ones(6, 5)}, r"x must be N x C x H x W, got shape \(6, 5\)"),
    ({"f": torch.ones(3, device="meta")}, "f is on meta, x on cpu"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=lambda value: str(value)[:30])
def test_bad_arguments_are_named_with_their_value(changes, message):
    arguments = {"x": torch.ones(1, 1, 6, 5), "f": torch.ones(3)} | changes
    with pytest.raises(ValueError, match=message):
        upfirdn2d(**arguments)


def test_bad_types_are_named():
    x = torch.ones(1, 2, 6, 5)
    with pytest.raises(TypeError, match=r"x must be float16, bfloat16, float32 or float64, got torch\.int64"):
        upfirdn2d(x.long(), None)
    with pytest.raises(TypeError, match=r"fd must be of a floating type, got torch\.int64"):
        filtered_lrelu(x, None, torch.ones(2).long())
    with pytest.raises(ValueError, match=r"b must have shape \(2,\) for x of shape \(1, 2, 6, 5\), got \(3,\)"):
        filtered_lrelu(x, b=torch.ones(3))
    with pytest.raises(ValueError, match="clamp must be None or at least 0, got -1"):
        filtered_lrelu(x, clamp=-1)
    with pytest.raises(ValueError, match=r"filtered_lrelu: nothing is left"):
        filtered_lrelu(x, fd=torch.ones(7))


def test_lists_and_numpy_integers_are_taken():
    import numpy as np

    x, f = normal(0, 1, 1, 5, 5), normal(1, 3)
    expected = upfirdn2d(x, f, up=(2, 1), padding=(1, 2, 3, 4))
    assert torch.equal(upfirdn2d(x, f, up=[2, 1], padding=np.array([1, 2, 3, 4]).tolist()), expected)
    assert torch.equal(upfirdn2d(x, f, up=(np.int64(2), 1), padding=tuple(np.array([1, 2, 3, 4]))), expected)
