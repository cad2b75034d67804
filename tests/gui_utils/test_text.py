"""Numbers on screen."""

import pytest

from gui_utils.text import duration_text, number_text, signed, signed_text, size_text


@pytest.mark.parametrize("value, unit, decimals, expected", [
    (41.26, "dB", 1, "41.3 dB"), (-3.0, "dB", 1, "−3.0 dB"), (None, "dB", 1, "—"), (float("nan"), "dB", 1, "—"),
    (float("inf"), "dB", 1, "∞ dB"), (float("-inf"), "", 1, "−∞"), (-0.01, "", 1, "0.0"), (12.5, "°", 1, "12.5°"), (0.5, "", 3, "0.500"),
])  # fmt: skip
def test_number_text(value, unit, decimals, expected):
    assert number_text(value, unit, decimals) == expected


def test_sizes_and_durations():
    assert [size_text(n) for n in (0, 1023, 1536, 3 * 2**30, None)] == ["0 B", "1023 B", "1.5 KiB", "3.0 GiB", "—"]
    assert [duration_text(s) for s in (0.0015, 0.041, 3.21, 125, None)] == ["1.5 ms", "41 ms", "3.2 s", "2 min 05 s", "—"]


def test_signs_are_told_and_real():
    assert [signed_text(v, "dB") for v in (1.0, -1.0, 0.0, -0.01, float("inf"))] == ["+1.0 dB", "−1.0 dB", "+0.0 dB", "+0.0 dB", "+∞ dB"]
    assert signed_text(float("nan")) == "—"
    assert [signed(text) for text in ("1.5", "−1.5", "—")] == ["+1.5", "−1.5", "—"]
