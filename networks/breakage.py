"""Break a network's signal processing on purpose, without retraining: what the paper's ablations do to its design, done to its weights.

A broken network is another network that shares every weight with the whole one; the whole one is never written to. What is exchanged
are the filters of some layers (their oversampling m, support n, window, cutoff), their margins, their downsampling (by max-pooling, as
in classifiers, or by Zhang's blur-pooling), the sampling rate of all (`networks.rates`), and what is added is fixed noise, as StyleGAN2
has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from networks.alias_free import AliasFreeGenerator
from networks.filters import DESIGNS, design
from networks.generator import Generator
from networks.layer_rule import centred_padding
from networks.layers import FilteredLayer
from networks.rates import HIGHEST, LOWEST, at_rate, input_at
from networks.sharing import shared_copy
from networks.spec import InputSpec, LayerSpec
from torch_utils import ops

POOLS = ("max", "blur")
BLUR = (0.25, 0.5, 0.25)  # the binomial filter between max-pooling and subsampling (Zhang 2019)
MOST_PIXELS_ON_CPU = 1024  # on each side, at a raised sampling rate
HIGHEST_CUTOFF = 0.98  # of half the filter's rate: nothing can be cut off beyond


class BreakageError(ValueError):
    """A breakage that does not exist: says which field, what it holds and what it may hold."""


@dataclass(frozen=True, kw_only=True)
class Breaks:
    """What is done to a layer; each field has a value that leaves things as they are.

    `upsampling` is m, a power of two (others are rounded down to one: odd factors would move the picture by half a sample),
    `support` n (0: as they are); `window` one of `networks.filters.DESIGNS` ("": as it is);
    `cutoff_octaves` shifts f_c of both filters; `margin` is the most samples that stay on each side (negative: as many as there
    are); `noise` is the strength of fixed noise, in standard deviations of the convolution's output; `pool` "max" or "blur" puts
    pooling in place of the downsampling filter ("": no).
    """

    upsampling: int = 0
    support: int = 0
    window: str = ""
    cutoff_octaves: float = 0.0
    margin: int = -1
    noise: float = 0.0
    pool: str = ""

    def __post_init__(self) -> None:
        for name, allowed in (("window", ("", *DESIGNS)), ("pool", ("", *POOLS))):
            if getattr(self, name) not in allowed:
                raise BreakageError(f"{name} is {getattr(self, name)!r}, but must be one of {', '.join(map(repr, allowed))}")
        for name, least, most in (("upsampling", 0, 16), ("support", 0, 32), ("cutoff_octaves", -16, 16), ("noise", 0, 10_000)):
            if not least <= getattr(self, name) <= most:
                raise BreakageError(f"{name} is {getattr(self, name)}, but must be from {least} to {most}")


@dataclass(frozen=True)
class LayerBreakage(Breaks):
    """What is done to one layer, number `layer`."""

    layer: int = 0


@dataclass(frozen=True)
class Breakage(Breaks):
    """What is done to which layers. `layers` are the numbers (0 for L0) that the common fields mean; empty means all.

    `own` are layers with settings of their own, whole: nothing of the common ones is done to them. ToRGB has no filters and is left
    alone. Where every layer gets a smaller margin, the input gets the largest of them. `rate_octaves` changes the sampling rate of the
    whole network (`networks.rates.at_rate`), before anything else is done to a layer; supports and margins stay in samples of before.
    """

    layers: tuple[int, ...] = ()
    own: tuple[LayerBreakage, ...] = ()
    rate_octaves: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not LOWEST <= self.rate_octaves <= HIGHEST:
            raise BreakageError(f"rate_octaves is {self.rate_octaves}, but must be from {LOWEST} to {HIGHEST}")

    @staticmethod
    def of_fields(fields: Mapping[str, Any]) -> Breakage:
        """From plain values, such as a saved view has: layers with settings of their own are mappings."""
        return Breakage(**{**fields, "own": tuple(LayerBreakage(**own) for own in fields.get("own", ()))})

    @property
    def samples(self) -> int:
        """How many there are now where there was one."""
        return 1 << max(self.rate_octaves, 0)

    def of(self, index: int, spec: LayerSpec) -> LayerBreakage:
        """What is done to layer `index`."""
        if spec.is_torgb:
            return LayerBreakage(index)
        own = next((own for own in self.own if own.layer == index), None)
        return own or (self._common(index) if not self.layers or index in self.layers else LayerBreakage(index))

    def _common(self, index: int) -> LayerBreakage:
        return LayerBreakage(index, **{f.name: getattr(self, f.name) for f in fields(Breaks)})


class AlteredLayer(FilteredLayer):
    """A layer with noise that never changes, and perhaps pooling where it had a downsampling filter."""

    pool: str
    blur: Tensor
    added_noise: Tensor | None

    def nonlinearity(self, x: Tensor, bias: Tensor) -> Tensor:
        if self.added_noise is not None:
            x = x + self.added_noise.to(x)
        if not self.pool or self.spec.down_factor == 1:
            return super().nonlinearity(x, bias)
        spec, factor = self.spec, self.spec.down_factor
        x = ops.upfirdn2d(ops.bias_act(x, bias), self.up_filter, up=spec.up_factor, padding=spec.padding, gain=spec.up_factor**2)
        x = ops.bias_act(x, act="lrelu", clamp=self.conv_clamp)
        if self.pool == "max":
            return F.max_pool2d(x, factor)
        return ops.upfirdn2d(F.max_pool2d(x, factor, stride=1), self.blur, down=factor)


def broken(network: Generator, breakage: Breakage) -> AliasFreeGenerator:
    """The same weights with other signal processing. Raises BreakageError for a network that has none to break (StyleGAN2)."""
    if not isinstance(network, AliasFreeGenerator):
        raise BreakageError(f"a {network.config.family} generator has no designed filters to break")
    if breakage.rate_octaves and any(network.synthesis.layer(spec).use_noise for spec in network.synthesis.specs):
        raise BreakageError("layers of this network add noise images, which are made for one sampling rate: it cannot be run at another")
    raised = network.img_resolution * breakage.samples
    if raised > max(MOST_PIXELS_ON_CPU, network.img_resolution) and network.w_avg.device.type == "cpu":
        raise BreakageError(
            f"the picture would have {raised} x {raised} pixels; without a GPU {MOST_PIXELS_ON_CPU} a side is the most, for memory"
        )
    grid, rated = at_rate(network.config, network.synthesis.input.spec, network.synthesis.specs, breakage.rate_octaves)
    grid = _cropped(grid, [breakage.of(i, spec).margin * breakage.samples for i, spec in enumerate(rated) if not spec.is_torgb])
    specs = altered_specs(rated, grid.size, breakage, default_support=network.config.filter_size)
    layers = [_layer(network.synthesis.layer(spec), spec, breakage.of(index, spec)) for index, spec in enumerate(specs)]
    return network.with_layers(input_at(network.synthesis.input, grid), layers)


def altered_specs(
    specs: tuple[LayerSpec, ...], in_size: tuple[int, int], breakage: Breakage, *, default_support: int
) -> tuple[LayerSpec, ...]:
    """What the layers become; each one's input has the size of the output before it, whose middle stays the image's middle."""
    found = []
    for index, spec in enumerate(specs):
        own = breakage.of(index, spec)
        altered = spec if own == LayerBreakage(index) else _altered(spec, own, default_support, breakage.samples)
        altered = replace(altered, in_size=in_size)
        low, high = centred_padding(
            in_size[0] + spec.conv_kernel - 1,
            altered.out_size[0],
            (altered.up_factor, altered.up_taps),
            (altered.down_factor, _reach(altered, own)),
        )
        found.append(replace(altered, padding=(low, high, low, high)))
        in_size = altered.out_size
    return tuple(found)


def _altered(spec: LayerSpec, breakage: LayerBreakage, default_support: int, samples: int) -> LayerSpec:
    fastest = max(spec.in_sampling_rate, spec.out_sampling_rate)
    temporary = fastest * (power_of_two(breakage.upsampling) or spec.tmp_sampling_rate // fastest)
    up, down = temporary // spec.in_sampling_rate, temporary // spec.out_sampling_rate
    support = (breakage.support or default_support) * samples
    shift, highest = 2**breakage.cutoff_octaves, HIGHEST_CUTOFF * temporary / 2
    size = spec.out_size[0] if breakage.margin < 0 else min(spec.out_size[0], spec.out_sampling_rate + 2 * breakage.margin * samples)
    return replace(
        spec,
        tmp_sampling_rate=temporary,
        up_factor=up,
        down_factor=down,
        up_taps=support * up if up > 1 else 1,
        down_taps=support * down if down > 1 else 1,
        window=breakage.window or spec.window,
        in_cutoff=min(spec.in_cutoff * shift, highest) if shift != 1 else spec.in_cutoff,
        out_cutoff=min(spec.out_cutoff * shift, highest) if shift != 1 else spec.out_cutoff,
        out_size=(size, size),
    )


def power_of_two(number: int) -> int:
    """The largest power of two up to a number; 0 for 0."""
    return 1 << (number.bit_length() - 1) if number else 0


def _reach(spec: LayerSpec, breakage: LayerBreakage) -> int:
    """Samples at the temporary rate that one sample of the output sees through the downsampling, along one axis."""
    if not breakage.pool or spec.down_factor == 1:
        return spec.down_taps
    return spec.down_factor if breakage.pool == "max" else spec.down_factor + len(BLUR) - 1


def _cropped(grid: InputSpec, margins: list[int]) -> InputSpec:
    """A smaller grid for the Fourier input, where the margins of all layers are made smaller."""
    margin = -1 if min(margins, default=-1) < 0 else max(margins)
    if margin < 0:
        return grid
    width, height = (min(side, round(grid.sampling_rate) + 2 * margin) for side in grid.size)
    return replace(grid, size=(width, height))


def _layer(layer: FilteredLayer, spec: LayerSpec, breakage: LayerBreakage) -> FilteredLayer:
    """The layer as `spec` has it, with filters designed anew only where their design is another one; itself if nothing changes."""
    adds = breakage.noise != 0 or bool(breakage.pool)
    if spec == layer.spec and not adds:
        return layer
    twin = shared_copy(layer, AlteredLayer)
    twin.spec = spec
    twin.pool = breakage.pool
    twin.blur = torch.tensor(BLUR, device=layer.weight.device)  # kept, since a CUDA graph cannot copy it there
    twin.added_noise = _noise(spec, layer.weight.device) * breakage.noise if breakage.noise else None
    if spec.up_lowpass != layer.spec.up_lowpass:
        twin.up_filter = _buffer(design(spec.up_lowpass), layer.weight)
    if spec.down_lowpass != layer.spec.down_lowpass:
        twin.down_filter = _buffer(design(spec.down_lowpass), layer.weight)
    if layer.use_noise and spec.in_size != layer.spec.in_size:
        cut = (layer.spec.in_size[0] - spec.in_size[0]) // 2
        twin.noise_const = layer.noise_const[cut : layer.noise_const.shape[0] - cut, cut : layer.noise_const.shape[1] - cut]
    return twin


def _buffer(taps: object, like: Tensor) -> Tensor | None:
    return None if taps is None else torch.as_tensor(taps).to(like.device, torch.float32)


def _noise(spec: LayerSpec, device: torch.device) -> Tensor:
    """One normal image, the same whenever a layer of this name and size is broken: it does not move with the picture."""
    side = spec.in_size[0] + spec.conv_kernel - 1
    digest = hashlib.blake2b(f"broken/{spec.name}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    return torch.randn(side, side, generator=generator).to(device)
