"""What a generator is, as values: its configuration, the specification of each layer, and the places that can be tapped.

Nothing here needs torch, so that a catalogue or a panel can describe a network without loading it. Rates and frequencies
are in cycles (or samples) per image width; sizes are (width, height) in samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from networks.filters import DESIGNS, Lowpass

ALIAS_FREE = "alias-free"
STYLEGAN2 = "stylegan2"
FAMILIES = (ALIAS_FREE, STYLEGAN2)
ARCHITECTURES = ("skip", "orig", "resnet")


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
    """Everything that the constructor of a generator needs, under the published argument names.

    `window` chooses the filter design (see `networks.filters`). The fields after `window` are read by StyleGAN2 only,
    those from `num_layers` to `window` by the alias-free generator only.
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
    architecture: str = "skip"
    use_noise: bool = True
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
        _require(0 <= self.num_critical < self.num_layers, "num_critical", self.num_critical, f"from 0 to {self.num_layers - 1}")
        _require(0 < self.first_cutoff < self.first_stopband, "first_cutoff", self.first_cutoff, "between 0 and first_stopband")

    @property
    def num_ws(self) -> int:
        """Rows of ws: Fourier input, layers and ToRGB; or StyleGAN2's convolutions plus its last ToRGB."""
        if self.family == STYLEGAN2:
            return 2 * int(math.log2(self.img_resolution)) - 2
        return self.num_layers + 2

    @property
    def rung(self) -> str:
        """The rung of the paper's ladder that this configuration stands on: "A", "T" or "R"."""
        if self.family == STYLEGAN2:
            return "A"
        return "R" if self.conv_kernel == 1 and self.use_radial_filters else "T"

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
        values = {name: value for name, value in values.items() if name not in _WITHOUT_EFFECT}
        _known("", values, cls, without=("family", "mapping"))
        _known("mapping_kwargs.", mapping, MappingConfig)
        if values.get("resample_filter") is not None:
            values["resample_filter"] = tuple(values["resample_filter"])
        if "img_resolution" not in values:
            raise ConfigError("img_resolution is missing from the constructor's arguments")
        return cls(family=family, mapping=MappingConfig(**mapping), **values)

    def to_kwargs(self) -> dict[str, Any]:
        """The published constructor arguments, flat, as JSON values; `from_kwargs` with the same family reads them back."""
        names = _COMMON + (_OF_STYLEGAN2 if self.family == STYLEGAN2 else _OF_ALIAS_FREE)
        kwargs: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.family == STYLEGAN2:
            kwargs["resample_filter"] = list(self.resample_filter)
        elif self.window == "kaiser":
            del kwargs["window"]  # our own argument: left out where the published design is used
        default = MappingConfig()
        changed = {name: value for name, value in asdict(self.mapping).items() if value != getattr(default, name)}
        return {**kwargs, "mapping_kwargs": {"num_layers": self.mapping.num_layers, **changed}}


_COMMON = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "channel_base", "channel_max", "conv_clamp", "num_fp16_res")
_OF_STYLEGAN2 = ("architecture", "use_noise", "resample_filter", "activation")
_OF_ALIAS_FREE = tuple(f.name for f in fields(GeneratorConfig) if f.name not in (*_COMMON, *_OF_STYLEGAN2, "family", "mapping"))
_WITHOUT_EFFECT = ("fused_modconv_default", "channels_last")  # choices of implementation in published files


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise ConfigError(f"{name} is {value!r}, but must be {allowed}")


def _known(prefix: str, values: Mapping[str, Any], owner: type, without: tuple[str, ...] = ()) -> None:
    names = {f.name for f in fields(owner)} - set(without)
    unknown = sorted(set(values) - names)
    if unknown:
        raise ConfigError(f"unknown constructor argument{'s' * (len(unknown) > 1)}: {', '.join(prefix + name for name in unknown)}")


# ---------------------------------------------------------------------------------------------------------- layers


@dataclass(frozen=True)
class InputSpec:
    """The grid and band of the Fourier input."""

    size: tuple[int, int]
    sampling_rate: float
    bandwidth: float
    channels: int


