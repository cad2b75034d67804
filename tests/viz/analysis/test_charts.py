"""By layer, over sweeps, and over samples: progressive, the numbers of the computations, and clicks that lead somewhere."""

import json
import shlex

import numpy as np
import pytest

from gui_utils import controls, plots
from gui_utils.libraries import implot
from tests.viz.asked import TINY_R, TINY_SG2, ask, inputs, steps
from tests.viz.panels.shown import alias_free_facts, frame_of, show, stylegan2_facts
from viz import cli
from viz.analysis import layer_chart, metric_table, sweep_chart
from viz.analysis.equivariance import SweepPoint, per_layer, sweep_angle, sweep_shift
from viz.commands import CopyText
from viz.groups.layer import LayerBreak
from viz.request import OverlayResult, RenderError, RenderRequest
from viz.state import BreakIt, LayerEquivariance, Metrics, Pose, Sweep, Tap, ViewState

FACTS = alias_free_facts()


# ---------------------------------------------------------------------------------------------------- by layer


def test_one_more_layer_with_every_step(pipeline):
    view = TINY_R.edit(LayerEquivariance, on=True).edit(Pose, turns=0.1)
    found = steps(pipeline, view, layer_chart.NAME)
    network, ws = inputs(pipeline)
    assert [len(r.values.found) for r in found] == list(range(1, len(network.taps) + 1)) and found[-1].fraction == 1
    expected = [(layer.name, layer.signal_db) for layer in per_layer(network, ws, view.get(Pose).matrix())]
    assert [n for n, _ in found[-1].values.found] == [n for n, _ in expected]
    assert [db for _, db in found[-1].values.found] == pytest.approx([db for _, db in expected], abs=0.01)


def test_without_a_pose_no_layer_is_compared(pipeline):
    assert steps(pipeline, TINY_R.edit(LayerEquivariance, on=True), layer_chart.NAME)[-1].values == layer_chart.Layers((), posed=False)
    sg2 = TINY_SG2.edit(LayerEquivariance, on=True).edit(Pose, turns=0.1)
    assert steps(pipeline, sg2, layer_chart.NAME)[-1].values is None


@pytest.mark.parametrize("where", ["measurement", "picture"])
def test_what_has_failed_is_not_shown_as_under_way(where):
    failed = RenderError("metrics", "It did not work.")
    changes = {"error": failed} if where == "picture" else {"overlays": {metric_table.NAME: OverlayResult(error=failed)}}
    view = ViewState().edit(Metrics, on=True)
    with show(metric_table.PANEL, view, network=FACTS, frame=frame_of(FACTS, view)) as shown:
        assert shown.ui.exists("progress.cancel")  # nothing is known yet
        shown.context.frame = frame_of(FACTS, view, **changes)
        assert not shown.ui.exists("progress.cancel")


def plot_point(shown, x, y, which=-1):
    """Screen position of a point of a plot of the panel (the last one, unless told), learned while it is drawn."""
    places = []
    original = implot.end_plot

    def end():
        at = implot.plot_to_pixels(x, y)
        places.append((at.x, at.y))
        original()

    implot.end_plot = end
    try:
        shown.ui.frames(2)
    finally:
        implot.end_plot = original
    return places[which]


def test_a_click_on_a_bar_selects_its_layer():
    layers = layer_chart.Layers(tuple((tap.name, 40.0) for tap in FACTS.taps))
    view = ViewState().edit(LayerEquivariance, on=True)
    with show(layer_chart.PANEL, view, network=FACTS, frame=frame_of(FACTS, overlays={layer_chart.NAME: OverlayResult(layers)})) as shown:
        shown.ui.click_at(plot_point(shown, 4, 20))
        assert shown.state.get(Tap).layer == FACTS.taps[4].name
        shown.ui.click_at(plot_point(shown, len(FACTS.taps) - 1, 20))
        assert shown.state.get(Tap).layer == ""
    assert layer_chart.text_of(FACTS, layers.found, 1).endswith("40.0 dB")
    assert layer_chart.text_of(FACTS, (("input", float("inf")),), 0).endswith("∞ dB")
    assert layer_chart.text_of(FACTS, (), 3).endswith("—") and layer_chart.text_of(FACTS, (), 99) == "—"


