"""Drag points: the loss and the tracking by what is known of them, what is under a handle really ends at its target, and the window."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from tests.viz.panels.shown import alias_free_facts, frame_of, show, stylegan2_facts
from tests.viz.test_app import GOLDEN, START, Running
from viz import cli, latent_file
from viz.analysis.drag_points import (
    Begin,
    Dragged,
    Problem,
    arrived,
    begin,
    disc,
    doubts,
    features_at,
    motion_supervision_loss,
    start,
    step,
    track,
)
from viz.analysis.dragging import Progress, followed, rows_of
from viz.analysis.dragging_panel import PANEL, kept
from viz.canvas import drag_points as on_canvas
from viz.canvas.canvas import Gesture
from viz.canvas.placement import Area, Placement
from viz.cli.drag_points import placed, view_of
from viz.commands import CapturePicture, SaveLatent, Undo, UseLatent
from viz.groups.drag_points import NAME, moved, moved_back
from viz.menus import nothing_for
from viz.pipeline import Pipeline
from viz.request import OverlayResult, RenderRequest
from viz.state import (
    Channels,
    DragPair,
    DragPoints,
    DragPointsView,
    Latent,
    LearnedPose,
    Mixing,
    OverlayView,
    OwnLatent,
    Pose,
    Source,
    Truncation,
    Unwarp,
    ViewState,
)

RATE, MARGIN = 16.0, 4
PAIR = DragPair(0.05, 0.15, -0.05, 0.05)  # of globe-r-64, seed 3: the Cape of Good Hope
GLOBE = ViewState().put(Source("globe-r-64")).put(Latent(x=3.0))
FEW = DragPoints(True, (DragPair(0.0, 0.0, 0.2, 0.1),), steps=3)


def blob(x, y, rate=RATE, margin=MARGIN, width=0.12):
    """Smooth features [1, 2, H, W] of a layer with a margin: a bump at (x, y), and a slope that says where it is darker."""
    size = int(rate) + 2 * margin
    at = (torch.arange(size) + 0.5 - size / 2) / rate
    bump = torch.exp(-((at[None] - x) ** 2 + (at[:, None] - y) ** 2) / (2 * width**2))
    return torch.stack([bump, bump * 0.3 + 0.05])[None]


def problem_of(features, handle, target, **changes):
    one = lambda place: torch.tensor([place])  # noqa: E731
    options = {"rows": (0,), "size": 0.01, "motion_radius": 0.1, "tracking_radius": 0.2, **changes}
    return Problem(features, RATE, one(handle), one(target), **options)


def begun_with(features, problem, stays=None):
    return Begin(features, features_at(features, problem.handles, problem.rate), stays)


@pytest.mark.parametrize(("rate", "margin"), [(16.0, 0), (16.0, 4), (32.0, 9)])
def test_places_are_image_widths_whatever_the_rate_and_the_margin(rate, margin):
    size = int(rate) + 2 * margin
    at = (torch.arange(size) + 0.5 - size / 2) / rate
    ramps = torch.stack([at.expand(size, size), at[:, None].expand(size, size)])[None]  # the values are the places
    places = torch.tensor([[0.0, 0.0], [0.25, -0.125], [-0.33, 0.21]])
    assert torch.allclose(features_at(ramps, places, rate), places, atol=0.06 / rate)  # cubic: a ramp is not quite straight


def test_the_disc_has_the_nearest_places_at_least_and_none_beyond_its_radius():
    near, wide = disc(0.0, 0.1, torch.zeros(1)), disc(0.25, 0.1, torch.zeros(1))
    assert len(near) == 9 and float(near.abs().max()) == pytest.approx(0.1)
    assert len(wide) == 21 and float(wide.norm(dim=1).max()) <= 0.2501


def test_tracking_finds_where_the_features_went():
    problem = problem_of(lambda ws: ws, (0.0, 0.0), (0.3, 0.0))
    begun = begun_with(blob(0.0, 0.0), problem)
    for x, y in ((0.0, 0.0), (0.0625, 0.0), (-0.09375, 0.125)):
        found = track(blob(x, y), problem.handles, problem, begun)
        assert float((found - torch.tensor([[x, y]])).norm()) < 0.26 / RATE
    far = track(blob(0.4, 0.0), problem.handles, problem, begun)
    assert float(far.norm()) <= 0.2 + 1e-6  # not beyond r_2


def test_motion_supervision_pulls_features_towards_the_target_and_no_other_way():
    """What is moved is a bump at (a, b): the gradient of its place points away from the target, so that a step goes towards it."""
    for direction in ((1.0, 0.0), (0.0, -1.0), (-0.6, 0.8)):
        a = torch.zeros(2, requires_grad=True)
        problem = problem_of(lambda ws: ws, (0.0, 0.0), (0.3 * direction[0], 0.3 * direction[1]), motion_radius=0.2)
        features = blob(a[0], a[1])
        loss = motion_supervision_loss(features, problem.handles, problem, begun_with(features.detach(), problem))
        (gradient,) = torch.autograd.grad(loss, a)
        towards = -gradient / gradient.norm()
        assert float(towards @ torch.tensor(direction)) > 0.95
    there = problem_of(lambda ws: ws, (0.0, 0.0), (0.4 / RATE, 0.0))
    assert arrived(there.handles, there).all() and not arrived(problem.handles, problem).any()
    assert float(motion_supervision_loss(features, there.handles, there, begun_with(features.detach(), there)).detach()) == 0


def test_what_must_stay_costs_what_it_changed_by():
    still = blob(0.0, 0.0)
    stays = torch.zeros(still.shape[2:])
    stays[:, :5] = 1
    problem = problem_of(lambda ws: ws, (0.0, 0.0), (0.0, 0.0), weight=2.0)
    changed = still.clone()
    changed[:, :, :, :5] += 0.25
    changed[:, :, :, 9:] += 7.0  # may change
    assert float(motion_supervision_loss(changed, problem.handles, problem, begun_with(still, problem, stays))) == pytest.approx(0.5)


def test_a_step_changes_only_its_rows_and_moves_a_bump_to_its_target():
    def features(ws):
        return blob(ws[0, 1, 0], ws[0, 1, 1]) + 0 * ws.sum()

    ws = torch.zeros(1, 3, 2)
    problem = problem_of(features, (0.0, 0.0), (0.25, -0.125), rows=(1,), size=0.02)
    begun, dragged = begin(problem, ws), start(problem, ws)
    for _ in range(60):
        dragged = step(problem, begun, dragged)
        if arrived(dragged.handles, problem).all():
            break
    assert arrived(dragged.handles, problem).all() and 5 < dragged.step < 60
    assert not ws.any() and not dragged.ws[:, (0, 2)].any()
    assert float((dragged.ws[0, 1] - problem.targets[0]).norm().detach()) < 1 / RATE  # the bump itself, and not only what is tracked


def test_a_handle_that_may_have_slid_along_an_edge_is_told_from_one_that_moved():
    """An edge along x, found again 4 samples further along it, is no more like itself than it was there at the beginning; a bump is."""
    sizes = torch.arange(24, dtype=torch.float32)
    edge = torch.sigmoid(sizes - 11.5)[None, None, :, None].expand(1, 2, 24, 24)
    noisy = torch.Generator().manual_seed(1)
    bump, told = blob(0.0, 0.0), []
    for features in (edge, bump):
        problem = problem_of(lambda ws: ws, (0.0, 0.0), (0.25, 0.0))
        begun = begun_with(features, problem)
        after = torch.roll(features, 4, dims=3) + 0.01 * torch.randn(features.shape, generator=noisy)
        dragged = Dragged(1, after, after, after, problem.targets, after)
        told.append(float(doubts(problem, begun, dragged)) / 0.25)
        assert not doubts(problem, begun, dataclasses.replace(dragged, handles=problem.handles)).any()  # it has not arrived
    assert told[0] > 0.95 and told[1] < 0.3


def test_a_layer_is_chosen_by_its_rate_and_rows_end_at_it():
    facts, other = alias_free_facts(), stylegan2_facts()
    tap = followed(facts.taps, facts.resolution)
    assert tap.name == "L4_52_96" and list(rows_of(DragPoints(), facts.taps, tap)) == [0, 1, 2, 3, 4, 5]
    assert followed(other.taps, other.resolution).name == "b8.conv1"
    assert followed(facts.taps, facts.resolution, "L1_36_96").name == "L1_36_96"
    small = [dataclasses.replace(tap, sampling_rate=16.0) for tap in facts.taps]
    assert followed(small, 16).name == small[1].name != "input"  # none has half the picture's rate: the first layer that computes
    assert list(rows_of(DragPoints(first=4, last=99), facts.taps, tap)) == [4, 5] and not rows_of(DragPoints(first=6), facts.taps, tap)


def refined(pipeline, view, most=10**6):
    frame = pipeline.render(RenderRequest(1, view))
    for _, newer in zip(range(most), pipeline.refine(frame), strict=False):
        frame = newer
    return frame


def patch_at(picture, x, y, reach=5):
    column, row = round(picture.shape[1] * (x + 0.5)), round(picture.shape[0] * (y + 0.5))
    return picture[row - reach : row + reach + 1, column - reach : column + reach + 1]


@pytest.fixture(scope="module")
def globe(tmp_path_factory):
    """The command's latent of a drag by 0.14 widths, and its picture; the result of the overlay, and the picture before."""
    folder = tmp_path_factory.mktemp("globe")
    arguments = ["drag-points", "globe-r-64", "--seed", "3", "--point", *map(str, (*PAIR.handle, *PAIR.target))]
    assert cli.run([*arguments, "--out", str(folder / "l.npz"), "--picture", str(folder / "l.png")]) == 0
    frame = refined(Pipeline(headless=True), GLOBE.put(DragPoints(True, (PAIR,))))
    return folder, frame, frame.overlays[NAME]


