"""Resampling operators: golden arrays, masks, and layers with margins in image coordinates."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st

from torch_utils import resample
from torch_utils.lanczos import oriented_filter
from torch_utils.ops.cuda_conv import _algorithms_tried
from torch_utils.ops.reference import full_precision
from torch_utils.resample import fractional_shift, integer_shift, pose_matrix, pseudo_warp, unwarp, warp

GOLDEN = Path(__file__).parents[1] / "golden"
FORWARD = {"translate": (0.0, 0.0625, -0.03125), "rotate": (0.37, 0.0, 0.0), "both": (-1.1, 0.1, 0.05)}


def relative_error(value, expected):
    return float(np.abs(value.numpy() - expected).max() / np.abs(expected).max())


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "equivariance.npz") as file:
        return dict(file)


def same_mask(mask, expected):
    return np.array_equal(np.broadcast_to(mask.numpy(), expected.shape), expected.astype(bool))


# ------------------------------------------------------------------------------------------------------------- golden


@pytest.mark.parametrize("case", range(3))
def test_integer_shift_golden(golden, case):
    x, t = torch.from_numpy(golden["x"]), golden[f"int_{case}_t"]
    y, mask = integer_shift(x, (round(t[0] * 48), round(t[1] * 48)))
    assert np.array_equal(y.numpy(), golden[f"int_{case}_y"])
    assert same_mask(mask, golden[f"int_{case}_mask"])


@pytest.mark.parametrize("case", range(3))
def test_fractional_shift_golden(golden, case):
    x, t = torch.from_numpy(golden["x"]), golden[f"frac_{case}_t"]
    y, mask = fractional_shift(x, (t[0] * 48, t[1] * 48))
    assert relative_error(y, golden[f"frac_{case}_y"]) <= 1e-5
    assert same_mask(mask, golden[f"frac_{case}_mask"])


@pytest.mark.parametrize("case", range(3))
def test_rotation_golden(golden, case):
    x, matrix = torch.from_numpy(golden["x"]), pose_matrix(float(golden[f"rot_{case}_angle"]))
    y, mask = warp(x, matrix)
    assert relative_error(y, golden[f"rot_{case}_y"]) <= 2e-5
    assert same_mask(mask, golden[f"rot_{case}_mask"])
    y, mask = pseudo_warp(x, matrix)
    assert relative_error(y, golden[f"pseudo_{case}_y"]) <= 2e-5
    assert same_mask(mask, golden[f"pseudo_{case}_mask"])


@pytest.mark.parametrize("network", ["tiny_t", "tiny_r"])
@pytest.mark.parametrize("pose", FORWARD)
def test_untransform_golden(network, pose):
    with np.load(GOLDEN / f"{network}.npz") as file:
        y, _ = unwarp(torch.from_numpy(file[f"image_{pose}"]), pose_matrix(*FORWARD[pose]))
        assert relative_error(y, file[f"untransform_{pose}"]) <= 2e-5


# -------------------------------------------------------------------------------------------- layers with margins (W1)


def layer(matrix, rate, size):
    """A smooth picture after the forward transform, sampled by a layer: `size` = (width, height) samples, `rate` per image width."""
    inverse = np.linalg.inv(matrix)
    x = (np.arange(size[0]) + 0.5 - size[0] / 2) / rate
    y = (np.arange(size[1])[:, None] + 0.5 - size[1] / 2) / rate
    u, v = (row[0] * x + row[1] * y + row[2] for row in inverse[:2])
    f = rate / 8  # cycles per image, well inside the band
    values = np.stack([np.sin(2 * np.pi * f * u + 1) + 0.5, np.cos(2 * np.pi * (0.4 * f * u - 0.7 * f * v))])
    return torch.from_numpy(values[None]).float()


@given(
    angle=st.floats(-3.1, 3.1),
    tx=st.floats(-0.2, 0.2),
    ty=st.floats(-0.2, 0.2),
    rate=st.sampled_from([16, 32, 64]),
    margin=st.sampled_from([(0, 0), (10, 10), (10, 7)]),
)
def test_unwarp_finds_the_picture_again_in_image_coordinates(angle, tx, ty, rate, margin):
    matrix = pose_matrix(angle, tx, ty)
    size = (rate + 2 * margin[0], rate + 2 * margin[1])
    y, mask = unwarp(layer(matrix, rate, size), matrix, sampling_rate=rate)
    error = (y - layer(np.eye(3), rate, size)).abs() * mask
    assert error.max() < 0.03, "bilinear reading of the 4x grid and the Lanczos band edge allow about 2 %"


def test_a_layer_with_margins_moves_by_image_widths_not_tensor_widths():
    """Anchors W1: t = 0.125 on a layer of 36 samples at rate 16 is 2.0 samples; in tensor widths it would be 4.5."""
    x = torch.zeros(1, 1, 36, 36)
    x[..., 20, 21] = 1.0
    y, _ = unwarp(x, pose_matrix(0.0, 0.125, -0.0625), sampling_rate=16)
    peak = int(y.argmax())
    assert (peak % 36, peak // 36) == (19, 21)


def test_warp_and_unwarp_are_inverse_matrices():
    matrix = pose_matrix(0.7, 0.1, -0.05)
    x = layer(np.eye(3), 32, (52, 52))
    assert torch.equal(warp(x, matrix, sampling_rate=32)[0], unwarp(x, np.linalg.inv(matrix), sampling_rate=32)[0])


def test_positive_angles_turn_counter_clockwise_on_screen():
    x = torch.zeros(1, 1, 33, 33)
    x[..., 16, 26] = 1.0  # right of the centre
    peak = int(warp(x, pose_matrix(np.pi / 2))[0].argmax())
    assert (peak % 33, peak // 33) == (16, 6)  # above it


# --------------------------------------------------------------------------------------------------------------- masks


@given(angle=st.floats(-3.1, 3.1), tx=st.floats(-0.4, 0.4), ty=st.floats(-0.4, 0.4), height=st.integers(16, 41))
def test_what_the_mask_calls_valid_owes_nothing_to_the_outside(angle, tx, ty, height):
    """Zeros outside would show: a constant stays exactly constant wherever the mask is True."""
    ones = torch.ones(1, 1, height, 37)
    shift = (tx * 37, ty * 37)
    for y, mask in (
        warp(ones, pose_matrix(angle, tx, ty)),
        fractional_shift(ones, shift),
        integer_shift(ones, (round(shift[0]), round(shift[1]))),
    ):
        assert (y[0, 0][mask] - 1).abs().max() < 1e-5 if mask.any() else True
        assert mask.shape == (height, 37)


@given(dx=st.integers(-50, 50), dy=st.integers(-50, 50))
def test_a_fractional_shift_by_whole_samples_is_an_integer_shift(dx, dy):
    x = torch.randn(2, 3, 24, 31, generator=torch.Generator().manual_seed(0))
    exact, valid = integer_shift(x, (dx, dy))
    y, mask = fractional_shift(x, (dx, dy))
    assert (y - exact).abs().max() < 1e-5
    assert not (mask & ~valid).any()


# ---------------------------------------------------------------------------------------------------------- the border


def test_the_filter_is_built_once_for_a_pose():
    x = torch.zeros(1, 3, 16, 16)
    oriented_filter.cache_clear()
    for tx in (0.0, 0.1, 0.2):
        warp(x, pose_matrix(0.5, tx))
    assert oriented_filter.cache_info().misses == 1
    assert not oriented_filter(((1.0, 0.0), (0.0, 1.0)), 1).flags.writeable, "what is shared is not written to"


def test_only_the_channels_given_are_processed_and_the_leading_shape_is_kept():
    x = torch.randn(4, 2, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    matrix = pose_matrix(0.4)
    for operator, how in (
        (warp, matrix),
        (unwarp, matrix),
        (pseudo_warp, matrix),
        (integer_shift, (2, -3)),
        (fractional_shift, (2.3, -3.1)),
    ):
        y, mask = operator(x, how)
        assert y.shape == x.shape
        assert mask.shape == (20, 24)
        assert torch.allclose(operator(x[2, 1, 0], how)[0], y[2, 1, 0], atol=1e-6)


def test_types():
    x = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    matrix = pose_matrix(0.3)
    for operator, how in ((warp, matrix), (pseudo_warp, matrix), (fractional_shift, (0.3, 0.7))):
        assert operator(x.half(), how)[0].dtype == torch.float32
        wide = operator(x.double(), how)[0]
        assert wide.dtype == torch.float64
        assert (wide - operator(x, how)[0]).abs().max() < 1e-5


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((3, 3)),
        np.eye(2),
        [[1, 0, 0], [2, 0, 0], [0, 0, 1]],
        [[1, 0, np.nan], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0], [0, 0.5, 1]],
    ],
)
def test_a_matrix_that_cannot_be_undone_is_refused_by_name(matrix):
    for operator in (warp, unwarp, pseudo_warp):
        with pytest.raises(ValueError, match="matrix is "):
            operator(torch.zeros(1, 1, 8, 8), matrix)


def test_a_mirror_can_be_undone():
    x = layer(np.eye(3), 16, (36, 36))
    y, mask = unwarp(x, np.diag([-1.0, 1.0, 1.0]), sampling_rate=16)
    assert ((y - x.flip(-1)) * mask).abs().max() < 0.03


def test_runs_side_by_side_keep_their_precision_whoever_is_ready_first():
    """The switch is the process's: two threads are inside at once, and the first one in is the first one out."""
    conv, on_a_gpu = torch.backends.cudnn.conv, SimpleNamespace(is_cuda=True)
    before = conv.fp32_precision
    one, other = full_precision(on_a_gpu), full_precision(on_a_gpu)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert conv.fp32_precision == "ieee" != before
    other.__exit__(None, None, None)
    assert conv.fp32_precision == before


