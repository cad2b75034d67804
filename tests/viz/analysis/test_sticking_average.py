"""The average around a latent: progressive, in w or in z, its images and scores; and where detail is kept."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.viz import asked
from tests.viz.analysis.test_sticking import grating, slope
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from viz.analysis import sticking, sticking_average as sa
from viz.analysis.sticking import DetailKept, DetailMap
from viz.request import OverlayResult, RenderRequest
from viz.stages.latent import draw_z
from viz.state import Latent, Mixing, OverlayView, OwnLatent, Pose, Sticking, Truncation

VIEW = asked.TINY_R.edit(Sticking, on=True, num=4)


def steps(pipeline, view):
    frames = list(pipeline.refine(pipeline.render(RenderRequest(1, view))))
    assert all(f.overlays["sticking"].error is None for f in frames), frames[-1].overlays
    return [f.overlays["sticking"] for f in frames]


def test_every_picture_added_is_shown(pipeline):
    found = steps(pipeline, VIEW)
    assert [r.values.count for r in found] == [1, 2, 3, 4] and [r.fraction for r in found] == [0.25, 0.5, 0.75, 1.0]
    assert found[0].values.share is None and 0 <= found[-1].values.share <= 1 and found[-1].values.octaves[-1].high == 16
    assert all(octave.held > 0 for octave in found[-1].values.octaves) and sum(octave.held for octave in found[-1].values.octaves) < 1
    assert {n: i.values.shape for n, i in found[-1].images.items()} == {sa.MEAN: (32, 32, 3), sa.DEVIATION: (32, 32), sa.DETAIL: (32, 32)}


@pytest.mark.parametrize("space", ["w", "z", "pose"])
def test_without_a_radius_the_mean_is_the_picture_and_all_is_kept(pipeline, space, monkeypatch):
    """Latents are drawn at random, so that what they have in common by chance is taken off; shifts of the pose are not."""
    made = []
    monkeypatch.setattr(sticking, "DetailMap", lambda low, *, independent: made.append((low, independent)) or DetailMap(low))
    view = VIEW.edit(Sticking, strength=0.0, space=space, reach_px=0.0).edit(Pose, turns=0.1, x=0.05)
    last = steps(pipeline, view)[-1]
    picture = pipeline.render(RenderRequest(2, view)).picture.values
    assert np.abs(last.images[sa.MEAN].values - picture).max() < 1e-4
    assert last.images[sa.DEVIATION].values.max() < 1e-3 and last.values.share == pytest.approx(1, abs=1e-3)
    assert made == [(sa.FINE[space] * 32, space != "pose")]


def test_a_network_without_a_grid_has_no_shifts(pipeline):
    assert steps(pipeline, asked.TINY_SG2.edit(Sticking, on=True, space="pose"))[-1].values is None


@pytest.mark.parametrize("cutoff", [-1, 0, 1])
def test_a_neighbour_in_z_is_mapped_as_the_picture_on_screen(pipeline, cutoff):
    """Of two seeds on the way from one to the other, and in some rows half way to a third."""
    view = VIEW.edit(Sticking, space="z", strength=0.3, seed=5).edit(Latent, x=0.25).put(Mixing((1, 3), 7, amount=0.5))
    pipeline.render(RenderRequest(1, view.edit(Truncation, psi=0.6, cutoff=cutoff)))
    run = pipeline._answered[1]
    network, styles = run.inputs["load"].network, run.inputs["latent"]
    noise = 0.3 * np.random.default_rng([5, 2]).standard_normal(network.z_dim)

    def moved(seed):
        z = draw_z(seed, network.z_dim, 0, -1)[0]
        both = torch.from_numpy(np.stack([z + noise, z])).float()
        return network.map(both, psi=0.6, cutoff=None if cutoff < 0 else cutoff).diff(dim=0).neg()

    part = torch.tensor([[0.5 * (row in (1, 3))] for row in range(network.num_ws)])
    assert len(styles.seeds) == 2
    expected = styles.ws + sum(weight * moved(seed) for seed, weight in styles.seeds) * (1 - part) + part * moved(7)
    assert torch.allclose(sa.neighbour_in_z(run)(2), expected, atol=1e-5)


def test_what_is_laid_over_the_picture():
    """Deviation is the root of the mean variance over channels; where there is no detail, nothing is drawn."""
    average = SimpleNamespace(count=3, mean=torch.rand(3, 4, 6), variance=torch.tensor([0.0, 0.03, 0.09])[:, None, None].expand(3, 4, 6))
    share, there = torch.rand(4, 6), torch.rand(4, 6) > 0.5
    images = sa.images_of(average, SimpleNamespace(share=lambda: (share, there)))
    assert all(image.frame_rect == (0, 0, 6, 4) for image in images.values())
    assert np.array_equal(images[sa.MEAN].values[1, 5], average.mean[:, 1, 5].numpy())
    assert images[sa.DEVIATION].values == pytest.approx(np.full((4, 6), 0.2))
    assert [(image.low, image.high) for image in images.values()][1:] == [(0, 0.5), (0, 1)]
    assert np.array_equal(images[sa.DETAIL].values, share.numpy()) and np.array_equal(images[sa.DETAIL].mask, there.numpy())


@pytest.mark.parametrize("space", ["w", "z"])
def test_a_larger_radius_keeps_less_and_deviates_more(pipeline, space):
    small, large = (steps(pipeline, VIEW.edit(Sticking, strength=s, space=space))[-1] for s in (0.05, 1.0))
    assert large.images[sa.DEVIATION].values.mean() > 3 * small.images[sa.DEVIATION].values.mean()
    assert large.values.share < small.values.share


def test_around_a_latent_out_of_a_file_there_is_no_z(pipeline, tmp_path):
    np.save(tmp_path / "w.npy", np.zeros((1, 16), np.float32))
    view = VIEW.edit(Sticking, space="z").put(OwnLatent(str(tmp_path / "w.npy")))
    *_, last = pipeline.refine(pipeline.render(RenderRequest(1, view)))
    result = last.overlays["sticking"]
    assert result.values is None and result.error is not None and "choose w" in result.error.message


def test_rows_of_another_seed_have_its_neighbours(pipeline):
    mixed, plain = VIEW.put(Mixing(tuple(range(64)), 7)), VIEW.edit(Latent, x=7.0)
    a, b = (steps(pipeline, view.edit(Sticking, space="z"))[-1].images[sa.MEAN].values for view in (mixed, plain))
    assert np.abs(a - b).max() < 1e-5


def test_seeds_of_the_neighbourhood_matter_and_are_repeatable(pipeline):
    first = steps(pipeline, VIEW.edit(Sticking, space="z", seed=3))[-1].images[sa.MEAN].values
    other = steps(pipeline, VIEW.edit(Sticking, space="z", seed=4))[-1].images[sa.MEAN].values
    pipeline.memory.clear()
    again = steps(pipeline, VIEW.edit(Sticking, space="z", seed=3))[-1].images[sa.MEAN].values
    assert np.array_equal(first, again) and not np.allclose(first, other, atol=1e-4)


@pytest.mark.parametrize(
    ("turns", "independent", "share"),
    [
        ((0,), True, None),
        ((0,), False, None),
        ((0, 0.25), True, 0.0),
        ((0, 0.25), False, 1 / 2),
        ((0, 0, 0.25), True, 1 / 3),
        ((0, 0, 0.25), False, 5 / 9),
        ((0, 0.5), False, 0.0),
    ],
)
def test_score_and_map_are_what_phases_add_up_to(turns, independent, share):
    """Of waves exp(i p), |mean|^2 survives: of 1, 1 and i five ninths, and (3 * 5 / 9 - 1) / 2 where chance is taken off."""
    kept, where = DetailKept(independent=independent), DetailMap(8, independent=independent)
    for turn in turns:
        kept.add(grating(2 * math.pi * turn))
        where.add(grating(2 * math.pi * turn))
    found, there = where.share()
    if share is None:
        assert kept.score(8) is None and not found.any() and not there.any()
    else:
        assert kept.score(8) == pytest.approx(share, abs=1e-3) and there.all()
        assert float(found[16:48, 16:48].mean()) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("level", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("strength", "enough"), [(0.004, True), (0.0004, False)])
def test_how_little_detail_is_too_little_depends_on_no_unit(level, strength, enough):
    """A ten-thousandth of the power is detail; a millionth is not. Score and map agree."""
    kept, where = DetailKept(), DetailMap(16)
    for i in range(4):
        picture = (level * (slope() + strength * grating(2.4 * i, frequency=22))).repeat(3, 1, 1)
        kept.add(picture)
        where.add(picture)
    assert (kept.score(16) is not None) == enough == bool(where.share()[1].any())


def test_the_map_says_where_detail_stays():
    """The left half sticks, the right half moves."""
    where = DetailMap(8)
    left = (torch.arange(64) < 32).float()
    for i in range(40):
        where.add(grating(0.3) * left + grating(2.4 * i) * (1 - left))
    share, there = where.share()
    assert there.all()
    assert float(share[:, 6:20].min()) > 0.9 and float(share[:, 44:58].max()) < 0.1


def test_how_few_pictures_there_are_does_not_raise_the_map():
    """Independent noise has nothing in common; of four pictures, the naive ratio would say a quarter."""
    shares, generator = [], torch.Generator().manual_seed(0)
    for _ in range(10):
        where = DetailMap(8)
        for _ in range(4):
            where.add(torch.randn(3, 64, 64, generator=generator))
        shares.append(float(where.share()[0].mean()))
    assert np.mean(shares) < 0.06


def test_where_there_is_no_detail_nothing_is_claimed():
    where = DetailMap(8)
    for i in range(3):
        where.add(grating(0.3 * i) * (torch.arange(64) < 24).float())
    share, there = where.share()
    assert there[:, :20].all() and not there[:, 44:].any() and not share[:, 44:].any()


def test_where_the_band_holds_nothing_neither_the_map_nor_the_score_claims_anything():
    """What a filter lets through of coarse detail is not detail."""
    kept, where = DetailKept(), DetailMap(16)
    for _ in range(4):
        kept.add(slope())
        where.add(slope())
    assert kept.held(16) < 1e-6 and kept.held(0) == pytest.approx(1)
    assert kept.score(16) is None and kept.score(2) == pytest.approx(1, abs=1e-4)
    assert not where.share()[1].any()
    assert kept.held(0, 2) + kept.held(2, 8) + kept.held(8) == pytest.approx(1), "a bin belongs to one band"
    black = DetailKept()
    black.add(torch.zeros(1, 8, 8))
    assert black.held(0) == 0


def result(count, total=8, share=0.25):
    kept = sa.Kept(count, total, 8.0, share, 0.02, (sa.Octave(2.0, 4.0, 0.9, 0.5), sa.Octave(4.0, 32.0, None, 1e-7)))
    return frame_of(alias_free_facts(), overlays={"sticking": OverlayResult(kept, count / total)})


def test_the_panel_cancels_by_switching_off():
    with show(sa.PANEL, VIEW, network=alias_free_facts(), frame=result(3)) as shown:
        shown.ui.click("progress.cancel")
        assert not shown.state.get(Sticking).on


def test_the_panel_has_no_bar_when_all_is_done():
    with show(sa.PANEL, VIEW, network=alias_free_facts(), frame=result(8)) as shown:
        assert not shown.ui.exists("progress.cancel")
        shown.ui.choose("Sticking.image", sa.DETAIL)
        assert shown.state.get(OverlayView).image == sa.DETAIL
    assert sa.texts(result(8).overlays["sticking"].values)[1] == "25.0 %"
    assert sa.texts(result(1, share=None).overlays["sticking"].values)[1] == "—"
    for count, said in ((1, False), (2, True)):
        assert ("next to nothing" in sa.texts(result(count, share=None).overlays["sticking"].values)[2]) == said
    assert "next to nothing" not in sa.texts(result(8).overlays["sticking"].values)[2]
    assert (sa.texts(None)[2], sa.texts(None, "why")[2]) == (sa.OFF, "why")


def test_the_cursor_on_a_bar_reads_the_octave_and_how_much_of_the_picture_it_is(monkeypatch):
    reads = []
    monkeypatch.setattr(sa.plots, "cursor_text", reads.append)
    with show(sa.PANEL, VIEW, network=alias_free_facts(), frame=result(8)) as shown:
        shown.ui.frames(1)
        first = "2 to 4 cycles / image: 90.0 % kept of 50 % of the picture's power"
        assert reads[-1](0.3, 50.0) == reads[-1](-2.0, 0.0) == first
        assert reads[-1](0.6, 50.0) == reads[-1](9.0, 0.0) == "4 to 32 cycles / image: — kept of 1e-05 % of the picture's power"


def test_options():
    with show(sa.PANEL, VIEW, network=alias_free_facts()) as shown:
        shown.ui.set("Sticking.num", 12)
        shown.ui.click("Sticking.space.z")
        shown.ui.click("Sticking.hold_pose")
        shown.ui.set("Sticking.strength", 0.5)
        shown.ui.set("Sticking.seed", 3)
        assert shown.state.get(Sticking) == Sticking(True, 12, 0.5, "z", True, 3)
        assert shown.ui.item("Sticking.reach_px").disabled and not shown.ui.item("Sticking.strength").disabled
        shown.ui.click("Sticking.space.pose")
        shown.ui.set("Sticking.reach_px", 4.0)
        assert shown.state.get(Sticking).reach_px == 4.0 and shown.ui.item("Sticking.strength").disabled
