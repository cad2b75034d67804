"""Whether two views show one scene. Where they do not, their distance says only that they are different pictures, and is greyed. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from viz.compare.compare import other_view
from viz.request import NetworkFacts
from viz.state import Latent, LatentPath, OwnLatent, Pose, Tap, Unwarp, ViewState

LATENTS, POSES, LAYERS, NETWORKS = "different latents", "different poses", "different layers", "different networks"
SENTENCES = {
    LATENTS: "The two views show different latents, so they draw different pictures: their distance says no more than that.",
    POSES: "The two views are posed differently, so their distance is that of the motion. Untransform (U) undoes both.",
    LAYERS: "The two views show different layers, which cannot be compared sample by sample.",
    NETWORKS: "These networks were trained apart: in each, the same latent is another picture, and a channel another feature. "
    "Their distance says no more than that. What each measures by itself (equivariance, sticking, flow) can be compared.",
}  # fmt: skip


def apart(view: ViewState, number: int, first: NetworkFacts, other: NetworkFacts) -> str:
    """Why the first view and that of this number do not show one scene: a key of SENTENCES; "" where they do."""
    second = other_view(view, number)
    if any(view.get(kind) != second.get(kind) for kind in (Latent, LatentPath, OwnLatent)):
        return LATENTS
    if view.get(Pose) != second.get(Pose) and not view.get(Unwarp).on:
        return POSES
    layers = view.get(Tap).layer, second.get(Tap).layer
    if (first.sha256 or first.ref) == (other.sha256 or other.ref) or _of_one_run(first, other):
        return LAYERS if layers[0] != layers[1] else ""
    images = all(facts.tap_name(layer) == facts.taps[-1].name for facts, layer in zip((first, other), layers, strict=True))
    return "" if images and _fitted_alike(first, other) else NETWORKS


def _of_one_run(first: NetworkFacts, other: NetworkFacts) -> bool:
    """Snapshots of one training, or a file and what it was converted from: their latents and channels mean the same."""
    options = training_of(first.metadata).get("options")
    converted = first.sha256 == other.metadata.get("origin_sha256") or other.sha256 == first.metadata.get("origin_sha256")
    return converted or (bool(options) and options == training_of(other.metadata).get("options"))


def _fitted_alike(first: NetworkFacts, other: NetworkFacts) -> bool:
    """Both were told which picture belongs to which latent, and it was the same one, as with the bundled globes."""
    fitted = all(any(name.startswith("psnr") for name in training_of(facts.metadata)) for facts in (first, other))
    data = {facts.metadata["data"] for facts in (first, other) if facts.metadata.get("data")}
    return fitted and (first.z_dim, first.c_dim) == (other.z_dim, other.c_dim) and len(data) < 2


def training_of(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a network's file says of its training; empty where it says nothing."""
    training = metadata.get("training", {})
    try:
        training = json.loads(training) if isinstance(training, str) else training
    except ValueError:
        return {}
    return training if isinstance(training, Mapping) else {}
