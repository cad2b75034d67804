"""The x-t slice: reading a line, keeping the last lines, and the streak score."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from viz.analysis.slice import ScanLine, SliceStrip, streak_score


def ramp(height, width, rate):
    """A picture that holds its own image coordinates."""
    x = (np.arange(width) + 0.5 - width / 2) / rate
    y = (np.arange(height) + 0.5 - height / 2) / rate
    return np.stack(np.broadcast_arrays(x, y[:, None]), axis=-1).astype(np.float32)


@given(
    x0=st.floats(-0.4, 0.4),
    y0=st.floats(-0.4, 0.4),
    x1=st.floats(-0.4, 0.4),
    y1=st.floats(-0.4, 0.4),
    size=st.sampled_from([(64, 64), (84, 84), (70, 100)]),
)
def test_a_line_reads_the_picture_where_it_lies(x0, y0, x1, y1, size):
    line = ScanLine(x0, y0, x1, y1)
    values = line.read(ramp(*size, 64), sampling_rate=64)
    t = (np.arange(len(values)) + 0.5) / len(values)
    assert line.length == pytest.approx(math.dist((x0, y0), (x1, y1)))
    assert len(values) == max(2, round(line.length * 64))
    assert np.allclose(values[:, 0], x0 + (x1 - x0) * t, atol=1e-4)
    assert np.allclose(values[:, 1], y0 + (y1 - y0) * t, atol=1e-4)


@given(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(0, math.tau), st.floats(0.1, 0.5), st.floats(-0.5, 1.5), st.floats(-1, 1))
def test_the_nearest_point_of_a_line_is_at_the_foot_of_the_perpendicular(x0, y0, turn, length, part, beside):
    dx, dy = length * math.cos(turn), length * math.sin(turn)
    line = ScanLine(x0, y0, x0 + dx, y0 + dy)
    x, y = line.at(part)
    assert line.nearest(x - beside * dy, y + beside * dx) == pytest.approx(min(max(part, 0.0), 1.0), abs=1e-6)
    assert ScanLine(x0, y0, x0, y0).nearest(x, y) == 0.0


def test_through_the_middle_every_row_and_every_column_is_read_once():
    """Between the two samples that the middle lies between."""
    picture = np.random.default_rng(0).standard_normal((8, 8, 2)).astype(np.float32)
    assert np.allclose(ScanLine(0, -0.5, 0, 0.5).read(picture), picture[:, 3:5].mean(axis=1))
    assert np.allclose(ScanLine(-0.5, 0, 0.5, 0).read(picture), picture[3:5].mean(axis=0))
    assert np.allclose(ScanLine(0.5, -0.5, 0.5, 0.5).read(picture), picture[:, 7])


def test_beyond_the_border_the_border_goes_on():
    values = ScanLine(0, -1, 0, 1).read(ramp(32, 32, 32))
    assert values[0, 1] == pytest.approx(-0.5 + 0.5 / 32)
    assert values[-1, 1] == pytest.approx(0.5 - 0.5 / 32)
    assert ScanLine().read(np.ones((1, 1, 3), np.float32)).shape == (2, 3)


@given(st.integers(1, 7), st.integers(0, 20))
def test_the_strip_holds_the_last_lines_oldest_first(capacity, count):
    strip = SliceStrip(capacity)
    for i in range(count):
        strip.push(np.full((3, 1), i, np.float32))
    kept = list(range(count))[-capacity:]
    assert len(strip) == len(kept)
    assert strip.picture()[:, :, 0].tolist() == ([[float(i) for i in kept]] * 3 if count else [])


def test_another_length_starts_afresh():
    strip = SliceStrip(4)
    strip.push(np.zeros((3, 1)))
    strip.push(np.ones((5, 1)))
    assert strip.picture().shape == (5, 1, 1)
    strip.clear()
    assert (len(strip), strip.picture().size) == (0, 0)
    with pytest.raises(ValueError, match="capacity is 0"):
        SliceStrip(0)


def strands(phase_of_time, frequency=20.0, length=0.5, samples=64, frames=60):
    """cos along the line, its phase a function of time: [samples, frames, 1]."""
    p = (np.arange(samples) + 0.5) / samples * length
    t = np.arange(frames)
    return np.cos(2 * np.pi * frequency * p[:, None] + phase_of_time(t))[:, :, None]


def test_streaks_score_one_and_moving_strands_zero():
    stuck, moving = strands(lambda t: 0 * t), strands(lambda t: 2.4 * t)
    assert streak_score(stuck, length=0.5, low=10) == pytest.approx(1)
    assert streak_score(moving, length=0.5, low=10) == pytest.approx(0, abs=0.01)
    assert streak_score(0.6 * stuck + 0.8 * moving, length=0.5, low=10) == pytest.approx(0.36, abs=0.02)


def test_only_the_band_asked_for_counts():
    """Slow large shapes may stand still; only the detail above `low` is judged."""
    both = 5 * strands(lambda t: 0 * t, frequency=4) + strands(lambda t: 2.4 * t, frequency=24)
    assert streak_score(both, length=0.5, low=14) < 0.02
    assert streak_score(both, length=0.5, low=0, high=10) > 0.98


def test_a_level_that_flickers_is_no_detail():
    flicker = strands(lambda t: 0 * t) + np.cos(np.arange(60))[None, :, None] * 10
    assert streak_score(flicker, length=0.5, low=10) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(0, 0, 1), (0, 9, 1), (64, 0, 3), (64, 1, 3), (1, 9, 3)])
def test_no_number_where_there_is_none(shape):
    assert streak_score(np.random.default_rng(0).standard_normal(shape), length=0.5, low=1) is None


def test_two_lines_of_two_samples_have_a_number():
    assert streak_score(np.array([[[1.0], [1.0]], [[-1.0], [-1.0]]]), length=0.5, low=1) == pytest.approx(1)


def test_a_flat_slice_has_no_detail_to_judge():
    assert streak_score(np.ones((32, 8, 3)), length=0.5, low=math.pi) is None
