"""T: texture sticking and its cure from the first screen; what is claimed is measured; T again is the way back."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from gui_utils.libraries import imgui
from tests.viz.test_tour import Touring
from viz import cli, commands
from viz.analysis.sticking import DetailKept
from viz.effects import saving
from viz.motion import animate
from viz.remote import Session
from viz.request import Frame, Picture, RenderRequest
from viz.state import Compare, Device, Equivariance, Latent, LatentMotion, Pose, Source, TranslateMotion, Unwarp, ViewState
from viz.tour import demonstration
from viz.tour.means import MeanPicture


@pytest.fixture
def touring(tmp_path):
    touring = Touring(tmp_path)
    yield touring
    touring.close()


@dataclass(frozen=True)
class Entry:
    name: str
    config: str
    kind: str = "bundled"


PAIR = (Entry("x-r-64", "R"), Entry("x-b-64", "B"))


def test_it_takes_two_networks_of_the_same_pictures_and_keeps_the_device():
    view = demonstration.sticking(ViewState().edit(Device, device="cpu").edit(Pose, x=0.4), PAIR)
    assert view is not None and (view.get(Source).network, view.get(Compare).network) == ("x-r-64", "x-b-64")
    assert view.get(Device).device == "cpu" and view.get(Pose) == Pose() and view.get(TranslateMotion).on
    assert demonstration.sticking(ViewState(), (Entry("x-r-64", "R"), Entry("y-b-64", "B"))) is None


def test_it_circles_in_place():
    view = demonstration.sticking(ViewState(), PAIR)
    for _ in range(200):
        view = animate(view, 0.05)
    pose = view.get(Pose)
    assert np.hypot(pose.x, pose.y) == pytest.approx(demonstration.RADIUS, rel=0.02)


def test_what_it_says_is_true():
    """With the motion undone, R's picture is the old one; StyleGAN2's has slid by about as much as it was to move."""
    error = {}
    for network in ("globe-still-r-64", "globe-still-b-64"):
        session = Session(network)
        session.edit(Latent, x=float(demonstration.SEED))
        still = session.values()[:, 16:48, 16:48].copy()
        session.edit(Pose, x=demonstration.RADIUS)
        moved = session.pixels()
        session.edit(Unwarp, on=True)
        assert (session.pixels() != moved).any()
        frame = session.frame().picture
        assert frame is not None
        error[network] = float(np.abs(frame.values.transpose(2, 0, 1)[:, 16:48, 16:48] - still).mean())
    assert error["globe-still-b-64"] > 10 * error["globe-still-r-64"], error


@pytest.mark.window
def test_one_key_from_the_first_screen_and_back(touring):
    before = touring.state
    assert touring.ui.exists("Demonstration.show")  # on the card of the first start, too
    touring.ui.key("t")
    touring.ui.frames(6)
    app = touring.app
    assert app.frame.error is None and app.good.beside is not None and not app.tour.offered
    assert {app.good.network.config_name, app.good.beside.frame.network.config_name} == {"R", "B"}
    assert touring.state.get(TranslateMotion).on and touring.state.get(Pose) != Pose()
    touring.app.state = touring.state.reset(TranslateMotion)  # every frame of it would be rendered
    assert "stays on the pixels" in demonstration.text(touring.state)
    touring.ui.click("Demonstration.unwarp")
    touring.ui.frames(3)
    assert touring.state.get(Unwarp).on and "stands still" in demonstration.text(touring.state)
    touring.ui.key("t")
    touring.ui.frames(3)
    assert touring.state == before and not touring.ui.exists("Demonstration.end")


@pytest.mark.window
@pytest.mark.parametrize(("size", "font_scale"), [((1600, 900), 1.0), ((1366, 768), 2.0), ((640, 480), 1.0)])
def test_its_card_lies_over_neither_of_the_two_pictures(touring, size, font_scale):
    """In small pictures, and at large text, it hid the lower part of what it speaks of."""
    app = touring.app
    touring.window.resize(size)
    app.change_settings(font_scale=font_scale)
    touring.ui.key("t")
    touring.ui.frames(4)
    app.state = touring.state.reset(TranslateMotion)
    touring.ui.frames(4)
    card = imgui.internal.find_window_by_name("Texture sticking###demonstration")
    placement = app.canvas.placement
    area = placement.area
    assert card.pos.y >= placement.to_screen(0.0, 0.5)[1] and card.pos.x >= 0 and card.pos.x + card.size.x <= size[0]
    assert app.canvas.comparison.areas[2].height >= 0.4 * (area.height + app.canvas.foot)
    touring.ui.key("t")
    touring.ui.frames(3)
    assert app.canvas.foot == 0


@pytest.mark.window
def test_the_status_line_invites_and_whoever_goes_on_to_something_else_is_let_go(touring):
    touring.ui.click("Tour.not_now")
    touring.ui.frames(2)
    assert touring.ui.exists("Status.sticking")
    touring.app.context.emit(commands.ShowSticking())
    touring.ui.frames(2)
    touring.app.state = touring.state.reset(TranslateMotion)
    touring.ui.frames(2)
    touring.ui.frames(1)
    assert touring.ui.exists("Demonstration.end") and not touring.ui.exists("Status.sticking")
    touring.app.state = touring.state.edit(Compare, on=False).reset(TranslateMotion)
    touring.ui.frames(3)
    assert not touring.ui.exists("Demonstration.end") and touring.ui.exists("Status.sticking")
    for _ in range(2):  # begins anew: what is on screen now is what it will bring back
        touring.app.context.emit(commands.ShowSticking())
        touring.ui.frames(2)
    assert touring.state.get(Source).network == "globe-still-r-64" and not touring.state.get(Compare).on


@pytest.mark.window
def test_the_way_back_leaves_each_workspace_what_it_measures(touring):
    """Begun in one workspace and ended in another: the measurement of one came into the other, or never again into its own."""

    def do(command):
        touring.app.context.emit(command)
        touring.ui.frames(2)
        touring.app.state = touring.state.reset(TranslateMotion)  # every frame of it would be rendered
        return touring.state.get(Equivariance).on

    there, here, sticking = commands.ChooseWorkspace(4), commands.ChooseWorkspace(1), commands.ShowSticking()
    assert [do(command) for command in (sticking, there, sticking, here)] == [False, True, True, False]
    assert [do(command) for command in (there, sticking, here, sticking, there)] == [True, True, False, False, True]


# ------------------------------------------------------------------------------------------------------ over latents


def test_it_walks_around_a_seed_and_keeps_the_device():
    names = [Entry(name, "R") for name in demonstration.GANS]
    view = demonstration.walking(ViewState().edit(Device, device="cpu").edit(Pose, x=0.4), names)
    assert view is not None and (view.get(Source).network, view.get(Compare).network) == demonstration.GANS
    assert view.get(Device).device == "cpu" and view.get(Pose) == Pose() and view.get(LatentMotion).radius
    assert demonstration.walking(ViewState(), names[:1]) is None


def test_a_picture_counts_once_and_what_is_another_scene_begins_anew():
    mean, still, moved = MeanPicture(), ViewState(), ViewState().edit(Pose, x=0.1)

    def shown(view, value):
        return Frame(RenderRequest(1, view), Picture(np.full((2, 2, 3), value, np.float32), (0, 0, 2, 2)))

    def level(frame):
        assert frame.picture is not None
        return float(frame.picture.values.mean())

    first = shown(still, 1.0)
    assert [level(mean.add(each)) for each in (first, first, shown(still.edit(Latent, x=2.0), 0.0))] == [1.0, 1.0, 0.5] and mean.count == 2
    assert level(mean.add(shown(moved, -1.0))) == -1.0 and mean.count == 1


def test_what_it_says_of_the_means_is_true():
    """Once round in two dozen pictures, of what an eye can see: R's detail is gone, StyleGAN2's has stayed."""
    kept = {}
    for network in demonstration.GANS:
        session, detail, view = Session(network), DetailKept(), ViewState().edit(Latent, x=float(demonstration.WALK_SEED))
        view = animate(view.put(demonstration.WALK), 2.0)
        for _ in range(24):
            view = animate(view, 4 / 24)
            session.edit(Latent, x=view.get(Latent).x, y=view.get(Latent).y)
            detail.add(torch.from_numpy(session.values()))
        kept[network] = detail.score(8, 32)
    assert kept["landscape-r-128"] < 0.1 and kept["landscape-b-128"] > 0.8, kept


@pytest.mark.window
def test_the_means_stand_in_the_place_of_the_pictures_and_t_is_the_way_back(touring, tmp_path):
    before, app = touring.state, touring.app
    app.context.emit(commands.ShowSticking("latents"))
    pictures = []
    for _ in range(6):
        touring.ui.frames(1)
        if app.frame.request.view.get(Source).network == demonstration.GANS[0] and app.frame.beside is not None:
            pictures.append((app.frame.picture, app.frame.beside.frame.picture))
    unlike = [list({id(each): each for each in column}.values()) for column in zip(*pictures, strict=True)]
    shown = app.good.picture, app.good.beside.frame.picture
    assert all(len(column) > 1 for column in unlike) and app.tour.demonstration.means.count == len(unlike[0])
    for column, mean in zip(unlike, shown, strict=True):
        assert np.abs(np.mean([each.values for each in column], axis=0) - mean.values).max() < 1e-6
    shown = app.good.picture, app.good.beside.frame.picture
    file, values = saving.save_picture(app), saving.save_raw(app)
    assert cli.run(["view", str(file), "--out", str(tmp_path / "again.png")]) == 0
    assert cli.run(["view", str(values), "--shown", "--out", str(tmp_path / "again.npy")]) == 0
    with Image.open(file) as saved, Image.open(tmp_path / "again.png") as made:
        assert np.abs(np.asarray(saved, int) - np.asarray(made, int)).max() <= 1, "its own command makes the file again"
    assert np.abs(np.load(tmp_path / "again.npy") - shown[0].values.transpose(2, 0, 1)).max() < 1e-5
    touring.ui.click("Demonstration.means")
    assert "MeanOver" not in saving.view_of_picture(app, app.good).unknown
    app.state = touring.state.reset(LatentMotion)
    touring.ui.frames(3)
    assert app.good is app.frame, "each as it comes"
    touring.ui.click("Demonstration.means")
    touring.ui.frames(2)
    assert app.tour.demonstration.means.count == 1, "begun anew"
    touring.ui.key("t")
    touring.ui.frames(3)
    assert touring.state == before and app.good is app.frame and app.attached == [app.output] and not touring.ui.exists("Demonstration.end")


@pytest.mark.window
def test_from_one_demonstration_to_the_other_and_back_to_the_first_view(touring):
    before = touring.state
    for over, kind in (("pose", TranslateMotion), ("latents", LatentMotion), ("pose", None)):
        touring.app.context.emit(commands.ShowSticking(over))
        touring.ui.frames(2)
        assert all(touring.state.get(each).on == (each is kind) for each in (TranslateMotion, LatentMotion))
    assert touring.state == before and touring.app.attached == [touring.app.output]
