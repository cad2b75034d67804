"""Spectra: golden arrays, and signals whose spectra are known on paper."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from torch_utils.spectra import (
    Band,
    band_filter,
    decibels,
    octaves,
    radial_profile,
    share_above,
    slice_at,
    view_spectrum,
)

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "spectrum.npz") as file:
        return dict(file)


def tone(size, fx, fy=0.0, *, rate=None, amplitude=1.0, phase=0.3):
    """amplitude cos(2 pi (fx x + fy y) + phase), frequencies in cycles per image of `rate` samples; size = (width, height)."""
    rate = rate or size[0]
    x = (torch.arange(size[0], dtype=torch.float64) + 0.5 - size[0] / 2) / rate
    y = (torch.arange(size[1], dtype=torch.float64) + 0.5 - size[1] / 2)[:, None] / rate
    return (amplitude * torch.cos(2 * math.pi * (fx * x + fy * y) + phase)).float()


def test_view_golden(golden):
    x = torch.from_numpy(golden["x"])
    for spectrum, name in ((view_spectrum(x), "view_db_all"), (view_spectrum(x[2], 4), "view_db_ch2_beta4")):
        expected = golden[name]
        assert np.abs(spectrum.db().numpy() - expected).max() <= 1e-5 * np.abs(expected).max()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("size", "rate"), [((8, 8), None), ((9, 7), None), ((6, 10), 4)])
def test_every_bin_is_the_sum_that_defines_it(size, rate):
    """Without a window: |sum x exp(-2 pi i (fx x + fy y))|^2 / (H W)^2, channels together, at the frequencies that the axes say."""
    width, height = size
    x, unit = noise(3, height, width), rate or width
    found = view_spectrum(x, 0, sampling_rate=rate)
    assert found.fx.tolist() == pytest.approx([(k - width // 2) * unit / width for k in range(width)])
    assert found.fy.tolist() == pytest.approx([(k - height // 2) * unit / height for k in range(height)])
    assert found.bin_area == pytest.approx(unit / width * unit / height)
    columns = torch.exp(-2j * math.pi * found.fx[:, None] * torch.arange(width) / unit)
    rows = torch.exp(-2j * math.pi * found.fy[:, None] * torch.arange(height) / unit)
    centred = (x - x.mean((1, 2), keepdim=True)).to(columns.dtype)
    assert torch.allclose(found.power, (rows @ centred @ columns.T).abs().square().sum(0) / (height * width) ** 2, atol=1e-6)
    assert torch.allclose(found.db(absolute=True), decibels(found.power), atol=1e-4)
    assert [view_spectrum(x.to(d)).power.dtype for d in (torch.half, torch.float, torch.double)] == [torch.float, torch.float, torch.double]


def test_a_bin_of_a_line_has_no_area_and_decibels_have_a_floor():
    assert view_spectrum(noise(1, 8)).bin_area == 1
    assert view_spectrum(noise(2, 3)).bin_area == 1.5
    assert decibels(torch.tensor([10.0, 0.0])).tolist() == pytest.approx([10, -300])


@pytest.mark.parametrize("beta", [0.0, 4.0, 8.0])
@pytest.mark.parametrize("size", [(64, 64), (52, 36)])
def test_all_power_together_is_the_variance(beta, size):
    """White noise of variance 4 in three channels: 12, whatever the window (exactly, without a window)."""
    x = 7 + 2 * torch.randn(3, size[1], size[0], generator=torch.Generator().manual_seed(1))
    total = float(view_spectrum(x, beta).power.sum())
    exact = float(x.var(dim=(1, 2), correction=0).sum())
    assert total == pytest.approx(exact, rel=1e-5 if beta == 0 else 0.25)


def test_the_peak_of_a_layer_with_margins_lies_at_its_frequency_in_cycles_per_image():
    spectrum = view_spectrum(tone((84, 84), 8, 4, rate=64)[None], sampling_rate=64)
    row, column = divmod(int(spectrum.power.argmax()), 84)
    step = 64 / 84
    assert abs(abs(float(spectrum.fx[column])) - 8) <= step
    assert abs(abs(float(spectrum.fy[row])) - 4) <= step
    assert float(spectrum.fx[0]) == pytest.approx(-32)


def test_cropping_the_margin_leaves_the_image():
    layer = torch.zeros(1, 52, 52)
    layer[:, :10] = 100.0  # only the margin has anything in it
    assert float(view_spectrum(layer, 0, sampling_rate=32).power.sum()) > 1
    assert float(view_spectrum(layer, 0, sampling_rate=32, crop_margin=True).power.sum()) == 0
    assert view_spectrum(layer, sampling_rate=32, crop_margin=True).power.shape == (32, 32)
    assert view_spectrum(layer, sampling_rate=52, crop_margin=True).power.shape == (52, 52)


def test_layers_of_different_sizes_agree_in_density():
    """The same continuous white band, sampled by tensors with and without margin: the same density (within noise)."""
    generator = torch.Generator().manual_seed(2)
    density = [float(view_spectrum(torch.randn(8, n, n, generator=generator), 0, sampling_rate=64).density.mean()) for n in (64, 84)]
    assert density[0] == pytest.approx(density[1], rel=0.05)


@pytest.mark.parametrize("beta", [0.0, 8.0])
def test_out_of_band_share_of_two_tones(beta):
    """Amplitudes 3 and 1 at 5 and 20 cycles per image: a tenth of the power lies above 12."""
    x = tone((64, 64), 5, amplitude=3) + tone((64, 64), 0, 20, amplitude=1)
    assert share_above(view_spectrum(x, beta), 12) == pytest.approx(0.1, abs=2e-3)
    assert share_above(view_spectrum(x, beta), 30) == pytest.approx(0, abs=1e-6)


def test_the_share_beyond_a_square_and_a_disc_differ_in_the_corners():
    spectrum = view_spectrum(tone((64, 64), 10, 10), 0)
    assert share_above(spectrum, 12, shape="disc") == pytest.approx(1)
    assert share_above(spectrum, 12, shape="square") == pytest.approx(0, abs=1e-9)
    assert share_above(spectrum, 10, shape="square") == pytest.approx(0, abs=1e-9), "power at the frequency itself is inside"


def test_a_bin_at_the_frequency_is_inside_however_it_is_rounded():
    """As f_c and f_t of the paper's rule often are: 13 * 32 / 52 is 8, and 9 * 16 / 36 on both axes is 4 sqrt 2."""
    once = tone((52, 52), 13)
    assert share_above(view_spectrum(once, 0, sampling_rate=32), 8.0) == pytest.approx(0, abs=1e-9)
    for cutoff in (4 * math.sqrt(2), 2**2.5, 4 * math.sqrt(2) * (1 - 1e-7)):
        assert share_above(view_spectrum(tone((36, 36), 9, 9), 0, sampling_rate=16), cutoff) == pytest.approx(0, abs=1e-9)
    assert share_above(view_spectrum(once, 0, sampling_rate=32), 7.99) == pytest.approx(1)


