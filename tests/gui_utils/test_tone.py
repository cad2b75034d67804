"""From values to colours."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gui_utils.tone import BACKGROUND, COLORMAPS, PictureView, ToneMap, colorize, colormap_table, paint, tone_map

GROUND = np.round(np.array(BACKGROUND) * 255).astype(np.uint8)


def test_signed_values_become_bytes_as_in_published_pictures():
    values = np.linspace(-1.2, 1.2, 4001, dtype=np.float32)
    expected = np.clip(np.floor(values.astype(np.float64) * 127.5 + 128), 0, 255)
    got = tone_map(np.repeat(values[None, :, None], 3, axis=2))[0, :, 0].astype(int)
    assert np.abs(got - expected).max() <= 1 and (got != expected).mean() < 0.01  # float32 may tip a value on the very edge


def test_unsigned_gain_and_offset():
    assert tone_map(np.array([[0.0, 0.25, 1.0]]), ToneMap(gain=2, offset=0.1, signed=False))[0, :, 0].tolist() == [26, 153, 255]
    assert ToneMap.from_db(20).gain == pytest.approx(10)


@pytest.mark.parametrize("name, first, last", [
    ("gray", (0, 0, 0), (255, 255, 255)), ("viridis", (68, 1, 84), (253, 231, 37)), ("magma", (0, 0, 4), (252, 253, 191)),
    ("cividis", (0, 34, 78), (254, 232, 56)),
])  # fmt: skip
def test_ends_of_the_published_colormaps(name, first, last):
    ends = np.round(colorize(np.array([0.0, 1.0]), name) * 255)
    assert np.abs(ends - [first, last]).max() <= 1


def test_the_middle_of_diverging_is_neutral_light_and_means_zero():
    middle = tone_map(np.zeros((1, 1)), ToneMap(colormap="diverging", signed=False))[0, 0].astype(int)  # signed all the same
    assert middle.min() > 200 and np.ptp(middle) <= 3
    low, high = tone_map(np.array([[-1.0, 1.0]]), ToneMap(colormap="diverging"))[0].astype(int)
    assert low[2] > low[0] + 50 and high[0] > high[2] + 50  # blue below zero, red above


@pytest.mark.parametrize("name", ["gray", "viridis", "magma", "cividis"])
def test_lightness_rises_all_along(name):
    luminance = colormap_table(name) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(np.convolve(luminance, np.ones(5) / 5, "valid")) > 0).all()


def test_diverging_loses_lightness_evenly_on_both_sides():
    luminance = colormap_table("diverging") @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance[:129]) > 0).all() and (np.diff(luminance[128:]) < 0).all()
    assert np.abs(luminance[:129] - luminance[:127:-1]).max() < 0.12


@given(st.floats(allow_nan=True, allow_infinity=True, width=32), st.sampled_from(COLORMAPS))
def test_any_float_has_a_colour_and_only_what_is_not_finite_is_magenta(value, colormap):
    color = tone_map(np.full((1, 1), value), ToneMap(colormap=colormap))[0, 0].tolist()
    assert (color == [255, 0, 255]) == (not np.isfinite(value))


def test_one_bad_channel_marks_the_pixel_and_a_fourth_channel_is_ignored():
    values = np.zeros((1, 2, 4), np.float32)
    values[0, 0, 1] = np.nan
    values[0, 1, 3] = np.nan
    assert tone_map(values)[0].tolist() == [[255, 0, 255], [128, 128, 128]]


def test_an_unknown_colormap_is_refused_by_name():
    with pytest.raises(ValueError, match="'jet'; one of gray"):
        tone_map(np.zeros((2, 2)), ToneMap(colormap="jet"))


# ------------------------------------------------------------------------------------------------ paint


def test_around_the_picture_is_the_neutral_ground_and_half_covered_pixels_are_mixed():
    shown = paint(np.ones((4, 4)), PictureView((-2.5, 0, 4, 4), (13, 8)))  # half a sample per pixel, offset by a whole pixel
    assert (shown[:, :5] == GROUND).all() and (shown[:, 5:] == 255).all()
    shown = paint(np.ones((4, 4)), PictureView((-1.25, 0, 2.75, 4), (8, 8)))  # half of pixel 2 lies in the picture
    assert shown[0, 2, 0] == pytest.approx((255 + int(GROUND[0])) / 2, abs=1) and (shown[:, 3] == 255).all()


def test_the_ground_has_no_tint():
    assert len(set(BACKGROUND)) == 1


def test_values_are_filtered_before_they_are_clipped():
    """Linear in the values: stripes of +3 and -1 average to +1, not to the average of what they look like."""
    stripes = np.tile(np.array([3.0, -1.0]), (64, 32))
    shown = paint(stripes, PictureView((0, 0, 64, 64), (16, 16)))
    assert (shown[4:-4, 4:-4] == 255).all()


def test_the_mask_dims_and_brightness_darkens():
    mask = np.ones((4, 4))
    mask[:, :2] = 0
    shown = paint(np.ones((4, 4)), PictureView((0, 0, 4, 4), (4, 4)), mask)
    assert (shown[:, 0] == round(0.35 * 255)).all() and (shown[:, 3] == 255).all()
    assert (paint(np.ones((4, 4)), PictureView((0, 0, 4, 4), (4, 4), brightness=0.5)) == 128).all()


def test_a_single_nan_stays_visible_at_any_reduction_and_does_not_spread():
    values = np.zeros((500, 500), np.float32)
    values[123, 321] = np.nan
    shown = paint(values, PictureView((0, 0, 500, 500), (60, 60)))
    marked = np.argwhere((shown == [255, 0, 255]).all(axis=2))
    assert 1 <= len(marked) <= 4
    assert np.abs(marked - np.array([123, 321]) * 60 / 500).max() < 1.5


def test_enlarged_with_a_smooth_filter_a_nan_covers_its_own_sample_only():
    values = np.zeros((10, 10), np.float32)
    values[5, 5] = np.inf
    marked = (paint(values, PictureView((0, 0, 10, 10), (100, 100))) == [255, 0, 255]).all(axis=2)
    assert marked[50:60, 50:60].all() and marked.sum() <= 12 * 12
