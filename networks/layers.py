"""The filtered layer, which the alias-free generator is made of, and how the weights of any network are drawn.

Layers are pure: a forward pass writes no buffer, so two threads may run one network (an expanded kernel is kept, by one assignment:
`KeptKernel`). Running statistics are moved by training alone (`networks.train.forward`, `MappingNetwork.update_average`). Weights are
drawn by `draw_weights`, from an explicit generator; a layer that was only constructed holds zeros, ready for a state dict.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from networks.filters import design
from networks.fully_connected import FullyConnected
from networks.kept_kernel import KeptKernel
from networks.p4 import expand_kernel, repeated
from networks.spec import LayerSpec
from torch_utils import ops


class FilteredLayer(nn.Module):
    """One layer of the alias-free generator: modulated convolution, bias, filtered leaky ReLU (or, as ToRGB, none).

    With `use_noise` (an ablation) a noise image is added after the convolution, at the rate of the layer's input.
    """

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None
    noise_const: Tensor

    def __init__(self, spec: LayerSpec, w_dim: int, *, conv_clamp: float | None, use_noise: bool = False) -> None:
        super().__init__()
        self.spec = spec
        self.conv_clamp = conv_clamp
        self.use_noise = use_noise and not spec.is_torgb
        kernel = spec.conv_kernel
        in_features, out_features = spec.in_channels // spec.in_orientations, spec.out_channels // spec.out_orientations
        kernels = spec.in_channels if spec.out_orientations > 1 else in_features
        self.affine = FullyConnected(w_dim, in_features, bias_init=1.0)
        self.weight = nn.Parameter(torch.zeros(out_features, kernels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_features))
        if self.use_noise:
            width, height = (size + kernel - 1 for size in spec.in_size)
            self.noise_strength = nn.Parameter(torch.zeros([]))
            self.register_buffer("noise_const", torch.zeros(height, width))
        self._expanded = KeptKernel()
        self.register_buffer("magnitude_ema", torch.ones([]))
        self.register_buffer("up_filter", _as_buffer(design(spec.up_lowpass)))
        self.register_buffer("down_filter", _as_buffer(design(spec.down_lowpass)))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None, *, dtype: torch.dtype = torch.float32) -> Tensor:
        """x [N, in, H, W], w [N, w_dim] -> [N, out, H', W'], computed in `dtype` (float32 or float16).

        `noise` has the size of the convolution's output, [H + k - 1, W + k - 1] or [N, 1, H + k - 1, W + k - 1].
        """
        spec = self.spec
        styles = repeated(self.affine(w), spec.in_orientations, dim=1)
        if spec.is_torgb:
            styles = styles / math.sqrt(spec.in_channels)
        x = ops.modulated_conv2d(
            x.to(dtype),
            self._kernel(),
            styles,
            demodulate=not spec.is_torgb,
            padding=spec.conv_kernel - 1,
            input_gain=self.magnitude_ema.rsqrt(),
        )
        if noise is not None:
            x = x + (noise * self.noise_strength).to(x.dtype)
        bias = repeated(self.bias, spec.out_orientations, dim=0)
        if spec.is_torgb:
            return ops.bias_act(x, bias, clamp=self.conv_clamp)
        return self.nonlinearity(x, bias)

    def nonlinearity(self, x: Tensor, bias: Tensor) -> Tensor:
        """Bias, up, leaky ReLU, clamp, down, crop: what comes after the convolution in every layer but ToRGB."""
        spec = self.spec
        return ops.filtered_lrelu(
            x,
            self.up_filter,
            self.down_filter,
            bias,
            up=spec.up_factor,
            down=spec.down_factor,
            padding=spec.padding,
            clamp=self.conv_clamp,
        )

    def _kernel(self) -> Tensor:
        """The weight, expanded over orientations."""
        orientations = (self.spec.in_orientations, self.spec.out_orientations)
        if orientations == (1, 1):
            return self.weight
        return self._expanded.of(self.weight, lambda weight: expand_kernel(weight, *orientations))

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Weights and constant noise normal, bias and noise strength 0, magnitude 1."""
        self.weight.copy_(torch.randn(self.weight.shape, generator=generator))
        self.bias.zero_()
        self.magnitude_ema.fill_(1.0)
        if self.use_noise:
            self.noise_const.copy_(torch.randn(self.noise_const.shape, generator=generator))
            self.noise_strength.zero_()


def _as_buffer(taps: np.ndarray | None) -> Tensor | None:
    return None if taps is None else torch.from_numpy(taps).to(torch.float32)


def draw_all_weights(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of every layer below `module`, in the order of its modules."""
    for layer in module.modules():
        draw = getattr(layer, "draw_weights", None)
        if callable(draw):
            draw(generator)
