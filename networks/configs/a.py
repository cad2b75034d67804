"""Rung A: StyleGAN2. A learned 4x4 constant, noise inputs, skip outputs, a mapping network of depth 8."""

from __future__ import annotations

from typing import Any

from networks.spec import STYLEGAN2, GeneratorConfig, MappingConfig


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """StyleGAN2 at a resolution; `overrides` are fields of `GeneratorConfig`."""
    defaults = {"family": STYLEGAN2, "mapping": MappingConfig(num_layers=8), "use_noise": True}
    return GeneratorConfig(img_resolution, **{**defaults, **overrides})
