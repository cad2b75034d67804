"""Measurements beside the picture: they come step by step, make way for anything newer, and lose or repeat no work."""

import threading
from pathlib import Path

import numpy as np
import pytest

from tests.viz.asked import ask
from viz import analysis, refinement
from viz.analysis import Overlay, live_equivariance
from viz.errors import CommandError
from viz.memory import Memory, nbytes
from viz.pipeline import Pipeline
from viz.render_thread import Inline, RenderThread
from viz.request import OverlayResult, RenderRequest
from viz.state import (
    ANALYSES,
    DRAWN,
    RENDERED,
    BreakIt,
    Channels,
    Equivariance,
    Latent,
    Metrics,
    OverlayView,
    Pose,
    Source,
    Sticking,
    Tap,
    ViewState,
)

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
TINY_R = ViewState().put(Source(str(GOLDEN / "tiny_r.pkl")))
DEADLINE_S = 30
STEPS = 5


class Counting:
    """An overlay of five steps that says which of them were taken."""

    def __init__(self, *, live=False, fail_at=None, error=None):
        self.taken, self.fail_at, self.closed, self.error = [], fail_at, 0, error
        self.overlay = Overlay("counting", Sticking, (Latent,), self.run, live=live)

    def run(self, run):
        try:
            for i in range(STEPS):
                if i == self.fail_at:
                    raise self.error
                self.taken.append(i)
                yield OverlayResult(i, fraction=(i + 1) / STEPS)
        finally:
            self.closed += 1


@pytest.fixture
def counting(monkeypatch):
    return planted(monkeypatch, Counting())


def planted(monkeypatch, counting):
    monkeypatch.setattr(refinement, "overlays", lambda: (counting.overlay,))
    return counting


@pytest.fixture(scope="module")
def shared():
    return Pipeline()


@pytest.fixture
def pipeline(shared):
    shared.memory.clear()
    return shared


ON = TINY_R.edit(Sticking, on=True)


def test_every_overlay_has_a_group_of_its_own_and_only_reads_what_is_rendered():
    found = analysis.overlays()
    assert {o.options for o in found} <= set(ANALYSES) and len({o.options for o in found}) == len(found)
    assert len({o.name for o in found}) == len(found)
    assert {kind for o in found for kind in (*o.reads, o.options)} <= set(RENDERED)
    assert set(ANALYSES) <= set(RENDERED) and OverlayView in DRAWN


def test_nothing_is_measured_unless_it_is_switched_on(pipeline, counting):
    assert list(pipeline.refine(ask(pipeline, TINY_R))) == [] and counting.taken == []


def test_a_frame_for_every_step_with_the_same_picture(pipeline, counting):
    frame = ask(pipeline, ON)
    assert frame.overlays == {}
    frames = list(pipeline.refine(frame))
    assert [f.overlays["counting"].values for f in frames] == list(range(STEPS))
    assert [f.overlays["counting"].fraction for f in frames] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert all(f.picture is frame.picture and f.request is frame.request for f in frames)


def test_a_change_stops_it_within_one_step(pipeline, counting):
    frame, waiting = ask(pipeline, ON), []
    for refined in pipeline.refine(frame, newest=lambda: waiting[0] if waiting else None):
        if refined.overlays["counting"].values == 1:
            waiting.append(ON.edit(Latent, x=1.0))
    assert counting.taken == [0, 1]
    other = ask(pipeline, ON.edit(Latent, x=1.0))
    assert other.overlays == {}, "what was measured of another latent is not of this one"
    list(pipeline.refine(other))
    assert counting.taken == [0, 1, 0, 1, 2, 3, 4] and counting.closed == 2


def test_a_change_that_does_not_concern_it_loses_nothing(pipeline, counting):
    waiting = []
    for _ in pipeline.refine(ask(pipeline, ON), newest=lambda: waiting[0] if waiting else None):
        waiting.append(ON.edit(Channels, mode="single"))
    frame = ask(pipeline, ON.edit(Channels, mode="single"))
    assert frame.overlays["counting"].values == 0, "what is known is on screen at once"
    list(pipeline.refine(frame))
    assert counting.taken == list(range(STEPS))


def test_what_is_finished_is_remembered(pipeline, counting):
    list(pipeline.refine(ask(pipeline, ON)))
    list(pipeline.refine(ask(pipeline, ON.edit(Latent, x=2.0))))
    counting.taken.clear()
    again = ask(pipeline, ON)
    assert again.overlays["counting"].fraction == 1 and list(pipeline.refine(again)) == [] and counting.taken == []


