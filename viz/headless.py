"""A network, a frame or a measurement, here and now, without a window: what commands and figures ask for.

Whatever fails ends as CommandError with the sentence that the window would show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz.errors import CommandError
from viz.request import Frame, NetworkFacts, OverlayResult, RenderRequest, Report
from viz.stages import quiet
from viz.state import DragPoints, Tap, ViewState

if TYPE_CHECKING:
    from networks.loading import LoadedNetwork
    from viz.pipeline import Pipeline


def load_network(ref: str, report: Report) -> LoadedNetwork:
    """The network on the CPU. Raises networks.loading.LoadError."""
    from networks.loading import load

    return load(ref, progress=lambda done, total, text: report(text, done / total if total else None, False))


def first_frame(pipeline: Pipeline, view: ViewState, report: Report = quiet) -> Frame:
    """The picture, before anything is measured; its request's view has layers by their full names."""
    frame = pipeline.render(RenderRequest(1, view), progress=report)
    assert frame is not None  # nothing can supersede a lone request
    if frame.error:
        raise CommandError(frame.error.sentences)
    assert frame.network is not None
    named = with_full_names(view, frame.network)
    return frame if named == view else first_frame(pipeline, named, report)


def with_full_names(view: ViewState, facts: NetworkFacts) -> ViewState:
    """The view with its layers as this network names them: L5 is L5_84_96."""
    for kind in (Tap, DragPoints):
        view = view.edit(kind, layer=facts.layer_named(view.get(kind).layer))
    return view


def refined(pipeline: Pipeline, frame: Frame, name: str, report: Report = quiet) -> tuple[Frame, OverlayResult]:
    """The frame with the finished result of the overlay `name`, which its view has switched on."""
    for known in pipeline.refine(frame):
        frame = known
        report(f"measuring {name}", frame.overlays[name].fraction if name in frame.overlays else None, True)
    result = frame.overlays[name]
    if result.error is not None:
        raise CommandError(result.error.sentences)
    return frame, result
