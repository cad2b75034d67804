"""Whole pictures on a GPU: T and R at three sizes, by graph and step by step, and from an event to the finished picture. For `gpu.py`.

What is timed: `steps`, `Generator.synthesize` as it is called layer by layer; `graph`, a replay with a new pose; `sustained`, one of eight
replays asked for one after another, so that the GPU does not wait for Python; `reference`, the
operators' definitions; all between two CUDA events. `event to picture` is the wall clock of `Pipeline.render` for a pose that moves:
stages, replay, statistics, and the wait for the frame; once with the picture left on the GPU for the screen, once brought to pinned memory.
It is taken in the middle of a drag, when remembered results have begun to make room for new ones. `stages_ms` says which stage the
processor spent it in ("GPU" is the wait), and `allocations` how often a picture got memory anew from the GPU and for pinning.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from networks.cuda_graph import Graphs, form_of
from networks.generator import Generator
from networks.loading import LoadedNetwork
from tests.bench.synthesis import CASES, Case
from torch_utils import ops
from torch_utils.ops import cuda_conv, cuda_tiles
from torch_utils.ops.cuda_conv import _algorithms_tried
from viz.gpu import handover
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.stages import load
from viz.state import Device, Pose, Source, ViewState

NAMES = ("T-256", "R-256", "T-512", "R-512", "T-1024", "R-1024")
ROUNDS = 12
FILLING = 40  # pictures of a drag after which a gibibyte of remembered results of 1024 x 1024 is full
QUEUED = 8
COLUMNS = ("steps_ms", "graph_ms", "sustained_ms", "event_to_picture_ms", "with_download_ms", "reference_ms")


def picture_rows(names: list[str], left_s: Callable[[], float], milliseconds: Callable[..., float]) -> Iterator[dict[str, object]]:
    """One row a network and precision; what there is no time for says so."""
    for case in CASES:
        if case.name not in names:
            continue
        if left_s() < 40:
            yield {"picture": case.name, "left_out": "no time left"}
            continue
        network = case.network().cuda()
        for half in (False, True):
            yield picture_row(case, network, milliseconds, half=half)
        if case.resolution >= 1024:
            yield kernel_row(case, network)
        if case.name == "T-1024":
            yield from layout_rows(network, milliseconds)
        del network
        gc.collect()
        torch.cuda.empty_cache()


def picture_row(case: Case, network: Generator, milliseconds: Callable[..., float], *, half: bool) -> dict[str, object]:
    """One network's times in one precision, its memory, and how far the picture is from the definition's."""
    row: dict[str, object] = {"picture": case.name, "dtype": "float16" if half else "float32"}
    torch.cuda.reset_peak_memory_stats()
    with torch.inference_mode():
        ws = network.map(torch.randn(1, network.z_dim, device="cuda", generator=torch.Generator("cuda").manual_seed(0)))
        row["steps_ms"] = round(milliseconds(lambda: network.synthesize(ws, force_fp32=not half), ROUNDS), 3)
        graphs = Graphs()
        turning = iter(range(10**6))

        def replay() -> object:
            conditions = network.conditions(pose=_turned(next(turning)), half=half)
            return graphs.run(network, form_of(network, ws, conditions, None, "auto"), ws, conditions)

        if replay() is None:
            row["graph_ms"] = "; ".join(graphs._failed.values())
        else:
            row["graph_ms"] = round(milliseconds(replay, ROUNDS), 3)
            row["sustained_ms"] = round(milliseconds(lambda: [replay() for _ in range(QUEUED)], 5) / QUEUED, 3)
            row["graph_gib"] = round(graphs.nbytes / 2**30, 2)
        row["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        picture = network.synthesize(ws, force_fp32=not half)
        with ops.use("reference"):
            row["reference_ms"] = round(milliseconds(lambda: network.synthesize(ws, force_fp32=not half), 3), 3)
            exact = network.synthesize(ws)
        assert picture is not None and exact is not None
        row["error"] = float(f"{((picture - exact).abs().max() / exact.abs().max()).item():.1e}")
    graphs.clear()
    del picture, exact
    torch.cuda.empty_cache()
    for name, shared in (("event_to_picture_ms", True), ("with_download_ms", False)):
        row[name], details = event_to_picture(network, half=half, shared=shared)
        row[name.replace("_ms", "_stages_ms")] = details["stages_ms"]
        row[name.replace("_ms", "_allocations")] = details["allocations"]
    return row


def kernel_row(case: Case, network: Generator) -> dict[str, object]:
    """Where the time of a float16 picture goes: the kernels that took most of it, in milliseconds and calls a picture."""
    with torch.inference_mode():
        ws = network.map(torch.randn(1, network.z_dim, device="cuda"))
        network.synthesize(ws, force_fp32=False)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            for _ in range(4):
                network.synthesize(ws, force_fp32=False)
            torch.cuda.synchronize()
    found = sorted(profile.key_averages(), key=lambda event: -event.self_device_time_total)[:14]
    kernels = [[event.key[:70], round(event.self_device_time_total / 4e3, 3), event.count / 4] for event in found]
    total = sum(event.self_device_time_total for event in profile.key_averages()) / 4e3
    return {"kernels_of": case.name, "dtype": "float16", "together_ms": round(total, 3), "kernels": kernels}


def layout_rows(network: Generator, milliseconds: Callable[..., float]) -> Iterator[dict[str, object]]:
    """T's 3x3 convolutions in float16: by our own kernel, without making its weight; and by cuDNN: on plain images, channels-last, and that
    with the way there and back. `gpu_conv` measures each division of our own.
    """
    channels_last = torch.channels_last
    for spec in network.synthesis.specs[:-1]:  # type: ignore[union-attr]
        x = torch.randn(1, spec.in_channels, spec.in_size[1], spec.in_size[0], device="cuda", dtype=torch.float16)
        weight = torch.randn(spec.out_channels, spec.in_channels, 3, 3, device="cuda", dtype=torch.float16)
        xl, wl = x.contiguous(memory_format=channels_last), weight.contiguous(memory_format=channels_last)

        def there_and_back(x: torch.Tensor = x, wl: torch.Tensor = wl) -> object:
            return _tried(x.contiguous(memory_format=channels_last), wl).contiguous()

        with torch.inference_mode():
            ours = cuda_conv.factor_of(x, weight, x.new_ones(1, spec.in_channels), None, demodulate=False)
            ways = (lambda: cuda_tiles.correlate(x, ours, 2), lambda: _tried(x, weight), lambda: _tried(xl, wl))  # noqa: B023
            times = [milliseconds(f, 8) for f in (*ways, there_and_back)]
        gflop = 2e-9 * weight.numel() * (spec.in_size[0] + 2) * (spec.in_size[1] + 2)
        named = dict(zip(("ours_ms", "plain_ms", "channels_last_ms", "there_and_back_ms"), (round(t, 4) for t in times), strict=True))
        yield {"convolution": spec.name, **named, "ours_tflops": round(gflop / times[0], 1), "plain_tflops": round(gflop / times[1], 1)}


def _tried(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    with _algorithms_tried(torch.float16):
        return torch.nn.functional.conv2d(x, weight, padding=2)


def _turned(count: int) -> list[list[float]]:
    angle = torch.tensor(0.01 * count)
    c, s = angle.cos().item(), angle.sin().item()
    return [[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]


def event_to_picture(network: Generator, *, half: bool, shared: bool) -> tuple[float, dict[str, object]]:
    """The median time of a request whose pose is new, in milliseconds, and where it went; the first, which record the graph and fill the
    memory of results, do not count.
    """
    pipeline = Pipeline()
    loaded = LoadedNetwork(network, "bench", Path("bench"), "0" * 64, 0, 0, "snapshot", network.config.rung)
    before, load.load_network = load.load_network, lambda *arguments, **options: loaded
    known, handover.handover.shared = handover.handover.shared, shared
    times, stages, gotten = [], [], []
    try:
        view = ViewState().put(Source("bench")).put(Device(device="cuda", force_fp32=not half))
        for count in range(FILLING + ROUNDS):
            start = time.perf_counter()
            frame = pipeline.render(RenderRequest(count, view.edit(Pose, turns=0.003 * count)))
            times.append(time.perf_counter() - start)
            assert frame is not None and frame.error is None, frame
            stages.append(dict(frame.timing.stages))
            pinned = torch.cuda.host_memory_stats()
            gotten.append((torch.cuda.memory_stats().get("num_device_alloc", 0), pinned.get("num_host_alloc", 0)))
    finally:
        load.load_network, handover.handover.shared = before, known
        pipeline.gpu.give_back()
    by_stage = {name: round(1e3 * statistics.median(s.get(name, 0.0) for s in stages[FILLING:]), 3) for name in stages[-1]}
    allocations = [round((last - first) / ROUNDS, 2) for last, first in zip(gotten[-1], gotten[FILLING - 1], strict=True)]
    return round(1e3 * statistics.median(times[FILLING:]), 3), {"stages_ms": by_stage, "allocations": allocations}


def markdown(rows: list[dict[str, object]]) -> str:
    """The rows as a table for RESULTS.md."""
    titles = ("picture", "dtype", *COLUMNS, "error", "peak_gib", "graph_gib")
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        cells = {"dtype": row.get("left_out", ""), **row}
        lines.append("| " + " | ".join(str(cells.get(title, "")) for title in titles) + " |")
    return "\n".join(lines)
