"""Up to four views side by side: how each follows from the first, and what they cannot share. Pure; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from viz.groups.compare import MODES, NAMES, OTHERS, OWN_BREAKS, Compare, CompareView, OwnValues
from viz.request import NetworkFacts
from viz.state import (
    ANALYSES,
    BreakIt,
    Directions,
    EditActivations,
    Latent,
    LatentPath,
    Noise,
    OwnLatent,
    Pose,
    Source,
    Tap,
    Truncation,
    ViewState,
)

MODE_NAMES = {"side": "Side by side", "wipe": "Wipe", "flip": "Flip", "difference": "Difference"}
OF_ONE = (*OTHERS.values(), *OWN_BREAKS.values(), CompareView, *(kind for kind in ANALYSES if kind is not BreakIt))  # not shared
SWITCHES = ("own_latent", "own_truncation", "own_noise", "own_pose", "own_layer", "own_edits")


def compared(view: ViewState) -> bool:
    return view.get(Compare).on


def others(view: ViewState) -> tuple[int, ...]:
    """The numbers (2 to 4) of the views beside the first; none while nothing is compared."""
    return tuple(number for number, kind in OTHERS.items() if view.get(kind).on) if compared(view) else ()


def own_values(view: ViewState, number: int) -> OwnValues:
    """What the view of this number (2 to 4) has for itself."""
    return view.get(OTHERS[number])


def broken_in(view: ViewState, number: int) -> BreakIt:
    """What is broken in the view of this number."""
    own = own_values(view, number)
    if own.own_break:
        return BreakIt(**vars(view.get(OWN_BREAKS[number])))
    return BreakIt() if own.intact else view.get(BreakIt)


def edited_in(view: ViewState, number: int) -> EditActivations:
    """The edits of the view of this number."""
    own = own_values(view, number)
    return EditActivations(own.edits) if own.own_edits else EditActivations() if own.intact else view.get(EditActivations)


def with_own(view: ViewState, number: int, own: OwnValues | Mapping[str, Any], broken: BreakIt | None = None) -> ViewState:
    """The view of this number with these values, `broken` in a way of its own where that is given.

    If that is nothing, it is intact; unless it shares edits of the first, which no intact view does.
    """
    changes = dict(own) if isinstance(own, Mapping) else vars(own)
    view = view.put(OTHERS[number](**changes)).put(OWN_BREAKS[number](**vars(broken or BreakIt())))
    if broken is None:
        return view
    intact = not broken.on and not (edited_in(view, number).edits and not own_values(view, number).own_edits)
    return view.edit(OTHERS[number], own_break=not intact, intact=intact)


def own_break(view: ViewState, number: int) -> BreakIt | None:
    """What is broken in the view of this number, if that is its own."""
    return broken_in(view, number) if own_values(view, number).own_break else None


def chosen(view: ViewState) -> int:
    """Which view wipe, flip and difference act with: the chosen one, or the second where that is not shown."""
    number = view.get(CompareView).other
    return number if number in others(view) else 2


def other_view(view: ViewState, number: int) -> ViewState:
    """A view beside: the first one with what the comparison gives it for itself. Measurements belong to the first alone."""
    own = own_values(view, number)
    second = view.reset(*OF_ONE)
    if own.network:
        first = view.get(Source)
        second = second.put(Source(own.network, own.sha256, first.reload if own.network == first.network else 0))
    if own.own_latent:
        second = second.put(LatentPath(own.seeds, own.position)).put(OwnLatent(own.file, own.space, own.index, own.file_sha256))
        second = second.edit(Latent, x=own.x, y=own.y)
    if own.own_truncation:
        second = second.put(Truncation(psi=own.psi, cutoff=own.cutoff))
    if own.own_noise:
        second = second.put(Noise(mode=own.noise, seed=own.noise_seed))
    if own.own_pose:
        second = second.put(own.posed(second.get(Pose)))
    second = second.put(broken_in(view, number)).put(edited_in(view, number))
    return second.put(Tap(layer=own.layer)) if own.own_layer else second


def of_first(view: ViewState, switch: str) -> dict[str, Any]:
    """The values that follow this switch of `OwnValues`, as the first view has them."""
    if switch == "own_latent":
        at, path, found = view.get(Latent), view.get(LatentPath), view.get(OwnLatent)
        in_file = {"file": found.file, "space": found.space, "index": found.index, "file_sha256": found.sha256}
        return {"x": at.x, "y": at.y, "seeds": path.seeds, "position": path.position, **in_file}
    if switch == "own_truncation":
        return vars(view.get(Truncation))
    if switch == "own_noise":
        return {"noise": view.get(Noise).mode, "noise_seed": view.get(Noise).seed}
    if switch == "own_pose":
        pose = vars(view.get(Pose))
        return {"pose_x": pose["x"], "pose_y": pose["y"], **{k: v for k, v in pose.items() if k not in ("x", "y", "snap")}}
    if switch == "own_edits":
        return {"edits": view.get(EditActivations).edits}
    return {"layer": view.get(Tap).layer} if switch == "own_layer" else {}


def shows_the_same(view: ViewState, number: int) -> bool:
    """Whether a view beside cannot but show what the first shows: the same network, and nothing of its own that differs."""
    second, first = other_view(view, number), view.reset(*OF_ONE)
    return second.put(Source(second.get(Source).network)) == first.put(Source(first.get(Source).network))


def at_same_layer(second: ViewState, first: NetworkFacts, other: NetworkFacts, own: OwnValues) -> ViewState:
    """A view beside at the first one's layer, as `same_layer` finds it."""
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


