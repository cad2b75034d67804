"""Rung D: C, simplified. The alias-free generator's plan with the signal processing of StyleGAN2.

The line: mapping of depth 2; one picture at the end instead of output skips; each convolution's input divided by the
root of its running mean square, folded into the weights (training also drops style mixing and path length
regularisation). These are what the alias-free family does always, so the family changes here, and the rest of this
configuration says what StyleGAN2 has built in: one layer at 4 x 4 and two at each higher resolution, no margin,
upsampling by [1, 3, 3, 1] (linear interpolation), nothing filtered around the nonlinearities.

Our choices: the convolution of an upsampling layer comes before the upsampling, at the lower rate, as in all later rungs
(StyleGAN2's comes after it); the picture is scaled by 0.25 as in T and R, for inputs of unit variance; no row of ws is
left unread (13 layers and ToRGB at 256 x 256: 14 rows).
"""

from __future__ import annotations

from typing import Any

from networks.spec import OCTAVES, GeneratorConfig, octave_layers


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung D at a resolution; `overrides` are fields of `GeneratorConfig`."""
    layers = octave_layers(img_resolution)
    upsampling = {"window": "bilinear", "filter_size": 2, "margin_size": 0, "lrelu_upsampling": 1}
    defaults = {"layer_rule": OCTAVES, "num_layers": layers, "num_critical": layers, "learns_pose": False, **upsampling}
    return GeneratorConfig(img_resolution, **{**defaults, **overrides})
