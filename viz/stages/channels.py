"""Stage "channels": which channels of the tapped layer are shown, or what is made of all of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from torch_utils.sending import picked
from torch_utils.spectra import cropped_to_image
from viz.canvas.contact_sheet import page_size
from viz.stages import Run, Stage
from viz.stages.channel_colors import phase, principal
from viz.stages.channel_order import NUMBER, RANKED, ordered
from viz.state import Channels, Tap, ViewState


@dataclass(frozen=True)
class Shown:
    """values [c, H, W] and the channel numbers that they come from; `note` says what was made of them, `notes` something of each."""

    values: torch.Tensor
    channels: tuple[int, ...]
    total: int
    note: str = ""
    notes: tuple[str, ...] = ()


def choose(channels: Channels, total: int, samples: int) -> tuple[int, ...]:
    """Channel numbers for a layer of `total` channels with `samples` samples each; out-of-range ones are clamped.

    In a contact sheet, these are places in its order.
    """
    if channels.mode == "sheet":
        size = page_size(total, samples)
        page = min(channels.sheet_page, (total - 1) // size)
        return tuple(range(page * size, min(total, (page + 1) * size)))
    if channels.mode == "single" or total < 3:
        return (min(channels.first, total - 1),)
    if channels.mode == "phase":
        return tuple(min(i, total - 1) for i in channels.triple[:2]) or _in_a_row(channels.first, 2, total)
    if channels.mode == "pca":
        return (0, 1, 2)
    if len(channels.triple) == 3:
        return tuple(min(i, total - 1) for i in channels.triple)
    return _in_a_row(channels.first, 3, total)


def _in_a_row(first: int, count: int, total: int) -> tuple[int, ...]:
    first = min(first, total - count)
    return tuple(range(first, first + count))


def run(run: Run) -> Shown:
    values: torch.Tensor = run.inputs["synthesis"]
    total, height, width = values.shape
    channels = run.view.get(Channels)
    chosen = choose(channels, total, height * width)
    if channels.mode in ("pca", "phase") and total >= 3:
        return _coloured(run, values, chosen)
    if channels.mode == "sheet" and channels.sort != NUMBER:
        order = ordered(run)
        numbers = tuple(order.numbers[i] for i in chosen)
        notes = tuple(order.notes[i] for i in chosen) if order.notes else ()
        return Shown(picked(values, numbers).float(), numbers, total, f"by {channels.sort}" if notes else "", notes)
    return Shown(picked(values, chosen).float(), chosen, total)


def _coloured(run: Run, values: torch.Tensor, chosen: tuple[int, ...]) -> Shown:
    rate = run.inputs["load"].facts.tap(run.view.get(Tap).layer).sampling_rate
    with torch.inference_mode():
        if run.view.get(Channels).mode == "phase":
            pair = picked(values, chosen)
            return Shown(phase(pair, cropped_to_image(pair, rate)), chosen, len(values), f"angle of {chosen[0]} + i {chosen[1]}")
        found, share = principal(values, cropped_to_image(values, rate))
    return Shown(found, chosen, len(values), f"components with {100 * share:.0f} % of the variance")


def key(view: ViewState, inputs: dict) -> tuple[object, ...]:
    """Not how they are drawn, and their order where there is one."""
    channels = view.get(Channels)
    order = channels.sort if channels.mode == "sheet" else NUMBER
    return (channels.mode, channels.first, channels.triple, channels.sheet_page, order, channels.ranking if order == RANKED else ())


STAGE = Stage("channels", after=("synthesis",), reads=(Channels,), run=run, key=key)
