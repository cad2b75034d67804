"""Equivariance of what is on screen, beyond its one picture: at every layer, and swept over shift and angle.

Everything here is computation for overlays; torch is imported inside functions. A pose is a forward 3x3 matrix in image
widths. `conditions` are the further arguments of `Generator.synthesize` that the view fixes (noise, learned_pose, force_fp32).
Source: Karras et al. 2021, section 4.2 and appendix E.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from networks.measures.comparison import Kind, difference, image_frame, restricted
from networks.measures.patience import LastStep, Stop, synthesized

if TYPE_CHECKING:
    import torch

Conditions = Mapping[str, Any]
NONE: Conditions = {}


@dataclass(frozen=True)
class LayerEquivariance:
    """How well one layer follows the pose.

    `signal_db` compares the error with the layer's own variance (layers have no peak value), over the part of the image
    that was in the image before; `valid` is that part's number of values. None where nothing can be compared.
    """

    name: str
    sampling_rate: float
    signal_db: float | None
    valid: int


@dataclass(frozen=True)
class SweepPoint:
    """At `value` pixels to the right, or turns counter-clockwise: PSNR in dB (inf where nothing moved)."""

    value: float
    db: float | None
    kind: Kind


class NoGridError(ValueError):
    """The network has no input grid, so it has no equivariance to measure."""


def per_layer(network: Any, ws: torch.Tensor, pose: Any, conditions: Conditions = NONE) -> Iterator[LayerEquivariance]:
    """What the pose made of ws [1, num_ws, w_dim] against what it should have, at every tap, in order of computation, each with its own
    sampling rate and margins.

    Both chains of layers run once, side by side, and keep one layer each. Raises NoGridError for a network that cannot be posed.
    """
    import torch

    _need_grid(network)
    chains = (LastStep(), LastStep())
    for tap in network.taps:
        with torch.inference_mode():
            base, moved = (
                network.synthesize(ws, pose=p, tap=tap.name, memo=memo, **conditions)[0]
                for p, memo in zip((None, pose), chains, strict=True)
            )
            found = difference(base, moved, pose, sampling_rate=tap.sampling_rate)
            found = restricted(found, image_frame(tap.size, pose, tap.sampling_rate))
            layer = LayerEquivariance(tap.name, tap.sampling_rate, found.signal_db, found.valid)
        yield layer  # outside the `with`: between two steps, the caller's mode is the caller's


def sweep_shift(
    network: Any,
    ws: torch.Tensor,
    shifts_px: Iterable[float] = tuple(np.linspace(0, 1, 17)),
    conditions: Conditions = NONE,
    stop: Stop | None = None,
) -> Iterator[SweepPoint | None]:
    """PSNR for shifts to the right by these numbers of pixels; None whenever `stop()` interrupts.

    A network that aliases falls between whole pixels and comes back up at them. So does any other, from a higher level:
    the six-tap reference of the fractional shift has a small error of its own, which caps the curve.
    """
    rate = network.img_resolution
    return _sweep(network, ws, ((s, ((1.0, 0.0, s / rate), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))) for s in shifts_px), conditions, stop)


def sweep_angle(
    network: Any,
    ws: torch.Tensor,
    angles_turns: Iterable[float] = tuple(np.linspace(0, 1, 33)),
    conditions: Conditions = NONE,
    stop: Stop | None = None,
) -> Iterator[SweepPoint | None]:
    """PSNR for rotations by these numbers of turns, counter-clockwise; None whenever `stop()` interrupts."""
    from torch_utils.resample import pose_matrix

    return _sweep(network, ws, ((a, pose_matrix(2 * np.pi * a)) for a in angles_turns), conditions, stop)


def _sweep(
    network: Any, ws: torch.Tensor, poses: Iterable[tuple[float, Any]], conditions: Conditions, stop: Stop | None
) -> Iterator[SweepPoint | None]:
    import torch

    _need_grid(network)
    base = (yield from synthesized(network, ws, stop, pose=None, **conditions))[0]
    for value, pose in poses:
        moved = (yield from synthesized(network, ws, stop, pose=pose, **conditions))[0]
        with torch.inference_mode():
            found = difference(base, moved, pose, sampling_rate=network.img_resolution)
            point = SweepPoint(float(value), found.db, found.kind)
        yield point


def _need_grid(network: Any) -> None:
    if not network.has_pose:
        raise NoGridError("this network has no input grid: it cannot be posed, so equivariance does not exist for it")
