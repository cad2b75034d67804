"""TensorFlow-era files: a tuple (G, D, Gs) of networks as lists of named variables, of which Gs is used."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from networks.spec import STYLEGAN2, GeneratorConfig

from .constructor import checked_config
from .errors import Malformed, printable
from .snapshot import joined, plain
from .stand_ins import StoredArray, StoredTensorFlowNetwork

MAX_COMPONENTS, MAX_VARIABLES = 64, 1 << 12
_DEFAULTS = {"num_fp16_res": 0, "conv_clamp": None}
_ARGUMENTS = {  # theirs: ours
    "latent_size": "z_dim",
    "label_size": "c_dim",
    "dlatent_size": "w_dim",
    "resolution": "img_resolution",
    "num_channels": "img_channels",
    "fmap_max": "channel_max",
    "num_fp16_res": "num_fp16_res",
    "conv_clamp": "conv_clamp",
    "architecture": "architecture",
    "resample_kernel": "resample_filter",
    "use_noise": "use_noise",
    "nonlinearity": "activation",
    "mapping_layers": "mapping.num_layers",
    "label_fmaps": "mapping.embed_features",
    "mapping_fmaps": "mapping.layer_features",
    "mapping_nonlinearity": "mapping.activation",
    "mapping_lrmul": "mapping.lr_multiplier",
}


@dataclass(frozen=True, eq=False)
class ConvertedArray:
    """A variable in our layout: `convert` is applied when it is read."""

    source: StoredArray
    shape: tuple[int, ...]
    convert: Callable[[np.ndarray], np.ndarray]

    def read(self) -> np.ndarray:
        return self.convert(self.source.read())


def read_tuple(networks: tuple) -> tuple[GeneratorConfig, dict[str, ConvertedArray]]:
    """The configuration and variables of the averaged generator, by our names and in our layout. Raises Malformed."""
    if len(networks) != 3 or not isinstance(networks[2], StoredTensorFlowNetwork):
        raise Malformed("it is a tuple, but not one of three TensorFlow-era networks")
    network = networks[2]
    variables = dict(_variables(network))
    config = checked_config(_arguments(network, variables), STYLEGAN2)
    named = {_our_name(name, config.img_resolution): (name, array) for name, array in variables.items()}
    return config, {ours: _converted(name, array) for ours, (name, array) in named.items() if ours is not None}


def _variables(network: StoredTensorFlowNetwork) -> Iterator[tuple[str, StoredArray]]:
    """All variables, those of components prefixed by the component's name."""
    waiting, seen = [("", network)], set()
    while waiting:
        prefix, part = waiting.pop()
        if id(part) in seen or len(seen) >= MAX_COMPONENTS:
            raise Malformed("its network uses a component twice, or has too many")
        seen.add(id(part))
        variables, components = part.state.get("variables", []), part.state.get("components", {})
        if not isinstance(variables, list) or not isinstance(components, dict) or len(variables) > MAX_VARIABLES:
            raise Malformed("its network has no list of variables")
        if len(waiting) + len(components) > MAX_COMPONENTS:
            raise Malformed("its network has too many components")
        for item in variables:
            if not (isinstance(item, (tuple, list)) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], StoredArray)):
                raise Malformed("its network has a variable without a name or an array")
            yield joined(prefix, item[0]), item[1]
        for name, component in components.items():
            if not isinstance(component, StoredTensorFlowNetwork):
                raise Malformed(f"its component {printable(joined('', name), 40)} is not a network")
            waiting.append((joined(prefix, name) + "/", component))


def _arguments(network: StoredTensorFlowNetwork, variables: dict[str, StoredArray]) -> dict[str, Any]:
    given = network.state.get("static_kwargs", {})
    if not isinstance(given, dict):
        raise Malformed("its arguments are not a dict")
    arguments: dict[str, Any] = dict(_DEFAULTS)
    mapping: dict[str, Any] = {}
    for theirs, ours in _ARGUMENTS.items():
        if given.get(theirs) is not None or theirs == "conv_clamp":
            target = mapping if ours.startswith("mapping.") else arguments
            target[ours.removeprefix("mapping.")] = plain(given.get(theirs))
    base = plain(given.get("fmap_base", 16384))
    if type(base) is not int:
        raise Malformed("its argument fmap_base is not a whole number")
    if any(re.fullmatch(r"synthesis/ToRGB_lod\d+/weight", name) for name in variables):
        arguments["architecture"] = "orig"
    return {"img_resolution": 1024, **arguments, "channel_base": 2 * base, "mapping_kwargs": mapping}


def _our_name(name: str, resolution: int) -> str | None:
    """Our name of one of their variables; None for those without a counterpart (such as the training's level of detail)."""
    if name == "dlatent_avg":
        return "mapping.w_avg"
    if found := re.fullmatch(r"mapping/(LabelEmbed|Dense(\d{1,3}))/(weight|bias)", name):
        return f"mapping.{'embed' if found[2] is None else f'fc{int(found[2])}'}.{found[3]}"
    if name == "synthesis/4x4/Const/const":
        return "synthesis.b4.const"
    if found := re.fullmatch(r"synthesis/noise(\d{1,2})", name):
        place = int(found[1]) + 1  # 4x4 has one noise input, each higher resolution two: conv0, conv1
        return f"synthesis.b{4 << (place // 2)}.conv{place % 2}.noise_const"
    if found := re.fullmatch(r"synthesis/ToRGB_lod(\d{1,2})/(\w+)", name):
        return _layer_name(resolution >> int(found[1]), "torgb", found[2])
    if found := re.fullmatch(r"synthesis/(\d{1,4})x\1/(Conv|Conv0_up|Conv1|ToRGB|Skip)/(\w+)", name):
        layer = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb", "Skip": "skip"}[found[2]]
        return _layer_name(int(found[1]), layer, found[3])
    return None


def _layer_name(resolution: int, layer: str, variable: str) -> str | None:
    names = {
        "weight": "weight",
        "bias": "bias",
        "noise_strength": "noise_strength",
        "mod_weight": "affine.weight",
        "mod_bias": "affine.bias",
    }
    return f"synthesis.b{resolution}.{layer}.{names[variable]}" if variable in names else None


def _converted(name: str, array: StoredArray) -> ConvertedArray:
    """Their layout to ours: matrices transposed, kernels [h, w, in, out] to [out, in, h, w], style biases from 1."""
    shape = array.shape
    rank = {"const": 4, "mod_weight": 2, "mod_bias": 1}.get(name.rsplit("/", 1)[-1])
    if rank is not None and len(shape) != rank:
        raise Malformed(f"its variable {printable(name)} has the shape {list(shape)}")
    if math.prod(shape) == 0:
        raise Malformed(f"its variable {printable(name)} is empty")
    if name.endswith("/const"):
        return ConvertedArray(array, shape[1:], lambda a: a[0])
    if re.search(r"/noise\d+$", name) and len(shape) == 4:
        return ConvertedArray(array, shape[2:], lambda a: a[0, 0])
    if name.endswith("/mod_bias"):
        return ConvertedArray(array, shape, lambda a: a + 1)
    if name.endswith("weight") and len(shape) == 2:
        return ConvertedArray(array, shape[::-1], lambda a: a.T)
    if name.endswith("/weight") and len(shape) == 4:
        flipped = "Conv0_up" in name or "/Skip/" in name
        kernel = (shape[3], shape[2], shape[0], shape[1])
        return ConvertedArray(array, kernel, lambda a: (a[::-1, ::-1] if flipped else a).transpose(3, 2, 0, 1))
    return ConvertedArray(array, shape, lambda a: a)
