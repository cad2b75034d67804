"""Edits of activations in the window and on the command line: layers that run, the badge, words, sessions, keyframes, the sheet."""

import contextlib
import dataclasses
import json
import re
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
import pytest

from gui_utils.text import number_text
from networks.editing import OPERATIONS, ChannelEdit
from networks.fourier_input import FourierInput
from networks.measures.metrics import measure
from tests.viz.asked import GOLDEN, TINY_R, TINY_SG2, ask, steps
from tests.viz.panels.shown import alias_free_facts, frame_of, show, stylegan2_facts
from tests.viz.test_app import Running
from viz import cli, commands
from viz.analysis import break_it, channel_effect, layer_health, live_equivariance, metric_table
from viz.canvas import gestures
from viz.canvas.badge import badge_text
from viz.canvas.captions import KnownEquivariance, captions
from viz.canvas.contact_sheet import measured
from viz.cli.edits import words
from viz.compare import compare, pairs
from viz.edit_text import channel_list, edit_of, layer_list, summary, text_of
from viz.groups import edits as group
from viz.panels import edits as panel
from viz.request import OverlayResult, Picture, RenderRequest
from viz.stages import synthesis
from viz.state import (
    BreakIt,
    ChannelEffect,
    Channels,
    Compare,
    Edit,
    EditActivations,
    Equivariance,
    LayerHealth,
    LearnedPose,
    Pose,
    StateError,
    Tap,
    ViewState,
)
from viz.timeline.timeline import Keyframe, Timeline

R, SG2 = alias_free_facts(), stylegan2_facts()
OFF = Edit(layers=("L1",), channels=(0, 2), amount=0.0)
MOVED = Edit(layers=("L0", "L2"), operation="move", x=0.1, turns=1 / 12)


def edited(*edits, view=TINY_R):
    return view.put(EditActivations(edits))


# ---------------------------------------------------------------------------------------------------- the picture


def test_only_layers_from_the_edit_on_run_and_no_edit_is_the_network_itself(pipeline):
    whole = ask(pipeline, TINY_R)
    names = [tap.name for tap in whole.network.taps]
    frame = ask(pipeline, edited(OFF))
    assert frame.layers_ran == tuple(names[2:]) and not np.array_equal(frame.picture.values, whole.picture.values)
    assert ask(pipeline, edited(dataclasses.replace(OFF, amount=0.5))).layers_ran == tuple(names[2:])
    assert ask(pipeline, edited(OFF, Edit(layers=("L2",), operation="offset", amount=0.1))).layers_ran == tuple(names[3:])
    for nothing in (
        edited(),
        edited(dataclasses.replace(OFF, on=False)),
        edited(Edit(amount=1.0)),
        edited(Edit(layers=("L77",), amount=0.0)),
    ):
        same = ask(pipeline, nothing)
        assert not same.layers_ran and np.array_equal(same.picture.values, whole.picture.values) and not same.altered


def test_edits_of_a_broken_network_are_of_the_broken_one(pipeline):
    broken = TINY_R.put(BreakIt(window="nearest"))
    frame = ask(pipeline, edited(OFF, view=broken))
    ready = pipeline._answered[1].inputs["load"]
    assert ready.unedited.whole is ready.whole is ready.trained and ready.network.edits and not ready.unedited.network.edits
    assert badge_text(frame) == "Broken: nearest in all layers\nEdited: channels 0, 2 of L1 off"
    assert ask(pipeline, broken).layers_ran[0].startswith("L1_")  # both have the layers before it


def test_what_breaking_costs_is_measured_with_the_edits_in_both_networks(pipeline, monkeypatch):
    monkeypatch.setattr(break_it, "SAMPLES", 2)
    monkeypatch.setattr(break_it, "measure", partial(measure, kinds=("eq_r",)))
    edit = Edit(layers=("L1",), operation="move", x=0.25)
    toll = steps(pipeline, edited(edit, view=TINY_R.put(BreakIt(window="nearest"))), break_it.NAME)[-1].values
    broken = pipeline._answered[1].inputs["load"].network
    ask(pipeline, edited(edit))
    whole = pipeline._answered[1].inputs["load"].network
    for network, found in ((whole, toll.whole), (broken, toll.broken)):
        expected = list(measure(network, kinds=("eq_r",), num=break_it.SAMPLES))[-1].estimates["eq_r"].db
        assert network.edits and found.estimates["eq_r"].db == pytest.approx(expected, abs=0.01)
    plain = steps(pipeline, TINY_R.put(BreakIt(window="nearest")), break_it.NAME)[-1].values
    assert abs(plain.whole.estimates["eq_r"].db - toll.whole.estimates["eq_r"].db) > 0.05, "remembered for each edit"


