"""The ladder from StyleGAN2 to the alias-free generator: one file a rung, each giving a `GeneratorConfig`.

Each file states its rung's line of the ladder as a change of the rung before it, and what was chosen where the paper leaves
freedom. `networks.configs.ablations` has the variations that the paper measures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from networks.configs import a, b, c, d, e, f, g, h, r, t
from networks.spec import ConfigError, GeneratorConfig

RUNGS: dict[str, Callable[..., GeneratorConfig]] = {
    module.__name__.rpartition(".")[2].upper(): module.config for module in (a, b, c, d, e, f, g, h, t, r)
}


def rung(name: str, img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """The configuration of rung `name` at a resolution; `overrides` are fields of `GeneratorConfig`."""
    if name.upper() not in RUNGS:
        raise ConfigError(f"there is no rung {name!r}; there are {', '.join(RUNGS)}")
    return RUNGS[name.upper()](img_resolution, **overrides)
