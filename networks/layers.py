"""Layers that the generators are built from: fully connected, mapping, Fourier input, filtered layer.

All of them are pure: a forward pass writes no buffer, so two threads may run one network (p4 layers keep an expanded kernel,
by one assignment). The running statistics of training are updated by their own methods (`update_average`,
`update_magnitude`). Weights are drawn by `draw_weights`, from an explicit generator; a layer that was only constructed
holds zeros, ready for a state dict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from networks.filters import design
from networks.p4 import expand_kernel, repeated
from networks.spec import InputSpec, LayerSpec, MappingConfig
from torch_utils import ops

EPSILON = 1e-8
SHARPEST_FADE = 1e-3  # cycles per image width: where the band ends at half the sampling rate, there is no room for more


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


STILL = (1.0, 0.0, 0.0, 0.0)  # the pose (r_c, r_s, t_x, t_y) that moves nothing


class FourierInput(nn.Module):
    """The continuous input signal, sampled: sines of fixed frequencies and phases, moved by a pose, mixed over channels.

    The pose is the learned one, (r_c, r_s, t_x, t_y) of w, times the inverse of the user's; `transform` holds such an
    inverse matrix too, the network's own base transform (identity unless a file says otherwise). Without `learns_pose`
    there is no affine layer, and the learned pose is the identity.
    """

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, spec: InputSpec, w_dim: int, *, learns_pose: bool = True) -> None:
        super().__init__()
        self.spec = spec
        self.bandwidth = spec.bandwidth
        self.sampling_rate = spec.sampling_rate
        self.weight = nn.Parameter(torch.zeros(spec.channels, spec.channels))
        self._held: tuple[tuple[object, ...], Tensor] | None = None
        self.affine = FullyConnected(w_dim, 4, weight_init=0.0, bias_init=STILL) if learns_pose else None
        identity = torch.tensor(
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        )  # eye(3) on the meta device imports the compiler: 0.6 s
        self.register_buffer("transform", identity)
        self.register_buffer("freqs", torch.zeros(spec.channels, 2))
        self.register_buffer("phases", torch.zeros(spec.channels))

    def learned_pose(self, w: Tensor) -> Tensor:
        """w [N, w_dim] -> (r_c, r_s, t_x, t_y) [N, 4], divided by the length of (r_c, r_s)."""
        if self.affine is None:
            still = w.new_zeros(w.shape[0], 4)
            still[:, 0] = 1
            return still
        pose = self.affine(w)
        return pose / pose[:, :2].norm(dim=1, keepdim=True)

    def forward(self, pose: Tensor, inverse: Tensor | None = None) -> Tensor:
        """Features [N, C, H, W] for learned poses [N, 4] and the inverse [3, 3] of the user's forward matrix; C counts orientations.

        They are sin(2 pi (f x + phase)) times the amplitudes of `moved`, mixed over channels (paper, appendix F). The sum f_x x + f_y y
        is taken apart into a table for each axis, sin(a + b) = sin a cos b + cos a sin b, so that sines are computed for rows and
        columns only.
        """
        freqs, phases, amplitudes = self.moved(self.matrix(pose, inverse))
        x, y = (self._centres(size, freqs) for size in self.spec.size)
        along_x = math.tau * (freqs[:, :, 0, None] * x + phases[:, :, None])
        along_y = math.tau * (freqs[:, :, 1, None] * y)
        sin_x, cos_x = (along_x.sin() * amplitudes[:, :, None], along_x.cos() * amplitudes[:, :, None])
        features = sin_x[:, :, None, :] * along_y.cos()[:, :, :, None] + cos_x[:, :, None, :] * along_y.sin()[:, :, :, None]
        ones, gain = features.new_ones(features.shape[:2]), 1 / math.sqrt(self.spec.channels)
        mixed = ops.modulated_conv2d(features, self._mixing(), ones, demodulate=False, input_gain=gain)
        return repeated(mixed, self.spec.orientations, dim=1)

    def matrix(self, pose: Tensor, inverse: Tensor | None = None) -> Tensor:
        """M = R T B U [N, 3, 3], from the picture's plane to the signal's: learned pose, base transform, the user's inverse."""
        matrix = learned_matrix(pose) @ self.transform
        return matrix if inverse is None else matrix @ inverse.to(matrix)

    def moved(self, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frequencies [N, C, 2] (columns x, y), phases [N, C] and amplitudes [N, C] of the signal seen through M [N, 3, 3].

        phase += f M[:2, 2], f <- f M[:2, :2]; amplitudes fade to 0 between the band's edge and half the sampling rate.
        """
        freqs = self.freqs @ matrix[:, :2, :2]
        phases = self.phases + (self.freqs @ matrix[:, :2, 2:]).squeeze(2)
        fade = (freqs.norm(dim=2) - self.bandwidth) / max(self.sampling_rate / 2 - self.bandwidth, SHARPEST_FADE)
        return freqs, phases, (1 - fade).clamp(0, 1)

    def _mixing(self) -> Tensor:
        """The weight as a 1x1 kernel, the same tensor while the weight stays what it is, as in `FilteredLayer._kernel`."""
        weight = self.weight
        if weight.is_inference() or (torch.is_grad_enabled() and weight.requires_grad):
            return weight[:, :, None, None]
        state = (weight._version, weight.data_ptr(), weight.device, weight.dtype)
        held = self._held
        if held is None or held[0] != state:
            with torch.inference_mode(False), torch.no_grad():
                held = (state, weight.detach()[:, :, None, None])
            self._held = held
        return held[1]

    def _centres(self, size: int, like: Tensor) -> Tensor:
        """Sample centres in image widths, the image being [-1/2, 1/2]; made where they are used, since copying waits for a GPU."""
        return (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5 - size / 2) / self.sampling_rate

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Frequencies uniform in the disc of the band, phases uniform in [-1/2, 1/2), mixing weights normal."""
        channels = self.spec.channels
        direction = torch.randn(channels, 2, generator=generator)
        radius = direction.norm(dim=1, keepdim=True)
        within = (1 - torch.exp(-radius.square() / 2)).sqrt()  # the Rayleigh distribution, made uniform over the disc
        self.freqs.copy_(direction / radius * within * self.bandwidth)
        self.phases.copy_(torch.rand(channels, generator=generator) - 0.5)
        self.weight.copy_(torch.randn(channels, channels, generator=generator))
        self.transform.copy_(torch.eye(3))


def learned_matrix(pose: Tensor) -> Tensor:
    """(r_c, r_s, t_x, t_y) [N, 4] -> R T [N, 3, 3]: rotate by it, after moving by (-t_x, -t_y)."""
    r_c, r_s, t_x, t_y = pose.unbind(dim=1)
    zero, one = torch.zeros_like(r_c), torch.ones_like(r_c)
    rotation = torch.stack([r_c, -r_s, zero, r_s, r_c, zero, zero, zero, one], dim=1).reshape(-1, 3, 3)
    translation = torch.stack([one, zero, -t_x, zero, one, -t_y, zero, zero, one], dim=1).reshape(-1, 3, 3)
    return rotation @ translation


class FilteredLayer(nn.Module):
    """One layer of the alias-free generator: modulated convolution, bias, filtered leaky ReLU (or, as ToRGB, none).

    With `use_noise` (an ablation) a noise image is added after the convolution, at the rate of the layer's input.
    """

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None
    noise_const: Tensor

    def __init__(
        self, spec: LayerSpec, w_dim: int, *, conv_clamp: float | None, magnitude_ema_beta: float, use_noise: bool = False
    ) -> None:
        super().__init__()
        self.spec = spec
        self.conv_clamp = conv_clamp
        self.magnitude_ema_beta = magnitude_ema_beta
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
        self._expanded: tuple[tuple[object, ...], Tensor] | None = None
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
        """The weight, expanded over orientations. The expanded one is kept while the weight stays what it is: backends pack a
        weight that they know only once. It is made outside of inference mode, so that they can see that it does not change.
        """
        weight, orientations = self.weight, (self.spec.in_orientations, self.spec.out_orientations)
        if orientations == (1, 1):
            return weight
        if weight.is_inference() or (torch.is_grad_enabled() and weight.requires_grad):
            return expand_kernel(weight, *orientations)
        state = (weight._version, weight.data_ptr(), weight.device, weight.dtype)
        held = self._expanded
        if held is None or held[0] != state:
            with torch.inference_mode(False), torch.no_grad():
                held = (state, expand_kernel(weight, *orientations))
            self._expanded = held
        return held[1]

    def fresh_noise(self, samples: int) -> Tensor | None:
        """Training only: a new normal image a sample, from torch's own generator; None without noise inputs."""
        if not self.use_noise:
            return None
        return torch.randn(samples, 1, *self.noise_const.shape, device=self.noise_const.device)

    @torch.no_grad()
    def update_magnitude(self, x: Tensor) -> None:
        """Training only: move the running mean square of the layer's input towards this batch's."""
        self.magnitude_ema.lerp_(x.detach().float().square().mean(), 1 - self.magnitude_ema_beta)

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