@dataclass(frozen=True)
class LayerSpec:
    """One layer of the alias-free generator: convolution, bias, then the filtered leaky ReLU that this describes.

    The signal comes in at `in_sampling_rate`, goes up by `up_factor` to `tmp_sampling_rate`, through the nonlinearity,
    and down by `down_factor` to `out_sampling_rate`. A factor of 1 has 1 tap, that is, no filter. `padding` is
    (x_lo, x_hi, y_lo, y_hi) at the temporary rate, negative where the layer crops.
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


@dataclass(frozen=True)
class _Band:
    """The signal after layer i, as the layer rule gives it."""

    cutoff: float
    stopband: float
    half_width: float
    sampling_rate: int
    size: int
    channels: int


def input_spec(config: GeneratorConfig) -> InputSpec:
    """The Fourier input: the first band of the layer rule, with the margin around it."""
    band = _bands(config)[0]
    return InputSpec((band.size, band.size), float(band.sampling_rate), float(config.first_cutoff), band.channels)


def layer_specs(config: GeneratorConfig) -> tuple[LayerSpec, ...]:
    """The layers L0 ... LN of the alias-free generator by the layer rule (paper, section 3.2); the last one is ToRGB."""
    bands = _bands(config)
    return tuple(_layer(config, index, bands[max(index - 1, 0)], bands[index]) for index in range(config.num_layers + 1))


def _bands(config: GeneratorConfig) -> list[_Band]:
    """f_c and f_t grow geometrically from the input's to the image's; s, f_h, sizes and channels follow from them."""
    resolution, last = config.img_resolution, config.num_layers
    last_cutoff = resolution / 2
    last_stopband = last_cutoff * config.last_stopband_rel
    bands = []
    for index in range(last + 1):
        exponent = min(index / (last - config.num_critical), 1)
        cutoff = config.first_cutoff * (last_cutoff / config.first_cutoff) ** exponent
        stopband = config.first_stopband * (last_stopband / config.first_stopband) ** exponent
        sampling_rate = 2 ** math.ceil(math.log2(min(2 * stopband, resolution)))
        half_width = max(stopband, sampling_rate / 2) - cutoff
        size = resolution if index >= last - 1 else sampling_rate + 2 * config.margin_size
        channels = config.img_channels if index == last else round(min(config.channel_base / 2 / cutoff, config.channel_max))
        bands.append(_Band(cutoff, stopband, half_width, sampling_rate, size, channels))
    return bands


def _layer(config: GeneratorConfig, index: int, source: _Band, target: _Band) -> LayerSpec:
    """The layer that takes the signal `source` to the signal `target`."""
    is_torgb = index == config.num_layers
    is_critical = index >= config.num_layers - config.num_critical
    temporary = max(source.sampling_rate, target.sampling_rate) * (1 if is_torgb else config.lrelu_upsampling)
    up, down = temporary // source.sampling_rate, temporary // target.sampling_rate
    up_taps = config.filter_size * up if up > 1 else 1
    down_taps = config.filter_size * down if down > 1 else 1
    kernel = 1 if is_torgb else config.conv_kernel
    low, high = _padding(source.size + kernel - 1, target.size, (up, up_taps), (down, down_taps))
    return LayerSpec(
        name=f"L{index}_{target.size}_{target.channels}",
        in_channels=source.channels,
        out_channels=target.channels,
        is_torgb=is_torgb,
        is_critically_sampled=is_critical,
        use_fp16=target.sampling_rate * 2**config.num_fp16_res > config.img_resolution,
        in_size=(source.size, source.size),
        out_size=(target.size, target.size),
        in_sampling_rate=source.sampling_rate,
        out_sampling_rate=target.sampling_rate,
        tmp_sampling_rate=temporary,
        in_cutoff=source.cutoff,
        out_cutoff=target.cutoff,
        in_half_width=source.half_width,
        out_half_width=target.half_width,
        conv_kernel=kernel,
        up_factor=up,
        up_taps=up_taps,
        down_factor=down,
        down_taps=down_taps,
        down_radial=config.use_radial_filters and not is_critical,
        padding=(low, high, low, high),
        window=config.window,
        out_stopband=target.stopband,
    )


def _padding(in_size: int, out_size: int, up: tuple[int, int], down: tuple[int, int]) -> tuple[int, int]:
    """(lo, hi) at the temporary rate, so that `in_size` samples become `out_size` centred ones; up, down = (factor, taps)."""
    total = (out_size - 1) * down[0] + 1 - in_size * up[0] + up[1] + down[1] - 2
    low = (total + up[0]) // 2
    return low, total - low
