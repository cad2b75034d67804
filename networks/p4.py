"""Convolutions on p4, the group of shifts and quarter turns (Cohen and Welling, Group Equivariant Convolutional Networks, 2016).

A feature has four orientations, channel `4 i + r` of a tensor being feature i in orientation r. When the input of a network
is turned by a quarter, every feature is turned in the plane and its orientations change places cyclically; what sums over
the orientations with equal weights, as ToRGB here, only turns.
"""

from __future__ import annotations

import torch
from torch import Tensor

ORIENTATIONS = 4


def expand_kernel(weight: Tensor, in_orientations: int, out_orientations: int) -> Tensor:
    """The learned kernels as one of an ordinary convolution on tensors with orientations.

    From features in four orientations to ditto: weight [out, 4 in, k, k] -> [4 out, 4 in, k, k], output orientation r seeing
    the kernels turned by r quarters counter-clockwise and input orientation q through kernel q - r. To features without orientation:
    [out, in, k, k] -> [out, 4 in, k, k], the same kernel for all, which needs a kernel that is its own quarter turn (1 x 1).
    Without orientations, the weight as it is.
    """
    if in_orientations == 1:
        return weight
    if out_orientations == 1:
        return weight.repeat_interleave(in_orientations, dim=1)
    by_orientation = weight.unflatten(1, (-1, ORIENTATIONS))
    turned = [by_orientation.roll(r, dims=2).rot90(r, (-2, -1)) for r in range(ORIENTATIONS)]
    return torch.stack(turned, dim=1).flatten(2, 3).flatten(0, 1)


def repeated(values: Tensor, orientations: int, dim: int) -> Tensor:
    """One value a feature -> one a channel."""
    return values if orientations == 1 else values.repeat_interleave(orientations, dim=dim)
