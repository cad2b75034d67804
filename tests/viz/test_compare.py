"""Two views side by side: the second follows from the first, shares the render thread fairly, and is drawn, saved and filmed with it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from networks.loading import catalogue
from tests.finding import chord
from tests.viz.asked import ask
from tests.viz.panels.shown import alias_free_facts, frame_of, stylegan2_facts
from viz import cli
from viz.commands import ToggleCompare
from viz.compare import compare, other_views, pairs as compare_pairs, picture as compare_picture, scenes
from viz.compare.caption import own_text, shared, texts, wrapped
from viz.export.export import export
from viz.export.film_file import read
from viz.export.options import ExportOptions
from viz.keys import BINDINGS
from viz.latent_text import latent_text
from viz.memory import Memory
from viz.pipeline import Pipeline
from viz.request import Beside, Frame, Picture, RenderRequest
from viz.session.session import Session
from viz.state import (
    BreakIt,
    Compare,
    CompareView,
    Edit,
    EditActivations,
    Equivariance,
    Latent,
    LatentPath,
    Noise,
    OwnLatent,
    Pose,
    Source,
    StateError,
    Tap,
    Truncation,
    Unwarp,
    View,
    ViewState,
)
from viz.timeline.timeline import Keyframe, Timeline

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
TINY_R, TINY_T, TINY_SG2 = (str(GOLDEN / f"tiny_{name}.pkl") for name in ("r", "t", "sg2"))
BESIDE_T = ViewState().put(Source(TINY_R)).edit(Compare, on=True, network=TINY_T)


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline(headless=True)


# ------------------------------------------------------------------------------------------------- what follows


def test_the_second_view_shares_everything_but_what_is_its_own():
    view = BESIDE_T.edit(Latent, x=3.5).edit(Pose, turns=0.1).edit(Truncation, psi=0.7).edit(Equivariance, on=True)
    second = compare.other_view(view, 2)
    assert second.get(Source).network == TINY_T and second.get(Compare) == Compare()
    assert (second.get(Latent).x, second.get(Pose).turns, second.get(Truncation).psi) == (3.5, 0.1, 0.7)
    assert not second.get(Equivariance).on  # measurements belong to the first
    own = Compare(on=True, own_latent=True, x=7.0, own_truncation=True, psi=0.2, own_noise=True, noise="none", own_pose=True, turns=0.3)
    second = compare.other_view(view.put(own).edit(Compare, own_layer=True, layer="L1").edit(LatentPath, seeds=(1, 2)), 2)
    assert (second.get(Latent).x, second.get(Truncation).psi, second.get(Noise).mode) == (7.0, 0.2, "none")
    assert (second.get(Pose).turns, second.get(Tap).layer, second.get(LatentPath).seeds) == (0.3, "L1", ())


def test_no_network_of_its_own_is_the_same_network():
    assert compare.other_view(BESIDE_T.edit(Compare, network=""), 2).get(Source).network == TINY_R


def test_swapping_twice_changes_nothing():
    view = BESIDE_T.edit(Latent, x=2.0).edit(Compare, own_latent=True, x=9.0, own_truncation=True, psi=0.5)
    once = compare.swapped(view, None, None)
    assert (once.get(Source).network, once.get(Compare).network) == (TINY_T, TINY_R)
    assert (once.get(Latent).x, once.get(Compare).x, once.get(Truncation).psi) == (9.0, 2.0, 0.5)
    assert compare.swapped(once, None, None) == view


@pytest.mark.parametrize(
    "first", [LatentPath((1, 2, 3), 1.5), OwnLatent("walk.npz", "ws", 2, "a" * 64)], ids=["on a path", "out of a file"]
)
def test_swapping_takes_the_first_views_latent_along_wherever_it_comes_from(first):
    view = BESIDE_T.put(first).edit(Compare, own_latent=True, x=9.0)
    once = compare.swapped(view, None, None)
    assert once.get(Latent).x == 9.0 and once.get(type(first)) == type(first)()
    assert compare.other_view(once, 2).get(type(first)) == first
    assert compare.swapped(ViewState.from_json(once.to_json()), None, None) == view
    assert own_text(once.get(Compare)) == latent_text(view)


def test_a_view_broken_by_itself_shares_the_edits_of_the_first_also_where_they_change_places():
    edits = EditActivations((Edit(layers=("L1",), channels=(0,), amount=0.0),))
    view = compare.with_own(BESIDE_T, 2, {"network": "", "on": True}, BreakIt(window="nearest")).put(edits)
    once = compare.swapped(view, None, None)
    assert once.get(BreakIt) == BreakIt(window="nearest") and once.get(EditActivations) == edits
    assert compare.broken_in(once, 2) == BreakIt() and compare.edited_in(once, 2) == edits, "what was the first is whole, and edited"
    assert compare.swapped(once, None, None) == view


def test_a_comparison_survives_json_and_its_divider_is_drawing_only():
    view = BESIDE_T.edit(CompareView, mode="wipe", split=0.25).edit(Compare, own_truncation=True, psi=0.5)
    assert ViewState.from_json(view.to_json()) == view
    from viz.state import DRAWN, RENDERED

    assert CompareView in DRAWN and Compare in RENDERED


def test_a_layer_is_matched_by_name_then_by_rate_and_place():
    r, sg2 = alias_free_facts(), stylegan2_facts()
    assert compare.same_layer("L5_84_96", r, alias_free_facts()) == "L5_84_96"
    assert compare.same_layer("L2_36_96", r, sg2) == "b16.conv1"  # both at 16 samples a width
    assert compare.same_layer("", r, sg2) == "" == compare.same_layer("output", r, sg2)


def test_the_key_of_the_layouts_begins_the_comparison_while_there_is_none():
    layouts = next(binding.action for binding in BINDINGS if binding.chords == ("shift+v",))
    assert layouts(BESIDE_T, None) == BESIDE_T.edit(CompareView, mode="wipe")
    assert layouts(BESIDE_T.edit(Compare, on=False), None) == ToggleCompare()


def test_a_distance_between_different_scenes_is_said_to_be_one():
    """Networks that were told the same pictures, and snapshots of one training, share their scenes; GANs trained apart do not."""
    fitted = {"data": "globes", "training": {"psnr_256": 30.0, "images": 5}}
    r, b = alias_free_facts(metadata=fitted), alias_free_facts(sha256="b" * 64, metadata=fitted)
    gan, later = (alias_free_facts(sha256=name * 64, metadata={"training": '{"options": {"seed": 0}}'}) for name in "cd")
    view, moved = BESIDE_T.edit(Pose, x=0.1), BESIDE_T.edit(Compare, own_pose=True, turns=0.1)
    assert [scenes.apart(view, 2, r, other) for other in (r, b, gan)] == ["", "", scenes.NETWORKS]
    assert scenes.apart(view, 2, gan, later) == ""
    converted = alias_free_facts(sha256="e" * 64, metadata={"origin_sha256": gan.sha256})
    assert scenes.apart(view, 2, gan, converted) == scenes.apart(view, 2, converted, gan) == ""
    for changes in ({"z_dim": 8}, {"metadata": {**fitted, "data": "faces"}}):
        assert scenes.apart(view, 2, r, dataclasses.replace(b, **changes)) == scenes.NETWORKS
    named = [alias_free_facts(sha256="", ref=ref) for ref in ("one", "other", "one")]
    assert [scenes.apart(view, 2, named[0], other) for other in named[1:]] == [scenes.NETWORKS, ""]
    assert scenes.apart(view.edit(Tap, layer="L5_84_96").edit(Compare, own_layer=True, layer=""), 2, r, b) == scenes.NETWORKS
    assert scenes.apart(view.edit(Tap, layer="L5_84_96"), 2, r, b) == scenes.NETWORKS  # channels are not the same features
    assert scenes.apart(view.edit(Compare, own_latent=True, x=1.0), 2, r, b) == scenes.LATENTS
    assert scenes.apart(moved, 2, r, r) == scenes.POSES and scenes.apart(moved.edit(Unwarp, on=True), 2, r, r) == ""
    assert scenes.apart(view.edit(Compare, own_layer=True, layer="L2_36_96"), 2, r, r) == scenes.LAYERS


def test_what_cannot_be_shared_is_said():
    r, sg2 = alias_free_facts(z_dim=8), stylegan2_facts()
    view = BESIDE_T.edit(Pose, x=0.1).edit(Noise, mode="none").edit(Tap, layer="L2_36_96")
    text = " ".join(compare.not_shared(view, r, sg2))
    assert all(part in text for part in ("8 numbers here and 16 there", "Classes", "no input grid", "no noise inputs", "b16.conv1"))
    assert compare.not_shared(view, r, r) == ()


def test_a_pair_is_found_among_the_bundled_networks():
    def entry(name, config, kind="bundled"):
        return dataclasses.make_dataclass("Entry", ["name", "config", "kind"])(name, config, kind)

    others = [entry("globe-t-64", "T"), entry("other-b-64", "B"), entry("globe-b-64", "B", "published")]
    assert compare_pairs.stylegan2_beside_r([entry("globe-r-64", "R"), *others]) is None
    assert compare_pairs.stylegan2_beside_r([*others, entry("globe-r-64", "R"), entry("globe-b-64", "B")]) == ("globe-r-64", "globe-b-64")
    landscapes = [entry("landscape-a-128", "A"), entry("landscape-r-128", "R"), entry("mine", "T"), entry("globe-r-64", "R", "published")]
    assert compare_pairs.families(landscapes) == ({"r": "landscape-r-128", "b": "landscape-a-128"},), "A stands for B"


def test_the_bundled_pair_is_of_the_same_data_and_its_second_network_can_be_moved(pipeline):
    pair = compare_pairs.stylegan2_beside_r(catalogue())
    assert pair == ("globe-still-r-64", "globe-still-b-64")
    view = compare_pairs.with_networks(ViewState().edit(Pose, x=0.05), pair)
    frame = ask(pipeline, view)
    assert frame.beside.notes == () and frame.beside.frame.network.has_pose and 20 < frame.beside.db < 40


# -------------------------------------------------------------------------------------------------- difference


def picture(values: np.ndarray, rate: float | None = None, **changes) -> Picture:
    size = values.shape[0]
    margin = (size - (rate or size)) / 2
    return Picture(values.astype(np.float32), (margin, margin, size - margin, size - margin), "output", (0, 1, 2), 3, **changes)


def test_the_difference_is_second_minus_first_and_its_psnr_has_peak_two():
    first = np.random.RandomState(0).uniform(-1, 1, (8, 8, 3))
    found = compare_picture.difference(picture(first), picture(first + 0.02), finished=True)
    assert found.picture is not None and np.allclose(found.picture.values, 0.02, atol=1e-6)
    assert found.unit == "PSNR" and found.db == pytest.approx(20 * np.log10(2 / 0.02), abs=1e-3)
    assert compare_picture.difference(picture(first), picture(first), finished=True).db == np.inf


def test_a_layer_has_no_peak_so_its_own_power_counts():
    first = np.random.RandomState(0).standard_normal((16, 16, 1)) * 7 + 100
    found = compare_picture.difference(picture(first), picture(first + np.where(np.eye(16)[:, :, None], 1, -1)), finished=False)
    assert found.unit != "PSNR" and found.db == pytest.approx(10 * np.log10(first.var()), abs=0.01)


def test_margins_are_cut_to_what_both_have():
    wide = np.random.RandomState(0).uniform(-1, 1, (12, 12, 3))
    found = compare_picture.difference(picture(wide, 8), picture(wide[2:-2, 2:-2] + 1, 8), finished=False)
    assert found.picture is not None and found.picture.values.shape == (8, 8, 3) and found.picture.frame_rect == (0, 0, 8, 8)
    assert np.allclose(found.picture.values, 1, atol=1e-6)


def test_masked_samples_do_not_count():
    first, second = np.zeros((4, 4, 1)), np.zeros((4, 4, 1))
    second[0, 0], mask = 100.0, np.ones((4, 4), bool)
    mask[0, 0] = False
    assert compare_picture.difference(picture(first, mask=mask), picture(second), finished=True).db == np.inf


@pytest.mark.parametrize("finished", [True, False])
def test_the_number_is_about_unmasked_samples_inside_the_image_that_both_have(finished):
    """Sample by sample: two layers of 8 samples a side, with other margins on each, and other masks."""
    draw = np.random.RandomState(0)
    a, b = ((draw.standard_normal(shape) + np.array([3, -20])).astype(np.float32) for shape in ((12, 14, 2), (10, 10, 2)))
    masks = draw.rand(12, 14) > 0.3, draw.rand(10, 10) > 0.3
    first = Picture(a, (3, 2, 11, 10), "L0", (0, 1), 8, mask=masks[0])
    second = Picture(b, (1, 1, 9, 9), "L0", (0, 1), 8, mask=masks[1])
    found = compare_picture.difference(first, second, finished=finished)
    both = [(y, x) for y in range(8) for x in range(8) if masks[0][y + 2, x + 3] and masks[1][y + 1, x + 1]]
    ours, error = (np.array(v) for v in zip(*((a[y + 2, x + 3], b[y + 1, x + 1] - a[y + 2, x + 3]) for y, x in both), strict=True))
    signal = 4 * error.size if finished else ((ours - ours.mean(axis=0)) ** 2).sum()
    assert found.db == pytest.approx(10 * np.log10(signal / (error**2).sum()), abs=1e-4)
    assert found.picture is not None and found.picture.frame_rect == (1, 1, 9, 9) and found.picture.mask is not None
    assert np.array_equal(found.picture.mask, masks[0][1:11, 2:12] & masks[1])
    assert np.allclose(found.picture.values, b - a[1:11, 2:12], atol=1e-5)
    nothing = dataclasses.replace(second, mask=np.zeros((10, 10), bool))
    assert compare_picture.difference(first, nothing, finished=finished).db is None


@pytest.mark.parametrize("turned", [False, True])
def test_pictures_at_different_rates_are_subtracted_in_the_band_that_both_have(turned):
    def waves(size, above):
        x = (np.arange(size) + 0.5) / size
        return (np.cos(3 * np.pi * x)[:, None] * np.cos(5 * np.pi * x) + above * np.cos(14 * np.pi * x))[:, :, None]

    coarse, fine = picture(waves(12, 0.0) + 0.5), picture(waves(20, 9.0))
    found = compare_picture.difference(*((coarse, fine) if turned else (fine, coarse)), finished=True)
    assert found.picture.values.shape == (12, 12, 1) and found.picture.frame_rect == (0, 0, 12, 12)
    assert np.allclose(found.picture.values, -0.5 if turned else 0.5, atol=1e-5) and found.db == pytest.approx(10 * np.log10(16), abs=1e-3)
    assert found.note == "Subtracted on the coarser grid, of 12 samples a side."
    masked = dataclasses.replace(fine, mask=np.ones((20, 20), bool))
    assert "20 and 12" in compare_picture.difference(masked, coarse, finished=True).reason


@pytest.mark.parametrize("dx", [0, 0.5])
@pytest.mark.parametrize("dy", [0, 0.5])
def test_samples_half_a_sample_apart_on_either_axis_have_no_difference(dx, dy):
    first = picture(np.zeros((8, 8, 3)))
    found = compare_picture.difference(first, dataclasses.replace(first, frame_rect=(dx, dy, 8 + dx, 8 + dy)), finished=True)
    assert ("half a sample" in found.reason) == bool(dx or dy)


def test_contact_sheets_are_subtracted_only_channel_from_channel():
    sheet = dataclasses.replace(picture(np.zeros((8, 8, 1))), grid=2, cell=(4, 4), channels=(0, 1, 2))
    assert not compare_picture.difference(sheet, sheet, finished=False).reason
    for other in (dataclasses.replace(sheet, channels=(0, 1, 3)), dataclasses.replace(sheet, values=np.zeros((8, 12, 1), np.float32))):
        assert "Contact sheets" in compare_picture.difference(sheet, other, finished=False).reason
    assert "Contact sheets" in compare_picture.difference(dataclasses.replace(sheet, grid=0, channels=(0,)), sheet, finished=False).reason


def test_the_number_of_a_contact_sheet_is_that_of_its_channels():
    """Three channels of 6 x 4 samples, a margin of one around each; the fourth cell is empty."""
    a, b = np.random.RandomState(0).standard_normal((2, 4, 6, 3)).astype(np.float32)

    def sheet(values, empty):
        rows = [[values[:, :, 0], values[:, :, 1]], [values[:, :, 2], np.full((4, 6), empty)]]
        return Picture(np.block(rows)[:, :, None].astype(np.float32), (1, 1, 5, 3), "L0", (0, 1, 2), 3, grid=2, cell=(6, 4))

    plain = compare_picture.difference(*(Picture(v, (1, 1, 5, 3), "L0", (0, 1, 2), 3) for v in (a, b)), finished=False)
    assert compare_picture.difference(sheet(a, 0), sheet(b, 9), finished=False).db == pytest.approx(plain.db)


@pytest.mark.parametrize(
    ("second", "part"),
    [
        (picture(np.zeros((16, 16, 3)), mask=np.ones((16, 16), bool)), "8 and 16 samples"),
        (picture(np.zeros((8, 8, 1))), "channels"),
        (picture(np.zeros((9, 9, 3)), 8), "half a sample"),
    ],
)
def test_where_there_is_no_difference_the_reason_is_said(second, part):
    found = compare_picture.difference(picture(np.zeros((8, 8, 3))), second, finished=True)
    assert found.picture is None and found.db is None and part in found.reason


# ---------------------------------------------------------------------------------------------------- pipeline


def test_the_second_answer_is_that_of_its_view_alone(pipeline):
    view = BESIDE_T.edit(Latent, x=3.0).edit(Pose, x=0.1)
    frame = ask(pipeline, view)
    alone = ask(Pipeline(headless=True), compare.other_view(view, 2))
    assert frame.beside is not None and not frame.beside.stale
    assert np.array_equal(frame.beside.frame.picture.values, alone.picture.values)
    assert frame.network.name == "tiny_r" and frame.beside.frame.network.name == "tiny_t"
    assert "statistics" in frame.ran and not {"statistics", "tone"} & set(frame.beside.frame.ran)
    assert frame.beside.db is not None and 0 < frame.beside.db < 60


def test_what_concerns_one_view_computes_nothing_of_the_other(pipeline):
    view = BESIDE_T.edit(Latent, x=5.0)
    ask(pipeline, view)
    frame = ask(pipeline, view.edit(Compare, own_truncation=True, psi=0.5))
    assert frame.layers_ran == () and frame.beside.frame.layers_ran != ()
    again = ask(pipeline, view.edit(Equivariance, on=True))
    assert again.layers_ran == () and again.beside.frame.layers_ran == ()


def test_a_network_without_a_grid_is_compared_and_says_so(pipeline):
    frame = ask(pipeline, BESIDE_T.edit(Compare, network=TINY_SG2).edit(Pose, x=0.1))
    assert any("no input grid" in note for note in frame.beside.notes)


def test_a_second_network_that_cannot_be_loaded_fails_a_file_but_not_the_window():
    view = BESIDE_T.edit(Compare, network="nowhere")
    frame = Pipeline(headless=True).render(RenderRequest(1, view))
    assert frame.error is not None and frame.error.message.startswith("Second view: nowhere")
    shown = Pipeline()
    frame = shown.render(RenderRequest(1, view))
    assert frame.error is None and frame.picture is not None
    refined = list(shown.refine(frame))
    assert refined[-1].error is None and "nowhere" in refined[-1].beside.frame.error.message
    assert len(list(shown.refine(ask(shown, view)))) == 1, "what failed is tried again"


def test_what_was_beside_the_first_stays_until_its_next_answer():
    pipeline = Pipeline()

    def refined(view):
        *_, last = pipeline.refine(frame := ask(pipeline, view))
        return frame, last.beside

    before, shown = refined(BESIDE_T)
    assert before.others == {} and shown.unit == "PSNR"
    expected = shown.frame.picture.values - before.picture.values
    assert np.allclose(shown.difference.values, expected) and np.abs(expected).max() > 0.1
    same = ask(pipeline, BESIDE_T)
    assert same.beside is shown and not shown.stale and list(pipeline.refine(same)) == []
    moved, other = refined(BESIDE_T.edit(Latent, x=1.0))
    assert moved.beside.stale and moved.beside.frame is shown.frame and not other.stale and other.frame is not shown.frame
    own = ask(pipeline, BESIDE_T.edit(Latent, x=1.0).edit(Compare, own_truncation=True, psi=0.5))
    assert own.picture is moved.picture and own.beside.stale
    assert refined(BESIDE_T)[1].difference is shown.difference, "remembered"
    assert ask(pipeline, BESIDE_T.edit(Compare, on=False)).others == {}
    layer = refined(BESIDE_T.edit(Tap, layer="L2_36_16"))[1]
    assert layer.unit == "signal to difference" and layer.db is not None


def test_a_second_network_with_other_weights_than_saved_says_so(pipeline):
    frame = ask(pipeline, BESIDE_T.edit(Compare, sha256="0" * 64, network=str(GOLDEN / "tiny_t_cond.pkl")))
    assert any("saved with other weights" in note for note in frame.beside.notes)


def test_cancelling_a_second_load_gives_up_the_comparison_or_goes_back():
    from viz.effects.opening import without_loads

    shown = frame_of(alias_free_facts(), BESIDE_T)
    assert not without_loads(BESIDE_T, shown).get(Compare).on  # nothing was beside it yet
    beside = dataclasses.replace(shown, others={2: Beside(shown, stale=True)})
    assert without_loads(BESIDE_T.edit(Compare, network="large.pkl"), beside).get(Compare).network == TINY_T
    there = dataclasses.replace(shown, others={2: Beside(shown)})
    assert without_loads(BESIDE_T, there) is BESIDE_T


def test_both_live_in_the_same_bounded_memory():
    pipeline = Pipeline(headless=True)
    frame = ask(pipeline, BESIDE_T.edit(Latent, x=50.0))
    assert frame.memory_bytes <= pipeline.memory.limit_bytes
    assert frame.beside.frame.memory_bytes > frame.memory_bytes  # the second's layers were added to the first's


def test_a_broken_network_is_compared_with_itself_intact(pipeline):
    view = BESIDE_T.edit(Compare, network="", intact=True).edit(BreakIt, upsampling=1)
    frame = ask(pipeline, view)
    assert np.array_equal(frame.beside.frame.picture.values, ask(pipeline, ViewState().put(Source(TINY_R))).picture.values)
    assert 0 < frame.beside.db < 100


# ------------------------------------------------------------------------------------------------- fair shares


class Clock:
    """Time as the test tells it, and a second network of `layers` layers that remembers what it has computed."""

    def __init__(self, layers: int, layer_s: float) -> None:
        self.now, self.layers, self.layer_s = 0.0, layers, layer_s
        self.done: dict[ViewState, int] = {}
        self.answered: list[ViewState] = []

    def answer(self, request, number, superseded, settle):
        view = settle(request.view, alias_free_facts())
        while self.done.get(view, 0) < self.layers:
            if superseded():
                return None
            self.now += self.layer_s
            self.done[view] = self.done.get(view, 0) + 1
        self.answered.append(view)
        return frame_of(alias_free_facts(), view)


def steady_drag(monkeypatch, layers: int, frames: int, first_s: float = 0.05) -> tuple[Clock, list[float], list[Frame]]:
    """Seconds that each second view took while newer questions always waited, and the frames that were published."""
    clock = Clock(layers, 0.01)
    monkeypatch.setattr(other_views.time, "perf_counter", lambda: clock.now)
    second = other_views.OtherViews(Memory(1 << 20), clock.answer)
    taken, published = [], []
    for i in range(frames):
        frame = frame_of(alias_free_facts(), BESIDE_T.edit(Latent, x=float(i)))
        frame = dataclasses.replace(frame, others=second.known(frame))
        second.share(frame, first_s)
        start = clock.now
        published += list(second.steps(frame, lambda: True))
        taken.append(clock.now - start)
    return clock, taken, published


@pytest.mark.parametrize("layers", [5, 6, 11, 23])
def test_the_first_view_is_never_slowed_more_than_twofold(monkeypatch, layers):
    _, taken, _ = steady_drag(monkeypatch, layers=layers, frames=40)
    assert sum(taken) <= 40 * 0.05 + 1e-9  # as long as the first view took
    assert max(taken) <= 0.05 * other_views.MOST_SHARES + 0.01  # and not much at once: to within a layer


def test_a_slow_second_view_lags_but_gets_somewhere(monkeypatch):
    clock, _, published = steady_drag(monkeypatch, layers=23, frames=40)
    assert len(clock.answered) >= 0.8 * 40 * 0.05 / 0.23
    assert published and all(frame.beside.stale for frame in published)


def test_a_second_view_that_costs_a_little_more_is_mostly_on_time(monkeypatch):
    _, _, published = steady_drag(monkeypatch, layers=11, frames=40, first_s=0.1)
    assert sum(not frame.beside.stale for frame in published) >= 20


def test_a_second_view_as_fast_as_the_first_keeps_up(monkeypatch):
    clock, _, published = steady_drag(monkeypatch, layers=5, frames=8)
    assert [view.get(Latent).x for view in clock.answered] == [float(i) for i in range(8)]
    assert not any(frame.beside.stale for frame in published)


def test_once_nothing_waits_the_newest_question_is_answered(monkeypatch):
    clock = Clock(23, 0.01)
    monkeypatch.setattr(other_views.time, "perf_counter", lambda: clock.now)
    second = other_views.OtherViews(Memory(1 << 20), clock.answer)
    views = [BESIDE_T.edit(Latent, x=float(i)) for i in range(2)]
    first = frame_of(alias_free_facts(), views[0])
    second.share(first, 0.05)
    assert list(second.steps(first, lambda: True)) == []
    (shown,) = second.steps(frame_of(alias_free_facts(), views[1]), lambda: False)
    assert shown.beside.frame.request.view.get(Latent).x == 1.0 and not shown.beside.stale


def test_a_view_that_was_closed_begins_anew(monkeypatch):
    clock = Clock(23, 0.01)
    monkeypatch.setattr(other_views.time, "perf_counter", lambda: clock.now)
    second = other_views.OtherViews(Memory(1 << 20), clock.answer)
    for x, on, took_s, answered in ((0.0, True, 0.05, []), (0.0, False, 0.05, []), (1.0, True, 9.0, [1.0])):
        frame = frame_of(alias_free_facts(), BESIDE_T.edit(Latent, x=x).edit(Compare, on=on))
        second.share(frame, took_s)
        shown = [each.beside.frame.request.view.get(Latent).x for each in second.steps(frame, lambda: True)]
        assert shown == answered, "not what it was asked before"


# ------------------------------------------------------------------------------------------------------- files

LARGE = picture(np.ones((8, 8, 3)))
IN_MARGINS, SMALL = picture(np.full((12, 12, 3), -1.0), 8), picture(np.ones((4, 4, 3)))


def two(second: Picture, **shown) -> tuple[Frame, ViewState]:
    """A black picture of 8 samples a side within margins, and another beside it."""
    view = BESIDE_T.edit(CompareView, **shown)
    first, other = (frame_of(alias_free_facts(), view, picture=each) for each in (IN_MARGINS, second))
    found = compare_picture.difference(IN_MARGINS, second, finished=True)
    return dataclasses.replace(first, others={2: Beside(other, difference=found.picture, reason=found.reason)}), view


@pytest.mark.parametrize(("source", "column"), [((2.0, 2.0, 10.0, 10.0), 4), ((0.0, 0.0, 12.0, 12.0), 8)])
def test_a_wipe_stands_where_the_divider_is_and_shows_the_same_place(source, column):
    """Of the image, whatever part of the first picture is shown; the other has half as many samples, and no margins."""
    frame, view = two(SMALL, mode="wipe", split=-0.25)
    middle = compare_picture.composed(frame, view, 2, source)[8, :, 0]
    assert (middle[: column - 2] == 0).all() and (middle[column - 2 : column + 2] == compare_picture.LINE).all()
    assert (middle[column + 2 : column + 12] == 255).all() and not (middle[column + 12 :] == 255).any()


def test_a_difference_lies_where_both_are():
    frame, view = two(picture(np.zeros((8, 8, 3))), mode="difference")
    shown = compare_picture.composed(frame, view, 1, (0.0, 0.0, 12.0, 12.0))[:, :, 0]
    assert (shown[2:10, 2:10] == 255).all() and len(np.unique(shown)) == 2 and shown[1, 5] == shown[5, 10] != 255
    assert [compare_picture.difference_tone(view, channels).colormap for channels in (1, 3)] == ["diverging", "gray"]


def test_what_is_not_there_yet_is_no_file():
    frame, view = two(SMALL, mode="flip")
    alone = dataclasses.replace(frame, others={})
    without = dataclasses.replace(frame, others={2: Beside(dataclasses.replace(frame, picture=None))})
    for missing in (alone, without):
        with pytest.raises(StateError, match="no second picture yet"):
            compare_picture.captured(missing, view)
        with pytest.raises(ValueError, match="no second picture"):
            compare_picture.raw_difference(missing)
    assert not compare_picture.difference(SMALL, LARGE, finished=True).reason
    assert "samples a side" in compare_picture.difference(SMALL, LARGE, finished=False).reason
    with pytest.raises(StateError, match="samples a side have no difference"):
        compare_picture.captured(frame, view.edit(CompareView, mode="difference"))


def test_parts_and_sizes():
    sheet, view = dataclasses.replace(SMALL, grid=2, cell=(2, 2)), BESIDE_T
    assert compare_picture.same_part(IN_MARGINS, SMALL, (0.0, 1.0, 12.0, 10.0)) == (-1, -0.5, 5, 4)
    for first, second in ((IN_MARGINS, sheet), (sheet, SMALL)):
        assert compare_picture.same_part(first, second, (2, 2, 10, 10)) == (0, 0, 4, 4), "a contact sheet is shown as a whole"
    cut = view.edit(View, margins=False)
    assert [compare_picture.source_of(IN_MARGINS, each) for each in (view, cut)] == [(0, 0, 12, 12), (2, 2, 10, 10)]
    assert compare_picture.source_of(dataclasses.replace(IN_MARGINS, grid=2), cut) == (0, 0, 12, 12)
    sizes = [compare_picture.picture_size(view.edit(CompareView, mode=mode), 2, (0, 0, 32, 16)) for mode in ("side", "wipe")]
    assert sizes == [(132, 32), (64, 32)] and compare_picture.picture_size(ViewState(), 0.3, (1, 0, 6, 1)) == (2, 1)
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert compare_picture.centred(pixels, (4, 2)) is pixels and np.array_equal(compare_picture.centred(pixels, (6, 6))[2:4, 1:5], pixels)
    assert np.array_equal(compare_picture.centred(pixels, (2, 1)), pixels[:1, :2])


def render(tmp_path, mode: str, *more: str, out: str = "x.png") -> Path:
    path = tmp_path / out
    assert cli.run(["render", TINY_R, "--compare", TINY_T, "--mode", mode, "--seed", "3", "--out", str(path), *more]) == 0
    return path


def single(tmp_path, network: str) -> np.ndarray:
    path = tmp_path / "alone.png"
    assert cli.run(["render", network, "--seed", "3", "--out", str(path)]) == 0
    return np.asarray(Image.open(path))


def test_render_puts_two_networks_side_by_side(tmp_path):
    pixels = np.asarray(Image.open(render(tmp_path, "side")))
    first, second = single(tmp_path, TINY_R), single(tmp_path, TINY_T)
    width, gap = first.shape[1], compare_picture.GAP
    assert pixels.shape == (first.shape[0], 2 * width + gap, 3)
    assert np.array_equal(pixels[:, :width], first) and np.array_equal(pixels[:, width + gap :], second)


def test_render_wipes_at_the_divider(tmp_path):
    pixels = np.asarray(Image.open(render(tmp_path, "wipe", "--split", "-0.25")))
    first, second = single(tmp_path, TINY_R), single(tmp_path, TINY_T)
    column = first.shape[1] // 4
    assert np.array_equal(pixels[:, : column - 1], first[:, : column - 1])
    assert np.array_equal(pixels[:, column + 1 :], second[:, column + 1 :])


def test_render_saves_the_difference_as_numbers_and_says_how_far_apart_they_are(tmp_path, capsys):
    values = np.load(render(tmp_path, "difference", out="d.npy"))
    raws = []
    for network in (TINY_R, TINY_T):
        assert cli.run(["render", network, "--seed", "3", "--out", str(tmp_path / "raw.npy")]) == 0
        raws.append(np.load(tmp_path / "raw.npy"))
    assert np.array_equal(values, raws[1] - raws[0])
    psnr = 20 * np.log10(2) - 10 * np.log10(np.mean(np.square(values.astype(np.float64))))
    assert f"PSNR {psnr:.2f} dB" in capsys.readouterr().out


def test_an_equal_network_differs_by_grey(tmp_path):
    path = tmp_path / "grey.png"
    assert cli.run(["render", TINY_R, "--compare", TINY_R, "--mode", "difference", "--difference-gain", "60", "--out", str(path)]) == 0
    assert set(np.unique(np.asarray(Image.open(path)))) == {128}


def test_a_saved_comparison_restores_itself(tmp_path):
    path = render(tmp_path, "wipe", "--split", "0.125")
    view = read(path).views[0]
    assert view.get(Compare).on and view.get(CompareView) == CompareView("wipe", 0.125) and view.get(Compare).sha256
    assert cli.run(["view", str(path), "--out", str(tmp_path / "again.png")]) == 0
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(Image.open(tmp_path / "again.png")))


def test_a_comparison_as_numbers_must_be_a_difference(tmp_path, capsys):
    assert cli.run(["render", TINY_R, "--compare", TINY_T, "--out", str(tmp_path / "x.npy")]) == 1
    assert "--mode difference" in capsys.readouterr().err


def test_a_film_shows_the_comparison_and_carries_it(tmp_path):
    start = BESIDE_T.edit(View, margins=False)
    views = (start, start.edit(Latent, x=1.0).edit(CompareView, mode="flip", second=True))
    timeline = Timeline((Keyframe(0.0, views[0]), Keyframe(1.0, views[1])), fps=2.0)
    result = export(Session((start,), timeline), ExportOptions(tmp_path / "film"), pipeline=Pipeline(headless=True))
    assert result.frames == 3
    pixels = [np.asarray(Image.open(tmp_path / "film" / f"{i:05d}.png")) for i in (0, 2)]
    assert pixels[0].shape == pixels[1].shape == (32, 2 * 32 + compare_picture.GAP, 3)
    assert not np.array_equal(pixels[0][:, :32], pixels[0][:, -32:])
    left = (2 * 32 + compare_picture.GAP - 32) // 2
    assert (pixels[1][:, :left] == 28).all() and pixels[1][:, left : left + 32].std() > 1  # alone, in the middle
    assert read(tmp_path / "film").film.keyframes[0].view.get(Compare).network == TINY_T


def test_record_films_two_networks_at_once(tmp_path):
    words = ["record", TINY_R, "--compare", TINY_T, "--mode", "side", "--path", "rotate", "--seconds", "1", "--fps", "2"]
    assert cli.run([*words, "--out", f"{tmp_path}/film/"]) == 0
    first, second = (np.asarray(Image.open(tmp_path / "film" / f"0000{i}.png")) for i in range(2))
    assert first.shape == (32, 2 * 32 + compare_picture.GAP, 3)
    for half in (slice(None, 32), slice(-32, None)):
        assert not np.array_equal(first[:, half], second[:, half])  # both turn


# -------------------------------------------------------------------------------------------------- the window


@pytest.fixture
def running(tmp_path):
    from tests.viz.test_app import Running

    running = Running(tmp_path, BESIDE_T)
    yield running
    running.close()


@pytest.mark.window
def test_both_pictures_are_on_screen_and_a_drag_on_the_second_moves_both(running):
    canvas = running.app.canvas
    assert 2 in canvas.comparison.areas and canvas.comparison.areas[2].width == canvas.placement.area.width
    pixels = running.ui.screenshot()
    for area in (canvas.placement.area, canvas.comparison.areas[2]):
        x, y = (round(v) for v in area.center)
        assert pixels[y - 15 : y + 15, x - 15 : x + 15].std() > 1
    start = canvas.comparison.areas[2].center
    start = (start[0] + 30, start[1] + 40)
    running.ui.drag(start, (start[0] + 5 * running.app.context.em, start[1]))
    assert running.state.get(Latent).x == pytest.approx(5 * 0.04, rel=0.05)
    beside = running.app.good.beside
    assert not beside.stale and beside.frame.request.view.get(Latent).x == running.state.get(Latent).x
    assert len(running.app.history.past) == 1


@pytest.mark.window
def test_the_cursor_reads_both_pictures(running):
    canvas = running.app.canvas
    x, y = canvas.comparison.areas[2].center
    running.ui.hover((x + 20, y + 10))
    found, second = canvas.probe, canvas.comparison.probes[2]
    assert (found.column, found.row) == (second.column, second.row)
    assert found.values == pytest.approx(tuple(running.app.good.picture.values[found.row, found.column]))
    assert second.values == pytest.approx(tuple(running.app.good.beside.frame.picture.values[found.row, found.column]))


@pytest.mark.window
def test_the_divider_is_dragged_without_rendering(running):
    running.app.state = running.state.edit(CompareView, mode="wipe")
    running.ui.frames(2)
    requests, scale = running.app.requests, running.app.canvas.placement.scale
    x, y = running.canvas_point(0.0, 0.2)
    running.ui.drag((x, y), (x + 0.2 * scale, y), steps=8)
    assert running.state.get(CompareView).split == pytest.approx(0.2, abs=0.02)
    assert running.app.requests == requests and running.state.get(Latent) == Latent()
    running.ui.frames(2)
    running.ui.key("ctrl+z")
    running.ui.frames(2)
    assert running.state.get(CompareView).split == 0.0


@pytest.mark.window
def test_x_held_shows_the_other_view(running):
    running.app.state = running.state.edit(CompareView, mode="flip")
    running.ui.frames(3)
    first = running.ui.screenshot()
    running.ui.run(lambda context: context.key_down(chord("x")))
    running.ui.frames(3)
    second = running.ui.screenshot()
    running.ui.run(lambda context: context.key_up(chord("x")))
    running.ui.frames(3)
    x, y = (round(v) for v in running.canvas_point(0.0, 0.0))
    part = (slice(y - 40, y + 40), slice(x - 40, x + 40))
    assert not np.array_equal(second[part], first[part]) and np.array_equal(running.ui.screenshot()[part], first[part])


@pytest.mark.window
def test_v_compares_and_shift_v_goes_through_the_layouts(running):
    for mode in ("wipe", "flip", "difference", "side"):
        running.ui.key("shift+v")
        running.ui.frames(2)
        assert running.state.get(CompareView).mode == mode
    running.ui.key("v")
    running.ui.frames(3)
    assert not running.state.get(Compare).on and running.app.good.beside is None
    assert running.app.canvas.placement.area.width > 500


@pytest.mark.window
def test_a_capture_holds_what_is_compared(running):
    running.ui.key("c")
    running.ui.frames(1)
    path = running.app.capture_folder / "00000.png"
    with Image.open(path) as saved:
        assert saved.size == (2 * 32 + compare_picture.GAP, 32)
    assert read(path).views[0].get(Compare).sha256 == running.app.good.beside.frame.network.sha256


@pytest.mark.window
def test_the_difference_is_drawn_and_its_number_is_in_the_panel(running):
    running.app.state = running.state.edit(CompareView, mode="difference").edit(Compare, network="")
    running.app.choose_workspace(6)
    running.ui.frames(4)
    assert running.app.good.beside.db == np.inf
    x, y = (round(v) for v in running.canvas_point(0.1, 0.2))
    assert np.abs(running.ui.screenshot()[y - 5 : y + 5, x - 5 : x + 5].astype(int) - 128).max() <= 1
    running.ui.click("Compare.own_truncation")
    running.ui.set("Compare.psi", 0.5)
    running.ui.frames(3)
    assert running.state.get(Compare).psi == 0.5 and 0 < running.app.good.beside.db < 100


@pytest.mark.window
def test_nothing_of_gl_is_left_behind(tmp_path):
    from gui_utils.texture import live_objects
    from tests.viz.test_app import Running

    before = live_objects()
    running = Running(tmp_path, BESIDE_T)
    for mode in ("wipe", "difference"):
        running.app.state = running.state.edit(CompareView, mode=mode)
        running.ui.frames(3)
    running.close()
    assert live_objects() == before


def test_the_spectrum_panel_draws_all_profiles_with_one_zero():
    from tests.viz.panels.shown import spectrum_of
    from viz.panels import PanelContext
    from viz.panels.spectrum import profiles, shown_spectra
    from viz.request import Beside
    from viz.state import SpectrumView

    frame = frame_of(alias_free_facts(), spectrum=spectrum_of())
    louder = dataclasses.replace(frame, spectrum=dataclasses.replace(spectrum_of(), power=4 * spectrum_of().power))
    context = PanelContext(frame=dataclasses.replace(frame, others={2: Beside(louder), 3: Beside(frame)}))
    lines = profiles(shown_spectra(context), context, SpectrumView(absolute=True))
    assert list(lines) == [1, 2, 3] and lines[2][0][-1] == 32
    assert np.allclose(lines[2][1] - lines[1][1], 10 * np.log10(4)) and np.array_equal(lines[3][1], lines[1][1])
    assert list(shown_spectra(PanelContext(frame=frame))) == [1]


def test_the_window_opens_on_a_comparison(monkeypatch):
    from viz import app

    seen = []
    monkeypatch.setattr(app, "run", lambda options: seen.append(options) or 0)
    assert cli.run([TINY_R, "--compare", TINY_T, "--fresh"]) == 0
    assert seen[0].view.get(Compare) == Compare(on=True, network=TINY_T) and seen[0].workspace == 6


@pytest.mark.window
def test_textures_of_a_comparison_that_is_over_are_given_back(running):
    from gui_utils.texture import live_objects

    compared = live_objects()
    running.app.state = running.state.edit(Compare, on=False)
    running.ui.frames(3)
    assert live_objects() == compared  # for a moment: who looks at one view and goes back should not upload anew
    running.ui.frames(125)
    alone = live_objects()
    assert alone["texture"] < compared["texture"] and len(running.app.canvas.comparison.pictures) == 0
    running.app.state = running.state.edit(Compare, on=True)
    running.ui.frames(3)
    assert live_objects() == compared


def test_a_network_read_again_is_read_again_in_all_views_that_show_it():
    view = BESIDE_T.edit(Compare, network=TINY_R).edit(Source, reload=2)
    assert compare.other_view(view, 2).get(Source) == view.get(Source)
    assert compare.other_view(view.edit(Compare, network=TINY_T), 2).get(Source) == Source(TINY_T)


def test_words_below_a_saved_comparison_say_which_is_which(tmp_path):
    words = ["render", TINY_R, "--compare", TINY_T, "--mode", "wipe", "--seed", "5", "--rotate", "18"]
    assert cli.run([*words, "--out", str(tmp_path / "plain.png")]) == 0
    assert cli.run([*words, "--captions", "--out", str(tmp_path / "words.png")]) == 0
    plain, said = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("plain", "words"))
    height = plain.shape[0]
    assert np.array_equal(said[:height], plain) and said[height:].max() > 150 and said.shape[0] > height + 20
    assert cli.run(["view", str(tmp_path / "words.png"), "--out", str(tmp_path / "again.png")]) == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "again.png")), said)
    view = ViewState().edit(Latent, x=5.0, y=2.0).edit(Pose, x=0.05, turns=-0.05).edit(Tap, layer="L3").edit(Truncation, psi=0.7)
    assert shared(view) == "seed 205, moved (0.050, 0.000) widths, turned −18.0°, ψ 0.70, layer L3"
    assert shared(view.edit(Latent, x=5.5).reset(Pose, Tap, Truncation)) == "latent (5.5, 2)"
    path = ViewState().put(LatentPath((7, 9), 0.5))
    assert [shared(v) for v in (ViewState().edit(Latent, x=-1.0), path)] == ["seed 4294967295", "path through 2 seeds at 0.5"]


def test_words_below_a_saved_comparison_say_what_is_broken(pipeline):
    """The same network twice, whole and broken, has the same name."""
    view = BESIDE_T.put(BreakIt(window="nearest")).edit(Compare, network="", intact=True)
    first, second, _ = texts(pipeline.render(RenderRequest(1, view)), view)
    assert "nearest in all layers" in first and "intact" in second and "nearest" not in second
    view = compare.with_own(BESIDE_T, 2, {"network": "", "on": True, "own_truncation": True, "psi": 0.5}, BreakIt(window="nearest"))
    first, second, _ = texts(pipeline.render(RenderRequest(2, view)), view)
    assert "nearest" not in first and "nearest in all layers" in second and "ψ 0.5" in second
    assert wrapped("one two three", 7, len) == ["one two", "three"]
