"""Tensors into a network and out of it: compare first, allocate second, copy last; and our own safetensors files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from networks.build import build
from networks.generator import Generator
from networks.spec import GeneratorConfig
from torch_utils.atomic import atomic

from .errors import Malformed, printable

DERIVED = ("resample_filter",)  # made from constructor arguments: may be missing
MAX_NAMED = 3  # tensors named in a message


class Stored(Protocol):
    """A tensor that can be asked for its shape before it is read."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self) -> np.ndarray: ...


def fill(
    config: GeneratorConfig, tensors: Mapping[str, Stored], file_bytes: int, step: Callable[[int, int], None]
) -> tuple[Generator, tuple[str, ...]]:
    """Build the network of `config` and fill it; the second result names tensors that hold NaN or infinity.

    Names and shapes are compared on a network without memory first, so that a file that claims a huge network is refused
    before it costs anything. `step(done, total)` is called for each tensor. Raises Malformed.
    """
    compare(_outline(config), tensors, file_bytes)
    try:
        network = build(config, seed=None)
    except RuntimeError as error:
        raise MemoryError(str(error)) from None  # the outline went well, so only memory can be missing
    broken = []
    targets = network.state_dict()
    for index, (name, target) in enumerate(targets.items()):
        step(index, len(targets))
        if name in tensors:
            values = tensors[name].read()
            if values.dtype.kind != "f":
                raise Malformed(f"{name} holds {values.dtype} numbers, where fractions are expected")
            target.copy_(torch.from_numpy(np.array(values, order="C")))
            if not torch.isfinite(target).all():  # here, not before: a number of 64 bits may be none of 32
                broken.append(name)
    return network, tuple(broken)


def _outline(config: GeneratorConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the network's tensors, without its memory."""
    try:
        with torch.device("meta"):
            return {name: tuple(tensor.shape) for name, tensor in build(config, seed=None).state_dict().items()}
    except (ValueError, ArithmeticError, RuntimeError) as error:
        raise Malformed(f"its constructor arguments make no network ({printable(str(error))})") from None


def compare(expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Stored], file_bytes: int) -> None:
    """Raise Malformed unless the file holds just the expected tensors, in their shapes, and is large enough for them."""
    missing = [name for name in expected if name not in tensors and not name.endswith(DERIVED)]
    extra = [name for name in tensors if name not in expected and not name.endswith(DERIVED)]
    if missing:
        raise Malformed(f"{_named(missing)} missing: the weights do not belong to the constructor arguments")
    if extra:
        raise Malformed(f"{_named(extra)} more than the architecture has: this is another kind of network")
    for name, shape in expected.items():
        if name in tensors and tuple(tensors[name].shape) != shape:
            raise Malformed(f"{name} has the shape {list(tensors[name].shape)}, but {list(shape)} is expected")
    if (numbers := sum(math.prod(shape) for shape in expected.values())) > file_bytes:
        raise Malformed(f"a network of {numbers:,} numbers in a file of {file_bytes:,} bytes")


def _named(names: list[str]) -> str:
    shown = ", ".join(printable(name, 80) for name in names[:MAX_NAMED])
    return f"{shown}{f' and {len(names) - MAX_NAMED} others' if len(names) > MAX_NAMED else ''} {'is' if len(names) == 1 else 'are'}"


def write_safetensors(network: nn.Module, path: Path, metadata: Mapping[str, object]) -> None:
    """Write `network` with its constructor arguments to `path`, whole or not at all."""
    from safetensors.torch import save

    config: Any = network.config
    known = {"config": config.rung, "format": "pt", "z_dim": config.z_dim}
    facts = {**known, **metadata, "constructor": config.to_kwargs(), "family": config.family}
    text = {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items() if value is not None}
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    with atomic(path) as new:
        new.write_bytes(save(tensors, metadata=text))  # what writes files in that library raises an error of its own for a full disk
