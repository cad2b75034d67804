"""Directions in W: its principal components, found once for a network and class, and the edits that move ws along them.

    w' = w + sum over edits of x sigma v,   in the rows of each edit

after Härkönen et al. (2020), "GANSpace: Discovering Interpretable GAN Controls", section 2: v the eigenvectors and sigma the square roots
of the eigenvalues of the covariance of w. Arrows of one's own are added as they are stored, sigma being 1.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from torch_utils.sending import sent
from viz import directions_file
from viz.latent_file import LatentError
from viz.state import Directions, Latent, ViewState

if TYPE_CHECKING:
    from viz.stages import Run
    from viz.stages.load import Ready

SAMPLES = 4096  # seeds 0 to 4095
CHUNK = 512


@dataclass(frozen=True, eq=False)
class Components:
    """`vectors` float64 [K, w_dim] of length 1, `deviations` [K] of w along them, largest first, `shares` [K] of the variance."""

    vectors: np.ndarray
    deviations: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True)
class Choices:
    """What the window may know: the share of variance of every component, if they are known, and the names of one's own directions."""

    shares: tuple[float, ...] = ()
    own: tuple[str, ...] = ()


NONE = Choices()


def principal(w: np.ndarray) -> Components:
    """The principal components of w [n, w_dim], in float64; the largest entry of each is positive, so that their signs are no accident."""
    centred = w.astype(np.float64) - w.mean(axis=0, dtype=np.float64)
    values, columns = np.linalg.eigh(centred.T @ centred / max(1, len(w) - 1))
    variances, vectors = values[::-1].clip(min=0.0), columns.T[::-1]
    largest = vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)]
    vectors = vectors * np.where(largest < 0, -1.0, 1.0)[:, None]
    return Components(vectors, np.sqrt(variances), variances / (variances.sum() or 1.0))


def moved(run: Run, ready: Ready, ws: torch.Tensor) -> tuple[torch.Tensor, Choices]:
    """ws [1, num_ws, w_dim] after the view's edits, in their rows only, and what there is to choose from. Raises LatentError."""
    directions, num_ws = run.view.get(Directions), ready.network.num_ws
    components = components_of(run, ready) if any(not edit.own for edit in directions.edits) else None
    own = own_directions(run, ready, directions) if directions.file else None
    choices = Choices(() if components is None else tuple(components.shares.tolist()), () if own is None else own.names)
    offsets, touched = np.zeros((num_ws, ready.network.w_dim)), np.zeros((num_ws, 1), bool)
    for edit in directions.acting:
        arrow = _arrow(edit.number, None if edit.own else components, own)
        rows = slice(edit.first, edit.rows(num_ws).stop)
        offsets[rows] += edit.amount * np.broadcast_to(arrow, offsets.shape)[rows]
        touched[rows] = True
    if not touched.any():
        return ws, choices
    to = sent(offsets, ws.device, ws.dtype)
    return torch.where(sent(touched, ws.device), ws + to, ws), choices


def _arrow(number: int, components: Components | None, own: directions_file.OwnDirections | None) -> np.ndarray:
    """sigma v [w_dim], or one's own [1 or num_ws, w_dim]. Beyond its last component w does not vary: sigma is 0."""
    if components is not None:
        there = number < len(components.vectors)
        return components.deviations[number] * components.vectors[number] if there else np.zeros(1)
    if own is None:
        raise LatentError(f"own direction {number}", "there is no file of directions", "Open one, or remove the direction.")
    if number >= len(own.arrows):
        raise LatentError(f"own direction {number}", f"the file has {len(own.arrows)}, counted from 0", "Choose another.")
    return own.arrows[number]


def components_of(run: Run, ready: Ready) -> Components:
    """Those of this network's w, for the class of the view (each seed's own, where it is drawn), computed once and remembered.

    By the kernels of the view that asked first: others differ in the last digits, and a second's work is not done again for them.
    """
    network: Any = ready.network
    class_index = run.view.get(Latent).class_index if network.c_dim else -1
    key = ("components", ready.trained.identity, class_index)
    found = run.memory.get(key)
    if found is None:
        found = principal(_sampled(run, ready, class_index))
        run.memory.put(key, found)
    return found


def _sampled(run: Run, ready: Ready, class_index: int) -> np.ndarray:
    """w [SAMPLES, w_dim] of the first seeds, without truncation."""
    from viz.stages.latent import draw_z

    network, found = ready.network, []
    for start in range(0, SAMPLES, CHUNK):
        if start:
            run.progress("principal components of w", start / SAMPLES, False)
        drawn = [draw_z(seed, network.z_dim, network.c_dim, class_index) for seed in range(start, start + CHUNK)]
        z = sent(np.stack([z for z, _ in drawn]), ready.device, torch.float32)
        labels = [c for _, c in drawn if c is not None]
        c = sent(np.stack(labels), ready.device, torch.float32) if labels else None
        found.append(network.map(z, c)[:, 0].cpu().numpy())
    return np.concatenate(found)


def own_directions(run: Run, ready: Ready, directions: Directions) -> directions_file.OwnDirections:
    """The file's directions for this network; remembered as long as its hash in the view is the same: it may be gone by then."""
    key = ("directions", directions.file, directions.sha256)
    arrays = run.memory.get(key)
    if arrays is None:
        arrays = directions_file.read(Path(directions.file))
        run.memory.put(key, arrays)
    return directions_file.fitted(Path(directions.file).name, arrays, num_ws=ready.network.num_ws, w_dim=ready.network.w_dim)


def name_of(view: ViewState, row: int, num_ws: int) -> tuple[Hashable, ...]:
    """What moves row `row` of ws, for the memory of layers; nothing where nothing does."""
    directions = view.get(Directions)
    edits = tuple((edit.own, edit.number, edit.amount) for edit in directions.acting if row in edit.rows(num_ws))
    return ("moved", edits, directions.file, directions.sha256) if edits else ()
