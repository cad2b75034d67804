"""The layers of StyleGAN2 and the blocks that hold them, one block a resolution."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from networks.fully_connected import FullyConnected
from networks.spec import GeneratorConfig
from torch_utils import ops
from torch_utils.ops.reference import full_precision


def resample_taps(taps: tuple[float, ...]) -> Tensor:
    """The 2-D filter [n, n] of sum 1, the outer product of `taps` with itself.

    Made by numpy: arithmetic of torch on the meta device imports its compiler, which takes seconds and hundreds of MB.
    """
    row = np.array(taps, dtype=np.float32)
    square = np.outer(row, row)
    return torch.tensor((square / square.sum()).tolist(), dtype=torch.float32)


def doubled(x: Tensor, taps: Tensor) -> Tensor:
    """Twice the resolution: zeros between the samples, then the filter at gain 4."""
    count = taps.shape[-1]
    low = (count + 1) // 2
    high = count - 1 - low
    return ops.upfirdn2d(x, taps, up=2, padding=(low, high, low, high), gain=4)


class NoisyConv(nn.Module):
    """Modulated 3x3 convolution, with or without doubling the resolution; then noise, bias and leaky ReLU."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(self, in_channels: int, out_channels: int, resolution: int, config: GeneratorConfig, *, doubles: bool) -> None:
        super().__init__()
        self.resolution = resolution
        self.doubles = doubles
        self.use_noise = config.use_noise
        self.activation = config.activation
        self.conv_clamp = config.conv_clamp
        self.affine = FullyConnected(config.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 3, 3))
        if config.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros([]))
            self.register_buffer("noise_const", torch.zeros(resolution, resolution))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("resample_filter", resample_taps(config.resample_filter))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """x [N, in, H, W], w [N, w_dim] -> [N, out, H', W'] of x's type; `noise` [H', W'] or [N, 1, H', W'] is added."""
        styles = self.affine(w)
        if self.doubles:
            x = ops.doubling_conv2d(x, self.weight, styles, self.resample_filter)
        else:
            x = ops.modulated_conv2d(x, self.weight, styles, padding=1)
        if noise is not None:
            x = x + (noise * self.noise_strength).to(x.dtype)
        return ops.bias_act(x, self.bias.to(x.dtype), act=self.activation, clamp=self.conv_clamp)

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Weights and constant noise normal, bias and noise strength 0."""
        self.weight.copy_(torch.randn(self.weight.shape, generator=generator))
        if self.use_noise:
            self.noise_const.copy_(torch.randn(self.noise_const.shape, generator=generator))
            self.noise_strength.zero_()
        self.bias.zero_()


class ToRGB(nn.Module):
    """1x1 modulated convolution to the picture's channels, without demodulation."""

    def __init__(self, in_channels: int, config: GeneratorConfig) -> None:
        super().__init__()
        self.conv_clamp = config.conv_clamp
        self.affine = FullyConnected(config.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.zeros(config.img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.img_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, in, H, W], w [N, w_dim] -> [N, img_channels, H, W] in float32."""
        styles = self.affine(w) / math.sqrt(self.weight.shape[1])
        x = ops.modulated_conv2d(x, self.weight, styles, demodulate=False)
        return ops.bias_act(x, self.bias.to(x.dtype), clamp=self.conv_clamp).to(torch.float32)

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Weights normal, bias 0."""
        self.weight.copy_(torch.randn(self.weight.shape, generator=generator))
        self.bias.zero_()


class SkipConv(nn.Module):
    """The straight branch of a residual block: 1x1 convolution without bias, then doubled resolution."""

    resample_filter: Tensor

    def __init__(self, in_channels: int, out_channels: int, config: GeneratorConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 1, 1))
        self.register_buffer("resample_filter", resample_taps(config.resample_filter))

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] -> [N, out, 2 H, 2 W]."""
        weight = self.weight / math.sqrt(self.weight.shape[1])
        with full_precision(x):
            x = F.conv2d(x, weight.to(x.dtype))
        return doubled(x, self.resample_filter)

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Weights normal."""
        self.weight.copy_(torch.randn(self.weight.shape, generator=generator))


class Block(nn.Module):
    """One resolution: `conv0` (not in the first block, which has `const` unless it gets Fourier features), `conv1`, and `torgb`
    and `skip` where the architecture has them.

    `first_row` is the row of ws that its first convolution reads; the others follow.
    """

    resample_filter: Tensor

    def __init__(self, resolution: int, config: GeneratorConfig) -> None:
        super().__init__()
        is_first = resolution == 4
        channels, before = block_channels(resolution, config), block_channels(resolution // 2, config)
        self.name = f"b{resolution}"
        self.resolution = resolution
        self.channels = channels
        self.first_row = 0 if is_first else 2 * int(math.log2(resolution)) - 5
        self.use_fp16 = not is_first and resolution * 2**config.num_fp16_res > config.img_resolution
        self.const = nn.Parameter(torch.zeros(channels, 4, 4)) if is_first and not config.fourier_input else None
        self.register_buffer("resample_filter", resample_taps(config.resample_filter))
        self.conv0 = None if is_first else NoisyConv(before, channels, resolution, config, doubles=True)
        self.conv1 = NoisyConv(channels, channels, resolution, config, doubles=False)
        has_torgb = config.architecture == "skip" or resolution == config.img_resolution
        self.torgb = ToRGB(channels, config) if has_torgb else None
        self.skip = SkipConv(before, channels, config) if config.architecture == "resnet" and not is_first else None

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """The constant normal; the layers draw their own."""
        if self.const is not None:
            self.const.copy_(torch.randn(self.const.shape, generator=generator))


def block_channels(resolution: int, config: GeneratorConfig) -> int:
    """min(base / resolution, max), and at least 1."""
    return max(1, min(config.channel_base // resolution, config.channel_max))
