"""Rung G: F with non-critical sampling, f_c = s / 2 - f_h, but for the layers at the highest resolution.

f_h = (sqrt 2 - 1) s / 2 as before. Channels are min(base / 2 / f_c, max), the formula of all rungs: where f_c falls, they grow.

Our choices: the input keeps its band of radius 2 (with f_c as of L0 it would lose more than half of its frequencies); the two
layers at the highest resolution, and ToRGB, stay critically sampled.
"""

from __future__ import annotations

from typing import Any

from networks.configs import f
from networks.spec import GeneratorConfig

LINE = {"num_critical": 2}


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung G at a resolution; `overrides` are fields of `GeneratorConfig`."""
    return f.config(img_resolution, **{**LINE, **overrides})
