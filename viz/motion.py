"""What moves by itself. `animate` is pure: time comes in as `dt`, so a recorded film has the motion of the window."""

from __future__ import annotations

import math
from dataclasses import replace

from viz.state import (
    MOTION,
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

CIRCLE = TranslateMotion().radius  # image widths
STEP_S = 1 / 240  # longest integration step of the spiral


def moving(state: ViewState) -> bool:
    """Whether anything animates."""
    return any(state.get(kind).on for kind in MOTION)


def stopped(state: ViewState) -> ViewState:
    """Nothing animates; speeds stay as they were set."""
    for kind in MOTION:
        state = state.edit(kind, on=False)
    return state


def animate(state: ViewState, dt: float) -> ViewState:
    """The state `dt` seconds later; the same object if nothing moves."""
    motion, latent = state.get(LatentMotion), state.get(Latent)
    if motion.on and motion.radius:
        seed_x, seed_y = round(latent.x), round(latent.y)
        x, y = spiral(latent.x - seed_x, latent.y - seed_y, motion.seeds_per_s, dt, motion.radius)
        state = state.edit(Latent, x=seed_x + x, y=seed_y + y)
    elif motion.on:
        state = state.edit(Latent, x=latent.x + motion.seeds_per_s * dt)
    if state.get(MixingMotion).on:
        state = _next_seeds(state, MixingMotion, Mixing, dt)
    if state.get(NoiseMotion).on and state.get(Noise).mode == "random":
        state = _next_seeds(state, NoiseMotion, Noise, dt)
    translate = state.get(TranslateMotion)
    if translate.on:
        x, y = spiral(state.get(Pose).x, state.get(Pose).y, translate.widths_per_s, dt, translate.radius)
        state = state.edit(Pose, x=x, y=y)
    rotate = state.get(RotateMotion)
    if rotate.on:
        turns = state.get(Pose).turns + rotate.turns_per_s * dt
        state = state.edit(Pose, turns=(turns + 0.5) % 1.0 - 0.5)
    return state


def spiral(x: float, y: float, widths_per_s: float, dt: float, radius: float = CIRCLE) -> tuple[float, float]:
    """Moves a point at constant speed onto the circle of this radius (image widths) around the origin, then along it.

    The velocity points from p to `radius p/|p| + (p_y, -p_x)`: a radial part that vanishes on the circle, and a
    tangential one.
    """
    steps = max(1, math.ceil(dt / STEP_S))
    step = widths_per_s * dt / steps
    for _ in range(steps):
        r = math.hypot(x, y)
        ux, uy = (x / r, y / r) if r > 1e-9 else (1.0, 0.0)
        dx, dy = radius * ux + y - x, radius * uy - x - y
        length = math.hypot(dx, dy)
        if length > 1e-12:
            x, y = x + step * dx / length, y + step * dy / length
    return x, y


def _next_seeds(state: ViewState, motion_kind: type, seed_kind: type, dt: float) -> ViewState:
    motion = state.get(motion_kind)
    phase = motion.phase + motion.seeds_per_s * dt
    whole = math.floor(phase)
    state = state.put(replace(motion, phase=phase - whole))
    return state.edit(seed_kind, seed=(state.get(seed_kind).seed + whole) % 2**32) if whole else state
