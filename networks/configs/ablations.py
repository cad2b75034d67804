"""Variations of a rung that the paper measures (sections 4.1 and 4.2), by name: `ablated(rung("R", 256), "m = 4")`.

Style mixing and path length regularisation are choices of training, not of the generator, and are not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from networks.spec import OCTAVES, ConfigError, GeneratorConfig, octave_layers, read_by


def _capacity(factor: float) -> Callable[[GeneratorConfig], Mapping[str, Any]]:
    """Change the channels of every layer: their base and their maximum."""
    return lambda config: {"channel_base": round(config.channel_base * factor), "channel_max": max(1, round(config.channel_max * factor))}


def _octaves(config: GeneratorConfig) -> Mapping[str, Any]:
    """Flexible layers off: T becomes H, and R becomes H with 1x1 convolutions and radial filters."""
    return {"layer_rule": OCTAVES, "num_layers": octave_layers(config.img_resolution)}


def _p4(config: GeneratorConfig) -> Mapping[str, Any]:
    """Half the features, each in four orientations: about the parameters of the same rung without the symmetry."""
    return {"symmetry": "p4", **_capacity(0.5)(config)}


ABLATIONS: dict[str, Callable[[GeneratorConfig], Mapping[str, Any]]] = {
    "n = 4": lambda _: {"filter_size": 4},
    "n = 8": lambda _: {"filter_size": 8},
    "m = 1": lambda _: {"lrelu_upsampling": 1},
    "m = 4": lambda _: {"lrelu_upsampling": 4},
    "f_t0 = 2^1.5": lambda _: {"first_stopband": 2**1.5},
    "f_t0 = 2^3.1": lambda _: {"first_stopband": 2**3.1},
    "lanczos": lambda _: {"window": "lanczos"},
    "gaussian": lambda _: {"window": "gaussian"},
    "noise inputs": lambda _: {"use_noise": True},
    "fixed fourier features": lambda _: {"learns_pose": False},
    "no flexible layers": _octaves,
    "half capacity": _capacity(0.5),
    "double capacity": _capacity(2),
    "p4": _p4,
}


def ablated(config: GeneratorConfig, *names: str) -> GeneratorConfig:
    """The configuration with these ablations, in order.

    Raises ConfigError for an unknown name, and for one that would change nothing in this generator.
    """
    for name in names:
        if name not in ABLATIONS:
            raise ConfigError(f"there is no ablation {name!r}; there are {', '.join(ABLATIONS)}")
        found = replace(config, **ABLATIONS[name](config))
        changed = {field.name for field in fields(config) if getattr(found, field.name) != getattr(config, field.name)}
        if not _has_effect(config, changed):
            raise ConfigError(f"ablation {name!r} changes nothing on rung {config.rung}")
        config = found
    return config


def _has_effect(config: GeneratorConfig, changed: set[str]) -> bool:
    """Whether the generator reads all that changed. By the octave rule stopbands do not depend on f_t0."""
    unread = {"first_stopband"} if config.layer_rule == OCTAVES else set()
    return bool(changed) and changed <= set(read_by(config.family)) - unread
