"""How a view's latent is called in files and in the terminal. Pure."""

from __future__ import annotations

from pathlib import Path

from viz.state import SEEDS_PER_ROW, Latent, LatentPath, OwnLatent, ViewState


def seed_of(view: ViewState) -> int | None:
    """None between seeds, and for a latent that is none of them."""
    latent = view.get(Latent)
    on_one = latent.x == round(latent.x) and latent.y == round(latent.y)
    elsewhere = view.get(OwnLatent).file or view.get(LatentPath).seeds
    return (round(latent.x) + SEEDS_PER_ROW * round(latent.y)) % 2**32 if on_one and not elsewhere else None


def latent_text(view: ViewState) -> str:
    """ "seed 3", "latent (3.5, 0)", "path through 4 seeds at 1.5" or "walk.npz"."""
    seed = seed_of(view)
    return f"seed {seed}" if seed is not None else latent_name(view.get(OwnLatent).file, view.get(LatentPath), view.get(Latent))


def latent_name(file: str, path: LatentPath, latent: Latent) -> str:
    """The same of any latent, a seed being a place like any other."""
    if file:
        return Path(file).name
    return f"path through {len(path.seeds)} seeds at {path.position:g}" if path.seeds else f"latent ({latent.x:g}, {latent.y:g})"
