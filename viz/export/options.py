"""What an export is asked for, how far it is, and how it ended. No torch, no video library."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from viz.session.origin import PROGRAM

WHATS = {
    "picture": "Picture",
    "overlay": "With overlay",
    "slice": "Slice strip",
    "cinema": "Sticking (Figure 1)",
    "window": "Whole window",
}
WINDOW = (1600, 900)
FRAMES = ("png", "exr")


@dataclass(frozen=True)
class ExportOptions:
    """`out`: .mp4, .webm, .gif, or a folder for a sequence. `size`: output pixels for one of the picture (or of the window), along a side.

    `keep_frames`: a film's frames are kept beside it as PNGs until it is complete, so that a stopped export can go on. `what`: one of
    WHATS. `frames`: the kind of a sequence's files. `window`: width and height of the whole window, at size 1.
    """

    out: Path
    size: int = 1
    lossless: bool = False
    keep_frames: bool = False
    what: str = "picture"
    frames: str = "png"
    window: tuple[int, int] = WINDOW

    @property
    def is_sequence(self) -> bool:
        return self.out.suffix == "" or self.out.is_dir()

    @property
    def values(self) -> bool:
        """Whether frames are floating-point values and not colours."""
        return self.is_sequence and self.frames == "exr"

    @property
    def frames_folder(self) -> Path:
        return self.out.with_name(f".{self.out.name}.frames")

    @property
    def flags(self) -> str:
        """The flags of `play` that ask for the same, without those that change no pixel."""
        text = f" --size {self.size}"
        if self.what != "picture":
            text += f" --what {self.what}"
        if self.what == "window":
            text += f" --window {self.window[0]}x{self.window[1]}"
        if self.values:
            text += " --frames exr"
        return text + (" --lossless" if self.lossless and not self.is_sequence else "")


@dataclass(frozen=True)
class ExportProgress:
    """`done` of `total` frames; `eta_s` None while nothing is known. `preview`: the newest frame, uint8 [H, W, 3]."""

    done: int
    total: int
    elapsed_s: float = 0.0
    eta_s: float | None = None
    preview: np.ndarray | None = None


@dataclass(frozen=True)
class ExportResult:
    """`rendered` counts the frames that were not there already. `cancelled`: what stands at `path` (if anything) is not the whole."""

    path: Path | None
    frames: int
    rendered: int
    cancelled: bool = False
    notes: tuple[str, ...] = ()  # what loading the network had to say


def command_line(options: ExportOptions) -> str:
    """What reproduces a file from itself; FILE stands for whatever it is called by then."""
    again = f"again{options.out.suffix}" if not options.is_sequence else "again/"
    return f"python {PROGRAM} play FILE --out {again}{options.flags}"


def asked_in(command: str) -> dict[str, Any]:
    """The fields of ExportOptions that a film's own command sets, as `flags` writes them; what is not one of theirs is left out."""
    found: dict[str, Any] = {}
    if size := re.search(r" --size ([1-9]|[1-5]\d|6[0-4])(?= |$)", command):
        found["size"] = int(size[1])
    if what := re.search(rf" --what ({'|'.join(WHATS)})(?= |$)", command):
        found["what"] = what[1]
    if window := re.search(r" --window ([1-9]\d{2,3})x([1-9]\d{2,3})(?= |$)", command):
        found["window"] = (int(window[1]), int(window[2]))
    if " --frames exr" in command:
        found["frames"] = "exr"
    if " --lossless" in command:
        found["lossless"] = True
    return found