@pytest.mark.parametrize(("dtype", "same_again", "timed"), [("float16", False, True), ("float16", True, False), ("float32", False, False)])
def test_algorithms_are_timed_only_where_runs_need_not_come_out_the_same(dtype, same_again, timed):
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(same_again, warn_only=True)
    try:
        with _algorithms_tried(getattr(torch, dtype)):
            assert torch.backends.cudnn.benchmark == timed
        assert not torch.backends.cudnn.benchmark
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def test_convolutions_are_not_in_tensorfloat32_where_there_is_a_gpu(monkeypatch):
    cudnn = torch.backends.cudnn
    before = cudnn.conv.fp32_precision
    for is_cuda in (True, False):
        with pytest.raises(KeyError), full_precision(SimpleNamespace(is_cuda=is_cuda)):
            assert cudnn.conv.fp32_precision == ("ieee" if is_cuda else before)
            raise KeyError
        assert cudnn.conv.fp32_precision == before
    depth, depths, convolve = [], [], F.conv2d

    @contextmanager
    def noted(x):
        depth.append(x)
        yield
        depth.pop()

    monkeypatch.setattr(resample, "full_precision", noted)
    monkeypatch.setattr(F, "conv2d", lambda *arguments, **options: (depths.append(len(depth)), convolve(*arguments, **options))[1])
    x, turn = torch.ones(1, 24, 24), pose_matrix(0.1)
    for operator, how in ((fractional_shift, (0.5, 0.5)), (warp, turn), (pseudo_warp, turn)):
        operator(x, how)
    assert depths == [1] * 4


def test_a_shift_that_is_no_number_is_refused_by_name():
    with pytest.raises(ValueError, match="shift is "):
        fractional_shift(torch.zeros(1, 1, 8, 8), (float("nan"), 0.0))
