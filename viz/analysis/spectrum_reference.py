"""Overlay "Reference": the spectrum that others are compared with: from a saved file, a folder of pictures, or another network."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viz.analysis import Overlay
from viz.analysis.average_spectrum import FolderPictures, SetPower, curves, load_curves, network_pictures, picture_files
from viz.request import OverlayResult
from viz.state import Device, SpectrumReference

if TYPE_CHECKING:
    from networks.loading import LoadedNetwork
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
        pictures = FolderPictures(files)
        yield from averaged(pictures, len(files), lambda: pictures.label)
        return
    loaded = yield from fetched(options.source, run)
    network = loaded.network.to(run.inputs["load"].device).eval()
    pictures, name = network_pictures(network, num=options.num, stop=run.superseded), Path(loaded.ref).stem if loaded.path else loaded.ref
    yield from averaged(pictures, options.num, lambda: name)


def fetched(ref: str, run: Run) -> Generator[OverlayResult | None, None, LoadedNetwork]:
    """A network, read (and downloaded) while pictures and other measurements go on. Whoever closes this ends it."""
    from networks.loading import load
    from viz.stages.downloads import POLL_S, Errand

    errand = Errand(ref, partial(load, ref))
    try:
        while not errand.ended.wait(POLL_S):
            yield None if run.superseded() else OverlayResult(None, min(errand.said[1] or 0.0, 0.99))
    finally:
        errand.leave()
    if errand.error is not None:
        raise errand.error
    return errand.found


def averaged(pictures: Iterable[Any | None], total: int, label: Callable[[], str]) -> Iterator[OverlayResult | None]:
    """The average after every picture; its curves are made anew now and then, and at the end."""
    sums, shown = SetPower(), None
    for picture in pictures:
        if picture is None:
            yield None
            continue
        sums.add(picture)
        if (sums.count <= 4 or sums.count % max(1, total // SHOWN) == 0 or sums.count == total) and sums.std > 0:
            shown = curves(sums, label())
        yield OverlayResult(shown, sums.count / total)


OVERLAY = Overlay(NAME, SpectrumReference, (Device,), run, file=lambda options: options.source)
