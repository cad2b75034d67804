"""The groups of the comparison: what each further view has for itself, and how they are laid out. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from viz.groups.edits import Edit
from viz.groups.groups import ranged
from viz.groups.layer import BreakIt
from viz.groups.pose import Pose

MODES = ("side", "wipe", "flip", "difference")


@dataclass(frozen=True)
class OwnValues:
    """What a view beside the first has for itself. It shares everything with the first, except what is named here.

    `network` "" is the same network (`sha256`: the weights a saved comparison was seen with). Each `own_...` switch gives
    the view the values that follow it; a latent is that of `file` (and what follows it), else
    the one at `position` of the path through `seeds`, else the one at x, y. `intact`: what is broken or edited in the first is whole here;
    `own_break`: it is broken in its own way, which stands in a group of its own.
    """

    on: bool = False
    network: str = ""
    sha256: str = ""
    own_latent: bool = False
    x: float = 0.0
    y: float = 0.0
    seeds: tuple[int, ...] = ()
    position: float = 0.0
    file: str = ""
    space: str = ranged("", choices=("", "z", "w", "ws"))
    index: int = ranged(0, 0, discrete=True)
    file_sha256: str = ""
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
    scale: float = ranged(1.0, 0.1, 10.0, geometric=True)
    stretch: float = ranged(1.0, 0.1, 10.0, geometric=True)
    shear: float = ranged(0.0, -4.0, 4.0)
    mirror: bool = False
    own_layer: bool = False
    layer: str = ""
    intact: bool = False
    own_break: bool = False
    own_edits: bool = False
    edits: tuple[Edit, ...] = ranged((), each=True)

    def posed(self, pose: Pose) -> Pose:
        """The pose with these values in it; whether it snaps is shared."""
        rest = {name: getattr(self, name) for name in ("turns", "scale", "stretch", "shear", "mirror")}
        return replace(pose, x=self.pose_x, y=self.pose_y, **rest)


@dataclass(frozen=True)
class Compare(OwnValues):
    """`on`: further views beside this one. The other fields are those of the second view."""


@dataclass(frozen=True)
class ThirdView(OwnValues):
    """The third view, while the comparison is on too."""


@dataclass(frozen=True)
class FourthView(OwnValues):
    """The fourth view, while the comparison is on too."""


@dataclass(frozen=True)
class SecondBreak(BreakIt):
    """What is broken in the second view, where that is its own."""


@dataclass(frozen=True)
class ThirdBreak(BreakIt):
    """What is broken in the third view, where that is its own."""


@dataclass(frozen=True)
class FourthBreak(BreakIt):
    """What is broken in the fourth view, where that is its own."""


@dataclass(frozen=True)
class CompareView:
    """How the views are shown: drawing, not rendering.

    `split` is where the wipe's divider stands, in image widths from the centre. `second`: flipped, so that the other view is
    seen. `gain_db` is that of the difference, whose zero is mid-grey. `other` (2 to 4): which view wipe, flip and difference
    act with. `columns` of views side by side; 0 as many as make them largest.
    `captions`: saved pictures have words below.
    """

    mode: str = ranged("side", choices=MODES)
    split: float = ranged(0.0, -4, 4)
    second: bool = False
    gain_db: float = ranged(0.0, -80, 120)
    other: int = ranged(2, 2, 4, discrete=True)
    columns: int = ranged(0, 0, 4, discrete=True)
    captions: bool = False


OTHERS: dict[int, type[OwnValues]] = {2: Compare, 3: ThirdView, 4: FourthView}  # views beside the first, by number
OWN_BREAKS: dict[int, type[BreakIt]] = {2: SecondBreak, 3: ThirdBreak, 4: FourthBreak}
NAMES = {1: "First", 2: "Second", 3: "Third", 4: "Fourth"}
