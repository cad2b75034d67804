"""A request is a question, a frame is its answer. Plain values that cross between the window and the render thread.

Arrays are numpy (they may share memory with torch tensors that nobody writes any more), so the window can show frames
without ever importing torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.edit_text import summary
from viz.state import BreakIt, EditActivations, ViewState

if TYPE_CHECKING:
    from networks.spec import TapInfo


@dataclass(frozen=True)
class RenderRequest:
    """One question; a larger ticket is newer."""

    ticket: int
    view: ViewState


@dataclass(frozen=True)
class Progress:
    """What takes long right now. `fraction` is None while the end is unknown."""

    text: str
    fraction: float | None = None
    can_cancel: bool = False


Report = Callable[[str, float | None, bool], None]  # takes the three of `Progress`


@dataclass(frozen=True)
class RenderError:
    """A stage failed: which, what happened in one sentence, what to do, and the details for the log."""

    stage: str
    message: str
    advice: str = ""
    details: str = ""

    @property
    def sentences(self) -> str:
        """What happened and what to do, where there is one place for both."""
        return f"{self.message} {self.advice}".strip()


@dataclass(frozen=True)
class Timing:
    """Seconds spent in each stage that ran, in order, and in total."""

    stages: tuple[tuple[str, float], ...] = ()
    total_s: float = 0.0


@dataclass(frozen=True)
class NetworkFacts:
    """What the window may know about a loaded network; numbers and names only."""

    ref: str
    name: str
    kind: str  # "alias-free" | "stylegan2"
    config_name: str
    z_dim: int
    c_dim: int
    w_dim: int
    num_ws: int
    resolution: int
    has_pose: bool
    has_noise: bool
    taps: tuple[TapInfo, ...]
    parameters: int
    device: str
    path: str = ""
    sha256: str = ""
    size_bytes: int = 0
    modified_ns: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    constructor: Mapping[str, Any] = field(default_factory=dict)
    translation_limit: float | None = None  # image widths beyond which the network shows things it never learned
    base_transform: tuple[tuple[float, ...], ...] | None = None  # stored in the file where it is not the identity
    notes: tuple[str, ...] = ()

    @property
    def titled(self) -> str:
        """The name, with the configuration that a sentence about its abilities is about."""
        return f"{self.name} ({self.config_name})"

    def same_weights(self, other: NetworkFacts | None) -> bool:
        """Whether the other is this network too, perhaps broken on purpose: that changes what its layers are like, not what it learned."""
        return other is not None and replace(other, taps=self.taps, resolution=self.resolution) == self

    def tap(self, name: str) -> TapInfo:
        """The tap of this name, which may be short; the finished image for "" or an unknown name."""
        name = self.layer_named(name)
        return next((t for t in self.taps if t.name == name), self.taps[-1])

    def tap_name(self, name: str) -> str:
        return self.tap(name).name

    def layer_named(self, text: str) -> str:
        """The layer that a person means: "L5" is L5_84_96. The text itself where that is no layer, or more than one."""
        short = [tap.name for tap in self.taps if tap.name.split("_")[0].lower() == text.lower()]
        return short[0] if len(short) == 1 and all(tap.name != text for tap in self.taps) else text

    def no_layer(self, name: str) -> str:
        """The sentence that refuses a layer which this network has not; "" for one that it has, and for ""."""
        names = [tap.name for tap in self.taps]
        return "" if self.layer_named(name) in ("", *names) else f"{name} is not a layer of {self.name}; it has {', '.join(names)}"

    def band(self, name: str) -> tuple[float | None, float | None]:
        """(f_c, f_t) that a tap was designed to keep to, in cycles per image; None where there is no such number.

        The band of the Fourier input stands in the layer after it, that of the picture in the layer before.
        """
        index = self.taps.index(self.tap(name))
        after = self.taps[index + 1].spec if index + 1 < len(self.taps) else None
        spec = self.taps[index].spec or (None if after is not None or not index else self.taps[index - 1].spec)
        if spec is not None:
            return spec.out_cutoff, spec.out_stopband
        return (after.in_cutoff if after is not None else None), None


@dataclass(frozen=True)
class Statistics:
    """Mean, standard deviation and largest magnitude over the image area (margins and invalid pixels left out).

    `largest`: that of each channel, where channels are normalised.
    """

    mean: float
    std: float
    max_abs: float
    non_finite: int = 0
    largest: tuple[float, ...] = ()


@dataclass(frozen=True)
class Picture:
    """Values to draw, before tone mapping.

    values: float32 [H, W, C], C 1 or 3. `frame_rect` is the image frame (x0, y0, x1, y1) in samples of `values`: margins
    of a layer lie outside it. `mask`: bool [H, W], False where untransforming had no data. `grid` > 0: a contact sheet
    of that many columns, each cell `cell` samples (width, height), a cell for each of `channels`.
    """

    values: np.ndarray
    frame_rect: tuple[float, float, float, float]
    tap: str = ""
    channels: tuple[int, ...] = ()
    total_channels: int = 0
    mask: np.ndarray | None = None
    grid: int = 0
    cell: tuple[int, int] = (0, 0)
    note: str = ""  # what was made of the channels, where they are not shown as they are
    notes: tuple[str, ...] = ()  # a word on each cell of a contact sheet

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C), known without reading the values back from where they were computed."""
        return self.values.shape

    def pixel(self, row: int, column: int) -> tuple[float, ...]:
        """The channels of one sample."""
        return tuple(float(value) for value in self.values[row, column])


