"""Stage "synthesis": from ws and a pose to the tapped layer, layer by layer, with every layer's result remembered."""

from __future__ import annotations

import math
from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import torch

from networks.steps import StepKey
from torch_utils import ops
from viz.gpu.replay import Question
from viz.stages import SUPERSEDED, Run, Stage
from viz.stages.load import Ready
from viz.state import Device, LearnedPose, Noise, Pose, Tap, ViewState

READS = (Pose, LearnedPose, Noise, Tap, Device)
_average_poses: WeakKeyDictionary[Any, tuple[float, float, float, float]] = WeakKeyDictionary()


class _LayerMemo:
    """The network's view of the shared memory. What is put was really computed, so puts are the list of what ran."""

    def __init__(self, run: Run, identity: Hashable) -> None:
        self._run, self._identity = run, identity
        self._began = False

    def get(self, key: StepKey) -> Any | None:
        return self._run.memory.get(("layer", self._identity, key))

    def put(self, key: StepKey, value: Any) -> None:
        if not self._began:
            self._began = True
            self._run.memory.begin_pass()
        self._run.layers_ran.append(key.name)
        self._run.memory.put(("layer", self._identity, key), value, passing=True)


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
    if mode == "fixed":
        fixed = view.get(LearnedPose)
        return (math.cos(fixed.turns * math.tau), math.sin(fixed.turns * math.tau), fixed.x, fixed.y)
    network = ready.without_edits.network  # edits come after the pose
    if network not in _average_poses:  # reading numbers waits for a GPU: once a network
        r_c, r_s, t_x, t_y = network.learned_pose(network.w_avg[None])[0].tolist()
        _average_poses[network] = (r_c, r_s, t_x, t_y)
    return _average_poses[network]


def conditions(run: Run) -> dict[str, Any]:
    """The arguments of `Generator.synthesize` that the view fixes, besides the latent, the pose and the tap."""
    ready: Ready = run.inputs["load"]
    return {
        "noise": noise_argument(run.view.get(Noise)),
        "learned_pose": learned_pose_argument(run.view, ready),
        "force_fp32": run.view.get(Device).force_fp32 or ready.device.type == "cpu",
    }


def posed_conditions(run: Run) -> dict[str, Any]:
    """The same with the pose, where the network takes one."""
    ready: Ready = run.inputs["load"]
    return {**conditions(run), "pose": pose_matrix(run.view, ready) if ready.facts.has_pose else None}


def forced_backend(view: ViewState) -> AbstractContextManager[Any]:
    """The kernel backend that the view names, for this thread, while the `with` lasts."""
    backend = view.get(Device).backend
    return nullcontext() if backend == "auto" else ops.use(backend)


def layer_memo(run: Run) -> Any:
    """Remembered layers, for `Generator.synthesize`. Backends differ in the last digits, so each has its own.

    Edits are in the keys of the layers that they act on, so that those before serve the network without edits, too.
    """
    ready: Ready = run.inputs["load"]
    return _LayerMemo(run, (ready.without_edits.identity, run.view.get(Device).backend))


def run(run: Run) -> Any:
    ready: Ready = run.inputs["load"]
    styles, memo = run.inputs["latent"], layer_memo(run)
    tap, fixed = ready.facts.tap_name(run.view.get(Tap).layer), posed_conditions(run)
    names = styles.names if run.replays is not None and run.replays.serves(ready.device.type) else None
    with torch.inference_mode(), forced_backend(run.view):
        values = None if run.replays is None else run.replays.run(_question(run, tap, memo, fixed))
        if values is None:
            values = ready.network.synthesize(styles.ws, tap=tap, memo=memo, superseded=run.superseded, row_names=names, **fixed)
    return SUPERSEDED if values is None else values[0]


def _question(run: Run, tap: str, memo: Any, fixed: dict[str, Any]) -> Question:
    ready: Ready = run.inputs["load"]
    styles, half = run.inputs["latent"], not fixed["force_fp32"]
    arguments = {name: value for name, value in fixed.items() if name != "force_fp32"}
    asked = ready.network.conditions(**arguments, half=half)
    return Question(ready.network, styles.ws, asked, tap, run.view.get(Device).backend, memo, styles.names)


STAGE = Stage("synthesis", after=("latent",), reads=READS, run=run, key=key)