def test_what_is_under_the_handle_ends_at_the_target(globe):
    """By the tracked features, and by the pixels alone: the patch around the handle is found again at the target, not where it was."""
    _, frame, result = globe
    found = result.values
    assert result.error is None and result.fraction == 1 and found.done and found.step < 60 and found.layer == "L4_52_96"
    assert np.allclose(found.handles, [PAIR.target], atol=0.5 / 32 + 1e-6)
    before, after = np.asarray(frame.picture.values), result.images["drag points.picture"].values
    patch = patch_at(before, *PAIR.handle)
    unlike = {}
    for i in range(-16, 17):
        for j in range(-16, 17):
            there = patch_at(after, PAIR.x + i / 64, PAIR.y + j / 64)
            unlike[PAIR.x + i / 64, PAIR.y + j / 64] = float(np.square(there - patch - (there - patch).mean()).mean())
    place = min(unlike, key=unlike.__getitem__)
    assert math.dist(place, PAIR.target) <= 2.5 / 64
    assert unlike[place] < unlike[PAIR.handle] / 3


def test_the_command_gives_what_the_window_shows(globe):
    folder, _, result = globe
    assert np.allclose(latent_file.read(folder / "l.npz").values, result.values.ws, atol=1e-5)
    shown = refined(Pipeline(headless=True), ViewState().put(Source("globe-r-64")).put(OwnLatent(str(folder / "l.npz"))))
    assert np.abs(shown.picture.values - result.images["drag points.picture"].values).max() < 1e-3
    assert (folder / "l.png").is_file()


