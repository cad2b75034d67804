"""Up to four views: what each has for itself, their share of the thread, layouts in the window and in files, partners and presets."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from networks.loading import catalogue
from networks.measures.metrics import Estimate, Measurement
from tests.viz.asked import ask
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from tests.viz.test_compare import TINY_R, TINY_T, Clock
from viz import cli
from viz.analysis.metric_table import Progressed
from viz.canvas.captions import KnownEquivariance, captions, fitting, stored_equivariance
from viz.compare import compare, other_views, pairs as compare_pairs, picture as compare_picture
from viz.compare.layout import cells_in_window, columns_in_window
from viz.compare.pairs import PRESETS, SAME_NETWORK, toggled, with_networks, with_next, with_views
from viz.export.export import export
from viz.export.film_file import read
from viz.export.options import ExportOptions
from viz.memory import Memory
from viz.pipeline import Pipeline
from viz.request import Beside, OverlayResult, Picture, RenderRequest
from viz.session.session import Session
from viz.stages.load import KEPT
from viz.state import (
    BreakIt,
    Channels,
    Compare,
    CompareView,
    Flicker,
    FourthView,
    Latent,
    Noise,
    Pose,
    SecondBreak,
    Source,
    Spectrum,
    Tap,
    ThirdBreak,
    ThirdView,
    Truncation,
    ViewState,
)
from viz.timeline.timeline import Keyframe, Timeline

FIRST = ViewState().put(Source(TINY_R)).edit(Latent, x=3.0)
FOUR = with_views(FIRST, {"network": TINY_T}, {"own_latent": True, "x": 7.0}, BreakIt(window="nearest"))
GAP = compare_picture.GAP


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline(headless=True)


def preset(name: str) -> compare_pairs.Choice:
    return next(each for each in (*PRESETS, *SAME_NETWORK) if each.id == name)


# ---------------------------------------------------------------------------------------------------- the state


def test_each_view_follows_the_first_but_for_what_is_its_own():
    view = FOUR.edit(Pose, turns=0.1, scale=1.5).edit(BreakIt, upsampling=1)
    second, third, fourth = (compare.other_view(view, n) for n in (2, 3, 4))
    assert (second.get(Source).network, third.get(Source).network) == (TINY_T, TINY_R)
    assert [each.get(Latent).x for each in (second, third, fourth)] == [3.0, 7.0, 3.0]
    assert all(each.get(Pose).turns == 0.1 and not compare.others(each) for each in (second, third, fourth))
    assert second.get(BreakIt) == third.get(BreakIt) == BreakIt(upsampling=1)  # what is broken is shared, too
    assert fourth.get(BreakIt) == BreakIt(window="nearest")
    assert compare.other_view(view.edit(Compare, own_pose=True), 2).get(Pose) == Pose()
    assert compare.other_view(view.edit(Compare, intact=True), 2).get(BreakIt) == BreakIt()


def test_a_view_of_before_there_were_four_loads():
    own = {"on": True, "network": "x", "own_pose": True, "turns": 0.25, "intact": True}
    view = ViewState.from_dict({"format": "aliasfree-view", "version": 1, "Compare": own})
    assert compare.others(view) == (2,) and compare.own_values(view, 2).turns == 0.25
    assert ViewState.from_json(FOUR.to_json()) == FOUR


def test_leaving_one_out_moves_the_others_up_with_what_is_broken_in_them():
    left = compare.without(FOUR.edit(CompareView, other=4), 2)
    assert compare.others(left) == (2, 3) and left.get(Compare).x == 7.0
    assert left.get(ThirdBreak) == ThirdBreak(window="nearest") and left.get(SecondBreak) == SecondBreak()
    assert left.get(CompareView).other == 3
    assert compare.others(compare.without(compare.without(left, 3), 2)) == ()


def test_without_the_comparison_nothing_is_beside():
    assert compare.others(FOUR.edit(Compare, on=False)) == ()
    assert compare.with_another(FOUR) is FOUR  # four are enough
    assert compare.own_values(compare.with_another(FOUR.reset(FourthView)), 4) == FourthView(**vars(FOUR.get(ThirdView)))


@pytest.mark.parametrize("number", [2, 3, 4])
def test_any_view_changes_places_with_the_first_and_back(number):
    view = FOUR.edit(OTHER := compare.OTHERS[number], own_truncation=True, psi=0.5).edit(BreakIt, support=4)
    once = compare.swapped(view, None, None, number)
    assert (once.get(Truncation).psi, once.get(OTHER).psi) == (0.5, 1.0)
    assert compare.swapped(once, None, None, number) == view


def test_a_view_of_its_own_break_swaps_it():
    once = compare.swapped(FOUR, None, None, 4)
    assert once.get(BreakIt).window == "nearest" and once.get(FourthView).intact
    assert compare.broken_in(once, 4) == BreakIt()


def test_a_timeline_moves_what_a_view_has_for_itself():
    end = FOUR.edit(ThirdView, x=9.0).edit(FourthView, own_pose=True, turns=0.5)
    film = Timeline((Keyframe(0.0, FOUR), Keyframe(1.0, end)), fps=4.0)
    assert film.at(0.5).get(ThirdView).x == 8.0
    assert Session.from_json(Session((FOUR,), film).to_json()).film.at(0.5) == film.at(0.5)


# ------------------------------------------------------------------------------------------- partners and presets


@pytest.mark.parametrize(
    ("network", "partner"),
    [
        ("globe-still-r-64", "globe-still-b-64"),
        ("globe-still-t-64", "globe-still-b-64"),
        ("globe-still-b-64", "globe-still-r-64"),
        ("globe-r-64", "globe-still-b-64"),
        ("elsewhere.pkl", ""),
    ],
)
def test_comparing_begins_with_the_natural_partner(network, partner):
    view = toggled(ViewState().put(Source(network)), catalogue())
    assert view.get(Compare).on and view.get(Compare).network == partner
    assert compare.shows_the_same(view, 2) == (not partner)
    off = toggled(view, catalogue())
    assert not off.get(Compare).on and toggled(off, catalogue()) == view


def test_what_was_chosen_is_kept_but_not_the_same_picture_twice():
    chosen = ViewState().put(Source("globe-still-r-64")).edit(Compare, network="mine.pkl")
    assert toggled(chosen, catalogue()).get(Compare).network == "mine.pkl"
    moved = chosen.edit(Compare, network="globe-still-r-64", sha256="a" * 64)
    assert toggled(moved, catalogue()).get(Compare) == Compare(on=True, network="globe-still-b-64")
    own = chosen.edit(Compare, network="", own_latent=True, x=1.0)
    assert toggled(own, catalogue()).get(Compare).network == ""
    broken = toggled(ViewState().put(Source("globe-still-r-64")).edit(BreakIt, upsampling=1), catalogue())
    assert broken.get(Compare).intact and broken.get(Compare).network == ""


def test_the_ladder_is_three_rungs_of_the_same_data():
    view = preset("ladder").apply(FIRST, catalogue())
    names = [view.get(Source).network, *(compare.other_view(view, n).get(Source).network for n in compare.others(view))]
    assert names == ["globe-still-b-64", "globe-still-t-64", "globe-still-r-64"]
    assert preset("ladder").apply(FIRST, ()) is None and preset("pair").apply(FIRST, ()) is None


def test_plain_and_broken_filters_of_the_same_network():
    view = preset("filters").apply(FIRST.edit(BreakIt, support=4), catalogue())
    assert view.get(BreakIt) == BreakIt() and view.get(Source).network == TINY_R
    assert [compare.broken_in(view, n).summary() for n in compare.others(view)] == ["nearest in all layers", "m = 1 in all layers"]


def test_other_rates_of_the_same_network_and_of_r_and_t():
    view = preset("rates").apply(FIRST.edit(BreakIt, support=4), catalogue())
    assert view.get(BreakIt) == BreakIt() and view.get(Source).network == TINY_R
    assert [compare.broken_in(view, n).rate_octaves for n in compare.others(view)] == [1, -1]
    view = preset("continuous").apply(FIRST, catalogue())
    shown = [view, *(compare.other_view(view, n) for n in compare.others(view))]
    assert [(each.get(Source).network, each.get(BreakIt).rate_octaves) for each in shown] == [
        ("globe-still-r-64", 0), ("globe-still-r-64", 1), ("globe-still-t-64", 0), ("globe-still-t-64", 1),
    ]  # fmt: skip
    assert preset("continuous").apply(FIRST, ()) is None


def test_pictures_at_other_rates_are_subtracted_on_the_coarser_grid(pipeline):
    frame = pipeline.render(RenderRequest(1, preset("rates").apply(ViewState().put(Source("globe-still-r-64")).edit(Latent, x=3.0), ())))
    twice, half = frame.others[2], frame.others[3]
    assert twice.frame.picture.shape == (128, 128, 3) and half.frame.picture.shape == (32, 32, 3)
    assert twice.difference.shape == (64, 64, 3) and half.difference.shape == (32, 32, 3) and not twice.reason + half.reason
    assert twice.db > 45 and half.db > 30 and twice.unit == "PSNR"
    assert twice.notes == ("Subtracted on the coarser grid, of 64 samples a side.",)


def test_one_click_for_the_same_network_makes_another_picture():
    view = FIRST.edit(Compare, on=True).edit(Pose, x=0.1)
    for each in SAME_NETWORK:
        assert not compare.shows_the_same(each.apply(view, ()), 2)
    assert preset("unmoved").apply(FIRST, ()) is None
    next_seed = preset("seed").apply(view.edit(Latent, x=2.6, y=0.6).edit(CompareView, other=3), ())
    assert (next_seed.get(Compare).x, next_seed.get(Compare).y, next_seed.get(CompareView).other) == (4, 1, 2)


def test_one_more_view_is_the_sibling_that_is_missing_else_a_copy():
    view = toggled(ViewState().put(Source("globe-still-r-64")), catalogue())
    view = with_next(view, catalogue())
    assert view.get(ThirdView).network == "globe-still-t-64"
    view = with_next(view, catalogue())
    assert view.get(FourthView).network == "globe-still-t-64" and with_next(view, catalogue()) is view
    for first, *beside, added in (
        ("globe-still-r-64", "mine.pkl", "globe-still-b-64"),
        ("mine.pkl", "globe-still-r-64", "globe-still-r-64"),
        ("mine.pkl", "globe-still-r-64", "globe-still-b-64", "globe-still-t-64"),
    ):
        view = with_next(with_networks(ViewState(), (first, *beside)), catalogue())
        assert compare.other_view(view, len(beside) + 2).get(Source).network == added


# ----------------------------------------------------------------------------------------------------- pipeline


def test_every_view_answers_as_it_would_alone(pipeline):
    frame = ask(pipeline, FOUR.edit(Spectrum, on=True))
    assert sorted(frame.others) == [2, 3, 4] and pipeline.networks.kept == KEPT + 2
    for number, beside in frame.others.items():
        alone = ask(pipeline, compare.other_view(FOUR, number))
        assert np.array_equal(beside.frame.picture.values, alone.picture.values) and 0 < beside.db < 100
        assert beside.frame.spectrum is not None  # linked spectra
    assert pipeline.networks.kept == KEPT, "of a view alone"


def test_what_fails_in_one_view_names_it():
    frame = Pipeline(headless=True).render(RenderRequest(1, FOUR.edit(FourthView, network="nowhere")))
    assert frame.error is not None and frame.error.message.startswith("Fourth view: nowhere")


def test_layers_of_their_own(pipeline):
    frame = ask(pipeline, FOUR.edit(ThirdView, own_layer=True, layer="L2_36_16").edit(Tap, layer=""))
    assert frame.others[3].frame.picture.tap == "L2_36_16" and frame.others[2].frame.picture.tap == "output"
    assert frame.others[3].reason  # of another size: no difference


def steady_drag(monkeypatch, layers: dict[int, int], frames: int, first_s: float) -> tuple[Clock, list[float], list[int]]:
    """Seconds that the others took while newer questions always waited, and the numbers of the views that were published."""
    clock = Clock(0, 0.01)

    def answer(request, number, superseded, settle):
        clock.layers = layers[number]
        view = settle(request.view, alias_free_facts()).edit(Noise, seed=number)  # each has layers of its own
        return Clock.answer(clock, RenderRequest(request.ticket, view), number, superseded, lambda v, _: v)

    monkeypatch.setattr(other_views.time, "perf_counter", lambda: clock.now)
    views, taken, published = other_views.OtherViews(Memory(1 << 20), answer), [], []
    four = with_views(FIRST, {}, {}, {})
    for i in range(frames):
        frame = frame_of(alias_free_facts(), four.edit(Latent, x=float(i)))
        frame = dataclasses.replace(frame, others=views.known(frame))
        views.share(frame, first_s)
        start, before = clock.now, frame.others
        for shown in views.steps(frame, lambda: True):
            published += [n for n in shown.others if shown.others[n] is not before.get(n)]
            before = shown.others
        taken.append(clock.now - start)
    return clock, taken, published


@pytest.mark.parametrize("layers", [{2: 5, 3: 5, 4: 5}, {2: 11, 3: 11, 4: 11}, {2: 23, 3: 3, 4: 3}, {2: 2, 3: 2, 4: 2}])
def test_three_others_together_slow_the_first_no_more_than_twofold(monkeypatch, layers):
    _, taken, _ = steady_drag(monkeypatch, layers, frames=60, first_s=0.05)
    assert sum(taken) <= 60 * 0.05 + 0.011  # to within a layer
    assert max(taken) <= 0.05 * other_views.MOST_SHARES + 0.01  # to within a layer


def test_the_others_take_turns(monkeypatch):
    _, _, published = steady_drag(monkeypatch, {2: 5, 3: 5, 4: 5}, frames=60, first_s=0.05)
    counts = [published.count(n) for n in (2, 3, 4)]
    assert min(counts) >= 15 and max(counts) - min(counts) <= 2


def test_a_slow_view_neither_starves_nor_holds_up_the_others(monkeypatch):
    _, _, published = steady_drag(monkeypatch, {2: 40, 3: 5, 4: 5}, frames=60, first_s=0.05)
    slow, *fast = (published.count(n) for n in (2, 3, 4))
    assert slow >= 2 and min(fast) >= 15  # a third of the time each: 100 layers


def test_where_the_first_had_nothing_to_compute_one_other_finishes_at_a_time(monkeypatch):
    """Its share is not touched; who had the least time goes first, and once nothing waits all begin anew."""
    clock = Clock(23, 0.01)
    monkeypatch.setattr(other_views.time, "perf_counter", lambda: clock.now)
    views = other_views.OtherViews(Memory(1 << 20), clock.answer)
    view = with_views(FIRST, *({"own_latent": True, "x": float(n)} for n in (1, 2, 3)))
    frame = dataclasses.replace(frame_of(alias_free_facts(), view), ran=())
    for answered in ([2], [2, 3], [2, 3, 4]):
        (frame,) = views.steps(frame, lambda: True)
        assert sorted(frame.others) == answered and views._credit_s == 0
    assert list(views.steps(frame, lambda: False)) == [] and set(views._used_s.values()) == {0.0}


def test_a_network_that_took_long_to_load_is_not_last_for_ever(monkeypatch):
    clock = Clock(1, 100.0)
    monkeypatch.setattr(other_views.time, "perf_counter", lambda: clock.now)
    views = other_views.OtherViews(Memory(1 << 20), clock.answer)
    frame = frame_of(alias_free_facts(), with_views(FIRST, {}))
    views.share(frame, 0.05)
    assert len(list(views.steps(frame, lambda: True))) == 1
    assert views._used_s[2] == 0.05 and views._credit_s == -0.05, "no more than one picture's time is owed"


# -------------------------------------------------------------------------------------------------------- files


def test_four_stand_two_by_two_and_three_in_a_row(pipeline):
    frame = ask(pipeline, FOUR)
    pixels = compare_picture.captured(frame, FOUR)
    assert pixels.shape == (64 + GAP, 64 + GAP, 3)
    alone = compare_picture.captured(frame, FOUR.put(CompareView(mode="flip", second=True, other=4)))
    assert np.array_equal(pixels[32 + GAP :, 32 + GAP :], alone)
    three = FOUR.reset(FourthView)
    assert compare_picture.captured(frame, three).shape == (32, 96 + 2 * GAP, 3)
    assert compare_picture.captured(frame, three.edit(CompareView, columns=2)).shape == (64 + GAP, 64 + GAP, 3)


@pytest.mark.parametrize("mode", ["wipe", "flip", "difference"])
def test_the_first_and_the_chosen_one(pipeline, mode):
    frame = ask(pipeline, FOUR)
    shown = [compare_picture.captured(frame, FOUR.put(CompareView(mode=mode, second=True, other=n, split=-0.2))) for n in (2, 3, 4)]
    assert not any(np.array_equal(shown[i], shown[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert np.array_equal(compare_picture.raw_difference(frame, 3), frame.others[3].frame.raw - frame.raw)


def test_render_compares_with_several_networks(tmp_path, capsys):
    path = tmp_path / "three.png"
    words = ["render", TINY_R, "--compare", TINY_T, "--compare", TINY_R, "--seed", "3"]
    assert cli.run([*words, "--columns", "1", "--out", str(path)]) == 0
    with Image.open(path) as saved:
        assert saved.size == (32, 96 + 2 * GAP)
    said = capsys.readouterr().out
    assert "Second view: PSNR" in said and "Third view: PSNR inf dB" in said
    assert cli.run([*words, "--mode", "difference", "--other", "3", "--out", str(path)]) == 0
    assert set(np.unique(np.asarray(Image.open(path)))) == {128}
    assert cli.run([*words, "--mode", "wipe", "--other", "4", "--out", str(path)]) == 1
    assert "--other 4 is not there" in capsys.readouterr().err
    assert cli.run([*words, *["--compare", TINY_T] * 2, "--out", str(path)]) == 1
    assert "at most 3" in capsys.readouterr().err


def test_a_film_of_four_views_has_room_for_every_layout(tmp_path):
    three = FOUR.reset(FourthView)
    film = Timeline((Keyframe(0.0, FOUR), Keyframe(1.0, three)), fps=1.0)
    export(Session((FOUR,), film), ExportOptions(tmp_path / "film"), pipeline=Pipeline(headless=True))
    for i in range(2):
        with Image.open(tmp_path / "film" / f"0000{i}.png") as saved:
            assert saved.size == (96 + 2 * GAP, 64 + GAP)
    assert compare.others(read(tmp_path / "film").film.keyframes[0].view) == (2, 3, 4)


# ---------------------------------------------------------------------------------------------------- the window


def test_columns_make_pictures_large_and_stay_with_what_is_usual():
    assert [columns_in_window(n, 0, (800, 800), 4, 40) for n in (1, 2, 3, 4)] == [1, 2, 2, 2]
    assert columns_in_window(3, 0, (1200, 400), 4, 40) == 3 and columns_in_window(4, 0, (1600, 400), 4, 40) == 4
    assert columns_in_window(2, 0, (300, 900), 4, 40) == 1 and columns_in_window(3, 1, (800, 800), 4, 40) == 1


def test_views_stand_together_in_a_wide_window():
    """Columns no wider than pictures need, in the middle; as wide as there is room while they are narrower; whole to the edges."""
    wide = cells_in_window(4, 2, (2700, 1204), 4, above=50)
    (left, _, width, height), (right, *_) = wide[:2]
    assert width == 605 and right == left + width + 4 and left == (2700 - 2 * 605 - 4) // 2 and height == 600
    assert [cell[0] for cell in cells_in_window(2, 2, (801, 900), 4)] == [0, 801 - 398]
    assert cells_in_window(2, 2, (1204, 200), 4, least=320)[0][2] == 320


def test_captions_tell_which_is_which_and_how_far_apart():
    facts = alias_free_facts(metadata={"training": '{"eq_t_db": 76.25, "eq_r_db": 47.4}'})
    first = frame_of(facts, FOUR)
    second = frame_of(alias_free_facts(name="other", config_name="T"), compare.other_view(FOUR, 2))
    third = frame_of(facts, compare.other_view(FOUR, 4))
    beside = Beside(second, difference=first.picture, db=31.42, notes=("Latent: another point.",))
    frame = dataclasses.replace(first, others={2: beside, 4: Beside(third, stale=True)})
    shown = captions(frame, FOUR, (1, 2, 3, 4), KnownEquivariance())
    assert [text for text, _ in shown[1].lines] == ["First: R · tiny-r", "EQ-T 76.2, EQ-R 47.4 dB"]
    assert [text for text, _ in shown[2].lines] == ["Second: T · other", "PSNR 31.4 dB", "Latent: another point."]
    assert "on its way" in shown[3].whole
    assert shown[4].lines[0][0].endswith("…") and "Broken: nearest in all layers" in shown[4].whole
    assert "EQ" not in shown[4].whole  # that of the whole network is not the broken one's
    assert stored_equivariance({"training": "[]"}) == stored_equivariance({"training": 3}) == stored_equivariance({"training": "{"}) == {}


def test_what_was_measured_here_stands_in_the_caption_of_that_network_as_it_was():
    facts, known, broken = alias_free_facts(), KnownEquivariance(), ViewState().edit(BreakIt, window="nearest")
    measured = Progressed(Measurement(5, 5, {"eq_r": Estimate(50.5, 49.0, 51.0, 5), "eq_t": Estimate(num=5)}), {})
    said = lambda view: captions(frame_of(facts, view), view, (1,), known)[1].whole  # noqa: E731
    for view, fraction, told in ((ViewState(), 0.8, False), (broken, 1.0, False), (ViewState(), 1.0, True)):
        known.note(frame_of(facts, view, overlays={"metrics": OverlayResult(measured, fraction)}))
        assert ("EQ-R 50.5 dB" in said(ViewState())) == told and "EQ-T" not in said(ViewState())
    assert "EQ-R 50.5 dB" in said(broken)
    assert "EQ" not in captions(frame_of(alias_free_facts(sha256="other")), ViewState(), (1,), known)[1].whole


def test_a_bundled_network_tells_its_equivariance_in_the_caption(pipeline):
    frame = ask(pipeline, ViewState().put(Source("globe-r-64")))
    assert "EQ-T" in captions(frame, ViewState(), (1,), KnownEquivariance())[1].whole
    assert sorted(stored_equivariance(frame.network.metadata)) == ["eq_r", "eq_t"]


def test_a_line_that_does_not_fit_ends_in_an_ellipsis():
    assert fitting("globe-still-r-64", 16, len) == "globe-still-r-64"
    assert fitting("globe-still-r-64", 8, len) == "globe-s…" and fitting("globe", 0, len) == "…"


def test_the_panel_shows_what_is_linked_and_unlinks_it():
    facts = alias_free_facts()
    frame = frame_of(facts, FOUR)
    frame = dataclasses.replace(frame, others={n: Beside(frame_of(facts, compare.other_view(FOUR, n))) for n in (2, 3, 4)})
    with show("compare", FOUR.edit(Truncation, psi=0.7), network=facts, frame=frame, catalogue=catalogue()) as shown:
        shown.ui.click("FourthView.own_truncation")
        assert shown.state.get(FourthView).own_truncation and shown.state.get(FourthView).psi == 0.7
        shown.ui.click("CompareView.other.4")
        shown.ui.set("FourthView.psi", 0.25)
        assert compare.other_view(shown.state, 4).get(Truncation).psi == 0.25
        shown.ui.click("FourthView.own_truncation")
        assert compare.other_view(shown.state, 4).get(Truncation).psi == 0.7
        shown.ui.click("FourthView.own_break")
        assert not shown.state.get(FourthView).own_break and compare.broken_in(shown.state, 4) == BreakIt()
        shown.ui.click("FourthView.own_noise")  # its network has none
        assert not shown.state.get(FourthView).own_noise
        shown.ui.click("Compare.remove.3")
        assert compare.others(shown.state) == (2, 3)
        shown.ui.click("Compare.ladder")
        assert shown.state.get(ThirdView).network == "globe-still-r-64"


def test_the_panel_offers_another_picture_where_both_are_the_same():
    facts = alias_free_facts()
    with show("compare", FIRST, network=facts, catalogue=()) as shown:
        shown.ui.click("Compare.on")
        assert shown.ui.exists("Compare.seed")
        shown.ui.click("Compare.seed")
        assert shown.state.get(Compare).x == 4.0 and not shown.ui.exists("Compare.seed")


def test_what_a_click_would_make_is_worked_out_once_a_view(monkeypatch):
    import viz.panels.compare as panel

    worked_out = []

    def apply(view, catalogue):
        worked_out.append(view)
        return with_views(view, {"own_latent": True, "x": 9.0})

    monkeypatch.setattr(panel, "PRESETS", (dataclasses.replace(PRESETS[0], apply=apply),))
    with show("compare", FIRST, network=alias_free_facts(), catalogue=()) as shown:
        shown.ui.frames(10)
        assert worked_out == [FIRST]
        shown.state = FIRST.edit(Latent, y=1.0)
        shown.ui.click("Compare.pair")
        assert shown.state.get(Compare).x == 9.0 and shown.state.get(Latent).y == 1.0


@pytest.fixture
def running(tmp_path):
    from tests.viz.test_app import Running

    running = Running(tmp_path, FOUR)
    yield running
    running.close()


@pytest.mark.window
def test_four_pictures_stand_under_their_captions_and_a_drag_in_one_moves_all(running):
    canvas, ui = running.app.canvas, running.ui
    cells = [canvas.placement.area, *canvas.comparison.areas.values()]
    assert len(cells) == 4 and len({(cell.width, cell.height) for cell in cells}) == 1
    assert len({cell.x for cell in cells}) == len({cell.y for cell in cells}) == 2
    captions_above = canvas.comparison._caption_areas
    assert all(captions_above[n].y + captions_above[n].height <= cell.y + 1e-6 for n, cell in enumerate(cells, start=1))
    pixels = ui.screenshot()
    for cell in cells:
        x, y = (round(v) for v in cell.center)
        assert pixels[y - 15 : y + 15, x - 15 : x + 15].std() > 1
    start = cells[3].center
    end = (start[0] - 0.75 * cells[0].width, start[1])  # into the third: a drag stays with the view it began in
    ui.drag((start[0] + 30, start[1] + 40), end, steps=6)
    assert running.state.get(Latent).x - 3.0 == pytest.approx((end[0] - start[0] - 30) * 0.04 / running.app.context.em, rel=0.05)
    beside = running.app.good.others
    assert [b.frame.request.view.get(Latent).x for b in beside.values()] == [running.state.get(Latent).x, 7.0, running.state.get(Latent).x]
    ui.hover(cells[2].center)
    assert canvas.probe is not None and sorted(canvas.comparison.probes) == [2, 3, 4]


@pytest.mark.window
def test_keys_go_from_view_to_view_and_undo_brings_views_back(running):
    running.app.state = running.state.edit(CompareView, mode="wipe")
    running.ui.frames(2)
    shown = []
    for other in (3, 4, 2):
        running.ui.key("shift+x")
        running.ui.frames(3)
        shown.append(running.ui.screenshot())
        assert running.state.get(CompareView).other == other
    x, y = (round(v) for v in running.canvas_point(0.2, 0.0))
    parts = [each[y - 30 : y + 30, x - 30 : x + 30] for each in shown]
    assert not np.array_equal(parts[0], parts[1]) and not np.array_equal(parts[1], parts[2])
    running.app.choose_workspace(6)
    running.ui.frames(4)
    running.ui.click("Compare.remove.2")
    running.ui.frames(3)
    assert compare.others(running.state) == (2, 3) and sorted(running.app.good.others) == [2, 3]
    running.ui.key("ctrl+z")
    running.ui.frames(3)
    assert compare.others(running.state) == (2, 3, 4)


def test_the_window_opens_on_several(monkeypatch):
    from viz import app

    seen = []
    monkeypatch.setattr(app, "run", lambda options: seen.append(options) or 0)
    assert cli.run([TINY_R, "--compare", TINY_T, "--compare", TINY_R, "--fresh"]) == 0
    assert compare.others(seen[0].view) == (2, 3) and Path(seen[0].view.get(ThirdView).network).name == "tiny_r.pkl"


# ---------------------------------------------------------------------------------------------------- what the number is about


def test_a_layers_margin_does_not_count():
    values = np.random.RandomState(0).standard_normal((12, 12, 2)).astype(np.float32)
    layer = Picture(values, (2.0, 2.0, 10.0, 10.0), "L1", (0, 1), 8)
    other = values + 0.1
    other[:2] += 50
    found = compare_picture.difference(layer, dataclasses.replace(layer, values=other), finished=False)
    inside = values[2:-2, 2:-2]
    assert found.db == pytest.approx(10 * np.log10(inside.var(axis=(0, 1)).mean() / 0.01), abs=0.01)
    assert found.picture is not None and found.picture.values.shape == values.shape  # it is seen all the same


def test_the_distance_of_a_contact_sheet_is_that_of_its_channels(pipeline):
    """Empty cells are alike in any two sheets."""
    view = ViewState().put(Source(TINY_R)).put(Compare(on=True, own_latent=True, x=1.0))
    colours, sheet = (ask(pipeline, each) for each in (view, view.put(Channels(mode="sheet"))))
    assert sheet.picture.grid == 2 and len(sheet.picture.channels) == 3
    assert sheet.beside.db == pytest.approx(colours.beside.db, abs=1e-3)


def test_memory_that_runs_out_in_a_view_beside_is_said_there_and_nowhere_else(monkeypatch):
    from viz.render_thread import Inline
    from viz.stages import synthesis

    view = with_views(FIRST, {"network": TINY_T}).edit(Flicker, on=True, num=2)
    inline, run = Inline(Pipeline()), synthesis.STAGE.run

    def full(asked):
        if asked.inputs["load"].facts.name == "tiny_t":
            raise MemoryError
        return run(asked)

    object.__setattr__(synthesis.STAGE, "run", full)
    try:
        inline.submit(view)
    finally:
        object.__setattr__(synthesis.STAGE, "run", run)
    assert inline.frame.error is None and inline.frame.picture is not None
    assert inline.frame.beside.frame.error.message == "Out of memory."
    inline.submit(view)
    assert inline.frame.beside.frame.error is None and inline.frame.overlays["flicker"].fraction == 1
