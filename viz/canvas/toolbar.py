"""The rows of tools over the canvas: fit, zoom, gain, colours and enlarging; and, while one is shown, those of a measurement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gui_utils import controls
from gui_utils.controls import Field
from gui_utils.libraries import imgui
from gui_utils.scopes import dim_text
from gui_utils.text import number_text
from viz.canvas.drag_points import ON_A_SHEET
from viz.canvas.overlay import offered
from viz.canvas.placement import zoom_to
from viz.canvas.tool_row import Tool, tool_row
from viz.state import Channels, DragPointsView, OverlayView, Tone, View, ViewState

if TYPE_CHECKING:
    from viz.app import App

COLORMAPS = {"gray": "Gray", "viridis": "Viridis", "magma": "Magma", "cividis": "Cividis", "diverging": "Diverging"}
MAGNIFY = {"lanczos": "Lanczos", "bicubic": "Bicubic", "nearest": "Nearest"}

FIT = Field("Fit", id="View.fit", help="Fit the picture (double-click, or 0).")
ONE = Field("1:1", id="View.one", help="One screen pixel per sample of what is shown. Lit while that is exactly so: nothing is resampled.")
GAIN = Field(
    "",
    id="Toolbar.gain_db",
    help="Display gain. Changes what is drawn, not what is computed.",
    unit="dB",
    default=0.0,
    low=-40,
    high=40,
    decimals=1,
)
COLORMAP = Field(
    "",
    id="Toolbar.colormap",
    help="Colours of scalar maps (one channel); pictures of three channels are shown as they are.",
    default="gray",
)
KERNEL = Field(
    "",
    id="View.magnify",
    help="How samples are enlarged. Reduction always uses Lanczos, so that the view itself never aliases.",
    default="lanczos",
)
MARGINS = Field("Margins", id="View.margins", help="Show the margin that a layer computes around the image frame.")
GIZMO = Field("Gizmo", id="View.gizmo", help="Show the handles of the pose: ring = rotate, centre = translate.")
POINTS = Field(
    "Points",
    id="Toolbar.points",
    help="Place drag points: a left-drag on the picture goes from a handle to its target. The panel Drag points, which comes to the front, "
    "moves them.",
)
OVERLAY = Field("", id="Toolbar.overlay", help="Which measurement lies over the picture.", default="")
OVERLAY_OPACITY = Field("", id="Toolbar.opacity", help="Opacity of the measurement: 1 hides the picture below.", default=1.0, decimals=2)
OVERLAY_GAIN = Field(
    "", id="Toolbar.overlay_gain_db", help="Gain of the measurement over the picture.", unit="dB", default=0.0, low=-40, high=80, decimals=1
)
ZOOM = Field("", id="View.zoom")
NO_PICTURE = "There is no picture yet."
NO_GRID = "This network has no input grid to move."
NO_OVERLAY = "Nothing lies over the picture."


def toolbar(state: ViewState, app: App) -> ViewState:
    """What is always there."""
    percent = zoom_percent(app)
    return tool_row(
        state,
        "view",
        (
            Tool(FIT, lambda field, s: _fit(field, s, app)),
            Tool(ONE, lambda field, s: _one_to_one(field, s, app)),
            Tool(ZOOM, lambda field, s: _say(percent, s), text=percent),
            Tool(GAIN, _gain, 7, label="Gain"),
            Tool(COLORMAP, lambda field, s: _colormap(field, s, app), 6.5, label="Colours"),
            Tool(KERNEL, _magnify, 6, label="Enlarging"),
            Tool(MARGINS, lambda field, s: s.edit(View, margins=controls.toggle(field, s.get(View).margins))),
            Tool(GIZMO, lambda field, s: _gizmo(field, s, app)),
            Tool(POINTS, lambda field, s: _points(field, s, app)),
        ),
    )


def zoom_percent(app: App) -> str:
    """Screen pixels for a sample, in a text of constant width."""
    placement, content = app.canvas.placement, app.canvas.content
    percent = 100 * placement.pixels_per_sample(content) if placement and content else None
    return f"{number_text(percent, '%', 0):>7}"


def _say(text: str, state: ViewState) -> ViewState:
    imgui.align_text_to_frame_padding()
    dim_text(text)
    return state


def _fit(field: Field, state: ViewState, app: App) -> ViewState:
    missing = "" if app.canvas.placement and app.canvas.content else NO_PICTURE
    return state.edit(View, zoom=0.0, center_x=0.0, center_y=0.0) if controls.button(field, disabled=missing) else state


def _one_to_one(field: Field, state: ViewState, app: App) -> ViewState:
    placement, content = app.canvas.placement, app.canvas.content
    exact = placement is not None and content is not None and placement.exact(content)
    clicked = controls.toggle(field, exact, disabled="" if placement and content else NO_PICTURE) != exact
    if clicked and placement and content and app.good and app.good.network:
        return state.put(zoom_to(state.get(View), placement, content.sampling_rate / app.good.network.resolution))
    return state


def _gain(field: Field, state: ViewState) -> ViewState:
    return state.edit(Tone, gain_db=controls.slider_float(field, state.get(Tone).gain_db))


def _colormap(field: Field, state: ViewState, app: App) -> ViewState:
    chosen = controls.combo(field, state.get(Tone).colormap, COLORMAPS, disabled=_scalar_only(state, app))
    return state.edit(Tone, colormap=chosen)


def _magnify(field: Field, state: ViewState) -> ViewState:
    return state.edit(View, magnify=controls.combo(field, state.get(View).magnify, MAGNIFY))


def _gizmo(field: Field, state: ViewState, app: App) -> ViewState:
    no_pose = "" if app.good is None or app.good.network is None or app.good.network.has_pose else NO_GRID
    return state.edit(View, gizmo=controls.toggle(field, state.get(View).gizmo, disabled=no_pose))


def _points(field: Field, state: ViewState, app: App) -> ViewState:
    """Placing begins with the panel in front: it has the way on."""
    reason = ON_A_SHEET if state.get(Channels).mode == "sheet" else ""
    before = state.get(DragPointsView).place
    place = controls.toggle(field, before, disabled=reason)
    if place and not before:
        app.show_panel("Drag points")
    return state.edit(DragPointsView, place=place)


def _scalar_only(state: ViewState, app: App) -> str:
    shown = app.good.picture.shape[2] if app.good and app.good.picture else 3
    if shown == 1 or state.get(Channels).mode in ("single", "sheet"):
        return ""
    return "Three channels are shown as red, green and blue; choose one channel, or the contact sheet, for a colormap."


# ------------------------------------------------------------------------------------------------ a measurement


def overlay_bar(state: ViewState, app: App) -> ViewState:
    """A second row while something is measured that can lie over the picture."""
    images, view = offered(app.good), state.get(OverlayView)
    if not images and not view.image:
        return state
    names = {
        "": "no overlay",
        **({view.image: f"{view.image} (not measured)"} if view.image else {}),
        **{name: image.label for name, image in images.items()},
    }
    tools = (
        Tool(OVERLAY, lambda field, s: _overlay(field, s, names), 13, label="Overlay"),
        Tool(OVERLAY_OPACITY, _opacity, 8, label="Opacity"),
        Tool(OVERLAY_GAIN, _overlay_gain, 7, label="Gain"),
    )
    return tool_row(state, "overlay", tools)


def _overlay(field: Field, state: ViewState, names: dict[str, str]) -> ViewState:
    view = state.get(OverlayView)
    chosen = controls.combo(field, view.image, names)
    return state if chosen == view.image else state.put(replace(view, image=chosen, gain_db=0.0))


def _opacity(field: Field, state: ViewState) -> ViewState:
    view = state.get(OverlayView)
    return state.edit(OverlayView, opacity=controls.slider_float(field, view.opacity, disabled="" if view.image else NO_OVERLAY))


def _overlay_gain(field: Field, state: ViewState) -> ViewState:
    view = state.get(OverlayView)
    return state.edit(OverlayView, gain_db=controls.slider_float(field, view.gain_db, disabled="" if view.image else NO_OVERLAY))