def test_a_gain_keeps_equivariance_and_a_move_does_not(pipeline):
    """The edited network is measured: turned off channels stay off wherever the picture goes, a shift on screen does not turn with it."""
    view = ViewState().put(Pose(turns=0.1)).put(Equivariance(on=True))
    kept, lost = Edit(layers=("L5",), channels=tuple(range(20)), amount=0.0), Edit(layers=("L5",), operation="move", x=0.1)
    db = [steps(pipeline, edited(*edits, view=view), live_equivariance.NAME)[-1].values.db for edits in ((), (kept,), (lost,))]
    assert abs(db[1] - db[0]) < 12 and db[2] < db[0] - 20, db
    said = [captions(ask(pipeline, edited(*edits, view=view)), view, (1,), KnownEquivariance())[1].whole for edits in ((), (kept,))]
    assert "EQ-T" in said[0] and "EQ-T" not in said[1]  # what the file says of itself is of the network as it was trained


def test_layers_that_are_measured_one_by_one_are_edited_too(pipeline):
    found = steps(pipeline, edited(OFF).put(LayerHealth(on=True)), layer_health.NAME)[-1].values
    assert {0, 2} <= {*found[1].dead} and not {0, 2} & {*found[0].dead}


def test_stylegan2_is_edited_too(pipeline):
    whole, frame = ask(pipeline, TINY_SG2), ask(pipeline, edited(Edit(layers=("b8",), amount=0.0), view=TINY_SG2))
    assert frame.layers_ran[0] == "b8.conv0" and not np.array_equal(whole.picture.values, frame.picture.values)
    assert badge_text(frame) == "Edited: b8 off"
    assert [tap.name for tap in Edit().layers_among(whole.network.taps)] == [t.name for t in whole.network.taps if ".conv" in t.name]


def test_only_a_few_copies_are_kept(pipeline):
    for n in range(8):
        ask(pipeline, edited(dataclasses.replace(OFF, amount=n / 10)))
    assert len(pipeline.networks._edited_copies) == 4


# ---------------------------------------------------------------------------------------------------- which channels matter


