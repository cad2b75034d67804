"""Globes rendered from a map: pictures that are a known function of the latent, so that a generator can be fitted to them directly.

Only the direction of z counts, as the mapping network normalises it. With u = z / rms(z): yaw = atan2(u1, u0); tilt = 0.4 tanh u2 rad;
light: azimuth 1.1 tanh u3, elevation 0.6 tanh u4; radius 0.385 + 0.075 tanh u5 of the width; centre 0.05 tanh (u6, u7).
The other numbers of z change nothing.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from networks.fully_connected import unit_rms
from torch_utils.picture_file import opened_picture, rgb_of

from .errors import DataError

FEWEST_LATENTS = 8  # numbers in z that mean something
GAMMA = 2.2
SKY = (0.003, 0.004, 0.009)  # linear light
AIR = (0.10, 0.25, 0.60)  # linear light, at the rim
NEAR, FAR = 0.2, 0.6  # image widths: the usual largest random translation, and the largest
LEVELS = 4  # of the Laplacian pyramid
KNOWN = 0.7  # image widths: how far a network trained under such moves still draws what it learned
KNOWN_UNTAUGHT = 0.25  # the same for one that was never shown a moved picture; farther out, parts of other globes come in


def load_map(path: Path, width: int) -> Tensor:
    """An equirectangular map in linear light [1, 3, width / 2, width + 2], its first and last columns repeated on the other side."""
    try:
        with opened_picture(path) as image:
            pixels = np.asarray(rgb_of(image), dtype=np.float32) / 255
    except FileNotFoundError as error:
        raise DataError(f"there is no map {str(path)!r}") from error
    except OSError as error:
        raise DataError(f"the map {str(path)!r} cannot be read: {error}") from error
    light = torch.from_numpy(pixels**GAMMA).permute(2, 0, 1)[None]
    small = F.interpolate(light, (width // 2, width), mode="area")
    return torch.cat([small[..., -1:], small, small[..., :1]], dim=3)


@torch.no_grad()
def render(z: Tensor, resolution: int, surface: Tensor, inverse: Tensor | None = None, *, oversampling: int = 2) -> Tensor:
    """Latents [N, z_dim >= 8] -> pictures [N, 3, R, R] in [-1, 1]: orthographic globes, shaded in linear light.

    `inverse` [N, 3, 3] maps picture coordinates ([-1/2, 1/2], y down) to the globe's, as the inverse of a pose does for the generator's
    input. Pixels are the mean of `oversampling` squared samples.
    """
    u = unit_rms(z)
    t = torch.tanh(u)[:, :, None, None]
    side = resolution * oversampling
    grid = (torch.arange(side, device=z.device) + 0.5) / side - 0.5
    x, y = grid[None, None, :], grid[None, :, None]
    if inverse is not None:
        m = inverse[:, :2, :, None, None]
        x, y = (m[:, i, 0] * x + m[:, i, 1] * y + m[:, i, 2] for i in (0, 1))
    radius = 0.385 + 0.075 * t[:, 5]
    x, y = (x - 0.05 * t[:, 6]) / radius, (0.05 * t[:, 7] - y) / radius  # y runs up from here
    x, y = torch.broadcast_tensors(x, y)
    distance = (x * x + y * y).sqrt()
    inside = ((1 - distance) * radius * side + 0.5).clamp(0, 1)  # an anti-aliased limb
    depth = (1 - distance.square()).clamp(min=1e-4).sqrt()
    onto = (distance.square().clamp(min=1) + 1e-4).rsqrt()  # beyond the limb: its nearest point
    x, y = x * onto, y * onto
    seen = _looked_up(surface, x, y, depth, (torch.atan2(u[:, 1], u[:, 0])[:, None, None], 0.4 * t[:, 2]))
    azimuth, elevation = 1.1 * t[:, 3], 0.6 * t[:, 4]
    light = azimuth.sin() * elevation.cos() * x + elevation.sin() * y + azimuth.cos() * elevation.cos() * depth
    rim = _colour(AIR, surface.device) * (1 - depth) ** 3
    colour = (1.7 * seen + rim) * (0.02 + light.clamp(min=0))
    colour = colour * inside + _colour(SKY, surface.device) * (1 - inside)
    return F.avg_pool2d(colour.permute(1, 0, 2, 3), oversampling).clamp(1e-5, 1) ** (1 / GAMMA) * 2 - 1


@lru_cache(maxsize=16)
def _colour(linear: tuple[float, float, float], device: torch.device) -> Tensor:
    """[3, 1, 1, 1]; kept, since making it copies to the device, which a CUDA graph cannot."""
    return torch.tensor(linear, device=device).view(3, 1, 1, 1)


def _looked_up(surface: Tensor, x: Tensor, y: Tensor, depth: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """The map's colours [3, N, S, S] at points of the unit sphere, seen after yaw and tilt."""
    yaw, tilt = turn
    up, front = y * tilt.cos() + depth * tilt.sin(), depth * tilt.cos() - y * tilt.sin()
    longitude, latitude = torch.atan2(x, front) + yaw, torch.asin(up.clamp(-1, 1))
    width = surface.shape[3] - 2
    column = (longitude / math.tau + 0.5) % 1
    grid = torch.stack([(column * width + 1) / (width + 2) * 2 - 1, -latitude * (2 / math.pi)], dim=3)
    colours = F.grid_sample(surface, grid.flatten(0, 1)[None], mode="bilinear", padding_mode="border", align_corners=False)
    return colours[0].unflatten(1, grid.shape[:2])


def random_moves(count: int, share: float, generator: torch.Generator) -> Tensor:
    """Inverse matrices [N, 3, 3]: for `share` of the samples a rotation by any angle and a translation, usually up to NEAR, one in seven
    up to FAR image widths; the identity for the others.

    An equivariant generator learns nothing new about the picture from them; they show it what lies outside of the frame.
    """
    angle = torch.rand(count, generator=generator) * math.tau
    reach = torch.where(torch.rand(count, 1, generator=generator) < 0.15, FAR, NEAR)
    shift = (torch.rand(count, 2, generator=generator) * 2 - 1) * reach
    moved = torch.eye(3).repeat(count, 1, 1)
    moved[:, 0, 0], moved[:, 0, 1] = angle.cos(), -angle.sin()
    moved[:, 1, 0], moved[:, 1, 1] = angle.sin(), angle.cos()
    moved[:, :2, 2] = shift
    moved[torch.rand(count, generator=generator) >= share] = torch.eye(3)
    return moved


def doubled(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, 2 H, 2 W] by linear interpolation, edges repeated; unlike torch's, its gradient is deterministic on a GPU."""
    for dim in (2, 3):
        count = x.shape[dim]
        before = torch.cat([x.narrow(dim, 0, 1), x.narrow(dim, 0, count - 1)], dim)
        after = torch.cat([x.narrow(dim, 1, count - 1), x.narrow(dim, count - 1, 1)], dim)
        x = torch.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], dim + 1).flatten(dim, dim + 1)
    return x


def pyramid_loss(pictures: Tensor, targets: Tensor) -> Tensor:
    """L1 on the picture, plus L1 on each band of a Laplacian pyramid."""
    difference = pictures - targets
    loss = difference.abs().mean()
    for _ in range(LEVELS):
        low = F.avg_pool2d(difference, 2)
        band = difference - doubled(low)
        loss = loss + band.abs().mean()
        difference = low
    return loss + difference.abs().mean()
