"""The tour on screen: a card over the picture that never blocks, and an outline around what it speaks of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gui_utils import controls, layout, theme
from gui_utils.controls import Field
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import CardPlace, card_scope, color_scope, dim_text, font_scope, style_scope
from viz import commands, undo, workspaces
from viz.panels.parts import wrapped_text
from viz.tour import demonstration, tour

if TYPE_CHECKING:
    from viz.app import App

WIDTH_EM, MARGIN_EM = 20.3, 0.3  # within the left side
BEGIN = Field("Begin", "Tour.begin", "Two minutes with the bundled networks. Ctrl+Z brings your view back.")
NOT_NOW = Field("Not now", "Tour.not_now", "It stays in the Help menu.")
BACK = Field("Back", "Tour.back", "The previous step.")
NEXT = Field("Next", "Tour.next", "The next step.")
FINISH = Field("Finish", "Tour.finish", "The tour ends; what is on screen stays.")
STOP = Field("Stop", "Tour.stop", "The tour ends here; what is on screen stays.")


def draw(app: App) -> None:
    """The offer, or the step the tour is at; or what the demonstration of sticking shows."""
    demonstration.draw(app)
    current = app.tour
    if current.step is None and not current.offered:
        return
    if current.step is not None and app.chrome_shown:
        if current.arriving and current.step.where != workspaces.PICTURE:
            layout.bring_to_front(app.arrangement, current.step.where)
        _outline(app, current.step.where)
    em, viewport = imgui.get_font_size(), imgui.get_main_viewport()
    left, bottom = viewport.work_pos.x, viewport.work_pos.y + viewport.work_size.y  # over the left side, not over the picture
    at = (left + MARGIN_EM * em, bottom - MARGIN_EM * em)
    place = CardPlace(at, (0.0, 1.0), movable=True, held=current.arriving > 0 or at != current.placed)
    current.placed = at
    current.arriving = max(0, current.arriving - 1)
    with card_scope("Guided tour###tour", WIDTH_EM, place, border=theme.ACCENT, window_bg=(0.1, 0.1, 0.1, 0.96)):
        _offer(app) if current.step is None else _step(app, current.step)


def start(app: App) -> None:
    """Begins with the first step whose networks are there."""
    bundled = [entry.name for entry in app.context.catalogue if entry.kind == "bundled"]
    app.tour.start(tour.available(tour.all_steps(), bundled))
    _remember(app)
    _show(app)


def carry_out(app: App, command: commands.Command) -> None:
    match command:
        case commands.StartTour():
            start(app)
        case commands.ShowSticking(over):
            demonstration.toggle(app, over)


def _offer(app: App) -> None:
    _title("Shall we look around?")
    wrapped_text("A guided tour of two minutes: drag, turn, layers, spectra, and what aliasing does to a picture.", dim=False)
    imgui.spacing()
    if controls.button(BEGIN):
        app.context.emit(commands.StartTour())
    imgui.same_line()
    if controls.button(demonstration.SHOW):
        app.context.emit(commands.ShowSticking())
        _remember(app)
    imgui.same_line()
    if controls.button(NOT_NOW):
        app.tour.stop()
        _remember(app)


def _step(app: App, step: tour.Step) -> None:
    current = app.tour
    assert current.index is not None
    done, last = current.look(app.state), current.index == len(current.steps) - 1
    dim_text(f"{current.index + 1} of {len(current.steps)}")
    _title(step.title)
    wrapped_text(step.text, dim=False)
    imgui.spacing()
    if controls.button(BACK, disabled="" if current.index else "This is the first step."):
        _go(app, -1)
    imgui.same_line()
    with color_scope(button=(*theme.ACCENT, 0.45)) if done else style_scope():
        if controls.button(FINISH if last else NEXT):
            _go(app, 1)
    imgui.same_line()
    if not last and controls.button(STOP):
        current.stop()
    imgui.same_line()
    imgui.align_text_to_frame_padding()
    if done:
        with color_scope(text=(0.45, 0.85, 0.5)):
            imgui.text_unformatted(f"{icons.ICON_FA_CHECK} done")
    else:
        dim_text("your turn")


def _title(text: str) -> None:
    with font_scope(1.25):
        imgui.text_unformatted(text)


def _go(app: App, step: int) -> None:
    app.tour.go(step)
    _show(app)


def _show(app: App) -> None:
    """The view and the workspace that the step begins with."""
    step = app.tour.step
    if step is not None:
        undo.observe(app, in_gesture=False)
        app.state, app.lent = app.lent.taken_back(app.state)  # each step says by itself what is measured
        app.history = replace(app.history, present=app.state, lent=None)
        app.restore(step.view)
        app.choose_workspace(step.workspace)


def _remember(app: App) -> None:
    """It is offered once."""
    if app.settings.first_start:
        app.change_settings(first_start=False)


def _outline(app: App, title: str) -> None:
    """Around the panel of this title, in front of everything."""
    window = imgui.internal.find_window_by_name(app.arrangement.window_name(title))
    if window is None or not window.was_active:
        return
    pad = theme.px(2.0)
    low, high = (window.pos.x + pad, window.pos.y + pad), (window.pos.x + window.size.x - pad, window.pos.y + window.size.y - pad)
    imgui.get_foreground_draw_list().add_rect(low, high, theme.packed(theme.ACCENT, 0.9), theme.px(4.0), theme.px(2.5))
