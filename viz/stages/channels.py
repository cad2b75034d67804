"""Stage "channels": which channels of the tapped layer are shown."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from viz.contact_sheet import page_size
from viz.stages import Run, Stage
from viz.state import Channels


@dataclass(frozen=True)
class Shown:
    """values [c, H, W] and their channel numbers."""

    values: torch.Tensor
    channels: tuple[int, ...]
    total: int


def choose(channels: Channels, total: int, samples: int) -> tuple[int, ...]:
    """Channel numbers for a layer of `total` channels with `samples` samples each; out-of-range ones are clamped."""
    if channels.mode == "sheet":
        size = page_size(total, samples)
        page = min(channels.sheet_page, (total - 1) // size)
        return tuple(range(page * size, min(total, (page + 1) * size)))
    if channels.mode == "single" or total < 3:
        return (min(channels.first, total - 1),)
    if len(channels.triple) == 3:
        return tuple(min(i, total - 1) for i in channels.triple)
    first = min(channels.first, total - 3)
    return (first, first + 1, first + 2)


def run(run: Run) -> Shown:
    values: torch.Tensor = run.inputs["synthesis"]
    total, height, width = values.shape
    chosen = choose(run.view.get(Channels), total, height * width)
    return Shown(_picked(values, chosen).float(), chosen, total)


def _picked(values: torch.Tensor, chosen: tuple[int, ...]) -> torch.Tensor:
    """A copy of those channels: a list of numbers as an index would have to be sent to the device first, waiting for it."""
    if chosen == tuple(range(chosen[0], chosen[0] + len(chosen))):
        return values[chosen[0] : chosen[0] + len(chosen)].clone()
    return torch.stack([values[channel] for channel in chosen])


STAGE = Stage("channels", after=("synthesis",), reads=(Channels,), run=run, key=lambda view, inputs: _relevant(view.get(Channels)))


def _relevant(channels: Channels) -> tuple[object, ...]:
    return (channels.mode, channels.first, channels.triple, channels.sheet_page)
