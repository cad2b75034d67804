"""The groups of latents that do not come from the lattice of seeds. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from viz.groups.groups import ranged


@dataclass(frozen=True)
class OwnLatent:
    """A latent out of a file (.npy, .npz, .safetensors) in place of the lattice; "" is none. `space` "" takes what the file says;
    `index` counts the latents in it; `sha256` is the file's hash when it was opened."""

    file: str = ""
    space: str = ranged("", choices=("", "z", "w", "ws"))
    index: int = ranged(0, 0, discrete=True)
    sha256: str = ""


@dataclass(frozen=True)
class Inversion:
    """The latent that is looked for by optimisation so that the network shows `picture` (a file); `space` "w" is one row for all,
    "w+" a row for each input of the synthesis."""

    on: bool = False
    picture: str = ""
    space: str = ranged("w+", choices=("w", "w+"))
    steps: int = ranged(200, 10, 10**5)
    perceptual: bool = True
