"""Rung F: E with filtered nonlinearities, m = 2 around every leaky ReLU.

The filters are critically sampled. An upsampling layer goes up by 4 and down by 2 in one go.
"""

from __future__ import annotations

from typing import Any

from networks.configs import e
from networks.spec import GeneratorConfig

LINE = {"lrelu_upsampling": 2}


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung F at a resolution; `overrides` are fields of `GeneratorConfig`."""
    return e.config(img_resolution, **{**LINE, **overrides})
