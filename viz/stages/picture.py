"""Stage "picture": normalises, lays out the contact sheet, measures, and hands numpy arrays to the window."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from torch_utils.sending import sent
from torch_utils.spectra import cropped_to_image
from viz.gpu.handover import DevicePicture, DeviceValues
from viz.gpu.later import Later
from viz.request import Picture, Statistics
from viz.stages import Run, Stage
from viz.stages.load import Ready
from viz.state import Channels, HeldRange, Tap, ViewState


@dataclass(frozen=True)
class Measured:
    """`divisors` [C]: what Normalise has divided the channels by; None where it has not."""

    picture: Picture
    shown: Statistics | Later[Statistics]
    divisors: torch.Tensor | None = None


def frame_rect(width: int, height: int, sampling_rate: float) -> tuple[float, float, float, float]:
    """The image frame (x0, y0, x1, y1) in samples of a layer that is `width` by `height` at `sampling_rate` per image width."""
    return (width - sampling_rate) / 2, (height - sampling_rate) / 2, (width + sampling_rate) / 2, (height + sampling_rate) / 2


def measured(values: torch.Tensor, mask: torch.Tensor | None = None, largest: torch.Tensor | None = None) -> Statistics | Later[Statistics]:
    """`measure`, which on a GPU is only begun: the numbers come with the frame. `largest` [C], if given, is reported too."""
    if values.device.type != "cuda" or mask is not None or values.numel() == 0:
        return replace(measure(values, mask), largest=() if largest is None else tuple(largest.tolist()))
    std, mean = torch.std_mean(values, correction=0)
    low, high = torch.aminmax(values)

    def make(numbers: list[float]) -> Statistics:
        mean, std, low, high, *rest = numbers
        finite = math.isfinite(mean + std + low + high)
        found = Statistics(mean, std, max(abs(low), abs(high))) if finite else measure(values)  # which counts; rare, so it may wait
        return replace(found, largest=tuple(rest))

    numbers = torch.stack([mean, std, low, high])
    return Later(numbers if largest is None else torch.cat([numbers, largest]), make)


def largest_magnitudes(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """[C]: the largest finite magnitude of each channel [C, H, W] where `mask` [H, W] holds; 1 where that is 0: it is divided by."""
    counts = torch.isfinite(values) if mask is None else torch.isfinite(values) & mask
    largest = torch.where(counts, values.abs(), 0.0).amax(dim=(1, 2))
    return torch.where(largest > 0, largest, 1.0)


def measure(values: torch.Tensor, mask: torch.Tensor | None = None) -> Statistics:
    """Mean, standard deviation and largest magnitude of [C, H, W] where `mask` [H, W] holds; non-finite values are counted."""
    flat = values.float().reshape(values.shape[0], -1) if mask is None else values.float()[:, mask]
    if flat.numel() == 0:
        return Statistics(math.nan, math.nan, math.nan)
    finite = torch.isfinite(flat)
    bad = int(flat.numel() - finite.sum())
    if bad:
        flat = flat[finite]
        if flat.numel() == 0:
            return Statistics(math.nan, math.nan, math.nan, bad)
    std, mean = torch.std_mean(flat, correction=0)
    low, high = torch.aminmax(flat)
    return Statistics(float(mean), float(std), max(abs(float(low)), abs(float(high))), bad)


def run(run: Run) -> Measured:
    ready: Ready = run.inputs["load"]
    shown, unwarped = run.inputs["channels"], run.inputs["unwarp"]
    tap = ready.facts.tap(run.view.get(Tap).layer)
    channels = run.view.get(Channels)
    values, mask = unwarped.values, unwarped.mask
    with torch.inference_mode():
        cropped = cropped_to_image(values, tap.sampling_rate)
        cropped_mask = None if mask is None else cropped_to_image(mask, tap.sampling_rate)
        largest = largest_magnitudes(cropped, cropped_mask) if channels.normalize else None
        statistics, by = measured(cropped, cropped_mask, largest), None
        if largest is not None:
            held = run.view.get(HeldRange).of(tap.name, shown.channels) if not channels.combined else None
            by = largest if held is None else sent(held, values.device, values.dtype)
            values = values / by[:, None, None]
        grid = math.ceil(math.sqrt(len(values))) if channels.mode == "sheet" else 0
        laid_out = _sheet(values, grid) if grid else values.permute(1, 2, 0)
        on_gpu = values.device.type == "cuda"
        array = _planes(laid_out) if on_gpu else laid_out.contiguous().cpu().numpy()
        if mask is not None and grid:
            mask = _sheet(mask.expand(len(values), -1, -1), grid)[:, :, 0]  # as the values are
    height, width = values.shape[-2:]
    picture = (DevicePicture if on_gpu else Picture)(
        values=array,  # type: ignore[arg-type]
        frame_rect=frame_rect(width, height, tap.sampling_rate),
        tap=tap.name,
        channels=shown.channels,
        total_channels=shown.total,
        mask=None if mask is None else mask.cpu().numpy(),
        grid=grid,
        cell=(width, height) if grid else (0, 0),
        note=shown.note,
        notes=shown.notes,
    )
    return Measured(picture, statistics, by)


def _planes(laid_out: torch.Tensor) -> DeviceValues:
    """[H, W, C] as planes that stay on the GPU."""
    return DeviceValues(laid_out.permute(2, 0, 1).contiguous())


def _sheet(values: torch.Tensor, columns: int) -> torch.Tensor:
    """[c, H, W] -> [rows * H, columns * W, 1]; unused cells are zero."""
    count, height, width = values.shape
    rows = -(-count // columns)
    padded = torch.cat([values, values.new_zeros(rows * columns - count, height, width)])
    return padded.reshape(rows, columns, height, width).transpose(1, 2).reshape(rows * height, columns * width, 1)


def run_statistics(run: Run) -> Statistics | Later[Statistics]:
    """All channels of the layer, margin left out; those of what is shown, where that is all and as it is."""
    everything, measured_already = run.inputs["synthesis"], run.inputs.get("picture")
    if measured_already is not None and _same(run.inputs["unwarp"].values, everything):
        return measured_already.shown
    ready: Ready = run.inputs["load"]
    tap = ready.facts.tap(run.view.get(Tap).layer)
    with torch.inference_mode():
        return measured(cropped_to_image(everything, tap.sampling_rate))


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether these are one memory, read in one way."""
    return a.data_ptr() == b.data_ptr() and (a.shape, a.stride(), a.dtype) == (b.shape, b.stride(), b.dtype)


def _key(view: ViewState, _: object) -> tuple[object, ...]:
    channels = view.get(Channels)
    return (channels.normalize, view.get(HeldRange) if channels.normalize else None)


STAGE = Stage("picture", after=("channels", "unwarp"), reads=(Channels, HeldRange), run=run, key=_key)
STATISTICS = Stage("statistics", after=("synthesis",), reads=(), run=run_statistics)
