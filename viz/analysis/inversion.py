"""Overlay "Inversion": a picture of one's own into w or w+, step by step after the picture on screen is out.

Switching it off stops it; switching it on again goes on where it was, as long as the picture and the options are the same. The
pose of the view does not count: the picture is looked for at the network's own place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gui_utils.controls import Field, button, checkbox, choice, input_int, text_input, value_row
from gui_utils.libraries import imgui
from gui_utils.text import MISSING, number_text
from viz import commands
from viz.analysis import CONDITIONS, Overlay, file_stamp
from viz.analysis.parts import headline, over_the_picture, progress, result_of, switch
from viz.errors import CommandError
from viz.panels import Panel, PanelContext
from viz.panels.parts import NO_NETWORK, reset_button, wrapped_text
from viz.request import OverlayImage, OverlayResult
from viz.state import Inversion, Noise, OverlayView, ViewState

if TYPE_CHECKING:
    from viz.analysis.invert import Found
    from viz.stages import Run

NAME = "inversion"
FOUND, TARGET, ERROR = f"{NAME}.found", f"{NAME}.target", f"{NAME}.error"
KEPT_BY = '"Take it" in the panel Inversion'
IMAGES = {FOUND: "what was found", TARGET: "what is looked for", ERROR: "the difference"}


@dataclass(frozen=True, eq=False)
class Progress:
    """`psnr_db` and `ws` float32 [1, num_ws, w_dim] are of the best step so far; `loss` is of the last; `measure` names it.

    `on_white`: the picture is transparent in places, and white was put behind it.
    """

    step: int
    steps: int
    loss: float
    psnr_db: float
    ws: np.ndarray
    measure: str
    on_white: bool = False


# ---------------------------------------------------------------------------------------------------- computation


def run(run: Run) -> Iterator[OverlayResult | None]:
    import torch

    from viz.analysis.invert import Problem, perceptual, read_picture, spread, start, step
    from viz.stages.synthesis import conditions

    ready, options = run.inputs["load"], run.view.get(Inversion)
    if ready.network.img_channels != 3:
        raise CommandError(
            f"The pictures of {ready.facts.titled} have {ready.network.img_channels} channel(s), and those of a file have 3."
        )
    if not options.picture:
        raise CommandError(NO_PICTURE)
    quicken(ready.device.type)
    pixels, on_white = read_picture(Path(options.picture), ready.facts.resolution)
    target = torch.from_numpy(pixels).to(ready.device)
    features, measure = perceptual(ready.device) if options.perceptual else (None, "Laplacian pyramid")
    fixed = {**conditions(run), "force_fp32": True, "learned_pose": None}
    problem = Problem(target, options.space, options.steps, fixed, features)
    kept_under = ("inverted", ready.identity, options, run.view.get(Noise), file_stamp(options.picture))
    found: Found | None = run.memory.get(kept_under)
    if found is None:
        for begun in start(ready.network, problem):
            found = begun
            yield OverlayResult(None, 0.0)
    assert found is not None
    size = spread(ready.network)
    while True:
        yield result(found, problem, measure, on_white=on_white)
        if found.step >= options.steps:
            return
        found = step(ready.network, problem, found, size)
        run.memory.put(kept_under, found)


def result(found: Found, problem: Any, measure: str, *, on_white: bool = False) -> OverlayResult:
    array = lambda t: t.float().cpu().numpy()  # noqa: E731
    picture, target = array(found.picture[0]).transpose(1, 2, 0), array(problem.target[0]).transpose(1, 2, 0)
    height, width = picture.shape[:2]
    rect = (0.0, 0.0, float(width), float(height))
    images = {
        FOUND: OverlayImage(f"found, {found.psnr_db:.1f} dB", picture, rect, kept_by=KEPT_BY),
        TARGET: OverlayImage("looked for, on white" if on_white else "looked for", target, rect),
        ERROR: OverlayImage("difference", (picture - target).mean(axis=2), rect, -0.5, 0.5, "diverging"),
    }
    progress = Progress(found.step, problem.steps, found.loss, found.psnr_db, array(found.ws), measure, on_white)
    return OverlayResult(progress, found.step / problem.steps, images)


@cache
def quicken(kind: str) -> None:
    """On a CPU, filters with gradients from the native kernels: several times as fast as the reference. Once is enough."""
    if kind == "cpu":
        from networks.train import fast_filters

        fast_filters.enable()


OVERLAY = Overlay(NAME, Inversion, CONDITIONS, run, file=lambda options: options.picture)


# ---------------------------------------------------------------------------------------------------- control

ON = Field("Look for it", "Inversion.on", "Looks for the latent whose picture this is, by optimisation. Off: stops; on again: goes on.",
           default=False)  # fmt: skip
PICTURE = Field("Picture", "Inversion.picture", "A picture file; its middle square is taken. Dropping one on the window puts it here.",
                default="")  # fmt: skip
SPACE = Field("Space", "Inversion.space", "w: one row for all layers, which stays editable. w+: a row for each layer, which comes closer.",
              default="w+")  # fmt: skip
STEPS = Field("Steps", "Inversion.steps", "Of the optimisation.", default=200, low=10, high=100_000)
PERCEPTUAL = Field("Features", "Inversion.perceptual", "Also compares features of EfficientNet-Lite1, if the extra `train` is installed.",
                   default=True)  # fmt: skip
IMAGE = Field("Show", "Inversion.image", "Lays a result over the picture.", default="")
LOSS = Field("Loss", "Inversion.loss", "Of the last step: the difference of Laplacian pyramids, and of features where they are compared.")
USE = Field("Take it", "Inversion.use", "Saves the best latent as .npz in the captures folder, and shows it in place of the seeds, "
            "neither truncated nor mixed nor moved.")  # fmt: skip
RESET = Field("Reset", "Inversion.reset", "No picture, switched off.")
EMPTY = "Drop a picture on the window, or type its path: the network is asked for the latent that comes closest to it."
READY = "Tick the box: the search runs behind the picture on screen."
ON_WHITE = "The picture is transparent in places: white was put behind it."
NO_PICTURE = "There is no picture to look for."


def draw(state: ViewState, context: PanelContext) -> ViewState:
    reason = NO_NETWORK if context.network is None else "" if state.get(Inversion).picture else NO_PICTURE
    was_on = state.get(Inversion).on
    state = switch(state, ON, Inversion, disabled=reason)
    if state.get(Inversion).on and not was_on and not state.get(OverlayView).image:
        state = state.edit(OverlayView, image=FOUND, gain_db=0.0)  # what one wants to see, coming closer
    imgui.same_line(0, imgui.get_font_size())
    state = reset_button(state, RESET, Inversion)
    state = state.edit(Inversion, picture=text_input(PICTURE, state.get(Inversion).picture, hint="path of a picture"))
    result = result_of(context, NAME) if state.get(Inversion).on else None
    found = _found(result, state.get(Inversion), context)
    if state.get(Inversion).on:
        state = progress(state, Inversion, result, "trying seeds" if found is None else f"{found.step} of {found.steps}")
    if not state.get(Inversion).on:
        _at_rest(found, empty=not state.get(Inversion).picture)
    _numbers(context, found)
    state = over_the_picture(state, IMAGE, IMAGES, Inversion, disabled=reason)
    return _options(state)


def _at_rest(found: Progress | None, *, empty: bool) -> None:
    """While it is switched off: what to do, unless all is done. What was found belongs to a picture, so there is one then."""
    if found is None:
        wrapped_text(EMPTY if empty else READY)
    elif found.step < found.steps:
        wrapped_text(f"Stopped at {found.step} of {found.steps} steps; tick it again to go on.")


def _numbers(context: PanelContext, found: Progress | None) -> None:
    """How close it has come, and the button that takes it."""
    headline("PSNR", number_text(found.psnr_db if found else None, "dB"), f"Compared by: {found.measure}." if found else "")
    if found is not None and found.on_white:
        wrapped_text(ON_WHITE)
    value_row(LOSS, MISSING if found is None else number_text(found.loss, decimals=4))
    if button(USE, disabled="" if found is not None else "Nothing has been found yet.") and found is not None:
        context.emit(commands.UseLatent(found.ws))


def _found(result: OverlayResult | None, options: Inversion, context: PanelContext) -> Progress | None:
    """The newest result for this picture and network; while it is switched off, what there was when it stopped."""
    facts = context.network
    about = (facts.sha256 or facts.ref if facts else "", replace(options, on=False))
    if result is not None and result.values is not None:
        context.scratch[NAME] = (about, result.values)
    kept, found = context.scratch.get(NAME, (None, None))
    return found if kept == about else None


def _options(state: ViewState) -> ViewState:
    options = state.get(Inversion)
    return state.put(
        replace(
            options,
            space=choice(SPACE, options.space, {"w": "w", "w+": "w+"}),
            steps=input_int(STEPS, options.steps),
            perceptual=checkbox(PERCEPTUAL, options.perceptual),
        )
    )


PANEL = Panel("Inversion", "left", 90, draw, workspaces=(1,))
