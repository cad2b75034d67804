"""Which samples make a pixel: exact where nothing is to be filtered, free of aliasing where samples outnumber pixels."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gui_utils.sampling import MAGNIFY, axis_table


def resample(signal: np.ndarray, low: float, high: float, pixels: int, magnify: str = "lanczos") -> np.ndarray:
    table = axis_table(len(signal), low, high, pixels, magnify)
    index = np.clip(table.start[:, None] + np.arange(table.weights.shape[1]), 0, len(signal) - 1)
    return (table.weights * signal[index]).sum(axis=1)


@pytest.mark.parametrize("magnify", MAGNIFY)
def test_one_sample_per_pixel_is_the_identity_with_a_single_tap(magnify):
    table = axis_table(100, 20, 90, 70, magnify)
    assert table.weights.shape == (70, 1)
    assert (table.weights == 1).all() and (table.start == np.arange(20, 90)).all()


def test_nearest_enlarges_each_sample_to_a_block():
    assert (resample(np.arange(5.0), 0, 5, 20, "nearest") == np.repeat(np.arange(5.0), 4)).all()


@pytest.mark.parametrize("magnify", ["bicubic", "lanczos"])
def test_enlarging_passes_through_the_samples(magnify):
    signal = np.random.default_rng(0).standard_normal(32)
    enlarged = resample(signal, 0, 32, 96, magnify)  # odd factor: every third pixel lies on a sample
    assert enlarged[1::3] == pytest.approx(signal, abs=1e-6)


@given(
    low=st.floats(-20, 40), length=st.floats(0.5, 200), pixels=st.integers(1, 300), magnify=st.sampled_from(MAGNIFY), n=st.integers(1, 90)
)
def test_weights_sum_to_one_and_coverage_is_the_part_inside(low, length, pixels, magnify, n):
    table = axis_table(n, low, low + length, pixels, magnify)
    assert table.weights.sum(axis=1) == pytest.approx(np.ones(pixels), abs=1e-5)
    inside = max(0.0, min(low + length, n) - max(low, 0.0))
    assert table.coverage.sum() * length / pixels == pytest.approx(inside, abs=1e-3)
    assert 0 <= table.first < table.last <= n


@given(start=st.integers(0, 40), count=st.integers(2, 50), pixels=st.integers(1, 40), magnify=st.sampled_from(MAGNIFY))
def test_only_samples_in_first_to_last_are_read(start, count, pixels, magnify):
    table = axis_table(100, start + 0.3, start + count, pixels, magnify)
    index = np.clip(table.start[:, None] + np.arange(table.weights.shape[1]), 0, 99)
    assert index[table.weights != 0].min() >= table.first and index[table.weights != 0].max() < table.last


@pytest.mark.parametrize("pixels", [300, 512, 777, 900])
@pytest.mark.parametrize("magnify", MAGNIFY)
def test_stripes_finer_than_the_screen_become_flat_instead_of_moire(pixels, magnify):
    stripes = np.where(np.arange(1024) % 2, 1.0, -1.0)
    reduced = resample(stripes, 0, 1024, pixels, magnify)[10:-10]
    assert np.abs(reduced).max() < 0.02
    nearest = stripes[((np.arange(pixels) + 0.5) * 1024 / pixels).astype(int)]
    assert np.abs(nearest).max() == 1  # what a plain decimation would show


@pytest.mark.parametrize(
    "cycles_per_pixel, at_least, at_most", [(0.1, 0.98, 1.02), (0.25, 0.95, 1.05), (0.55, 0.0, 0.03), (1.3, 0.0, 0.01)]
)
def test_response_of_reduction(cycles_per_pixel, at_least, at_most):
    """Pass what the screen can hold, remove what it cannot: amplitude of a sine after 2000 samples became 600 pixels."""
    x = np.arange(2000) + 0.5
    reduced = [resample(wave(2 * np.pi * cycles_per_pixel * x * 600 / 2000), 0, 2000, 600)[20:-20] for wave in (np.sin, np.cos)]
    amplitude = np.sqrt(2 * np.mean(np.square(reduced)))
    assert at_least <= amplitude <= at_most


def test_every_sample_lies_in_some_pixel():
    """A single value that is not finite is seen at any reduction."""
    table = axis_table(1000, 0, 1000, 77)
    index = table.start[:, None] + np.arange(table.core.shape[1])
    assert set(range(1000)) <= set(index[table.core].tolist())


@pytest.mark.parametrize("arguments", [(0, 0, 1, 5), (10, 3, 3, 5), (10, 0, 5, 0)])
def test_an_empty_view_is_refused(arguments):
    with pytest.raises(ValueError, match="cannot show samples"):
        axis_table(*arguments)


def test_an_unknown_filter_is_refused_by_name():
    with pytest.raises(ValueError, match="'linear'; one of nearest, bicubic, lanczos"):
        axis_table(10, 0, 10, 10, "linear")
