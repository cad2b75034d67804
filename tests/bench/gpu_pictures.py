"""Whole pictures on a GPU: T and R at three sizes, by graph and step by step, and from an event to the finished picture.

    python -m tests.bench.gpu_pictures [--minutes 2] [--cases R-1024 T-1024 ...]

Lines of JSON, in the order asked for, float16 first. What is timed: `steps`, `Generator.synthesize` as it is called layer by layer;
`graph`, a replay with a new pose; `sustained`, one of eight replays asked for one after another, so that the GPU does not wait for Python;
`reference`, the operators' definitions; all between two CUDA events. `event to picture` is the wall clock of `Pipeline.render` for a pose
that moves: stages, replay, statistics, and the wait for the frame; once with the picture left on the GPU for the screen, once brought to
pinned memory. It is taken in the middle of a drag, when remembered results have begun to make room for new ones. `stages_ms` says which
stage the processor spent it in ("GPU" is the wait), and `allocations` how often a picture got memory anew from the GPU and for pinning.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from networks.cuda_graph import Graphs, form_of
from networks.generator import Generator
from networks.loading import LoadedNetwork
from tests.bench.gpu_clock import Deadline, gpu_named, milliseconds
from tests.bench.synthesis import CASES, Case
from torch_utils import ops
from viz.gpu import handover
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.stages import load
from viz.state import Device, Pose, Source, ViewState

NAMES = ("T-256", "R-256", "T-512", "R-512", "T-1024", "R-1024")
ROUNDS = 12
FILLING = 40  # pictures of a drag after which a gibibyte of remembered results of 1024 x 1024 is full
QUEUED = 8


def picture_rows(names: list[str], left_s: Callable[[], float]) -> Iterator[dict[str, object]]:
    """One row a network and precision; what there is no time for says so."""
    by_name = {case.name: case for case in CASES}
    for case in (by_name[name] for name in names):
        if left_s() < 12:
            yield {"picture": case.name, "left_out": "no time left"}
            continue
        network = case.network().cuda()
        yield picture_row(case, network, half=True)
        if case.resolution >= 1024:
            yield kernel_row(case, network)
        yield picture_row(case, network, half=False)
        del network
        gc.collect()
        torch.cuda.empty_cache()


def picture_row(case: Case, network: Generator, *, half: bool) -> dict[str, object]:
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="no further network is begun after about so long")
    parser.add_argument("--cases", nargs="+", choices=NAMES, default=list(NAMES))
    options = parser.parse_args()
    deadline = Deadline(options.minutes)
    if not gpu_named():
        return 2
    for row in picture_rows(options.cases, deadline.left):
        print(json.dumps(row), flush=True)
    print(json.dumps({"convolutions": ops.backends("cuda")["modulated_conv2d"].why}), flush=True)  # and who was faster at which
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
