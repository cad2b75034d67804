"""Latents in files: z, w and ws as .npy, .npz and .safetensors, with the names and shapes that projectors and samplers write.

Arrays are found by name (`z`, `w`, `ws`); a 3-D array is ws whatever its name, because projectors write ws under the name
"w". numpy only: the window reads a file that is dropped on it before torch is there.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from networks.loading.errors import LoadError, printable
from networks.loading.safetensors_reader import read_tensors
from networks.loading.spans import Span
from torch_utils.atomic import atomic

KINDS = ("z", "w", "ws")
SUFFIXES = (".npy", ".npz", ".safetensors")
LARGEST_BYTES = 1 << 30
NEEDED = "z [n, z_dim], w [n, w_dim] or ws [n, num_ws, w_dim] is expected; a single latent may leave n out"


class LatentError(LoadError):
    """A file of latents cannot be used: says what it holds and what is expected."""


@dataclass(frozen=True, eq=False)
class Latents:
    """`values` float32: z [n, z_dim], w [n, w_dim] or ws [n, num_ws, w_dim], as `kind` says. `c` [n, c_dim] belongs to z."""

    kind: str
    values: np.ndarray
    c: np.ndarray | None = None

    @property
    def count(self) -> int:
        return len(self.values)

    def check(self, file: str, *, z_dim: int, w_dim: int, num_ws: int) -> None:
        """Raises LatentError where a network of these sizes cannot take them."""
        expected = {"z": (z_dim,), "w": (w_dim,), "ws": (num_ws, w_dim)}[self.kind]
        if self.values.shape[1:] != expected:
            shape, wanted = shape_text(self.values.shape[1:]), shape_text(expected)
            raise LatentError(file, f"its {self.kind} is {shape}, but this network takes {wanted}", "Open the network that it belongs to.")


def holds_latents(path: Path) -> bool:
    """Whether this looks like a file of latents rather than a network: by its suffix, and a .safetensors by its names."""
    if path.suffix.lower() != ".safetensors":
        return path.suffix.lower() in SUFFIXES
    return any(kind in tensor_names(path) for kind in KINDS)


def tensor_names(path: Path) -> tuple[str, ...]:
    """What a .safetensors says that it holds; nothing where it cannot be read: whoever opens it says what is wrong with it."""
    try:
        with path.open("rb") as f:
            (length,) = struct.unpack("<Q", f.read(8))
            names = json.loads(f.read(min(length, 1 << 24)))
    except (OSError, ValueError, RecursionError, struct.error):
        return ()
    return tuple(names) if isinstance(names, dict) else ()


def read(path: Path, kind: str = "") -> Latents:
    """The latents in a file. `kind` "" takes what the names and shapes say (ws before w before z). Raises LatentError."""
    arrays = arrays_in(path, (*KINDS, "c"))
    found = _by_kind(path, arrays)
    if kind and kind not in found:
        raise LatentError(path.name, f"it holds {', '.join(found)}, no {kind}", "Choose another kind.")
    chosen = kind or next(k for k in ("ws", "w", "z") if k in found)
    c = arrays.get("c") if chosen == "z" else None
    of_class = None if c is None or not c.size else np.atleast_2d(numbers(path, "c", c, "c [n, c_dim] is expected"))
    return Latents(chosen, found[chosen], of_class)


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Writes z, w, ws and c (those that there are), whole or not at all: ws alone to .npy. Raises OSError, or LatentError for a suffix."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise LatentError(path.name, f"it ends in {suffix or 'nothing'}", f"{', '.join(SUFFIXES)} is expected.")
    plain = {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in arrays.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary, temporary.open("wb") as f:
        if suffix == ".npy":
            np.save(f, plain["ws"])
        elif suffix == ".npz":
            np.savez(f, **plain)  # pyright: ignore[reportArgumentType]
        else:
            from safetensors.numpy import save

            f.write(save(plain))
    return path


def digest(path: Path) -> str:
    """SHA-256 of a file of latents: a view that shows it knows when it has changed. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def arrays_in(path: Path, wanted: Collection[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of a file by name ("" in .npy), all or those `wanted`, read without executing anything. Raises LatentError."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise LatentError(path.name, "it is no file", "Nothing was changed.")
        if path.stat().st_size > LARGEST_BYTES:
            raise LatentError(path.name, "it is larger than 1 GiB", "Save less in one file.")
        return _arrays(path, wanted)
    except LatentError:
        raise
    except FileNotFoundError as e:
        raise LatentError(
            path.name, f"it is not in the folder {path.parent.absolute()}", "Open it where it is now, or drop it on the window."
        ) from e
    except Exception as e:  # the border to files: numpy, zlib and zipfile raise many things that they do not name
        raise LatentError(path.name, f"it cannot be read ({printable(str(e))})", "Nothing was changed.") from e


def _arrays(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        with path.open("rb") as f:
            return {"": np.lib.format.read_array(f, allow_pickle=False)}
    if suffix == ".npz":
        with path.open("rb") as f, np.load(f, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it is not an .npz archive")
            check_members(file.zip)
            return {name: file[name] for name in file.files if not wanted or name in wanted}
    if suffix == ".safetensors":
        with path.open("rb") as f:
            tensors, _ = read_tensors(Span(f, 0, path.stat().st_size))
            return {name: tensor.read() for name, tensor in tensors.items() if not wanted or name in wanted}
    raise LatentError(path.name, f"it ends in {suffix or 'nothing'}", f"{', '.join(SUFFIXES)} is expected.")


def check_members(archive: Any) -> None:
    """Raises ValueError where an archive (ZipFile) unpacks to more than any file of latents or of ours does: some are bombs."""
    if sum(member.file_size for member in archive.infolist()) > LARGEST_BYTES:
        raise ValueError("it unpacks to more than 1 GiB")


def numbers(path: Path, name: str, values: np.ndarray, needed: str) -> np.ndarray:
    """The array `name` ("" in .npy) as float32. Raises LatentError, with what is needed, where it holds no numbers on one to three axes."""
    what = name or "its array"
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2, 3) or not values.size:
        raise LatentError(path.name, f"{what} is {values.dtype} of shape {shape_text(values.shape)}", f"{needed}.")
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    if not np.isfinite(found).all():
        raise LatentError(path.name, f"{what} has values that are not finite numbers in float32", "Save it again.")
    return found


def _by_kind(path: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """float32 arrays with all their axes, by what they are."""
    found: dict[str, np.ndarray] = {}
    for name in (*KINDS, ""):
        if name not in arrays:
            continue
        values = numbers(path, name, arrays[name], NEEDED)
        kinds = _kinds_of(name, values.ndim)
        full = {"ws": 3}.get(kinds[0], 2)
        whole = values.reshape((1,) * (full - values.ndim) + values.shape)
        found.update({kind: whole for kind in kinds if kind not in found or kind == name})
    if not found:
        raise LatentError(path.name, "it holds no latents", f"An array called z, w or ws is expected: {NEEDED}.")
    return found


def _kinds_of(name: str, axes: int) -> tuple[str, ...]:
    """What an array may be. Without a name, one or two axes may be w as well as z."""
    if axes == 3:
        return ("ws",)
    if name == "ws":
        return ("ws",) if axes == 2 else ("w",)
    return (name,) if name else ("w", "z")


def shape_text(shape: tuple[int, ...]) -> str:
    """ "16 x 512" """
    return " x ".join(str(n) for n in shape)