def test_the_effect_of_a_channel_is_what_turning_it_off_changes(pipeline, capsys):
    whole, view = ask(pipeline, TINY_R).picture.values, edited(dataclasses.replace(OFF, layers=("L0",))).edit(Tap, layer="L1_36_16")
    for asked, picture in ((view.reset(EditActivations), whole), (view, ask(pipeline, view.reset(Tap)).picture.values)):
        pipeline.memory.clear()
        found = steps(pipeline, asked.put(ChannelEffect(on=True)), channel_effect.NAME)[-1].values
        off = EditActivations((*asked.get(EditActivations).edits, Edit(layers=("L1",), channels=(5,), amount=0.0)))
        change = ask(pipeline, asked.put(off).reset(Tap)).picture.values - picture
        assert found.rms[5] == pytest.approx(np.sqrt((change.astype(np.float64) ** 2).mean()), rel=1e-3) and len(found.rms) == 16
        assert [found.rms[channel] for channel in found.order] == sorted(found.rms, reverse=True)
    words = ["channel-effect", str(GOLDEN / "tiny_r.pkl"), "--layer", "L1_36_16", "--json", "--edit", "L0:0,2:gain=0"]
    assert cli.run(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["order"] == list(found.order) and printed["db"][5] == pytest.approx(found.db(5), abs=0.01)
    assert (
        cli.run(["channel-effect", str(GOLDEN / "tiny_r.pkl"), "--layer", "output"]) == 1 and "no channels there" in capsys.readouterr().err
    )


def test_what_matters_most_becomes_an_edit():
    found = channel_effect.Effects("L5", 4, (0.1, 0.4, 0.0, 0.2))
    assert found.order == (1, 3, 0, 2) and channel_effect.rows(found, 1) == [("1", "−14.0")] and found.db(2) == -np.inf
    view = ViewState().edit(Tap, layer="L5_84_96").put(ChannelEffect(on=True))
    frame = frame_of(R, view, overlays={channel_effect.NAME: OverlayResult(found)})
    with show(channel_effect.PANEL, view, network=R, frame=frame) as shown:
        shown.ui.set("ChannelEffect.count", 2)
        shown.ui.click("ChannelEffect.edit")
        assert shown.state.get(EditActivations).edits == (Edit(layers=("L5",), channels=(1, 3), amount=0.0),)
        shown.ui.click("ChannelEffect.show")
        assert shown.state.get(Channels).triple == (1, 3, 0)
        shown.ui.click("ChannelEffect.sort")
        assert shown.state.get(Channels).ranking == (1, 3, 0, 2) and shown.state.get(Channels).sort == "ranked"


def test_the_sheet_stands_as_ranked(pipeline):
    view = TINY_R.put(Tap("L1_36_16")).put(Channels("sheet", sort="ranked", ranking=(5, 2, 99, 5)))
    assert ask(pipeline, view).picture.channels == (5, 2, 0, 1, 3, 4, *range(6, 16))
    assert ask(pipeline, view.edit(Channels, ranking=(7,))).picture.channels[:3] == (7, 0, 1)


def test_the_sheet_says_how_much_each_channel_matters(pipeline):
    """As far as the channels have been turned off by then."""
    view = TINY_R.put(Tap("L1_36_16")).put(Channels("sheet", sort="energy")).put(ChannelEffect(on=True))
    frame = pipeline.render(RenderRequest(1, view))
    assert measured(frame) == ("",) * 16
    steps_taken = list(pipeline.refine(frame))
    for frame in (steps_taken[9], steps_taken[-1]):
        found = frame.overlays[channel_effect.NAME].values
        known = {channel: number_text(found.db(channel), "dB", 0) for channel in range(len(found.rms))}
        assert measured(frame) == tuple(known.get(channel, "") for channel in frame.picture.channels) and any(measured(frame))


# ---------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("L5:12-40,77:gain=0", "channels 12–40, 77 of L5 off"),
        ("L3-L5,L8,input:all:move=0.1,-0.05,30deg,1.2x", "L3–L5, L8, input moved 0.1, −0.05 widths, 30°, × 1.2"),
        ("all:3:offset=-1.5", "channel 3 of all layers lowered by 1.5"),
        ("b16.conv1,b32:all:threshold=-0.5", "b16.conv1, b32 thresholded at −0.5"),
        ("L0:0:gain=-1", "channel 0 of L0 × −1"),
    ],
)
def test_an_edit_can_be_written_and_read(text, said):
    edit = edit_of(text)
    assert text_of(edit) == text and edit_of(text_of(edit)) == edit and summary([edit]) == said


def test_shorter_ways_of_writing():
    assert layer_list("5, l7–l8") == ("L5", "L7", "L8") and layer_list("ALL") == () and layer_list("b8-b32") == ("b8", "b16", "b32")
    assert layer_list("L5_84_96, L7_148_64-L8_148_64") == ("L5", "L7", "L8")  # full names, as the window shows them
    assert channel_list("7, 1-3") == (1, 2, 3, 7)
    assert edit_of("L1:all:move=30deg") == Edit(layers=("L1",), operation="move", turns=30 / 360)


@pytest.mark.parametrize(
    ("text", "said"),
    [("L5:gain=0", "is not LAYERS:CHANNELS"), ("L5:1:blur=2", "WHAT is gain, offset"), ("L5-L3:1:gain=0", "are not layers"),
     ("b3:1:gain=0", "are not layers"), ("L5:3-1:gain=0", "are not channels"), ("L5:1:gain=x", "'x' is not an amount: a number"),
     ("L5:1:move=1,2,3", "is not a move"), ("L5:1:move=1,ydeg", "is not a move"), ("L5:1:gain=nan", "amount is nan"),
     ("L5:1:move=20,0", "Edit.*x is 20|x is 20.0; -10 to 10")],
)  # fmt: skip
def test_what_cannot_be_read_is_wrong_usage(text, said, capsys):
    with contextlib.suppress(SystemExit):
        assert cli.run(["render", "globe-r-64", "--edit", text, "--out", "a.png"]) == 1
    assert re.search(said, capsys.readouterr().err)


