"""Workspaces: which panels stand where, for a purpose. Keys 1 to 6."""

from __future__ import annotations

from dataclasses import dataclass

from viz.panels import Panel

PICTURE = "Picture"


@dataclass(frozen=True)
class Workspace:
    """`front` names the panels that lie on top of their tab stacks; `hidden` those that are left out."""

    name: str
    front: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    right_share: float = 0.24


WORKSPACES: tuple[Workspace, ...] = (
    Workspace("Explore", ("Latent", "Pose", "Layers", "Channels")),
    Workspace("Layers", ("Latent", "Layers", "Channels"), right_share=0.30),
    Workspace("Spectra", ("Latent", "Layers", "Spectrum"), right_share=0.36),
    Workspace("Equivariance", ("Pose", "Layers", "Spectrum")),
    Workspace("Sticking", ("Latent", "Pose", "Channels")),
    Workspace("Compare", ("Network", "Latent", "Layers")),
)


def workspace(number: int) -> Workspace:
    return WORKSPACES[min(max(number, 1), len(WORKSPACES)) - 1]


def shown(panels: tuple[Panel, ...], number: int) -> tuple[Panel, ...]:
    """The panels of a workspace, in drawing order."""
    hidden = workspace(number).hidden
    return tuple(p for p in panels if p.title not in hidden and number in p.workspaces)
