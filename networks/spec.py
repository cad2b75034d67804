"""What a generator is, as values: its configuration, the specification of each layer, and the places that can be tapped.

Nothing here needs torch, so that a catalogue or a panel can describe a network without loading it. Rates and frequencies
are in cycles (or samples) per image width; sizes are (width, height) in samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from networks.filters import DESIGNS, Lowpass

ALIAS_FREE = "alias-free"
STYLEGAN2 = "stylegan2"
FAMILIES = (ALIAS_FREE, STYLEGAN2)
ARCHITECTURES = ("skip", "orig", "resnet")
FLEXIBLE = "flexible"
OCTAVES = "octaves"
LAYER_RULES = (FLEXIBLE, OCTAVES)
SYMMETRIES = ("none", "p4")


class ConfigError(ValueError):
    """A generator's configuration makes no sense: says which field, what it holds and what it may hold."""


@dataclass(frozen=True)
class MappingConfig:
    """The mapping network z, c -> w. None for a width means w_dim."""

    num_layers: int = 2
    embed_features: int | None = None
    layer_features: int | None = None
    activation: str = "lrelu"
    lr_multiplier: float = 0.01
    w_avg_beta: float = 0.998


@dataclass(frozen=True)
class GeneratorConfig:
    """Everything that the constructor of a generator needs, under the published argument names where there are any.

    Our own: `window` chooses the filter design (see `networks.filters`); `layer_rule` how cutoffs and rates grow from
    layer to layer (see `networks.layer_rule`); `learns_pose` whether the Fourier input has a pose learned from w;
    `symmetry` "p4" convolutions on the group of quarter turns, channels then counting four orientations each;
    `fourier_input` puts Fourier features in place of StyleGAN2's constant. `magnitude_ema_beta` is carried along for those who train the
    network elsewhere; our training counts half-lives in images.

    The fields up to `use_noise` are read by both families, those from `num_layers` to `symmetry` by the alias-free
    generator only, those after by StyleGAN2 only.
    """

    img_resolution: int
    family: str = ALIAS_FREE
    z_dim: int = 512
    c_dim: int = 0
    w_dim: int = 512
    img_channels: int = 3
    mapping: MappingConfig = field(default_factory=MappingConfig)
    channel_base: int = 32768
    channel_max: int = 512
    conv_clamp: float | None = 256
    num_fp16_res: int = 4
    use_noise: bool = False
    num_layers: int = 14
    num_critical: int = 2
    first_cutoff: float = 2
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    margin_size: int = 10
    output_scale: float = 0.25
    conv_kernel: int = 3
    filter_size: int = 6
    lrelu_upsampling: int = 2
    use_radial_filters: bool = False
    magnitude_ema_beta: float = 0.999
    window: str = "kaiser"
    layer_rule: str = FLEXIBLE
    learns_pose: bool = True
    symmetry: str = "none"
    fourier_input: bool = False
    architecture: str = "skip"
    resample_filter: tuple[float, ...] = (1, 3, 3, 1)
    activation: str = "lrelu"

    def __post_init__(self) -> None:
        _require(self.family in FAMILIES, "family", self.family, f"one of {', '.join(FAMILIES)}")
        power_of_two = self.img_resolution >= 4 and self.img_resolution & (self.img_resolution - 1) == 0
        _require(power_of_two, "img_resolution", self.img_resolution, "a power of two from 4 up")
        for name in ("w_dim", "img_channels", "channel_base", "channel_max", "conv_kernel", "filter_size", "lrelu_upsampling"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        _require(self.z_dim + self.c_dim >= 1, "z_dim", self.z_dim, "at least 1 unless there are classes")
        _require(self.window in DESIGNS, "window", self.window, f"one of {', '.join(DESIGNS)}")
        _require(self.architecture in ARCHITECTURES, "architecture", self.architecture, f"one of {', '.join(ARCHITECTURES)}")
        _require(0 < self.first_cutoff < self.first_stopband, "first_cutoff", self.first_cutoff, "between 0 and first_stopband")
        _require(self.layer_rule in LAYER_RULES, "layer_rule", self.layer_rule, f"one of {', '.join(LAYER_RULES)}")
        _require(self.symmetry in SYMMETRIES, "symmetry", self.symmetry, f"one of {', '.join(SYMMETRIES)}")
        _require(self.num_layers >= 1, "num_layers", self.num_layers, "at least 1")
        critical = self.num_layers if self.layer_rule == OCTAVES else self.num_layers - 1
        _require(
            0 <= self.num_critical <= critical, "num_critical", self.num_critical, f"from 0 to {critical} with {self.num_layers} layers"
        )
        if self.layer_rule == OCTAVES:
            count = octave_layers(self.img_resolution)
            _require(self.num_layers == count, "num_layers", self.num_layers, f"{count} at {self.img_resolution} pixels by the octave rule")
            _require(self.first_cutoff <= 2, "first_cutoff", self.first_cutoff, "at most 2, half of the octave rule's first sampling rate")

    @property
    def num_ws(self) -> int:
        """Rows of ws: a learned pose, layers and ToRGB; or StyleGAN2's convolutions plus its last ToRGB."""
        if self.family == STYLEGAN2:
            return octave_layers(self.img_resolution) + 1
        return self.num_layers + 1 + self.learns_pose

    @property
    def rung(self) -> str:
        """The rung of the paper's ladder that this configuration stands on, "A" to "H", "T" or "R": the last step it has taken."""
        if self.family == STYLEGAN2:
            return "A" if not self.fourier_input else "B" if self.use_noise else "C"
        if self.conv_kernel == 1 and self.use_radial_filters:
            return "R"
        steps = {
            "T": self.layer_rule == FLEXIBLE,
            "H": self.learns_pose,
            "G": self.num_critical < self.num_layers,
            "F": self.lrelu_upsampling > 1,
            "E": self.margin_size > 0,
        }
        return next((name for name, taken in steps.items() if taken), "D")

    @classmethod
    def from_kwargs(cls, kwargs: Mapping[str, Any], *, family: str = ALIAS_FREE) -> GeneratorConfig:
        """Read published constructor arguments, flat or (StyleGAN2-ADA) with a nested `synthesis_kwargs`.

        Left-out arguments take the defaults of their era. Raises ConfigError for an argument that is not known.
        """
        values = {name: value for name, value in kwargs.items() if name not in ("mapping_kwargs", "synthesis_kwargs")}
        nested = kwargs.get("synthesis_kwargs")
        if nested is not None:
            values = {"num_fp16_res": 0, "conv_clamp": None, **values, **nested}
        mapping = {"num_layers": 8 if family == STYLEGAN2 else 2, **kwargs.get("mapping_kwargs", {})}
        values = {"use_noise": family == STYLEGAN2, **{name: value for name, value in values.items() if name not in _WITHOUT_EFFECT}}
        _known("", values, (*_COMMON, *_OF_ALIAS_FREE, *_OF_STYLEGAN2))
        _known("mapping_kwargs.", mapping, tuple(f.name for f in fields(MappingConfig)))
        if values.get("resample_filter") is not None:
            values["resample_filter"] = tuple(values["resample_filter"])
        if "img_resolution" not in values:
            raise ConfigError("img_resolution is missing from the constructor's arguments")
        return cls(family=family, mapping=MappingConfig(**mapping), **values)

    def to_kwargs(self) -> dict[str, Any]:
        """The published constructor arguments, flat, as JSON values; `from_kwargs` with the same family reads them back.

        Our own arguments are left out where they say what the published generators do.
        """
        published = {f.name: f.default for f in fields(self)} | {"use_noise": self.family == STYLEGAN2}
        names = [name for name in read_by(self.family) if name not in _OWN or getattr(self, name) != published[name]]
        kwargs: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.family == STYLEGAN2:
            kwargs["resample_filter"] = list(self.resample_filter)
        default = MappingConfig()
        changed = {name: value for name, value in asdict(self.mapping).items() if value != getattr(default, name)}
        return {**kwargs, "mapping_kwargs": {"num_layers": self.mapping.num_layers, **changed}}


def octave_layers(img_resolution: int) -> int:
    """Layers, ToRGB not counted, by the octave rule, which is StyleGAN2's: one at 4 x 4, two at each higher resolution."""
    return 2 * img_resolution.bit_length() - 5  # 2 log2 - 3, also of what is refused later: no logarithm of 0


def read_by(family: str) -> tuple[str, ...]:
    """The fields of `GeneratorConfig`, besides `family` and `mapping`, that generators of a family read."""
    return _COMMON + (_OF_STYLEGAN2 if family == STYLEGAN2 else _OF_ALIAS_FREE)


_SIZES = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "channel_base", "channel_max")
_COMMON = (*_SIZES, "conv_clamp", "num_fp16_res", "use_noise")
_OF_STYLEGAN2 = ("architecture", "resample_filter", "activation", "fourier_input")
_OF_ALIAS_FREE = tuple(f.name for f in fields(GeneratorConfig) if f.name not in (*_COMMON, *_OF_STYLEGAN2, "family", "mapping"))
_OWN = ("use_noise", "window", "layer_rule", "learns_pose", "symmetry", "fourier_input")
_WITHOUT_EFFECT = ("fused_modconv_default", "channels_last")  # choices of implementation in published files


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise ConfigError(f"{name} is {value!r}, but must be {allowed}")


