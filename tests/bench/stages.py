"""The small stages around synthesis, and the way from an event to a picture: `python -m tests.bench.stages [--json]`.

Medians over repeated calls with warm buffers: mapping one latent, the spectrum and the untransform of pictures of 256 and 1024 pixels,
uploading them to a texture, and a recorded drag on the bundled network: milliseconds from the edit of the state to the frame that shows it,
and how often each stage ran.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch

from gui_utils import gl
from gui_utils.texture import FloatTexture
from gui_utils.window import Window, WindowOptions
from networks.build import build
from networks.configs import rung
from torch_utils.resample import pose_matrix, unwarp
from torch_utils.spectra import view_spectrum
from viz.groups.groups import Latent, Tone
from viz.groups.pose import Pose
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.state import ViewState

REPEATS = 9


def median_ms(call: Callable[[], object]) -> float:
    """Milliseconds; the first call, which warms buffers and caches, is not counted."""
    call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def stages() -> dict[str, float]:
    """Median milliseconds of each."""
    result = {}
    with torch.inference_mode():
        for config in ("T", "A"):
            network = build(rung(config, 64), seed=0)
            z = torch.randn(1, network.z_dim)
            result[f"mapping_{config}_ms"] = median_ms(lambda network=network, z=z: network.map(z, psi=0.7))
        for size in (256, 1024):
            x = torch.randn(3, size, size)
            matrix = pose_matrix(0.3, 0.05, 0.02)
            result[f"spectrum_{size}_ms"] = median_ms(lambda x=x: view_spectrum(x, 8.0))
            result[f"untransform_{size}_ms"] = median_ms(lambda x=x, m=matrix: unwarp(x[None], m))
    with Window(WindowOptions(size=(64, 64), headless=True)):
        for size in (256, 1024):
            texture, values = FloatTexture(), np.zeros((size, size, 3), np.float32)

            def upload(texture: FloatTexture = texture, values: np.ndarray = values) -> None:
                texture.upload(values)
                gl.glFinish()

            result[f"upload_{size}_ms"] = median_ms(upload)
            texture.delete()
    return result


def recorded_drag(frames: int = 60) -> dict[str, object]:
    """A drag on the bundled network: latent, then pose, then a tone change, as a person does."""
    pipeline = Pipeline(headless=True)
    view = ViewState()
    pipeline.render(RenderRequest(0, view))
    ran: Counter[str] = Counter()
    times = []
    for i in range(frames):
        part = 3 * i // frames
        if part == 0:
            view = view.edit(Latent, x=view.get(Latent).x + 0.02)
        elif part == 1:
            view = view.edit(Pose, x=view.get(Pose).x + 0.002)
        else:
            view = view.edit(Tone, gain_db=view.get(Tone).gain_db + 0.1)
        start = time.perf_counter()
        frame = pipeline.render(RenderRequest(i + 1, view))
        times.append(time.perf_counter() - start)
        assert frame is not None and frame.error is None
        ran.update(frame.ran)
    third = frames // 3
    names = ("latent", "pose", "tone")
    drags = {f"event_to_picture_{n}_ms": 1e3 * statistics.median(times[i * third : (i + 1) * third]) for i, n in enumerate(names)}
    return {**drags, "share_of_stages": {name: round(count / frames, 3) for name, count in sorted(ran.items())}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result: dict[str, object] = {"load_average": os.getloadavg()[0], **stages(), **recorded_drag()}
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:<30}{value:>10.3f}" if isinstance(value, float) else f"{name:<30}{value}")


if __name__ == "__main__":
    main()
