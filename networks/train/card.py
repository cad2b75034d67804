"""The model card inside each snapshot: what it was trained on, for how long, by what, and how well it does."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import torch

from networks.generator import Generator

from .options import Options


def model_card(options: Options, network: Generator, progress: dict[str, Any], translation_limit: float | None) -> dict[str, Any]:
    """Metadata for `save_safetensors`. `progress` holds images and steps, seconds and figures."""
    name = f"rung {options.config.upper()}" + (f" ({options.ablations})" if options.ablations else "")
    if options.supervised:
        how = "fitted by regression on rendered globes (no GAN): z decides yaw, tilt, light, radius and centre"
    else:
        how = f"trained against a {options.discriminator} discriminator on {options.data_name}"
    parameters = sum(p.numel() for p in network.parameters())
    card: dict[str, Any] = {
        "description": f"{name} at {options.resolution} pixels, {how}.",
        "data": str(options.data_name),
        "licence": options.licence,
        "training": {**progress, "parameters": parameters, "torch": torch.__version__, "options": public(options)},
    }
    if translation_limit is not None:
        card["translation_limit"] = translation_limit
    return card


def public(options: Options) -> dict[str, Any]:
    """The options without the paths of the machine, and without numbers that JSON does not have."""
    values = asdict(options)
    for name in ("data", "out", "frechet"):
        values[name] = str(values[name]).rstrip("/").rpartition("/")[2]
    return {name: value for name, value in values.items() if not (isinstance(value, float) and not math.isfinite(value))}