def test_the_command_line_shows_what_the_window_shows(pipeline, tmp_path, capsys):
    network, out = str(GOLDEN / "tiny_r.pkl"), tmp_path / "a.npy"
    view = edited(OFF, MOVED)
    assert cli.run(["render", network, *words(view.get(EditActivations)), "--out", str(out)]) == 0
    ask(pipeline, view)
    shown = pipeline._answered[1].inputs["synthesis"].numpy()
    assert np.array_equal(np.load(out), shown)
    assert cli.run(["view", str(out), "--out", str(tmp_path / "again.npy")]) == 0  # the file holds the edits
    assert np.array_equal(np.load(tmp_path / "again.npy"), shown)
    for text, said in (("L9-L12:all:gain=0", "no layer L9 to edit; there are input, L0"), ("L1:16:gain=0", "no channel 16")):
        for command in (
            ["render", network, "--out", str(out)],
            ["equivariance", network, "--rotate", "9"],
            ["metrics", network, "--num", "1"],
        ):
            assert cli.run([*command, "--edit", text]) == 1 and said in capsys.readouterr().err


def test_metrics_of_an_edited_network_have_a_command(capsys):
    view = edited(Edit(layers=("L5",), channels=(3,), operation="offset", amount=0.5), dataclasses.replace(OFF, on=False))
    assert metric_table.command(R, view).endswith("--edit L5:3:offset=0.5")
    db = []
    for more in ([], ["--edit", "all:all:threshold=0"]):
        assert cli.run(["metrics", str(GOLDEN / "tiny_r.pkl"), "--eq-t", "--num", "2", "--json", *more]) == 0
        db.append(json.loads(capsys.readouterr().out)["eq_t"])
    assert db[1] < db[0] - 5


# ---------------------------------------------------------------------------------------------------- the group


def test_the_group_has_the_fields_of_the_edit():
    fields = {f.name: f.default for f in dataclasses.fields(ChannelEdit)}
    assert {f.name: f.default for f in dataclasses.fields(Edit) if f.name not in ("on", "layers")} == fields
    assert group.OPERATIONS == OPERATIONS


def test_layers_and_channels_that_are_not_there_are_left_out():
    edits = EditActivations((Edit(layers=("L7", "L40", "b8"), channels=(90, 95), amount=0.0), Edit(layers=("b8",), amount=0.0)))
    assert edits.found_in(R.taps).edits == (Edit(layers=("L7",), channels=(90,), amount=0.0),)
    assert edits.at_taps(R.taps) == {"L7_84_91": (Edit(channels=(90,), amount=0.0),)}
    assert list(edits.at_taps(SG2.taps)) == ["b8.conv1"]
    assert "L10_64_3" not in EditActivations((Edit(amount=0.0),)).at_taps(R.taps)  # ToRGB has no nonlinearity


def test_channels_of_a_layer_are_turned_off_by_one_edit_and_on_again():
    other = Edit(layers=("L1",), amount=2.0)
    edits = EditActivations((other,)).turned_off("L1", (5,)).turned_off("L1", (3, 5)).turned_off("L2", (0,))
    assert edits.edits == (other, Edit(layers=("L1",), channels=(3, 5), amount=0.0), Edit(layers=("L2",), channels=(0,), amount=0.0))
    assert edits.off("L1") == {3, 5} and edits.turned_off("L1", (3, 5), off=False).edits == (other, edits.edits[2])
    view = gestures.turn_off(ViewState().put(Tap("L1_36_96")).put(edits), (3,), R)
    assert view.get(EditActivations).off("L1") == {5}
    assert gestures.turn_off(ViewState(), (3,), R) == ViewState()  # the picture has no next layer


