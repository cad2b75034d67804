"""Breaking the loaded network: a copy that shares its weights, the price in dB and time, a badge, the command line; and mending it."""

import json
from argparse import ArgumentTypeError
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from networks.breakage import Breakage, LayerBreakage
from networks.measures.metrics import draw_sample, measure
from tests.viz.asked import GOLDEN, TINY_R, TINY_SG2, ask, steps
from tests.viz.panels.shown import alias_free_facts, frame_of, show, stylegan2_facts
from viz import cli
from viz.analysis import break_it, break_it_panel
from viz.canvas import badge as canvas_badge
from viz.cli.broken import breaking
from viz.groups.layer import LayerBreak
from viz.request import OverlayResult, RenderRequest
from viz.stages import load
from viz.state import BreakIt, Equivariance, Filters, Latent, Pose, Source, StateError, Tap, ViewState

NEAREST = BreakIt(upsampling=1, window="nearest")


def ready(pipeline):
    return pipeline._answered[1].inputs["load"]


# ---------------------------------------------------------------------------------------------------- the picture


def test_what_breaks_nothing_is_the_network_itself_bit_for_bit(pipeline):
    whole = ask(pipeline, TINY_R)
    network = ready(pipeline).network
    same = ask(pipeline, TINY_R.put(BreakIt(layers=(1, 2))))
    assert ready(pipeline).network is network and not same.ran
    as_designed = ask(pipeline, TINY_R.put(BreakIt(upsampling=2, support=6, window="kaiser")))
    assert ready(pipeline).network is not network
    assert np.array_equal(as_designed.picture.values, whole.picture.values)


def test_a_broken_picture_is_another_one_and_mending_gives_the_first_back(pipeline):
    pipeline.memory.clear()
    whole = ask(pipeline, TINY_R)
    broken = ask(pipeline, TINY_R.put(NEAREST))
    assert "synthesis" in broken.ran and np.abs(broken.picture.values - whole.picture.values).max() > 0.01
    mended = ask(pipeline, TINY_R)
    assert not mended.ran and np.array_equal(mended.picture.values, whole.picture.values)


def test_the_copy_shares_its_weights_and_is_kept(pipeline):
    ask(pipeline, TINY_R.put(NEAREST))
    copy = ready(pipeline)
    assert copy.whole is not None
    assert [id(p) for p in copy.network.parameters()] == [id(p) for p in copy.whole.network.parameters()]
    ask(pipeline, TINY_R.put(NEAREST).edit(Latent, x=3.0))
    assert ready(pipeline) is copy


def test_only_a_few_copies_are_kept_and_none_of_a_network_that_was_let_go(pipeline):
    for n in range(1, load.KEPT_COPIES + 3):
        ask(pipeline, TINY_R.put(BreakIt(support=n + 2)))
    store = pipeline.networks
    assert ready(pipeline).network in store.networks()
    assert len(store._copies) == load.KEPT_COPIES
    others = ("tiny_t", "tiny_sg2", "tiny_sg2_orig", "tiny_t_cond", "tiny_sg2_resnet_cond")
    for name in others[: load.KEPT]:
        ask(pipeline, ViewState().put(Source(str(GOLDEN / f"{name}.pkl"))))
    assert len(store._ready) == load.KEPT and not store._copies


def test_the_layers_are_described_as_they_are(pipeline):
    facts = ask(pipeline, TINY_R).network
    broken = ask(pipeline, TINY_R.put(BreakIt(margin=2))).network
    assert broken.taps != facts.taps and broken.same_weights(facts) and facts.same_weights(broken)
    assert not facts.same_weights(replace(broken, sha256="other")) and not facts.same_weights(None)
    name = facts.taps[2].name
    frame = ask(pipeline, TINY_R.put(BreakIt(margin=2)).edit(Tap, layer=name))
    height, width = frame.picture.values.shape[:2]
    assert (width, height) == broken.tap(name).size != facts.tap(name).size


def test_a_network_without_designed_filters_is_left_alone(pipeline):
    whole = ask(pipeline, TINY_SG2)
    assert np.array_equal(ask(pipeline, TINY_SG2.put(NEAREST)).picture.values, whole.picture.values)
    assert canvas_badge.badge_text(ask(pipeline, TINY_SG2.put(NEAREST))) == ""


def test_other_measurements_are_of_the_broken_network(pipeline):
    view = ViewState().edit(Pose, x=3 / 64).edit(Equivariance, on=True)  # not whole in the samples of coarse layers
    numbers = []
    for breaks in (BreakIt(), NEAREST):
        frames = list(pipeline.refine(ask(pipeline, view.put(breaks))))
        numbers.append(frames[-1].overlays["equivariance"].values.db)
    assert numbers[0] - numbers[1] > 20


