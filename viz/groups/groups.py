"""The groups of the view: small frozen dataclasses, one for each thing that a person sets. `viz.state` puts them together.

Each default stands in exactly one place, here. Standard library only.

Lengths are image widths, angles are turns (positive = counter-clockwise on screen), unless the name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

DEFAULT_NETWORK = "globe-r-64"


def ranged(default: Any, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = (), **between: Any) -> Any:
    """A dataclass field with the range that a saved view must respect (controls use their own, narrower ones).

    `between`: how it goes from keyframe to keyframe, where a number is more than a number (read by `viz.timeline.easing`): `turn` an angle
    in turns; `geometric` by equal factors; `discrete` not at all; `special` a value that means something of its own; `sums`
    the field of a list's parts by which each comes and goes; `each` a list whose parts move one by one, where both ends have them.
    """
    return field(default=default, metadata={"low": low, "high": high, "choices": choices, **between})


@dataclass(frozen=True)
class ListOfEdits:
    """What the groups of edits have in common."""

    edits: tuple[Any, ...] = ()

    def with_edit(self, index: int, edit: Any) -> Self:
        """With edit `index` replaced, left out (None), or added at the end."""
        return replace(self, edits=(*self.edits[:index], *([] if edit is None else [edit]), *self.edits[index + 1 :]))


# ------------------------------------------------------------------------------------------------ what is rendered


@dataclass(frozen=True)
class Source:
    """Which network: a path, a URL, or the name of a bundled or published one; `reload` counts requested re-reads."""

    network: str = DEFAULT_NETWORK
    sha256: str = ""
    reload: int = ranged(0, 0)


@dataclass(frozen=True)
class Device:
    """Where and how to compute. `backend` names a kernel backend, "auto" takes the best."""

    device: str = "auto"
    force_fp32: bool = False
    backend: str = "auto"


@dataclass(frozen=True)
class Latent:
    """A point on the seed lattice: seeds `(floor x + i) + 100 (floor y + j)` at the four corners, blended in W.

    `blend` "published" weighs the corners bilinearly (shrinks towards the mean between seeds); "preserving" rescales
    the weights to unit sum of squares, so that truncation does not breathe while dragging. `class_index` -1 draws the
    class of each seed as the published tools do.
    """

    x: float = 0.0
    y: float = 0.0
    blend: str = ranged("published", choices=("published", "preserving"))
    class_index: int = ranged(-1, -1, discrete=True)


@dataclass(frozen=True)
class LatentPath:
    """A closed curve through `seeds` in W, in place of the lattice: smooth (cubic), and back at the first seed after the last.

    `position` counts seeds: 1.5 lies between the second and the third. Without seeds there is no path, and `Latent` decides.
    """

    seeds: tuple[int, ...] = ()
    position: float = 0.0


@dataclass(frozen=True)
class Mixing:
    """Rows of ws that are taken from another seed, or go `amount` of the way to it."""

    rows: tuple[int, ...] = ()
    seed: int = ranged(1000, 0, 2**32 - 1)
    amount: float = ranged(1.0, 0, 1)


@dataclass(frozen=True)
class Truncation:
    """psi pulls the first `cutoff` rows of ws towards their mean; cutoff -1 means all rows."""

    psi: float = ranged(1.0, -10, 10)
    cutoff: int = ranged(-1, -1, special=-1)


@dataclass(frozen=True)
class Noise:
    """Per-pixel noise inputs (StyleGAN2): the stored one, none, or drawn from `seed`."""

    mode: str = ranged("const", choices=("const", "none", "random"))
    seed: int = ranged(0, 0, 2**32 - 1)


@dataclass(frozen=True)
class LearnedPose:
    """The rotation and translation that the network itself derives from w: its own, that of the mean w, none, or these numbers."""

    mode: str = ranged("own", choices=("own", "average", "identity", "fixed"))
    turns: float = ranged(0.0, turn=True)
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Unwarp:
    """Undo the pose on the picture (band-limited rotation), in image coordinates also on layers with margins."""

    on: bool = False


@dataclass(frozen=True)
class Tap:
    """Which layer to look at; "" is the finished image."""

    layer: str = ""


@dataclass(frozen=True)
class Channels:
    """Which channels to show: three as RGB, one as a map, all as a sheet, principal components as RGB, or two as angle and magnitude."""

    mode: str = ranged("rgb", choices=("rgb", "single", "sheet", "pca", "phase"))
    first: int = ranged(0, 0)
    triple: tuple[int, ...] = ()  # three free channels; empty = first, first + 1, first + 2
    normalize: bool = False
    sheet_page: int = ranged(0, 0)
    sort: str = ranged("number", choices=("number", "energy", "error", "band", "ranked"))  # of the contact sheet, largest first
    ranking: tuple[int, ...] = ()  # the channels that come first where the sheet is "ranked"

    @property
    def combined(self) -> bool:
        """Whether what is shown is made of channels, anew for each picture, instead of being channels."""
        return self.mode in ("pca", "phase")


@dataclass(frozen=True)
class HeldRange:
    """What Normalise divides these channels of a layer by, in place of each picture's own largest magnitudes: brightness keeps still."""

    layer: str = ""
    channels: tuple[int, ...] = ()
    largest: tuple[float, ...] = ()

    def of(self, layer: str, channels: tuple[int, ...]) -> tuple[float, ...] | None:
        """The held magnitudes of these channels; None where not all of them are held."""
        held = dict(zip(self.channels, self.largest, strict=False)) if layer == self.layer else {}
        return tuple(held[i] or 1.0 for i in channels) if channels and all(i in held for i in channels) else None