def test_only_rows_up_to_the_layer_change(globe):
    _, frame, result = globe
    change = np.abs(result.values.ws - frame.styles.ws.numpy()).max(axis=(0, 2))
    assert (change[:6] > 0).all() and not change[6:].any()


def test_points_follow_the_pose_and_its_undoing():
    """Under a pose the features below the moved points are followed; untransformed, the picture is the one without the pose."""
    pose = Pose(x=0.1, y=-0.05, turns=0.1)
    view = START.put(pose).put(FEW)
    pipeline = Pipeline(headless=True, memory_bytes=0)
    plain, posed, undone = (refined(pipeline, v).overlays[NAME] for v in (START.put(FEW), view, view.put(Unwarp(True))))
    assert posed.error is None and np.allclose(posed.values.ws, undone.values.ws)
    assert np.allclose(posed.values.handles, plain.values.handles, atol=0.04)  # what they are on moves with the pose: the network is R
    assert posed.images["drag points.picture"].mask is None and not undone.images["drag points.picture"].mask.all()
    for place in ((0.2, -0.3), (0.0, 0.0)):
        assert moved_back(pose.matrix(), moved(pose.matrix(), place)) == pytest.approx(place)


def test_what_was_stopped_stands_still_and_goes_on():
    view = START.put(dataclasses.replace(FEW, steps=6))
    whole = refined(Pipeline(headless=True), view).overlays[NAME].values
    assert whole.step == 6
    pipeline = Pipeline(headless=True)
    refined(pipeline, view, most=5)
    stopped = refined(pipeline, view.edit(DragPoints, stopped_at=2)).overlays[NAME]
    assert stopped.values.step == 2 and stopped.fraction == 1
    taken = [frame.overlays[NAME].values for frame in pipeline.refine(pipeline.render(RenderRequest(2, view)))]
    steps = [values.step for values in taken if values is not None]
    assert steps[0] >= 2 and steps[-1] == 6 and np.allclose(taken[-1].ws, whole.ws, atol=1e-5)