def test_the_group_and_the_breakage_have_the_same_fields_and_defaults():
    assert asdict(BreakIt()) == asdict(Breakage()) and asdict(LayerBreak()) == asdict(LayerBreakage())
    view = BreakIt((0, 2), upsampling=1, own=(LayerBreak(2, window="nearest"), LayerBreak(4, pool="max")))
    assert asdict(Breakage.of_fields(asdict(view))) == asdict(view)


def test_each_layer_is_broken_in_its_own_way(pipeline):
    own = (LayerBreak(1, window="nearest"), LayerBreak(3, upsampling=1))
    view = TINY_R.put(BreakIt(support=4, own=own)).edit(Filters, on=True)
    frame = ask(pipeline, view)
    layers = list(pipeline.refine(frame))[-1].overlays["filters"].values.layers
    designs = [(layer.up or layer.down).lowpass for layer in layers[:4]]
    assert [(d.window, d.support) for d in designs] == [("kaiser", 4), ("nearest", 6), ("kaiser", 4), ("kaiser", 6)]
    assert [layer.spec.tmp_sampling_rate // max(layer.spec.in_sampling_rate, layer.spec.out_sampling_rate) for layer in layers[:4]] == [
        2, 2, 2, 1]  # fmt: skip
    assert not np.array_equal(frame.picture.values, ask(pipeline, TINY_R.put(BreakIt(support=4))).picture.values)
    every = BreakIt(own=tuple(LayerBreak(n, support=4) for n in range(len(layers) - 1)))
    same = ask(pipeline, TINY_R.put(every)).picture.values
    assert np.array_equal(same, ask(pipeline, TINY_R.put(BreakIt(support=4))).picture.values)


# ---------------------------------------------------------------------------------------------------- the price


def test_nearest_and_no_oversampling_cost_the_bundled_network_its_equivariance(pipeline):
    found = steps(pipeline, ViewState().put(NEAREST), break_it.NAME)
    assert [r.fraction for r in found] == sorted(r.fraction for r in found) and found[-1].fraction == 1
    toll = found[-1].values
    whole, broken = toll.db("eq_t")
    assert whole > 55 and broken < 30
    assert toll.whole.done == toll.broken.done == break_it.SAMPLES
    assert toll.whole_s > 0 and toll.broken_s > 0
    expected = list(measure(ready(pipeline).network, kinds=("eq_t",), num=break_it.SAMPLES))[-1].estimates["eq_t"].db
    assert broken == pytest.approx(expected, abs=0.05)


def test_more_oversampling_does_not_hurt_and_less_does(pipeline):
    """The order of the paper's ablation of m, on the weights that were trained with m = 2."""
    db = {m: steps(pipeline, ViewState().put(BreakIt(upsampling=m)), break_it.NAME)[-1].values.db("eq_t")[1] for m in (1, 2, 4)}
    assert db[1] < db[2] - 15 and db[4] > db[2] - 6


def test_the_whole_network_is_measured_once(pipeline, monkeypatch):
    steps(pipeline, TINY_R.put(NEAREST), break_it.NAME)
    measured = []
    monkeypatch.setattr(break_it, "measure", lambda network, **options: measured.append(network) or measure(network, **options))
    steps(pipeline, TINY_R.put(BreakIt(window="bilinear")), break_it.NAME)
    assert measured == [ready(pipeline).network]


def test_an_interruption_loses_nothing(pipeline):
    view = TINY_R.put(BreakIt(support=4))
    frame = ask(pipeline, view)
    first = next(iter(pipeline.refine(frame)))
    assert first.overlays[break_it.NAME].fraction < 1
    list(pipeline.refine(frame, newest=lambda: TINY_R))
    again = list(pipeline.refine(ask(pipeline, view)))
    assert again[-1].overlays[break_it.NAME].fraction == 1
    assert again[-1].overlays[break_it.NAME].values.whole.done == break_it.SAMPLES


# ---------------------------------------------------------------------------------------------------- control


FACTS = alias_free_facts()