def test_shares_are_sums_over_bins():
    spectrum = view_spectrum(noise(40, 32), sampling_rate=24)
    whole, disc, square = 0.0, 0.0, 0.0
    for fy, row in zip(spectrum.fy.tolist(), spectrum.power.double().tolist(), strict=True):
        for fx, power in zip(spectrum.fx.tolist(), row, strict=True):
            whole += power
            disc += power * (math.hypot(fx, fy) > 7)
            square += power * (abs(fx) > 7 or abs(fy) > 7)
    assert share_above(spectrum, 7, shape="disc") == pytest.approx(disc / whole, rel=1e-9)
    assert share_above(spectrum, 7, shape="square") == pytest.approx(square / whole, rel=1e-9)


def test_the_share_of_nothing_does_not_exist():
    assert math.isnan(share_above(view_spectrum(torch.zeros(8, 8)), 2))
    assert torch.isfinite(view_spectrum(torch.zeros(8, 8)).db()).all()


def test_absolute_power_knows_the_level_and_the_relative_does_not():
    x = torch.randn(1, 32, 32, generator=torch.Generator().manual_seed(3))
    quiet, loud = view_spectrum(x), view_spectrum(10 * x)
    assert torch.allclose(loud.db(absolute=True) - quiet.db(absolute=True), torch.tensor(20.0), atol=1e-3)
    assert torch.allclose(loud.db(), quiet.db(), atol=1e-3)


def test_slices_and_profile():
    x = tone((64, 64), 12) + tone((64, 64), 6, 6, amplitude=0.1)
    spectrum = view_spectrum(x, 0)
    f, power = slice_at(spectrum, 0)
    assert float(f[power.argmax()]) == pytest.approx(12)
    f, power = slice_at(spectrum, 0.125)
    assert float(f[power.argmax()]) == pytest.approx(6 * math.sqrt(2))
    for angle in (0.25, 0.375):
        assert float(slice_at(spectrum, angle)[1].max()) < 1e-9
    f, power = radial_profile(spectrum)
    assert len(f) == 32
    assert float(f[power.argmax()]) == pytest.approx(12.5)
    with pytest.raises(ValueError, match=r"angle is 0\.1"):
        slice_at(spectrum, 0.1)


