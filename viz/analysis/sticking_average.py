"""Overlay "Sticking": the mean of many pictures around one latent, and how much of their detail survives in it.

The paper's Figure 1, left: detail that rides on the surface blurs evenly, detail that is stuck to pixels stays sharp.
Progressive: every picture added is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gui_utils import plots
from gui_utils.controls import Field, checkbox, choice, input_int, slider_float
from gui_utils.libraries import imgui, implot
from gui_utils.text import MISSING, number_text
from viz.analysis import CONDITIONS, LATENT, Overlay
from viz.analysis.parts import NO_GRID, headline, over_the_picture, progress, result_of, switch
from viz.errors import CommandError
from viz.panels import Panel, PanelContext
from viz.panels.invitation import invitation
from viz.panels.parts import NO_NETWORK, reset_button
from viz.request import OverlayImage, OverlayResult
from viz.state import Mixing, Pose, Sticking, Truncation, ViewState

if TYPE_CHECKING:
    from viz.analysis.sticking import Average, DetailMap
    from viz.stages import Run

NAME = "sticking"
MEAN, DEVIATION, DETAIL = f"{NAME}.mean", f"{NAME}.deviation", f"{NAME}.detail"
IMAGES = {MEAN: "the mean", DEVIATION: "deviation from the mean", DETAIL: "share of detail kept"}
DEVIATION_RANGE = 0.5  # of pictures in [-1, 1]
FINE = {"w": 1 / 4, "z": 1 / 4, "pose": 1 / 8}  # of the resolution, in cycles per image: from here on the score counts

# Around a latent, what a picture shows stays where it is, and with it the coarser octaves: only the finest tells what sticks.


@dataclass(frozen=True)
class Octave:
    """From `low` to `high` cycles per image: the share of its detail that is kept, and the share of all power that it holds."""

    low: float
    high: float
    share: float | None
    held: float


@dataclass(frozen=True)
class Kept:
    """`count` of `total` pictures; the share of detail kept above `low` cycles per image, the share of all power there, and octaves."""

    count: int
    total: int
    low: float
    share: float | None
    held: float
    octaves: tuple[Octave, ...]


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    from viz.analysis.sticking import DetailMap, Jitter, average, shifted
    from viz.stages.synthesis import pose_matrix, posed_conditions

    ready, options = run.inputs["load"], run.view.get(Sticking)
    jitter = Jitter(options.strength, options.seed, options.hold_pose)
    rate = float(ready.facts.resolution)
    where = DetailMap(FINE[options.space] * rate, independent=options.space != "pose")
    neighbour, pose, ws = None, None, run.inputs["latent"].ws
    if options.space == "z":
        neighbour = neighbour_in_z(run)
    elif options.space == "pose":
        if not ready.facts.has_pose:
            yield OverlayResult()
            return
        neighbour, base = (lambda _: ws), pose_matrix(run.view, ready)
        pose = lambda index: shifted(base, index, options.reach_px, rate, options.seed)  # noqa: E731
    arguments = {"num": options.num, "jitter": jitter, "conditions": posed_conditions(run), "neighbour": neighbour, "pose": pose}
    for found in average(ready.network, ws, **arguments, stop=run.superseded):
        if found is None:
            yield None
            continue
        where.add(found.newest)
        yield OverlayResult(kept_of(found, where.low, rate), found.count / found.total, images_of(found, where))


def kept_of(found: Average, low: float, rate: float) -> Kept:
    from torch_utils.spectra import octaves

    detail = found.detail
    shares = detail.scores(octaves(rate)).items()
    each = tuple(Octave(band.low, min(band.high, rate / 2), share, detail.held(band.low, band.high)) for band, share in shares)
    return Kept(found.count, found.total, low, detail.score(low), detail.held(low), each)


def neighbour_in_z(run: Run) -> Callable[[int], Any]:
    """Latents whose z lie around those of the seeds on screen: ws + sum of weight (map(z + strength n) - map(z)), in the rows of each."""
    import torch

    from viz.stages.latent import draw_z, mapped

    ready, options, styles = run.inputs["load"], run.view.get(Sticking), run.inputs["latent"]
    if not styles.seeds:
        raise CommandError("The z of a latent from a file is not known: choose w, or shifts of the pose.")
    truncation, network = run.view.get(Truncation), ready.network
    class_index = run.view.get(LATENT[0]).class_index
    cutoff = None if truncation.cutoff < 0 else truncation.cutoff
    mixing = run.view.get(Mixing)
    mixed = torch.tensor([[mixing.amount * (row in mixing.rows)] for row in range(network.num_ws)], device=ready.device)
    seeds = [(seed, weight * (1 - mixed)) for seed, weight in styles.seeds] + ([(mixing.seed, mixed)] if mixed.any() else [])

    def neighbour(index: int) -> Any:
        noise = np.random.default_rng([options.seed, index]).standard_normal(network.z_dim)
        ws = styles.ws
        for seed, weight in seeds:
            z, c = draw_z(seed, network.z_dim, network.c_dim, class_index)
            moved, label = (None if v is None else torch.from_numpy(v).to(ready.device, torch.float32)[None]
                            for v in (z + options.strength * noise, c))  # fmt: skip
            ws = ws + weight * (network.map(moved, label, psi=truncation.psi, cutoff=cutoff) - mapped(run, ready, seed))
        return ws

    return neighbour


def images_of(found: Average, where: DetailMap) -> dict[str, OverlayImage]:
    height, width = found.mean.shape[-2:]
    rect = (0.0, 0.0, float(width), float(height))
    array = lambda t: t.float().cpu().numpy()  # noqa: E731
    share, there = where.share()
    deviation = found.variance.clamp_min(0).mean(dim=0).sqrt()
    return {
        MEAN: OverlayImage(f"mean of {found.count}", array(found.mean).transpose(1, 2, 0), rect),
        DEVIATION: OverlayImage("deviation", array(deviation), rect, 0.0, DEVIATION_RANGE, "magma"),
        DETAIL: OverlayImage("detail kept", array(share), rect, 0.0, 1.0, "viridis", mask=there.cpu().numpy()),
    }


OVERLAY = Overlay(NAME, Sticking, (*LATENT, *CONDITIONS, Pose), run)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Average", "Sticking.on", "Averages pictures from a neighbourhood of the latent; any change starts over.", default=False)
NUM = Field("Pictures", "Sticking.num", "How many pictures are averaged.", default=64, low=2, high=100_000)
STRENGTH = Field("Radius", "Sticking.strength", "Standard deviation of the neighbourhood, as a fraction of that of all latents.",
                 default=0.25, low=0, high=1, decimals=3, power=2)  # fmt: skip
SPACE = Field(
    "Gaussian in",
    "Sticking.space",
    "In which space pictures are drawn around the one on screen: latents in w or z, or shifts of the pose.",
    default="w",
)
SPACES = {"w": "w", "z": "z", "pose": "pose"}
REACH = Field("Shifts", "Sticking.reach_px", "Standard deviation of the pose's shifts. Little survives of detail that moves along, all of "
              "detail that stays on the pixels.", "px", default=2.0, low=0, high=16, power=2)  # fmt: skip
HOLD = Field("Hold pose", "Sticking.hold_pose", "Every picture gets the pose that the network derives from the latent on screen: "
             "then detail of R stays in place too, and little can be told apart.", default=False)  # fmt: skip
SEED = Field("Seed", "Sticking.seed", "Of the neighbours.", default=0, high=2**32 - 1)
OFF = "Averages pictures around this one: detail that rides on what is seen blurs, detail that sticks to the pixels stays sharp."
IMAGE = Field("Show", "Sticking.image", "Lays a result over the picture.", default="")
RESET = Field("Reset", "Sticking.reset", "The defaults, switched off.")


def draw(state: ViewState, context: PanelContext) -> ViewState:
    reason = NO_NETWORK if context.network is None else ""
    state = switch(state, ON, Sticking, disabled=reason)
    imgui.same_line(0, imgui.get_font_size())
    state = reset_button(state, RESET, Sticking)
    result = result_of(context, NAME) if state.get(Sticking).on else None
    kept: Kept | None = result.values if result is not None else None
    state = progress(state, Sticking, result, f"{kept.count if kept else 0} of {state.get(Sticking).num} pictures", stays=True)
    no_grid = state.get(Sticking).space == "pose" and context.network is not None and not context.network.has_pose
    if reason or not state.get(Sticking).on:
        state = invitation(state, ON, Sticking, OFF, disabled=reason, fill=False)
    else:
        headline(*texts(kept, NO_GRID if no_grid else ""))
    if kept is not None:
        _octaves(kept)
    state = over_the_picture(state, IMAGE, IMAGES, Sticking, disabled=reason)
    return _options(state)


def texts(kept: Kept | None, reason: str = "") -> tuple[str, str, str]:
    if kept is None:
        return "detail kept", MISSING, reason or OFF
    share = number_text(None if kept.share is None else 100 * kept.share, "%")
    note = "100 % for detail that never moves, 0 % for detail that is elsewhere in every picture. Shifts of the pose show it best."
    if kept.share is None and kept.count > 1:
        note = "Pictures hold next to nothing there, less than the measurement lets through from coarser detail."
    return f"detail kept, from {number_text(kept.low, decimals=0)} cycles per image", share, note


def _options(state: ViewState) -> ViewState:
    options = state.get(Sticking)
    posed = options.space == "pose"
    return state.put(
        replace(
            options,
            num=input_int(NUM, options.num),
            strength=slider_float(STRENGTH, options.strength, disabled="The latent stays the same." if posed else ""),
            space=choice(SPACE, options.space, SPACES),
            reach_px=slider_float(REACH, options.reach_px, disabled="" if posed else "The pose stays the same."),
            hold_pose=checkbox(HOLD, options.hold_pose),
            seed=input_int(SEED, options.seed),
        )
    )


def _octaves(kept: Kept) -> None:
    """One bar for each octave."""
    bands = kept.octaves
    axes = plots.Axes("octave from (cycles / image)", "% kept", x=(-0.6, max(1, len(bands)) - 0.4), y=(0, 105), follow=True, legend="")
    with plots.plot("##octaves", axes, (-1, 9)) as shown:
        if not shown or not bands:
            return
        ticks = np.arange(len(bands), dtype=np.float64)
        implot.setup_axis_ticks(implot.ImAxis_.x1, ticks.tolist(), [f"{band.low:g}" for band in bands])
        shares = np.array([np.nan if band.share is None else 100 * band.share for band in bands])
        plots.bars("% kept", ticks, np.nan_to_num(shares), 0.7, plots.series_color(0))

        def read(x: float, _: float) -> str:
            band = bands[min(max(round(x), 0), len(bands) - 1)]
            share = number_text(None if band.share is None else 100 * band.share, "%")
            return f"{band.low:g} to {band.high:g} cycles / image: {share} kept of {100 * band.held:.2g} % of the picture's power"

        plots.cursor_text(read)


PANEL = Panel("Sticking", "right", 70, draw, workspaces=(5,))
