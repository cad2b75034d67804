"""The pose panel: units, drags, limits, the learned pose; nothing acts on a network without a grid."""

import pytest

from tests.viz.panels.shown import alias_free_facts, show, stylegan2_facts
from viz.panels.pose import learned_text, pixels_text
from viz.state import LearnedPose, Pose, RotateMotion, TranslateMotion, Unwarp, ViewState

R = alias_free_facts()
em = 16.0


def test_movement_is_typed_in_image_widths():
    with show("pose", network=R) as shown:
        shown.ui.set("Pose.x", 0.125)
        shown.ui.set("Pose.y", -0.25)
        assert shown.state.get(Pose) == Pose(x=0.125, y=-0.25)
        shown.ui.menu("Pose.x", "Reset to default")
        assert shown.state.get(Pose) == Pose(y=-0.25)


def test_pixels_stand_beside_widths():
    assert pixels_text(0.125, R) == "8.00 px"
    assert pixels_text(0.125, None) == "—"


def test_rotation_is_typed_in_degrees_and_kept_in_turns():
    with show("pose", network=R) as shown:
        shown.ui.set("Pose.turns", 90)
        assert shown.state.get(Pose).turns == 0.25
        shown.ui.set("Pose.turns", -3000)
        assert shown.state.get(Pose).turns == -0.5


def test_scale_is_a_factor_and_reset_with_the_rest():
    with show("pose", network=R) as shown:
        shown.ui.set("Pose.scale", 1.5)
        assert shown.state.get(Pose) == Pose(scale=1.5) and shown.state.get(Pose).matrix()[0] == (1.5, 0.0, 0.0)
        shown.ui.click("Pose.reset")
        assert shown.state.get(Pose) == Pose()


def test_stretch_shear_and_mirror_are_folded_away_and_named_where_they_are():
    with show("pose", network=R) as shown:
        assert not shown.ui.exists("Pose.stretch")
        shown.ui.click("Pose.deform")
        shown.ui.set("Pose.stretch", 1.5)
        shown.ui.set("Pose.shear", 5)
        shown.ui.click("Pose.mirror")
        assert shown.state.get(Pose) == Pose(stretch=1.5, shear=2.0, mirror=True)
        shown.ui.menu("Pose.stretch", "Reset to default")
        shown.ui.drag_by("Pose.stretch", (0, 0), steps=1)
        assert shown.state.get(Pose) == Pose(stretch=pytest.approx(1.0, abs=0.02), shear=2.0, mirror=True), "1 is in the middle"
        shown.ui.click("Pose.reset")
        assert shown.state.get(Pose) == Pose()


@pytest.mark.parametrize(("name", "per_em"), [("Pose.drag", 0.02), ("Pose.drag_slowly", 0.0004)])
def test_dragging_moves_in_both_directions(name, per_em):
    with show("pose", network=R) as shown:
        shown.ui.drag_by(name, (40, -24), steps=8)
        pose = shown.state.get(Pose)
        assert (pose.x, pose.y) == (pytest.approx(40 * per_em / em), pytest.approx(-24 * per_em / em))


@pytest.mark.parametrize(("name", "per_em"), [("Pose.drag_turn", 0.02), ("Pose.drag_turn_slowly", 0.0004)])
def test_dragging_sideways_rotates(name, per_em):
    with show("pose", network=R) as shown:
        shown.ui.drag_by(name, (-80, 30), steps=8)
        assert shown.state.get(Pose).turns == pytest.approx(-80 * per_em / em)
        assert (shown.state.get(Pose).x, shown.state.get(Pose).y) == (0, 0)


def test_the_grid_stops_at_the_limit_of_the_network():
    with show("pose", network=alias_free_facts(translation_limit=0.2)) as shown:
        shown.ui.set("Pose.x", 5)
        assert shown.state.get(Pose).x == pytest.approx(0.2)
        shown.ui.drag_by("Pose.drag", (0, 300), steps=6)
        pose = shown.state.get(Pose)
        assert (pose.x**2 + pose.y**2) ** 0.5 == pytest.approx(0.2)


def test_switches():
    with show("pose", network=R) as shown:
        for name in ("TranslateMotion.on", "RotateMotion.on", "Pose.snap", "Unwarp.on"):
            shown.ui.click(name)
        shown.ui.choose("LearnedPose.mode", "average")
        state = shown.state
        assert state.get(TranslateMotion).on and state.get(RotateMotion).on and state.get(Pose).snap and state.get(Unwarp).on
        assert state.get(LearnedPose).mode == "average"


def test_speeds_are_typed():
    with show("pose", network=R) as shown:
        shown.ui.set("TranslateMotion.widths_per_s", 0.25)
        shown.ui.set("RotateMotion.turns_per_s", -0.5)
        assert shown.state.get(TranslateMotion).widths_per_s == 0.25
        assert shown.state.get(RotateMotion).turns_per_s == -0.5


CONTROLS = (
    "Pose.x", "Pose.y", "Pose.turns", "Pose.drag", "Pose.drag_slowly", "Pose.drag_turn", "Pose.drag_turn_slowly", "Pose.snap", "Unwarp.on",
    "TranslateMotion.on", "TranslateMotion.widths_per_s", "RotateMotion.on", "RotateMotion.turns_per_s", "LearnedPose.mode",
)  # fmt: skip


@pytest.mark.parametrize("network", [None, stylegan2_facts()], ids=["nothing loaded", "no grid"])
def test_nothing_acts_without_a_grid(network):
    with show("pose", network=network) as shown:
        before = shown.state
        for name in CONTROLS:
            assert shown.ui.item(name).disabled, name
            shown.ui.drag_by(name, (30, 10))
        assert shown.state is before


def test_locking_takes_the_pose_that_the_network_derives_now_and_lets_it_be_edited():
    with show("pose", network=R) as shown:
        shown.ui.choose("LearnedPose.mode", "fixed")
        assert shown.state.get(LearnedPose) == LearnedPose("fixed", 0.25, 0.125, -0.25)  # of (0, 1, 0.125, -0.25)
        shown.ui.set("LearnedPose.turns", 45)
        shown.ui.set("LearnedPose.x", 0.5)
        assert shown.state.get(LearnedPose) == LearnedPose("fixed", 0.125, 0.5, -0.25)
        shown.ui.choose("LearnedPose.mode", "own")
        assert shown.state == ViewState()


def test_the_learned_pose_is_shown_as_rotation_and_movement():
    assert learned_text((0.0, 1.0, 0.125, -0.25)) == "90.0°   0.125, −0.250 widths"
    assert learned_text(None) == "—"
