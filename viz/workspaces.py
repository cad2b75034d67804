"""Workspaces: which panels stand where, for a purpose. Keys 1 to 6. Each remembers what the user moved in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gui_utils.layout import Arrangement
from viz.panels import Panel
from viz.state import Equivariance, Spectrum, ViewState

PICTURE = "Picture"


@dataclass(frozen=True)
class Workspace:
    """`places`: panel title -> region, in tab order; panels left out stand in their own region, behind these.

    `purpose`: a sentence for newcomers.
    """

    name: str
    purpose: str
    places: dict[str, str] = field(default_factory=dict)
    left_em: float = 21.0
    right_em: float = 25.0
    lower: float = 0.5
    right_lower: float | None = None  # at the right, where that differs
    measures: type | None = None  # switched on by choosing the workspace: what costs a picture at most

    def arrangement(self, panels: tuple[Panel, ...], number: int) -> Arrangement:
        """Where the panels stand that belong to this workspace, which has this number."""
        rest = sorted((p for p in panels if p.title not in self.places and number in p.workspaces), key=lambda p: p.order)
        others = {p.title: BEHIND.get(p.region, p.region) for p in rest}
        known = {p.title for p in panels}
        windows = {PICTURE: "centre", **{t: r for t, r in self.places.items() if t in known}, **others}
        widths = (self.left_em, self.right_em)
        return Arrangement(self.name, windows, *widths, lower=self.lower, right_lower=self.right_lower)


LATENT_POSE, LAYERS_CHANNELS = 0.532, 0.552  # of the height for the lower panel: all four fit into a window of 1600x900
BEHIND = {"left": "left.lower", "right": "right.lower", "bottom": "right.lower"}

WORKSPACES: tuple[Workspace, ...] = (
    Workspace(
        "Explore",
        "Walk through latents; move and turn the picture.",
        {
            "Latent": "left",
            "Style mix": "left",
            "Directions": "left",
            "Network": "left",
            "Pose": "left.lower",
            "Truncation": "left.lower",
            "Layers": "right",
            "Channels": "right.lower",
        },
        lower=LATENT_POSE,
        right_lower=LAYERS_CHANNELS,
    ),
    Workspace(
        "Layers",
        "What each layer holds, and what it does when it is broken.",
        {
            "Latent": "left",
            "Pose": "left.lower",
            "Filmstrip": "bottom",
            "Profile": "bottom",
            "Channel effect": "bottom",
            "Layers": "right",
            "Filters": "right",
            "Fourier input": "right",
            "Layer health": "right",
            "Nonlinearity": "right",
            "Channels": "right.lower",
            "Break it": "right.lower",
            "Edits": "right.lower",
        },
        right_em=32.0,
        lower=LATENT_POSE,
        right_lower=LAYERS_CHANNELS,
    ),
    Workspace(
        "Spectra",
        "Which frequencies pictures, layers and filters have.",
        {
            "Latent": "left",
            "Pose": "left.lower",
            "Spectrum": "right",
            "Average spectrum": "right",
            "Nonlinearity": "right",
            "Filters": "right",
            "Layers": "right.lower",
            "Out of band": "right.lower",
        },
        right_em=36.0,
        lower=0.32,
        measures=Spectrum,
    ),
    Workspace(
        "Equivariance",
        "How well the network follows its pose, in numbers.",
        {
            "Pose": "left",
            "Latent": "left.lower",
            "By layer": "bottom",
            "Sweep": "bottom",
            "Band": "bottom",
            "Equivariance": "right",
            "Metrics": "right",
            "Flicker": "right",
            "Flow": "right",
            "Fourier input": "right",
            "Layers": "right.lower",
        },
        right_em=30.0,
        lower=0.35,
        measures=Equivariance,
    ),
    Workspace(
        "Sticking",
        "Whether detail moves along, or sticks to the pixels.",
        {
            "Latent": "left",
            "Truncation": "left.lower",
            "Pose": "left.lower",
            "Slice": "bottom",
            "Profile": "bottom",
            "Sticking": "right",
            "Flow": "right",
            "Timeline": "right.lower",
        },
        right_em=27.0,
        lower=0.3,
    ),
    Workspace(
        "Compare",
        "Up to four views, linked: networks, seeds, broken filters.",
        {"Compare": "left", "Network": "left", "Latent": "left.lower", "Pose": "left.lower", "Layers": "right", "Channels": "right.lower"},
        lower=0.36,
    ),
)


@dataclass(frozen=True)
class Lent:
    """What the workspace of this number has switched on, until another is chosen. What was switched off there by hand stays off."""

    number: int = 0
    kind: type | None = None
    declined: frozenset[type] = frozenset()

    def on(self, state: ViewState) -> type | None:
        """What it has switched on, unless that was switched off by hand."""
        return self.kind if self.kind is not None and state.get(self.kind).on else None

    def kept(self, before: ViewState, after: ViewState) -> ViewState:
        """`after` with what it had switched on in `before`: whoever made it knows nothing of workspaces."""
        kind = self.on(before)
        return after if kind is None else after.edit(kind, on=True)

    def taken_back(self, state: ViewState) -> tuple[ViewState, Lent]:
        """A view in which no workspace measures."""
        return (state if self.kind is None else state.edit(self.kind, on=False)), Lent(declined=self.declined)

    def moved(self, state: ViewState, here: int, there: int) -> tuple[ViewState, Lent]:
        """From one workspace to another."""
        if here == there:
            return state, self
        declined = self.declined
        if self.kind is not None and self.number == here:
            declined = declined if state.get(self.kind).on else declined | {self.kind}
            state = state.edit(self.kind, on=False)
        kind = workspace(there).measures
        if kind is None or kind in declined or state.get(kind).on:
            return state, Lent(declined=declined)
        return state.edit(kind, on=True), Lent(there, kind, declined)


def with_panel(title: str, arrangements: Sequence[Arrangement], here: int) -> int:
    """The number of a workspace that has this panel: the one on screen, else the first."""
    has = [number for number, arrangement in enumerate(arrangements, start=1) if title in arrangement.windows]
    return here if here in has or not has else has[0]


def workspace(number: int) -> Workspace:
    return WORKSPACES[min(max(number, 1), len(WORKSPACES)) - 1]
