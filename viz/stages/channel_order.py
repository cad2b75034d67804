"""In which order channels stand in the contact sheet: by number, energy, equivariance error, share beyond the cutoff, or a given
ranking.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from gui_utils.text import MISSING
from torch_utils.spectra import cropped_to_image
from viz.stages import Run
from viz.state import Channels, Pose, Tap

NUMBER, ENERGY, ERROR, BAND, RANKED = "number", "energy", "error", "band", "ranked"
TEST_SHIFT = 1.5  # samples of the layer to the right: what error is measured with while the picture is not posed
BETA = 8.0


@dataclass(frozen=True)
class Order:
    """Channel numbers in order, and what each of them scored; `notes` are empty where there is nothing to say."""

    numbers: tuple[int, ...]
    notes: tuple[str, ...] = ()


def ordered(run: Run) -> Order:
    """All channels of the tapped layer in the order that the view asks for, the most conspicuous first."""
    values: torch.Tensor = run.inputs["synthesis"]
    by, tap = run.view.get(Channels).sort, run.inputs["load"].facts.tap(run.view.get(Tap).layer)
    if by == RANKED:
        first = tuple(number for number in dict.fromkeys(run.view.get(Channels).ranking) if number < len(values))
        return Order((*first, *(number for number in range(len(values)) if number not in {*first})))
    with torch.inference_mode():
        if by == ENERGY:
            found = energy(cropped_to_image(values, tap.sampling_rate))
            return _sorted(found, lambda v: f"σ {MISSING if math.isnan(v) else f'{v**0.5:.2g}'}")
        if by == BAND and (cutoff := run.inputs["load"].facts.band(tap.name)[0]) is not None:
            return _sorted(beyond(cropped_to_image(values, tap.sampling_rate), cutoff, tap.sampling_rate), _percent)
        if by == ERROR and run.inputs["load"].facts.has_pose:
            return _sorted(error(run), _decibels)
    return Order(tuple(range(len(values))))


def _sorted(scores: torch.Tensor, text: Any) -> Order:
    scores = scores.cpu().double()
    order = torch.argsort(torch.nan_to_num(scores, nan=-1.0), descending=True, stable=True).tolist()  # what is no number comes last
    numbers = scores.tolist()
    return Order(tuple(order), tuple(text(numbers[i]) for i in order))


def energy(values: torch.Tensor) -> torch.Tensor:
    """The variance [C] of each channel [C, H, W]: its mean is no detail."""
    return values.float().var(dim=(1, 2), correction=0)


def beyond(values: torch.Tensor, cutoff: float, sampling_rate: float) -> torch.Tensor:
    """The share [C] of each channel's power beyond `cutoff` cycles per image, in any direction; nan where a channel has none.

    Means are taken out; the window keeps the borders from passing for high frequencies.
    """
    values = values.float() - values.float().mean(dim=(1, 2), keepdim=True)
    height, width = values.shape[-2:]
    rows, columns = (torch.kaiser_window(n, periodic=False, beta=BETA, device=values.device) for n in (height, width))
    power = torch.fft.fft2(values * rows[:, None] * columns).abs().square()
    fy, fx = (torch.fft.fftfreq(n, 1 / sampling_rate, device=values.device) for n in (height, width))
    outside = torch.hypot(fx, fy[:, None]) > cutoff
    return (power * outside).sum(dim=(1, 2)) / power.sum(dim=(1, 2))


def error(run: Run) -> torch.Tensor:
    """The power [C] of each channel's equivariance error over that of its detail, under the pose of the view or a test shift."""
    from networks.measures.comparison import difference, image_frame, restricted
    from viz.stages.synthesis import conditions, forced_backend, layer_memo, pose_matrix

    ready = run.inputs["load"]
    tap = ready.facts.tap(run.view.get(Tap).layer)
    pose, posed = pose_matrix(run.view, ready), run.inputs["synthesis"]
    ws, fixed = run.inputs["latent"].ws, {"tap": tap.name, "memo": layer_memo(run), **conditions(run)}
    with forced_backend(run.view):
        if pose == Pose().matrix():
            base, pose = posed, Pose(x=TEST_SHIFT / tap.sampling_rate).matrix()
            posed = ready.network.synthesize(ws, pose=pose, **fixed)[0]
        else:
            base = ready.network.synthesize(ws, pose=None, **fixed)[0]
    found = difference(base, posed, pose, sampling_rate=tap.sampling_rate)
    found = restricted(found, image_frame((posed.shape[2], posed.shape[1]), pose, tap.sampling_rate))
    detail = found.reference[:, found.mask]
    if not detail.shape[1]:  # nothing of the picture is where it was on it before
        return torch.full((len(detail),), torch.nan)
    return found.error.square().sum(dim=(1, 2)) / detail.var(dim=1, correction=0).mul(detail.shape[1]).clamp_min(1e-30)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 0 else ""


def _decibels(ratio: float) -> str:
    if math.isnan(ratio):
        return MISSING
    return f"{-10 * math.log10(ratio):.0f} dB" if ratio > 0 else "∞ dB"