def test_what_cannot_be_dragged_is_said_beside_the_picture():
    cases = {
        "There are no points": DragPoints(True),
        "L9 is not a layer of tiny_r": dataclasses.replace(FEW, layer="L9"),
        "depends on none of the rows from 9 on": dataclasses.replace(FEW, first=9),
        "Point 1 lies outside of what": DragPoints(True, (DragPair(3.0, 0.0, 0.0, 0.0),)),
    }
    pipeline = Pipeline(headless=True)
    for words, points in cases.items():
        frame = refined(pipeline, START.put(points))
        assert frame.error is None and words in frame.overlays[NAME].error.message


def test_a_layer_that_no_row_reaches_any_more_cannot_be_dragged():
    view = START.put(dataclasses.replace(FEW, layer="input"))
    assert refined(Pipeline(headless=True), view, most=3).overlays[NAME].error is None, "by the learned pose"
    error = refined(Pipeline(headless=True), view.put(LearnedPose("identity"))).overlays[NAME].error
    assert error is not None and "input depends on none of the rows" in error.message


def test_stylegan2_can_be_dragged_too():
    view = ViewState().put(Source(str(GOLDEN / "tiny_sg2.pkl"))).put(Pose(x=0.3)).put(dataclasses.replace(FEW, keep="outside"))
    result = refined(Pipeline(headless=True), view).overlays[NAME]
    assert result.error is None and result.values.step == 3
    assert np.allclose(result.values.handles, [[0.0, 0.0]], atol=0.3)  # it has no pose to move the points


def test_points_of_the_command_lie_on_the_picture_as_it_snaps():
    facts = alias_free_facts()
    options = ["drag-points", "globe-r-64", "--point", "0.1", "0", "0", "0.1", "--translate", "0.0066", "0", "--out", "never.npz"]
    for extra, x in (([], 0.0934), (["--set", "Pose.snap=true"], 0.1 - round(0.0066 * facts.resolution) / facts.resolution)):
        parsed = cli.build_parser().parse_args([*options, *extra])
        (pair,) = placed(view_of(parsed), parsed.point, facts).get(DragPoints).pairs
        assert pair.x == pytest.approx(x)