@dataclass(frozen=True)
class Spectrum:
    """Power spectrum of what is shown. beta = 0 is a rectangular window."""

    on: bool = False
    all_channels: bool = True
    beta: float = ranged(8.0, 0, 50)


# -------------------------------------------------------------------------------- what is measured beside the picture


@dataclass(frozen=True)
class Equivariance:
    """How well this picture follows its pose: one number, and a map of the error."""

    on: bool = False


@dataclass(frozen=True)
class LayerEquivariance:
    """The same comparison at every layer."""

    on: bool = False


@dataclass(frozen=True)
class Sweep:
    """The same comparison over a range of shifts (0 to 1 pixel) or of angles (one turn), at `num` points; 0 is as many as suit."""

    on: bool = False
    over: str = ranged("shift", choices=("shift", "angle"))
    num: int = ranged(0, 0, 10**4, special=0)


@dataclass(frozen=True)
class Flicker:
    """What changes while the picture moves by up to `reach_px` pixels and the motion is undone, over `num` poses."""

    on: bool = False
    num: int = ranged(24, 2, 10**4)
    reach_px: float = ranged(1.0, 0, 64)


@dataclass(frozen=True)
class Flow:
    """Which way fine detail moves between the picture and `num` poses up to `reach_px` pixels away: shifted, or turned."""

    on: bool = False
    over: str = ranged("shift", choices=("shift", "turn"))
    reach_px: float = ranged(0.5, 0.05, 64)
    num: int = ranged(8, 1, 10**4)


@dataclass(frozen=True)
class Metrics:
    """EQ-T, EQ-T_frac and EQ-R of the network over `num` samples."""

    on: bool = False
    eq_t: bool = True
    eq_t_frac: bool = True
    eq_r: bool = True
    num: int = ranged(100, 1, 10**6)
    seed: int = ranged(0, 0, 2**32 - 1)


@dataclass(frozen=True)
class Sticking:
    """The average of `num` pictures from a Gaussian neighbourhood: of the latent, in w or in z, or of the pose (`reach_px`)."""

    on: bool = False
    num: int = ranged(64, 2, 10**5)
    strength: float = ranged(0.25, 0, 4)
    space: str = ranged("w", choices=("w", "z", "pose"))
    hold_pose: bool = False
    seed: int = ranged(0, 0, 2**32 - 1)
    reach_px: float = ranged(2.0, 0, 64)


@dataclass(frozen=True)
class AverageSpectrum:
    """The average power spectrum of the pictures of `num` seeds, from `seed` on."""

    on: bool = False
    num: int = ranged(50, 1, 10**6)
    seed: int = ranged(0, 0, 2**32 - 1)


@dataclass(frozen=True)
class SpectrumReference:
    """What the average spectrum is compared with: a saved .npz, a folder of pictures, or a network; "" is nothing."""

    source: str = ""
    num: int = ranged(50, 1, 10**6)

    @property
    def on(self) -> bool:
        return bool(self.source)


@dataclass(frozen=True)
class LayerShares:
    """At every layer: the share of power beyond f_c and beyond f_t."""

    on: bool = False


@dataclass(frozen=True)
class Nonlinearity:
    """Inside the selected layer's filtered nonlinearity: spectra between its steps."""

    on: bool = False


# ------------------------------------------------------------------------------- how it is drawn: never re-renders


@dataclass(frozen=True)
class Tone:
    """From values to colours: gain and offset, colormap for scalar maps. Applied in a shader."""

    gain_db: float = ranged(0.0, -80, 80)
    offset: float = 0.0
    colormap: str = ranged("gray", choices=("gray", "viridis", "magma", "cividis", "diverging"))
    signed: bool = True  # scalar maps and pictures span [-1, 1]; False: [0, 1]


@dataclass(frozen=True)
class SpectrumView:
    """How the spectrum is drawn: dB range, own mean as reference or absolute, circles at f_c, f_t, s/2."""

    range_db: float = ranged(50.0, 0.1, 200)
    absolute: bool = False
    circles: bool = True
    colormap: str = ranged("viridis", choices=("viridis", "magma", "cividis", "gray"))


@dataclass(frozen=True)
class View:
    """Zoom and pan of the canvas. zoom 0 = fit; else screen pixels per image pixel. Centre in image widths."""

    zoom: float = ranged(0.0, 0, 4096, geometric=True, special=0.0)
    center_x: float = 0.0
    center_y: float = 0.0
    magnify: str = ranged("lanczos", choices=("nearest", "bicubic", "lanczos"))
    gizmo: bool = True
    margins: bool = True  # show a layer's margins around the image frame


@dataclass(frozen=True)
class OverlayView:
    """Which image of a measurement lies over the picture ("" is none), how opaque, and its gain."""

    image: str = ""
    opacity: float = ranged(1.0, 0, 1)
    gain_db: float = ranged(0.0, -80, 120)


@dataclass(frozen=True)
class Slice:
    """The scan line from (x0, y0) to (x1, y1), in image widths from the centre; what it shows is stacked over time while `on`.

    `profile`: the values along it now, as curves.
    """

    on: bool = False
    x0: float = ranged(0.0, -2, 2)  # layers reach 1.2 widths from the centre, with their margins
    y0: float = ranged(-0.15, -2, 2)
    x1: float = ranged(0.0, -2, 2)
    y1: float = ranged(0.15, -2, 2)
    profile: bool = False

    @property
    def placed(self) -> bool:
        """Whether the line is on the picture, to be seen and dragged."""
        return self.on or self.profile
