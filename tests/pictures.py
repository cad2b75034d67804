"""Makes the README's pictures anew, each by the `screenshot` command with a view written here: `python -m tests.pictures`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from viz import cli
from viz.compare_groups import Compare
from viz.groups import (
    AverageSpectrum,
    Channels,
    Equivariance,
    Flicker,
    Flow,
    Latent,
    LayerEquivariance,
    LayerShares,
    Metrics,
    Nonlinearity,
    OverlayView,
    Pose,
    Source,
    Spectrum,
    Sticking,
    Sweep,
    Tap,
    Tone,
)
from viz.state import BreakIt, Filmstrip, Filters, FourierView, LayerHealth, ViewState

OUT = Path(__file__).resolve().parent.parent / ".github" / "images"
START = ViewState().edit(Latent, x=3.0)
LAYER = START.edit(Tap, layer="L5_84_96")
PICTURES: dict[str, tuple[ViewState, int]] = {  # name -> view and workspace
    "explore": (START.edit(Pose, x=0.06, y=-0.03, turns=0.05), 1),
    "layers": (LAYER.edit(Channels, mode="sheet", normalize=True).edit(Tone, colormap="viridis"), 2),
    "spectra": (LAYER.edit(Spectrum, on=True), 3),
    "equivariance": (
        START.edit(Pose, x=0.11, y=-0.04, turns=0.06)
        .edit(Equivariance, on=True)
        .edit(LayerEquivariance, on=True)
        .edit(OverlayView, image="equivariance.level", opacity=1.0),
        4,
    ),
    "flow": (START.edit(Flow, on=True).edit(OverlayView, image="flow.arrows"), 5),
    "flow-broken": (START.edit(Flow, on=True).edit(OverlayView, image="flow.arrows").put(BreakIt(noise=0.3)), 5),
    "nonlinearity": (LAYER.edit(Nonlinearity, on=True).edit(LayerShares, on=True), 3),
    "sweep": (START.edit(Sweep, on=True, over="angle").edit(Pose, turns=0.1), 4),
    "compare": (
        START.edit(Source, network="globe-still-r-64")
        .edit(Compare, on=True, network="globe-still-b-64")
        .edit(Pose, x=0.11, y=-0.04, turns=0.05),
        6,
    ),
    "average-spectrum": (START.edit(AverageSpectrum, on=True, num=16), 3),
    "fourier": (START.edit(FourierView, on=True).edit(Pose, x=0.1, turns=0.05), 2),
    "metrics": (START.edit(Metrics, on=True, num=16).edit(Flicker, on=True).edit(OverlayView, image="flicker.deviation"), 4),
    "filters": (LAYER.edit(Filters, on=True), 2),
    "health": (START.edit(LayerHealth, on=True).edit(Filmstrip, on=True), 2),
    "sticking": (START.edit(Sticking, on=True, num=64, strength=0.3).edit(OverlayView, image="sticking.mean"), 5),
}
FRONT = {
    "flow": ["Flow"],
    "flow-broken": ["Flow"],
    "nonlinearity": ["Nonlinearity", "Out of band"],
    "sweep": ["Sweep"],
    "average-spectrum": ["Average spectrum"],
    "fourier": ["Fourier input"],
    "metrics": ["Metrics"],
    "filters": ["Filters"],
    "health": ["Layer health", "Break it"],
}  # panels whose tabs are chosen


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, (view, workspace) in PICTURES.items():
            state = Path(folder) / f"{name}.json"
            state.write_text(view.to_json())
            words = [
                "screenshot",
                "--view",
                str(state),
                "--workspace",
                str(workspace),
                "--size",
                "1440x810",
                "--out",
                str(OUT / f"{name}.png"),
                *(["--front", *FRONT[name]] if name in FRONT else []),
            ]
            if code := cli.run(words):
                return code
            print(OUT / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
