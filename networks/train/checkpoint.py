"""Checkpoints: everything a run needs to go on, in one file that appears whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from .errors import CheckpointError

NAME = "checkpoint.pt"


def write_whole(path: Path, content: bytes) -> None:
    """Write to a file beside `path`, flush it to the disk, then put it in its place; on failure `path` is as before. Raises OSError."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Raises CheckpointError, with the old checkpoint untouched."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    try:
        write_whole(path, buffer.getvalue())
    except OSError as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} could not be written: {reason(error)}. {_kept(path)}") from error


def reason(error: OSError) -> str:
    """Why writing failed, for people."""
    return "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)


def _kept(path: Path) -> str:
    if not path.exists():
        return "There was none before. Make room and start again."
    return "The one before is intact. Make room, then go on with --resume."


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors and plain values only: nothing in the file is executed. Raises CheckpointError."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {str(path)!r} to resume from") from error
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} cannot be read: {error}") from error
    if not isinstance(state, dict) or "options" not in state:
        raise CheckpointError(f"{str(path)!r} is no checkpoint of this trainer")
    return state