# ---------------------------------------------------------------------------------------------------- sweeps


@pytest.mark.parametrize(
    ("over", "measure", "values"), [("shift", sweep_shift, sweep_chart.SHIFTS_PX), ("angle", sweep_angle, sweep_chart.ANGLES_TURNS)]
)
def test_one_more_point_with_every_step(pipeline, over, measure, values):
    pipeline.memory.clear()
    found = steps(pipeline, TINY_R.edit(Sweep, on=True, over=over), sweep_chart.NAME)
    assert [len(r.values.points) for r in found] == list(range(1, len(values) + 1))
    network, ws = inputs(pipeline)
    some = slice(3, 6)
    expected = [p.db for p in measure(network, ws, values[some])]
    assert [p.db for p in found[-1].values.points[some]] == pytest.approx(expected, abs=0.01)


def test_the_pose_does_not_matter_to_a_sweep(pipeline):
    view = TINY_R.edit(Sweep, on=True, over="angle")
    pipeline.memory.clear()
    steps(pipeline, view, sweep_chart.NAME)
    frame = pipeline.render(RenderRequest(1, view.edit(Pose, x=0.1)))
    assert frame.overlays[sweep_chart.NAME].fraction == 1 and list(pipeline.refine(frame)) == []


def curve(over, values):
    points = tuple(SweepPoint(v, 50.0 - i, "eq_r") for i, v in enumerate(values))
    return frame_of(FACTS, overlays={sweep_chart.NAME: OverlayResult(sweep_chart.Curve(over, points, len(points)))})


def test_a_click_goes_to_the_nearest_point():
    with show(sweep_chart.PANEL, ViewState().edit(Sweep, on=True), network=FACTS, frame=curve("shift", (0, 0.25, 0.5, 0.75, 1))) as shown:
        shown.ui.click_at(plot_point(shown, 0.52, 48.0))
        assert shown.state.get(Pose) == Pose(x=0.5 / 64)
        shown.ui.click("Sweep.over.angle")
        assert shown.state.get(Sweep).over == "angle"
        shown.context.frame = curve("angle", (0, 0.25, 0.5, 0.75))
        shown.ui.click_at(plot_point(shown, 268.0, 48.0))
        assert shown.state.get(Pose) == Pose(turns=-0.25)


def test_as_many_points_as_is_usual_have_a_word_and_numbers_can_be_typed(monkeypatch):
    said = []
    monkeypatch.setattr(controls, "_typed", lambda *args, typed=controls._typed: said.append(args[4]) or typed(*args))
    with show(sweep_chart.PANEL, ViewState(), network=FACTS, frame=frame_of(FACTS)) as shown:
        assert said[-1] == "automatic"
        shown.ui.set("Sweep.num", 9)
        shown.ui.frames(2)
        assert shown.state.get(Sweep).num == 9 and said[-1] == "%.0f"
        shown.ui.set("Sweep.num", 0)
        shown.ui.frames(2)
        assert shown.state.get(Sweep).num == 0 and said[-1] == "automatic"


def test_where_the_pose_lies_on_the_axis():
    assert sweep_chart.place(Pose(x=0.5 / 64), "shift", 64) == 0.5
    assert sweep_chart.places(Sweep(num=2)) == (0, 1) and sweep_chart.places(Sweep(num=1)) == sweep_chart.SHIFTS_PX
    assert sweep_chart.text_at(np.array([0.0, 0.5]), np.array([40.0, 32.04]), 0.4, "px") == "0.50 px: 32.0 dB"
    assert sweep_chart.text_at(np.array([]), np.array([]), 0.4, "px") == "0.40 px"
    assert sweep_chart.place(Pose(turns=-0.25), "angle", 64) == 0.75
    assert sweep_chart.place(Pose(x=0.5), "shift", 64) is None and sweep_chart.place(Pose(x=0.1, turns=0.1), "angle", 64) is None


# ---------------------------------------------------------------------------------------------------- metrics


