"""Rung H: G with transformed Fourier features: a pose of the input, learned from w.

It starts as the identity. Row 0 of ws is read by the pose, the layers read the rows after it.

Our choice: frequencies that a pose pushes out of the disc of radius 2 vanish at once, since half the sampling rate is 2 too;
a rotation and a translation, all that is learned, push none out.
"""

from __future__ import annotations

from typing import Any

from networks.configs import g
from networks.spec import GeneratorConfig

LINE = {"learns_pose": True}


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung H at a resolution; `overrides` are fields of `GeneratorConfig`."""
    return g.config(img_resolution, **{**LINE, **overrides})
