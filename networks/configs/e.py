"""Rung E: D with boundaries and upsampling done right.

Every signal, from the Fourier input on, goes on for 10 samples beyond each border of the image, and is cropped to that
after each layer; the last layer crops to the image. Upsampling is by a Kaiser-windowed sinc of support n = 6.

Our choice: critical sampling, that is, f_c = s / 2 of the lower rate and f_h = (sqrt 2 - 1) s / 2.
"""

from __future__ import annotations

from typing import Any

from networks.configs import d
from networks.spec import GeneratorConfig

LINE = {"margin_size": 10, "window": "kaiser", "filter_size": 6}


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung E at a resolution; `overrides` are fields of `GeneratorConfig`."""
    return d.config(img_resolution, **{**LINE, **overrides})
