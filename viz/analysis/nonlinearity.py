"""Inside a filtered nonlinearity: the spectrum after every step, the harmonics that the leaky ReLU makes, and what falls back.

The layer's convolution is run once more, and its steps are repeated one by one with the plain operators: upsampling, leaky ReLU,
low-pass filter, downsampling. What the filter leaves above half the outgoing sampling rate s has no place there: it is folded
back into the band, which is aliasing. The filter's effect is computed, as its response on the spectrum, so that it can be seen
before samples are dropped. Torch is imported inside functions. Source: Karras et al. 2021, section 3.2 and figure 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from networks.layers import FilteredLayer
    from networks.spec import TapInfo
    from torch_utils.spectra import Spectrum

BETA = 8.0  # of the Kaiser window: what leaks from the borders must not pass for harmonics
MOST_SAMPLES = 1 << 24  # of one step; layers that have more are measured on evenly spaced channels
UPSAMPLED, ACTIVATED, FILTERED, DOWNSAMPLED = "after upsampling", "after the leaky ReLU", "after the filter", "after downsampling"


@dataclass(frozen=True, eq=False)
class Steps:
    """The spectra between the steps of one layer, in order. After the filter: None for layers that pool instead."""

    upsampled: Spectrum
    activated: Spectrum
    filtered: Spectrum | None
    downsampled: Spectrum
    channels: int

    def named(self) -> dict[str, Spectrum]:
        every = {UPSAMPLED: self.upsampled, ACTIVATED: self.activated, FILTERED: self.filtered, DOWNSAMPLED: self.downsampled}
        return {name: spectrum for name, spectrum in every.items() if spectrum is not None}


@dataclass(frozen=True)
class Harmonics:
    """Shares (0 to 1) of each step's power beyond half the outgoing rate: before the leaky ReLU, after it, after the filter.

    `folded` is the last one, the energy that aliases; None where a layer pools. `removed`: the part of what lay there that the
    filter takes away.
    """

    before: float
    made: float
    folded: float | None
    removed: float | None


def filtered_tap(taps: tuple[TapInfo, ...], name: str) -> TapInfo | None:
    """The layer of this name, or the last one before it that has a filtered nonlinearity; None where there is none."""
    index = next((i for i, tap in enumerate(taps) if tap.name == name), len(taps) - 1)
    return next((tap for tap in reversed(taps[: index + 1]) if tap.spec is not None and not getattr(tap.spec, "is_torgb", False)), None)


def steps_of(network: Any, ws: torch.Tensor, tap: TapInfo, arguments: Mapping[str, Any], *, most: int = MOST_SAMPLES) -> Steps:
    """The spectra inside the nonlinearity of layer `tap` (one with a specification, not ToRGB), for ws [1, num_ws, w_dim].

    `arguments` as for `Generator.synthesize` (pose, noise, memo, ...). `most`: how many samples a step may have; of layers with
    more, evenly spaced channels are taken.
    """
    layer, x, bias, chosen = _before(network, ws, tap, arguments, most)
    upsampled, activated = spectra(layer, x, bias)
    after = network.synthesize(ws, tap=tap.name, **arguments)
    down = _spectrum(after[0, chosen], layer.spec.out_sampling_rate)
    return Steps(upsampled, activated, _filtered(layer, activated), down, len(bias))


def folded_share(network: Any, ws: torch.Tensor, tap: TapInfo, arguments: Mapping[str, Any], *, most: int = MOST_SAMPLES) -> float | None:
    """Share (0 to 1) of a layer's power that folds back, as in `Harmonics`, and nothing else; None where the layer pools."""
    from torch_utils.spectra import share_above

    layer, x, bias, _ = _before(network, ws, tap, arguments, most)
    filtered = _filtered(layer, spectra(layer, x, bias)[1])
    return None if filtered is None else share_above(filtered, layer.spec.out_sampling_rate / 2, shape="square")


