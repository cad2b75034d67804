"""Ready-made paths: from a view to a timeline that starts there. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from viz.export.film import leave_path
from viz.motion import CIRCLE, animate
from viz.state import (
    MOTION,
    SEEDS_PER_ROW,
    Latent,
    LatentPath,
    LearnedPose,
    Noise,
    OverlayView,
    OwnLatent,
    Pose,
    Slice,
    Sticking,
    ViewState,
)
from viz.timeline.timeline import Keyframe, Timeline

CIRCLE_POINTS = 24  # a spline through these stays within 0.02 % of the radius and 2 % of the speed
SEEDS_PER_ROUND = 4
NOISE_SEEDS_PER_S = 10
STICKING_SHARE = 1.0  # of the way to the next seed: the picture must move by more than a period of its detail, or all of it seems to stick


def translate_circle(view: ViewState, seconds_s: float = 4.0, *, radius: float = CIRCLE) -> Timeline:
    """Once around a circle of `radius` image widths whose rightmost point is the view's own place: a perfect loop."""
    pose = view.get(Pose)
    moments = []
    for i in range(CIRCLE_POINTS + 1):
        angle = math.tau * (i % CIRCLE_POINTS) / CIRCLE_POINTS
        x, y = pose.x + radius * (math.cos(angle) - 1), pose.y + radius * math.sin(angle)
        moments.append(Keyframe(seconds_s * i / CIRCLE_POINTS, view.edit(Pose, x=x, y=y), "spline"))
    return Timeline(tuple(moments), loop=True)


def rotate(view: ViewState, seconds_s: float = 4.0, *, turns: float = 1.0) -> Timeline:
    """Whole turns at constant speed: a perfect loop."""
    start = view.get(Pose).turns
    end = view.edit(Pose, turns=start + turns)
    return Timeline((Keyframe(0.0, view, short_way=False), Keyframe(seconds_s, end, short_way=False)), loop=True)


def latent_loop(view: ViewState, seconds_s: float = 8.0, *, seeds: tuple[int, ...] = ()) -> Timeline:
    """Through these seeds and back to the first, cubic in W, as the paper's videos do: a perfect loop.

    Without `seeds`: those from the view's nearest seed on.
    """
    latent = view.get(Latent)
    first = nearest_seed(latent)
    seeds = seeds or tuple((first + i) % 2**32 for i in range(SEEDS_PER_ROUND))
    start = view.reset(OwnLatent).put(LatentPath(seeds=seeds))
    return Timeline((Keyframe(0.0, start), Keyframe(seconds_s, start.edit(LatentPath, position=float(len(seeds))))), loop=True)


def noise_walk(view: ViewState, seconds_s: float = 4.0, *, seeds_per_s: float = NOISE_SEEDS_PER_S) -> Timeline:
    """Fresh noise inputs many times a second, everything else still (networks without noise inputs stand still)."""
    first = view.edit(Noise, mode="random")
    start = min(first.get(Noise).seed, 2**32 - 1 - round(seconds_s * seeds_per_s))
    first = first.edit(Noise, seed=start)
    last = first.edit(Noise, seed=start + round(seconds_s * seeds_per_s))
    return Timeline((Keyframe(0.0, first), Keyframe(seconds_s, last)), loop=True)


def sticking_cinema(view: ViewState, seconds_s: float = 8.0) -> Timeline:
    """Figure 1 while the latent walks: both its measurements on, the learned pose held, to the next seed and back.

    Detail that sticks stands still in the average (left) and draws straight streaks in the slice (right).
    """
    start = view.edit(Sticking, on=True).edit(Slice, on=True).edit(LearnedPose, mode="average").edit(OverlayView, image="")
    start, latent = start.reset(LatentPath, OwnLatent), start.get(Latent)
    there = start.edit(Latent, x=latent.x + STICKING_SHARE)
    return Timeline((Keyframe(0.0, start, "smooth"), Keyframe(seconds_s / 2, there, "smooth")), loop=True, closing_s=seconds_s / 2)


def as_animated(view: ViewState, seconds_s: float = 4.0, *, fps: float = 30.0) -> Timeline:
    """What the view's own animations show in the window, one keyframe a frame."""
    moments, state = [], view
    for i in range(round(seconds_s * fps) + 1):
        moments.append(Keyframe(i / fps, state.reset(*MOTION), "hold"))
        state = leave_path(state, animate(state, 1 / fps))
    return Timeline(tuple(moments), fps=fps)


def nearest_seed(latent: Latent) -> int:
    return (math.floor(latent.x + 0.5) + SEEDS_PER_ROW * math.floor(latent.y + 0.5)) % 2**32


PATHS: Mapping[str, Callable[[ViewState, float], Timeline]] = {
    "circle": translate_circle,
    "rotate": rotate,
    "loop": latent_loop,
    "noise": noise_walk,
    "sticking": sticking_cinema,
    "motion": as_animated,
}
TITLES: Mapping[str, str] = {
    "circle": "Translate in a circle",
    "rotate": "Rotate once",
    "loop": "Loop through seeds",
    "noise": "Noise walk",
    "sticking": "Sticking cinema",
    "motion": "As animated now",
}


def ready_made(name: str, view: ViewState, seconds_s: float, fps: float) -> Timeline:
    """A path by its name, at this frame rate; animations of the view itself are left to "motion"."""
    if name == "motion":
        return as_animated(view, seconds_s, fps=fps)
    return replace(PATHS[name](view.reset(*MOTION), seconds_s), fps=fps)
