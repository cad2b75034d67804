"""Loading networks: published snapshots, our own safetensors files, TensorFlow-era tuples; by path, address or name.

A pickle is never executed: `unpickle` reads it as inert data and refuses everything else by name.
Importing this package does not import torch; `load` and `save_safetensors` do when they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .catalogue import CatalogueEntry, catalogue
from .errors import LoadCancelled, LoadError
from .loaded import LoadedNetwork, changed_on_disk
from .reference import Place, resolve

if TYPE_CHECKING:
    import torch
    from torch import nn

Progress = Callable[[int, int | None, str], None]


def load(
    ref: str | Path,
    *,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> LoadedNetwork:
    """Load the network that `ref` names: a catalogue name, an http(s) address, a file, or a folder of snapshots.

    `progress(done_bytes, total_bytes or None, text)` is called while downloading and reading, `cancelled()` often.
    A failure leaves nothing behind, so that a retry starts afresh (an unfinished download continues).
    Raises LoadError (what failed, why, what to do) or LoadCancelled, and nothing else.
    """
    from .loader import load_network

    return load_network(ref, device, progress, cancelled)


def save_safetensors(network: nn.Module, path: str | Path, metadata: Mapping[str, object] | None = None) -> None:
    """Write weights, buffers and constructor arguments of `network` to a safetensors file that `load` reads back.

    `metadata` values that are not text are stored as JSON. The file appears whole or not at all. Raises OSError.
    """
    from .weights import write_safetensors

    write_safetensors(network, Path(path), metadata or {})


__all__ = [
    "CatalogueEntry",
    "LoadCancelled",
    "LoadError",
    "LoadedNetwork",
    "Place",
    "Progress",
    "catalogue",
    "changed_on_disk",
    "load",
    "resolve",
    "save_safetensors",
]