@dataclass(frozen=True, eq=False)
class HistogramResult:
    """How many samples inside the image have which value, as drawn before gain and offset: in bins of one size from `low` to `high`.

    counts: float64 [C, bins], a row for each channel on screen, or one for all where more than three are. Non-finite values and
    those that untransforming had no data for are not among them.
    """

    counts: np.ndarray
    low: float
    high: float
    non_finite: int = 0

    def share_below(self, value: float) -> np.ndarray:
        """[C]: the share of samples below a value; inside a bin they are taken to be spread evenly."""
        edges = np.linspace(self.low, self.high, self.counts.shape[1] + 1)
        sums = np.concatenate([np.zeros((len(self.counts), 1)), np.cumsum(self.counts, axis=1)], axis=1)
        return np.array([np.interp(value, edges, row) / max(row[-1], 1.0) for row in sums])


@dataclass(frozen=True)
class SpectrumResult:
    """Windowed power spectrum, centred. power: float32 [H, W]; axis: cycles per image at each column (or row)."""

    power: np.ndarray
    mean_power: float
    axis: np.ndarray
    tap: str = ""
    cutoff: float | None = None
    stopband: float | None = None
    nyquist: float = 0.0
    all_channels: bool = True


@dataclass(frozen=True, eq=False)
class OverlayArrows:
    """Arrows over the picture: where they begin, and vectors `moved` and `expected`, all [n, 2] (x, y) in image widths, long enough
    to be seen; `shares` [n] (0 to 1) gives the colour of `moved`.
    """

    at: np.ndarray
    moved: np.ndarray
    expected: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, eq=False)
class OverlayImage:
    """A measurement that lies over the picture, registered to it: values float32 [H, W], or [H, W, 3] for colours.

    `frame_rect` is the image frame in samples, as in `Picture`. Values from `low` to `high` span the colormap; gain acts
    around zero. `mask`: bool [H, W], False where nothing could be measured. `arrows` are drawn on top; values of no size
    leave the picture as it is. `kept_by`: for the picture of another latent, what makes that the view's own.
    """

    label: str
    values: np.ndarray
    frame_rect: tuple[float, float, float, float]
    low: float = -1.0
    high: float = 1.0
    colormap: str = "gray"
    unit: str = ""
    mask: np.ndarray | None = None
    arrows: OverlayArrows | None = None
    kept_by: str = ""