def _known(prefix: str, values: Mapping[str, Any], names: tuple[str, ...]) -> None:
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ConfigError(f"unknown constructor argument{'s' * (len(unknown) > 1)}: {', '.join(prefix + name for name in unknown)}")


# ---------------------------------------------------------------------------------------------------------- layers


@dataclass(frozen=True)
class InputSpec:
    """The grid and band of the Fourier input. With four orientations, each feature comes four times (see `networks.p4`)."""

    size: tuple[int, int]
    sampling_rate: float
    bandwidth: float
    channels: int
    orientations: int = 1


@dataclass(frozen=True)
class LayerSpec:
    """One layer of the alias-free generator: convolution, bias, then the filtered leaky ReLU that this describes.

    The signal comes in at `in_sampling_rate`, goes up by `up_factor` to `tmp_sampling_rate`, through the nonlinearity,
    and down by `down_factor` to `out_sampling_rate`. A factor of 1 has 1 tap, that is, no filter. `padding` is
    (x_lo, x_hi, y_lo, y_hi) at the temporary rate, negative where the layer crops. Channels are those of the tensors:
    with orientations (see `networks.p4`), each feature counts once for each.
    """

    name: str
    in_channels: int
    out_channels: int
    is_torgb: bool
    is_critically_sampled: bool
    use_fp16: bool
    in_size: tuple[int, int]
    out_size: tuple[int, int]
    in_sampling_rate: int
    out_sampling_rate: int
    tmp_sampling_rate: int
    in_cutoff: float
    out_cutoff: float
    in_half_width: float
    out_half_width: float
    conv_kernel: int
    up_factor: int
    up_taps: int
    down_factor: int
    down_taps: int
    down_radial: bool
    padding: tuple[int, int, int, int]
    window: str = "kaiser"
    in_orientations: int = 1
    out_orientations: int = 1
    out_stopband: float = 0.0  # f_t of the layer rule: what must be gone; the filter's own stopband, f_c + f_h, is this or s / 2

    @property
    def up_lowpass(self) -> Lowpass:
        """The filter of the upsampling step: it keeps the band of the incoming signal."""
        support = self.up_taps // self.up_factor
        return Lowpass(support, self.up_factor, self.in_cutoff, self.in_half_width, self.tmp_sampling_rate, window=self.window)

    @property
    def down_lowpass(self) -> Lowpass:
        """The filter of the downsampling step: it keeps the band of the outgoing signal."""
        band = (self.out_cutoff, self.out_half_width, self.tmp_sampling_rate, self.down_radial)
        return Lowpass(self.down_taps // self.down_factor, self.down_factor, *band, window=self.window)


@dataclass(frozen=True)
class TapInfo:
    """One place where synthesis can be tapped, in order of computation.

    `size` is (width, height) in samples, `sampling_rate` in samples per image width, so the margin on each side is
    `(size - sampling_rate) / 2`. `dtype` is what the fp16 rule gives ("float32" or "float16"), not what a device did.
    `spec` is there for the layers of the alias-free generator; `row` is the row of ws that this tap's own layer reads.
    """

    name: str
    channels: int
    size: tuple[int, int]
    sampling_rate: float
    dtype: str = "float32"
    spec: LayerSpec | None = None
    row: int | None = None
