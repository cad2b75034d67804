"""What loading gives: a network and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False)
class LoadedNetwork:
    """A network with its origin.

    `kind` is "snapshot", "tensorflow" or "safetensors"; `config_name` the rung of the paper's ladder ("T", "R", "A" for
    StyleGAN2) or what the file calls itself; `base_transform` the 3x3 `input.transform` stored in the file where it is not
    the identity, else None; `notes` are sentences for the person at the screen (a changed checksum, for one).
    """

    network: Any
    ref: str
    path: Path
    sha256: str
    size_bytes: int
    modified_ns: int
    kind: str
    config_name: str
    metadata: dict[str, Any] = field(default_factory=dict)
    base_transform: Matrix | None = None
    notes: tuple[str, ...] = ()


def changed_on_disk(path: Path, size_bytes: int, modified_ns: int) -> bool:
    """Whether the file has another size or time of change than these, of when it was loaded. False while it is missing."""
    try:
        now = path.stat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) != (size_bytes, modified_ns)