def test_a_saved_view_keeps_edits_and_an_older_one_has_none():
    view = edited(OFF, dataclasses.replace(MOVED, on=False), view=ViewState())
    assert ViewState.from_json(view.to_json()) == view
    data = view.to_dict()
    data["EditActivations"]["edits"][0]["operation"] = "blur"
    with pytest.raises(StateError, match=r"EditActivations.edits\[0\].operation is 'blur'"):
        ViewState.from_dict(data)
    assert ViewState.from_dict({k: v for k, v in view.to_dict().items() if k != "EditActivations"}).get(EditActivations).edits == ()


def test_keyframes_move_the_amounts_of_the_same_edits():
    def at(first, second, time_s):
        line = Timeline((Keyframe(0.0, edited(*first)), Keyframe(2.0, edited(*second))))
        return line.at(time_s).get(EditActivations).edits

    faded = dataclasses.replace(OFF, amount=1.0)
    assert at((faded, MOVED), (OFF, dataclasses.replace(MOVED, x=0.3)), 0.5) == (
        dataclasses.replace(OFF, amount=0.75), dataclasses.replace(MOVED, x=pytest.approx(0.15)))  # fmt: skip
    assert at((faded,), (), 1.0) == (faded,) and at((faded,), (MOVED,), 1.0) == (faded,)
    spline = Timeline((Keyframe(0.0, edited(), "spline"), Keyframe(1.0, edited(faded), "spline"), Keyframe(2.0, edited(OFF))))
    assert spline.at(1.5).get(EditActivations).edits == (dataclasses.replace(OFF, amount=0.5),)


# ---------------------------------------------------------------------------------------------------- the window


def test_the_panel_adds_orders_and_changes_edits():
    with show(panel.PANEL, network=R) as shown:
        ui, found = shown.ui, lambda: shown.state.get(EditActivations).edits
        ui.click("EditActivations.add")
        assert found() == (Edit(),)
        ui.set("Edit.layer_list", "L3-L4")
        ui.set("Edit.channel_list", "1-3, 9")
        ui.set("Edit.gain", 0.5)
        first = Edit(layers=("L3", "L4"), channels=(1, 2, 3, 9), amount=0.5)
        assert found() == (first,)
        ui.set("Edit.layer_list", "L3-")
        assert found() == (first,) and "are not layers" in shown.context.scratch[panel.WRONG]
        ui.click("EditActivations.add")
        ui.click("Edit.operation.move")
        ui.set("Edit.turns", 90.0)
        ui.set("Edit.x", 0.25)
        second = Edit(operation="move", x=0.25, turns=0.25)
        assert found() == (first, second) and panel.WRONG not in shown.context.scratch
        ui.click("Edit.up.1")
        ui.click("Edit.on.1")
        assert found() == (second, dataclasses.replace(first, on=False))
        ui.click("Edit.remove.0")
        ui.click("Edit.operation.threshold")
        assert found() == (dataclasses.replace(first, on=False, operation="threshold", amount=0.0),)
        ui.click("EditActivations.reset")
        assert shown.state == ViewState()


def test_what_is_on_screen_can_be_taken_over_and_turned_off():
    view = ViewState().edit(Tap, layer="L5_84_96").edit(Channels, mode="sheet", sort="energy")
    page = Picture(np.zeros((8, 8, 1), np.float32), (0, 0, 8, 8), "L5_84_96", (9, 4, 7), 96, grid=2, cell=(4, 4))
    with show(panel.PANEL, view, network=R, frame=frame_of(R, view, picture=page)) as shown:
        shown.ui.click("EditActivations.add")
        assert shown.state.get(EditActivations).edits == (Edit(layers=("L5",), channels=(4, 7, 9)),)
    view = view.put(Channels(mode="single", first=7))
    one = dataclasses.replace(page, channels=(7,), grid=0, cell=(0, 0))
    with show("channels", view, network=R, frame=frame_of(R, view, picture=one)) as shown:
        shown.ui.click("Channels.turn_off")
        assert shown.state.get(EditActivations).off("L5") == {7}
        shown.ui.click("Channels.turn_off")
        assert shown.state == view
    with show("channels", network=R) as shown:
        assert shown.ui.item("Channels.turn_off").disabled


