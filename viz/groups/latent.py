"""Groups of latents that do not come from the lattice of seeds, and of directions in which any latent is moved. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from viz.groups.groups import ListOfEdits, ranged


@dataclass(frozen=True)
class OwnLatent:
    """A latent out of a file (.npy, .npz, .safetensors) in place of the lattice; "" is none. `space` "" takes what the file says;
    `index` counts the latents in it; `sha256` is the file's hash when it was opened."""

    file: str = ""
    space: str = ranged("", choices=("", "z", "w", "ws"))
    index: int = ranged(0, 0, discrete=True)
    sha256: str = ""


@dataclass(frozen=True)
class Direction:
    """One edit: rows `first` to `last` of ws (-1: to the last one) move by `amount` along direction `number`, counted from 0.

    Principal components of w, in standard deviations; with `own`, the arrows of the file in `Directions`, in lengths as they are stored.
    """

    number: int = ranged(0, 0, 4095)
    amount: float = ranged(0.0, -1000, 1000)
    first: int = ranged(0, 0, 255)
    last: int = ranged(-1, -1, 255)
    own: bool = False

    def rows(self, num_ws: int) -> range:
        """The rows that are moved, of a network that has this many."""
        return range(self.first, num_ws if self.last < 0 else min(self.last + 1, num_ws))


@dataclass(frozen=True)
class Directions(ListOfEdits):
    """w' = w + sum of amount * sigma * v over `edits`, after truncation and mixing. `file` ("" is none) holds one's own directions;
    `sha256` is its hash when it was opened."""

    edits: tuple[Direction, ...] = ranged((), sums="amount")
    file: str = ""
    sha256: str = ""

    @property
    def acting(self) -> tuple[Direction, ...]:
        """The edits that move anything."""
        return tuple(edit for edit in self.edits if edit.amount)


@dataclass(frozen=True)
class Inversion:
    """The latent that is looked for by optimisation so that the network shows `picture` (a file); `space` "w" is one row for all,
    "w+" a row for each input of the synthesis."""

    on: bool = False
    picture: str = ""
    space: str = ranged("w+", choices=("w", "w+"))
    steps: int = ranged(200, 10, 10**5)
    perceptual: bool = True
