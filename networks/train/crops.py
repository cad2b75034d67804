"""Square crops of pictures that lie on a GPU, resized there: the same function as `F.interpolate` with antialiasing, as matrix products."""

from __future__ import annotations

import torch
from torch import Tensor


def resized(pixels: Tensor, crops: Tensor, resolution: int) -> Tensor:
    """pixels [K, 3, H, W] uint8, crops [N, 5] (picture, side, left, top, mirrored) int64 -> [N, 3, R, R] in [-1, 1].

    y = A_y x A_x^T for each channel, with `weights` for each axis. Nothing depends on values, so that a CUDA graph may hold it.
    """
    picture, side, left, top, mirrored = crops.unbind(1)
    rows = weights((side, top, torch.zeros_like(mirrored)), pixels.shape[2], resolution)
    columns = weights((side, left, mirrored), pixels.shape[3], resolution)
    values = pixels[picture].to(torch.float32) / 127.5 - 1
    return (rows[:, None] @ (values @ columns.transpose(1, 2)[:, None])).clamp(-1, 1)


def weights(crop: tuple[Tensor, Tensor, Tensor], size: int, resolution: int) -> Tensor:
    """[N, resolution, size]: the share of each sample of an axis in each of the crop's, for (side, start, mirrored) of each crop [N].

    A triangle of one output sample's width, but at least one input sample's, about the centre (r + 1/2) side / resolution; of sum 1 over
    what lies within the crop.
    """
    side, start, mirrored = (value[:, None, None] for value in crop)
    place = torch.arange(size, device=side.device) - start
    place = torch.where(mirrored > 0, side - 1 - place, place)
    scale = side / resolution
    centre = (torch.arange(resolution, device=side.device)[:, None] + 0.5) * scale
    share = (1 - (place + 0.5 - centre).abs() / scale.clamp(min=1)).clamp(min=0) * ((place >= 0) & (place < side))
    return share / share.sum(dim=2, keepdim=True)
