"""The spectrum panel and the arrays it draws."""

import numpy as np
import pytest

from gui_utils.libraries import imgui
from gui_utils.tone import colormap_table
from tests.viz.panels.shown import alias_free_facts, frame_of, show, spectrum_of
from viz.panels import spectrum_math as sm
from viz.panels.spectrum import marks, read_out
from viz.state import Spectrum, SpectrumView, ViewState

R = alias_free_facts()
ON = ViewState().edit(Spectrum, on=True)


def test_while_it_is_off_only_its_switch_acts():
    with show("spectrum", network=R) as shown:
        for name in ("Spectrum.beta", "Spectrum.all_channels.False", "SpectrumView.range_db", "SpectrumView.colormap"):
            assert shown.ui.item(name).disabled, name
        shown.ui.click("Spectrum.on")
        assert shown.state == ON
        assert not shown.ui.item("Spectrum.beta").disabled


def test_options():
    with show("spectrum", ON, network=R, frame=frame_of(R, spectrum=spectrum_of())) as shown:
        shown.ui.set("Spectrum.beta", 3.5)
        shown.ui.click("Spectrum.all_channels.False")
        shown.ui.set("SpectrumView.range_db", 20)
        shown.ui.click("SpectrumView.absolute.True")
        shown.ui.click("SpectrumView.circles")
        shown.ui.choose("SpectrumView.colormap", "magma")
        assert shown.state.get(Spectrum) == Spectrum(on=True, all_channels=False, beta=3.5)
        assert shown.state.get(SpectrumView) == SpectrumView(20.0, True, False, "magma")


def test_the_picture_is_computed_once_for_each_spectrum_and_view():
    arrays = []

    def image(name, pixels):
        arrays.append(pixels)
        return imgui.ImTextureRef(1)

    with show("spectrum", ON, network=R, frame=frame_of(R, spectrum=spectrum_of()), image=image) as shown:
        shown.ui.frames(5)
        assert len(arrays) >= 5 and len({id(a) for a in arrays}) == 1
        shown.state = shown.state.edit(SpectrumView, range_db=10.0)
        shown.ui.frames(2)
        assert arrays[-1] is not arrays[0] and not np.array_equal(arrays[-1], arrays[0])
        changed = arrays[-1]
        shown.context.frame = frame_of(R, spectrum=spectrum_of(power=np.full((64, 64), 2.0, np.float32)))
        shown.ui.frames(2)
        assert arrays[-1] is not changed


def test_own_mean_or_absolute():
    spectrum = spectrum_of(power=np.full((8, 8), 100.0, np.float32), axis=np.arange(-4.0, 4.0), mean_power=100.0)
    assert np.allclose(sm.make_map(spectrum, SpectrumView(), 64).db, 0)
    assert np.allclose(sm.make_map(spectrum, SpectrumView(absolute=True), 64).db, 20)


def test_an_empty_layer_is_drawn_as_nothing():
    spectrum = spectrum_of(power=np.zeros((8, 8), np.float32), axis=np.arange(-4.0, 4.0), mean_power=0.0)
    assert np.isfinite(sm.make_map(spectrum, SpectrumView(), 64).db).all()


def test_the_colours_follow_the_published_rule():
    """Position (dB / range + 1) / 2 of the colormap: clipped below, the middle at 0 dB, the end at +range."""
    db = np.array([[-80.0, -50.0, 0.0, 25.0, 50.0, 90.0]], np.float32)
    expected = colormap_table("viridis")[np.array([0, 0, 128, 192, 256, 256])] * 255
    assert np.abs(sm.colors(db, 50.0, "viridis")[0].astype(float) - expected).max() <= 2
    ends = np.round(colormap_table("viridis")[[0, 0, 256]] * 255).astype(np.uint8)
    assert np.array_equal(sm.colors(np.array([[np.nan, -1e6, 1e6]]), 50.0, "viridis")[0], ends)


