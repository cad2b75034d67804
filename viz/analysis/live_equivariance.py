"""Overlay "Equivariance": how well the picture on screen follows its pose, as one number, a history, and a map of the error.

The picture is made again without the pose; that is transformed by the metric's own operator, and compared. With every
frame, also while the pose is dragged: the unposed picture is remembered, so a frame costs one resampling more.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, button
from gui_utils.libraries import imgui
from gui_utils.text import MISSING, number_text
from networks.measures.comparison import LABELS, PEAK, Kind
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.parts import headline, over_the_picture, result_of, switch, without_grid
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.request import OverlayImage, OverlayResult
from viz.state import BandFilter, Equivariance, Pose, ViewState

if TYPE_CHECKING:
    import torch

    from networks.measures.comparison import Difference
    from viz.stages import Run

NAME = "equivariance"
SIGNED, LOG, LEVEL = f"{NAME}.signed", f"{NAME}.log", f"{NAME}.level"
IMAGES = {SIGNED: "error, signed", LOG: "error, signed, log scale", LEVEL: "error, in dB"}
WHOLE = BandFilter()
SIGNED_RANGE = 0.1  # of pictures in [-1, 1]
LEVEL_RANGE_DB = (-80.0, 0.0)  # below the peak
KEPT, SPAN = 400, 50  # numbers of the history; pictures that its plot has room for, at least


@dataclass(frozen=True)
class Now:
    """The number of one picture. `kind` None: the pose is the identity, and there is nothing to compare.

    `deformed`: the pose scales, stretches, shears or mirrors, of which the paper measures nothing; the operators are those of EQ-R.
    """

    kind: Kind | None
    db: float | None
    valid_share: float = 0.0
    deformed: bool = False


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    from networks.measures.comparison import difference
    from viz.stages.synthesis import pose_matrix

    ready = run.inputs["load"]
    pose = pose_matrix(run.view, ready)
    if not ready.facts.has_pose:
        yield OverlayResult()
        return
    if pose == Pose().matrix():
        yield OverlayResult(Now(None, None))
        return
    found = difference(unposed(run), posed(run), pose, sampling_rate=ready.facts.resolution)
    share = float(found.mask.float().mean())
    now = Now(found.kind, found.db, share, run.view.get(Pose).deformed)
    yield OverlayResult(now, images=error_images(found, run.view.get(BandFilter)))


def unposed(run: Run) -> Any:
    """The picture [C, H, W] of this latent without a pose. Only the result is remembered: its layers would push out those on screen."""
    from viz.stages.synthesis import conditions

    ready = run.inputs["load"]
    key = ("unposed", ready.identity, tuple(run.view.get(kind) for kind in (*LATENT, *CONDITIONS)))
    picture = run.memory.get(key)
    if picture is None:
        picture = ready.network.synthesize(run.inputs["latent"].ws, pose=None, **conditions(run))[0]
        run.memory.put(key, picture)
    return picture


def posed(run: Run) -> Any:
    """The picture [C, H, W] with the pose: what is on screen, or, while a layer is tapped, what becomes of it."""
    from viz.stages.synthesis import layer_memo, posed_conditions

    return run.inputs["load"].network.synthesize(run.inputs["latent"].ws, memo=layer_memo(run), **posed_conditions(run))[0]


def error_images(found: Difference, band: BandFilter = WHOLE) -> dict[str, OverlayImage]:
    """The mean error over channels, signed, also on a log scale; and the root of its mean square, in dB below the peak value.

    `band`: if its `error` is set, only that band of the error.
    """
    import torch

    error, mask = found.error.float(), found.mask.cpu().numpy()
    if band.error:
        from viz.stages.band import kept

        error = kept(error, band, error.shape[-1]) * found.mask
    height, width = error.shape[-2:]
    level = 10 * torch.log10(error.square().mean(dim=0) / PEAK**2 + 10 ** (2 * LEVEL_RANGE_DB[0] / 10))
    rect, low, high = (0.0, 0.0, float(width), float(height)), *LEVEL_RANGE_DB
    of = f", {band_text(band)}" if band.error else ""
    mean = error.mean(dim=0)
    signed = OverlayImage(f"error, mean of channels{of}", mean.cpu().numpy(), rect, -SIGNED_RANGE, SIGNED_RANGE, "diverging", mask=mask)
    decades = OverlayImage(f"error, log: ±1 peak, 0 {low:.0f} dB{of}".replace("-", "−"), signed_log(mean).cpu().numpy(), rect, -1.0, 1.0,
                           "diverging", mask=mask)  # fmt: skip
    below = OverlayImage(f"error below peak{of}", level.cpu().numpy(), rect, low, high, "viridis", "dB", mask)
    return {SIGNED: signed, LOG: decades, LEVEL: below}


def signed_log(error: torch.Tensor) -> torch.Tensor:
    """From -1 to 1: the sign of the error times its level, 1 at the peak value, 0 at and below the lowest level shown."""
    lowest = LEVEL_RANGE_DB[0]
    level = 20 * (error.abs() / PEAK).clamp_min(1e-12).log10()
    return error.sign() * (1 - level / lowest).clamp(0, 1)


def band_text(band: BandFilter) -> str:
    return f"{band.low:g} to {band.high:g} cycles" if band.high > 0 else f"from {band.low:g} cycles"


OVERLAY = Overlay(NAME, Equivariance, (*LATENT, *CONDITIONS, Pose, BandFilter), run, live=True)


# ---------------------------------------------------------------------------------------------------- control

ON = Field(
    "Measure", "Equivariance.on", "Compares every picture with the unposed one, transformed: PSNR in dB, higher is better.", default=False
)
IMAGE = Field("Show", "Equivariance.image", "Lays the error over the picture. Where nothing can be compared, it is dark.", default="")
CLEAR = Field("Clear", "Equivariance.clear", "Forgets the history.")
HELP = {
    "eq_t": "moved by whole pixels",
    "eq_t_frac": "moved by fractions of pixels; the six-tap reference has a small error of its own",
    "eq_r": "turned (and moved); both pictures pass the same band limit",
}

OFF = "How well the network follows its pose: each picture against the unposed one, moved or turned likewise. ∞ would be perfect."
DEFORMED = "not a metric of the paper, whose networks need only follow shifts and turns; the operators are those of EQ-R"


def draw(state: ViewState, context: PanelContext) -> ViewState:
    reason = without_grid(context.network)
    state = switch(state, ON, Equivariance, disabled=reason)
    active = not reason and state.get(Equivariance).on
    result = result_of(context, NAME) if active else None
    now: Now | None = result.values if result is not None else None
    history: deque[float] = context.scratch.setdefault(f"{NAME}.history", deque(maxlen=KEPT))
    if now is not None and result is not None and not result.stale and context.scratch.get(f"{NAME}.last") is not result:
        context.scratch[f"{NAME}.last"] = result
        history.append(now.db if now.db is not None and math.isfinite(now.db) else math.nan)
    imgui.same_line(0, imgui.get_font_size())
    if button(CLEAR, disabled="" if history else "Nothing was measured yet."):
        history.clear()
    if active:
        headline(*texts(now, stale=result is not None and result.stale))
    else:
        state = invitation(state, ON, Equivariance, OFF, disabled=reason, fill=False)
    state = over_the_picture(state, IMAGE, IMAGES, Equivariance, disabled=reason)
    if active:
        _history(np.array(history))
    return state


def texts(now: Now | None, *, stale: bool = False) -> tuple[str, str, str]:
    """What is measured, the number, and a remark; with an ellipsis where it is still about the picture before, as a caption has it."""
    title, number, remark = _texts(now)
    return f"{title} …" if stale else title, number, remark


def _texts(now: Now | None) -> tuple[str, str, str]:
    if now is None:
        return "EQ", MISSING, OFF
    if now.kind is None:
        return "EQ", MISSING, "The pose is the identity. Move or turn the picture to see how well the network follows."
    if now.deformed:
        return "this deformation", number_text(now.db, "dB"), f"{DEFORMED}; {100 * now.valid_share:.0f} % compared"
    return f"{LABELS[now.kind]} of this picture", number_text(now.db, "dB"), f"{HELP[now.kind]}; {100 * now.valid_share:.0f} % compared"


def _history(values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 60.0)
    span = max(SPAN, len(values))
    axes = plots.Axes("pictures, the newest at 0", "dB", x=(-span, 0.02 * span), y=(low - 3, high + 3), follow=True, legend="")
    with plots.plot("##history", axes, (-1, -7)) as shown:
        if not shown:
            return
        plots.line("dB", np.arange(len(values)) + 1.0 - len(values), values, plots.series_color(0))
        if len(values) and np.isfinite(values[-1]):
            plots.dot(0.0, float(values[-1]), plots.series_color(0))

        def read(x: float, _: float) -> str:
            i = round(x) - 1 + len(values)
            return number_text(float(values[i]), "dB") if 0 <= i < len(values) else MISSING

        plots.cursor_text(read)


PANEL = Panel("Equivariance", "right", 60, draw, workspaces=(4,))
