"""The ladder from StyleGAN2 to the alias-free generator: one file a rung, each giving a `GeneratorConfig`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from networks.configs import a, r, t
from networks.spec import ConfigError, GeneratorConfig

RUNGS: dict[str, Callable[..., GeneratorConfig]] = {"A": a.config, "T": t.config, "R": r.config}


def rung(name: str, img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """The configuration of rung `name` at a resolution; `overrides` are fields of `GeneratorConfig`."""
    if name.upper() not in RUNGS:
        raise ConfigError(f"there is no rung {name!r}; there are {', '.join(RUNGS)}")
    return RUNGS[name.upper()](img_resolution, **overrides)
