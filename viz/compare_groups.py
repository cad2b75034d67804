"""The groups of the comparison: what the second view has for itself, and how the two are laid out. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from viz.groups import ranged

MODES = ("side", "wipe", "flip", "difference")


@dataclass(frozen=True)
class Compare:
    """A second view beside this one. It shares everything with it, except what is named here.

    `network` "" is the same network (`sha256`: the weights a saved comparison was seen with). Each `own_...` switch gives
    the second view the values that follow it.
    """

    on: bool = False
    network: str = ""
    sha256: str = ""
    own_latent: bool = False
    x: float = 0.0
    y: float = 0.0
    own_truncation: bool = False
    psi: float = ranged(1.0, -10, 10)
    cutoff: int = ranged(-1, -1, special=-1)
    own_noise: bool = False
    noise: str = ranged("const", choices=("const", "none", "random"))
    noise_seed: int = ranged(0, 0, 2**32 - 1)
    own_pose: bool = False
    pose_x: float = 0.0
    pose_y: float = 0.0
    turns: float = ranged(0.0, turn=True)
    own_layer: bool = False
    layer: str = ""
    intact: bool = False  # what is broken in the first is whole in the second


@dataclass(frozen=True)
class CompareView:
    """How the two are shown: drawing, not rendering.

    `split` is where the wipe's divider stands, in image widths from the centre. `second`: flipped, so that the second view is
    seen. `gain_db` is that of the difference, whose zero is mid-grey.
    """

    mode: str = ranged("side", choices=MODES)
    split: float = ranged(0.0, -4, 4)
    second: bool = False
    gain_db: float = ranged(0.0, -80, 120)
