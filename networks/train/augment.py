"""Augmentation before the discriminator, of real and generated pictures alike, with a probability p that adapts to overfitting.

Karras et al., Training Generative Adversarial Networks with Limited Data (2020). Each transformation happens with probability p,
otherwise not at all, so that the generator cannot profit from imitating it while p stays below 1; at p = 0 the pictures are returned
as they are. Mirroring, quarter turns and shifts by whole pixels move samples; the others are one affine map, sampled at twice the
resolution between low-pass filters, for the pictures that have any. Everything can be differentiated twice, for R1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from networks.filters import Lowpass, design
from torch_utils import ops

LOWPASS = Lowpass(support=6, factor=2, cutoff=0.5, half_width=0.15, sampling_rate=2.0)  # of twice the rate: all but the end of the band
FILTER_TAPS = LOWPASS.taps
LUMA = 1 / math.sqrt(3)
UNIFORM, NORMAL = 21, 7  # numbers that an augmentation is made of


@dataclass(frozen=True)
class Augmentation:
    """What happens to each picture of a batch; all [N] or [N, ...], the neutral value where a transformation does not happen.

    `turns` are quarters, `shift` whole pixels (x, y); `affine` [N, 2, 3] maps output to input positions in pixels from the centre;
    `colour` [N, 3, 4] maps colours in [-1, 1].
    """

    mirrored: Tensor
    turns: Tensor
    shift: Tensor
    affine: Tensor
    colour: Tensor

    def rows(self, part: slice) -> Augmentation:
        """That of some pictures."""
        return Augmentation(*(value[part] for value in (self.mirrored, self.turns, self.shift, self.affine, self.colour)))


def draw(count: int, p: float, resolution: int, generator: torch.Generator) -> Augmentation:
    """Random augmentations for `count` pictures."""
    return formed(drawn(count, generator), torch.tensor(p), resolution)


def drawn(count: int, generator: torch.Generator) -> Tensor:
    """The random numbers of augmentations [count, numbers], whatever p is: so many uniform in [0, 1), then so many normal."""
    uniform, normal = (draw(count, size, generator=generator) for draw, size in ((torch.rand, UNIFORM), (torch.randn, NORMAL)))
    return torch.cat([uniform, normal], dim=1)


def formed(numbers: Tensor, p: Tensor, resolution: int) -> Augmentation:
    """What `drawn` numbers mean at p, a number on their device; nothing is asked for, so that a CUDA graph may hold it."""
    count, at = numbers.shape[0], numbers.device
    uniform, gauss = (iter(part.unbind(1)) for part in (numbers[:, :UNIFORM], numbers[:, UNIFORM:]))

    def happens(probability: Tensor = p) -> Tensor:
        return next(uniform) < probability

    def between(low: float, high: float) -> Tensor:
        return next(uniform) * (high - low) + low

    mirrored = happens() & (next(uniform) < 0.5)
    turns = torch.where(happens(), between(0, 4).long().clamp(max=3), 0)
    steps = torch.stack([between(-0.125, 0.125), between(-0.125, 0.125)], dim=1) * resolution
    shift = torch.where(happens()[:, None], steps.round().long(), 0)
    either = 1 - (1 - p).clamp(min=0).sqrt()  # of two rotations: then p is the probability of any
    scale = torch.where(happens(), torch.exp2(next(gauss) * 0.2), 1.0)
    before = torch.where(happens(either), between(-math.pi, math.pi), 0.0)
    stretch = torch.where(happens(), torch.exp2(next(gauss) * 0.2), 1.0)
    after = torch.where(happens(either), between(-math.pi, math.pi), 0.0)
    moved = torch.where(happens()[:, None], torch.stack([next(gauss), next(gauss)], dim=1) * (0.125 * resolution), 0.0)
    axes = _rotation(after) @ torch.diag_embed(torch.stack([scale * stretch, scale / stretch], dim=1)) @ _rotation(before)
    affine = torch.cat([axes, moved[:, :, None]], dim=2)

    plain, luma = torch.eye(3, device=at), torch.full((3, 3), LUMA * LUMA, device=at)
    brightness = torch.where(happens(), next(gauss) * 0.2, 0.0)
    contrast = torch.where(happens(), torch.exp2(next(gauss) * 0.5), 1.0)
    flips = happens() & (next(uniform) < 0.5)
    hue = torch.where(happens(), between(-math.pi, math.pi), 0.0)
    saturation = torch.where(happens(), torch.exp2(next(gauss)), 1.0)
    colour = plain.expand(count, 3, 3) * contrast[:, None, None]
    colour = torch.where(flips[:, None, None], plain - 2 * luma, plain) @ colour
    colour = _about_luma(hue) @ colour
    colour = (luma + (plain - luma) * saturation[:, None, None]) @ colour
    # Brightness comes before the rest, so it goes through it; it lies on the luma axis, which contrast scales and luma flips turn round.
    offset = brightness * contrast * torch.where(flips, -1.0, 1.0)
    neutral = ~flips & (hue == 0) & (saturation == 1) & (contrast == 1)
    colour = torch.where(neutral[:, None, None], plain, colour)
    return Augmentation(mirrored, turns, shift, affine, torch.cat([colour, offset[:, None, None].expand(-1, 3, 1)], dim=2))


def _rotation(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 2, 2)


def _about_luma(angle: Tensor) -> Tensor:
    """Rotations of colours about the grey axis (Rodrigues)."""
    plain = torch.eye(3, device=angle.device)
    cross = (plain.roll(1, 0) - plain.roll(-1, 0)) * LUMA
    luma = torch.full((3, 3), LUMA * LUMA, device=angle.device)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return plain * cos + cross * sin + luma * (1 - cos)


def apply(pictures: Tensor, wanted: Augmentation) -> Tensor:
    """Pictures [N, 3, R, R] after mirroring, turning, shifting, the affine map, and the colours' map, in this order.

    `wanted` lies on the processor, which sees what need not be done.
    """
    device = pictures.device
    x = pictures
    if bool(wanted.mirrored.any() | (wanted.turns != 0).any() | (wanted.shift != 0).any()):
        x = _moved(x, wanted)
    chosen = _have_affine(wanted).nonzero().flatten()
    if len(chosen):
        there = chosen.to(device)
        x = x.index_copy(0, there, _warped(x[there], wanted.affine[chosen].to(pictures)))
    plain = torch.eye(3, 4)
    if bool((wanted.colour != plain).any()):
        x = _coloured(x, wanted.colour.to(pictures))
    return x


def apply_unseen(pictures: Tensor, wanted: Augmentation) -> Tensor:
    """The same with everything done to all pictures, so that nothing depends on what was drawn: a CUDA graph may hold it. `wanted` lies
    where the pictures lie.
    """
    x = _moved(pictures, wanted)
    x = torch.where(_have_affine(wanted)[:, None, None, None], _warped(x, wanted.affine.to(x.dtype)), x)
    return _coloured(x, wanted.colour.to(x.dtype))


def _have_affine(wanted: Augmentation) -> Tensor:
    """[N]: whose affine map is not the identity."""
    return (wanted.affine != torch.eye(2, 3, device=wanted.affine.device)).flatten(1).any(dim=1)


def _coloured(x: Tensor, colour: Tensor) -> Tensor:
    return torch.einsum("nij,njhw->nihw", colour[:, :, :3], x) + colour[:, :, 3, None, None]


def _moved(x: Tensor, wanted: Augmentation) -> Tensor:
    """Mirror, turn by quarters (counter-clockwise), shift by whole pixels, borders continued by reflection: samples only change places."""
    count, _, side, _ = x.shape
    line = torch.arange(side, device=wanted.shift.device)
    column = _reflected(line[None, None, :] - wanted.shift[:, 0, None, None], side).expand(count, side, side)
    row = _reflected(line[None, :, None] - wanted.shift[:, 1, None, None], side).expand(count, side, side)
    for quarter in range(1, 4):
        turned = (wanted.turns >= quarter)[:, None, None]
        column, row = torch.where(turned, side - 1 - row, column), torch.where(turned, column, row)
    column = torch.where(wanted.mirrored[:, None, None], side - 1 - column, column)
    return _gathered(x, row.to(x.device), column.to(x.device))


def _reflected(place: Tensor, size: int) -> Tensor:
    """Positions outside of 0 ... size - 1 are reflected at the borders' samples, as often as needed."""
    period = max(1, 2 * (size - 1))
    place = place.remainder(period)
    return torch.minimum(place, period - place)