def test_a_right_click_in_the_sheet_turns_a_channel_off_and_undo_on_again(tmp_path):
    running = Running(tmp_path)
    try:
        running.app.state = running.state.edit(Tap, layer=running.app.good.network.taps[2].name).edit(Channels, mode="sheet")
        running.ui.frames(3)
        picture, content = running.app.good.picture, running.app.canvas.content
        rate = content.sampling_rate
        x, y = -content.width / rate / 2 + 1.5 * picture.cell[0] / rate, -content.height / rate / 2 + 0.5 * picture.cell[1] / rate
        running.ui.click_at(at := running.canvas_point(x, y), button=1)
        running.ui.frames(3)
        assert running.state.get(EditActivations).edits == (Edit(layers=("L1",), channels=(picture.channels[1],), amount=0.0),)
        cell = running.app.good.picture.values[: picture.cell[1], picture.cell[0] : 2 * picture.cell[0]]
        assert not cell.any() and badge_text(running.app.good) == f"Edited: channel {picture.channels[1]} of L1 off"
        running.app.context.emit(commands.Undo())
        running.ui.frames(3)
        assert not running.state.get(EditActivations).edits and not running.app.good.altered
        running.ui.click_at(at, button=1)
        running.ui.frames(2)
        running.ui.click_at(at, button=1)
        running.ui.frames(2)
        assert not running.state.get(EditActivations).edits
        running.ui.drag_by(at, (20, 0), button=1)  # moves the picture, as everywhere
        assert not running.state.get(EditActivations).edits and running.state.get(Channels).mode == "sheet"
    finally:
        running.close()


def test_the_mean_learned_pose_is_that_of_the_network_whatever_is_edited(pipeline, monkeypatch):
    """Reading it waits for a GPU: a drag that edits another network for every picture does so once."""
    asked, found = [], FourierInput.learned_pose
    monkeypatch.setattr(FourierInput, "learned_pose", lambda source, w: asked.append(1) or found(source, w))
    monkeypatch.setattr(synthesis, "_average_poses", WeakKeyDictionary())
    for amount in (0.5, 0.6, 0.7):
        view = edited(dataclasses.replace(OFF, amount=amount)).put(LearnedPose("average"))
        assert synthesis.learned_pose_argument(view, pipeline.networks.run(pipeline._run(RenderRequest(1, view)))) is not None
    assert len(asked) == 1


# ---------------------------------------------------------------------------------------------------- beside another view


def test_a_view_beside_follows_is_intact_or_has_edits_of_its_own(pipeline):
    view = edited(OFF).edit(Compare, on=True)
    assert compare.edited_in(view, 2) == view.get(EditActivations) and compare.shows_the_same(view, 2)
    intact, own = view.edit(Compare, intact=True), view.edit(Compare, own_edits=True, edits=(MOVED,))
    assert compare.other_view(intact, 2).get(EditActivations) == EditActivations()
    assert compare.other_view(own, 2).get(EditActivations).edits == (MOVED,)
    assert pairs.toggled(view.edit(Compare, on=False), ()) == intact
    for begun in (intact, own, intact.put(BreakIt(window="nearest"))):
        once = compare.swapped(begun, None, None)
        assert compare.other_view(once, 2).reset(Compare) == begun.reset(*compare.OF_ONE)
        assert once.reset(*compare.OF_ONE) == compare.other_view(begun, 2)
    (frame,) = [f for f in pipeline.refine(ask(pipeline, own)) if 2 in f.others][-1:]
    shown = captions(frame, own, (1, 2), KnownEquivariance())
    assert "Edited: channels 0, 2 of L1 off" in shown[1].whole and "Edited: L0, L2 moved 0.1, 0 widths, 30°" in shown[2].whole


def test_edits_of_a_view_beside_are_taken_over():
    view = edited(OFF, view=ViewState()).edit(Compare, on=True)
    with show("compare", view, network=R) as shown:
        shown.ui.click("Compare.own_edits")
        assert shown.state.get(Compare).edits == (OFF,)
        shown.ui.click("Compare.no_edits")
        assert shown.state.get(Compare).own_edits and not shown.state.get(Compare).edits
        shown.ui.click("Compare.copy_edits")
        assert shown.state.get(Compare).edits == (OFF,)
        shown.ui.click("Compare.own_edits")
        assert not shown.state.get(Compare).own_edits
