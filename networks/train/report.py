"""What a run leaves to look at: a line of JSON now and then, sample grids, a progress bar."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from .checkpoint import write_whole

GRID = (8, 4)  # columns, rows


class Log:
    """Appends to log.jsonl; what a resumed run repeats is removed first."""

    def __init__(self, path: Path, images: int) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if _images_of(line) <= images]
        if kept != lines:
            write_whole(path, "".join(f"{line}\n" for line in kept).encode())

    def write(self, facts: dict[str, Any]) -> None:
        """One line, at once on the disk's way."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")


def _images_of(line: str) -> float:
    """What a line says; infinity for one that broke off."""
    try:
        return float(json.loads(line)["images"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


class Means:
    """Mean values since the last line of the log."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float | Tensor, int]] = {}

    def add(self, found: dict[str, Tensor | float]) -> None:
        """Values of one step; tensors are not waited for."""
        for name, value in found.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)

    def so_far(self) -> dict[str, float]:
        """The means, which waits for tensors."""
        return {name: float(total) / count for name, (total, count) in self._sums.items()}

    def take(self) -> dict[str, float]:
        """The means, and forget them."""
        means = self.so_far()
        self._sums = {}
        return means


def save_grid(path: Path, pictures: Tensor) -> None:
    """Pictures [columns x rows, 3, R, R] in [-1, 1], side by side. Raises OSError."""
    columns, rows = GRID
    count, channels, height, width = pictures.shape
    assert count == columns * rows, f"{count} pictures for a grid of {columns} x {rows}"
    tiled = pictures.reshape(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    pixels = ((tiled.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(pixels.cpu().numpy()).save(buffer, "PNG")
    write_whole(path, buffer.getvalue())


class Progress:
    """A progress bar with the time that is left, counted in images; silent where there is no terminal to draw it on."""

    def __init__(self, total: int, done: int, *, shown: bool, name: str = "") -> None:
        quiet = None if shown else True
        self._bar = tqdm(total=total, initial=done, desc=name or None, unit="img", smoothing=0.05, disable=quiet, dynamic_ncols=True)

    def advance(self, images: int) -> None:
        """So many more."""
        self._bar.update(images)

    def describe(self, facts: dict[str, float]) -> None:
        """Show figures beside the bar."""
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in facts.items()}, refresh=False)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
