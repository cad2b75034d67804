"""Stage "unwarp": undoes the pose on the shown channels, in image coordinates, so layers with margins come out right."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from torch_utils.resample import unwarp
from viz.stages import Run, Stage
from viz.stages.load import Ready
from viz.stages.synthesis import pose_matrix
from viz.state import Pose, Tap, Unwarp, ViewState


@dataclass(frozen=True)
class Unwarped:
    """values [c, H, W]; mask [H, W] bool, or None where all samples are valid."""

    values: torch.Tensor
    mask: torch.Tensor | None


def key(view: ViewState, inputs: dict) -> tuple[object, ...]:
    """The pose counts only while it is undone: the values that came in carry it already."""
    ready: Ready = inputs["load"]
    active = view.get(Unwarp).on and ready.facts.has_pose
    return (pose_matrix(view, ready),) if active else ()


def run(run: Run) -> Unwarped:
    ready: Ready = run.inputs["load"]
    values, pose = run.inputs["band"].values, pose_matrix(run.view, ready)
    if not run.view.get(Unwarp).on or not ready.facts.has_pose or pose == Pose().matrix():
        return Unwarped(values, None)
    tap = ready.facts.tap(run.view.get(Tap).layer)
    with torch.inference_mode():
        undone, mask = unwarp(values[None], pose, sampling_rate=tap.sampling_rate)
    return Unwarped(undone[0], mask.reshape(mask.shape[-2:]).bool())


STAGE = Stage("unwarp", after=("load", "band"), reads=(Unwarp, Pose), run=run, key=key)
