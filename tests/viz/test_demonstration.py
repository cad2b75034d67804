"""T: texture sticking and its cure from the first screen; what is claimed is measured; T again is the way back."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.viz.test_tour import Touring
from viz import commands
from viz.motion import animate
from viz.remote import Session
from viz.state import Compare, Device, Latent, Pose, Source, TranslateMotion, Unwarp, ViewState
from viz.tour import demonstration


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
