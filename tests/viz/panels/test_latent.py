"""The latent panel: seed field, pad, offsets, bookmarks, classes."""

import pytest

from tests.viz.panels.shown import alias_free_facts, show, stylegan2_facts
from viz import commands
from viz.panels.latent import nearest, place_text, seed_at, seeds_text
from viz.panels.latent_pad import SPACING_EM, node_at
from viz.settings import Settings
from viz.state import Latent, LatentMotion, ViewState

OFF_GRID = ViewState().edit(Latent, x=3.25, y=2.0)
em = 16.0


def test_the_seed_field_shows_the_nearest_seed_and_typing_goes_there():
    assert seed_at(OFF_GRID.get(Latent)) == 203
    with show("latent", OFF_GRID) as shown:
        shown.ui.set("Latent.seed", 3_000_000_000)  # beyond 32 bits with a sign
        assert shown.state.get(Latent) == Latent(x=3_000_000_000.0, y=0.0)


def test_seeds_on_screen_are_named_as_on_the_map_and_their_row_keeps_its_height():
    """They count modulo 2^32, and the row above seed 3 is the one of seed -97."""
    text = seeds_text(((2**32 - 97, 0.05), (2**32 - 96, 0.01), (3, 0.82), (4, 0.12)), Latent(x=3.13, y=-0.06))
    assert text == "−97 (0.05), −96 (0.01)\n3 (0.82), 4 (0.12)"
    assert seeds_text(((2**32 - 97, 1.0),), Latent(x=2.0**32 - 97)).startswith("4294967199 (1.00)")
    assert seeds_text(((3, 1.0),), Latent(x=3.0)).count("\n") == seeds_text((), Latent()).count("\n") == 1


def test_the_seed_steps_by_its_buttons():
    with show("latent", OFF_GRID) as shown:
        shown.ui.click("//Latent/###Latent.seed/+")
        assert shown.state.get(Latent) == Latent(x=204.0, y=0.0)


def test_dragging_the_pad_by_25_em_walks_one_seed():
    with show("latent") as shown:
        shown.ui.drag_by("Latent.pad", (25 * em, 0), steps=10)
        assert shown.state.get(Latent).x == pytest.approx(1.0)
        shown.ui.drag_by("Latent.pad", (0, -12.5 * em), steps=10)
        assert shown.state.get(Latent).y == pytest.approx(-0.5)


@pytest.mark.parametrize(("keys", "seeds"), [("shift", 10.0), ("alt", 0.1)])
def test_shift_walks_faster_and_alt_finer(keys, seeds):
    with show("latent") as shown:
        shown.ui.drag_by("Latent.pad", (25 * em, 0), steps=10, keys=keys)
        assert shown.state.get(Latent).x == pytest.approx(seeds)


def test_clicking_a_seed_on_the_pad_goes_to_it():
    with show("latent", OFF_GRID) as shown:
        x, y = shown.ui.item("Latent.pad").center
        shown.ui.click_at((x + 0.75 * SPACING_EM * em, y))
        assert shown.state.get(Latent) == Latent(x=4.0, y=2.0)
        before = shown.state
        shown.ui.click_at((x + 0.5 * SPACING_EM * em, y))  # between seeds
        assert shown.state is before


def test_where_a_seed_is_on_the_pad():
    latent = Latent(x=3.25, y=2.0)
    assert node_at(latent, -0.25 * SPACING_EM * em, 0, em) == (3, 2)
    assert node_at(latent, 0.75 * SPACING_EM * em, SPACING_EM * em, em) == (4, 3)
    assert node_at(latent, 0.2 * SPACING_EM * em, 0, em) is None


def test_the_offset_is_from_the_nearest_seed():
    with show("latent", OFF_GRID) as shown:
        shown.ui.set("Latent.offset_x", -0.4)
        assert (shown.state.get(Latent).x, shown.state.get(Latent).y) == (pytest.approx(2.6), 2.0)


def test_dragging_the_offset_passes_over_to_the_next_seed_both_ways():
    for pixels in (250, -250):
        with show("latent") as shown:
            shown.ui.drag_by("Latent.offset_x", (pixels, 0), steps=125)
            assert shown.state.get(Latent).x == pytest.approx(pixels * 0.0025, abs=0.03)


def test_snap_is_there_only_between_seeds():
    with show("latent", OFF_GRID) as shown:
        shown.ui.click("Latent.snap")
        assert shown.state.get(Latent) == Latent(x=3.0, y=2.0)
        assert shown.ui.item("Latent.snap").disabled


def test_animation_and_its_speed():
    with show("latent") as shown:
        shown.ui.click("LatentMotion.on")
        shown.ui.set("LatentMotion.seeds_per_s", -2)
        assert shown.state.get(LatentMotion) == LatentMotion(on=True, seeds_per_s=-2.0)
        shown.ui.menu("LatentMotion.seeds_per_s", "Reset to default")
        assert shown.state.get(LatentMotion).seeds_per_s == 0.25


def test_blend_is_a_choice():
    with show("latent") as shown:
        shown.ui.click("Latent.blend.preserving")
        assert shown.state.get(Latent).blend == "preserving"


def test_the_class_can_be_chosen_only_where_there_are_classes():
    with show("latent", network=stylegan2_facts()) as shown:
        shown.ui.choose("Latent.class_index", 3)
        assert shown.state.get(Latent).class_index == 3
    with show("latent", network=alias_free_facts()) as shown:
        assert shown.ui.item("Latent.class_index").disabled


def test_bookmarks_are_visited_forgotten_and_added_once():
    with show("latent", settings=Settings(bookmarks=((1.0, 0.0), (4.5, 2.0)))) as shown:
        shown.ui.click("Latent.bookmark")
        assert shown.commands == [commands.Bookmark()]
        shown.ui.click("Latent.bookmark.1")
        assert shown.state.get(Latent) == Latent(x=4.5, y=2.0)
        assert shown.ui.item("Latent.bookmark").disabled  # here is a bookmark already
        shown.ui.click("Latent.forget.0")
        assert shown.commands[-1] == commands.ChangeSettings((("bookmarks", ((4.5, 2.0),)),))


def test_halves_go_up_and_places_have_names():
    assert [nearest(v) for v in (2.5, 1.5, -0.5, 0.49)] == [3, 2, 0, 0]
    assert place_text(7.0, 1.0) == "seed 107"
    assert place_text(2.75, -1.0) == "seed −97  −0.25 +0.00"
