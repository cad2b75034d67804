"""Drag points: what is under a handle point moves to its target point, by optimisation of rows of ws (Pan et al. 2023, "Drag Your GAN").

With F the features of one layer, F_0 those of the beginning, p_i and t_i the handles and targets, and d_i the way of one sample from p_i
towards t_i:

    motion supervision  L = sum_i mean over q in Omega_1(p_i, r_1) of |sg F(q) - F(q + d_i)| + lambda mean over what stays of |F - F_0|
    point tracking      p_i <- argmin over q in Omega_2(p_i, r_2) of |F(q) - F_0(p_i at the beginning)|

sg: taken as constant. |.| is the mean over channels, so that lambda means the same in every layer. A step is one of each. Places and radii
are image widths from the centre, whatever the rate and the margin of the layer; features between samples are bicubic. Omega_1 is a disc of
places one sample apart, Omega_2 one of places half a sample apart. Torch is imported inside functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

ARRIVED_SAMPLES = 0.5  # a handle as near as this to its target has arrived
TRACKED_APART = 0.5  # samples between the places that are compared with
DOUBTED_ALONG = 16  # places, at most, along a way
FIRST_DECAY, SECOND_DECAY = 0.9, 0.999


@dataclass(frozen=True)
class Problem:
    """`features` of ws [1, num_ws, w_dim] are [1, C, H, W], at `rate` samples per image width; `handles` and `targets` [n, 2] as (x, y)."""

    features: Callable[[Tensor], Tensor]
    rate: float
    handles: Tensor
    targets: Tensor
    rows: tuple[int, ...]  # of ws, that may change
    size: float  # of a step of Adam, in units of w
    motion_radius: float  # r_1
    tracking_radius: float  # r_2
    stays: Callable[[Tensor], Tensor] | None = None  # places [..., 2] -> where nothing shall change
    weight: float = 0.0  # lambda


@dataclass(frozen=True, eq=False)
class Begin:
    """What is remembered of the beginning: features [1, C, H, W], those under the handles [n, C], and what stays [H, W] (None: nothing)."""

    features: Tensor
    under: Tensor
    stays: Tensor | None


@dataclass(frozen=True, eq=False)
class Dragged:
    """After `step` steps: the whole of ws, Adam's two moments for the rows that change, and where the handles are now, [n, 2]."""

    step: int
    ws: Tensor
    first: Tensor
    second: Tensor
    handles: Tensor
    features: Tensor | None = None  # of ws, with the graph that the next step goes back through


def features_at(features: Tensor, places: Tensor, rate: float) -> Tensor:
    """[1, C, H, W] at `places` [..., 2] (x, y in image widths from the centre) -> [..., C], bicubic; the border goes on outside."""
    import torch.nn.functional as F

    height, width = features.shape[2:]
    scale = places.new_tensor((2 * rate / width, 2 * rate / height))
    found = F.grid_sample(features, (places * scale).reshape(1, 1, -1, 2), mode="bicubic", padding_mode="border", align_corners=False)
    return found[0, :, 0].T.reshape(*places.shape[:-1], -1)


def disc(radius: float, apart: float, like: Tensor) -> Tensor:
    """Places [m, 2] on a grid around 0 and not beyond `radius`; at least the nearest eight."""
    import torch

    count = max(1, math.floor(radius / apart))
    axis = torch.arange(-count, count + 1, device=like.device, dtype=like.dtype) * apart
    places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
    reach = max(radius, math.sqrt(2) * apart) * (1 + 1e-6)
    return places[places.norm(dim=1) <= reach]


def motion_supervision_loss(features: Tensor, handles: Tensor, problem: Problem, begin: Begin) -> Tensor:
    """L. A handle that has arrived asks for nothing."""
    way = problem.targets - handles
    length = way.norm(dim=1, keepdim=True)
    shift = way / length.clamp(min=1e-12) / problem.rate
    around = handles[:, None] + disc(problem.motion_radius, 1 / problem.rate, handles)
    here = features_at(features.detach(), around, problem.rate)
    there = features_at(features, around + shift[:, None], problem.rate)
    wanted = ~arrived(handles, problem)
    total = ((here - there).abs().mean(dim=(1, 2)) * wanted).sum()
    if begin.stays is not None and problem.weight:
        change = (features - begin.features).abs().mean(dim=1)[0]
        total = total + problem.weight * (change * begin.stays).sum() / begin.stays.sum().clamp(min=1)
    return total


