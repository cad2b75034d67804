"""Pictures on disk that know how they were made: PNG files with the whole view state inside."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from torch_utils.atomic import atomic
from viz.session import origin
from viz.state import ViewState

KEY = "aliasfree-view"  # the PNG text chunk that holds the state's JSON
COMMAND_KEY = "aliasfree-command"  # and the one with the command line that makes the file again; FILE stands for the file itself
_NUMBERED = re.compile(r"^(\d{5,})\.png$")


def save_png(path: Path, pixels: np.ndarray, state: ViewState | None, command: str = "") -> Path:
    """Writes uint8 [H, W, 3 or 4] (or [H, W]) atomically: a full disk leaves no half-written file. Raises OSError.

    With the view, and the command line that makes the file again (by itself: the one that this process carries out).
    """
    info = PngImagePlugin.PngInfo()
    if state is not None:
        info.add_text(KEY, state.to_json())
        info.add_text("Software", "aliasfree-visualizer")
    if command := command or origin.running_command():
        info.add_text(COMMAND_KEY, command)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, format="PNG", pnginfo=info)
    return path


def save_npy(path: Path, values: np.ndarray, state: ViewState | None = None, command: str = "") -> Path:
    """Writes float32 values atomically, and beside them a .npy.json with the view and the command line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()  # straight to a file, numpy does not say that a disk is full
    np.save(data, np.ascontiguousarray(values, dtype=np.float32))
    with atomic(path) as temporary:
        temporary.write_bytes(data.getbuffer())
    if state is not None:
        with atomic(origin.sidecar(path)) as temporary:
            temporary.write_text(origin.about(state.to_json(), command or origin.running_command()), encoding="utf-8")
    return path


def save_npz(path: Path, arrays: Mapping[str, np.ndarray], state: ViewState | None = None, command: str = "") -> Path:
    """Writes arrays atomically, and with them, as `origin`, the view and the command line."""
    text = origin.about("" if state is None else state.to_json(), command or origin.running_command())
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary, temporary.open("wb") as f:
        np.savez_compressed(f, **{**arrays, origin.MEMBER: np.array(text)})  # pyright: ignore[reportArgumentType]
    return path


def next_number(folder: Path) -> Path:
    """`NNNNN.png` with the next free number in `folder`."""
    files = folder.iterdir() if folder.is_dir() else ()
    numbers = [int(m.group(1)) for file in files if (m := _NUMBERED.match(file.name))]
    return folder / f"{max(numbers, default=-1) + 1:05d}.png"
