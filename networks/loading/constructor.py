"""Constructor arguments from a file, checked before anything is built: known names, plain types, sane sizes.

A file may claim any size. The limits here keep the *description* of a network small; `weights.fill` then compares the
description with the tensors that are really in the file before it allocates any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from networks.filters import DESIGNS
from networks.spec import ALIAS_FREE, LAYER_RULES, STYLEGAN2, SYMMETRIES, ConfigError, GeneratorConfig

from .errors import Malformed, printable

ACTIVATIONS = ("linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish")

_WHOLE = {  # name: smallest, largest
    "z_dim": (0, 1 << 16),
    "c_dim": (0, 1 << 20),
    "w_dim": (1, 1 << 16),
    "img_resolution": (4, 1 << 13),
    "img_channels": (1, 64),
    "channel_base": (1, 1 << 22),
    "channel_max": (1, 1 << 14),
    "num_fp16_res": (0, 16),
    "num_layers": (2, 64),
    "num_critical": (0, 63),
    "margin_size": (0, 256),
    "conv_kernel": (1, 15),
    "filter_size": (1, 32),
    "lrelu_upsampling": (1, 8),
    "mapping.num_layers": (1, 64),
    "mapping.embed_features": (1, 1 << 16),
    "mapping.layer_features": (1, 1 << 16),
}
_REAL = {
    "first_cutoff": (1e-3, 1e4),
    "first_stopband": (1e-3, 1e5),
    "last_stopband_rel": (1e-3, 1e3),
    "output_scale": (-1e6, 1e6),
    "conv_clamp": (0, 1e9),
    "magnitude_ema_beta": (0, 1),
    "mapping.lr_multiplier": (1e-9, 1e9),
    "mapping.w_avg_beta": (0, 1),
}
_ONE_OF = {
    "architecture": ("skip", "orig", "resnet"),
    "activation": ACTIVATIONS,
    "mapping.activation": ACTIVATIONS,
    "use_noise": (True, False),
    "use_radial_filters": (True, False),
    "window": tuple(DESIGNS),
    "layer_rule": LAYER_RULES,
    "symmetry": SYMMETRIES,
    "learns_pose": (True, False),
    "fourier_input": (True, False),
}
_MAY_BE_NONE = ("conv_clamp", "mapping.embed_features", "mapping.layer_features")


def family_of(tensor_names: object) -> str:
    """The family that a set of tensor names belongs to. Raises Malformed if it is neither."""
    names = tuple(tensor_names) if isinstance(tensor_names, (set, dict, list, tuple)) else ()
    if any(name.startswith("synthesis.b4.") for name in names):
        return STYLEGAN2  # which on rungs B and C has an input too
    if any(name.startswith("synthesis.input.") for name in names):
        return ALIAS_FREE
    raise Malformed("it holds neither an alias-free generator nor a StyleGAN2 one")


def checked_config(kwargs: Mapping[str, Any], family: str) -> GeneratorConfig:
    """Published constructor arguments as a configuration. Raises Malformed for anything unknown or out of bounds."""
    flat = {**kwargs, **nested(kwargs, "synthesis_kwargs")}
    flat |= {f"mapping.{name}": value for name, value in nested(kwargs, "mapping_kwargs").items()}
    for name, value in flat.items():
        _check(name, value)
    try:
        return GeneratorConfig.from_kwargs(kwargs, family=family)
    except ConfigError as error:
        raise Malformed(printable(str(error), 300)) from None
    except (TypeError, ValueError) as error:
        raise Malformed(f"its constructor arguments make no network ({printable(str(error))})") from None


def nested(kwargs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The arguments of a part of the network, {} where there are none. Raises Malformed."""
    found = kwargs.get(name, {})
    if not isinstance(found, dict):
        raise Malformed(f"constructor argument {name} is not a dict")
    return found


def _check(name: str, value: object) -> None:
    """Raise Malformed unless `value` is within the bounds of `name`. Unknown names are left to GeneratorConfig."""
    if value is None and name in _MAY_BE_NONE:
        return
    if name in _WHOLE:
        low, high = _WHOLE[name]
        fits = type(value) is int and low <= value <= high
        wanted = f"a whole number from {low} to {high}"
    elif name in _REAL:
        low, high = _REAL[name]
        fits = type(value) in (int, float) and low <= value <= high  # type: ignore[operator]
        wanted = f"a number from {low:g} to {high:g}"
    elif name in _ONE_OF:
        fits = type(value) in (str, bool) and value in _ONE_OF[name]
        wanted = f"one of {', '.join(map(str, _ONE_OF[name]))}"
    elif name == "resample_filter":
        fits = isinstance(value, (list, tuple)) and 2 <= len(value) <= 32 and all(_is_tap(v) for v in value) and sum(value) != 0
        wanted = "a short list of numbers"
    else:
        return
    if not fits:
        shown = printable(str(value), 40) if isinstance(value, (int, float, str, bool)) or value is None else type(value).__name__
        raise Malformed(f"constructor argument {name} is {shown}, but must be {wanted}")


def _is_tap(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e6  # type: ignore[arg-type]