def test_switches_break_all_layers_or_those_chosen_each_in_its_own_way():
    with show(break_it_panel.PANEL, network=FACTS) as shown:
        stood = shown.ui.item("BreakIt.upsampling.1").top
        shown.ui.click("BreakIt.upsampling.1")
        shown.ui.frames(2)
        assert shown.state.get(BreakIt) == BreakIt(upsampling=1)
        assert shown.ui.item("BreakIt.upsampling.1").top == stood  # the price comes, and pushes nothing away
        shown.ui.click("BreakIt.layers.1")
        shown.ui.choose("BreakIt.window", "nearest")
        both = (LayerBreak(1, upsampling=1, window="nearest"),)
        assert shown.state.get(BreakIt) == BreakIt(upsampling=1, own=both)
        shown.ui.click("BreakIt.layers.2")
        shown.ui.click("BreakIt.upsampling.0")
        shown.ui.click("BreakIt.pool.blur")
        shown.ui.set("BreakIt.cutoff_octaves", 0.5)
        third = LayerBreak(2, pool="blur", cutoff_octaves=0.5)
        assert shown.state.get(BreakIt) == BreakIt(upsampling=1, own=(*both, third))
        assert [break_it_panel.layer_text(shown.state.get(BreakIt), n) for n in (-1, 0, 1, 2)] == [
            ("m = 1", False), ("as all", True), ("m = 1, nearest", False), ("f_c × 1.4, blur-pool", False)]  # fmt: skip
        shown.ui.click("BreakIt.clear")
        assert shown.state.get(BreakIt) == BreakIt(upsampling=1, own=both) and shown.ui.item("BreakIt.clear").disabled
        shown.ui.click("BreakIt.layers.1")
        shown.ui.click("BreakIt.apply_to_all")
        assert shown.state.get(BreakIt) == BreakIt(upsampling=1, window="nearest")
        shown.ui.click("BreakIt.mend")
        assert shown.state == ViewState()


def test_several_layers_are_chosen_with_ctrl_and_shift():
    choose = break_it_panel.choose
    assert choose((), 3, 10) == (3,) and choose((1, 2), 5, 10) == (5,) and choose((4,), -1, 10) == ()
    assert choose((3,), 5, 10, ctrl=True) == (3, 5) and choose((3, 5), 3, 10, ctrl=True) == (5,)
    assert choose((5,), 3, 10, shift=True) == (3, 4, 5) and choose((0,), 9, 10, shift=True) == ()
    changed = break_it_panel.changed(BreakIt(), (3, 5), {"noise": 0.5})
    assert changed == BreakIt(own=(LayerBreak(3, noise=0.5), LayerBreak(5, noise=0.5)))
    assert break_it_panel.changed(changed, (3, 5), {"noise": 0.0}) == BreakIt()


def test_a_view_that_broke_some_layers_in_one_way_shows_and_changes_each():
    old = BreakIt((3, 5), window="nearest")
    assert break_it_panel.layer_text(old, -1) == ("as trained", True) and break_it_panel.layer_text(old, 5) == ("nearest", False)
    with show(break_it_panel.PANEL, ViewState().put(old), network=FACTS) as shown:
        shown.ui.frames(3)
        assert shown.changed_frames == 0
        shown.ui.click("BreakIt.support.4")
        own = tuple(LayerBreak(n, window="nearest") for n in (3, 5))
        assert shown.state.get(BreakIt) == BreakIt(support=4, own=own)


def test_the_layer_on_screen_can_be_chosen():
    with show(break_it_panel.PANEL, ViewState().edit(Tap, layer=FACTS.taps[4].name), network=FACTS) as shown:
        shown.ui.click("BreakIt.this_layer")
        shown.ui.click("BreakIt.upsampling.4")
        assert shown.state.get(BreakIt) == BreakIt(own=(LayerBreak(3, upsampling=4),))


def test_torgb_is_not_offered_and_stylegan2_has_nothing():
    assert [name for _, name in break_it_panel.layer_numbers(FACTS)] == [f"L{i}" for i in range(10)]
    with show(break_it_panel.PANEL, network=stylegan2_facts()) as shown:
        assert shown.ui.item("BreakIt.window").disabled


def test_the_table_says_what_it_costs(pipeline):
    toll = steps(pipeline, TINY_R.put(NEAREST), break_it.NAME)[-1].values
    rows = break_it_panel.rows(toll)
    assert rows[2][0] == "change" and rows[2][1].startswith("−") and rows[2][5].endswith("×")
    assert float(rows[1][4]) == pytest.approx(toll.likeness, abs=0.05)
    assert break_it_panel.rows(break_it.Toll())[0] == ("whole", "—", "—", "—", "—", "—")
    frame = frame_of(FACTS, overlays={break_it.NAME: OverlayResult(toll)})
    with show(break_it_panel.PANEL, ViewState().put(NEAREST), network=FACTS, frame=frame) as shown:
        shown.ui.frames(5)
        assert shown.changed_frames == 0


