"""Overlay "Reference": the spectrum that others are compared with: from a saved file, a folder of pictures, or another network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viz.analysis import Overlay
from viz.analysis.average_spectrum import SetPower, curves, folder_pictures, load_curves, network_pictures, picture_files
from viz.request import OverlayResult
from viz.state import Device, SpectrumReference

if TYPE_CHECKING:
    from viz.stages import Run

NAME = "reference"
SHOWN = 40  # how many times the curves are drawn on the way: they cost more than a picture of a small network


def run(run: Run) -> Iterator[OverlayResult | None]:
    options = run.view.get(SpectrumReference)
    path = Path(options.source)
    if path.suffix.lower() == ".npz":
        yield OverlayResult(load_curves(path))
        return
    files = picture_files(path)[: options.num]
    if files:
        yield from averaged(folder_pictures(files), len(files), path.name)
        return
    from networks.loading import load

    loaded = load(options.source)
    network = loaded.network.to(run.inputs["load"].device).eval()
    yield from averaged(
        network_pictures(network, num=options.num, stop=run.superseded), options.num, Path(loaded.ref).stem if loaded.path else loaded.ref
    )


def averaged(pictures: Iterator[Any | None], total: int, label: str) -> Iterator[OverlayResult | None]:
    """The average after every picture; its curves are made anew now and then, and at the end."""
    sums, shown = SetPower(), None
    for picture in pictures:
        if picture is None:
            yield None
            continue
        sums.add(picture)
        if (sums.count <= 4 or sums.count % max(1, total // SHOWN) == 0 or sums.count == total) and sums.std > 0:
            shown = curves(sums, label)
        yield OverlayResult(shown, sums.count / total)


OVERLAY = Overlay(NAME, SpectrumReference, (Device,), run)
