"""Flow of detail: 1 for what moves with the pose, 0 for what stays on the grid, the displacement right to a fraction of a pixel."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.viz.analysis.synthetic import Painted
from tests.viz.panels.shown import alias_free_facts, frame_of, show, stylegan2_facts
from viz.analysis import flow_chart as chart
from viz.analysis.flow import Agreement, Patches, displaced_poses, expected_px, flow
from viz.pipeline import Pipeline
from viz.request import OverlayResult, RenderRequest
from viz.state import Flow, OverlayView, Pose, Source, ViewState

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
VIEW = ViewState().put(Source(str(GOLDEN / "tiny_r.pkl"))).edit(Flow, on=True, num=3)
WS = torch.zeros(1, 2, 4)
RANDOM = np.random.default_rng(0)
WAVES = [(*RANDOM.uniform(-24, 24, 2), RANDOM.uniform(0, 2 * math.pi)) for _ in range(60)]  # below 32 cycles per image


def texture(u, v, w=0.0):
    return sum(0.1 * np.sin(2 * np.pi * (a * u + b * v) + phase) for a, b, phase in WAVES)


def half_glued(u, v, w=0.0):
    """The left half is attached, the right half is not: `u` and `v` are the moved coordinates."""
    size = u.shape[-1]
    x = (np.arange(size) + 0.5 - size / 2) / 64
    return np.where(x < 0, texture(u, v), texture(x + 0 * v, x[:, None] + 0 * u))


def motion(paint, *, follows=True, options=None, pose=None):
    *_, last = flow(Painted(paint, follows=follows), WS, np.eye(3) if pose is None else pose, options or Flow(), {})
    return last


@pytest.mark.parametrize("over", ["shift", "turn"])
@pytest.mark.parametrize("pose", [Pose().matrix(), Pose(x=0.03, turns=0.1).matrix()])
@pytest.mark.parametrize("reach_px", [0.5, 1.5])
def test_one_for_what_moves_along_and_nothing_for_what_is_glued(over, pose, reach_px):
    options = Flow(over=over, reach_px=reach_px)
    moving, glued = (motion(texture, follows=follows, options=options, pose=pose) for follows in (True, False))
    assert moving.attached == pytest.approx(1, abs=0.06) and moving.stuck_share == 0
    assert glued.attached == pytest.approx(0, abs=0.02) and glued.stuck_share == 1


def test_each_patch_has_its_own_answer():
    found = motion(half_glued)
    x = found.centres[:, 0]
    assert found.along[x < -0.15] == pytest.approx(1, abs=0.1) and found.along[x > 0.15] == pytest.approx(0, abs=0.1)
    assert 0.3 < found.attached < 0.7 and 0.3 < found.stuck_share < 0.7
    assert motion(lambda u, v, w: 2 * half_glued(u, v)).weight == pytest.approx(2 * found.weight, rel=1e-3)


@pytest.mark.parametrize("shift", [(0.5, 0.0), (-0.3, 0.8), (1.7, -1.1), (0.0, 0.0)])
def test_displacements_are_sub_pixel(shift):
    """Also where something else was expected: a third more, and turned by 30 degrees."""
    patches, axis = Patches.over(64), (np.arange(64) + 0.5 - 32) / 64
    before, after = (
        torch.from_numpy(texture(axis - dx / 64, axis[:, None] - dy / 64).astype(np.float32))[None] for dx, dy in ((0.0, 0.0), shift)
    )
    c, s = math.cos(0.52), math.sin(0.52)
    expected = 1.3 * np.array([[c, -s], [s, c]]) @ shift if any(shift) else np.array([1.0, 0.0])
    agreement = Agreement(len(patches.corners))
    agreement.add(patches.templates(before), lambda m: patches.surroundings(after, m), np.tile(expected, (len(patches.corners), 1)))
    a, b, sure = agreement.best()
    found = np.stack([a * expected[0] - b * expected[1], a * expected[1] + b * expected[0]], axis=1)
    assert np.abs(found - shift).max() < 0.1 and np.abs(found.mean(axis=0) - shift).max() < 0.02
    assert sure.min() > 0.02 and sure.max() < 1


def test_the_best_motion_lies_between_what_was_tried_and_is_sure_by_half_a_motion():
    agreement, steps = Agreement(4), (1 / 16, 1 / 16)
    assert (agreement.a[1] - agreement.a[0], agreement.b[1] - agreement.b[0]) == steps
    agreement.pairs = 2
    for patch, (a, b) in enumerate([(0.51, -0.24), (0.5, 0.25), (-0.75, 0.0), (1.75, 0.0)]):
        agreement._sum[patch] = -((agreement.a - a) ** 2) - (agreement.b[:, None] - b) ** 2
    a, b, sure = agreement.best()
    assert a == pytest.approx([0.51, 0.5, -0.75, 1.75]) and b == pytest.approx([-0.24, 0.25, 0, 0])
    assert sure == pytest.approx([0.25 / 2, 0.25 / 2, 0, 0], abs=1e-3), "the best at an end of what was tried is no peak"


def test_an_edge_that_moves_along_itself_says_nothing():
    """One pair of pictures cannot tell how stripes move along themselves; pairs in several directions can."""

    def stripes(u, v, w=0.0):
        return 0.5 * np.sin(2 * np.pi * 13 * v) + 0.3 * np.sin(2 * np.pi * 19 * v) + 0 * u

    assert motion(stripes, options=Flow(num=1)).attached is None
    assert motion(stripes, options=Flow(num=6)).attached == pytest.approx(1, abs=0.05)
    assert motion(stripes, options=Flow(num=6), follows=False).attached == pytest.approx(0, abs=0.05)


def test_patches_cover_the_picture():
    for resolution, on_a_side in ((16, 1), (64, 7), (256, 15), (1000, 15)):  # each over half of the next
        patches = Patches.over(resolution)
        assert patches.grid == (on_a_side, on_a_side)
        assert patches.centres.mean(axis=0) == pytest.approx([resolution / 2] * 2, abs=0.5)
        corners = np.array(patches.corners)
        assert corners.min() == 0 and corners.max() + patches.size == resolution
        assert len(corners) == patches.grid[0] * patches.grid[1] and np.diff(np.unique(corners[:, 0])).max(initial=0) <= patches.size


def test_expected_motion_is_that_of_the_poses():
    centres = np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 0.25]])
    right = next(displaced_poses(np.eye(3), Flow(reach_px=0.5), 64.0))
    assert expected_px(np.eye(3), right, centres, 64.0) == pytest.approx(np.array([[0.5, 0]] * 3))
    turned = next(displaced_poses(np.eye(3), Flow(over="turn", reach_px=0.5), 64.0))
    found = expected_px(np.eye(3), turned, centres, 64.0)
    assert found == pytest.approx(np.array([[0, 0], [0, -0.5], [0.25, 0]]), abs=0.01), "counter-clockwise on screen: the right edge goes up"
    turns = [float(m[0, 1]) for m in displaced_poses(np.eye(3), Flow(over="turn", reach_px=0.5, num=4), 64.0)]
    assert turns == pytest.approx([turns[0], -turns[0], turns[0] / 2, -turns[0] / 2], rel=1e-3)
    *_, third = displaced_poses(np.eye(3), Flow(reach_px=0.5, num=3), 64.0)
    assert math.atan2(third[1, 2], third[0, 2]) == pytest.approx(2 * 2.399963 - 2 * math.pi), "twice the golden angle"
    base = Pose(x=0.2, turns=0.3).matrix()
    step = next(displaced_poses(base, Flow(), 64.0))
    assert expected_px(base, step, centres, 64.0) == pytest.approx(np.array([[0.5, 0]] * 3))


def test_flat_pictures_say_nothing():
    found = motion(lambda u, v, w: 0 * u + 0 * v + 0.3)
    assert not found.along.any() and not found.across.any()
    assert found.attached is None and found.stuck_share is None and chart.images_of(found, 64.0) == {}


def test_it_comes_pose_by_pose_and_is_registered():
    pipeline = Pipeline()
    found = [f.overlays["flow"] for f in pipeline.refine(pipeline.render(RenderRequest(1, VIEW)))]
    assert [r.values.count for r in found] == [1, 2, 3] and found[-1].fraction == 1
    image = found[-1].images[chart.MAP]
    columns = image.values.shape[1]
    x0, _, x1, _ = image.frame_rect
    centres = (np.arange(columns) + 0.5 - columns / 2) / (x1 - x0)
    assert all(np.abs(centres - x).min() < 1e-9 for x in image.arrows.at[:, 0]), "arrows begin in the middle of their cells"
    assert len(image.arrows.at) == image.mask.sum() and found[-1].images[chart.ARROWS].values.size == 0
    assert (image.arrows.expected[:, 0] > 0).all() and np.abs(image.arrows.expected[:, 1]).max() < 1e-9


def test_the_panel():
    facts = alias_free_facts()
    values = chart.Attachment(3, 8, 8.0, 0.934, 0.05, (0.1, 1.0), (1.0, 9.0))
    with show(chart.PANEL, VIEW, network=facts, frame=frame_of(facts, overlays={"flow": OverlayResult(values, 0.4)})) as shown:
        shown.ui.choose("Flow.image", chart.ARROWS)
        assert shown.state.get(OverlayView).image == chart.ARROWS
        shown.ui.set("Flow.reach_px", 1.25)
        shown.ui.click("Flow.over.turn")
        shown.ui.set("Flow.num", 9)
        shown.ui.click("progress.cancel")
        assert shown.state.get(Flow) == Flow(on=False, over="turn", reach_px=1.25, num=9)
    assert chart.texts(values)[1] == "93.4 %" and chart.texts(None)[1] == "—"
    with show(chart.PANEL, network=stylegan2_facts()) as shown:
        assert shown.ui.item("Flow.on").disabled


def test_fixed_noise_makes_a_real_network_stick():
    """The bundled R carries its detail along; the same weights with noise that stays on the grid do not."""
    from networks.breakage import Breakage, broken
    from networks.loading import load
    from viz.stages.latent import draw_z

    network = load("globe-r-64").network.eval()
    ws = network.map(torch.from_numpy(draw_z(3, network.z_dim, 0, -1)[0]).float()[None])
    whole, noisy = (list(flow(n, ws, np.eye(3), Flow(num=3), {}))[-1] for n in (network, broken(network, Breakage(noise=0.3))))
    assert whole.attached == pytest.approx(1, abs=0.05) and whole.stuck_share < 0.05
    assert noisy.attached < 0.4 and noisy.stuck_share > 0.6
