"""Equivariance of the picture on screen: the number is that of the computation, the map is registered, the panel says what it is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gui_utils.text import MISSING
from tests.viz.analysis.synthetic import equivariance_of
from tests.viz.asked import kinds_put
from tests.viz.panels.shown import alias_free_facts, frame_of, show, stylegan2_facts
from viz.analysis import live_equivariance as live
from viz.pipeline import Pipeline
from viz.request import OverlayResult, RenderRequest
from viz.state import BandFilter, Equivariance, LayerEquivariance, OverlayView, Pose, Source, ViewState

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
VIEW = ViewState().put(Source(str(GOLDEN / "tiny_r.pkl"))).edit(Equivariance, on=True)


def measured(view, pipeline=None):
    pipeline = pipeline or Pipeline()
    frame = pipeline.render(RenderRequest(1, view))
    assert frame.error is None, frame.error
    *_, frame = (frame, *pipeline.refine(frame))
    assert frame.overlays["equivariance"].error is None, frame.overlays["equivariance"].error
    return frame.overlays["equivariance"], pipeline


@pytest.mark.parametrize(
    ("pose", "kind"), [(Pose(x=2 / 32), "eq_t"), (Pose(x=0.03, y=0.01), "eq_t_frac"), (Pose(turns=0.1, x=0.05), "eq_r")]
)
def test_the_number_is_that_of_the_computation(pose, kind):
    result, pipeline = measured(VIEW.put(pose))
    run = pipeline._answered[1]
    expected = equivariance_of(run.inputs["load"].network, run.inputs["latent"].ws, pose.matrix())
    power, expected_power = (10 ** (-db / 10) for db in (result.values.db, expected.db))  # of a whole-pixel error: rounding alone
    assert result.values.kind == kind and power == pytest.approx(expected_power, rel=1e-3, abs=1e-13)
    image = result.images[live.SIGNED]
    assert image.values.shape == image.mask.shape == (32, 32) and image.frame_rect == (0, 0, 32, 32)
    assert np.allclose(image.values, expected.error.mean(0).numpy(), atol=1e-5)
    assert result.values.valid_share == pytest.approx(float(expected.mask.float().mean())) and result.values.valid_share < 1
    log = result.images[live.LOG]
    assert np.allclose(log.values, live.signed_log(expected.error.mean(0)), atol=1e-2) and (log.low, log.high) == (-1, 1)
    assert "0 −80 dB" in log.label
    assert [(i.low, i.high) for i in result.images.values()] == [(-0.1, 0.1), (-1, 1), (-80, 0)]
    assert all(np.array_equal(i.mask, expected.mask.numpy()) for i in result.images.values())
    assert all(np.isfinite(i.values).all() for i in live.error_images(expected, BandFilter(error=True, low=2, high=8)).values())
    level = result.images[live.LEVEL].values
    mean_square = (expected.error.numpy().astype(np.float64) ** 2).mean(0)
    clear = mean_square > 1e-8
    assert np.allclose(level[clear], 10 * np.log10(mean_square[clear] / 4), atol=0.1)
    assert level.min() >= -161


def test_the_input_follows_a_scaled_pose_and_the_layers_need_not():
    """The input is a continuous signal, so any affine pose samples it elsewhere; what comes after it has learned shifts and turns only.

    A pose whose scale went the other way would leave nothing in common at the input either.
    """
    pose = Pose(turns=0.03, scale=1.25)
    source = VIEW.put(Source("globe-r-64")).put(pose).edit(Equivariance, on=False).edit(LayerEquivariance, on=True)
    pipeline = Pipeline()
    *_, frame = (*pipeline.refine(pipeline.render(RenderRequest(1, source))),)
    by_layer = frame.overlays["by layer"].columns[0].numbers
    assert by_layer["input"] > 45 and by_layer["L6_84_96"] < 20
    result, _ = measured(VIEW.put(pose))
    title, _, note = live.texts(result.values)
    assert result.values.deformed and "EQ-R" not in title and "not a metric of the paper" in note


def test_an_error_on_a_log_scale_has_its_sign_and_decades():
    found = live.signed_log(torch.tensor([4.0, 2.0, -0.2, 0.02, -2e-4, 1e-9, 0.0]))
    assert found.tolist() == pytest.approx([1, 1, -0.75, 0.5, 0, 0, 0], abs=1e-6)


def test_a_band_is_named_by_its_ends():
    named = [live.band_text(BandFilter(low=0.25, high=high)) for high in (0.5, 8.0, 0.0)]
    assert named == ["0.25 to 0.5 cycles", "0.25 to 8 cycles", "from 0.25 cycles"]


def test_without_a_pose_there_is_nothing_to_compare():
    result, _ = measured(VIEW)
    assert result.values == live.Now(None, None) and result.images == {} and "identity" in live.texts(result.values)[2]


def test_a_network_without_a_grid_has_no_number():
    result, _ = measured(VIEW.put(Source(str(GOLDEN / "tiny_sg2.pkl"))).edit(Pose, x=0.1))
    assert result.values is None


def test_dragging_the_pose_makes_the_unposed_picture_once(monkeypatch):
    """And remembers only itself, not its layers, which would push out those on screen."""
    pipeline = Pipeline()
    puts = kinds_put(pipeline.memory, monkeypatch)
    for x in (0.05, 0.06, 0.07):
        measured(VIEW.edit(Pose, x=x), pipeline)
    run = pipeline._answered[1]
    taps = len(run.inputs["load"].facts.taps)
    assert puts.count("unposed") == 1 and puts.count("overlay") == 3 and puts.count("layer") == 3 * taps


def frame_with(db, **changes):
    facts = alias_free_facts()
    return frame_of(facts, overlays={"equivariance": OverlayResult(live.Now("eq_r", db, 0.5), **changes)})


def test_the_panel_keeps_a_history_without_what_is_stale(monkeypatch):
    reads, lines = [], []
    monkeypatch.setattr(live.plots, "cursor_text", reads.append)
    monkeypatch.setattr(live.plots, "line", lambda label, x, y, color: lines.append((x.tolist(), y.tolist())))
    with show(live.PANEL, VIEW, network=alias_free_facts(), frame=frame_with(40.0)) as shown:
        shown.ui.frames(3)
        history = shown.context.scratch["equivariance.history"]
        assert list(history) == [40.0], "one number a picture, however often it is drawn"
        shown.context.frame = frame_with(50.0, stale=True)
        shown.ui.frames(2)
        shown.context.frame = frame_with(float("inf"))
        shown.ui.frames(2)
        assert len(history) == 2 and history[0] == 40.0 and np.isnan(history[1])
        assert lines[-1][0] == [-1.0, 0.0] and lines[-1][1][0] == 40.0
        assert [reads[-1](x, 0.0) for x in (-2.0, -1.2, 0.0, 0.6)] == [MISSING, "40.0 dB", MISSING, MISSING]
        shown.ui.click("Equivariance.clear")
        assert not history


def test_choosing_what_lies_over_the_picture_starts_the_measurement():
    with show(live.PANEL, VIEW.edit(Equivariance, on=False), network=alias_free_facts()) as shown:
        assert shown.ui.item("OverlayView.opacity").disabled
        shown.ui.choose("Equivariance.image", live.LEVEL)
        assert shown.state.get(Equivariance).on and shown.state.get(OverlayView).image == live.LEVEL
        shown.ui.set("OverlayView.opacity", 0.5)
        assert shown.state.get(OverlayView).opacity == 0.5


def test_a_network_without_a_grid_disables_the_panel():
    with show(live.PANEL, network=stylegan2_facts()) as shown:
        assert shown.ui.item("Equivariance.on").disabled and shown.ui.item("Equivariance.image").disabled
