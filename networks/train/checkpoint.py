"""Checkpoints: everything a run needs to go on, in one file that appears whole or not at all; or in parts, to be carried.

Parts are named by their content, and by a list of them that appears last: `checkpoint.pt.json`, with the digest of the whole. Where it is,
it counts, and a `checkpoint.pt` beside it is left over.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from torch_utils.atomic import atomic

from .errors import CheckpointError

NAME = "checkpoint.pt"


def write_whole(path: Path, content: bytes) -> None:
    """Write to a file beside `path`, flush it to the disk, then put it in its place; on failure `path` is as before. Raises OSError."""
    with atomic(path) as new, new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def save_checkpoint(path: Path, state: dict[str, Any], *, part_bytes: int | None = None) -> None:
    """In parts of at most `part_bytes`, if there is such a limit. Raises CheckpointError, with the old checkpoint untouched."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    try:
        if part_bytes is None or len(content) <= part_bytes:
            write_whole(path, content)
            _list_of(path).unlink(missing_ok=True)
            kept: tuple[str, ...] = ()
        else:
            kept = _write_parts(path, content, part_bytes)
            path.unlink(missing_ok=True)
        for part in path.parent.glob(f"{path.name}.part-*"):
            if part.name not in kept:
                part.unlink()
    except OSError as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} could not be written: {reason(error)}. {_kept(path)}") from error


def _list_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _write_parts(path: Path, content: bytes, part_bytes: int) -> tuple[str, ...]:
    digest = hashlib.sha256(content).hexdigest()
    pieces = [content[start : start + part_bytes] for start in range(0, len(content), part_bytes)]
    names = tuple(f"{path.name}.part-{digest[:8]}-{number + 1:02d}-of-{len(pieces):02d}" for number in range(len(pieces)))
    for name, piece in zip(names, pieces):
        write_whole(path.with_name(name), piece)
    write_whole(_list_of(path), json.dumps({"parts": names, "bytes": len(content), "sha256": digest}, indent=1).encode())
    return names


def _joined(path: Path) -> bytes:
    """Raises CheckpointError if a part is missing or not what it was."""
    try:
        listed = json.loads(_list_of(path).read_bytes())
        content = b"".join(path.with_name(str(name)).read_bytes() for name in listed["parts"])
        digest = listed["sha256"]
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        raise CheckpointError(f"the checkpoint {str(path)!r} is in parts, and {missing!r} is missing: carry all of them") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"the checkpoint's list of parts {str(_list_of(path))!r} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"the parts of the checkpoint {str(path)!r} are not those that its list names: one was changed or cut off")
    return content


def exists(path: Path) -> bool:
    """Whether there is a checkpoint, whole or in parts."""
    return path.exists() or _list_of(path).exists()


def reason(error: OSError) -> str:
    """Why writing failed, for people."""
    return "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)


def _kept(path: Path) -> str:
    if not exists(path):
        return "There was none before. Make room and start again."
    return "The one before is intact. Make room, then go on with --resume."


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors and plain values only: nothing in the file is executed. Raises CheckpointError."""
    try:
        source = io.BytesIO(_joined(path)) if _list_of(path).exists() else path
        state = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {str(path)!r} to resume from") from error
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} cannot be read: {error}") from error
    if not isinstance(state, dict) or "options" not in state:
        raise CheckpointError(f"{str(path)!r} is not a checkpoint of this trainer")
    return state