@pytest.mark.window
def test_a_persons_drag_from_placing_to_keeping_and_back(tmp_path):
    """Place, move, refuse, run, keep as one step of undo; a session keeps the points."""
    running = Running(tmp_path, START.put(Truncation(0.7)).put(Mixing((2,), amount=0.5)))
    try:
        ui, at = running.ui, running.canvas_point
        running.app.state = running.state.edit(DragPoints, steps=3)
        ui.frames(2)
        ui.click("Toolbar.more.view")  # there is no room for it in a window of this size
        ui.click("Toolbar.points")
        ui.key("escape")
        ui.drag(at(-0.1, 0.05), at(0.1, -0.1))
        (pair,) = running.state.get(DragPoints).pairs
        assert (*pair.handle, *pair.target) == pytest.approx((-0.1, 0.05, 0.1, -0.1), abs=0.01)
        assert running.state.get(Latent) == Latent()  # it did not walk
        ui.drag(at(0.3, 0.3), at(0.2, 0.3))
        ui.drag(at(0.1, -0.1), at(0.15, -0.2))
        assert running.state.get(DragPoints).pairs[0].target == pytest.approx((0.15, -0.2), abs=0.01)
        ui.click_at(at(0.2, 0.3), button=1)
        assert len(running.state.get(DragPoints).pairs) == 1 and not running.state.get(Pose).moved
        ui.click_at(at(-0.3, 0.3))
        assert len(running.state.get(DragPoints).pairs) == 1  # a click places nothing
        ui.click("DragPoints.run")  # its panel came to the front with "Points"
        ui.frames(4)
        found = running.app.frame.overlays[NAME].values
        assert found.step == 3 and running.state.get(OverlayView).image == "drag points.picture"
        ui.drag(at(0.3, 0.3), at(0.2, 0.3))
        assert len(running.state.get(DragPoints).pairs) == 1  # the picture shown is a result: nothing is placed on it
        folder, keys = running.app.capture_folder, ("c", "s")
        assert nothing_for(running.app, CapturePicture()).startswith("What is on screen is not kept yet") and badge_shown(running)
        for key in keys:
            ui.key(key)
        running.app.context.emit(SaveLatent())
        ui.frames(2)
        assert not list(folder.glob("*")) and running.app.settings.bookmarks == ()  # it would be of another picture than the one on screen
        before = running.state
        running.app.state = before.reset(OverlayView)
        ui.frames(2)
        ui.key("c")
        ui.frames(2)
        assert len(list(folder.glob("*.png"))) == 1 and not badge_shown(running)
        running.app.state = before
        ui.frames(2)
        ui.click("DragPoints.keep_it")
        ui.frames(4)
        assert running.state.get(OwnLatent).file.endswith(".npz") and running.state.get(Truncation) == Truncation()
        assert np.abs(running.app.good.picture.values - running_picture(found, before)).max() < 1e-3
        points = running.state.get(DragPoints)
        assert not points.on and points.pairs[0].handle == pytest.approx(tuple(found.handles[0]))
        running.app.context.emit(Undo())
        ui.frames(3)
        assert running.state.get(DragPoints) == before.get(DragPoints) and not running.state.get(OwnLatent).file
        assert ViewState.from_json(running.state.to_json()) == running.state
        ui.click("DragPoints.discard")
        assert not running.state.get(DragPoints).on and not running.state.get(OverlayView).image
    finally:
        running.close()


@pytest.mark.window
def test_the_circle_of_what_stays_is_dragged_by_its_centre_and_its_rim(tmp_path):
    """It stands on the picture before the pose, so a drag on screen goes through the pose's inverse. A short drag places nothing."""
    circle = DragPoints(keep="outside", keep_x=0.1, keep_radius=0.2)
    running = Running(tmp_path, START.put(Pose(x=0.1, turns=0.25)).put(DragPointsView(True)).put(circle))
    try:
        ui, at = running.ui, running.canvas_point
        around = (np.indices((9, 9)).reshape(2, -1).T - 4).tolist()  # of the middle of the circle's left end
        pixels, left = ui.screenshot(), [round(v) for v in at(-0.1, -0.1)]
        running.app.state = running.state.reset(DragPoints)
        ui.frames(2)
        without = ui.screenshot()
        assert max(np.abs(pixels[left[1] + y, left[0] + x].astype(int) - without[left[1] + y, left[0] + x]).max() for y, x in around) > 30
        running.app.state = running.state.put(circle)
        ui.drag(at(0.1, -0.1), at(0.1, 0.0))  # where the pose shows the centre, a quarter turn from where it is kept
        points = running.state.get(DragPoints)
        assert (points.keep_x, points.keep_y) == pytest.approx((0.0, 0.0), abs=0.005) and points.keep_radius == 0.2
        ui.drag(at(0.1, 0.2), at(0.1, 0.3))
        ui.drag(at(0.4, 0.0), at(0.2, 0.0))
        points = running.state.get(DragPoints)
        assert points.keep_radius == pytest.approx(0.1, abs=0.005) and (points.keep_x, points.keep_y) == pytest.approx((0, 0), abs=0.005)
        ui.click_at(at(0.2, 0.0), button=1)
        start = at(-0.3, -0.3)
        ui.drag(start, (start[0] + 4, start[1]))
        assert running.state.get(DragPoints) == points and running.state.get(Latent) == Latent()
        ui.drag(at(0.2, 0.0), at(0.1, 0.0))
        assert running.state.get(DragPoints).keep_radius == pytest.approx(0.01)  # never nothing, which nobody could grip again
    finally:
        running.close()


