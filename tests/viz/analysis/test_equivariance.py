"""Live equivariance: one view, layer by layer, and sweeps."""

import math

import numpy as np
import pytest
import torch

from networks.measures.comparison import Difference, difference, image_frame, kind_of, ratio_db
from tests.networks.agreement import tiny
from tests.viz.analysis.synthetic import Painted, equivariance_of, waves
from torch_utils.resample import pose_matrix
from viz.analysis.equivariance import NoGridError, per_layer, sweep_angle, sweep_shift

POSE = pose_matrix(0.3, 0.05, -0.02)


@pytest.fixture(scope="module")
def tiny_r():
    return tiny("tiny_r")


def latent(network, seed=0):
    return network.map(torch.from_numpy(np.random.RandomState(seed).randn(1, network.z_dim)).float())


@pytest.mark.parametrize(
    ("matrix", "kind"),
    [
        (pose_matrix(0, 3 / 64, -1 / 64), "eq_t"),
        (np.eye(3), "eq_t"),
        (pose_matrix(0, 3.5 / 64), "eq_t_frac"),
        (pose_matrix(1e-3, 3 / 64), "eq_r"),
        ([[2, 0, 0], [0, 2, 0], [0, 0, 1]], "eq_r"),
        ([[1 + 1e-6, 0, 0], [0, 1 + 1e-6, 0], [0, 0, 1]], "eq_r"),
    ],
)
def test_the_operators_fit_the_pose(matrix, kind):
    assert kind_of(matrix, 64) == kind


def test_the_numbers_of_a_difference_are_those_of_its_values():
    """A reference of 3 +- 2 on half of the picture, wrong by 0.1: its mean is no signal, and what is outside the mask does not count."""
    reference = torch.full((2, 4, 6), 9.0)
    reference[..., :3] = 3 + 2 * torch.tensor([1.0, -1.0]).repeat(2)[:, None]
    mask = (torch.arange(6) < 3).repeat(4, 1)
    found = Difference("eq_r", 0.1 * mask.repeat(2, 1, 1), reference, mask)
    assert found.valid == 24
    assert found.squared_error == pytest.approx(24 * float(np.float32(0.1)) ** 2, rel=1e-12), "summed in float64"
    assert found.db == pytest.approx(10 * math.log10(4 / 0.01), abs=1e-6)
    assert found.signal_db == pytest.approx(10 * math.log10(4 / 0.01), abs=1e-6)


@pytest.mark.parametrize(("power", "error", "db"), [(0.5, 0.05, 10.0), (0.5, 0.0, math.inf), (0.0, 0.5, -math.inf), (0.0, 0.0, None)])
def test_a_ratio_exists_unless_both_are_nothing(power, error, db):
    assert ratio_db(power, error) == (db if db is None else pytest.approx(db))


def test_what_is_no_number_is_not_without_error():
    """A network that computes nan once had ∞ dB."""
    assert ratio_db(1.0, math.nan) is None and ratio_db(math.nan, 1.0) is None and ratio_db(math.nan, 0.0) is None
    assert ratio_db(1.0, math.inf) == -math.inf and ratio_db(math.inf, math.inf) is None
    broken = torch.zeros(1, 16, 16)
    broken[0, 8, 8] = math.nan
    assert difference(torch.zeros(1, 16, 16), broken, pose_matrix(0, 1 / 16), sampling_rate=16).db is None


def test_a_shift_that_rounding_left_just_below_whole_pixels_is_by_whole_pixels():
    picture = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = difference(picture, picture.roll((-1, 2), (1, 2)), pose_matrix(0, (2 - 1e-8) / 8, (-1 + 1e-8) / 8), sampling_rate=8)
    assert (found.kind, found.db, found.valid) == ("eq_t", math.inf, 7 * 6)


def test_a_view_that_moves_exactly_has_no_error_and_one_that_sticks_shows_where():
    moving, stuck = (equivariance_of(Painted(waves, follows=f), torch.zeros(1, 2, 4), POSE) for f in (True, False))
    assert moving.kind == "eq_r"
    assert moving.db > 40
    assert stuck.db < 15
    assert stuck.error.shape == (1, 64, 64)
    assert not stuck.error[:, ~stuck.mask].any(), "no error is claimed where nothing can be compared"
    assert float(stuck.error.abs().max()) > 0.5


def test_a_view_of_a_whole_pixel_pose_gives_the_number_of_the_metric(tiny_r):
    ws = latent(tiny_r)
    found = equivariance_of(tiny_r, ws, pose_matrix(0, 2 / 32, 1 / 32))
    base, moved = (tiny_r.synthesize(ws, pose=p)[0] for p in (None, pose_matrix(0, 2 / 32, 1 / 32)))
    error = (moved[:, 1:, 2:] - base[:, :-1, :-2]).double()
    assert found.db == pytest.approx(float(10 * torch.log10(4 / error.square().mean())), abs=1e-6)


