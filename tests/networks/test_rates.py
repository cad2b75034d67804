"""Networks at another sampling rate: R draws the same picture, T does not; sizes, bands and what is shared."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from networks.breakage import Breakage, BreakageError, broken
from networks.build import build
from networks.configs import rung
from networks.filters import design
from networks.loading import load
from networks.rates import HIGHEST, LOWEST, at_rate, resampled
from networks.spec import MappingConfig
from torch_utils.resample import pose_matrix

CONFIG = replace(rung("R", 64, z_dim=8, w_dim=8, mapping=MappingConfig(num_layers=1)), channel_base=512, channel_max=12)


@pytest.fixture(scope="module")
def network():
    return build(CONFIG, seed=0)


def picture(network, seed=3, **arguments):
    z = torch.from_numpy(np.random.RandomState(seed).randn(1, network.z_dim)).float()
    return network.synthesize(network.map(z), **arguments)


def likeness(network, octaves, **arguments):
    """PSNR in dB of the picture against that of the network at its own rate, on the coarser grid."""
    at_its_own, other = picture(network, **arguments), picture(broken(network, Breakage(rate_octaves=octaves)), **arguments)
    size = min(at_its_own.shape[-1], other.shape[-1])
    return 10 * math.log10(4 / (resampled(at_its_own, size) - resampled(other, size)).square().mean().item())


# ---------------------------------------------------------------------------------------------------- the picture


def test_r_draws_the_same_picture_at_twice_and_at_half_the_rate_and_t_does_not():
    r, t = load("globe-still-r-64").network, load("globe-still-t-64").network
    assert likeness(r, 1) > 45 and likeness(r, -1) > 30
    assert likeness(t, 1) < 25 and likeness(t, -1) < likeness(r, -1) - 5


def test_the_pose_is_in_image_widths_at_every_rate():
    pose = pose_matrix(angle=0.4, tx=0.1, ty=-0.05)
    assert likeness(load("globe-still-r-64").network, 1, pose=pose) > 45
    assert likeness(load("globe-still-r-64").network, -1, pose=pose) > 30


@pytest.mark.parametrize("octaves", range(LOWEST, HIGHEST + 1))
def test_layers_fit_each_other_and_the_picture_says_its_size(network, octaves):
    twin = broken(network, Breakage(rate_octaves=octaves))
    size = max(16, round(64 * 2**octaves))  # 16 is the rate of the input
    assert twin.img_resolution == size and picture(twin).shape == (1, 3, size, size) and network.img_resolution == 64
    specs = twin.synthesis.specs
    for tap, found in ((t, picture(twin, tap=t.name)) for t in twin.taps):
        assert found.shape[2:] == tap.size[::-1]
    assert all(b.in_size == a.out_size and b.in_sampling_rate == a.out_sampling_rate for a, b in itertools.pairwise(specs))
    assert all(b.in_cutoff == a.out_cutoff for a, b in itertools.pairwise(specs))
    assert {id(p) for p in twin.parameters()} == {id(p) for p in network.parameters()}


def test_a_raised_filter_is_the_same_function_of_time(network):
    before, after = network.synthesis.specs[3], broken(network, Breakage(rate_octaves=1)).synthesis.specs[3]
    frequency = np.linspace(0, before.in_cutoff + before.in_half_width, 50)

    def response(lowpass):
        taps = design(lowpass)
        time = lowpass.positions() * lowpass.factor / lowpass.sampling_rate
        return np.cos(2 * np.pi * np.outer(frequency, time)) @ taps

    assert np.abs(response(before.up_lowpass) - response(after.up_lowpass)).max() < 2e-2
    assert after.up_taps == 2 * before.up_taps and after.up_factor == before.up_factor


def test_lowered_layers_end_where_their_rate_does(network):
    specs = broken(network, Breakage(rate_octaves=-1)).synthesis.specs
    assert max(s.out_sampling_rate for s in specs) == 32
    for old, new in zip(network.synthesis.specs, specs, strict=True):
        assert new.out_cutoff == min(old.out_cutoff, 16) and new.out_cutoff + new.out_half_width <= 16 * CONFIG.last_stopband_rel + 1e-9
        if max(old.in_sampling_rate, old.out_sampling_rate) <= 32:
            assert new == old


def test_at_the_same_rate_nothing_changes(network):
    source, specs = network.synthesis.input.spec, network.synthesis.specs
    assert at_rate(CONFIG, source, specs, 0) == (source, specs)


# ---------------------------------------------------------------------------------------------------- with what else is broken


def test_supports_and_margins_are_in_samples_of_before(network):
    alone, with_margin = (broken(network, Breakage(rate_octaves=1, margin=margin)) for margin in (-1, 10))
    assert with_margin.synthesis.specs == alone.synthesis.specs
    four = broken(network, Breakage(rate_octaves=1, support=4, margin=5)).synthesis.specs[2]
    assert four.up_taps == 4 * four.up_factor * 2 and four.out_size[0] == four.out_sampling_rate + 2 * 5 * 2


@pytest.mark.parametrize(
    "other", [Breakage(upsampling=1, window="nearest"), Breakage(pool="blur"), Breakage(margin=0), Breakage((2,), noise=0.3)]
)
@pytest.mark.parametrize("octaves", [1, -1])
def test_the_rest_can_be_broken_at_any_rate(network, other, octaves):
    found = picture(broken(network, replace(other, rate_octaves=octaves)))
    assert found.shape[-1] == 64 * 2**octaves and torch.isfinite(found).all()


def test_what_cannot_be_done_is_refused(network):
    for octaves in (LOWEST - 1, HIGHEST + 1):
        with pytest.raises(BreakageError, match="rate_octaves is"):
            Breakage(rate_octaves=octaves)
        with pytest.raises(ValueError, match="octaves"):
            at_rate(CONFIG, network.synthesis.input.spec, network.synthesis.specs, octaves)
    large = build(replace(CONFIG, img_resolution=1024, channel_base=64, channel_max=4), seed=0)
    with pytest.raises(BreakageError, match="2048 x 2048 pixels"):
        broken(large, Breakage(rate_octaves=1))
    assert broken(large, Breakage(rate_octaves=-1)).img_resolution == 512
    noisy = build(replace(CONFIG, use_noise=True), seed=0)
    with pytest.raises(BreakageError, match="noise images"):
        broken(noisy, Breakage(rate_octaves=-1))


# ---------------------------------------------------------------------------------------------------- the same picture on another grid


def test_resampling_keeps_what_both_grids_can_hold():
    def waves(size):
        x = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        return torch.outer(torch.cos(math.pi * 3 * x) + 0.5, torch.cos(math.pi * 7 * x) - 0.2)

    for size in (16, 24, 32, 100):
        assert torch.allclose(resampled(waves(32), size), waves(size), atol=1e-12)
    ripple = torch.cos(math.pi * 20 * (torch.arange(32, dtype=torch.float64) + 0.5) / 32).expand(32, 32)
    assert resampled(ripple, 16).abs().max() < 1e-12  # above the coarser grid's band
    x = torch.randn(1, 3, 32, 32)
    assert resampled(x, 32) is x and resampled(x, 64).dtype == x.dtype
    assert torch.allclose(resampled(resampled(x, 64), 32), x, atol=1e-5)
