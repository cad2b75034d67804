"""Two views side by side: how the second follows from the first, what the two cannot share, and ready-made pairs. Pure; no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from viz.compare_groups import MODES, Compare, CompareView
from viz.request import NetworkFacts
from viz.state import ANALYSES, BreakIt, Latent, LatentPath, Noise, OwnLatent, Pose, Source, Tap, Truncation, ViewState

if TYPE_CHECKING:
    from networks.loading.catalogue import CatalogueEntry

MODE_NAMES = {"side": "Side by side", "wipe": "Wipe", "flip": "Flip", "difference": "Difference"}


def second_view(view: ViewState) -> ViewState:
    """The view beside: the first one with what the comparison gives it for itself. Measurements belong to the first alone."""
    own = view.get(Compare)
    second = view.reset(Compare, CompareView, *ANALYSES)
    if own.network:
        second = second.put(Source(network=own.network, sha256=own.sha256))
    if own.own_latent:
        second = second.reset(LatentPath, OwnLatent).edit(Latent, x=own.x, y=own.y)
    if own.own_truncation:
        second = second.put(Truncation(psi=own.psi, cutoff=own.cutoff))
    if own.own_noise:
        second = second.put(Noise(mode=own.noise, seed=own.noise_seed))
    if own.own_pose:
        second = second.edit(Pose, x=own.pose_x, y=own.pose_y, turns=own.turns)
    if own.intact:
        second = second.reset(BreakIt)
    return second.put(Tap(layer=own.layer)) if own.own_layer else second


def at_same_layer(second: ViewState, first: NetworkFacts, other: NetworkFacts, own: Compare) -> ViewState:
    """The second view at the first one's layer, as `same_layer` finds it."""
    return second if own.own_layer else second.put(Tap(layer=same_layer(second.get(Tap).layer, first, other)))


def same_layer(name: str, first: NetworkFacts, other: NetworkFacts) -> str:
    """The layer of the other network that stands where `name` stands in the first; "" is the finished image.

    That of the same name; else, among those of the same sampling rate (or all, if there are none), the one as far along.
    """
    names, there = ([tap.name for tap in facts.taps] for facts in (first, other))
    if name not in names or name == names[-1]:
        return ""
    if name in there:
        return name
    tap = first.taps[names.index(name)]
    inner = [t.name for t in other.taps[:-1] if t.channels > 3] or there[:-1]
    alike = [t.name for t in other.taps[:-1] if t.name in inner and t.sampling_rate == tap.sampling_rate] or inner
    run = [t.name for t in first.taps[:-1] if alike is inner or t.sampling_rate == tap.sampling_rate]
    return alike[round(run.index(name) / max(1, len(run) - 1) * (len(alike) - 1))]


def not_shared(view: ViewState, first: NetworkFacts, other: NetworkFacts) -> tuple[str, ...]:
    """What the two views have in common on paper only, in sentences."""
    own, notes = view.get(Compare), []
    if first.z_dim != other.z_dim and not own.own_latent:
        notes.append(f"Latent: z has {first.z_dim} numbers here and {other.z_dim} there; a seed means another point.")
    if first.c_dim != other.c_dim:
        notes.append(f"Classes: {first.c_dim or 'none'} here, {other.c_dim or 'none'} there.")
    if first.has_pose != other.has_pose and view.get(Pose) != Pose():
        missing = "the second" if first.has_pose else "the first"
        notes.append(f"Pose: {missing} network has no input grid to move.")
    if first.has_noise != other.has_noise and view.get(Noise) != Noise():
        missing = "the second" if first.has_noise else "the first"
        notes.append(f"Noise: {missing} network has no noise inputs.")
    layer = view.get(Tap).layer
    if not own.own_layer and layer and layer not in {tap.name for tap in other.taps}:
        notes.append(f"Layer: {layer} is not in the second network; {same_layer(layer, first, other) or 'its image'} is as far along.")
    return tuple(notes)


def next_mode(view: ViewState) -> ViewState:
    """The next way of laying the two out."""
    at = MODES.index(view.get(CompareView).mode)
    return view.edit(CompareView, mode=MODES[(at + 1) % len(MODES)], second=False)


def swapped(view: ViewState, first: NetworkFacts | None, other: NetworkFacts | None) -> ViewState:
    """First and second change places, with all that is their own."""
    own, second = view.get(Compare), second_view(view)
    changes: dict[str, Any] = {}
    if own.network:
        source = view.get(Source)
        changes.update(network=source.network, sha256=source.sha256)
    if own.own_latent:
        changes.update(x=view.get(Latent).x, y=view.get(Latent).y)
    if own.own_truncation:
        changes.update(psi=view.get(Truncation).psi, cutoff=view.get(Truncation).cutoff)
    if own.own_noise:
        changes.update(noise=view.get(Noise).mode, noise_seed=view.get(Noise).seed)
    if own.own_pose:
        changes.update(pose_x=view.get(Pose).x, pose_y=view.get(Pose).y, turns=view.get(Pose).turns)
    if own.own_layer:
        changes.update(layer=view.get(Tap).layer)
    elif first is not None and other is not None:
        second = at_same_layer(second, first, other, own)
    kept = (Source, Latent, LatentPath, OwnLatent, Truncation, Noise, Pose, Tap)
    for kind in kept:
        view = view.put(second.get(kind))
    return view.put(replace(own, **changes))


def stylegan2_beside_r(catalogue: Iterable[CatalogueEntry]) -> tuple[str, str] | None:
    """(R, StyleGAN2) among the bundled networks, of the same data and size; the smallest rung (B before A) counts as StyleGAN2."""
    found: dict[str, dict[str, str]] = {}
    for entry in catalogue:
        config = entry.config.lower()
        if entry.kind == "bundled" and config in ("r", "a", "b") and re.search(rf"-{config}-", entry.name):
            found.setdefault(re.sub(rf"-{config}-", "-*-", entry.name, count=1), {})[config] = entry.name
    for group in found.values():
        other = group.get("b") or group.get("a")
        if "r" in group and other:
            return group["r"], other
    return None
