"""StyleGAN2's discriminator: residual blocks that halve the resolution, then the deviation within small groups, then a verdict."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from networks.fully_connected import FullyConnected
from networks.layers import draw_all_weights
from networks.stylegan2_blocks import resample_taps
from torch_utils import ops

BRANCH_GAIN = math.sqrt(0.5)
HALF_RESOLUTIONS = 4  # the highest ones, which may run in float16
CLAMP = 256.0


class Conv(nn.Module):
    """Convolution of unit-variance weights, scaled when used; with `halves` low-passed first and then strided by 2."""

    taps: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, halves: bool = False, linear: bool = False) -> None:
        super().__init__()
        self.halves, self.linear, self.kernel = halves, linear, kernel
        self.gain = 1 / math.sqrt(in_channels * kernel * kernel)
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, kernel, kernel))
        self.bias = None if linear else nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("taps", resample_taps((1, 3, 3, 1)), persistent=False)

    def forward(self, x: Tensor, *, gain: float = 1.0, clamp: float | None = None) -> Tensor:
        """[N, in, H, W] -> [N, out, H', W']; `gain` scales the result, after the activation."""
        weight = (self.weight * self.gain).to(x.dtype)
        if self.halves and self.kernel == 1:
            x = F.conv2d(ops.upfirdn2d(x, self.taps, down=2, padding=1), weight)
        elif self.halves:
            x = F.conv2d(ops.upfirdn2d(x, self.taps, padding=2), weight, stride=2)
        else:
            x = F.conv2d(x, weight, padding=self.kernel // 2)
        if self.linear:
            return x * gain
        assert self.bias is not None
        limit = None if clamp is None else clamp * gain
        return ops.bias_act(x, self.bias.to(x.dtype), act="lrelu", gain=math.sqrt(2) * gain, clamp=limit)

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Weights normal, bias 0."""
        self.weight.copy_(torch.randn(self.weight.shape, generator=generator))
        if self.bias is not None:
            self.bias.zero_()


class Block(nn.Module):
    """One resolution: two convolutions, the second halving, and a straight branch."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv0 = Conv(in_channels, in_channels, 3)
        self.conv1 = Conv(in_channels, out_channels, 3, halves=True)
        self.skip = Conv(in_channels, out_channels, 1, halves=True, linear=True)

    def forward(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """[N, in, R, R] -> [N, out, R / 2, R / 2], in `dtype`."""
        x = x.to(dtype)
        clamp = CLAMP if dtype == torch.float16 else None
        straight = self.skip(x, gain=BRANCH_GAIN)
        return straight + self.conv1(self.conv0(x, clamp=clamp), gain=BRANCH_GAIN, clamp=clamp)


class Discriminator(nn.Module):
    """Pictures -> logits. Channels are min(base / resolution, max).

    The deviation over groups of `group` neighbouring samples is one more channel at 4 x 4: a generator without variety is found out.
    """

    def __init__(self, resolution: int, channels: tuple[int, int], group: int, img_channels: int = 3) -> None:
        super().__init__()
        base, most = channels
        self.group = group
        self.resolutions = [2**power for power in range(int(math.log2(resolution)), 2, -1)]
        widths = {r: max(1, min(base // r, most)) for r in (*self.resolutions, 4)}
        self.from_rgb = Conv(img_channels, widths[resolution], 1)
        for r in self.resolutions:
            self.add_module(f"b{r}", Block(widths[r], widths[r // 2]))
        self.conv = Conv(widths[4] + 1, widths[4], 3)
        self.hidden = FullyConnected(widths[4] * 16, widths[4], activation="lrelu")
        self.verdict = FullyConnected(widths[4], 1)

    def forward(self, pictures: Tensor, *, half: bool = False) -> Tensor:
        """[N, C, R, R] in [-1, 1] -> [N]. With `half` the highest resolutions run in float16, on a GPU."""
        x = self.from_rgb(pictures)
        for place, r in enumerate(self.resolutions):
            narrow = half and x.is_cuda and place < HALF_RESOLUTIONS
            x = self.get_submodule(f"b{r}")(x, torch.float16 if narrow else torch.promote_types(pictures.dtype, torch.float32))
        x = x.to(torch.promote_types(pictures.dtype, torch.float32))
        x = torch.cat([x, group_deviation(x, self.group)], dim=1)
        return self.verdict(self.hidden(self.conv(x).flatten(1))).flatten()

    def draw_weights(self, generator: torch.Generator) -> None:
        """Those of an untrained network."""
        for module in self.children():
            draw_all_weights(module, generator)


def group_deviation(x: Tensor, group: int) -> Tensor:
    """The standard deviation over groups of neighbouring samples, averaged over features: one number a group, as a channel [N, 1, H, W]."""
    count = min(group, x.shape[0])
    groups = x.reshape(-1, count, *x.shape[1:])
    deviation = (groups.var(dim=1, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return deviation.repeat_interleave(count)[:, None, None, None].expand(-1, 1, *x.shape[2:])
