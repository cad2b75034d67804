"""Averages around a latent: moments, the share of detail kept, the neighbourhood itself."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from tests.networks.agreement import tiny
from tests.viz.analysis.synthetic import Painted
from torch_utils.spectra import octaves
from viz.analysis.sticking import DetailKept, Jitter, RunningMoments, average, jittered, share_kept, shifted


def grating(phase, frequency=16, size=64):
    x = (torch.arange(size) + 0.5) / size
    return torch.cos(2 * math.pi * frequency * x + phase).expand(1, size, size)


@given(st.integers(1, 30), st.floats(-1e4, 1e4))
def test_moments(count, level):
    pictures = level + torch.randn(count, 2, 3, 4, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    moments = RunningMoments()
    for picture in pictures:
        moments.add(picture)
    assert torch.allclose(moments.mean, pictures.mean(0), atol=1e-9)
    assert torch.allclose(moments.variance, pictures.var(0, correction=0), atol=1e-9)


def test_a_stuck_grating_keeps_its_detail_and_a_moving_one_loses_it():
    stuck, moving, half = DetailKept(), DetailKept(), DetailKept()
    for i in range(40):
        wanders = grating(2.4 * i)  # the golden angle, nearly: all phases alike
        stuck.add(grating(0.3) * 0.5)
        moving.add(wanders)
        half.add(grating(0.3) + wanders)
    assert stuck.score(8) == pytest.approx(1, abs=1e-4)
    assert moving.score(8) == pytest.approx(0, abs=0.02)
    assert half.score(8) == pytest.approx(0.5, abs=0.06)


def test_each_band_has_a_score_of_its_own():
    kept = DetailKept()
    for i in range(40):
        kept.add(grating(0.1, frequency=5) + grating(2.4 * i, frequency=22))
    _, middle, high, top = kept.scores(octaves(64)).values()
    assert middle > 0.97  # 4 to 8 cycles per image
    assert top < 0.03  # 16 and more
    assert high is None and kept.score(40) is None, "nothing is there"
    assert kept.score(1000) is None


def slope(size=64):
    """Bright above, dark below, as a landscape: its opposite edges differ."""
    return torch.linspace(1, -1, size)[:, None].expand(1, size, size)


def test_what_is_coarse_and_stays_is_not_counted_as_detail():
    """Detail that moves, of a ten-thousandth of the power, under a slope that does not: the borders must not leak into its band."""
    kept = DetailKept()
    for i in range(40):
        kept.add(slope() + 0.004 * grating(2.4 * i, frequency=22))
    assert 1e-4 < kept.held(16) < 3e-4
    assert kept.score(16) == pytest.approx(0, abs=0.02)
    assert kept.score(2, 8) > 0.999


def test_how_few_pictures_there_are_does_not_raise_the_score():
    """Independent noise has nothing in common; the naive ratio would say 1 / N."""
    generator = torch.Generator().manual_seed(0)
    scores = []
    for _ in range(20):
        kept = DetailKept()
        for _ in range(4):
            kept.add(torch.randn(3, 32, 32, generator=generator))
        scores.append(kept.score(2))
    assert np.mean(scores) < 0.03
    assert share_kept(1.0, 1.0, 1) is None
    assert share_kept(0.0, 0.0, 5) is None
    assert share_kept(math.nan, math.nan, 5) is None, "not a number is not 0 %"
    assert share_kept(0.25, 1.0, 4) == 0
    assert share_kept(1.0, 1.0, 4) == 1


def test_a_network_that_sticks_and_one_that_does_not():
    def paint(glued):
        return lambda u, v, w: np.cos(2 * np.pi * 16 * u + (0 if glued else 40 * w)) + 0 * v

    ws = torch.zeros(1, 2, 4)
    scores = []
    for glued in (True, False):
        *_, final = average(Painted(paint(glued)), ws, num=48, jitter=Jitter(strength=1.0))
        scores.append(final.detail.score(8))
    assert (final.count, final.total, final.mean.shape) == (48, 48, (1, 64, 64))
    assert scores[0] > 0.999
    assert scores[1] < 0.15


@pytest.mark.parametrize("frequency", [6, 8, 12])
def test_under_a_moving_pose_only_stuck_detail_stays(frequency):
    """Of a wave that moves along, exp(-(2 pi f sigma)^2) of the power survives shifts of deviation sigma; of a stuck one, all."""

    def paint(u, v, w):
        return np.cos(2 * np.pi * frequency * u) + 0 * v

    ws, scores = torch.zeros(1, 2, 4), []
    for follows in (True, False):
        network = Painted(paint, follows=follows)
        *_, last = average(network, ws, num=100, neighbour=lambda _: ws, pose=lambda i: shifted(np.eye(3), i, 1.5, 64))
        scores.append(last.detail.score(4))
    assert scores[0] == pytest.approx(math.exp(-((2 * math.pi * frequency * 1.5 / 64) ** 2)), abs=0.03)
    assert scores[1] > 0.999


def test_shifts_go_with_the_pose_and_have_their_deviation():
    base = np.array([[0.0, 1, 0.25], [-1, 0, 0], [0, 0, 1]])
    poses = np.stack([shifted(base, i, 3.0, 60, seed=1) for i in range(500)])
    assert np.allclose(poses[:, :2, :2], base[:2, :2]) and (poses[5] == shifted(base, 5, 3.0, 60, seed=1)).all()
    assert poses[:, :2, 2].mean(axis=0) == pytest.approx(base[:2, 2], abs=0.005)
    assert poses[:, :2, 2].std(axis=0) == pytest.approx([0.05, 0.05], rel=0.01)


# ------------------------------------------------------------------------------------------------------ neighbourhood


@pytest.fixture(scope="module")
def tiny_t():
    return tiny("tiny_t")


def test_the_neighbourhood_is_as_wide_as_its_strength_says(tiny_t):
    ws = tiny_t.map(torch.zeros(1, 16))
    steps = [jittered(tiny_t, ws, i, Jitter(strength=s)) - ws for s in (0.1, 0.2) for i in (3,)]
    assert torch.allclose(2 * steps[0], steps[1], atol=1e-5)
    z = torch.from_numpy(np.random.default_rng([5, 3]).standard_normal((1, 16)).astype(np.float32))
    whole = jittered(tiny_t, ws, 3, Jitter(strength=1.0, seed=5)) - ws
    assert torch.allclose(whole, tiny_t.map(z) - tiny_t.w_avg, atol=1e-5), "at strength 1 it is the network's own spread about its mean"


def test_the_pose_is_held_unless_told_otherwise(tiny_t):
    ws = tiny_t.map(torch.from_numpy(np.random.RandomState(0).randn(1, 16)).float())
    seen = []
    original = tiny_t.synthesize

    class Spy:
        def __getattr__(self, name):
            return getattr(tiny_t, name)

        def synthesize(self, ws, **conditions):
            seen.append(conditions.get("learned_pose"))
            return original(ws, **conditions)

    for hold in (True, False):
        next(average(Spy(), ws, jitter=Jitter(hold_pose=hold)))
    next(average(Spy(), ws, conditions={"learned_pose": (1.0, 0.0, 0.0, 0.0)}))
    assert seen[0] == pytest.approx(tuple(tiny_t.learned_pose(ws[:, 0])[0].tolist()))
    assert seen[1] is None
    assert seen[2] == (1.0, 0.0, 0.0, 0.0)


def test_the_average_of_a_real_network_grows_and_stops(tiny_t):
    running = average(tiny_t, tiny_t.map(torch.zeros(1, 16)), num=3)
    counts = [a.count for a in running]
    assert counts == [1, 2, 3]


def test_networks_without_a_grid_can_stick_too():
    network = tiny("tiny_sg2")
    *_, final = average(network, network.map(torch.zeros(1, network.z_dim)), num=3)
    assert 0 <= final.detail.score(4) <= 1


def test_conditional_networks_draw_classes():
    network = tiny("tiny_t_cond")
    ws = network.map(torch.zeros(1, network.z_dim), torch.eye(network.c_dim)[:1])
    assert jittered(network, ws, 0, Jitter()).shape == ws.shape