def test_frequencies_lie_where_the_cursor_reads_them():
    levels = sm.make_map(spectrum_of(64), SpectrumView(absolute=True), 1024)
    assert levels.at(5, -3) == pytest.approx(30)
    assert levels.at(5, 3) == pytest.approx(0)
    assert levels.at(-40, 0) is None and levels.at(0, 31.6) is None
    assert None not in [levels.at(x, y) for x in (-32.5, 31.4) for y in (-32.5, 31.4)]
    assert {levels.at(31.5, 0), levels.at(0, 31.5), levels.at(-32.6, 0), levels.at(0, -32.6)} == {None}
    assert levels.x == (-32.5, 31.5) and levels.up == (-31.5, 32.5)
    assert read_out(5.0, 3.0, levels) == "5.8 cycles / image\n→ 5.0  ↑ 3.0   30.0 dB"


def test_a_coarser_map_keeps_frequencies_in_their_places():
    power = np.full((64, 64), 1e-6, np.float32)
    power[32, 62] = 900.0
    levels = sm.make_map(spectrum_of(64, power=power), SpectrumView(absolute=True), 30)
    assert levels.db.shape == (22, 22) and levels.x == (-32.5, 33.5)  # the last cells have one bin of three
    assert [levels.at(f, 0) > 0 for f in (27, 28, 30, 31)] == [False, True, True, False]


def test_a_coarser_map_keeps_the_power():
    power = np.random.default_rng(0).random((50, 50)).astype(np.float32)
    small = sm.pooled(power, 8)
    assert small.shape == (7, 7)
    counts = np.minimum(8, 50 - 8 * np.arange(7))
    assert (small * counts[:, None] * counts).sum() == pytest.approx(power.sum(), rel=1e-5)
    assert sm.make_map(spectrum_of(64), SpectrumView(), 20).db.shape == (16, 16)


def test_the_profile_is_the_mean_over_circles():
    axis = np.arange(-32.0, 32.0)
    radius = np.floor(np.hypot(axis, axis[:, None]) + 0.5)
    radii, means = sm.radial_profile(spectrum_of(64, power=(radius + 1).astype(np.float32)))
    assert np.allclose(radii, np.arange(33))
    assert np.allclose(means, radii + 1)


def test_the_profile_of_a_layer_with_margins_is_in_cycles_per_image():
    """36 samples at 16 per width: bins are 16 / 36 cycles per image apart."""
    axis = (np.arange(36) - 18) * 16 / 36
    radii, means = sm.radial_profile(spectrum_of(36, axis=axis, power=np.ones((36, 36), np.float32)))
    assert radii[1] == pytest.approx(16 / 36) and radii[-1] == pytest.approx(8)
    assert np.allclose(means, 1)


def test_marks():
    assert [(m[0], m[1]) for m in marks(spectrum_of(64))] == [(16, "f_c"), (64 / 3, "f_t"), (32, "s/2")]
    assert [m[1] for m in marks(spectrum_of(64, cutoff=32.0, stopband=39.4))] == ["f_c = s/2", "f_t"]
    assert [m[1] for m in marks(spectrum_of(64, cutoff=None, stopband=None))] == ["s/2"]


def test_the_scale_has_the_colours_of_the_map_and_they_are_worked_out_once(monkeypatch):
    from viz.panels import spectrum as panel

    for colormap in panel.COLORMAPS:
        found = panel.steps_of(colormap)
        levels = (2 * (np.arange(panel.STEPS) + 0.5) / panel.STEPS - 1) * 50.0
        assert np.allclose(255 * np.array(found), sm.colors(levels, 50.0, colormap))
    asked, colors = [], sm.colors
    monkeypatch.setattr(panel, "colors", lambda *args: (asked.append(args), colors(*args))[1])
    with show("spectrum", ON, network=R, frame=frame_of(R, spectrum=spectrum_of())) as shown:
        shown.ui.frames(10)
    assert not asked
