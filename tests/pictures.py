"""Makes the README's pictures anew, each by the `screenshot` command with a view written here: `python -m tests.pictures [NAME ...]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

from networks.loading import catalogue
from viz import cli
from viz.compare.pairs import PRESETS
from viz.figures.figure import figure_font
from viz.groups.compare import Compare, CompareView
from viz.groups.edits import Edit, EditActivations
from viz.groups.groups import (
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
    Source,
    Spectrum,
    Sticking,
    Sweep,
    Tap,
    Tone,
)
from viz.groups.layer import LayerBreak
from viz.groups.pose import Pose
from viz.state import BreakIt, Filmstrip, Filters, FourierView, LayerHealth, ViewState

OUT = Path(__file__).resolve().parent.parent / ".github" / "images"
START = ViewState().edit(Latent, x=3.0)
LAYER = START.edit(Tap, layer="L5_84_96")
CONTINUOUS = next(each.apply(START, catalogue()) for each in PRESETS if each.id == "continuous") or START
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
    "break-it": (START.put(BreakIt(upsampling=1, own=(LayerBreak(3, window="nearest"), LayerBreak(5, pool="max"), LayerBreak(8)))), 2),
    "out-of-band": (LAYER.edit(LayerShares, on=True).edit(AverageSpectrum, on=True, num=16), 3),
    "edits": (
        START.put(
            EditActivations(
                (
                    Edit(layers=("L4",), channels=tuple(range(48)), operation="move", x=0.12, turns=0.05),
                    Edit(layers=("L6",), channels=(29, 43, 55, 57, 60), amount=0.0),
                )
            )
        ),
        2,
    ),
    "rates": (CONTINUOUS.edit(CompareView, columns=4).edit(Pose, turns=0.05), 6),
    "sticking": (START.edit(Sticking, on=True, num=64).edit(OverlayView, image="sticking.mean"), 5),
}
ROW = "layer-views"
STRIPS = {"rates": "1440x450"}  # the pictures alone, and their size
FRONT = {
    "break-it": ["Break it"],
    "out-of-band": ["Average spectrum", "Out of band"],
    "flow": ["Flow"],
    "flow-broken": ["Flow"],
    "nonlinearity": ["Nonlinearity", "Out of band"],
    "sweep": ["Sweep"],
    "edits": ["Edits"],
    "average-spectrum": ["Average spectrum"],
    "fourier": ["Fourier input"],
    "metrics": ["Metrics"],
    "filters": ["Filters"],
    "health": ["Layer health", "Break it"],
}  # panels whose tabs are chosen


VIEWS = {  # of one layer: title -> further words of `render`
    "three free channels": ["--channels", "5,40,77", "--normalize"],
    "principal components": ["--set", "Channels.mode=pca"],
    "two channels: angle and magnitude": ["--set", "Channels.mode=phase"],
    "from 8 cycles per image on": ["--channels", "5,40,77", "--band", "8", "0", "--gain", "24"],
    "all, by equivariance error": ["--set", "Channels.mode=sheet", "--set", "Channels.sort=error", "--normalize"],
}
TILE, TITLE = 250, 22  # pixels


def views_of_a_layer(out: Path) -> int:
    """A row of pictures, one layer seen in as many ways, each made by `render`."""
    row = Image.new("RGB", (len(VIEWS) * (TILE + 6) - 6, TILE + TITLE), (255, 255, 255))
    ink, font = ImageDraw.Draw(row), figure_font(14)
    for i, (title, words) in enumerate(VIEWS.items()):
        tile = out.with_suffix(f".{i}.png")
        if code := cli.run(["render", "globe-r-64", "--seed", "3", "--layer", "L5_84_96", "--rotate", "15", *words, "--out", str(tile)]):
            return code
        with Image.open(tile) as image:
            large = image.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS)
        row.paste(large, (i * (TILE + 6), TITLE))
        ink.text((i * (TILE + 6), TITLE - 5), title, (0, 0, 0), font, anchor="ls")
        tile.unlink()
    row.save(out, optimize=True)
    return 0


def chosen(names: list[str]) -> dict[str, tuple[ViewState, int]]:
    return {name: PICTURES[name] for name in names} if names else PICTURES


def main(names: list[str]) -> int:
    """All pictures, or those of these names."""
    OUT.mkdir(parents=True, exist_ok=True)
    if (not names or ROW in names) and (code := views_of_a_layer(OUT / f"{ROW}.png")):
        return code
    with tempfile.TemporaryDirectory() as folder:
        for name, (view, workspace) in chosen([name for name in names if name != ROW]).items() if names != [ROW] else ():
            state = Path(folder) / f"{name}.json"
            state.write_text(view.to_json())
            words = [
                "screenshot",
                "--view",
                str(state),
                "--workspace",
                str(workspace),
                "--size",
                STRIPS.get(name, "1440x810"),
                "--out",
                str(OUT / f"{name}.png"),
                *(["--front", *FRONT[name]] if name in FRONT else []),
                *(["--picture-only"] if name in STRIPS else []),
            ]
            if code := cli.run(words):
                return code
            print(OUT / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
