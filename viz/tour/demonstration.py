"""Texture sticking and its cure in ten seconds: T shows R beside StyleGAN2, both told to move alike; T again brings the old view back.

It works on a view like any other: two bundled networks that saw the same pictures, a comparison, and the pose in motion. The same over
latents, from the Help menu, is Figure 1, left, of the paper: two GANs walk around a seed, and the means of their pictures are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gui_utils import controls, theme
from gui_utils.controls import Field
from gui_utils.libraries import imgui
from gui_utils.scopes import CardPlace, card_scope, font_scope
from viz import commands
from viz.compare.pairs import stylegan2_beside_r, with_networks
from viz.history import Step, lend
from viz.panels.parts import beside, wrapped_text
from viz.state import MOTION, Compare, CompareView, Device, Latent, LatentMotion, Pose, Source, TranslateMotion, Unwarp, ViewState
from viz.tour.means import ShownMeans
from viz.tour.tour import Demonstrated

if TYPE_CHECKING:
    from viz.app import App

SEED = 3
RADIUS, SPEED = 0.05, 0.1  # image widths, and those a second: once round in three seconds
GANS = ("landscape-r-128", "landscape-b-128")  # who were free to put their detail where it suits them
WALK_SEED = 7
WALK = LatentMotion(on=True, seeds_per_s=0.5, radius=0.3)  # once round in four seconds
WIDTH_EM, LEAST_WIDTH_EM, MARGIN_EM = 34.0, 20.0, 0.8
NO_PAIR = "No StyleGAN2 and R of the same pictures are bundled."
UNDO = Field(
    "Undo the motion (U)",
    "Demonstration.unwarp",
    "Moves the finished pictures back: what does not stand still then is stuck.",
    default=False,
)
MEANS = Field(
    "Mean of the pictures", "Demonstration.means", "The mean of all pictures since it was switched on, or each as it comes.", default=True
)
END = Field("End (T)", "Demonstration.end", "Brings back what was on screen before.")
SHOW = Field("T  see texture stick", "Demonstration.show", "StyleGAN2 beside its cure, config R, in motion: ten seconds. T ends it again.")


def sticking(view: ViewState, catalogue: Iterable[Any]) -> ViewState | None:
    """R beside StyleGAN2, moving; None where there are no two networks for it. Where it is computed stays as it is."""
    pair = stylegan2_beside_r(tuple(catalogue))
    if pair is None:
        return None
    start = ViewState().put(view.get(Device)).edit(Latent, x=float(SEED))
    return with_networks(start, pair).put(CompareView()).put(TranslateMotion(on=True, widths_per_s=SPEED, radius=RADIUS))


def walking(view: ViewState, catalogue: Iterable[Any]) -> ViewState | None:
    """The two GANs, walking around a latent; None where they are not bundled."""
    if not {entry.name for entry in catalogue}.issuperset(GANS):
        return None
    start = ViewState().put(view.get(Device)).edit(Latent, x=float(WALK_SEED))
    return with_networks(start, GANS).put(CompareView()).put(WALK)


def shown(app: App) -> bool:
    """Whether it is what is on screen: the user has not gone on to something else."""
    begun = app.tour.demonstration
    return begun is not None and all(app.state.get(kind) == begun.view.get(kind) for kind in (Source, Compare))


def toggle(app: App, over: str = "pose") -> None:
    """Begins, or brings the view of before back; T ends either, the other's entry in the menu goes over to it."""
    begun = app.tour.demonstration
    if begun is not None and shown(app):
        app.state = lend(*begun.before, app.lent.kind)
        _end(app)
        if over == "pose" or begun.means is not None:
            return
    _end(app)
    view = (sticking if over == "pose" else walking)(app.state, app.context.catalogue)
    if view is None:
        app.toasts.add("warning", NO_PAIR)
        return
    means = None if over == "pose" else ShownMeans(view)
    app.attached += [] if means is None else [means]
    app.tour.offered = False
    app.tour.demonstration = Demonstrated(Step(app.state.reset(*MOTION), app.lent.kind), view, means)
    app.state = lend(view, None, app.lent.on(app.state))


def _end(app: App) -> None:
    begun, app.tour.demonstration = app.tour.demonstration, None
    if begun is not None and begun.means is not None:
        app.attached.remove(begun.means)


def invitation(app: App) -> None:
    """A button in the status line, while nothing else is said there."""
    if not shown(app) and app.tour.step is None:
        imgui.same_line()
        if imgui.small_button(f"{SHOW.label}###Status.sticking"):
            app.context.emit(commands.ShowSticking())


def draw(app: App) -> None:
    """What is to be seen, at the foot of the picture, until something else is on screen. The picture keeps that place free."""
    placement = app.canvas.placement
    if not shown(app) or app.tour.step is not None or placement is None:
        app.canvas.kept_free = 0.0
        return
    em, area = imgui.get_font_size(), placement.area
    bottom = area.y + area.height + app.canvas.foot
    areas = [area, *(each for each in app.canvas.comparison.areas.values() if each is not None)]
    left, right = min(each.x for each in areas), max(each.x + each.width for each in areas)
    width_em = max(LEAST_WIDTH_EM, min(WIDTH_EM, (right - left) / em - 2 * MARGIN_EM))
    middle = max((left + right) / 2, width_em * em / 2)
    place = CardPlace((middle, bottom - MARGIN_EM * em), (0.5, 1.0))
    with card_scope("Texture sticking###demonstration", width_em, place, border=theme.ACCENT, window_bg=(0.1, 0.1, 0.1, 0.9)):
        _contents(app)
        app.canvas.kept_free = imgui.get_window_height() + 2 * MARGIN_EM * em


def _contents(app: App) -> None:
    begun = app.tour.demonstration
    assert begun is not None
    means = begun.means
    with font_scope(1.15):
        wrapped_text("Both globes should move with the ring." if means is None else "What stays in place stays sharp.", dim=False)
    wrapped_text(text(app.state) if means is None else text_of_means(app.state, means), dim=False)
    if means is None:
        undone = app.state.get(Unwarp).on
        if controls.toggle(UNDO, undone) != undone:
            app.state = app.state.edit(Unwarp, on=not undone)
    elif controls.toggle(MEANS, means.on) != means.on:
        means.switch(app, on=not means.on)
    beside(END)
    if controls.button(END):
        app.context.emit(commands.ShowSticking())


def text(view: ViewState) -> str:
    """What the two do in this view."""
    if not view.get(TranslateMotion).on and view.get(Pose) == Pose():
        return "Nothing moves now: right-drag the picture."
    if view.get(Unwarp).on:
        return "The motion is undone on the finished pictures. R (left) stands still; in StyleGAN2 (right) stuck texture slides."
    return "R (left) goes along. In StyleGAN2 (right) the texture stays on the pixels: it is stuck."


def text_of_means(view: ViewState, means: ShownMeans) -> str:
    """The same over latents."""
    if not means.on:
        return "Pictures around one latent. R (left) carries its detail along; in StyleGAN2 (right) it shimmers in its place."
    walk = "" if view.get(LatentMotion).on else " Nothing walks now: drag the picture."
    return (
        f"Means of all pictures so far ({means.count}) around one latent. R's detail (left) moves with the scene and averages out; "
        f"StyleGAN2's (right) stays on the pixels: it is stuck.{walk}"
    )