@dataclass(frozen=True)
class LayerColumn:
    """What a measurement says of single layers, as a column of the Layers panel: numbers by the name of the tap, None where none exists.

    `heading` names the unit where there is one; `explanation` is its tooltip.
    """

    heading: str
    explanation: str
    numbers: Mapping[str, float | None]


@dataclass(frozen=True, eq=False)
class OverlayResult:
    """Where a measurement stands. `values` is its own dataclass, None while nothing is known, or where nothing exists.

    `fraction` is 1 when it is finished. `stale`: it belongs to the picture before this one. `images` by "<overlay>.<name>".
    `of_channels`: a word on each channel of the layer on screen, from 0 on, for its contact sheet.
    """

    values: Any = None
    fraction: float = 1.0
    images: Mapping[str, OverlayImage] = field(default_factory=dict)
    stale: bool = False
    error: RenderError | None = None
    columns: tuple[LayerColumn, ...] = ()
    of_channels: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Beside:
    """A further view of a comparison, an answer too: `frame.request.view` is its view, as it follows from the first.

    `stale`: it answers an earlier question. `difference`: this minus first, sample by sample, None where `reason` says why
    not. `db`: PSNR of finished pictures (peak 2); of layers, power of the first over power of the difference. `apart`: why the
    two do not show one scene, so that it says little (`viz.compare.scenes`).
    """

    frame: Frame
    stale: bool = False
    difference: Picture | None = None
    db: float | None = None
    unit: str = "PSNR"
    reason: str = ""
    notes: tuple[str, ...] = ()  # what the two cannot share
    apart: str = ""


@dataclass(frozen=True)
class Frame:
    """The answer to `request`. `ran` names the stages that were really computed, `layers_ran` the layers likewise.

    Measurements come later: further frames with the same picture and the same `request` object hold more of `overlays`.

    On error the other fields hold what was known before the failing stage; the window keeps the last good picture.
    """

    request: RenderRequest
    picture: Picture | None = None
    spectrum: SpectrumResult | None = None
    statistics_all: Statistics | None = None
    statistics_shown: Statistics | None = None
    histogram: HistogramResult | None = None
    network: NetworkFacts | None = None
    toned: np.ndarray | None = None  # uint8 [H, W, 3], headless only
    raw: np.ndarray | None = None  # float32 [C, H, W], headless only: the tapped layer whole
    learned_pose: tuple[float, float, float, float] | None = None
    seeds: tuple[tuple[int, float], ...] = ()  # seeds on screen and their weights
    styles: Any = None  # viz.stages.latent.Styles: what is saved when the latent is
    overlays: Mapping[str, OverlayResult] = field(default_factory=dict)
    others: Mapping[int, Beside] = field(default_factory=dict)  # views beside the first (2 to 4); one that is missing is on its way
    ran: tuple[str, ...] = ()
    layers_ran: tuple[str, ...] = ()
    path: str = ""  # on a GPU: replayed as a graph, or layer by layer and why
    backends: tuple[Any, ...] = ()
    memory_bytes: int = 0
    timing: Timing = Timing()
    error: RenderError | None = None

    @property
    def broken(self) -> str:
        """What is broken in this very picture (not in the view, which may be newer); "" for nothing."""
        return self.request.view.get(BreakIt).summary() if self.network is not None and self.network.kind == "alias-free" else ""

    @property
    def edited(self) -> str:
        """What is edited in this very picture, by the layers of its network; "" for nothing."""
        return summary(self.request.view.get(EditActivations).found_in(self.network.taps).edits) if self.network is not None else ""

    @property
    def altered(self) -> tuple[str, ...]:
        """What is done to the network of this very picture, a line each: nothing while it is as it was trained."""
        said = {"Broken": self.broken, "Edited": self.edited}
        return tuple(f"{word}: {text}" for word, text in said.items() if text)

    @property
    def beside(self) -> Beside | None:
        """The second view of a comparison."""
        return self.others.get(2)
