"""Stage "latent": from a point on the seed lattice to `ws`, one row for every input of the synthesis network."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from torch_utils.sending import sent
from viz.gpu.later import Later
from viz.stages import Run, Stage, directions
from viz.stages.load import Ready
from viz.stages.own_latent import name_of, own_ws
from viz.stages.synthesis import forced_backend
from viz.state import SEEDS_PER_ROW, Device, Directions, Latent, LatentPath, Mixing, OwnLatent, Truncation, ViewState


@dataclass(frozen=True)
class Styles:
    """ws [1, num_ws, w_dim], the seeds that made it with their weights, for each row all that made it, as a name, the pose
    (r_c, r_s, t_x, t_y) that the network learns from it, and the directions in which it can be moved, as far as they are known.
    """

    ws: torch.Tensor
    seeds: tuple[tuple[int, float], ...]
    names: tuple[Hashable, ...]
    learned_pose: Later[tuple[float, ...]] | None = None
    choices: directions.Choices = directions.NONE


NO_PATH = LatentPath()


def corners(x: float, y: float) -> tuple[tuple[int, float], ...]:
    """Seeds at the corners of the lattice cell around (x, y) with bilinear weights; zero weights are left out.

    Corner (i, j) is seed `(floor x + i) + 100 (floor y + j)`, modulo 2^32, so one step down equals 100 to the right.
    """
    x0, y0 = math.floor(x), math.floor(y)
    found: dict[int, float] = {}
    for j in (0, 1):
        for i in (0, 1):
            weight = (1 - abs(x - (x0 + i))) * (1 - abs(y - (y0 + j)))
            if weight > 0:
                seed = (x0 + i + SEEDS_PER_ROW * (y0 + j)) % 2**32
                found[seed] = found.get(seed, 0.0) + weight
    return tuple(found.items())


def along(path: LatentPath) -> tuple[tuple[int, float], ...]:
    """Seeds around a place on a closed path with their weights: Catmull-Rom, so the path passes through each seed's w
    without a kink, and its end meets its beginning. Weights add up to 1; outer ones are negative.
    """
    count = len(path.seeds)
    first = math.floor(path.position)
    s = path.position - first
    weights = ((-s + 2 * s**2 - s**3) / 2, (2 - 5 * s**2 + 3 * s**3) / 2, (s + 4 * s**2 - 3 * s**3) / 2, (s**3 - s**2) / 2)
    found: dict[int, float] = {}
    for k, weight in enumerate(weights, start=first - 1):
        if weight != 0:
            seed = path.seeds[k % count]
            found[seed] = found.get(seed, 0.0) + weight
    return tuple(found.items())


def blend_weights(latent: Latent, path: LatentPath = NO_PATH) -> tuple[tuple[int, float], ...]:
    """The seeds' weights; "preserving" scales them to unit sum of squares, as independent w would need it."""
    seeds = along(path) if path.seeds else corners(latent.x, latent.y)
    if latent.blend == "published":
        return seeds
    norm = math.sqrt(sum(weight**2 for _, weight in seeds))
    return tuple((seed, weight / norm) for seed, weight in seeds)


def draw_z(seed: int, z_dim: int, c_dim: int, class_index: int) -> tuple[np.ndarray, np.ndarray | None]:
    """z [z_dim] and one-hot c of a seed, as published: normals of RandomState(seed), then a class from the same stream."""
    stream = np.random.RandomState(seed)
    z = stream.randn(z_dim)
    if c_dim == 0:
        return z, None
    drawn = int(stream.randint(c_dim))
    c = np.zeros(c_dim)
    c[drawn if class_index < 0 else min(class_index, c_dim - 1)] = 1
    return z, c


def run(run: Run) -> Styles:
    ready: Ready = run.inputs["load"]
    latent = run.view.get(Latent)
    seeds = () if run.view.get(OwnLatent).file else blend_weights(latent, run.view.get(LatentPath))
    w_avg = ready.network.w_avg
    with forced_backend(run.view):
        offset = sum(weight * (mapped(run, ready, seed) - w_avg) for seed, weight in seeds)
        ws = w_avg + offset if seeds else own_ws(run, ready)
        ws, choices = directions.moved(run, ready, _mixed(run, ready, ws))
    return Styles(ws, seeds, row_names(run.view, ready.network.num_ws, seeds), _learned_pose(ready, ws), choices)


def _mixed(run: Run, ready: Ready, ws: torch.Tensor) -> torch.Tensor:
    """With the chosen rows from the other seed, or part of the way to it."""
    mixing, num_ws = run.view.get(Mixing), ready.network.num_ws
    rows = [row for row in mixing.rows if row < num_ws]
    if not rows:
        return ws
    other = mapped(run, ready, mixing.seed)
    if mixing.amount < 1:
        other = ws.lerp(other, mixing.amount)
    return torch.stack([(other if row in rows else ws)[:, row] for row in range(num_ws)], dim=1)


def _learned_pose(ready: Ready, ws: torch.Tensor) -> Later[tuple[float, ...]] | None:
    source = ready.network.fourier_input
    if source is None or source.affine is None:  # none to learn: before rung H the input stands as it is
        return None
    with torch.inference_mode():
        return Later(ready.network.learned_pose(ws[:, 0])[0], tuple)


def row_names(view: ViewState, num_ws: int, seeds: tuple[tuple[int, float], ...]) -> tuple[Hashable, ...]:
    """What each row of ws is made of. Rows of equal names are equal, so that on a GPU nobody has to read them to know."""
    truncation, mixing, class_index = view.get(Truncation), view.get(Mixing), view.get(Latent).class_index

    def name(row: int) -> Hashable:
        psi = truncation.psi if truncation.cutoff < 0 or row < truncation.cutoff else 1.0
        made: Hashable = seeds or name_of(view.get(OwnLatent), row)
        if row in mixing.rows and mixing.amount:
            made = mixing.seed if mixing.amount == 1 else (made, mixing.seed, mixing.amount)
        return (made, class_index, psi, *directions.name_of(view, row, num_ws))

    return tuple(name(row) for row in range(num_ws))


def mapped(run: Run, ready: Ready, seed: int) -> torch.Tensor:
    """ws of one seed after truncation, remembered: dragging between the same four corners maps nothing."""
    truncation, class_index = run.view.get(Truncation), run.view.get(Latent).class_index
    key = ("mapped", ready.trained.identity, run.view.get(Device).backend, seed, class_index, truncation)
    ws = run.memory.get(key)
    if ws is None:
        network: Any = ready.network
        z, c = draw_z(seed, network.z_dim, network.c_dim, class_index)
        as_batch = lambda a: sent(a, ready.device, torch.float32)[None]  # noqa: E731
        cutoff = None if truncation.cutoff < 0 else truncation.cutoff
        ws = network.map(as_batch(z), None if c is None else as_batch(c), psi=truncation.psi, cutoff=cutoff)
        run.memory.put(key, ws)
    return ws


def key(view: ViewState, inputs: dict[str, Any]) -> Hashable:
    """Kernels differ in the last digits; of what else is computed on, the network's identity tells."""
    return (*map(view.get, READS), view.get(Device).backend)


READS = (Latent, LatentPath, OwnLatent, Mixing, Directions, Truncation)
STAGE = Stage("latent", after=("load",), reads=READS, run=run, key=key)