def _gathered(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """x at [N, H', W'] places."""
    flat = (row * x.shape[3] + column).flatten(1)[:, None, :].expand(-1, x.shape[1], -1)
    return x.flatten(2).gather(2, flat).unflatten(2, row.shape[1:])


@lru_cache(maxsize=16)
def _lowpass(device: torch.device) -> Tensor:
    """The taps of `LOWPASS`. Kept on each device, since a CUDA graph cannot copy them there."""
    return torch.tensor(design(LOWPASS), dtype=torch.float32, device=device)


def _warped(x: Tensor, affine: Tensor) -> Tensor:
    """Sample at affine positions, twice as densely, with linear interpolation of a signal that was upsampled twice."""
    side, pad = x.shape[3], min(FILTER_TAPS // 2, x.shape[3] - 1)
    taps = _lowpass(x.device)
    wide = ops.upfirdn2d(F.pad(x, (pad, pad, pad, pad), mode="reflect"), taps, up=2, padding=(6, 5, 6, 5), gain=4)
    margin = (FILTER_TAPS // 2) * 2
    line = (torch.arange(2 * side + margin, device=x.device, dtype=x.dtype) + 0.5) / 2 - (side + margin / 2) / 2  # pixels from the centre
    ones = torch.ones((), device=x.device, dtype=x.dtype)
    x_in = affine[:, 0, 0, None, None] * line + affine[:, 0, 1, None, None] * line[:, None] + affine[:, 0, 2, None, None] * ones
    y_in = affine[:, 1, 0, None, None] * line + affine[:, 1, 1, None, None] * line[:, None] + affine[:, 1, 2, None, None] * ones
    within = wide[:, :, 2 * pad : 2 * (pad + side), 2 * pad : 2 * (pad + side)]
    sampled = _interpolated(within, y_in * 2 + side - 0.5, x_in * 2 + side - 0.5)
    return ops.upfirdn2d(sampled, taps, down=2, padding=(-1, -1, -1, -1))[:, :, :side, :side]


def _interpolated(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Linear interpolation at [N, H', W'] positions, borders reflected."""
    top, left = row.floor(), column.floor()
    down, right = (row - top)[:, None], (column - left)[:, None]
    rows = [_reflected(top.long() + k, x.shape[2]) for k in (0, 1)]
    columns = [_reflected(left.long() + k, x.shape[3]) for k in (0, 1)]
    upper = _gathered(x, rows[0], columns[0]).lerp(_gathered(x, rows[0], columns[1]), right)
    lower = _gathered(x, rows[1], columns[0]).lerp(_gathered(x, rows[1], columns[1]), right)
    return upper.lerp(lower, down)


def adjusted(p: Tensor, mean_sign: Tensor, target: float, step: float) -> Tensor:
    """p after a look at the discriminator: up by `step` if it is surer of real pictures than the target, else down. Waits for nothing."""
    return (p + torch.where(mean_sign >= target, step, -step)).clamp(0, 1)