def track(features: Tensor, handles: Tensor, problem: Problem, begin: Begin) -> Tensor:
    """Where the features that were under the handles at the beginning are now, [n, 2]: the likest place around each."""
    around = handles[:, None] + disc(problem.tracking_radius, TRACKED_APART / problem.rate, handles)
    unlike = (features_at(features.detach(), around, problem.rate) - begin.under[:, None]).abs().mean(dim=2)
    return around[range(len(handles)), unlike.argmin(dim=1)]


def arrived(handles: Tensor, problem: Problem) -> Tensor:
    """Which handles are at their targets, bool [n]."""
    return (problem.targets - handles).norm(dim=1) <= ARRIVED_SAMPLES / problem.rate * (1 + 1e-6)


def doubts(problem: Problem, begun: Begin, dragged: Dragged) -> Tensor:
    """How far from its beginning each handle that has arrived may have begun instead, [n] in image widths; 0 for the others.

    It is the farthest place, no farther than the handle has gone, that was at the beginning as like what the handle was on as that is
    which it is on now. Where that is most of the way, as on a straight edge, nothing says that it did not slide.
    """
    found, here = dragged.handles.new_zeros(len(dragged.handles)), arrived(dragged.handles, problem)
    if dragged.features is None:
        return found
    unlike = (features_at(dragged.features.detach(), dragged.handles, problem.rate) - begun.under).abs().mean(dim=1)
    for index, way in enumerate((dragged.handles - problem.handles).norm(dim=1).tolist()):
        if way and here[index]:
            around = disc(way, max(1 / problem.rate, way / DOUBTED_ALONG), found)
            then = features_at(begun.features, problem.handles[index] + around, problem.rate)
            found[index] = around[(then - begun.under[index]).abs().mean(dim=1) <= unlike[index]].norm(dim=1).max().clamp(max=way)
    return found


def begin(problem: Problem, ws: Tensor) -> Begin:
    """The features of the latent that is dragged."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        features = problem.features(ws.clone())
        stays = None
        if problem.stays is not None:
            height, width = features.shape[2:]
            ys, xs = ((torch.arange(n, device=ws.device) + 0.5 - n / 2) / problem.rate for n in (height, width))
            places = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1)
            stays = (problem.stays(places) & (places.abs() <= 0.5).all(dim=-1)).to(features.dtype)
        return Begin(features, features_at(features, problem.handles, problem.rate), stays)


def start(problem: Problem, ws: Tensor) -> Dragged:
    """Before the first step."""
    import torch

    with torch.inference_mode(False):
        whole = ws.detach().clone()
        zero = torch.zeros_like(whole[:, list(problem.rows)])
        return Dragged(0, whole, zero, zero.clone(), problem.handles.clone())


def step(problem: Problem, begun: Begin, dragged: Dragged) -> Dragged:
    """Motion supervision, a step of Adam (Kingma and Ba 2015) on the rows, and point tracking in what became of the features.

    The features that tracking needs are those that the next step differentiates, so the layers run once a step.
    """
    import torch

    rows = list(problem.rows)
    with torch.inference_mode(False), torch.enable_grad():
        features, free = dragged.features, dragged.ws
        if features is None or not free.requires_grad:
            free = dragged.ws.detach().clone().requires_grad_(True)
            features = problem.features(free)
        loss = motion_supervision_loss(features, dragged.handles, problem, begun)
        (gradient,) = torch.autograd.grad(loss, free)
        with torch.no_grad():
            gradient, count = gradient[:, rows], dragged.step + 1
            first = FIRST_DECAY * dragged.first + (1 - FIRST_DECAY) * gradient
            second = SECOND_DECAY * dragged.second + (1 - SECOND_DECAY) * gradient.square()
            move = (first / (1 - FIRST_DECAY**count)) / ((second / (1 - SECOND_DECAY**count)).sqrt() + 1e-12)
            ws = free.detach().clone()
            ws[:, rows] -= problem.size * move
        ws.requires_grad_(True)
        after = problem.features(ws)
        with torch.no_grad():
            handles = track(after, dragged.handles, problem, begun)
    return replace(dragged, step=count, ws=ws, first=first, second=second, handles=handles, features=after)
