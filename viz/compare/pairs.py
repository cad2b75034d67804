"""Who is worth seeing beside whom: ready-made comparisons, and what a comparison begins with. Pure; no torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from viz.compare.compare import compared, other_view, others, shows_the_same, with_another, with_own
from viz.errors import CommandError
from viz.groups.compare import OTHERS, OWN_BREAKS, Compare, CompareView
from viz.groups.groups import DEFAULT_NETWORK
from viz.groups.layer import BreakIt
from viz.state import EditActivations, Latent, Pose, Source, Truncation, ViewState

if TYPE_CHECKING:
    from networks.loading.catalogue import CatalogueEntry

    Catalogue = Iterable[CatalogueEntry]

LADDER = ("b", "t", "r")
PARTNERS = {"r": "b", "t": "b", "b": "r"}  # config -> the one that shows most beside it
NEAREST, NO_OVERSAMPLING = BreakIt(window="nearest"), BreakIt(upsampling=1)
TWICE_THE_RATE, HALF_THE_RATE = BreakIt(rate_octaves=1), BreakIt(rate_octaves=-1)


def families(catalogue: Catalogue) -> tuple[dict[str, str], ...]:
    """Bundled networks of the same data and size that differ in configuration: config -> name, in lower case; A counts as B."""
    found: dict[str, dict[str, str]] = {}
    for entry in catalogue:
        config = entry.config.lower()
        if entry.kind == "bundled" and config in ("r", "t", "a", "b") and re.search(rf"-{config}-", entry.name):
            found.setdefault(re.sub(rf"-{config}-", "-*-", entry.name, count=1), {})[config] = entry.name
    for group in found.values():
        if "a" in group:
            group.setdefault("b", group.pop("a"))
    return tuple(group for group in found.values() if len(group) > 1)


def stylegan2_beside_r(catalogue: Catalogue) -> tuple[str, ...] | None:
    """(R, StyleGAN2) among the bundled networks, of the same data and size."""
    return next(((group["r"], group["b"]) for group in families(catalogue) if {"r", "b"} <= set(group)), None)


def ladder(catalogue: Catalogue) -> tuple[str, ...] | None:
    """(B, T, R) among the bundled networks, of the same data and size."""
    return next((tuple(group[c] for c in LADDER) for group in families(catalogue) if set(LADDER) <= set(group)), None)


def t_beside_r(catalogue: Catalogue) -> tuple[str, ...] | None:
    """(R, T) among the bundled networks, of the same data and size."""
    return next(((group["r"], group["t"]) for group in families(catalogue) if {"r", "t"} <= set(group)), None)


def partner_of(network: str, catalogue: Catalogue) -> str:
    """The bundled network to see beside this one; "" where there is none of the same data.

    The default network has no sibling of its own training, but the trio saw the same planet under the same latents.
    """
    groups = families(catalogue)
    for group in groups:
        config = next((c for c, name in group.items() if name == network), "")
        if config:
            return group.get(PARTNERS[config], "")
    return next((g["b"] for g in groups if "b" in g), "") if network == DEFAULT_NETWORK else ""


def with_views(view: ViewState, *own: Mapping[str, Any] | BreakIt) -> ViewState:
    """Beside the first, views that have these values for themselves, or are broken in this way, and nothing else."""
    view = view.reset(*OTHERS.values(), *OWN_BREAKS.values()).edit(CompareView, other=2)
    for number, values in zip(OTHERS, own, strict=False):
        broken = values if isinstance(values, BreakIt) else None
        view = with_own(view, number, {"on": True} if isinstance(values, BreakIt) else {"on": True, **values}, broken)
    return view


def with_networks_beside(view: ViewState, names: Sequence[str]) -> ViewState:
    """The view with these networks beside it. Raises CommandError where there are too many."""
    if len(names) > len(OTHERS):
        raise CommandError(f"--compare is given {len(names)} times; at most {len(OTHERS)} views stand beside the first")
    return with_views(view, *({"network": name} for name in names))


def with_networks(view: ViewState, names: Iterable[str]) -> ViewState:
    """The first of these networks with the others beside it."""
    first, *beside = names
    return with_views(view.put(Source(network=first)), *({"network": name} for name in beside))


def toggled(view: ViewState, catalogue: Catalogue) -> ViewState:
    """Comparing, or not. What would show the same picture twice begins with a natural partner, if there is one."""
    if compared(view):
        return view.edit(Compare, on=False)
    view = view.edit(Compare, on=True)
    if len(others(view)) > 1 or not shows_the_same(view, 2):
        return view
    if view.get(BreakIt).on or view.get(EditActivations).acting:
        return view.edit(Compare, intact=True)  # what is broken or edited, beside the network as it is
    return view.edit(Compare, network=partner_of(view.get(Source).network, catalogue), sha256="")


def with_next(view: ViewState, catalogue: Catalogue) -> ViewState:
    """One more view: the sibling that is not shown yet, else a copy of the last view, to be changed."""
    number = len(others(view)) + 2
    more = with_another(view)
    if more is view or number not in OTHERS:
        return view
    shown = {view.get(Source).network, *(other_view(view, n).get(Source).network for n in others(view))}
    group = next((g for g in families(catalogue) if len(shown & set(g.values())) > 1 or view.get(Source).network in g.values()), {})
    missing = next((name for name in group.values() if name not in shown), "")
    return with_own(more, number, {"on": True, "network": missing}) if missing else more


@dataclass(frozen=True)
class Choice:
    """One click: `apply` gives the view its comparison, None where that cannot be (`missing` says why)."""

    id: str
    label: str
    help: str
    apply: Callable[[ViewState, Catalogue], ViewState | None]
    missing: str = ""


def _networks(find: Callable[[Catalogue], tuple[str, ...] | None]) -> Callable[[ViewState, Catalogue], ViewState | None]:
    def apply(view: ViewState, catalogue: Catalogue) -> ViewState | None:
        names = find(catalogue)
        return with_networks(view, names) if names else None

    return apply


def _beside(*own: Mapping[str, Any]) -> Callable[[ViewState, Catalogue], ViewState]:
    return lambda view, catalogue: with_views(view, *own)


def _broken_beside_plain(view: ViewState, catalogue: Catalogue) -> ViewState:
    return with_views(view.put(BreakIt()), NEAREST, NO_OVERSAMPLING)


def _other_rates(view: ViewState, catalogue: Catalogue) -> ViewState:
    return with_views(view.put(BreakIt()), TWICE_THE_RATE, HALF_THE_RATE)


def _twice_the_rate(view: ViewState, catalogue: Catalogue) -> ViewState | None:
    """R, R at twice the rate, T, T at twice the rate."""
    names = t_beside_r(catalogue)
    if names is None:
        return None
    view = with_views(view.put(BreakIt()).put(Source(network=names[0])), TWICE_THE_RATE, {"network": names[1]})
    return with_own(view, 4, {"on": True, "network": names[1]}, TWICE_THE_RATE)


def _next_seed(view: ViewState, catalogue: Catalogue) -> ViewState:
    at = view.get(Latent)
    return with_views(view, {"own_latent": True, "x": float(round(at.x) + 1), "y": float(round(at.y))})


def _unmoved(view: ViewState, catalogue: Catalogue) -> ViewState | None:
    pose = view.get(Pose)
    return with_views(view, {"own_pose": True}) if pose.moved else None


def _truncated(view: ViewState, catalogue: Catalogue) -> ViewState:
    psi = view.get(Truncation).psi
    return with_views(view, {"own_truncation": True, "psi": 0.5 if psi != 0.5 else 1.0, "cutoff": view.get(Truncation).cutoff})


PRESETS: tuple[Choice, ...] = (
    Choice("pair", "StyleGAN2 beside R", "Config R, and beside it StyleGAN2 trained on the same data (rung B: with Fourier features, so "
           "that it can be moved).", _networks(stylegan2_beside_r), "No StyleGAN2 network of the same data is bundled."),
    Choice("ladder", "A ladder: B, T, R", "Three rungs of the same data: StyleGAN2 with Fourier features, then T, then R. Move them: from "
           "rung to rung, less sticks to the pixels.", _networks(ladder), "No three rungs of the same data are bundled."),
    Choice("filters", "Plain, broken filters", "This network as it is, with nearest-neighbour filters, and without oversampling "
           "around its nonlinearities (as in the panel Break it).", _broken_beside_plain),
    Choice("rates", "Plain, other rates", "This network as it is, with twice the samples in every layer, and with half in the fast ones "
           "(Sampling rate in the panel Break it).", _other_rates),
    Choice("continuous", "R and T, twice the rate", "R, R with twice the samples in every layer, then T, likewise. R computes with "
           "continuous signals and draws the same picture; T's 3 × 3 kernels count samples.", _twice_the_rate,
           "No R and T of the same data are bundled."),
)  # fmt: skip
SAME_NETWORK: tuple[Choice, ...] = (
    Choice("seed", "Next seed", "The same network at the next seed.", _next_seed),
    Choice("unmoved", "Not moved", "The same network, neither moved nor turned.", _unmoved, "Nothing is moved."),
    Choice("truncated", "Other truncation", "The same network under another truncation.", _truncated),
)