def test_switching_it_off_ends_it(pipeline, counting):
    steps = pipeline.refine(ask(pipeline, ON))
    next(steps)
    steps.close()
    ask(pipeline, TINY_R)
    assert counting.closed == 1


@pytest.mark.parametrize(
    ("error", "said"), [(RuntimeError("planted"), "RuntimeError: planted"), (CommandError("A sentence."), "A sentence.")]
)
def test_a_failure_is_shown_in_its_place_and_tried_again(pipeline, monkeypatch, error, said):
    counting = planted(monkeypatch, Counting(fail_at=2, error=error))
    *_, last = pipeline.refine(ask(pipeline, ON))
    shown = last.overlays["counting"].error
    assert (shown.stage, shown.message) == ("counting", said) and last.error is None and last.picture is not None
    counting.fail_at = None
    *_, last = pipeline.refine(ask(pipeline, ON))
    assert last.overlays["counting"].values == STEPS - 1


def test_of_a_picture_that_failed_nothing_is_measured(pipeline, counting):
    last = ask(pipeline, ON)
    failed = pipeline.render(RenderRequest(2, ON.put(Source("nowhere.pkl"))))
    assert failed.error is not None and failed.overlays == {} and list(pipeline.refine(failed)) == [] and counting.taken == []
    assert len(list(pipeline.refine(last))) == STEPS, "the picture that is still on screen is measured"


def test_live_overlays_measure_every_other_picture_while_newer_ones_wait(pipeline, monkeypatch):
    counting = planted(monkeypatch, Counting(live=True))
    counts = []
    for i in range(6):
        list(pipeline.refine(ask(pipeline, ON.edit(Latent, x=float(i))), newest=lambda: ON))
        counts.append(len(counting.taken))
    assert counts == [0, 1, 1, 2, 2, 3]


def test_long_measurements_wait_for_the_end_of_a_drag_but_not_for_ever(pipeline, counting, monkeypatch):
    monkeypatch.setattr(refinement, "PATIENCE_S", 600.0)
    pipeline.refinement._stepped_at = refinement.time.monotonic()
    frame = ask(pipeline, ON)
    assert list(pipeline.refine(frame, settled=lambda: False)) == [] and counting.taken == []
    pipeline.refinement._stepped_at -= 601.0
    assert [len(list(pipeline.refine(frame, newest=lambda: ON, settled=lambda: False))) for _ in range(3)] == [1, 0, 0]
    assert len(list(pipeline.refine(frame, settled=lambda: True))) == STEPS - 1


def test_where_nothing_is_measured_nobody_waits_for_the_end_of_a_drag(pipeline, counting):
    """Asking takes a moment, in which the window would say that it is rendering."""

    def settled():
        raise AssertionError("asked in vain")

    assert list(pipeline.refine(ask(pipeline, TINY_R.edit(Pose, x=0.01)), settled=settled)) == []
    list(pipeline.refine(ask(pipeline, ON)))
    assert list(pipeline.refine(ask(pipeline, ON.edit(Tap, layer="input")), settled=settled)) == [], "all is known already"


def test_a_step_is_interrupted_between_layers_and_goes_on_from_there(pipeline, monkeypatch):
    """With something newer waiting every few layers, and no time granted: the same number in the end."""
    view = TINY_R.edit(Metrics, on=True, num=2, eq_t=False, eq_t_frac=False)
    monkeypatch.setattr(refinement, "GRANTED_S", 0.0)
    *_, at_once = pipeline.refine(ask(pipeline, view))
    pipeline.memory.clear()
    frame, calls, found = ask(pipeline, view), 0, []
    asked = iter(range(10**6))
    while not found or found[-1].fraction < 1:
        found += [f.overlays["metrics"] for f in pipeline.refine(frame, newest=lambda: ON if next(asked) % 5 == 4 else None)]
        calls += 1
        assert calls < 500
    taps = len(frame.network.taps)
    assert calls >= taps / 2, "it made way again and again"
    expected = at_once.overlays["metrics"].values.newest.estimates["eq_r"].db
    assert found[-1].values.newest.estimates["eq_r"].db == pytest.approx(expected, abs=1e-4)
    monkeypatch.setattr(refinement, "GRANTED_S", 600.0)
    pipeline.memory.clear()
    assert len(list(pipeline.refine(ask(pipeline, view), newest=lambda: ON))) == 1, "a step that has the time is not interrupted"


