"""Animation is a pure function of the state and dt."""

import math

import pytest

from viz.motion import CIRCLE, animate, moving, spiral
from viz.state import (
    Latent,
    LatentMotion,
    Mixing,
    MixingMotion,
    Noise,
    NoiseMotion,
    Pose,
    RotateMotion,
    TranslateMotion,
    ViewState,
)


def test_nothing_moves_by_itself():
    view = ViewState().edit(Latent, x=3.0)
    assert animate(view, 1.0) is view and not moving(view)


def test_the_latent_walks_at_its_speed_whatever_the_frame_rate():
    view = ViewState().edit(LatentMotion, on=True, seeds_per_s=0.5)
    once = animate(view, 2.0)
    for _ in range(120):
        view = animate(view, 2.0 / 120)
    assert once.get(Latent).x == 1.0 and view.get(Latent).x == pytest.approx(1.0)


@pytest.mark.parametrize("seed", [(7, 0), (-2, 3)])
def test_with_a_radius_the_latent_stays_around_its_seed(seed):
    view = ViewState().edit(Latent, x=seed[0] + 0.1, y=float(seed[1])).edit(LatentMotion, on=True, seeds_per_s=0.5, radius=0.45)
    places = []
    for _ in range(600):
        view = animate(view, 1 / 60)
        places.append((view.get(Latent).x - seed[0], view.get(Latent).y - seed[1]))
    assert [math.hypot(*place) for place in places[-300:]] == pytest.approx([0.45] * 300, abs=3e-3)
    assert min(x for x, _ in places) < -0.44 and max(y for _, y in places) > 0.44


@pytest.mark.parametrize("start", [(0.0, 0.0), (0.4, 0.1), (0.02, -0.05)])
def test_the_translation_spirals_onto_its_circle(start):
    x, y = start
    for _ in range(4000):
        x, y = spiral(x, y, 0.05, 1 / 60)
    assert math.hypot(x, y) == pytest.approx(CIRCLE, abs=1e-3)


def test_the_spiral_moves_at_the_speed_asked_for():
    x, y = spiral(0.3, 0.2, 0.05, 0.1)
    assert math.hypot(x - 0.3, y - 0.2) == pytest.approx(0.005, rel=1e-3)


def test_rotation_stays_within_half_a_turn():
    view = ViewState().edit(Pose, turns=0.49).edit(RotateMotion, on=True, turns_per_s=0.1)
    assert animate(view, 0.5).get(Pose).turns == pytest.approx(-0.46)


def test_seeds_advance_by_time_not_by_frame():
    fast = slow = ViewState().edit(MixingMotion, on=True, seeds_per_s=3.0)
    for _ in range(240):
        fast = animate(fast, 1 / 120)
    for _ in range(20):
        slow = animate(slow, 1 / 10)
    assert abs(fast.get(Mixing).seed - 1006) <= 1 and abs(slow.get(Mixing).seed - 1006) <= 1
    assert fast.get(MixingMotion).phase < 1


def test_noise_advances_only_where_it_is_random():
    view = ViewState().edit(NoiseMotion, on=True)
    assert animate(view, 1.0).get(Noise) == Noise()
    assert animate(view.edit(Noise, mode="random"), 1.0).get(Noise).seed == 10
    assert animate(view.edit(Noise, mode="random", seed=2**32 - 1), 0.1).get(Noise).seed == 0


def test_translation_animates():
    view = animate(ViewState().edit(TranslateMotion, on=True, widths_per_s=0.1), 0.5)
    assert math.hypot(view.get(Pose).x, view.get(Pose).y) > 0.03
