"""Groups of the view about the insides of a network: its filters, what breaks them, its input, its layers side by side.

As in `viz.groups`, each default stands here and nowhere else. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

from viz.groups import ranged

WINDOWS = ("kaiser", "lanczos", "gaussian", "bilinear", "nearest")


@dataclass(frozen=True)
class Filters:
    """The filters of the network: taps, responses, design."""

    on: bool = False


@dataclass(frozen=True)
class BreakIt:
    """What is broken in the loaded network, without retraining: see `networks.breakage.Breakage`, which has the same fields.

    `layers` are numbers (0 for L0), empty for all. Each other field has a value that leaves things as they are.
    """

    layers: tuple[int, ...] = ()
    upsampling: int = ranged(0, 0, 8, discrete=True)
    support: int = ranged(0, 0, 16, discrete=True)
    window: str = ranged("", choices=("", *WINDOWS))
    cutoff_octaves: float = ranged(0.0, -4, 4)
    margin: int = ranged(-1, -1, 64, special=-1)
    noise: float = ranged(0.0, 0, 10)
    pool: str = ranged("", choices=("", "max", "blur"))

    @property
    def on(self) -> bool:
        """Whether anything is broken; which layers are meant breaks nothing by itself."""
        return BreakIt(layers=self.layers) != self

    def summary(self) -> str:
        """ "m = 1, nearest in L3, L4"; "" while nothing is broken."""
        parts = [f"m = {1 << (self.upsampling.bit_length() - 1)}"] if self.upsampling else []  # m is a power of two
        parts += [f"n = {self.support}"] if self.support else []
        parts += [self.window] if self.window else []
        parts += [f"f_c × {2**self.cutoff_octaves:.2g}"] if self.cutoff_octaves else []
        parts += [f"margin {self.margin}"] if self.margin >= 0 else []
        parts += [f"noise {self.noise:.2g}"] if self.noise else []
        parts += [f"{self.pool}-pool"] if self.pool else []
        where = f"L{', L'.join(map(str, sorted(self.layers)))}" if self.layers else "all layers"
        return f"{', '.join(parts)} in {where}" if parts else ""


@dataclass(frozen=True)
class FourierView:
    """The Fourier input as it is now: frequencies, phases, damping, and the part of its plane that the picture sees."""

    on: bool = False


@dataclass(frozen=True)
class Filmstrip:
    """Every layer side by side, at one scale and on one grid."""

    on: bool = False


@dataclass(frozen=True)
class LayerHealth:
    """At every layer: what 16-bit numbers change, what the clamp cuts off, channels that carry nothing."""

    on: bool = False
    dtype: str = ranged("float16", choices=("float16", "bfloat16"))
