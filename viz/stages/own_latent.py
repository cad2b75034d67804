"""A latent out of a file in place of the lattice of seeds: z through the mapping, w for every row, or ws as it is."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from torch_utils.sending import sent
from viz import latent_file
from viz.state import Latent, OwnLatent, Truncation

if TYPE_CHECKING:
    from viz.stages import Run
    from viz.stages.load import Ready


def own_ws(run: Run, ready: Ready) -> torch.Tensor:
    """ws [1, num_ws, w_dim] of the view's own latent, truncated as the view says. Raises LatentError where the file does not fit."""
    own, truncation, network = run.view.get(OwnLatent), run.view.get(Truncation), ready.network
    latents = _read(run, own)
    latents.check(Path(own.file).name, z_dim=network.z_dim, w_dim=network.w_dim, num_ws=network.num_ws)
    row = min(own.index, latents.count - 1)
    values = sent(latents.values[row : row + 1].copy(), ready.device)
    cutoff = None if truncation.cutoff < 0 else truncation.cutoff
    if latents.kind == "z":
        return network.map(values, _class(run, ready, latents, row), psi=truncation.psi, cutoff=cutoff)
    ws = values[:, None].repeat(1, network.num_ws, 1) if latents.kind == "w" else values.clone()
    if truncation.psi != 1:
        ws[:, :cutoff] = network.w_avg.lerp(ws[:, :cutoff], truncation.psi)
    return ws


def name_of(own: OwnLatent, row: int) -> Hashable:
    """What makes row `row` of ws, for the memory of layers. Rows of one w are the same, but nobody has looked into the file yet."""
    return ("own", own, row)


def _read(run: Run, own: OwnLatent) -> latent_file.Latents:
    """The file, remembered as long as its hash in the view is the same: it may be gone by then."""
    key = ("latents", own.file, own.sha256, own.space)
    latents = run.memory.get(key)
    if latents is None:
        latents = latent_file.read(Path(own.file), own.space)
        run.memory.put(key, latents)
    return latents


def _class(run: Run, ready: Ready, latents: latent_file.Latents, row: int) -> torch.Tensor | None:
    """The class label that the file has, else the one chosen in the view (class 0 where it is drawn from a seed)."""
    network: Any = ready.network
    if network.c_dim == 0:
        return None
    c = torch.zeros(1, network.c_dim)
    if latents.c is not None and latents.c.shape[1:] == (network.c_dim,):
        c[0] = torch.from_numpy(latents.c[min(row, len(latents.c) - 1)])
    else:
        c[0, min(max(run.view.get(Latent).class_index, 0), network.c_dim - 1)] = 1
    return sent(c, ready.device)
