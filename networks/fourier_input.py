"""The Fourier input of the alias-free generator. Pure, as in `networks.layers`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from networks.fully_connected import FullyConnected
from networks.kept_kernel import KeptKernel
from networks.p4 import repeated
from networks.spec import InputSpec
from torch_utils import ops

SHARPEST_FADE = 1e-3  # cycles per image width: where the band ends at half the sampling rate, there is no room for more
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
        self._kernel = KeptKernel()
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
        """The weight as a 1x1 kernel."""
        return self._kernel.of(self.weight, lambda weight: weight[:, :, None, None])

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