@pytest.mark.parametrize("broken", [BreakIt(), BreakIt(window="nearest", layers=(1, 2), own=(LayerBreak(4, noise=0.1),))])
def test_the_same_numbers_as_the_command_line(pipeline, capsys, broken):
    view = TINY_R.edit(Metrics, on=True, num=5, seed=3, eq_t=False).put(broken)
    found = steps(pipeline, view, metric_table.NAME)
    assert list(dict.fromkeys(r.values.newest.done for r in found)) == [1, 2, 3, 4, 5] and found[-1].fraction == 1
    arguments = shlex.split(metric_table.command(ask(pipeline, view).network, view))[1:]
    assert cli.run([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    last = found[-1].values.newest.estimates
    assert set(last) == {"eq_t_frac", "eq_r"} and "eq_t" not in printed
    for kind, estimate in last.items():
        assert estimate.db == pytest.approx(printed[kind], abs=1e-3)
        assert (estimate.low, estimate.high) == pytest.approx(printed[f"{kind}_interval"], abs=1e-3)


def test_the_latent_on_screen_does_not_matter_to_the_metrics(pipeline):
    view = TINY_R.edit(Metrics, on=True, num=3)
    steps(pipeline, view, metric_table.NAME)
    frame = pipeline.render(RenderRequest(1, view.edit(Pose, x=0.1)))
    assert list(pipeline.refine(frame)) == []


def test_the_track_has_every_sample_of_a_short_measurement(pipeline):
    last = steps(pipeline, TINY_R.edit(Metrics, on=True, num=4), metric_table.NAME)[-1].values
    assert [p[0] for p in last.track["eq_r"]] == [1, 2, 3, 4]
    assert np.isnan(last.track["eq_r"][0][2]) and last.track["eq_r"][3][2] < last.track["eq_r"][3][1] < last.track["eq_r"][3][3]


def test_the_panel_says_values_and_intervals_and_draws_how_they_settled(pipeline, monkeypatch):
    view = TINY_R.edit(Metrics, on=True, num=4, eq_t=False)
    result = steps(pipeline, view, metric_table.NAME)[-1]
    found, drawn = result.values, {}
    for what in ("band", "line"):
        monkeypatch.setattr(plots, what, lambda label, *values, what=what, **more: drawn.update({(what, label): values[:-1]}))
    with show(metric_table.PANEL, view, network=FACTS, frame=frame_of(FACTS, view, overlays={metric_table.NAME: result})) as shown:
        shown.ui.frames(2)
    assert set(drawn) == {(what, label) for what in ("band", "line") for label in ("EQ-T_frac", "EQ-R")}
    for kind, label in (("eq_t_frac", "EQ-T_frac"), ("eq_r", "EQ-R")):
        estimate, (samples, db, low, high) = found.newest.estimates[kind], np.array(found.track[kind]).T
        assert np.array_equal(drawn["line", label], (samples, db))
        assert np.array_equal(drawn["band", label], (samples, low, high), equal_nan=True)
        name, value, interval = metric_table.texts(found, kind)
        assert name == label and value.endswith(" dB") and float(value.removesuffix(" dB")) == pytest.approx(estimate.db, abs=0.05)
        assert [float(end) for end in interval.split(" to ")] == pytest.approx([estimate.low, estimate.high], abs=0.05)


def test_what_does_not_exist_is_an_em_dash(pipeline):
    result = steps(pipeline, TINY_SG2.edit(Metrics, on=True), metric_table.NAME)[-1]
    assert result.values is None and metric_table.texts(result.values, "eq_r") == ("EQ-R", "—", "—")
    with show(metric_table.PANEL, network=stylegan2_facts()) as shown:
        assert shown.ui.item("Metrics.on").disabled


def test_options_and_the_command():
    with show(metric_table.PANEL, network=FACTS) as shown:
        shown.ui.click("Metrics.eq_t")
        shown.ui.set("Metrics.num", 7)
        shown.ui.click("Metrics.on")
        assert shown.state.get(Metrics) == Metrics(on=True, eq_t=False, num=7)
        shown.ui.click("Metrics.copy")
        assert shown.commands == [CopyText("visualizer.py metrics tiny-r --eq-t-frac --eq-r --num 7 --seed 0")]
