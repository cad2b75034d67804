"""A discriminator on frozen image features (Sauer et al., Projected GANs Converge Faster, 2021): quick results on little data.

Features of four strides are brought to zero mean and unit variance, mixed over channels, then from coarse to fine over scales, by random
weights that stay as drawn; a small network judges each scale. All scales' logits, one a place, count alike in a hinge loss. Without the
normalisation the features' size (2 to 9) makes logits of 20 at the start, far beyond the hinge's margin of 1.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .features import EfficientNetFeatures

CHANNELS = (64, 128, 128, 256)  # of the mixed features, fine to coarse
WIDTH = 96  # of the judges


class Judge(nn.Module):
    """A few convolutions, each but the last halving while there is something to halve; one logit a place."""

    def __init__(self, channels: int, halvings: int) -> None:
        super().__init__()
        widths = [channels, *[WIDTH] * halvings]
        self.convs = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairwise(widths))
        self.verdict = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, places]."""
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        return self.verdict(x).flatten(1)


class ProjectedDiscriminator(nn.Module):
    """Pictures -> logits of all scales' places. Only the judges are trained; the features are frozen, and so are the mixing weights."""

    def __init__(self, features: EfficientNetFeatures) -> None:
        super().__init__()
        self.features = features
        with torch.no_grad():
            widths = [stage.shape[1] for stage in features.stages(torch.zeros(1, 3, 128, 128))]
        self.across = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(widths, CHANNELS))
        self.down = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in pairwise(CHANNELS))
        self.judges = nn.ModuleList(Judge(channels, halvings) for channels, halvings in zip(CHANNELS, (3, 2, 1, 0)))
        self.across.requires_grad_(False)
        self.down.requires_grad_(False)

    def requires_grad_(self, requires_grad: bool = True) -> ProjectedDiscriminator:
        """Of the judges; the rest stays frozen."""
        self.judges.requires_grad_(requires_grad)
        return self

    def forward(self, pictures: Tensor, *, half: bool = False) -> Tensor:
        """[N, 3, R, R] in [-1, 1] -> [N, places]."""
        mixed = [conv(x) for conv, x in zip(self.across, self.features.stages(pictures))]
        scales = [mixed[-1]]
        for finer, conv in zip(mixed[-2::-1], reversed(self.down)):
            coarse = F.interpolate(scales[0], finer.shape[2:], mode="bilinear", align_corners=False)
            scales.insert(0, finer + conv(coarse))
        return torch.cat([judge(x) for judge, x in zip(self.judges, scales)], dim=1)

    def draw_weights(self, generator: torch.Generator) -> None:
        """Normal weights that keep variance, biases 0, for all but the frozen features."""
        for part in (self.across, self.down, self.judges):
            for name, parameter in part.named_parameters():
                with torch.no_grad():
                    fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
                    drawn = torch.randn(parameter.shape, generator=generator) * (2 / fan_in) ** 0.5
                    parameter.copy_(torch.zeros_like(drawn) if name.endswith("bias") else drawn)
        for buffer in self.judges.buffers():  # of the spectral norm: its estimates of the first singular vectors
            buffer.copy_(F.normalize(torch.randn(buffer.shape, generator=generator), dim=0))

    @torch.no_grad()
    def normalise_features(self, pictures: Tensor) -> None:
        """Have the mixing, just drawn, bring each channel of the features to zero mean and unit variance over pictures [N, 3, R, R].

        What does so is folded into the mixing's weights and biases, so it is saved and loaded with them.
        """
        for conv, x in zip(self.across, self.features.stages(pictures)):
            assert isinstance(conv, nn.Conv2d) and conv.bias is not None
            spread, mean = torch.std_mean(x, dim=(0, 2, 3))
            conv.weight.div_(spread.clamp(min=1e-3)[:, None, None])
            conv.bias.copy_(-(conv.weight[:, :, 0, 0] @ mean))
