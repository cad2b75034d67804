"""Asking a pipeline about the tiny networks: one picture, or a measurement step by step."""

from pathlib import Path

import pytest

from viz.memory import Memory
from viz.pipeline import Pipeline
from viz.request import Frame, OverlayResult, RenderRequest
from viz.state import Source, ViewState

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
TINY_R, TINY_SG2 = (ViewState().put(Source(str(GOLDEN / f"tiny_{name}.pkl"))) for name in ("r", "sg2"))


def ask(pipeline: Pipeline, view: ViewState) -> Frame:
    """The picture, without an error."""
    frame = pipeline.render(RenderRequest(1, view))
    assert frame is not None and frame.error is None, frame
    return frame


def steps(pipeline: Pipeline, view: ViewState, name: str) -> list[OverlayResult]:
    """What was measured, step by step; only the last where it is remembered."""
    frame = ask(pipeline, view)
    found = [f.overlays[name] for f in (frame, *pipeline.refine(frame)) if name in f.overlays]
    assert found and all(result.error is None for result in found), found
    return found


def kinds_put(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of everything that is remembered from now on, what it is."""
    kinds, put = [], memory.put
    monkeypatch.setattr(memory, "put", lambda key, value, **how: (kinds.append(key[0]), put(key, value, **how)))
    return kinds


def inputs(pipeline: Pipeline):
    """The network and ws of the last answer."""
    run = pipeline._answered[1]
    return run.inputs["load"].network, run.inputs["latent"].ws
