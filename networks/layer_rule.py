"""From a configuration to its layers: the flexible rule of rungs T and R, and the octave rule of the rungs before them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from networks.spec import OCTAVES, STYLEGAN2, GeneratorConfig, InputSpec, LayerSpec

STYLEGAN2_BAND = 2.0  # radius of the disc of frequencies, in cycles per image width (paper, config B)


@dataclass(frozen=True)
class _Band:
    """The signal after layer i, as the layer rule gives it. `channels` are features, each in as many orientations."""

    cutoff: float
    stopband: float
    half_width: float
    sampling_rate: int
    size: int
    channels: int
    orientations: int

    @property
    def tensor_channels(self) -> int:
        return self.channels * self.orientations


def input_spec(config: GeneratorConfig) -> InputSpec:
    """The Fourier input: the first rate and size of the layer rule, frequencies up to the first cutoff.

    For StyleGAN2 with Fourier features, 4 x 4 samples in the place of its constant.
    """
    if config.family == STYLEGAN2:
        return InputSpec((4, 4), 4.0, STYLEGAN2_BAND, max(1, min(config.channel_base // 4, config.channel_max)))
    band = _bands(config)[0]
    return InputSpec((band.size, band.size), float(band.sampling_rate), float(config.first_cutoff), band.channels, band.orientations)


def layer_specs(config: GeneratorConfig) -> tuple[LayerSpec, ...]:
    """The layers L0 ... LN of the alias-free generator by its layer rule; the last one is ToRGB."""
    bands = _bands(config)
    return tuple(_layer(config, index, bands[max(index - 1, 0)], bands[index]) for index in range(config.num_layers + 1))


def _bands(config: GeneratorConfig) -> list[_Band]:
    """The signal after each layer; half width, size and channels follow from cutoff f_c, stopband f_t and rate s."""
    rule = _octave if config.layer_rule == OCTAVES else _flexible
    bands, last = [], config.num_layers
    for index in range(last + 1):
        cutoff, stopband, sampling_rate = rule(config, index)
        if sampling_rate < 1:
            raise ValueError(f"layer {index} has its stopband at {stopband:g}, where not even one sample an image width is needed")
        half_width = max(stopband, sampling_rate / 2) - cutoff
        size = config.img_resolution if index >= last - 1 else sampling_rate + 2 * config.margin_size
        channels = config.img_channels if index == last else max(1, round(min(config.channel_base / 2 / cutoff, config.channel_max)))
        orientations = 4 if config.symmetry == "p4" and index < last else 1
        bands.append(_Band(cutoff, stopband, half_width, sampling_rate, size, channels, orientations))
    return bands


def _flexible(config: GeneratorConfig, index: int) -> tuple[float, float, int]:
    """f_c and f_t grow geometrically from the input's to the image's, and s with f_t (paper, section 3.2)."""
    last_cutoff = config.img_resolution / 2
    last_stopband = last_cutoff * config.last_stopband_rel
    exponent = min(index / (config.num_layers - config.num_critical), 1)
    cutoff = config.first_cutoff * (last_cutoff / config.first_cutoff) ** exponent
    stopband = config.first_stopband * (last_stopband / config.first_stopband) ** exponent
    return cutoff, stopband, 2 ** math.ceil(math.log2(min(2 * stopband, config.img_resolution)))


def _octave(config: GeneratorConfig, index: int) -> tuple[float, float, int]:
    """s is 4 in L0 and doubles in every second layer after it. With f_h = (sqrt 2 - 1) s / 2, the transition lies around
    f_c = s / 2 in critically sampled layers, and ends at f_t = s / 2 in the others (paper, section 3.2, configs E to G).
    """
    sampling_rate = min(4 * 2 ** ((index + 1) // 2), config.img_resolution)
    half_width = (math.sqrt(2) - 1) * sampling_rate / 2
    is_critical = index >= config.num_layers - config.num_critical
    cutoff = sampling_rate / 2 - (0 if is_critical else half_width)
    return cutoff, cutoff + half_width, sampling_rate


def _layer(config: GeneratorConfig, index: int, source: _Band, target: _Band) -> LayerSpec:
    """The layer that takes the signal `source` to the signal `target`."""
    is_torgb = index == config.num_layers
    is_critical = index >= config.num_layers - config.num_critical
    temporary = max(source.sampling_rate, target.sampling_rate) * (1 if is_torgb else config.lrelu_upsampling)
    up, down = temporary // source.sampling_rate, temporary // target.sampling_rate
    up_taps = config.filter_size * up if up > 1 else 1
    down_taps = config.filter_size * down if down > 1 else 1
    kernel = 1 if is_torgb else config.conv_kernel
    low, high = centred_padding(source.size + kernel - 1, target.size, (up, up_taps), (down, down_taps))
    return LayerSpec(
        name=f"L{index}_{target.size}_{target.tensor_channels}",
        in_channels=source.tensor_channels,
        out_channels=target.tensor_channels,
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
        in_orientations=source.orientations,
        out_orientations=target.orientations,
    )


def centred_padding(in_size: int, out_size: int, up: tuple[int, int], down: tuple[int, int]) -> tuple[int, int]:
    """(lo, hi) at the temporary rate, so that `in_size` samples become `out_size` centred ones; up, down = (factor, taps)."""
    total = (out_size - 1) * down[0] + 1 - in_size * up[0] + up[1] + down[1] - 2
    low = (total + up[0]) // 2
    return low, total - low