def badge_shown(running):
    """Whether something stands over the picture that says so."""
    found = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("viz.canvas.canvas.draw_badge", lambda text, area: found.append(text))
        running.ui.frames(1)
    return "Not kept yet" in found[-1]


def running_picture(found, view):
    """The overlay's picture, computed anew."""
    return refined(Pipeline(headless=True), view).overlays[NAME].images["drag points.picture"].values


def test_the_panel_stops_goes_on_and_says_how_far_it_is():
    facts = alias_free_facts()
    found = Progress(
        7, 20, np.array([[0.05, 0.0]]), np.array([0.25]), np.array([False]), np.zeros((1, 3, 4), np.float32), "L4", (0, 5),
        np.zeros(1), np.array([False]), 8.0,
    )  # fmt: skip
    view = ViewState().put(DragPoints(True, (DragPair(0.0, 0.0, 0.3, 0.0),), steps=20)).put(OverlayView("drag points.picture"))
    frame = dataclasses.replace(frame_of(facts, view), overlays={NAME: OverlayResult(found, 0.35)})
    with show(PANEL, view, network=facts, frame=frame) as panel:
        panel.ui.click("DragPoints.run.stop")
        assert panel.state.get(DragPoints).stopped_at == 7 and panel.state.get(DragPoints).on
        panel.ui.click("DragPoints.run.again")
        assert panel.state.get(DragPoints).stopped_at == 0
        panel.ui.click("DragPoints.keep_it")
        (command,) = panel.context.commands
        assert isinstance(command, UseLatent)
        assert command.ws is found.ws and command.then == (kept(panel.state.get(DragPoints), found),)
        panel.context.commands.clear()
        panel.ui.click("DragPoints.remove.0")
        panel.ui.click("DragPoints.keep_it")  # the result was an answer to other points
        assert not panel.state.get(DragPoints).pairs and not panel.context.commands
        panel.ui.click("DragPoints.discard")
        assert not panel.state.get(DragPoints).on and not panel.state.get(OverlayView).image
        panel.state = view
        panel.ui.click("DragPoints.reset")
        assert panel.state == ViewState()


def test_nothing_is_placed_on_a_contact_sheet():
    view = ViewState().put(DragPointsView(True)).edit(Channels, mode="sheet")
    placement = Placement(Area(0, 0, 100, 100), 100.0, 0.0, 0.0)
    assert on_canvas.gesture_kind(view, placement, None, (0.0, 0.0)) == ""


def test_a_drag_of_a_pair_that_was_undone_meanwhile_changes_nothing():
    placement = Placement(Area(0, 0, 100, 100), 100.0, 0.0, 0.0)
    for part in ("target", "handle"):
        gesture = Gesture(f"point {part} 1", (50.0, 50.0))
        view = ViewState().put(DragPoints(pairs=(PAIR,)))
        assert on_canvas.drag(view, placement, None, gesture, ((50.0, 50.0), (60.0, 50.0))) is view
    assert on_canvas.removed(view, "remove handle 1") is view