def not_shared(view: ViewState, first: NetworkFacts, other: NetworkFacts, number: int = 2) -> tuple[str, ...]:
    """What the first view and that of this number have in common on paper only, in sentences."""
    own, notes, which = own_values(view, number), [], f"the {NAMES[number].lower()}"
    if first.z_dim != other.z_dim and not own.own_latent:
        notes.append(f"Latent: z has {first.z_dim} numbers here and {other.z_dim} there; a seed means another point.")
    if first.c_dim != other.c_dim:
        notes.append(f"Classes: {first.c_dim or 'none'} here, {other.c_dim or 'none'} there.")
    if not first.same_weights(other) and any(not edit.own for edit in view.get(Directions).acting):
        notes.append("Directions: each network has principal components of its own.")
    if first.has_pose != other.has_pose and view.get(Pose) != Pose():
        missing = which if first.has_pose else "the first"
        notes.append(f"Pose: {missing} network has no input grid to move.")
    if first.has_noise != other.has_noise and view.get(Noise) != Noise():
        missing = which if first.has_noise else "the first"
        notes.append(f"Noise: {missing} network has no noise inputs.")
    if view.get(EditActivations).missing(other.taps) and edited_in(view, number) == view.get(EditActivations):
        notes.append(f"Edits: {which} network does not have all of their layers and channels.")
    layer = view.get(Tap).layer
    if not own.own_layer and layer and layer not in {tap.name for tap in other.taps}:
        notes.append(f"Layer: {layer} is not in {which} network; {same_layer(layer, first, other) or 'its image'} is as far along.")
    return tuple(notes)


def next_mode(view: ViewState) -> ViewState:
    """The next way of laying them out."""
    at = MODES.index(view.get(CompareView).mode)
    return view.edit(CompareView, mode=MODES[(at + 1) % len(MODES)], second=False)


def next_other(view: ViewState) -> ViewState:
    """The next view that wipe, flip and difference act with."""
    shown = others(view)
    return view.edit(CompareView, other=shown[(shown.index(chosen(view)) + 1) % len(shown)]) if shown else view


def with_another(view: ViewState) -> ViewState:
    """With one more view, a copy of the last one, which is then the chosen one; the same where there are four."""
    free = next((number for number, kind in OTHERS.items() if not view.get(kind).on), None) if compared(view) else None
    if free is None:
        return view
    last = others(view)[-1]
    return with_own(view, free, own_values(view, last), own_break(view, last)).edit(CompareView, other=free)


def without(view: ViewState, number: int) -> ViewState:
    """Without this view; those behind it move up. Without the last one nothing is compared."""
    left = [(own_values(view, n), own_break(view, n)) for n in others(view) if n != number]
    view = view.reset(*OTHERS.values(), *OWN_BREAKS.values())
    for n, (own, broken) in zip(OTHERS, left, strict=False):
        view = with_own(view, n, own, broken)
    shown = view.get(CompareView)
    return view.edit(CompareView, other=min(max(2, shown.other - (shown.other > number)), 1 + max(1, len(left))))


def swapped(view: ViewState, first: NetworkFacts | None, other: NetworkFacts | None, number: int = 2) -> ViewState:
    """The first view and that of this number change places, with all that is their own."""
    own, second = own_values(view, number), other_view(view, number)
    changes: dict[str, Any] = {}
    if own.network:
        source = view.get(Source)
        changes.update(network=source.network, sha256=source.sha256)
    for switch in SWITCHES:
        if getattr(own, switch):
            changes.update(of_first(view, switch))
    edited_alone = own.intact and not own.own_edits and bool(view.get(EditActivations).edits)
    if edited_alone:
        changes.update(own_edits=True, intact=False, **of_first(view, "own_edits"))
    if not own.own_layer and first is not None and other is not None:
        second = at_same_layer(second, first, other, own)
    kept = (Source, Latent, LatentPath, OwnLatent, Truncation, Noise, Pose, Tap, BreakIt, EditActivations)
    broken = view.get(BreakIt)
    broken = broken if own.own_break or (own.intact and (broken.on or not edited_alone)) else None
    for kind in kept:
        view = view.put(second.get(kind))
    return with_own(view, number, replace(own, **changes), broken)
