"""Stretch, shear and mirror of the input grid: from seven numbers to a matrix, to waves, to pictures, and back."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from networks.fourier_input import STILL, FourierInput
from networks.measures.comparison import difference
from networks.spec import InputSpec
from tests.networks.agreement import synthesized, tiny
from torch_utils.resample import pseudo_warp, unwarp, warp
from viz import cli
from viz.canvas.gestures import RING, grip, on_ring
from viz.canvas.placement import Area, Content, place
from viz.compare.caption import own_text
from viz.compare.compare import of_first, other_view, swapped
from viz.export import film_file
from viz.request import Picture
from viz.state import Compare, Pose, Unwarp, View, ViewState
from viz.timeline.timeline import Keyframe, Timeline

TINY_R, TINY_SG2 = (str(Path(__file__).parents[1] / "golden" / f"tiny_{name}.pkl") for name in ("r", "sg2"))
BENT = Pose(x=0.03, y=-0.02, turns=0.05, scale=1.2, stretch=1.5, shear=0.4, mirror=True)
MIRRORED = Pose(mirror=True)


# --------------------------------------------------------------------------------------------------------- the matrix


def test_each_number_does_what_its_control_says():
    def moved(pose: Pose, x: float, y: float) -> tuple[float, ...]:
        return tuple(np.array(pose.matrix())[:2] @ (x, y, 1.0))

    assert moved(Pose(stretch=4.0), 0.1, 0.1) == pytest.approx((0.2, 0.05))
    assert moved(Pose(shear=1.0), 0.0, -0.5) == pytest.approx((0.5, -0.5)), "the top goes to the right"
    assert moved(MIRRORED, 0.1, 0.2) == pytest.approx((-0.1, 0.2))
    assert moved(Pose(turns=0.25, mirror=True), 0.1, 0.0) == pytest.approx((0.0, 0.1)), "mirrored first: left, which turns to below"


@given(st.floats(-0.5, 0.5), st.floats(0.1, 10), st.floats(0.1, 10), st.floats(-4, 4), st.booleans())
def test_every_matrix_is_said_in_one_way(turns, scale, stretch, shear, mirror):
    """Area and handedness are those of scale and mirror alone, and the numbers can be read back from the matrix."""
    (xx, xy), (yx, yy) = Pose(turns=turns, scale=scale, stretch=stretch, shear=shear, mirror=mirror).linear
    area = xx * yy - xy * yx
    assert area == pytest.approx(-(scale**2) if mirror else scale**2, rel=1e-6)
    along = math.hypot(xx, yx) * (-1 if area < 0 else 1)
    assert (along / math.sqrt(abs(area))) ** 2 == pytest.approx(stretch, rel=1e-6)
    assert math.remainder(math.atan2(-yx / along, xx / along) / math.tau - turns, 1) == pytest.approx(0, abs=1e-6)
    assert -(xx * xy + yx * yy) / area == pytest.approx(shear, rel=1e-5, abs=1e-5)


def test_files_of_before_open_and_only_what_is_there_moves():
    old = ViewState.from_dict({"format": "aliasfree-view", "version": 1, "Pose": {"turns": 0.1, "scale": 2.0}})
    assert old.get(Pose) == Pose(turns=0.1, scale=2.0) and Pose().moved is Pose().deformed is False
    assert Pose(turns=0.1).matrix()[0] == (math.cos(0.1 * math.tau), math.sin(0.1 * math.tau), 0.0), "to the last digit"


def test_between_keyframes_a_stretch_is_geometric_and_a_mirror_a_switch():
    line = Timeline((Keyframe(0.0, ViewState()), Keyframe(2.0, ViewState().edit(Pose, stretch=4.0, shear=1.0, mirror=True))))
    half = line.at(1.0).get(Pose)
    assert (half.stretch, half.shear, half.mirror) == (pytest.approx(2.0), pytest.approx(0.5), False)
    assert line.at(2.0).get(Pose).mirror


# ------------------------------------------------------------------------------------------------------ the features


def test_waves_are_seen_through_the_inverse_and_fade_by_their_own_new_frequency():
    """sin(2 pi (f p + phase)) at p = inverse(place); a wave that is squeezed across fades, one along the stretch does not."""
    layer = FourierInput(InputSpec(channels=2, size=(20, 18), sampling_rate=16, bandwidth=2), w_dim=8)
    inverse = np.linalg.inv(BENT.matrix())
    with torch.no_grad():
        layer.freqs.copy_(torch.tensor([[1.5, 0.5], [-0.3, 1.9]]))
        layer.phases.copy_(torch.tensor([0.1, -0.2]))
        layer.weight.copy_(torch.eye(2) * math.sqrt(2))
        found = layer(torch.tensor([STILL]), torch.from_numpy(inverse).float())[0].numpy()
        squeezed = layer.moved(torch.from_numpy(np.linalg.inv(Pose(stretch=9.0).matrix())).float()[None])
    x, y = ((np.arange(n) + 0.5 - n / 2) / 16 for n in (20, 18))
    u, v = (row[0] * x + row[1] * y[:, None] + row[2] for row in inverse[:2])
    for wave, (right, down), phase in zip(found, layer.freqs.tolist(), layer.phases.tolist(), strict=True):
        amplitude = np.clip(1 - (np.linalg.norm(inverse[:2, :2].T @ (right, down)) - 2) / 6, 0, 1)
        np.testing.assert_allclose(wave, amplitude * np.sin(math.tau * (right * u + down * v + phase)), atol=1e-5)
    freqs, _, amplitudes = squeezed
    np.testing.assert_allclose(freqs[0], [[0.5, 1.5], [-0.1, 5.7]], rtol=1e-5)
    np.testing.assert_allclose(amplitudes[0], [1.0, 1 - (math.hypot(0.1, 5.7) - 2) / 6], rtol=1e-5)


@pytest.mark.parametrize(("name", "follows"), [("tiny_r", True), ("tiny_t", False)])
def test_a_mirrored_grid_gives_the_mirrored_picture_where_nothing_has_a_handedness(name, follows):
    """R's filters are radial and its convolutions 1x1. T's 3x3 kernels are what they are; its input is mirrored all the same."""
    network = tiny(name)
    ws = network.map(torch.from_numpy(np.random.RandomState(1).randn(1, network.z_dim)).float())
    with torch.inference_mode():
        for tap, exact in (("input", True), (None, follows)):
            plain, mirrored = (synthesized(network, ws, pose=p, tap=tap)[0] for p in (None, MIRRORED.matrix()))
            assert bool((mirrored - plain.flip(-1)).abs().max() < 1e-4 * plain.abs().max()) == exact
        found = difference(plain, mirrored, MIRRORED.matrix(), sampling_rate=network.img_resolution)
    assert found.db is not None and (found.db > 90) == follows and found.mask.all()


def test_a_matrix_without_an_inverse_is_refused():
    with pytest.raises(ValueError, match="invertible"):
        tiny("tiny_r").synthesize(torch.zeros(1, 10, 16), pose=((1, 2, 0), (2, 4, 0), (0, 0, 1)))


# ---------------------------------------------------------------------------------------------------------- undoing it


def test_a_mirror_is_undone_to_the_last_digit():
    x = torch.randn(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    for operator in (warp, unwarp):
        y, mask = operator(x, MIRRORED.matrix())
        assert torch.equal(y, x.flip(-1)) and mask.all()
    assert torch.equal(pseudo_warp(x, MIRRORED.matrix())[0], x), "nothing was lost that a comparison would have to lose too"


def test_a_bent_layer_is_found_again_and_what_would_fold_is_filtered_out():
    rate, size = 32, 52
    x = (np.arange(size) + 0.5 - size / 2) / rate

    def layer(pose: Pose, right: float, down: float) -> torch.Tensor:
        u, v = (row[0] * x + row[1] * x[:, None] + row[2] for row in np.linalg.inv(pose.matrix())[:2])
        return torch.from_numpy(np.sin(math.tau * (right * u + down * v) + 1)).float()

    y, mask = unwarp(layer(BENT, 2.0, 3.0), BENT.matrix(), sampling_rate=rate)
    assert mask.sum() > 400 and ((y - layer(Pose(), 2.0, 3.0)) * mask).abs().max() < 0.03
    high = torch.from_numpy(np.cos(math.tau * 11 * x)).float()  # of 16: held, unless squeezed to a half
    for wave, left in ((high.expand(size, size), 0.0), (high[:, None].expand(size, size), 1.0)):
        y, mask = unwarp(wave, Pose(stretch=4.0).matrix(), sampling_rate=rate)  # half as wide, twice as high
        assert y[mask].square().mean().sqrt() * math.sqrt(2) == pytest.approx(left, abs=0.12)


# ------------------------------------------------------------------------------------------------- by hand, by command


def test_a_view_of_its_own_begins_with_the_first_ones_pose_and_keeps_what_is_its_own():
    view = ViewState().put(BENT).edit(Compare, on=True, own_pose=True, **of_first(ViewState().put(BENT), "own_pose"))
    assert other_view(view, 2).get(Pose) == BENT
    view = view.edit(Pose, mirror=False, shear=0.0).edit(Compare, stretch=2.0)
    assert other_view(view, 2).get(Pose) == replace(BENT, stretch=2.0)
    assert own_text(view.get(Compare)).endswith("+18.0°, scaled 1.20×, stretched 2.00×, sheared 0.40, mirrored")
    assert swapped(view, None, None).get(Pose) == replace(BENT, stretch=2.0)


def test_the_ring_is_gripped_where_it_is_drawn():
    image = Picture(np.zeros((64, 64, 3), np.float32), (0, 0, 64, 64))
    placement = place(View(zoom=4), Area(0, 0, 600, 500), Content.of(image, margins=True), 64)
    for angle in np.linspace(0, math.tau, 9):
        x, y = on_ring(BENT, float(angle))
        assert grip(placement, BENT, placement.to_screen(BENT.x + x, BENT.y + y), 16) == "ring"
        assert grip(placement, BENT, placement.to_screen(BENT.x + 0.6 * x, BENT.y + 0.6 * y), 16) != "ring"
    assert on_ring(MIRRORED, 0.0) == pytest.approx((-RING, 0.0)), "the handle is where the picture's right side went"


def test_the_command_line(tmp_path, capsys):
    out, again = tmp_path / "a.png", tmp_path / "b.png"
    bent = ["--stretch", "1.5", "--shear", "-0.25", "--scale", "1.25", "--mirror"]
    assert cli.run(["render", TINY_R, *bent, "--untransform", "--out", str(out)]) == 0
    view = film_file.read(out).views[0]
    assert view.get(Pose) == Pose(stretch=1.5, shear=-0.25, scale=1.25, mirror=True) and view.get(Unwarp).on
    assert cli.run(["view", str(out), "--out", str(again)]) == 0
    assert film_file.read(again).views[0].get(Pose) == view.get(Pose)
    for words, told in ((["--stretch", "0"], "--stretch 0 is out of range"), (["--shear", "nan"], "--shear nan is out of range")):
        assert cli.run(["render", TINY_R, *words, "--out", str(out)]) == 1 and told in capsys.readouterr().err
    assert cli.run(["render", TINY_SG2, "--mirror", "--out", str(out)]) == 1 and "no input grid" in capsys.readouterr().err
