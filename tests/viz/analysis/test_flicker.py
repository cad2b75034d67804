"""Flicker: zero for what moves with the pose, as large as computed by hand for what sticks."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.viz.analysis.synthetic import Painted, waves
from tests.viz.panels.shown import alias_free_facts, frame_of, show, stylegan2_facts
from viz.analysis import flicker as fl
from viz.analysis.parts import NO_GRID
from viz.pipeline import Pipeline
from viz.request import OverlayResult, RenderRequest
from viz.state import Flicker, OverlayView, Pose, Source, ViewState

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
VIEW = ViewState().put(Source(str(GOLDEN / "tiny_r.pkl"))).edit(Flicker, on=True, num=5)
WS = torch.zeros(1, 2, 4)


def deviation(paint, follows, options=None, pose=None):
    network = Painted(paint, follows=follows)
    *_, last = fl.deviations(network, WS, np.eye(3) if pose is None else pose, options or Flicker(num=12, reach_px=2.0), {})
    return last


@pytest.mark.parametrize("pose", [Pose().matrix(), Pose(x=0.03, turns=0.1).matrix()])
def test_what_moves_along_is_steady_and_what_sticks_is_not(pose):
    moving, stuck = (deviation(waves, follows, pose=pose) for follows in (True, False))
    assert moving.db > 50 and stuck.db < 20
    assert moving.mask.any() and not moving.mask.all(), "the border has no data"


def test_the_poses_are_shifts_of_the_one_on_screen():
    asked, pose = [], np.array(Pose(x=0.03, turns=0.1, scale=1.5).matrix())

    class Noting(Painted):
        def synthesize(self, ws, *, pose, **rest):
            asked.append(pose)
            return super().synthesize(ws, pose=pose, **rest)

    list(fl.deviations(Noting(waves), WS, pose, Flicker(num=4, reach_px=2.0), {}))
    shifts = np.array(asked) - pose
    assert np.allclose(shifts[:, :2, 2] * 64, fl.offsets_px(4, 2.0)) and not shifts[:, :, :2].any() and not shifts[:, 2].any()


def test_a_stuck_ramp_flickers_by_the_variance_of_the_shifts():
    """Undoing a motion that never happened moves a ramp of slope g per width: its deviation is g times that of the shifts."""
    options = Flicker(num=10, reach_px=2.0)
    stuck = deviation(lambda u, v, w: 0.8 * u + 0 * v, follows=False, options=options)
    x = np.array([x for x, _ in fl.offsets_px(10, 2.0)]) / 64
    expected = (0.8**2) * x.var()
    inside = stuck.mean_square[20:44, 20:44]
    assert torch.allclose(inside, torch.full_like(inside, expected), rtol=0.02)
    assert stuck.db == pytest.approx(10 * math.log10(4 / expected), abs=0.5)


def test_channels_are_averaged_and_the_map_is_in_db_below_the_peak():
    class Three(Painted):
        def synthesize(self, ws, **rest):
            return super().synthesize(ws, **rest) * torch.tensor([1.0, 2.0, 3.0])[:, None, None]

    options = Flicker(num=3, reach_px=2.0)
    one = deviation(waves, follows=False, options=options)
    *_, three = fl.deviations(Three(waves, follows=False), WS, np.eye(3), options, {})
    assert torch.allclose(three.mean_square, one.mean_square * (1 + 4 + 9) / 3, rtol=1e-4)
    found = fl.Deviation(2, 2, torch.tensor([[4.0, 0.04], [0.0, 4.0]]), torch.tensor([[True, True], [True, False]]))
    image = fl.images_of(found)[fl.DEVIATION]
    assert image.values.tolist() == [[pytest.approx(0, abs=1e-4), pytest.approx(-20, abs=1e-4)], [-160, -80]]
    assert (image.low, image.high, image.unit) == (-80, 0, "dB") and found.db == pytest.approx(10 * math.log10(3 * 4 / 4.04))


def test_shifts_fill_the_disc_from_the_middle():
    offsets = np.array(fl.offsets_px(200, 1.5))
    assert tuple(offsets[0]) == (0, 0) and np.hypot(*offsets.T).max() == pytest.approx(1.5)
    assert np.abs(offsets.mean(axis=0)).max() < 0.02 and np.mean(np.hypot(*offsets.T) < 0.75) == pytest.approx(0.25, abs=0.02)
    assert fl.offsets_px(1, 1.0) == ((0.0, 0.0),)


def test_it_comes_pose_by_pose():
    pipeline = Pipeline()
    found = [f.overlays["flicker"] for f in pipeline.refine(pipeline.render(RenderRequest(1, VIEW)))]
    assert [r.values.count for r in found] == [1, 2, 3, 4, 5] and found[-1].fraction == 1
    assert found[0].values.db is None and found[0].images == {}
    image = found[-1].images[fl.DEVIATION]
    assert image.values.shape == (32, 32) and (image.values[~image.mask] == fl.LOWEST_DB).all() and math.isfinite(found[-1].values.db)


def test_the_panel(monkeypatch):
    facts = alias_free_facts()
    frame = frame_of(facts, overlays={"flicker": OverlayResult(fl.Steadiness(3, 5, 41.26), 0.6)})
    with show(fl.PANEL, VIEW, network=facts, frame=frame) as shown:
        shown.ui.choose("Flicker.image", fl.DEVIATION)
        assert shown.state.get(OverlayView).image == fl.DEVIATION
        shown.ui.set("Flicker.num", 9)
        shown.ui.click("progress.cancel")
        assert shown.state.get(Flicker) == Flicker(on=False, num=9)
    assert fl.texts(fl.Steadiness(3, 5, 41.26))[1] == "41.3 dB" and fl.texts(None)[1:] == ("—", fl.OFF)
    said = []
    monkeypatch.setattr(fl, "invitation", lambda state, _, __, text, *, disabled, fill: said.append(disabled or text) or state)
    for view, network, note in ((VIEW, stylegan2_facts(), NO_GRID), (VIEW.edit(Flicker, on=False), facts, fl.OFF)):
        with show(fl.PANEL, view, network=network, frame=frame) as shown:
            assert shown.ui.item("Flicker.on").disabled == (network is not facts)
            assert said.pop() == note
