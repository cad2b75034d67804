"""Overlay "Drag points": what is under the handles moves to the targets, step by step, after the picture on screen is out.

The result lies over the picture until it is kept. Stopped, it stays there; gone on with, it goes on from there: every step is remembered
for as long as the latent, the points and the options are the same. The points stand on the picture before the view's pose, and the features
that are followed are those under the pose, so what counts is the picture as shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.inversion import quicken
from viz.errors import CommandError
from viz.groups.drag_points import NAME, Matrix, moved, moved_back
from viz.request import OverlayImage, OverlayResult
from viz.state import DragPoints, Pose, Unwarp

if TYPE_CHECKING:
    from torch import Tensor

    from networks.spec import TapInfo
    from viz.analysis.drag_points import Begin, Dragged, Problem
    from viz.stages import Run

PICTURE = f"{NAME}.picture"
KEPT_BY = '"Keep" in the panel Drag points'
NO_POINTS = "There are no points to drag yet."
SLID = 0.75  # of its way: a handle that may have begun as far away as this has slid, as far as anybody can tell
FINEST = 256  # samples per image width of the layer that is followed by itself, at most; and half of the picture's
UNKNOWN = "{0} is not a layer of {1} that points can follow; those are {2}."
OFF_THE_LAYER = "Point {0} lies outside of what {1} computes, {2:.2f} widths around the picture's centre: move it, or the pose."


@dataclass(frozen=True, eq=False)
class Progress:
    """After `step` of `steps`: where the handles are, [n, 2] in image widths before the pose; how far from their targets, [n]; `ws`
    [1, num_ws, w_dim]. `layer` is whose features were followed, `rows` (first, last) of ws may change. `doubts` [n]: for those that have
    arrived, how far from where it began each may have begun, in image widths (`viz.analysis.drag_points.doubts`)."""

    step: int
    steps: int
    handles: np.ndarray
    distances: np.ndarray
    arrived: np.ndarray
    ws: np.ndarray
    layer: str
    rows: tuple[int, int]
    doubts: np.ndarray
    slid: np.ndarray
    steps_per_s: float | None = None

    @property
    def done(self) -> bool:
        """Whether all handles are at their targets."""
        return bool(self.arrived.all())


def followed(taps: Sequence[TapInfo], resolution: int, layer: str = "") -> TapInfo:
    """The tap whose features are followed: the one of this name, else the last of the finest that are no finer than half the picture, else
    the first layer."""
    finest = min(resolution / 2, FINEST)
    able = [tap for tap in taps[1:-1] if tap.sampling_rate <= finest and not tap.name.endswith("torgb")] or list(taps[1:2])
    rate = max(tap.sampling_rate for tap in able)
    return next((tap for tap in taps if tap.name == layer), [tap for tap in able if tap.sampling_rate == rate][-1])


def rows_of(options: DragPoints, taps: Sequence[TapInfo], tap: TapInfo) -> range:
    """The rows of ws that may change: those asked for that the layer depends on. Empty where there are none."""
    last = max((each.row for each in taps[: taps.index(tap) + 1] if each.row is not None), default=-1)
    return range(options.first, (last if options.last < 0 else min(options.last, last)) + 1)


# ---------------------------------------------------------------------------------------------------- computation


class _Layers:
    """The layers up to the one that is followed, and from there on to the picture."""

    def __init__(self, run: Run, tap: TapInfo) -> None:
        from viz.stages.synthesis import conditions, pose_matrix

        ready = run.inputs["load"]
        self.matrix = pose_matrix(run.view, ready) if ready.facts.has_pose else Pose().matrix()
        fixed = {k: v for k, v in conditions(run).items() if k != "force_fp32"}  # float32, for the gradients
        fixed["pose"] = self.matrix if ready.facts.has_pose else None
        self._steps = ready.network.steps(ready.network.conditions(**fixed))
        self._to = ready.network.taps.index(tap) + 1
        self._left: Any = None

    @property
    def rows(self) -> set[int]:
        """The rows of ws that the layer is computed from: the input none, where its learned pose is replaced."""
        return {row for step in self._steps[: self._to] for row in step.rows}

    def features(self, ws: Tensor) -> Tensor:
        from networks.steps import run_steps

        self._left = run_steps(self._steps[: self._to], ws)
        return self._left.shown.float()

    def picture(self, ws: Tensor) -> Tensor:
        """[C, R, R] of the ws that `features` was asked for last: the layers after it, without gradients."""
        import torch

        with torch.inference_mode(False), torch.no_grad():
            activation = self._left
            for step in self._steps[self._to :]:
                activation = step.run(activation, ws)
            return activation.shown.detach().float()[0]


def run(run: Run) -> Iterator[OverlayResult | None]:
    from viz.analysis.drag_points import arrived, begin, start, step

    ready, options = run.inputs["load"], run.view.get(DragPoints)
    if not options.pairs:
        raise CommandError(NO_POINTS)
    names = [tap.name for tap in ready.network.taps[:-1]]
    if options.layer and options.layer not in names:
        raise CommandError(UNKNOWN.format(options.layer, ready.facts.titled, ", ".join(names)))
    quicken(ready.device.type)
    tap = followed(ready.network.taps, ready.facts.resolution, options.layer)
    layers = _Layers(run, tap)
    ws = run.inputs["latent"].ws
    problem = problem_of(run, tap, layers)
    begun = begin(problem, ws)
    yield OverlayResult(None, 0.0)
    question = replace(options, on=True, steps=1, stopped_at=0)
    kept_under = ("dragged", ready.identity, question, *(run.view.get(kind) for kind in (*LATENT, *CONDITIONS)))
    dragged = _furthest(run, kept_under, options.limit, problem, layers) or start(problem, ws)
    if dragged.features is None:
        dragged = replace(dragged, features=layers.features(dragged.ws))
    seconds: list[float] = []
    while True:
        done = bool(arrived(dragged.handles, problem).all())
        ended = done or dragged.step >= options.limit
        yield _result(run, (problem, tap, layers, begun), dragged, _rate(seconds), ended=ended)
        if ended:
            return
        began = time.perf_counter()
        dragged = step(problem, begun, dragged)
        seconds.append(time.perf_counter() - began)
        own = [moved_back(layers.matrix, (x, y)) for x, y in dragged.handles.tolist()]
        run.memory.put((kept_under, dragged.step), (replace(dragged, features=None, ws=dragged.ws.detach()), own))


def problem_of(run: Run, tap: TapInfo, layers: _Layers) -> Problem:
    """What is asked, in the picture as the pose moves it. CommandError for what cannot be."""
    import torch

    from viz.analysis.drag_points import Problem
    from viz.analysis.invert import spread

    ready, options = run.inputs["load"], run.view.get(DragPoints)
    rows = rows_of(options, ready.network.taps, tap)
    if layers.rows.isdisjoint(rows):
        raise CommandError(f"{tap.name} depends on none of the rows from {options.first} on: begin earlier, or follow a later layer.")

    def posed(places: Sequence[tuple[float, float]]) -> Tensor:
        return torch.tensor([moved(layers.matrix, place) for place in places], dtype=torch.float32, device=ready.device)

    handles, targets = posed([pair.handle for pair in options.pairs]), posed([pair.target for pair in options.pairs])
    reach = torch.tensor(tap.size, device=ready.device) / 2 / tap.sampling_rate
    for number, ends in enumerate(zip(handles, targets, strict=True), start=1):
        if any((end.abs() > reach).any() for end in ends):
            raise CommandError(OFF_THE_LAYER.format(number, tap.name, float(reach.max())))
    return Problem(
        layers.features, tap.sampling_rate, handles, targets, tuple(rows), options.step_size * spread(ready.network),
        options.motion_radius, options.tracking_radius, _staying(options, layers.matrix, ready.device), options.weight,
    )  # fmt: skip


def _staying(options: DragPoints, matrix: Matrix, device: Any) -> Callable[[Tensor], Tensor] | None:
    """Which places [..., 2] of the posed picture must stay: one side of the circle, which goes with the pose; None for none."""
    import torch

    if not options.keep:
        return None
    back = torch.linalg.inv(torch.tensor(matrix, dtype=torch.float64)).to(device, torch.float32)
    center = back.new_tensor((options.keep_x, options.keep_y))

    def staying(places: Tensor) -> Tensor:
        inside = (places @ back[:2, :2].T + back[:2, 2] - center).norm(dim=-1) <= options.keep_radius
        return inside if options.keep == "inside" else ~inside

    return staying


def _furthest(run: Run, kept_under: Any, limit: int, problem: Problem, layers: _Layers) -> Dragged | None:
    """What was reached before and is remembered, up to `limit` steps; under another pose the handles are where it moves them."""
    import torch

    for number in range(limit, 0, -1):
        if (kept := run.memory.get((kept_under, number))) is not None:
            dragged, own = kept
            handles = torch.tensor([moved(layers.matrix, at) for at in own]).to(problem.handles)
            near = torch.allclose(handles, dragged.handles, atol=1e-6)
            return dragged if near else replace(dragged, handles=handles)
    return None


def _rate(seconds: list[float]) -> float | None:
    """Steps a second, of the last few."""
    last = seconds[-10:]
    return len(last) / sum(last) if last else None


def _result(
    run: Run, asked: tuple[Problem, TapInfo, _Layers, Begin], dragged: Dragged, steps_per_s: float | None, *, ended: bool
) -> OverlayResult:
    from viz.analysis.drag_points import arrived, doubts

    problem, tap, layers, begun = asked
    options = run.view.get(DragPoints)
    handles = np.array([moved_back(layers.matrix, (x, y)) for x, y in dragged.handles.tolist()])
    doubt, way = doubts(problem, begun, dragged).cpu().numpy(), (problem.handles - dragged.handles).norm(dim=1).cpu().numpy()
    values = Progress(
        dragged.step, options.steps, handles, (problem.targets - dragged.handles).norm(dim=1).cpu().numpy(),
        arrived(dragged.handles, problem).cpu().numpy(), dragged.ws.detach().float().cpu().numpy(), tap.name,
        (problem.rows[0], problem.rows[-1]), doubt, (way > 0) & (doubt > SLID * way), steps_per_s,
    )  # fmt: skip
    picture, mask = layers.picture(dragged.ws), None
    if run.view.get(Unwarp).on and layers.matrix != Pose().matrix():
        from torch_utils.resample import unwarp

        undone, known = unwarp(picture[None], layers.matrix)
        picture, mask = undone[0], known.reshape(known.shape[-2:]).bool().cpu().numpy()
    shown = picture.cpu().numpy()
    shown = np.ascontiguousarray(shown[:3].transpose(1, 2, 0)) if len(shown) >= 3 else shown[0]
    rect = (0.0, 0.0, float(shown.shape[1]), float(shown.shape[0]))
    image = OverlayImage(f"dragged, {dragged.step} steps: not kept yet", shown, rect, mask=mask, kept_by=KEPT_BY)
    return OverlayResult(values, 1.0 if ended else dragged.step / (options.limit + 1), {PICTURE: image})


OVERLAY = Overlay(NAME, DragPoints, (*LATENT, *CONDITIONS, Pose, Unwarp), run)
