"""The command lines of measurements print the numbers of the window, and write files that can be read."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.viz.analysis.test_charts import plot_point
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from viz import cli
from viz.analysis import (
    break_it,
    filter_view,
    flicker,
    flow_chart,
    fourier_view,
    layer_chart,
    live_equivariance,
    polar,
    sticking_average,
    sweep_chart,
)
from viz.analysis.equivariance import SweepPoint
from viz.analysis.slice_strip import Collected
from viz.cli.broken import breaking
from viz.export.film_file import read
from viz.figures import drawing_file, figure
from viz.groups.layer import LayerBreak
from viz.pipeline import Pipeline
from viz.request import OverlayResult, RenderRequest
from viz.state import (
    BreakIt,
    Equivariance,
    Filters,
    Flicker,
    Flow,
    FourierView,
    Latent,
    LayerEquivariance,
    Pose,
    Slice,
    Source,
    Sticking,
    Sweep,
    ViewState,
)

write = drawing_file.save
GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
TINY_R, TINY_SG2 = (str(GOLDEN / f"tiny_{name}.pkl") for name in ("r", "sg2"))
VIEW = ViewState().put(Source(TINY_R)).put(Latent(x=4.0))
POSED = VIEW.edit(Pose, x=0.05, y=-0.02, turns=0.1)
POSE = ["--translate", "0.05", "-0.02", "--rotate", "36"]


def window(view, name):
    """The last result that the window would show."""
    pipeline = Pipeline()
    frame = pipeline.render(RenderRequest(1, view))
    assert frame is not None
    *_, last = pipeline.refine(frame)
    return last.overlays[name].values


def printed(capsys, *words):
    assert cli.run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_sticking(capsys, tmp_path):
    kept = window(VIEW.put(Sticking(True, 5, 0.3, "z", hold_pose=True, seed=2)), sticking_average.NAME)
    words = ["--seed", "4", "--num", "5", "--radius", "0.3", "--space", "z", "--hold-pose", "--neighbours-seed", "2"]
    found = printed(capsys, "sticking", TINY_R, *words, "--out", str(tmp_path / "a.npz"))
    assert found["kept"] == pytest.approx(kept.share, abs=1e-4) and found["num"] == 5
    assert [o["kept"] for o in found["octaves"]] == pytest.approx([octave.share for octave in kept.octaves], abs=1e-4)
    assert found["octaves"][-1]["from"] == found["from_cycles"] == 8 and found["octaves"][-1]["held"] == found["held"] > 0
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


@pytest.mark.parametrize(("move", "group", "name"), [("x", Pose, "x"), ("y", Pose, "y"), ("turn", Pose, "turns"), ("latent", Latent, "x")])
def test_slice(move, group, name, capsys, tmp_path):
    line, pipeline, collected = Slice(True, -0.1, -0.2, 0.1, 0.2), Pipeline(), Collected()
    for i in range(8):  # as few as there may be
        view = POSED.edit(group, **{name: getattr(POSED.get(group), name) + 0.06 * i / 7})
        collected.see(line, pipeline.render(RenderRequest(i, view)).picture)
    words = ["--seed", "4", *POSE, "--move", move, "--reach", "0.06", "--num", "8", "--line", "-0.1", "-0.2", "0.1", "0.2"]
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
        (["equivariance", TINY_R, "--translate", "0.001", "0", "--set", "Pose.snap=true"], "identity"),
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


# ------------------------------------------------------------------------------------- one picture, design, input, breaking


def test_equivariance(capsys, tmp_path):
    seen = window(POSED.put(Equivariance(True)), live_equivariance.NAME)
    found = printed(capsys, "equivariance", TINY_R, "--seed", "4", *POSE, "--image", "signed", "--out", str(tmp_path / "a.png"))
    assert found["db"] == pytest.approx(seen.db, abs=0.01) and found["kind"] == seen.kind == "eq_r"
    assert found["compared"] == pytest.approx(seen.valid_share)
    assert cli.run(["equivariance", TINY_R]) == 1 and "identity" in capsys.readouterr().err


def test_filters(capsys, tmp_path):
    seen = window(VIEW.put(Filters(True)), filter_view.NAME).layers
    found = printed(capsys, "filters", TINY_R, "--out", str(tmp_path / "a.npz"))["layers"]
    assert [layer["name"] for layer in found] == [layer.spec.name for layer in seen]
    pairs = [(layer[side], getattr(one, side)) for layer, one in zip(found, seen, strict=True) for side in ("up", "down")]
    assert any(one is not None for _, one in pairs)
    for printed_one, one in pairs:
        assert (printed_one is None) == (one is None)
        if one is not None:
            assert printed_one["attenuation_db"] == pytest.approx(one.attenuation_db) and printed_one["n"] == one.lowpass.support
    with np.load(tmp_path / "a.npz") as file:
        assert np.array_equal(file[f"{seen[1].spec.name}, up, taps"], seen[1].up.taps)
    assert cli.run(["filters", TINY_SG2]) == 1 and "no designed filters" in capsys.readouterr().err


def test_fourier(capsys, tmp_path):
    seen = window(POSED.put(FourierView(True)), fourier_view.NAME)
    found = printed(capsys, "fourier", TINY_R, "--seed", "4", *POSE, "--out", str(tmp_path / "a.png"))
    assert np.allclose([[w["right"], w["down"]] for w in found["waves"]], seen.freqs)
    assert [w["amplitude"] for w in found["waves"]] == pytest.approx(seen.amplitudes.tolist())
    assert [w["phase_degrees"] / 360 for w in found["waves"]] == pytest.approx(seen.phases.tolist())
    assert (found["f_c"], found["damped"]) == (seen.bandwidth, seen.damped)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 500 and len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 50
    assert cli.run(["fourier", TINY_R, "--seed", "4"]) == 0
    waves = capsys.readouterr().out.partition("most used:")[2]
    assert "−" in waves and "-" not in waves, "one minus sign, as the rest of the output has"
    assert cli.run(["fourier", TINY_SG2]) == 1 and "not from waves" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_a_figure_says_what_was_measured_and_holds_the_view(suffix, tmp_path, capsys, monkeypatch):
    """All of them by one writer."""
    drawn = []
    monkeypatch.setattr(drawing_file, "save", lambda *parts: (drawn.append(parts[1]), write(*parts)))
    caption = "tiny_r (config R, 32 px), seed 4, moved (0.050, −0.020) widths, turned 36.0°, channels 0–1 of L3 off"
    for command in ("by-layer", "equivariance", "fourier", "nonlinearity", "sticking"):
        words = ["--num", "2"] * (command == "sticking")
        out = tmp_path / f"{command}{suffix}"
        assert cli.run([command, TINY_R, "--seed", "4", *POSE, "--edit", "L3:0-1:gain=0", *words, "--out", str(out)]) == 0
        assert caption in drawn[-1].title, drawn[-1].title
        assert read(out).views[0].get(Pose) == POSED.get(Pose)
    if suffix == ".svg":
        root = ElementTree.parse(tmp_path / "by-layer.svg").getroot()
        texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert "L3_52_16" in texts and any(caption in text for text in texts)


FIGURES = [
    (["flicker", *POSE, "--num", "2"], ["flicker, steadiness"]),
    (["sweep", "--over", "shift", "--num", "3"], ["equivariance over shift", "shift to the right (pixels)", "dB"]),
    (["sweep", "--over", "angle", "--num", "3"], ["equivariance over angle", "degrees, counter-clockwise", "dB"]),
    (["filters", "--layer", "L3"], ["L3_52_16: the response of its filters", "cycles per image", "f_c", "up", "down"]),
    (["out-of-band"], ["power out of band", "L3_52_16", "dB of the layer's power"]),
    (["channel-effect", "--layer", "L1"], ["the picture without each channel of L1", "rank", "dB of the full range"]),
    (["slice", "--move", "x", "--num", "8"], ["slice over 8 pictures, moved by x, stuck"]),
]


@pytest.mark.parametrize(("words", "said"), FIGURES, ids=lambda words: words[0])
def test_a_figure_is_drawn_of_every_measurement_and_says_what_its_axes_are(words, said, tmp_path, capsys):
    out = tmp_path / "a.svg"
    assert cli.run([words[0], TINY_R, "--seed", "4", *words[1:], "--out", str(out)]) == 0
    texts = ["".join(element.itertext()) for element in ElementTree.parse(out).getroot().iter("{http://www.w3.org/2000/svg}text")]
    assert not [each for each in said if not any(each in text for text in texts)], texts


def test_break_it(capsys):
    broken = BreakIt(own=(LayerBreak(1, upsampling=1, window="nearest"), LayerBreak(2, upsampling=1, window="nearest", support=4)))
    seen = window(VIEW.put(broken), break_it.NAME)
    words = ["--break", "L1-L2:m=1,window=nearest", "--break", "2:n=4"]
    found = printed(capsys, "break-it", TINY_R, *words)
    assert found["breaks"] == broken.summary()
    for kind in ("eq_t", "eq_t_frac", "eq_r"):
        whole, after = seen.db(kind)
        assert found[kind]["whole"] == pytest.approx(whole, abs=0.05) and found[kind]["broken"] == pytest.approx(after, abs=0.05)
        assert found[kind]["change"] == pytest.approx(after - whole, abs=0.1)
    assert found["seconds"]["whole"] > 0 and found["seconds"]["ratio"] > 0
    assert cli.run(["break-it", TINY_R]) == 1 and "Nothing is broken" in capsys.readouterr().err
    assert cli.run(["break-it", TINY_SG2, *words]) == 1 and "no designed filters" in capsys.readouterr().err


def test_every_measurement_takes_a_broken_network(capsys):
    view = POSED.put(BreakIt(noise=0.5)).put(Equivariance(True))
    found = printed(capsys, "equivariance", TINY_R, "--seed", "4", *POSE, "--break", "all:noise=0.5")
    assert found["db"] == pytest.approx(window(view, live_equivariance.NAME).db, abs=0.01)
    assert found["db"] < printed(capsys, "equivariance", TINY_R, "--seed", "4", *POSE)["db"] - 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("nearest", "not LAYERS:NAME=VALUE"), ("L1-:m=1", "are not layers"), ("all:q=1", "cannot be broken"), ("all:m=x", "a whole number"),
     ("L5-L3:m=1", "are not layers")],
)  # fmt: skip
def test_what_cannot_be_broken_is_wrong_usage(text, sentence, capsys):
    with pytest.raises(SystemExit):
        cli.run(["break-it", TINY_R, "--break", text])
    assert sentence in capsys.readouterr().err


def test_the_order_of_breaking_counts_and_values_are_checked(capsys):
    said = [breaking(text) for text in ("all:noise=0.5", "L3:f_c=-1", "all:noise=0", "3,5:pool=max")]
    view = ViewState()
    for one in said:
        view = one.applied(view)
    own = (LayerBreak(3, noise=0.5, cutoff_octaves=-1.0, pool="max"), LayerBreak(5, pool="max"))
    assert view.get(BreakIt) == BreakIt(own=own)
    assert cli.run(["break-it", TINY_R, "--break", "all:window=hamming"]) == 1 and "hamming" in capsys.readouterr().err


def test_the_pose_that_is_told_is_the_one_that_was_measured(capsys):
    """Whichever option gave it: `--set` counts as `--rotate` does."""
    facts = printed(capsys, "equivariance", "globe-still-r-64", "--set", "Pose.turns=0.1", "--set", "Pose.scale=1.25", "--mirror")
    assert (facts["translate"], facts["rotate"], facts["scale"], facts["mirror"]) == ([0, 0], 36, 1.25, True)
    for command in (("equivariance",), ("flicker", "--num", "2")):
        facts = printed(capsys, command[0], TINY_R, *command[1:], "--translate", "0.1", "-0.04", "--set", "Pose.snap=true")
        assert facts["translate"] == [3 / 32, -1 / 32]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("flow", "--num", "2", "--set", "Flow.over=turn", "--set", "Flow.on=false"), {"over": "turn"}),
        (("flicker", "--num", "2", "--set", "Latent.x=1", "--set", "Latent.y=2"), {"seed": 201}),
        (("flicker", "--num", "2", "--set", "Latent.x=1.5"), {"seed": None, "latent": "latent (1.5, 0)"}),
    ],
)
def test_what_is_told_is_what_was_set_last(words, told, capsys):
    found = printed(capsys, words[0], TINY_R, *words[1:])
    assert {name: found[name] for name in told} == told
