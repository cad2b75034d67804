"""Keyframes: what lies between two views, for every field of every group; loops that close; edits; ready-made paths."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from viz.groups.groups import ranged
from viz.stages.latent import along, blend_weights
from viz.state import (
    GROUPS,
    Latent,
    LatentMotion,
    LatentPath,
    LearnedPose,
    Noise,
    OverlayView,
    OwnLatent,
    Pose,
    Slice,
    Source,
    Sticking,
    Tap,
    Tone,
    Truncation,
    View,
    ViewState,
)
from viz.timeline import easing, paths, timeline
from viz.timeline.easing import EASINGS
from viz.timeline.timeline import Keyframe, Timeline, TimelineError

START = ViewState().edit(Pose, x=-0.1, turns=0.1).edit(Tone, gain_db=-6.0).edit(Latent, x=3.0)
END = ViewState().edit(Pose, x=0.3, turns=0.2).edit(Tone, gain_db=6.0).edit(Tap, layer="L1").edit(Latent, x=3.0)
MOVING = [name for name in EASINGS if name != "hold"]


def between(a, b, easing="linear", **options):
    return Timeline((Keyframe(0.0, a, easing, **options), Keyframe(2.0, b)))


def numeric_fields():
    for kind in GROUPS:
        for field in dataclasses.fields(kind):
            if kind not in timeline.FIXED and type(field.default) in (int, float) and not field.metadata.get("discrete"):
                yield pytest.param(kind, field, id=f"{kind.__name__}.{field.name}")


@pytest.mark.parametrize("easing", MOVING)
@given(st.floats(0, 2))
def test_both_ends_are_exact_and_nothing_else_moves(easing, moment):
    line = between(START, END, easing)
    assert line.at(0.0) is START and line.at(2.0) is END and line.at(-5.0) is START and line.at(9.0) is END
    view = line.at(moment)
    assert view.get(Latent) == START.get(Latent)
    assert -0.1 <= view.get(Pose).x <= 0.3 and -6 <= view.get(Tone).gain_db <= 6


def test_the_middle_is_the_middle_and_text_waits_for_its_keyframe():
    view = between(START, END).at(1.0)
    assert view.get(Pose).x == pytest.approx(0.1) and view.get(Tone).gain_db == 0.0 and view.get(Tap).layer == ""
    assert between(START, END, "hold").at(1.999) is START


@pytest.mark.parametrize("easing", MOVING)
def test_motion_is_continuous(easing):
    line = Timeline(tuple(Keyframe(t, v, easing) for t, v in ((0.0, START), (0.7, END), (2.0, START))))
    places = [line.at(2 * i / 2000).get(Pose).x for i in range(2001)]
    assert np.abs(np.diff(places)).max() < 0.003


def test_where_nothing_differs_the_view_is_the_very_same():
    same = dataclasses.replace(START.get(Pose))
    assert between(START, START.put(same)).at(1.3) is START


@pytest.mark.parametrize(("kind", "field"), list(numeric_fields()))
def test_every_numeric_field_moves_without_code_of_its_own(kind, field):
    low, high = field.metadata.get("low"), field.metadata.get("high")
    a = 1 if (low is None or low <= 1) and (high is None or high >= 1) else low
    b = a + 4 if high is None or high >= a + 4 else high
    a, b = (b / 2 if b == a else a), b
    a, b = type(field.default)(a), type(field.default)(b)
    start, end = ViewState().edit(kind, **{field.name: a}), ViewState().edit(kind, **{field.name: b})
    value = getattr(between(start, end, short_way=False).at(1.0).get(kind), field.name)
    assert a < value < b and type(value) is type(field.default)


def test_a_field_that_does_not_exist_yet_would_move_too():
    @dataclasses.dataclass(frozen=True)
    class Future:
        strength: float = 0.0
        percent: float = ranged(0.0, 0, 100)
        name: str = "a"

    def value(name, a, b):
        field = next(f for f in dataclasses.fields(Future) if f.name == name)
        states = [type("State", (), {"get": lambda self, kind, v=v: Future(**{name: v})})() for v in (a, b)]
        span = easing.Span(None, Keyframe(0.0, states[0]), Keyframe(1.0, states[1]), None, 0.25)
        return easing.blend_field(Future, field, span)

    assert value("strength", 2.0, 4.0) == 2.5 and value("percent", 0.0, 100.0) == 25.0 and value("name", "a", "b") == "a"


def test_values_with_a_meaning_of_their_own_switch():
    start, end = ViewState(), ViewState().edit(Truncation, cutoff=8).edit(View, zoom=4.0)
    assert between(start, end).at(1.9) == start
    for a, b in ((2, 8), (8, 2)):
        line = between(end.edit(Truncation, cutoff=a), end.edit(Truncation, cutoff=b))
        assert [line.at(2 * i / 6).get(Truncation).cutoff for i in range(7)] == [*range(a, b, (b - a) // 6), b]
    zoom = between(ViewState().edit(View, zoom=2.0), ViewState().edit(View, zoom=32.0)).at(1.0).get(View).zoom
    assert zoom == pytest.approx(8.0)  # by equal factors
    other = ViewState().put(Source("another", reload=4))
    assert between(ViewState(), other).at(1.0) == ViewState()


def test_angles_take_the_short_way_unless_told_otherwise():
    start, end = ViewState().edit(Pose, turns=0.45), ViewState().edit(Pose, turns=-0.45)
    assert between(start, end).at(1.0).get(Pose).turns == pytest.approx(0.5)
    assert between(start, end, short_way=False).at(1.0).get(Pose).turns == pytest.approx(0.0)


def test_a_spline_passes_its_keyframes_without_a_kink():
    places = ((0.0, 0.0), (1.0, 1.0), (1.5, 0.2), (3.0, 0.5))
    line = Timeline(tuple(Keyframe(t, ViewState().edit(Pose, x=x), "spline") for t, x in places))
    x = lambda t: line.at(t).get(Pose).x  # noqa: E731
    for t, value in places:
        assert x(t) == pytest.approx(value)
    for t in (1.0, 1.5):
        left, right = (x(t) - x(t - 1e-4)) / 1e-4, (x(t + 1e-4) - x(t)) / 1e-4
        assert left == pytest.approx(right, abs=0.02)


def test_a_spline_goes_on_through_the_half_turn_where_angles_jump():
    turns = (0.3, 0.4, -0.5, -0.4, -0.3)
    line = Timeline(tuple(Keyframe(float(i), ViewState().edit(Pose, turns=t), "spline") for i, t in enumerate(turns)))
    for i in range(40):
        assert easing.short_turn(line.at(i / 10).get(Pose).turns - (0.3 + i / 100)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("easing", MOVING)
def test_a_closing_loop_returns(easing):
    line = Timeline((Keyframe(0.0, START, easing), Keyframe(1.0, END, easing)), loop=True, closing_s=0.5, fps=20)
    assert line.duration_s == 1.5 and line.frame_count == 30
    assert line.at(1.5) is START and line.at(3.0) is START
    assert line.at(1.6).get(Pose).x == pytest.approx(line.at(0.1).get(Pose).x)
    assert line.at(1.5 - 1e-4).get(Pose).x == pytest.approx(-0.1, abs=1e-3)


def test_frames_are_taken_in_equal_steps_that_meet_the_end():
    line = Timeline((Keyframe(0.0, START), Keyframe(1.06, END)), fps=10)
    moments = [line.frame_time(i) for i in range(line.frame_count)]
    assert len(moments) == 12 and moments[-1] == 1.06 and np.allclose(np.diff(moments), 1.06 / 11)
    loop = dataclasses.replace(line, loop=True)
    assert loop.frame_count == 11 and loop.frame_time(11) == 1.06
    assert Timeline().frame_count == Timeline(loop=True).frame_count == 1 and Timeline().at(3.0) == ViewState()
    assert Timeline((Keyframe(0.0, START),), loop=True, fps=1000).at(3.0) is START


def test_what_does_not_loop_does_not_return_and_waits_for_its_first_keyframe():
    line = Timeline((Keyframe(0.5, START), Keyframe(1.0, END)), closing_s=0.5)
    assert line.duration_s == 1.0 and line.at(1.2) is END and line.at(0.3) is START
    assert timeline.reverse(line).at(0.7) is START and len(timeline.reverse(line).keyframes) == 3


def test_a_spline_goes_on_across_the_seam_of_a_loop_and_nowhere_else():
    line = Timeline(tuple(Keyframe(t, ViewState().edit(Pose, x=x), "spline") for t, x in ((0.0, 0.0), (1.0, 1.0), (3.0, 0.4))))
    loop = dataclasses.replace(line, loop=True, closing_s=1.0)

    def slopes(line, at, end):
        x = [line.at(t).get(Pose).x for t in (at, at + 1e-4, end - 1e-4, end)]
        return (x[1] - x[0]) / 1e-4, (x[3] - x[2]) / 1e-4

    assert slopes(line, 0.0, 3.0) == pytest.approx((1.0, -0.3), abs=1e-3), "that of the segment"
    assert slopes(loop, 0.0, 4.0) == pytest.approx(((1.0 - 0.4) / 2,) * 2, abs=1e-3), "that of the neighbours"


TIMES = st.lists(st.integers(0, 40), min_size=2, max_size=6, unique=True).map(lambda ts: [t / 4 for t in sorted(ts)])


@given(TIMES, st.lists(st.sampled_from(MOVING), min_size=6, max_size=6), st.booleans(), st.booleans(), st.data())
def test_backwards_shows_the_same_views(times, easings, loop, closing, data):
    keyframes = [
        Keyframe(t, ViewState().edit(Pose, x=math.sin(5 * t), turns=(t * 0.23) % 1), easings[i], short_way=i % 2 == 0)
        for i, t in enumerate(times)
    ]
    line = Timeline(tuple(keyframes), loop=loop, closing_s=1.25 if closing else 0.0)
    back = timeline.reverse(line)
    assert back.duration_s == pytest.approx(line.duration_s)
    moment = data.draw(st.floats(times[0] + 0.01, line.duration_s - 0.01))
    if loop and not closing:
        moment = min(moment, line.duration_s - 0.02)
    a, b = line.at(moment).get(Pose), back.at(line.duration_s - moment).get(Pose)
    assert a.x == pytest.approx(b.x, abs=1e-6)
    assert math.cos(math.tau * (a.turns - b.turns)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("loop", [False, True])
def test_backwards_twice_is_as_it_was(loop):
    easings = ("ease in", "hold", "spline")
    line = Timeline(tuple(Keyframe(float(i), START, e, short_way=i > 0) for i, e in enumerate(easings)), loop=loop, closing_s=0.5 * loop)
    assert timeline.reverse(timeline.reverse(line)) == line


def test_keyframes_are_added_moved_copied_and_deleted():
    line = timeline.add(timeline.add(Timeline(), Keyframe(1.0, END, "smooth")), Keyframe(0.0, START))
    assert [k.time_s for k in line.keyframes] == [0.0, 1.0]
    replaced = timeline.add(line, Keyframe(1.004, START))
    assert replaced.keyframes[1] == Keyframe(1.0, START, "smooth")
    assert len(timeline.add(line, Keyframe(1.02, START)).keyframes) == 3, "more than half a frame later"
    assert timeline.move(line, 0, 1.02).keyframes[1].time_s == 1.02
    late = Timeline((Keyframe(2.0, END),))
    assert timeline.move(late, 0, -1.0).keyframes[0].time_s == timeline.duplicate(late, 0, -1.0).keyframes[0].time_s == 0
    moved = timeline.move(line, 0, 2.5)
    assert [k.view for k in moved.keyframes] == [END, START] and timeline.move(line, 0, 1.0) is line
    copied = timeline.duplicate(line, 0, 3.0)
    assert [k.view for k in copied.keyframes] == [START, END, START]
    assert timeline.delete(copied, 1).keyframes[-1].time_s == 3.0
    assert [k.easing for k in timeline.change(copied, 1, easing="hold").keyframes] == ["linear", "hold", "linear"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Timeline((Keyframe(1.0, START), Keyframe(0.0, END))), "later"),
        (lambda: Timeline((Keyframe(-1.0, START),)), "-1.0"),
        (lambda: Timeline((Keyframe(math.nan, START),)), "nan"),
        (lambda: Timeline((Keyframe(0.0, START, "bouncy"),)), "bouncy"),
        (lambda: Timeline((Keyframe(math.inf, START),)), "inf"),
        (lambda: Timeline(fps=0), "fps is 0"),
        (lambda: Timeline(closing_s=-1.0), "closing_s is -1.0"),
        (lambda: Timeline(closing_s=math.inf), "closing_s is inf"),
    ],
)
def test_a_timeline_that_cannot_be_says_why(make, said):
    with pytest.raises(TimelineError, match=said):
        make()


def test_numbers_that_are_names_do_not_pass_through_those_between():
    """From class 3 to class 7 the picture shows neither 4 nor 5."""
    fields = [(k, f) for k in GROUPS if k not in timeline.FIXED for f in dataclasses.fields(k) if f.metadata.get("discrete")]
    assert ("Latent", "class_index") in [(kind.__name__, field.name) for kind, field in fields]
    for kind, field in fields:
        low, high = field.default, field.default + 2
        line = Timeline(tuple(Keyframe(t, ViewState().edit(kind, **{field.name: v})) for t, v in ((0.0, low), (1.0, high))))
        assert [getattr(line.at(t).get(kind), field.name) for t in (0.0, 0.9, 1.0)] == [low, low, high], field.name


# ---------------------------------------------------------------------------------------------------- ready-made paths


@pytest.mark.parametrize("name", ["circle", "rotate", "loop"])
def test_ready_made_loops_close(name):
    line = paths.ready_made(name, START, 3.0, 24)
    assert line.loop and line.fps == 24 and line.frame_count == 72
    first, last = line.at(0.0), line.at(3.0 - 1e-5)
    for kind in (Pose, Latent, LatentPath):
        for field in dataclasses.fields(kind):
            a, b = getattr(first.get(kind), field.name), getattr(last.get(kind), field.name)
            if field.name == "turns":
                b = easing.short_turn(b - a) + a
            if field.name == "position":
                b -= len(first.get(LatentPath).seeds)
            assert a == b or a == pytest.approx(b, abs=1e-4)


def test_the_circle_is_a_circle_at_constant_speed():
    line = paths.translate_circle(ViewState().edit(Pose, x=0.2, y=0.1), 4.0)
    poses = [line.at(4 * i / 500).get(Pose) for i in range(501)]
    radius = [math.hypot(p.x - 0.1, p.y - 0.1) for p in poses]
    assert np.allclose(radius, 0.1, rtol=2e-4)
    steps = [math.hypot(b.x - a.x, b.y - a.y) for a, b in itertools.pairwise(poses)]
    assert max(steps) / min(steps) < 1.02


def test_rotation_is_a_whole_turn():
    line = paths.rotate(START, 4.0)
    assert [line.at(t).get(Pose).turns for t in (0.0, 1.0, 2.0, 3.0)] == pytest.approx([0.1, 0.35, 0.6, 0.85])


@pytest.mark.parametrize("seconds_s", [0.7, 1.0, 2.0, 3.0, 5.0])
@pytest.mark.parametrize("fps", [25, 30, 60])
def test_noise_takes_each_seed_for_equally_long(seconds_s, fps):
    line = paths.ready_made("noise", ViewState().edit(Noise, seed=7), seconds_s, fps)
    seeds = [line.at(line.frame_time(i)).get(Noise).seed for i in range(line.frame_count)]
    total = round(10 * seconds_s)
    assert seeds == [7 + total * i // len(seeds) for i in range(len(seeds))]


@pytest.mark.parametrize("name", ["loop", "sticking", "motion"])
def test_a_path_through_latents_leaves_what_would_hide_it(name):
    """A latent out of a file stays where it is, whatever the seeds do."""
    view = ViewState().put(OwnLatent("walk.npz")).put(LatentMotion(on=True))
    line = paths.ready_made(name, view, 2.0, 10.0)
    shown = line.at(0.9)
    assert not shown.get(OwnLatent).file and (shown.get(LatentPath).position or shown.get(Latent).x) > 0


def test_sticking_cinema_switches_both_measurements_on_and_goes_to_the_next_seed_and_back():
    line = paths.ready_made("sticking", ViewState().edit(OverlayView, image="flow.map"), 4.0, 30)
    view = line.at(1.0)
    assert view.get(Sticking).on and view.get(Slice).on and view.get(LearnedPose).mode == "average" and not view.get(OverlayView).image
    assert line.loop and [line.at(t).get(Latent).x for t in (0.0, 1.0, 2.0, 3.0)] == pytest.approx([0, 0.5, 1, 0.5])


@pytest.mark.parametrize(
    ("x", "y", "seeds"), [(2.6, 1.4, (103, 104, 105, 106)), (3.4, 0.6, (103, 104, 105, 106)), (-2.0, 0.0, (2**32 - 2, 2**32 - 1, 0, 1))]
)
def test_a_loop_begins_at_the_nearest_seed_unless_told_otherwise(x, y, seeds):
    view = ViewState().edit(Latent, x=x, y=y)
    line = paths.latent_loop(view, 6.0)
    assert [(k.time_s, k.view.get(LatentPath)) for k in line.keyframes] == [(0.0, LatentPath(seeds)), (6.0, LatentPath(seeds, 4.0))]
    assert paths.latent_loop(view, seeds=(5, 9)).keyframes[1].view.get(LatentPath) == LatentPath((5, 9), 2.0)


@pytest.mark.parametrize(("seed", "first"), [(7, 7), (2**32 - 1, 2**32 - 16), (2**32 - 20, 2**32 - 20)])
def test_fresh_noise_is_drawn_and_its_seeds_stay_below_2_to_the_32(seed, first):
    line = paths.noise_walk(ViewState().edit(Noise, seed=seed), 1.46)  # ten seeds a second
    assert [k.view.get(Noise) for k in line.keyframes] == [Noise("random", first), Noise("random", first + 15)]


def test_animations_are_recorded_as_the_window_shows_them():
    from viz.state import RotateMotion

    line = paths.ready_made("motion", ViewState().edit(RotateMotion, on=True, turns_per_s=0.1), 1.0, 10)
    assert line.frame_count == 11 and line.at(line.frame_time(5)).get(Pose).turns == pytest.approx(0.05)
    assert not line.at(0.5).get(RotateMotion).on


# ---------------------------------------------------------------------------------------------------- the path through seeds


@given(st.lists(st.integers(0, 50), min_size=1, max_size=7), st.floats(-20, 20))
def test_weights_along_a_path_add_up_to_one(seeds, position):
    assert sum(w for _, w in along(LatentPath(tuple(seeds), position))) == pytest.approx(1)


def test_a_path_passes_its_seeds_smoothly_and_wraps():
    path = LatentPath((5, 9, 2))
    w = {s: torch.randn(8, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in path.seeds}
    at = lambda t: sum(weight * w[s] for s, weight in along(dataclasses.replace(path, position=t)))  # noqa: E731
    assert dict(along(path)) == {5: 1.0} and torch.allclose(at(3.0), w[5]) and torch.allclose(at(-1.0), w[2])
    for t in (0.0, 1.0, 2.0, 3.0):
        assert torch.allclose((at(t) - at(t - 1e-5)) / 1e-5, (at(t + 1e-5) - at(t)) / 1e-5, atol=1e-3)


def test_without_seeds_the_lattice_decides():
    latent = Latent(x=0.5, blend="preserving")
    assert blend_weights(latent, LatentPath()) == blend_weights(latent)
    kept = blend_weights(latent, LatentPath((1, 2), 0.5))
    assert sum(weight**2 for _, weight in kept) == pytest.approx(1)
