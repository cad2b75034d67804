"""Whole pictures on a GPU: T and R at three sizes, by graph and step by step, and from an event to the finished picture. For `gpu.py`.

What is timed: `steps`, `Generator.synthesize` as it is called layer by layer; `graph`, a replay with a new pose; `reference`, the
operators' definitions; all between two CUDA events. `event to picture` is the wall clock of `Pipeline.render` for a pose that moves:
stages, replay, statistics, and the wait for the frame; once with the picture left on the GPU for the screen, once brought to pinned memory.
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
from viz import handover
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.stages import load
from viz.state import Device, Pose, Source, ViewState

NAMES = ("T-256", "R-256", "T-512", "R-512", "T-1024", "R-1024")
ROUNDS = 12
COLUMNS = ("steps_ms", "graph_ms", "event_to_picture_ms", "with_download_ms", "reference_ms")


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
        row[name] = round(event_to_picture(network, half=half, shared=shared), 3)
    return row


def _turned(count: int) -> list[list[float]]:
    angle = torch.tensor(0.01 * count)
    c, s = angle.cos().item(), angle.sin().item()
    return [[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]


def event_to_picture(network: Generator, *, half: bool, shared: bool) -> float:
    """The median time of a request whose pose is new, in milliseconds; the first few, which record the graph, do not count."""
    pipeline = Pipeline()
    loaded = LoadedNetwork(network, "bench", Path("bench"), "0" * 64, 0, 0, "snapshot", network.config.rung)
    before, load.load_network = load.load_network, lambda *arguments, **options: loaded
    known, handover.handover.shared = handover.handover.shared, shared
    times = []
    try:
        view = ViewState().put(Source("bench")).put(Device(device="cuda", force_fp32=not half))
        for count in range(ROUNDS + 4):
            start = time.perf_counter()
            frame = pipeline.render(RenderRequest(count, view.edit(Pose, turns=0.003 * count)))
            times.append(time.perf_counter() - start)
            assert frame is not None and frame.error is None, frame
    finally:
        load.load_network, handover.handover.shared = before, known
        pipeline.gpu.give_back()
    return 1e3 * statistics.median(times[4:])


def markdown(rows: list[dict[str, object]]) -> str:
    """The rows as a table for RESULTS.md."""
    titles = ("picture", "dtype", *COLUMNS, "error", "peak_gib", "graph_gib")
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        cells = {"dtype": row.get("left_out", ""), **row}
        lines.append("| " + " | ".join(str(cells.get(title, "")) for title in titles) + " |")
    return "\n".join(lines)
