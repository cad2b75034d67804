"""Stage "synthesis": from ws and a pose to the tapped layer, layer by layer, with every layer's result remembered."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import nullcontext
from typing import Any

import torch

from torch_utils import ops
from viz.stages import SUPERSEDED, Run, Stage
from viz.stages.load import Ready
from viz.state import Device, LearnedPose, Noise, Pose, Tap, ViewState

READS = (Pose, LearnedPose, Noise, Tap, Device)


class _LayerMemo:
    """The network's view of the shared memory. What is put was really computed, so puts are the list of what ran."""

    def __init__(self, run: Run, identity: Hashable) -> None:
        self._run, self._identity = run, identity

    def get(self, key: Hashable) -> Any | None:
        return self._run.memory.get(("layer", self._identity, key))

    def put(self, key: Hashable, value: Any) -> None:
        self._run.memory.put(("layer", self._identity, key), value)


def key(view: ViewState, inputs: dict[str, Any]) -> Hashable:
    """Only what this network listens to: noise does not exist in T and R, nor a pose in StyleGAN2."""
    ready: Ready = inputs["load"]
    facts, device = ready.facts, view.get(Device)
    pose = (pose_matrix(view, ready), view.get(LearnedPose)) if facts.has_pose else None
    return (pose, view.get(Noise) if facts.has_noise else None, facts.tap_name(view.get(Tap).layer), device.force_fp32, device.backend)


def pose_matrix(view: ViewState, ready: Ready) -> tuple[tuple[float, ...], ...]:
    return view.get(Pose).matrix(ready.facts.resolution)


def noise_argument(noise: Noise) -> str | int:
    return noise.seed if noise.mode == "random" else noise.mode


def learned_pose_argument(view: ViewState, ready: Ready) -> tuple[float, float, float, float] | None:
    """Four numbers that replace what the network derives from w, or None to leave it alone."""
    mode = view.get(LearnedPose).mode
    if mode == "own" or not ready.facts.has_pose:
        return None
    if mode == "identity":
        return (1.0, 0.0, 0.0, 0.0)
    r_c, r_s, t_x, t_y = ready.network.learned_pose(ready.network.w_avg[None])[0].tolist()
    return (r_c, r_s, t_x, t_y)


def run(run: Run) -> Any:
    ready: Ready = run.inputs["load"]
    device = run.view.get(Device)
    forced = nullcontext() if device.backend == "auto" else ops.use(device.backend)
    with torch.inference_mode(), forced:
        values = ready.network.synthesize(
            run.inputs["latent"].ws,
            pose=pose_matrix(run.view, ready) if ready.facts.has_pose else None,
            noise=noise_argument(run.view.get(Noise)),
            tap=ready.facts.tap_name(run.view.get(Tap).layer),
            learned_pose=learned_pose_argument(run.view, ready),
            force_fp32=device.force_fp32 or ready.device.type == "cpu",
            memo=_LayerMemo(run, (ready.identity, device.backend)),  # backends differ in the last digits
            superseded=run.superseded,
        )
    return SUPERSEDED if values is None else values[0]


STAGE = Stage("synthesis", after=("latent",), reads=READS, run=run, key=key)
