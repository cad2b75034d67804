"""Edit a network's activations: channels are scaled, raised, thresholded or moved, after a layer's nonlinearity and before the next layer.

An edited network is another network that shares every weight; the one it is made of is never written to. Steps before the first edited
layer have the keys that they have without edits, so a memo serves both networks.

Sources: Bau et al. 2019, "GAN Dissection" (channels turned off); Broad, Leymarie and Grierson 2021, "Network Bending" (operations on
channels between layers).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from networks.generator import Generator
from networks.sharing import shared_copy
from networks.spec import TapInfo
from networks.steps import Activation, Step
from torch_utils.resample import fractional_shift, pose_matrix, warp

OPERATIONS = ("gain", "offset", "threshold", "move")
FINE_SAMPLES = 1 << 22  # samples of a layer that are warped at a time: its grid is four times finer along each axis
G = TypeVar("G", bound=Generator)


class EditError(ValueError):
    """An edit that cannot be: says which value, and what is expected."""


@dataclass(frozen=True)
class ChannelEdit:
    """What is done to some channels of one layer, x [N, C, H, W]; () means all of them.

    `operation` "gain": x' = amount x. "offset": x' = x + amount, in the values of the layer. "threshold": x' = 1 where x > amount, else 0.
    "move": the channels' picture is scaled and turned about the middle of the image (`turns`, counter-clockwise), then shifted by
    (x, y) image widths, right and down; with a band-limited filter at the layer's rate, and zeros from beyond its margin.
    """

    channels: tuple[int, ...] = ()
    operation: str = "gain"
    amount: float = 1.0
    x: float = 0.0
    y: float = 0.0
    turns: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise EditError(f"operation is {self.operation!r}; one of {', '.join(OPERATIONS)} is expected")
        for name in ("amount", "x", "y", "turns", "scale"):
            if not math.isfinite(getattr(self, name)):
                raise EditError(f"{name} is {getattr(self, name)}; a finite number is expected")
        if self.scale <= 0:
            raise EditError(f"scale is {self.scale}; a positive number is expected")

    @property
    def matrix(self) -> np.ndarray:
        """The forward 3x3 transform of "move", in image widths."""
        forward = pose_matrix(self.turns * math.tau, self.x, self.y)
        forward[:2, :2] *= self.scale
        return forward


def edited(network: G, edits: Mapping[str, Sequence[ChannelEdit]]) -> G:
    """The same weights with these edits at the taps of these names, in order; the network itself where there are none.

    What was edited before is edited as before. Raises EditError for a tap or a channel that the network does not have.
    """
    edits = {name: tuple(found) for name, found in edits.items() if found}
    if not edits:
        return network
    taps = {tap.name: tap for tap in network.taps}
    device = network.w_avg.device
    twin = shared_copy(network, type(network))
    for name, found in edits.items():
        if name not in taps or name.endswith(".torgb"):  # StyleGAN2 has added that to the picture already
            raise EditError(f"there is no layer {name!r} to edit; there are {', '.join(n for n in taps if not n.endswith('.torgb'))}")
        work = [_operation(edit, taps[name], device) for edit in found]
        twin.edits = {**twin.edits, name: _after(twin.edits.get(name), found, work)}
    return twin


@dataclass(frozen=True)
class TapEdits:
    """What is done at one tap: `edits` tell it from all others, `work` does it."""

    edits: tuple[ChannelEdit, ...]
    work: tuple[Callable[[Tensor], Tensor], ...]

    @property
    def moves(self) -> bool:
        """Whether channels are resampled, which no CUDA graph can record."""
        return any(edit.operation == "move" for edit in self.edits)

    def of(self, x: Tensor) -> Tensor:
        """What the layer gives on, [N, C, H, W], edited."""
        for operation in self.work:
            x = operation(x)
        return x

    def step(self, step: Step) -> Step:
        """The step of this tap, with the edits at its end."""

        def run(before: Activation | None, ws: Tensor) -> Activation:
            activation = step.run(before, ws)
            return activation.showing(self.of(activation.shown))

        return replace(step, conditions=(*step.conditions, self.edits), run=run)


def _after(before: TapEdits | None, edits: tuple[ChannelEdit, ...], work: list[Callable[[Tensor], Tensor]]) -> TapEdits:
    first = before or TapEdits((), ())
    return TapEdits((*first.edits, *edits), (*first.work, *work))


def _operation(edit: ChannelEdit, tap: TapInfo, device: torch.device) -> Callable[[Tensor], Tensor]:
    """[N, C, H, W] -> the same size and type; its argument stays as it is. What it needs on the device is there beforehand."""
    beyond = [number for number in edit.channels if not 0 <= number < tap.channels]
    if beyond:
        raise EditError(f"{tap.name} has {tap.channels} channels, numbered from 0: there is no channel {beyond[0]}")
    numbers = torch.tensor(edit.channels or range(tap.channels), device=device)
    chosen = torch.zeros(tap.channels, 1, 1, dtype=torch.bool, device=device)
    chosen[numbers] = True
    if edit.operation == "gain":
        factors = torch.where(chosen, edit.amount, 1.0)
        return lambda x: x * factors.to(x.dtype)
    if edit.operation == "offset":
        offsets = torch.where(chosen, edit.amount, 0.0)
        return lambda x: x + offsets.to(x.dtype)
    if edit.operation == "threshold":
        return lambda x: torch.where(chosen, (x > edit.amount).to(x.dtype), x)
    return lambda x: x.index_copy(1, numbers, moved(x.index_select(1, numbers), edit.matrix, tap.sampling_rate).to(x.dtype))


def moved(x: Tensor, matrix: np.ndarray, sampling_rate: float) -> Tensor:
    """x [N, C, H, W] after the forward transform, a few channels at a time; a mere shift is one, and exact by whole samples."""
    if np.array_equal(matrix[:2, :2], np.eye(2)):
        return fractional_shift(x, (matrix[0, 2] * sampling_rate, matrix[1, 2] * sampling_rate))[0]
    at_once = max(1, FINE_SAMPLES // (x.shape[0] * x.shape[2] * x.shape[3]))
    parts = [warp(part, matrix, sampling_rate=sampling_rate)[0] for part in x.split(at_once, dim=1)]
    return torch.cat(parts, dim=1)