def test_the_badge_tells_of_the_picture_not_of_the_view():
    assert canvas_badge.badge_text(frame_of(FACTS, ViewState().put(NEAREST))) == "Broken: m = 1, nearest in all layers"
    assert canvas_badge.badge_text(frame_of(FACTS)) == "" and canvas_badge.badge_text(None) == ""
    ways = {"upsampling": 4, "support": 8, "window": "gaussian", "cutoff_octaves": -1.0, "margin": 0, "noise": 0.25, "pool": "max"}
    everything = BreakIt((2, 0), **ways)
    assert everything.summary() == "m = 4, n = 8, gaussian, f_c × 0.5, margin 0, noise 0.25, max-pool in L0, L2"
    assert not BreakIt((1,)).on and BreakIt((1,)).summary() == ""
    own = (LayerBreak(1), LayerBreak(2, support=4), LayerBreak(7, support=4))
    assert BreakIt(upsampling=1, own=own).summary() == "m = 1 in all other layers; L1 as trained; n = 4 in L2, L7"
    assert BreakIt(own=own[1:]).on and not BreakIt(own=own[:1]).on


# ---------------------------------------------------------------------------------------------------- the sampling rate

STILL_R = ViewState().put(Source("globe-still-r-64")).edit(Latent, x=3.0)


def test_at_another_rate_the_window_knows_how_large_the_picture_is(pipeline):
    facts = ask(pipeline, STILL_R).network
    twice = ask(pipeline, STILL_R.put(BreakIt(rate_octaves=1)))
    assert twice.picture.values.shape == (128, 128, 3) and twice.network.resolution == 128 and facts.resolution == 64
    assert twice.network.same_weights(facts) and twice.broken == "2 × the sampling rate"
    assert twice.network.taps[0].size == (72, 72) and twice.network.taps[0].sampling_rate == 32
    assert ask(pipeline, STILL_R).picture.values.shape == (64, 64, 3)


def test_twice_the_rate_leaves_less_aliasing_and_the_same_picture(pipeline, monkeypatch):
    monkeypatch.setattr(break_it, "SAMPLES", 3)
    toll = steps(pipeline, STILL_R.put(BreakIt(rate_octaves=1)), break_it.NAME)[-1].values
    assert toll.likeness > 45 and toll.change("eq_t") > 10 and toll.change("eq_t_frac") > 10


def test_the_likeness_is_the_psnr_of_the_pictures(pipeline, monkeypatch):
    monkeypatch.setattr(break_it, "SAMPLES", 2)
    pipeline.memory.clear()
    toll = steps(pipeline, TINY_R.put(NEAREST), break_it.NAME)[-1].values
    copy = ready(pipeline)
    squares = []
    for index in range(2):
        z = torch.from_numpy(draw_sample(copy.network, 0, index).z)[None]
        whole, broken = (network.synthesize(network.map(z)) for network in (copy.whole.network, copy.network))
        squares.append((whole - broken).square().mean().item())
    assert toll.likeness == pytest.approx(10 * np.log10(4 / np.mean(squares)), abs=1e-3)
    as_designed = BreakIt(upsampling=2, support=6, window="kaiser")
    assert steps(pipeline, TINY_R.put(as_designed), break_it.NAME)[-1].values.likeness == np.inf


def test_the_rate_is_the_whole_networks_whichever_layers_are_chosen():
    old = BreakIt(own=(LayerBreak(3, window="nearest"),))
    with show(break_it_panel.PANEL, ViewState().put(old), network=FACTS) as shown:
        shown.ui.click("BreakIt.layers.3")
        shown.ui.click("BreakIt.rate_octaves.-1")
        assert shown.state.get(BreakIt) == replace(old, rate_octaves=-1)
        shown.ui.click("BreakIt.apply_to_all")
        assert shown.state.get(BreakIt) == BreakIt(window="nearest", rate_octaves=-1)
        shown.ui.click("BreakIt.mend")
        assert shown.state.get(BreakIt) == BreakIt()
    assert BreakIt((2,), window="nearest", rate_octaves=1).spread() == BreakIt(own=(LayerBreak(2, window="nearest"),), rate_octaves=1)
    assert BreakIt((2,), upsampling=1, rate_octaves=-2).summary() == "1/4 the sampling rate; m = 1 in L2"


def test_the_command_line_takes_the_rate_as_a_factor():
    for text, octaves in (("2", 1), ("1/2", -1), ("0.25", -2), ("1/8", -3), ("1", 0)):
        assert breaking(f"all:rate={text}").applied(ViewState()).get(BreakIt) == BreakIt(rate_octaves=octaves)
    both = breaking("L3:m=1").applied(breaking("all:rate=1/2").applied(ViewState()))
    assert both.get(BreakIt) == BreakIt(own=(LayerBreak(3, upsampling=1),), rate_octaves=-1)
    for text, said in (("all:rate=3", "one of 2, 1, 1/2"), ("L3:rate=2", "that of the whole network")):
        with pytest.raises(ArgumentTypeError, match=said):
            breaking(text)


