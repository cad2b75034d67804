"""Rung T: the alias-free generator, equivariant to translation. 3x3 convolutions, separable filters, flexible layers."""

from __future__ import annotations

from typing import Any

from networks.spec import GeneratorConfig


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung T at a resolution; `overrides` are fields of `GeneratorConfig`, whose defaults are this rung's."""
    return GeneratorConfig(img_resolution, **overrides)
