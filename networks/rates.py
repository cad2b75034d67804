"""The same network at another sampling rate: what a network that computes with continuous signals does not notice.

In an alias-free generator the sampling rate is a choice of implementation: activations stand for continuous signals (paper, section 2),
and R's 1x1 kernels know no pixels. So R may be run with every layer at twice its rate, or with its last layers at half of theirs, and
draws the same picture, with what lies above the lower band missing. Whatever else changes is aliasing, or comes from kernels that are
tied to the grid: T's 3x3 kernels reach half as far at twice the rate.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from networks.fourier_input import FourierInput
from networks.measures.comparison import grid_change
from networks.sharing import shared_copy
from networks.spec import GeneratorConfig, InputSpec, LayerSpec

LOWEST, HIGHEST = -3, 1  # octaves; at twice the rate a picture takes four times as long


def at_rate(
    config: GeneratorConfig, source: InputSpec, specs: tuple[LayerSpec, ...], octaves: int
) -> tuple[InputSpec, tuple[LayerSpec, ...]]:
    """The input and the layers, the picture's sampling rate times 2^octaves; the layers' `in_size` and `padding` are left to be worked out.

    Raised: every rate and size is, and the filters are the same functions of time, sampled more often. Lowered: no layer's rate is
    above that of the picture, which is never below the input's; such layers have the bands of a last layer, and margins of as many
    samples as before. Raises ValueError for octaves outside LOWEST to HIGHEST.
    """
    if not LOWEST <= octaves <= HIGHEST:
        raise ValueError(f"the sampling rate can be changed by {LOWEST} to {HIGHEST} octaves, not by {octaves}")
    if octaves > 0:
        factor = 2**octaves
        width, height = source.size
        grid = replace(source, size=(width * factor, height * factor), sampling_rate=source.sampling_rate * factor)
        return grid, tuple(_raised(spec, factor) for spec in specs)
    highest = max(config.img_resolution >> -octaves, round(source.sampling_rate))
    return source, tuple(_lowered(config, spec, highest) for spec in specs)


def _raised(spec: LayerSpec, factor: int) -> LayerSpec:
    """Sampled `factor` times as often: the filters reach as far, so they have as many more taps."""
    return replace(
        spec,
        out_size=(spec.out_size[0] * factor, spec.out_size[1] * factor),
        in_sampling_rate=spec.in_sampling_rate * factor,
        out_sampling_rate=spec.out_sampling_rate * factor,
        tmp_sampling_rate=spec.tmp_sampling_rate * factor,
        up_taps=spec.up_taps * factor if spec.up_factor > 1 else 1,
        down_taps=spec.down_taps * factor if spec.down_factor > 1 else 1,
    )


def _lowered(config: GeneratorConfig, spec: LayerSpec, highest: int) -> LayerSpec:
    """Without rates above `highest`, its oversampling and its margin as they were."""
    if max(spec.in_sampling_rate, spec.out_sampling_rate) <= highest:
        return spec
    in_rate, out_rate = min(spec.in_sampling_rate, highest), min(spec.out_sampling_rate, highest)
    oversampling = spec.tmp_sampling_rate // max(spec.in_sampling_rate, spec.out_sampling_rate)
    temporary = max(in_rate, out_rate) * oversampling
    up, down = temporary // in_rate, temporary // out_rate
    side = spec.out_size[0] - spec.out_sampling_rate + out_rate
    lowered = replace(
        spec,
        out_size=(side, side),
        in_sampling_rate=in_rate,
        out_sampling_rate=out_rate,
        tmp_sampling_rate=temporary,
        up_factor=up,
        up_taps=config.filter_size * up if up > 1 else 1,
        down_factor=down,
        down_taps=config.filter_size * down if down > 1 else 1,
    )
    if spec.in_sampling_rate > highest:
        cutoff, stopband = _last_band(config, spec.in_cutoff, spec.in_cutoff + spec.in_half_width, highest)
        lowered = replace(lowered, in_cutoff=cutoff, in_half_width=stopband - cutoff)
    if spec.out_sampling_rate > highest:
        cutoff, stopband = _last_band(config, spec.out_cutoff, spec.out_cutoff + spec.out_half_width, highest)
        is_critical = cutoff >= highest / 2
        radial = config.use_radial_filters and not is_critical
        lowered = replace(lowered, is_critically_sampled=is_critical, down_radial=radial, out_cutoff=cutoff, out_stopband=stopband)
        lowered = replace(lowered, out_half_width=stopband - cutoff)
    return lowered


def _last_band(config: GeneratorConfig, cutoff: float, stopband: float, rate: int) -> tuple[float, float]:
    """f_c and f_c + f_h: of the signal, as far as the last layers of a network of `rate` pixels go."""
    return min(cutoff, rate / 2), min(stopband, rate / 2 * config.last_stopband_rel)


def input_at(source: FourierInput, spec: InputSpec) -> FourierInput:
    """The Fourier input on another grid, sharing its waves; itself where the grid is its own."""
    if spec == source.spec:
        return source
    twin = shared_copy(source, FourierInput)
    twin.spec, twin.sampling_rate = spec, spec.sampling_rate
    return twin


def resampled(x: Tensor, size: int) -> Tensor:
    """Square images [..., H, H] on a grid of size x size samples, in the band that both grids have: see `grid_change`."""
    if x.shape[-1] == size:
        return x
    matrix = torch.from_numpy(grid_change(x.shape[-1], size)).to(x.device, x.dtype)
    return matrix @ x @ matrix.T
