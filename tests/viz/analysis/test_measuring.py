"""The command lines of measurements print the numbers of the window, and write files that can be read."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.viz.analysis.test_charts import plot_point
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from viz import cli, figure
from viz.analysis import flicker, flow_chart, layer_chart, polar, sticking_average, sweep_chart
from viz.analysis.equivariance import SweepPoint
from viz.analysis.slice_strip import Collected
from viz.pipeline import Pipeline
from viz.request import OverlayResult, RenderRequest
from viz.state import Flicker, Flow, Latent, LayerEquivariance, Pose, Slice, Source, Sticking, Sweep, ViewState

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
TINY_R, TINY_SG2 = (str(GOLDEN / f"tiny_{name}.pkl") for name in ("r", "sg2"))
VIEW = ViewState().put(Source(TINY_R)).put(Latent(x=4.0))
POSED = VIEW.edit(Pose, x=0.05, y=-0.02, turns=0.1)
POSE = ["--translate", "0.05", "-0.02", "--rotate", "36"]


def window(view, name):
    """The last result that the window would show."""
    pipeline = Pipeline()
    *_, last = pipeline.refine(pipeline.render(RenderRequest(1, view)))
    return last.overlays[name].values


def printed(capsys, *words):
    assert cli.run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_sticking(capsys, tmp_path):
    kept = window(VIEW.put(Sticking(True, 5, 0.3, "z", hold_pose=False, seed=2)), sticking_average.NAME)
    words = ["--seed", "4", "--num", "5", "--radius", "0.3", "--space", "z", "--move-pose", "--neighbours-seed", "2"]
    found = printed(capsys, "sticking", TINY_R, *words, "--out", str(tmp_path / "a.npz"))
    assert found["kept"] == pytest.approx(kept.share, abs=1e-4) and found["num"] == 5
    assert [o["kept"] for o in found["octaves"]] == pytest.approx([share for _, _, share in kept.octaves], abs=1e-4)
    with np.load(tmp_path / "a.npz") as file:
        assert file["mean"].shape == (32, 32, 3) and file["kept"] == pytest.approx(kept.share, abs=1e-4)


def test_sticking_under_a_moving_pose(capsys):
    kept = window(POSED.put(Sticking(True, 5, space="pose", reach_px=1.5)), sticking_average.NAME)
    found = printed(capsys, "sticking", TINY_R, "--seed", "4", *POSE, "--num", "5", "--space", "pose", "--reach", "1.5")
    assert found["kept"] == pytest.approx(kept.share, abs=1e-4)
    assert cli.run(["sticking", TINY_SG2, "--space", "pose"]) == 1 and "no input grid" in capsys.readouterr().err


def test_flow(capsys, tmp_path):
    seen = window(POSED.put(Flow(True, "turn", 0.75, 3)), flow_chart.NAME)
    words = ["--seed", "4", *POSE, "--over", "turn", "--reach", "0.75", "--num", "3", "--out", str(tmp_path / "a.png")]
    found = printed(capsys, "flow", TINY_R, *words)
    assert found["attached"] == pytest.approx(seen.attached, abs=1e-3) and found["num"] == 3
    assert found["stuck_share"] == pytest.approx(seen.stuck_share, abs=1e-3)
    with Image.open(tmp_path / "a.png") as image:
        assert min(image.size) > 400 and np.ptp(np.asarray(image)) == 255


def test_flicker(capsys):
    seen = window(POSED.put(Flicker(True, 4, 0.7)), flicker.NAME)
    found = printed(capsys, "flicker", TINY_R, "--seed", "4", *POSE, "--reach", "0.7", "--num", "4")
    assert found["db"] == pytest.approx(seen.db, abs=0.01) and found["num"] == 4


def test_by_layer(capsys, tmp_path):
    seen = window(POSED.put(LayerEquivariance(True)), layer_chart.NAME)
    found = printed(capsys, "by-layer", TINY_R, "--seed", "4", *POSE, "--out", str(tmp_path / "a.npz"))
    assert [layer["name"] for layer in found["layers"]] == [name for name, _ in seen.found]
    assert [layer["db"] for layer in found["layers"]] == pytest.approx([db for _, db in seen.found], abs=0.01)
    with np.load(tmp_path / "a.npz") as file:
        assert list(file["layer"]) == [name for name, _ in seen.found] and file["db"].shape == (len(seen.found),)


@pytest.mark.parametrize("over", ["shift", "angle"])
def test_sweep(capsys, over):
    seen = window(VIEW.put(Sweep(True, over, 5)), sweep_chart.NAME)
    found = printed(capsys, "sweep", TINY_R, "--seed", "4", "--over", over, "--num", "5")
    unit, scale = ("shift_px", 1) if over == "shift" else ("degrees", 360)
    assert [p[unit] for p in found["points"]] == pytest.approx([scale * i / 4 for i in range(5)])
    expected = [(10 ** (-p.db / 10) if np.isfinite(p.db) else 0.0) for p in seen.points]
    assert [0.0 if p["db"] is None else 10 ** (-p["db"] / 10) for p in found["points"]] == pytest.approx(expected, rel=2e-3, abs=1e-12)


def test_slice(capsys, tmp_path):
    line, pipeline, collected = Slice(True, -0.1, -0.2, 0.1, 0.2), Pipeline(), Collected()
    for i in range(12):
        view = VIEW.edit(Pose, x=0.06 * i / 11)
        collected.see(line, pipeline.render(RenderRequest(i, view)).picture)
    words = ["--seed", "4", "--move", "x", "--reach", "0.06", "--num", "12", "--line", "-0.1", "-0.2", "0.1", "0.2"]
    found = printed(capsys, "slice", TINY_R, *words, "--out", str(tmp_path / "a.npz"))
    assert found["stuck"] == pytest.approx(collected.score(), abs=1e-3)
    with np.load(tmp_path / "a.npz") as file:
        assert file["values"].shape == collected.values.shape and np.allclose(file["values"], collected.values, atol=1e-4)


@pytest.mark.parametrize("command", ["flow", "flicker", "sweep"])
def test_what_cannot_be_posed_is_said(command, capsys):
    assert cli.run([command, TINY_SG2, "--num", "2"]) == 1
    assert "no input grid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["by-layer", TINY_R], "identity"),
        (["sticking", TINY_R, "--out", "a.jpg"], "a.jpg"),
        (["flow", TINY_R, "--reach", "0"], "--reach 0"),
        (["sweep", TINY_R, "--num", "1"], "at least 2"),
        (["slice", TINY_R, "--num", "3"], "from 8"),
        (["slice", TINY_R, "--line", "0", "0", "0", "0"], "same point"),
        (["flow", TINY_R, "--out", "no such folder/a.png"], "does not exist"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(words, sentence, capsys):
    assert cli.run(words) == 1
    assert sentence in capsys.readouterr().err


def test_a_network_that_cannot_be_posed_can_stick(capsys):
    assert 0 <= printed(capsys, "sticking", TINY_SG2, "--num", "3")["kept"] <= 1


def test_figures_are_drawn_in_characters_that_exist():
    assert figure.drawable("−80 to ∞") == "-80 to inf"


# ------------------------------------------------------------------------------------------------- the polar chart


def test_a_click_on_the_polar_chart_goes_to_its_angle():
    facts, count = alias_free_facts(), 8
    points = tuple(SweepPoint(i / count, 50.0, "eq_r") for i in range(count))
    result = OverlayResult(sweep_chart.Curve("angle", points, count))
    with show(
        sweep_chart.PANEL, ViewState().put(Sweep(True, "angle")), network=facts, frame=frame_of(facts, overlays={"sweep": result})
    ) as shown:
        plots_seen = []
        original = polar.draw_polar

        def draw(degrees, db, here, side_em):
            plots_seen.append(here)
            return original(degrees, db, here, side_em)

        sweep_chart.draw_polar = draw
        try:
            shown.ui.click_at(plot_point(shown, 0.3, 7.0, which=0))
            assert shown.state.get(Pose) == Pose(turns=0.25)
            shown.ui.click_at(plot_point(shown, -7.0, -7.1, which=0))
            assert shown.state.get(Pose) == Pose(turns=-0.375)
            shown.ui.frames(2)
        finally:
            sweep_chart.draw_polar = original
        assert plots_seen[0] == 0 and plots_seen[-1] == pytest.approx(225)


def test_rings_surround_what_there_is():
    for db in (np.array([31.0, 48.2]), np.array([np.nan, 55.0]), np.zeros(0), np.array([-5.0, 80.0])):
        centre, rings = polar.scale(db)
        known = db[np.isfinite(db)]
        assert centre < rings[0] and list(rings) == sorted(rings)
        assert not len(known) or (centre < known.min() and rings[-1] >= known.max())
    assert polar.angle_of(0, 1) == 90 and polar.angle_of(-1, -1) == 225