def test_conditions_of_the_view_reach_the_network(tiny_r):
    ws = latent(tiny_r)
    free, held = (equivariance_of(tiny_r, ws, POSE, c) for c in ({}, {"learned_pose": (0.0, 1.0, 0.2, 0.0)}))
    assert not torch.equal(free.reference, held.reference)


# --------------------------------------------------------------------------------------------------------- per layer


def test_every_layer_is_compared_in_order_at_its_own_rate(tiny_r):
    found = list(per_layer(tiny_r, latent(tiny_r), pose_matrix(0.4, 0.03, 0.0)))
    assert [f.name for f in found] == [tap.name for tap in tiny_r.taps]
    assert [f.sampling_rate for f in found] == [tap.sampling_rate for tap in tiny_r.taps]
    assert found[0].signal_db > 40, "the Fourier input follows by construction"
    assert all(f.signal_db > 30 for f in found)


def test_rotation_breaks_in_the_first_layer_with_3x3_convolutions():
    network = tiny("tiny_t")
    found = list(per_layer(network, latent(network), pose_matrix(0.8)))
    assert found[0].signal_db > 35
    assert found[1].signal_db < found[0].signal_db - 10


def test_a_layer_with_margins_is_compared_in_image_coordinates():
    """A picture known everywhere, on a layer with a margin of ten: in tensor widths the reference would be off by 31 %."""
    layer, output = per_layer(Painted(waves), torch.zeros(1, 2, 4), pose_matrix(0.2, 0.1, 0.05))
    assert layer.signal_db > 40
    assert output.signal_db > 40


def test_the_outer_margin_is_no_reference():
    """A layer's border is computed from zeros beyond it; here it is spoilt, five samples deep. Inside the image nothing shows."""

    class Spoilt(Painted):
        def synthesize(self, ws, *, tap=None, **rest):
            x = super().synthesize(ws, tap=tap, **rest)
            if tap == "layer":
                x[..., :5, :], x[..., -5:, :], x[..., :5], x[..., -5:] = 9.0, 9.0, 9.0, 9.0
            return x

    layer, _ = per_layer(Spoilt(waves), torch.zeros(1, 2, 4), pose_matrix(0.2, 0.1, 0.05))
    assert layer.signal_db > 40


def test_each_layer_runs_twice_and_no_more(tiny_r):
    ran = []
    handles = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in tiny_r.synthesis.named_children()
        if name.startswith("L")
    ]
    try:
        list(per_layer(tiny_r, latent(tiny_r), POSE))
    finally:
        for handle in handles:
            handle.remove()
    assert sorted(ran) == sorted([tap.name for tap in tiny_r.taps if tap.name.startswith("L")] * 2)


@pytest.mark.parametrize(("size", "inside"), [((36, 36), np.s_[10:26, 14:26]), ((36, 30), np.s_[10:20, 14:26]), ((16, 16), np.s_[:, 4:])])
def test_the_image_frame_is_what_was_inside_before_and_is_inside_now(size, inside):
    """A margin of ten or none, and four samples that came from the left of the image."""
    expected = np.zeros(size[::-1], bool)
    expected[inside] = True
    assert np.array_equal(image_frame(size, pose_matrix(0, 0.25), 16), expected)


def test_nothing_to_compare_is_none():
    for found in per_layer(Painted(waves), torch.zeros(1, 2, 4), pose_matrix(0, 2.0)):
        assert (found.signal_db, found.valid) == (None, 0)


# ------------------------------------------------------------------------------------------------------------- sweeps


def test_aliasing_falls_between_whole_pixels():
    """Nearest-neighbour reading moves exactly by whole pixels only."""
    network = Painted(lambda u, v, w: waves(np.round(u * 64 + 0.25) / 64, v))
    points = list(sweep_shift(network, torch.zeros(1, 2, 4), (0.0, 0.5, 1.0)))
    assert [p.kind for p in points] == ["eq_t", "eq_t_frac", "eq_t"]
    assert points[0].db == math.inf
    assert points[2].db > 100
    assert points[1].db < 30
    smooth = list(sweep_shift(Painted(waves), torch.zeros(1, 2, 4), (0.5,)))
    assert smooth[0].db > 45


def test_sweep_over_angles(tiny_r):
    points = list(sweep_angle(tiny_r, latent(tiny_r), (0.0, 0.125, 0.5)))
    assert [p.value for p in points] == [0.0, 0.125, 0.5]
    assert points[0].kind == "eq_t"
    assert all(p.db > 60 for p in points)
    stuck = list(sweep_angle(Painted(waves, follows=False), torch.zeros(1, 2, 4), (0.125,)))
    assert stuck[0].db < 15


def test_a_network_without_a_grid_says_so():
    network = tiny("tiny_sg2")
    for measured in (
        lambda: next(per_layer(network, latent(network), POSE)),
        lambda: next(sweep_shift(network, latent(network))),
        lambda: next(sweep_angle(network, latent(network))),
    ):
        with pytest.raises(NoGridError, match="no input grid"):
            measured()
