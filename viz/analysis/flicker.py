"""Overlay "Flicker": what changes at each place while the picture moves by fractions of pixels and the motion is undone.

The picture is made at poses around the current one, each is shifted back, and the deviation over all of them is taken pixel
by pixel: zero for a network that carries its detail along, large where detail sticks, pops or shimmers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gui_utils.controls import Field, input_int, slider_float
from gui_utils.text import MISSING, number_text
from networks.measures.comparison import PEAK, psnr_db
from networks.measures.patience import Stop, synthesized
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.parts import headline, over_the_picture, progress, result_of, switch, without_grid
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.request import OverlayImage, OverlayResult
from viz.state import Flicker, Pose, ViewState

if TYPE_CHECKING:
    import torch

    from viz.stages import Run

NAME = "flicker"
DEVIATION = f"{NAME}.deviation"
IMAGES = {DEVIATION: "deviation, in dB"}
LOWEST_DB = -80.0  # of the map, below the peak value
GOLDEN_TURN = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, eq=False)
class Deviation:
    """After `count` of `total` poses: mean square deviation [H, W] over poses and channels, and where all poses had data."""

    count: int
    total: int
    mean_square: torch.Tensor
    mask: torch.Tensor

    @property
    def db(self) -> float | None:
        """PSNR of the deviation over the valid part; None below two poses."""
        valid = int(self.mask.sum())
        return psnr_db(float(self.mean_square[self.mask].cpu().double().sum()), valid) if self.count > 1 else None


@dataclass(frozen=True)
class Steadiness:
    """What the window knows of a Deviation."""

    count: int
    total: int
    db: float | None


# ---------------------------------------------------------------------------------------------------- computation


def offsets_px(num: int, reach_px: float) -> tuple[tuple[float, float], ...]:
    """Shifts (right, down) that fill a disc evenly, the first one none (a sunflower's seeds)."""
    radii = (reach_px * math.sqrt(i / max(1, num - 1)) for i in range(num))
    return tuple((r * math.cos(i * GOLDEN_TURN), r * math.sin(i * GOLDEN_TURN)) for i, r in enumerate(radii))


def deviations(
    network: Any, ws: torch.Tensor, pose: Any, options: Flicker, conditions: Mapping[str, Any], stop: Stop | None = None
) -> Iterator[Deviation | None]:
    """Yields a Deviation after every pose around `pose` (forward 3x3, image widths), None whenever `stop()` interrupts."""
    import torch

    from torch_utils.resample import fractional_shift
    from viz.analysis.sticking import RunningMoments

    moments, mask, rate = RunningMoments(), None, network.img_resolution
    for x, y in offsets_px(options.num, options.reach_px):
        moved_pose = np.asarray(pose, dtype=np.float64) + np.array([[0, 0, x / rate], [0, 0, y / rate], [0, 0, 0]])
        moved = (yield from synthesized(network, ws, stop, pose=moved_pose, **conditions))[0]
        with torch.inference_mode():
            back, valid = fractional_shift(moved, (-x, -y))
            mask = valid if mask is None else mask & valid
            moments.add(back)
            found = Deviation(moments.count, options.num, moments.variance.mean(dim=0), mask)
        yield found


def run(run: Run) -> Iterator[OverlayResult | None]:
    from viz.stages.synthesis import conditions, pose_matrix

    ready, options = run.inputs["load"], run.view.get(Flicker)
    if not ready.facts.has_pose:
        yield OverlayResult()
        return
    ws, pose = run.inputs["latent"].ws, pose_matrix(run.view, ready)
    for found in deviations(ready.network, ws, pose, options, conditions(run), run.superseded):
        if found is None:
            yield None
            continue
        yield OverlayResult(Steadiness(found.count, found.total, found.db), found.count / found.total, images_of(found))


def images_of(found: Deviation) -> dict[str, OverlayImage]:
    if found.count < 2:
        return {}
    level = 10 * (found.mean_square / PEAK**2 + 10 ** (2 * LOWEST_DB / 10)).log10()
    level = level.where(found.mask, level.new_tensor(LOWEST_DB))  # zeros that came in at the border are no flicker
    height, width = level.shape
    rect = (0.0, 0.0, float(width), float(height))
    values, mask = level.float().cpu().numpy(), found.mask.cpu().numpy()
    return {DEVIATION: OverlayImage("flicker below peak", values, rect, LOWEST_DB, 0.0, "viridis", "dB", mask)}


OVERLAY = Overlay(NAME, Flicker, (*LATENT, *CONDITIONS, Pose), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Flicker", "Flicker.on", "Moves the picture by fractions of pixels and undoes the motion: what still changes?", default=False)
NUM = Field("Poses", "Flicker.num", "How many poses around the current one.", default=24, low=2, high=10_000)
REACH = Field("Reach", "Flicker.reach_px", "The farthest shift.", "px", default=1.0, low=0, high=8, power=2)
IMAGE = Field("Show", "Flicker.image", "Lays the deviation of each pixel over the picture.", default="")

OFF = "Moves the pose by fractions of a pixel, undoes that on the pictures, and shows what still changes."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    reason = without_grid(context.network)
    state = switch(state, ON, Flicker, disabled=reason)
    options = state.get(Flicker)
    result = result_of(context, NAME) if options.on and not reason else None
    found: Steadiness | None = result.values if result is not None else None
    if not reason:
        state = progress(state, Flicker, result, f"{found.count if found else 0} of {options.num} poses", stays=True)
    if reason or not options.on:
        state = invitation(state, ON, Flicker, OFF, disabled=reason, fill=False)
    else:
        headline(*texts(found))
    state = over_the_picture(state, IMAGE, IMAGES, Flicker, disabled=reason)
    options = state.get(Flicker)
    return state.put(replace(options, num=input_int(NUM, options.num), reach_px=slider_float(REACH, options.reach_px)))


def texts(found: Steadiness | None) -> tuple[str, str, str]:
    if found is None:
        return "steadiness", MISSING, OFF
    return "steadiness: peak over flicker", number_text(found.db, "dB"), "Higher is steadier. Shifting back has a small error of its own."


PANEL = Panel("Flicker", "right", 62, draw, workspaces=(4,))