@pytest.mark.parametrize("size", [(32, 32), (36, 52), (31, 33)])
def test_a_slice_reads_the_bins_of_its_direction_to_the_end_and_no_further(size):
    spectrum = view_spectrum(noise(size[1], size[0]), sampling_rate=24)
    bins = {
        (x, y): float(p)
        for y, row in zip(spectrum.fy.tolist(), spectrum.power, strict=True)
        for x, p in zip(spectrum.fx.tolist(), row, strict=True)
    }
    right, up, left = ([f for f in axis.tolist() if f >= 0] for axis in (spectrum.fx, spectrum.fy, -spectrum.fx.flip(0)))
    zero = [0.0] * max(size)
    for angle, x, y in ((0, right, zero), (0.125, right, up), (0.25, zero, up), (0.375, [-f for f in left], up)):
        f, power = slice_at(spectrum, angle)
        here = list(zip(x, y, strict=False))[: min((size[0] + 1) // 2, (size[1] + 1) // 2) if x is not zero and y is not zero else None]
        assert f.tolist() == pytest.approx([math.hypot(*at) for at in here])
        assert power.tolist() == pytest.approx([bins[at] for at in here])


@pytest.mark.parametrize(("size", "bins", "rings"), [((33, 40), None, 16), ((40, 31), 7, 7), ((2, 2), None, 1)])
def test_a_radial_profile_is_the_mean_over_rings_up_to_the_nearer_edge(size, bins, rings):
    rate = min(size)  # so that bins of the shorter axis lie on whole numbers, and none beside the edge of a ring
    spectrum = view_spectrum(noise(size[1], size[0]), sampling_rate=rate)
    limit = min(rate * (n // 2) / n for n in size)
    f, power = radial_profile(spectrum, bins)
    assert f.tolist() == pytest.approx([(k + 0.5) * limit / rings for k in range(rings)])
    for k, mean in enumerate(power):
        inside = (spectrum.radius >= k * limit / rings) & (spectrum.radius < (k + 1) * limit / rings)
        assert float(mean) == pytest.approx(float(spectrum.power[inside].mean()), rel=1e-5)


def test_rings_without_a_bin_hold_nothing():
    _, power = radial_profile(view_spectrum(noise(4, 4)), 12)
    assert len(power) == 12 and math.isfinite(power[0]) and math.isnan(power[1]) and math.isnan(power[11])


def test_a_band_keeps_its_tone_and_drops_the_others():
    inside, below, above = tone((64, 64), 9), tone((64, 64), 0, 3), tone((64, 64), 20)
    y = band_filter(inside + below + above + 5, Band(6, 13), mirror=False)
    assert (y - inside).abs().max() < 1e-5
    assert (band_filter(inside + 5, Band(0, 13), mirror=False) - inside - 5).abs().max() < 1e-5


@pytest.mark.parametrize("size", [(52, 36), (36, 51)])
def test_a_band_of_a_mirrored_layer_is_a_band_of_its_cosines(size):
    """cos(pi k (i + 1/2) / n) goes on in the mirror, and has k s / (2 n) cycles per image: what is in the band stays exactly."""
    width, height = size
    wave = lambda k, n: torch.cos(math.pi * k * (torch.arange(n) + 0.5) / n)  # noqa: E731
    across, down = (wave(30, width) * torch.ones(height, 1)).half(), (wave(3, width) * wave(30, height)[:, None]).half()
    y = band_filter(
        torch.stack([across, down, across + down]), Band(30 * 32 / 2 / 52 / 1.1, 30 * 32 / 2 / 52 * 1.1, 0.05), sampling_rate=32
    )
    kept = [across, 0 * down, across] if width == 52 else [0 * across, down, down]
    assert y.dtype == torch.float32
    assert (y - torch.stack(kept).float()).abs().max() < 2e-3


def test_the_edge_of_a_band_is_as_wide_as_it_says():
    gain = Band(low=8, softness=0.25).response(torch.tensor([0.0, 8 / 1.13, 8 / 1.05, 8.0, 8 * 1.05, 8 * 1.13, 100.0]))
    assert torch.allclose(gain[[0, 1, 3, 5, 6]], torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]), atol=1e-6)
    assert 0 < gain[2] < 0.5 < gain[4] < 1
    near = torch.linspace(0, 12, 50)
    assert torch.allclose(Band(8, 8.5).response(near), Band(8).response(near) * Band(0, 8.5).response(near)), "also where both edges lie"
    assert Band(1, 10, softness=0).response(torch.tensor([0.0, 0.9, 1.0, 9.9, 10.0])).tolist() == [0, 0, 1, 1, 0]
    assert Band(1).response(torch.tensor([0.0, 0.5, 2.0])).tolist() == [0, 0, 1]


def test_octaves_add_up_to_everything_above_the_first():
    x = torch.randn(2, 36, 52, generator=torch.Generator().manual_seed(4))
    bands = octaves(32)
    assert [(b.low, b.high) for b in bands] == [(2, 4), (4, 8), (8, math.inf)]
    assert [b.low for b in octaves(34, first=1)] == [1, 2, 4, 8, 16]
    total = sum(band_filter(x, band, sampling_rate=32) for band in bands) + band_filter(x, Band(0, 2), sampling_rate=32)
    assert torch.allclose(total, x, atol=1e-5)
    assert torch.allclose(band_filter(x[..., 1:], Band(), mirror=False), x[..., 1:], atol=1e-5)


def test_mirroring_keeps_opposite_edges_apart():
    ramp = torch.linspace(-1, 1, 64).repeat(64, 1)
    for x in (ramp, ramp.T):
        ends = [band_filter(x, Band(16)), band_filter(x, Band(16), mirror=False)]
        mirrored, wrapped = (float(y[:, :2].abs().max() if x is ramp else y[:2].abs().max()) for y in ends)
        assert mirrored < 0.1 * wrapped


def test_wrong_shapes_are_refused_by_name():
    with pytest.raises(ValueError, match="x has shape"):
        view_spectrum(torch.zeros(1, 1, 8, 8))
