"""Every overlay keeps the picture interactive: the picture comes first, results in steps, and a newer question ends the work at once."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from networks.layers import FilteredLayer
from tests.viz.asked import GOLDEN
from viz import refinement
from viz.analysis import overlays
from viz.request import RenderRequest
from viz.state import (
    AverageSpectrum,
    BreakIt,
    DragPair,
    DragPoints,
    Flicker,
    Flow,
    Inversion,
    Latent,
    Metrics,
    Pose,
    Source,
    SpectrumReference,
    Sticking,
    Sweep,
    Tap,
    ViewState,
)

NETWORK = str(GOLDEN / "tiny_r.pkl")
VIEW = ViewState().put(Source(NETWORK)).put(Latent(x=4.0)).put(Pose(x=0.05, y=-0.02, turns=0.1))
SETTINGS = {
    "break it": BreakIt(window="nearest"),
    "drag points": DragPoints(pairs=(DragPair(0.0, 0.0, 0.2, 0.1),), steps=3),
    "flicker": Flicker(num=4),
    "flow": Flow(num=3),
    "metrics": Metrics(num=4),
    "average spectrum": AverageSpectrum(num=4),
    "reference": SpectrumReference(NETWORK, num=4),
    "sticking": Sticking(num=4),
    "sweep": Sweep(num=5),
}
AT_ONCE = {"filters", "nonlinearity"}  # one step each: no picture is made, or one that is left between two layers
OVERLAYS = overlays()


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    path = tmp_path_factory.mktemp("target") / "picture.png"
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(path)
    return str(path)


@pytest.fixture
def layers(monkeypatch) -> Iterator[list[str]]:
    """The names of layers that are computed, one after the other."""
    found: list[str] = []
    forward = FilteredLayer.nonlinearity

    def counted(self, x, bias):
        found.append(self.spec.name)
        return forward(self, x, bias)

    monkeypatch.setattr(FilteredLayer, "nonlinearity", counted)
    yield found


def view_with(overlay, target):
    options = SETTINGS.get(overlay.name, overlay.options())
    view = VIEW.put(Inversion(on=True, picture=target, steps=10)) if overlay.options is Inversion else VIEW.put(options)
    if overlay.name == "channel effect":
        view = view.put(Tap("L5_52_16"))
    if overlay.name == "nonlinearity":
        view = view.put(Tap(""))
    return view if overlay.wanted(view) else view.edit(overlay.options, on=True)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda o: o.name)
def test_the_picture_comes_first_and_a_newer_question_ends_the_work(overlay, pipeline, target, layers, monkeypatch):
    monkeypatch.setattr(refinement, "overlays", lambda: (overlay,))
    pipeline.memory.clear()
    view = view_with(overlay, target)
    frame = pipeline.render(RenderRequest(1, view))
    assert frame.error is None and frame.picture is not None and overlay.name not in frame.overlays, "the picture does not wait for it"
    a_picture = len(frame.network.taps)
    layers.clear()
    newer, waiting, steps = view.edit(Latent, x=5.0), [], 0
    for refined in pipeline.refine(frame, newest=lambda: waiting[0] if waiting else None):
        assert refined.picture is frame.picture
        assert refined.overlays[overlay.name].error is None
        steps += 1
        if not waiting:
            waiting.append(newer)
            layers.clear()
    assert steps <= 2, "at most the step that was under way"
    assert len(layers) <= a_picture, "at most one picture more"

    frame = pipeline.render(RenderRequest(2, newer))
    frames = [frame, *pipeline.refine(frame)]
    taken = [f.overlays[overlay.name] for f in frames if overlay.name in f.overlays and not f.overlays[overlay.name].stale]
    assert taken and taken[-1].error is None and taken[-1].fraction == 1
    # A reference's network is read first, with a bar of its own.
    counted = [r.fraction for r in taken if r.values is not None or overlay.name != "reference"]
    assert counted == sorted(counted)
    assert len(taken) > 1 or overlay.live or overlay.name in AT_ONCE, "what takes long is shown as it grows"


@pytest.mark.parametrize("overlay", [o for o in OVERLAYS if not o.live], ids=lambda o: o.name)
def test_a_step_is_left_between_two_layers(overlay, pipeline, target, layers, monkeypatch):
    """Asked in the middle of a step's first picture, nothing but the layer under way is computed to its end (a step that goes back through
    the layers, of the inversion or of drag points, is one piece)."""
    monkeypatch.setattr(refinement, "overlays", lambda: (overlay,))
    monkeypatch.setattr(refinement, "GRANTED_S", 0.0)  # which a step otherwise has in any case, so that it gets somewhere
    pipeline.memory.clear()
    view = view_with(overlay, target).edit(Latent, x=7.0)
    frame = pipeline.render(RenderRequest(1, view))
    layers.clear()
    list(pipeline.refine(frame, newest=lambda: view.edit(Latent, x=8.0) if len(layers) >= 2 else None))
    assert len(layers) <= (len(frame.network.taps) if overlay.options in (Inversion, DragPoints) else 4)