def _before(network: Any, ws: torch.Tensor, tap: TapInfo, arguments: Mapping[str, Any], most: int) -> tuple[Any, Any, Any, slice]:
    """The layer, what goes into its nonlinearity (on some channels), and which channels those are."""
    spec, names = tap.spec, [t.name for t in network.taps]
    if spec is None or spec.is_torgb:
        raise ValueError(f"{tap.name} has no filtered nonlinearity")
    layer: FilteredLayer = network.synthesis.layer(spec)
    before = network.synthesize(ws, tap=names[names.index(tap.name) - 1], **arguments)
    x, bias = convolved(layer, before, ws[:, tap.row], _noise(layer, arguments, ws))
    samples = x.shape[-1] * x.shape[-2] * spec.up_factor**2
    chosen = slice(None, None, max(1, -(-x.shape[1] * samples // most)))
    return layer, x[:, chosen], bias[chosen], chosen


def _filtered(layer: FilteredLayer, activated: Spectrum) -> Spectrum | None:
    pools = bool(getattr(layer, "pool", "")) and layer.spec.down_factor > 1
    return None if pools else after_filter(activated, layer.down_filter)


def spectra(layer: FilteredLayer, x: torch.Tensor, bias: torch.Tensor) -> tuple[Spectrum, Spectrum]:
    """After upsampling and after the leaky ReLU, of what goes into the layer's nonlinearity: x [1, C, H, W], bias [C]."""
    from torch_utils import ops

    spec = layer.spec
    gain = float(spec.up_factor**2)
    x = ops.upfirdn2d(x + bias[:, None, None], layer.up_filter, up=spec.up_factor, padding=spec.padding, gain=gain)
    upsampled = _spectrum(x[0], spec.tmp_sampling_rate)
    return upsampled, _spectrum(ops.bias_act(x, act="lrelu", clamp=layer.conv_clamp)[0], spec.tmp_sampling_rate)


def _spectrum(x: torch.Tensor, sampling_rate: float) -> Spectrum:
    """With the margin: finer bins."""
    from torch_utils.spectra import view_spectrum

    return view_spectrum(x, BETA, sampling_rate=sampling_rate)


def harmonics(steps: Steps, out_sampling_rate: float) -> Harmonics:
    """What lies outside the square that samples at the outgoing rate can hold, on the way there."""
    from torch_utils.spectra import share_above

    half = out_sampling_rate / 2
    share = lambda spectrum: share_above(spectrum, half, shape="square")  # noqa: E731
    before, made = share(steps.upsampled), share(steps.activated)
    if steps.filtered is None:
        return Harmonics(before, made, None, None)
    folded = share(steps.filtered)
    there, left = (s * float(p.power.sum()) for s, p in ((made, steps.activated), (folded, steps.filtered)))
    return Harmonics(before, made, folded, 1 - left / there if there > 0 else None)


def convolved(layer: FilteredLayer, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """What goes into the layer's nonlinearity: the convolution's output [N, C, H, W] with its noise, and the bias [C]."""
    x, bias = type(layer).forward(_UpToNonlinearity(layer), x, w, noise)  # type: ignore[arg-type]
    added = getattr(layer, "added_noise", None)
    return (x if added is None else x + added.to(x)), bias


class _UpToNonlinearity:
    """The layer, except that its nonlinearity hands back what it was given."""

    def __init__(self, layer: FilteredLayer) -> None:
        self._layer = layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def nonlinearity(self, x: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, bias


def _noise(layer: FilteredLayer, arguments: Mapping[str, Any], ws: torch.Tensor) -> torch.Tensor | None:
    from networks.noise import noise_image

    return noise_image(layer, layer.spec.name, arguments.get("noise", "const") if layer.use_noise else "none", ws)


def after_filter(spectrum: Spectrum, taps: torch.Tensor | None) -> Spectrum:
    """The spectrum after a low-pass filter at its rate: taps [n], standing for their outer product, or [n, n], or None for none."""
    import torch

    from torch_utils.spectra import Spectrum

    if taps is None:
        return spectrum
    kernel = taps if taps.ndim == 2 else taps[:, None] * taps
    power = torch.view_as_real(torch.fft.fft2(kernel.to(spectrum.power), s=spectrum.power.shape)).square().sum(-1)
    return Spectrum(spectrum.power * torch.fft.fftshift(power), spectrum.fx, spectrum.fy)


def levels(spectrum: Spectrum, bins: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies [n] in cycles per image, and the mean density over circles [n] in dB: steps of different rates can be compared."""
    from torch_utils.spectra import Spectrum, decibels, radial_profile

    frequency, density = radial_profile(Spectrum(spectrum.density, spectrum.fx, spectrum.fy), bins)
    return frequency.cpu().numpy().astype(np.float64), decibels(density).cpu().numpy().astype(np.float64)
