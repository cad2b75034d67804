"""Rung R: T with rotation. 1x1 convolutions, twice the channels, radial downsampling filters.

The critically sampled layers keep separable filters.
"""

from __future__ import annotations

from typing import Any

from networks.configs import t
from networks.spec import GeneratorConfig

LINE = {"conv_kernel": 1, "use_radial_filters": True, "channel_base": 65536, "channel_max": 1024}


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung R at a resolution; `overrides` are fields of `GeneratorConfig`."""
    return t.config(img_resolution, **{**LINE, **overrides})
