"""Our own files: weights as safetensors, constructor arguments and everything else as metadata. Data only, by design."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from networks.spec import FAMILIES, GeneratorConfig

from .constructor import checked_config, family_of
from .errors import Foreign, Malformed, printable

DTYPES = ("F64", "F32", "F16", "BF16")
PARSED = ("constructor", "training")  # metadata that are JSON


@dataclass(frozen=True, eq=False)
class SafeTensor:
    """One tensor of an open file."""

    file: Any
    name: str
    shape: tuple[int, ...]

    def read(self) -> np.ndarray:
        try:
            return self.file.get_tensor(self.name).float().numpy()
        except SafetensorError as error:
            raise Malformed(printable(str(error))) from None


def read_safetensors(path: Path) -> tuple[GeneratorConfig, dict[str, SafeTensor], dict[str, Any]]:
    """The configuration, the tensors (unread) and the metadata. Raises Malformed."""
    try:
        file = safe_open(path, framework="pt")
        metadata = parsed(file.metadata() or {})
        tensors = {name: _tensor(file, name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except SafetensorError as error:
        raise Malformed(printable(str(error))) from None
    constructor = metadata.get("constructor")
    if not isinstance(constructor, dict):
        raise Foreign("its metadata hold no constructor arguments, so the network cannot be rebuilt")
    family = metadata.get("family", family_of(tensors))
    if family not in FAMILIES:
        raise Malformed(f"its family is {printable(str(family), 40)!r}, which is not known")
    return checked_config(constructor, family), tensors, metadata


def _tensor(file: Any, name: str) -> SafeTensor:
    part = file.get_slice(name)
    if part.get_dtype() not in DTYPES:
        raise Malformed(f"{printable(name)} holds {part.get_dtype()} numbers, where {', '.join(DTYPES)} are expected")
    return SafeTensor(file, name, tuple(part.get_shape()))


def parsed(metadata: dict[str, str]) -> dict[str, Any]:
    """Metadata with their JSON parts read. Raises Malformed."""
    try:
        return {name: json.loads(text) if name in PARSED else text for name, text in metadata.items()}
    except (ValueError, RecursionError):
        raise Malformed("its metadata are not readable as JSON") from None
