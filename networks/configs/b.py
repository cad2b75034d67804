"""Rung B: A with Fourier features in the place of the learned constant.

Our choices: 4 x 4 samples at a rate of 4 without a margin, as many features as the constant had channels; frequencies
uniform in the disc of radius 2 and phases uniform, both drawn once and fixed; a learned mixing of the channels. The
frequencies move with the user's pose, so the network can be posed from here on; nothing of the pose is learned before H.
"""

from __future__ import annotations

from typing import Any

from networks.configs import a
from networks.spec import GeneratorConfig

LINE = {"fourier_input": True}


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung B at a resolution; `overrides` are fields of `GeneratorConfig`."""
    return a.config(img_resolution, **{**LINE, **overrides})
