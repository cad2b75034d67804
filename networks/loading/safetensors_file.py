"""Our own files: weights as safetensors, constructor arguments and everything else as metadata. Data only, by design."""

from __future__ import annotations

import json
from typing import Any

from networks.spec import FAMILIES, GeneratorConfig

from .constructor import checked_config, family_of
from .errors import Foreign, Malformed, printable
from .safetensors_reader import SafeTensor, read_tensors
from .spans import Span

DTYPES = ("F64", "F32", "F16", "BF16")
PARSED = ("constructor", "training")  # metadata that are JSON


def read_safetensors(span: Span) -> tuple[GeneratorConfig, dict[str, SafeTensor], dict[str, Any]]:
    """The configuration, the tensors (unread) and the metadata. Raises Malformed."""
    tensors, texts = read_tensors(span)
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES:
            raise Malformed(f"{printable(name)} holds {tensor.dtype} numbers, where {', '.join(DTYPES)} are expected")
    metadata = parsed(texts)
    constructor = metadata.get("constructor")
    if not isinstance(constructor, dict):
        raise Foreign("its metadata hold no constructor arguments, so the network cannot be rebuilt")
    family = metadata.get("family", family_of(tensors))
    if family not in FAMILIES:
        raise Malformed(f"its family is {printable(str(family), 40)!r}, which is not known")
    return checked_config(constructor, family), tensors, metadata


def parsed(metadata: dict[str, str]) -> dict[str, Any]:
    """Metadata with their JSON parts read. Raises Malformed."""
    try:
        return {name: json.loads(text) if name in PARSED else text for name, text in metadata.items()}
    except (ValueError, RecursionError):
        raise Malformed("its metadata are not readable as JSON") from None
