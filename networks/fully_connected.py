"""Fully connected layers, and the mapping network that is made of them. Pure, as in `networks.layers`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from networks.spec import MappingConfig
from torch_utils import ops

EPSILON = 1e-8


class FullyConnected(nn.Module):
    """y = act(x W^T lr / sqrt(in) + b lr). Weights are stored divided by `lr_multiplier`, so that they learn that much slower.

    `bias_init` is one number or one for each output; `weight_init` scales the drawn weights (0 for a layer that starts
    as its bias).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float | Sequence[float] = 0.0,
        weight_init: float = 1.0,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier
        self.bias_init = bias_init
        self.weight_init = weight_init
        self.weight = nn.Parameter(torch.zeros(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """[N, in] -> [N, out], in float32."""
        if self.activation == "linear":
            return torch.addmm(self.bias, x, self.weight.t(), beta=self.bias_gain, alpha=self.weight_gain)
        weight = self.weight * self.weight_gain
        bias = self.bias * self.bias_gain
        return ops.bias_act(x @ weight.t(), bias, act=self.activation)

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Weights normal, of unit variance after the learning-rate multiplier; bias at its initial value."""
        self.weight.copy_(torch.randn(self.weight.shape, generator=generator) * (self.weight_init / self.bias_gain))
        self.bias.copy_(torch.as_tensor(self.bias_init, dtype=torch.float32).expand_as(self.bias) / self.bias_gain)


class MappingNetwork(nn.Module):
    """z (and class c) -> w: normalise, append the normalised embedding of c, then fully connected layers fc0, fc1, ..."""

    w_avg: Tensor

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, config: MappingConfig) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.num_layers = config.num_layers
        self.w_avg_beta = config.w_avg_beta
        embed_features = (config.embed_features or w_dim) if c_dim > 0 else 0
        hidden = config.layer_features or w_dim
        widths = [z_dim + embed_features, *[hidden] * (config.num_layers - 1), w_dim]
        if c_dim > 0:
            self.embed = FullyConnected(c_dim, embed_features)
        for index in range(config.num_layers):
            layer = FullyConnected(widths[index], widths[index + 1], activation=config.activation, lr_multiplier=config.lr_multiplier)
            self.add_module(f"fc{index}", layer)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z [N, z_dim], c [N, c_dim] (one-hot or soft) -> w [N, w_dim]. Raises ValueError for shapes that do not fit."""
        parts = []
        if self.z_dim > 0:
            _check_width("z", z, self.z_dim)
            parts.append(unit_rms(z.to(self.w_avg.device, torch.float32)))
        if self.c_dim > 0:
            if c is None:
                raise ValueError(f"this network is conditional: c must be given, with {self.c_dim} columns")
            _check_width("c", c, self.c_dim)
            parts.append(unit_rms(self.embed(c.to(self.w_avg.device, torch.float32))))
        x = torch.cat(parts, dim=1)
        for index in range(self.num_layers):
            x = getattr(self, f"fc{index}")(x)
        return x

    @torch.no_grad()
    def update_average(self, w: Tensor) -> None:
        """Training only: move the running mean of w towards this batch's."""
        self.w_avg.lerp_(w.detach().mean(dim=0), 1 - self.w_avg_beta)


def _check_width(name: str, value: Tensor, width: int) -> None:
    if value.ndim != 2 or value.shape[1] != width:
        raise ValueError(f"{name} has shape {tuple(value.shape)}, but must be [N, {width}]")


def unit_rms(x: Tensor) -> Tensor:
    """Divide each row by its root mean square."""
    return x * (x.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()
