"""How the window feels, in numbers: time to the first window and picture, frame times while a large network renders, frames a second.

    python -m tests.bench.window [--json] [--seconds 10]

Runs headless (GLFW's null platform, EGL), so that any machine gives numbers; a software rasteriser then draws on the cores that also
compute, which a graphics card would spare. Times are wall-clock medians; the load average is printed beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
START = """
import gc, sys, time
gc.disable()  # as viz.cli.window does
started = float(sys.argv[1])
from gui_utils.window import Window, WindowOptions
from viz.app import App, AppOptions
from viz.render_thread import RenderThread
from viz.settings import Settings
sys.setswitchinterval(0.0005)
with Window(WindowOptions(size=(1600, 900), headless=True)) as window:
    app = App(AppOptions(headless=True), window, RenderThread(window.wake), Settings())
    app.step()
    first_window = time.time() - started
    while app.good is None:
        window.wait(0.05)
        app.step()
    app.step()
    print(first_window, time.time() - started)
    app.close()
"""


def start_up(runs: int) -> dict[str, float]:
    """Seconds from starting Python to the first frame, and to the bundled network's picture on it."""
    windows, pictures = [], []
    for _ in range(runs):
        command = [sys.executable, "-c", START, str(time.time())]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
        window, picture = (float(word) for word in done.stdout.split())
        windows.append(window)
        pictures.append(picture)
    return {"first_window_s": median(windows), "first_picture_s": median(pictures)}


def frame_times(network: str, seconds: float) -> dict[str, float]:
    """Milliseconds of the GUI thread per frame while the render thread is never idle, at most 60 frames a second."""
    from gui_utils.window import Window, WindowOptions
    from viz.app import App, AppOptions
    from viz.render_thread import RenderThread
    from viz.settings import Settings
    from viz.state import Latent, Source, ViewState

    sys.setswitchinterval(0.0005)
    with Window(WindowOptions(size=(1600, 900), headless=True)) as window:
        renderer = RenderThread(window.wake)
        app = App(AppOptions(view=ViewState().put(Source(network)), headless=True), window, renderer, Settings())
        app.submit()
        while app.good is None:
            window.wait(0.1)
            app.step()
            assert app.frame is None or app.frame.error is None, app.frame.error
        times, before, until = [], renderer.renders, time.perf_counter() + seconds
        while time.perf_counter() < until:
            app.state = app.state.edit(Latent, x=app.state.get(Latent).x + 0.01)
            start = time.perf_counter()
            app.step()
            times.append(time.perf_counter() - start)
            time.sleep(max(0.0, 1 / 60 - times[-1]))
        renders = renderer.renders - before
        app.close()
    times.sort()
    return {
        "ui_p50_ms": 1e3 * times[len(times) // 2],
        "ui_p99_ms": 1e3 * times[int(len(times) * 0.99)],
        "ui_fps": len(times) / seconds,
        "renders_per_s": renders / seconds,
    }


def bundled_speed(frames: int = 30) -> dict[str, float]:
    """Frames a second of the bundled network when every frame has another latent, and when only the pose moves."""
    from viz.pipeline import Pipeline
    from viz.request import RenderRequest
    from viz.state import Latent, Pose, ViewState

    pipeline = Pipeline()
    pipeline.render(RenderRequest(0, ViewState()))
    result = {}
    for name, edit in (
        ("latent", lambda i: {"kind": Latent, "x": i / 50}),
        ("pose", lambda i: {"kind": Pose, "x": i / 500, "turns": i / 99}),
    ):
        times = []
        for i in range(1, frames + 1):
            start = time.perf_counter()
            frame = pipeline.render(RenderRequest(i, ViewState().edit(**edit(i))))
            times.append(time.perf_counter() - start)
            assert frame is not None and frame.error is None
        result[f"{name}_drag_fps"] = 1 / median(times)
    return result


def large_network(folder: Path) -> str:
    """An untrained R at 1024 pixels, published capacity; its weights do not matter for time."""
    from networks.build import build
    from networks.configs import rung
    from networks.loading import save_safetensors

    path = folder / "untrained-r-1024.safetensors"
    save_safetensors(build(rung("R", 1024), seed=0), path, {"description": "untrained"})
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the frame time measurement")
    parser.add_argument("--runs", type=int, default=5, help="starts to take the median of")
    parser.add_argument("--network", help="network that renders meanwhile (default: an untrained R at 1024 pixels)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, float] = {"load_average": os.getloadavg()[0], "cores": float(os.cpu_count() or 0)}
        found |= start_up(options.runs)
        found |= bundled_speed()
        found |= frame_times(options.network or large_network(Path(folder)), options.seconds)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<20}{value:>10.3f}")


if __name__ == "__main__":
    main()
