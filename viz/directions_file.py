"""Directions of one's own in files: arrows in W as .npy, .npz and .safetensors. numpy only, as in `viz.latent_file`.

An array is one direction [w_dim], one with a row for each input of the synthesis [num_ws, w_dim], several [K, w_dim], or several with rows
[K, num_ws, w_dim]; what has as many rows as the network has inputs is one direction. Each array of a file adds its own, under its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from viz.latent_file import KINDS, SUFFIXES, LatentError, arrays_in, numbers, shape_text, tensor_names

WORD = "direction"
NEEDED = "[w_dim], [K, w_dim], [num_ws, w_dim] or [K, num_ws, w_dim] is expected"


@dataclass(frozen=True, eq=False)
class OwnDirections:
    """K arrows, float32 [1 or num_ws, w_dim], by number, and what each is called."""

    arrows: tuple[np.ndarray, ...]
    names: tuple[str, ...]


def holds_directions(path: Path) -> bool:
    """Whether this looks like a file of directions rather than of latents or a network: its name, or that of an array in it, says
    "direction"; an .npz without any latent is one, too."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        return False
    names = () if suffix == ".npy" else tensor_names(path) if suffix == ".safetensors" else _members(path)
    if any(WORD in name.lower() for name in (path.stem, *names)):
        return True
    return suffix == ".npz" and bool(names) and not any(kind in names for kind in KINDS)


def _members(path: Path) -> tuple[str, ...]:
    try:
        with ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, ValueError, BadZipFile, NotImplementedError):
        return ()


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, float32, that may be directions of some network. Raises LatentError."""
    found = {name: numbers(path, name, values, NEEDED) for name, values in arrays_in(path).items()}
    if not found:
        raise LatentError(path.name, "it holds no arrays", f"{NEEDED}.")
    return found


def fitted(file: str, arrays: Mapping[str, np.ndarray], *, num_ws: int, w_dim: int) -> OwnDirections:
    """The directions of a network of these sizes. Raises LatentError where one does not fit."""
    arrows: list[np.ndarray] = []
    names: list[str] = []
    for name, values in arrays.items():
        rows = values.shape[-2] if values.ndim == 3 else num_ws if values.shape == (num_ws, w_dim) else 1
        if values.shape[-1] != w_dim or rows not in (1, num_ws):
            takes = f"w of {w_dim} numbers in {num_ws} rows"
            raise LatentError(file, f"{name or 'its array'} is {shape_text(values.shape)}, but this network takes {takes}", f"{NEEDED}.")
        several = values.reshape(-1, rows, w_dim)
        arrows.extend(several)
        label = name or Path(file).stem
        names += [label] if len(several) == 1 else [f"{label} {i}" for i in range(len(several))]
    return OwnDirections(tuple(arrows), tuple(names))
