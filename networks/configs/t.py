"""Rung T: H with flexible layers. The alias-free generator, equivariant to translation: 3x3 convolutions, separable filters.

Cutoffs and stopbands grow geometrically over N = 14 layers, whatever the resolution (paper, section 3.2).
"""

from __future__ import annotations

from typing import Any

from networks.configs import h
from networks.spec import FLEXIBLE, GeneratorConfig

LINE = {"layer_rule": FLEXIBLE, "num_layers": 14}


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung T at a resolution; `overrides` are fields of `GeneratorConfig`, whose defaults are this rung's."""
    return h.config(img_resolution, **{**LINE, **overrides})