def test_a_picture_too_large_for_memory_is_refused(pipeline, monkeypatch):
    monkeypatch.setattr("networks.breakage.MOST_PIXELS_ON_CPU", 64)
    pipeline.networks.clear()
    frame = pipeline.render(RenderRequest(1, STILL_R.put(BreakIt(rate_octaves=1))))
    assert frame.error is not None and "128 x 128 pixels" in frame.error.sentences
    assert ask(pipeline, STILL_R.put(BreakIt(rate_octaves=-1))).error is None


def test_filters_of_the_broken_network_are_drawn(pipeline):
    view = TINY_R.put(BreakIt(window="nearest")).edit(Filters, on=True)
    frames = list(pipeline.refine(ask(pipeline, view)))
    assert frames[-1].overlays["filters"].values.layers[1].up.lowpass.window == "nearest"
    pooled = list(pipeline.refine(ask(pipeline, TINY_R.put(BreakIt((1,), pool="max")).edit(Filters, on=True))))
    layers = pooled[-1].overlays["filters"].values.layers
    assert (layers[1].down, layers[1].pool) == (None, "max") and layers[2].down is not None and layers[2].pool == ""


# ---------------------------------------------------------------------------------------------------- sessions, command line


SAVED = """{"format": "aliasfree-view", "version": 1, "BreakIt": {"layers": [1, 4], "upsampling": 1, "support": 4, "window": "bilinear",
"cutoff_octaves": -0.5, "margin": 3, "noise": 0.1, "pool": "blur", "own": [{"layer": 2, "upsampling": 0, "support": 0, "window": "",
"cutoff_octaves": 0.0, "margin": 0, "noise": 0.0, "pool": ""}, {"layer": 5, "noise": 1.0}]}}"""


def test_a_saved_view_keeps_it():
    ways = {"upsampling": 1, "support": 4, "window": "bilinear", "cutoff_octaves": -0.5, "margin": 3, "noise": 0.1, "pool": "blur"}
    view = ViewState().put(BreakIt((1, 4), (LayerBreak(2, margin=0), LayerBreak(5, noise=1.0)), **ways))
    assert ViewState.from_json(view.to_json()) == ViewState.from_json(SAVED) == view
    data = json.loads(SAVED)
    data["BreakIt"].pop("own")  # as it was saved before layers could have settings of their own
    assert ViewState.from_dict(data).get(BreakIt) == replace(view.get(BreakIt), own=())
    data["BreakIt"]["own"] = [{"layer": 2, "window": "hamming"}]
    with pytest.raises(StateError, match=r"BreakIt.own\[0\].window is 'hamming'"):
        ViewState.from_dict(data)


def test_the_command_line_sets_any_value(tmp_path, capsys):
    assert cli.run(["render", TINY_R.get(Source).network, "--set", "BreakIt.window=nearest", "--out", str(tmp_path / "a.npy")]) == 0
    assert cli.run(["render", TINY_R.get(Source).network, "--out", str(tmp_path / "b.npy")]) == 0
    assert not np.allclose(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    for text, said in (
        ("BreakIt.window=hamming", "BreakIt.window is 'hamming'"),
        ("BreakIt.upsampling=two", "a whole number is expected"),
        ("BreakIt.what=1", "BreakIt has no what"),
        ("Breakfast.on=true", "no group Breakfast"),
    ):
        assert cli.run(["render", TINY_R.get(Source).network, "--set", text, "--out", str(tmp_path / "c.npy")]) == 1
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.run(["render", "x", "--set", "BreakIt", "--out", "a.npy"])


def test_metrics_of_a_broken_network_are_those_of_the_panel(pipeline, capsys):
    toll = steps(pipeline, ViewState().put(BreakIt(upsampling=1)), break_it.NAME)[-1].values
    arguments = ["metrics", "globe-r-64", "--eq-t", "--num", str(break_it.SAMPLES), "--json", "--set", "BreakIt.upsampling=1"]
    assert cli.run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["eq_t"] == pytest.approx(toll.db("eq_t")[1], abs=0.05)
    assert cli.run(["metrics", "globe-r-64", "--num", "1", "--set", "Tap.layer=input"]) == 1
    assert "depends on BreakIt and EditActivations only" in capsys.readouterr().err