def test_what_a_live_overlay_showed_stays_until_the_next(pipeline):
    view = TINY_R.edit(Equivariance, on=True).edit(Pose, turns=0.1)
    *_, first = pipeline.refine(ask(pipeline, view))
    moved = ask(pipeline, view.edit(Pose, turns=0.11))
    assert moved.overlays["equivariance"].stale and not first.overlays["equivariance"].stale
    assert moved.overlays["equivariance"].images == first.overlays["equivariance"].images
    *_, fresh = pipeline.refine(moved)
    assert not fresh.overlays["equivariance"].stale
    assert "equivariance" not in ask(pipeline, TINY_R).overlays
    assert "equivariance" not in ask(pipeline, view.edit(Pose, turns=0.12)).overlays, "what was switched off does not come back"


def test_another_network_is_never_shown_with_the_number_of_the_one_before(pipeline):
    """Broken or edited it is the same network, whose number stays, as one of before, until there is a new one."""
    view = TINY_R.edit(Equivariance, on=True).edit(Pose, turns=0.1)
    list(pipeline.refine(ask(pipeline, view)))
    broken = ask(pipeline, view.edit(BreakIt, upsampling=1))
    assert broken.overlays["equivariance"].stale
    assert live_equivariance.texts(broken.overlays["equivariance"].values, stale=True)[0] == "EQ-R of this picture …"
    other = ask(pipeline, view.put(Source(str(GOLDEN / "tiny_t.pkl"))))
    assert "equivariance" not in other.overlays
    assert not [*pipeline.refine(other)][-1].overlays["equivariance"].stale


def test_drawing_options_cause_no_work(pipeline):
    view = TINY_R.edit(Equivariance, on=True).edit(Pose, turns=0.1)
    list(pipeline.refine(ask(pipeline, view)))
    changed = view.edit(OverlayView, image="equivariance.signed", opacity=0.3, gain_db=20.0)
    assert changed.only(*RENDERED) == view.only(*RENDERED)
    frame = ask(pipeline, changed)
    assert (frame.ran, frame.layers_ran, list(pipeline.refine(frame))) == ((), (), []) and not frame.overlays["equivariance"].stale


def test_a_tapped_layer_does_not_measure_again(pipeline):
    view = TINY_R.edit(Equivariance, on=True).edit(Pose, turns=0.1)
    frame = ask(pipeline, view)
    list(pipeline.refine(frame))
    tapped = ask(pipeline, view.edit(Tap, layer=frame.network.taps[3].name))
    assert tapped.layers_ran == () and list(pipeline.refine(tapped)) == []


def test_results_count_as_memory():
    image = analysis.OverlayResult(images={"a": np.zeros((100, 100), np.float32)})
    assert nbytes(image) == 40_000
    memory = Memory(50_000)
    memory.put("first", image)
    memory.put("second", image)
    assert memory.get("first") is None and memory.used_bytes <= 50_000


def test_the_thread_shows_every_step_and_stops_for_a_newer_request(monkeypatch):
    gate, entered = threading.Event(), threading.Event()

    class Gated(Counting):
        def run(self, run):
            for result in super().run(run):
                yield result
                entered.set()
                assert gate.wait(DEADLINE_S)

    counting = planted(monkeypatch, Gated())
    thread = RenderThread(make=Pipeline)
    try:
        thread.submit(ON)
        assert entered.wait(DEADLINE_S)  # in its second step
        assert thread.busy and thread.frame.overlays["counting"].values == 0
        thread.submit(ON.edit(Sticking, on=False))
        gate.set()
        assert thread.wait_idle(DEADLINE_S)
        assert counting.taken == [0, 1] and thread.frame.overlays == {}
        thread.submit(ON)
        assert thread.wait_idle(DEADLINE_S)
        assert thread.frame.overlays["counting"].fraction == 1
    finally:
        gate.set()
        thread.close(DEADLINE_S)


def test_inline_measures_to_the_end_within_its_bound(counting):
    inline = Inline(Pipeline(), steps=3)
    inline.submit(ON)
    assert inline.frame.overlays["counting"].values == 2
    inline.proceed(10)
    assert inline.frame.overlays["counting"].fraction == 1
