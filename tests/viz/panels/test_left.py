"""Style mix, truncation and noise: what each control edits, and which are really disabled."""

from tests.viz.panels.shown import alias_free_facts, show, stylegan2_facts
from viz.panels.mixing import row_help
from viz.state import Mixing, MixingMotion, Noise, NoiseMotion, Truncation, ViewState

R, SG2 = alias_free_facts(), stylegan2_facts()


def test_a_row_is_ticked_and_unticked():
    with show("mixing", network=R) as shown:
        shown.ui.click("Mixing.rows.3")
        shown.ui.click("Mixing.rows.1")
        assert shown.state.get(Mixing).rows == (1, 3)
        shown.ui.click("Mixing.rows.3")
        assert shown.state.get(Mixing).rows == (1,)


def test_rows_of_a_larger_network_are_kept():
    with show("mixing", ViewState().edit(Mixing, rows=(2, 40)), network=R) as shown:
        shown.ui.click("Mixing.rows.0")
        assert shown.state.get(Mixing).rows == (0, 2, 40)


def test_presets_of_rows():
    with show("mixing", network=R) as shown:
        for name, rows in (("all", range(12)), ("coarse", range(6)), ("fine", range(6, 12)), ("none", ())):
            shown.ui.click(f"Mixing.{name}")
            assert shown.state.get(Mixing).rows == tuple(rows), name
            assert shown.ui.item(f"Mixing.{name}").disabled, name


def test_a_row_says_which_layer_it_feeds():
    assert row_help(R, 0) == "Row 0 of ws feeds input."
    assert row_help(R, 1) == "Row 1 of ws feeds L0_36_96."
    assert row_help(SG2, 5) == "Row 5 of ws."


def test_mixing_seed_and_animation():
    with show("mixing", network=R) as shown:
        shown.ui.set("Mixing.seed", 4_000_000_000)
        shown.ui.click("MixingMotion.on")
        assert shown.state.get(Mixing).seed == 4_000_000_000
        assert shown.state.get(MixingMotion).on
        shown.ui.menu("Mixing.seed", "Reset to default")
        assert shown.state.get(Mixing).seed == 1000


def test_truncation_is_typed_and_clamped():
    with show("truncation", network=R) as shown:
        shown.ui.set("Truncation.psi", 0.7)
        assert shown.state.get(Truncation).psi == 0.7
        shown.ui.set("Truncation.psi", 55)
        assert shown.state.get(Truncation).psi == 2.0
        shown.ui.menu("Truncation.psi", "Reset to default")
        assert shown.state.get(Truncation).psi == 1.0


def test_all_rows_are_truncated_also_in_the_next_network():
    with show("truncation", network=R) as shown:
        shown.ui.set("Truncation.cutoff", 4)
        assert shown.state.get(Truncation).cutoff == 4
        shown.ui.set("Truncation.cutoff", 12)
        assert shown.state.get(Truncation).cutoff == -1
        shown.context.network = SG2  # six rows: still all
        shown.ui.frames(3)
        assert shown.state.get(Truncation).cutoff == -1
        shown.ui.set("Truncation.cutoff", 0)
        shown.ui.menu("Truncation.cutoff", "Reset to default")
        assert shown.state.get(Truncation).cutoff == -1


def test_noise_cannot_be_touched_where_there_is_none():
    state = ViewState().edit(Noise, mode="random")
    with show("truncation", state, network=R) as shown:
        for name in ("Noise.mode.none", "NoiseMotion.on", "Noise.seed", "NoiseMotion.seeds_per_s"):
            assert shown.ui.item(name).disabled, name
            shown.ui.click(name)
        assert shown.state is state


def test_noise_is_drawn_from_a_seed_and_animated():
    with show("truncation", network=SG2) as shown:
        assert shown.ui.item("Noise.seed").disabled and shown.ui.item("NoiseMotion.on").disabled
        shown.ui.click("Noise.mode.random")
        shown.ui.set("Noise.seed", 17)
        shown.ui.click("NoiseMotion.on")
        assert shown.state.get(Noise) == Noise("random", 17)
        assert shown.state.get(NoiseMotion).on
