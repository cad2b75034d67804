"""Filter design: every golden tap, and what each design promises."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.signal
import scipy.special

from networks.filters import DESIGNS, Lowpass, design, kaiser_beta
from networks.layer_rule import layer_specs
from tests.networks.agreement import GOLDEN, golden_arrays
from tests.networks.test_specs import golden_config

SPECS = json.loads((GOLDEN / "layer_specs.json").read_text())
FILTERS = golden_arrays("filters")
KAISER = Lowpass(support=6, factor=2, cutoff=5.0, half_width=3.0, sampling_rate=32)


@pytest.mark.parametrize("name", SPECS)
def test_taps_match_golden(name: str) -> None:
    for spec, golden in zip(layer_specs(golden_config(SPECS[name])), SPECS[name]["layers"], strict=True):
        assert (spec.up_lowpass.factor, spec.up_lowpass.taps) == (spec.up_factor, spec.up_taps)
        assert (spec.down_lowpass.factor, spec.down_lowpass.taps) == (spec.down_factor, spec.down_taps)
        for lowpass, golden_name in ((spec.up_lowpass, golden["up_filter"]), (spec.down_lowpass, golden["down_filter"])):
            taps = design(lowpass)
            if golden_name is None:
                assert taps is None, spec.name
                continue
            assert taps is not None, spec.name
            expected = FILTERS[golden_name]
            assert taps.shape == expected.shape
            np.testing.assert_allclose(taps, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def designed(lowpass: Lowpass) -> np.ndarray:
    taps = design(lowpass)
    assert taps is not None
    return taps


def test_radial_taps_are_exact_to_the_last_digits_of_float64() -> None:
    """Golden taps are float32. Computed with another library's Bessel function, in float64."""
    lowpass = replace(KAISER, radial=True)
    t = (np.arange(12) - 5.5) / 32
    radius = np.hypot(t[:, None], t)
    taps = scipy.special.j1(2 * np.pi * 5.0 * radius) / radius
    beta = scipy.signal.kaiser_beta(scipy.signal.kaiser_atten(12, 3.0 / 8))
    taps *= np.outer(np.kaiser(12, beta), np.kaiser(12, beta))
    np.testing.assert_allclose(designed(lowpass), taps / taps.sum(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize("window", DESIGNS)
def test_every_design_keeps_the_mean_and_is_symmetric(window: str, radial: bool) -> None:
    taps = designed(replace(KAISER, window=window, radial=radial))
    assert taps.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(taps, np.flip(taps), atol=1e-12)


def response(taps: np.ndarray, frequency: float, sampling_rate: float) -> float:
    positions = np.arange(len(taps)) - (len(taps) - 1) / 2
    return float((taps * np.cos(2 * np.pi * frequency * positions / sampling_rate)).sum())


def test_kaiser_passes_its_band_and_stops_the_rest() -> None:
    taps = designed(KAISER)
    assert response(taps, 5.0, 32) == pytest.approx(0.5, abs=0.02)
    assert response(taps, 2.0, 32) > 0.95
    assert max(abs(response(taps, f, 32)) for f in np.linspace(8.2, 16, 50)) < 0.05


def test_radial_filter_answers_alike_in_all_directions() -> None:
    round_taps = designed(replace(KAISER, radial=True))
    square_taps = np.outer(designed(KAISER), designed(KAISER))
    assert direction_spread(round_taps) < 0.02
    assert direction_spread(square_taps) > 0.15


def direction_spread(taps: np.ndarray) -> float:
    """How much the response at the cutoff frequency differs between directions."""
    positions = (np.arange(taps.shape[0]) - (taps.shape[0] - 1) / 2) / 32
    y, x = np.meshgrid(positions, positions, indexing="ij")
    waves = [(taps * np.cos(2 * np.pi * 5.0 * (x * np.cos(a) + y * np.sin(a)))).sum() for a in np.linspace(0, np.pi / 4, 9)]
    return float(max(waves) - min(waves))


def test_odd_radial_filters_have_a_centre() -> None:
    taps = designed(replace(KAISER, support=5, factor=3, radial=True))
    assert np.isfinite(taps).all()
    assert np.argmax(taps) == taps.size // 2


def test_lanczos_ends_after_two_samples() -> None:
    taps = designed(replace(KAISER, window="lanczos"))
    assert (taps[:2] == 0).all() and (taps[2:4] != 0).any()


@pytest.mark.parametrize(
    ("window", "weights"),  # of a filter by two, at 1/4, 3/4, 5/4 and 7/4 samples from its middle
    [
        ("gaussian", np.exp(-0.5 * np.array([0.25, 0.75, 1.25, 1.75]) ** 2 / 0.4**2)),
        ("bilinear", np.array([0.75, 0.25, 0, 0])),
        ("nearest", np.array([1.0, 0, 0, 0])),
        ("lanczos", np.sinc([0.25, 0.75, 1.25, 1.75]) * np.sinc(np.array([0.25, 0.75, 1.25, 1.75]) / 2)),
    ],
)
def test_the_ablations_are_their_formulas(window: str, weights: np.ndarray) -> None:
    taps = designed(replace(KAISER, window=window, support=4))
    np.testing.assert_allclose(taps[4:], weights / (2 * weights.sum()), atol=1e-12)


def test_no_change_of_rate_needs_no_filter() -> None:
    assert design(replace(KAISER, factor=1)) is None


def test_nonsense_is_named() -> None:
    with pytest.raises(ValueError, match="window must be one of kaiser"):
        design(replace(KAISER, window="hann"))
    for cutoff in (20.0, 16.0, 0.0):
        with pytest.raises(ValueError, match=f"cutoff {cutoff:g} must lie between 0 and half the sampling rate, 16"):
            design(replace(KAISER, cutoff=cutoff))


@pytest.mark.parametrize("half_width", [0.5, 2.0, 6.0, 20.0])
def test_the_kaiser_design_is_scipys(half_width):
    """The design is ours for the sake of a fast start; scipy's is the yardstick, in all three ranges of beta."""
    firwin = scipy.signal.firwin
    for cutoff, factor in ((2.0, 2), (5.5, 4), (16.0, 2)):
        lowpass = Lowpass(6, factor, cutoff, half_width, 64.0)
        expected = firwin(lowpass.taps, cutoff, width=2 * half_width, fs=64.0)
        np.testing.assert_allclose(design(lowpass), expected, atol=1e-12)


def test_the_shape_of_the_kaiser_window_is_scipys() -> None:
    for attenuation_db in np.linspace(0, 120, 241):
        assert kaiser_beta(attenuation_db) == pytest.approx(scipy.signal.kaiser_beta(attenuation_db), abs=1e-12)
