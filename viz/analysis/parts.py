"""What the panels of measurements share: how far it is, what failed, what to lay over the picture."""

from __future__ import annotations

from collections.abc import Mapping

from gui_utils import theme
from gui_utils.controls import Field, checkbox, combo, slider_float
from gui_utils.libraries import imgui
from gui_utils.scopes import color_scope, font_scope
from gui_utils.toasts import progress_bar
from viz.panels import PanelContext
from viz.panels.parts import NO_NETWORK, unit_note, wrapped_text
from viz.request import NetworkFacts, OverlayResult
from viz.state import OverlayView, ViewState

OPACITY = Field("Opacity", "OverlayView.opacity", "1 hides the picture below, 0 the measurement.", default=1.0)
GAIN = Field("Gain", "OverlayView.gain_db", "Makes small values visible. Values that are in dB are shifted by it.", "dB", default=0.0,
             low=-40, high=80, decimals=1)  # fmt: skip
NONE = {"": "nothing"}
NO_GRID = "This network has no input grid to move, so there is nothing to compare."


def without_grid(facts: NetworkFacts | None) -> str:
    """Why a network's pictures cannot be moved; "" where they can."""
    return NO_NETWORK if facts is None else "" if facts.has_pose else NO_GRID


def switch(state: ViewState, field: Field, options: type, *, disabled: str = "") -> ViewState:
    """The check box that starts a measurement."""
    return state.edit(options, on=checkbox(field, state.get(options).on, disabled=disabled))


def result_of(context: PanelContext, name: str) -> OverlayResult | None:
    """What the newest frame knows of a measurement. An error of it is shown here; one of the frame stands over the picture."""
    frame = context.frame
    if frame is not None and frame.error is not None:
        return OverlayResult(error=frame.error)
    result = frame.overlays.get(name) if frame is not None else None
    if result is not None and result.error is not None:
        with color_scope(text=theme.ERROR):
            wrapped_text(result.error.sentences, dim=False)
    return result


def nothing(result: OverlayResult | None) -> bool:
    """Whether it was measured to the end, and there is nothing of the kind in this network."""
    return result is not None and result.error is None and result.values is None and result.fraction >= 1 and not result.stale


def progress(state: ViewState, options: type, result: OverlayResult | None, text: str, *, stays: bool = False) -> ViewState:
    """A bar while something is on its way (what has failed is not); cancelling switches the measurement off.

    `stays`: its row does too, with the text, so that controls below do not move away from the mouse that drags them.
    """
    if not state.get(options).on:
        return state
    if result is not None and result.fraction >= 1:
        if stays and result.error is None:
            unit_note(text)
        return state
    cancelled = progress_bar(text, result.fraction if result is not None else 0.0, can_cancel=True)
    return state.edit(options, on=False) if cancelled else state


def over_the_picture(state: ViewState, field: Field, images: Mapping[str, str], options: type, *, disabled: str = "") -> ViewState:
    """Which of these images lies over the picture, with opacity and gain. Choosing one starts the measurement."""
    current = state.get(OverlayView).image
    shown = current if current in images else ""
    chosen = combo(field, shown, {**NONE, **images}, disabled=disabled)
    if chosen != shown:
        state = state.edit(OverlayView, image=chosen, gain_db=0.0)
        state = state.edit(options, on=True) if chosen else state
    reason = disabled or ("" if chosen else "Nothing of this measurement lies over the picture.")
    view = state.get(OverlayView)
    return state.edit(
        OverlayView,
        opacity=slider_float(OPACITY, view.opacity, disabled=reason),
        gain_db=slider_float(GAIN, view.gain_db, disabled=reason),
    )


def headline(label: str, value: str, note: str = "") -> None:
    """The one number that a panel is about."""
    wrapped_text(label)
    with font_scope(1.8):
        imgui.text_unformatted(value)
    if note:
        wrapped_text(note)
