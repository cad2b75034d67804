"""Rung R: the alias-free generator, equivariant to translation and rotation.

1x1 convolutions, twice the channels of T, and radial downsampling filters in all but the critically sampled layers.
"""

from __future__ import annotations

from typing import Any

from networks.spec import GeneratorConfig


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung R at a resolution; `overrides` are fields of `GeneratorConfig`."""
    defaults = {"conv_kernel": 1, "use_radial_filters": True, "channel_base": 65536, "channel_max": 1024}
    return GeneratorConfig(img_resolution, **{**defaults, **overrides})
