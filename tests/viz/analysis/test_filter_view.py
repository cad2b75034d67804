"""Filters as the network holds them: golden taps, responses known in closed form, the layers' curves, and a click on one."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from gui_utils.libraries import imgui, implot
from networks.build import build
from networks.configs import rung
from networks.filters import Lowpass, design, kaiser_attenuation_db
from networks.layer_rule import layer_specs
from tests.networks.agreement import GOLDEN, golden_arrays
from tests.networks.test_specs import golden_config
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from viz.analysis import filter_view
from viz.analysis.filter_responses import FLOOR_DB, PLANE, axis_response, flexible_layers, response_of
from viz.request import OverlayResult, RenderRequest
from viz.state import Filters, Source, Tap, ViewState

SPECS = json.loads((GOLDEN / "layer_specs.json").read_text())
TINY_R = ViewState().put(Source(str(GOLDEN / "tiny_r.pkl"))).edit(Filters, on=True)
TINY_SG2 = ViewState().put(Source(str(GOLDEN / "tiny_sg2.pkl"))).edit(Filters, on=True)
KAISER = Lowpass(support=6, factor=2, cutoff=5.0, half_width=3.0, sampling_rate=32)


def designed(lowpass):
    taps = design(lowpass)
    return response_of(lowpass, taps, taps)


def shown_filters(pipeline, view):
    frame = pipeline.render(RenderRequest(1, view))
    frame = [frame, *pipeline.refine(frame)][-1]
    result = frame.overlays[filter_view.NAME]
    assert result.error is None and result.fraction == 1
    return result.values, frame


# ---------------------------------------------------------------------------------------------------- responses


def test_a_box_has_the_response_of_a_box():
    box = design(replace(KAISER, window="nearest"))
    found = response_of(replace(KAISER, window="nearest"), box, box)
    expected = np.abs(np.cos(np.pi * found.frequency / 32))  # two taps of a half
    assert np.allclose(10 ** (found.axis_db / 20), np.maximum(expected, 10 ** (FLOOR_DB / 20)), atol=1e-9)


def test_the_gain_is_a_half_at_the_cutoff_and_the_attenuation_is_what_the_formula_allows():
    found = designed(KAISER)
    assert found.at_cutoff_db == pytest.approx(-6.02, abs=0.25)
    assert found.attenuation_db == pytest.approx(kaiser_attenuation_db(KAISER), abs=4)
    assert found.axis_db[0] == pytest.approx(0, abs=1e-9)


def test_the_attenuation_counts_the_very_edge_of_the_stopband():
    """There a response is often at its worst, and its samples lie beside it."""
    spec = layer_specs(rung("T", 64, num_layers=10))[8]
    found = designed(spec.down_lowpass)
    fine = np.linspace(found.stopband, spec.tmp_sampling_rate / 2, 100_001)
    worst = np.abs(axis_response(found.profile, fine, spec.tmp_sampling_rate)).max()
    assert found.attenuation_db == pytest.approx(-20 * math.log10(worst), abs=0.02)


def test_where_the_transition_ends_beyond_the_rate_nothing_is_attenuated():
    found = designed(replace(KAISER, half_width=12.0))
    assert found.attenuation_db is None
    assert "—" in filter_view.design_texts(found)[5]


def test_the_response_in_two_dimensions_agrees_with_a_padded_transform():
    radial = replace(KAISER, radial=True)
    found = designed(radial)
    spectrum = np.abs(np.fft.fftshift(np.fft.fft2(found.taps, (PLANE - 1, PLANE - 1))))
    assert np.allclose(10 ** (found.plane_db[:-1, :-1] / 20), np.maximum(spectrum, 10 ** (FLOOR_DB / 20)), atol=1e-9)


def test_a_radial_filter_does_along_the_diagonal_what_it_does_along_the_axis_and_a_separable_one_does_not():
    band = slice(0, 300)  # above -40 dB
    radial, separable = designed(replace(KAISER, radial=True)), designed(KAISER)
    spread = [np.abs(10 ** (f.axis_db / 20) - 10 ** (f.diagonal_db / 20))[band].max() for f in (radial, separable)]
    assert spread[0] < 0.05 < 0.1 < spread[1]


def test_taps_that_are_not_the_designed_ones_are_noticed():
    taps = design(KAISER)
    other = taps.copy()
    other[3] *= 1.01
    assert filter_view.design_texts(response_of(KAISER, taps.astype(np.float32).astype(float), taps))[-1] == "as designed"
    assert filter_view.design_texts(response_of(KAISER, other, taps))[-1] != "as designed"


# ---------------------------------------------------------------------------------------------------- the network's


@pytest.mark.parametrize("name", ["t64", "r256", "t256_filter_size=8", "t256_lrelu_upsampling=1", "r256_lrelu_upsampling=4"])
def test_the_taps_shown_are_the_golden_ones(name):
    golden, arrays = SPECS[name]["layers"], golden_arrays("filters")
    network = build(golden_config(SPECS[name]), seed=None)
    found = filter_view.filters_of(network)
    for layer, expected in zip(found.layers, golden, strict=True):
        for shown, key in ((layer.up, "up_filter"), (layer.down, "down_filter")):
            assert (shown is None) == (expected[key] is None)
            if shown is not None:
                assert np.allclose(shown.taps, arrays[expected[key]], atol=1e-6 * np.abs(arrays[expected[key]]).max())
                assert shown.deviation < filter_view.SAME


def test_the_curves_of_the_layers_are_the_ones_of_the_paper():
    """T at 1024 px: the cutoffs are those of its figure 4c, and what is asked for lies at or below what the filter does."""
    curves = flexible_layers(layer_specs(rung("T", 1024)))
    assert curves.cutoff[[0, 1, 6, 12, 14]] == pytest.approx([2, 3.17, 32, 512, 512], rel=0.01)
    assert list(curves.sampling_rate) == [16, 16, 32, 32, 64, 128, 128, 256, 256, 512, 1024, 1024, 1024, 1024, 1024]
    assert (curves.stopband <= curves.filter_stopband + 1e-9).all() and (curves.cutoff < curves.stopband).all()


def test_filters_are_computed_once_per_network(pipeline):
    values, frame = shown_filters(pipeline, TINY_R)
    assert len(values.layers) == len([tap for tap in frame.network.taps if tap.spec is not None])
    again = pipeline.render(RenderRequest(2, TINY_R.edit(Tap, layer="input")))
    assert again.overlays[filter_view.NAME].values is values


def test_a_network_without_designed_filters_says_so(pipeline):
    values, frame = shown_filters(pipeline, TINY_SG2)
    assert values is None
    with show(filter_view.PANEL, TINY_SG2, network=frame.network, frame=frame) as shown:
        shown.ui.frames(2)
        assert shown.changed_frames == 0


# ---------------------------------------------------------------------------------------------------- control


def test_the_switch_starts_it():
    with show(filter_view.PANEL, network=alias_free_facts()) as shown:
        shown.ui.click("Filters.on")
        assert shown.state == ViewState().edit(Filters, on=True)


def test_a_click_on_the_curves_chooses_a_layer(pipeline):
    values, frame = shown_filters(pipeline, TINY_R)
    facts = frame.network
    frame = replace(frame_of(facts), overlays={filter_view.NAME: OverlayResult(values)})
    places = []
    original = implot.end_plot

    def end():
        at = implot.plot_to_pixels(3.0, float(np.log2(values.curves.cutoff[3])))
        places.append((at.x, at.y))
        original()

    with show(filter_view.PANEL, TINY_R, network=facts, frame=frame) as shown:
        implot.end_plot = end
        try:
            places.clear()
            shown.ui.frames(1)
        finally:
            implot.end_plot = original
        shown.ui.click_at(places[0])
        assert shown.state.get(Tap).layer == values.curves.names[3]


def test_the_axis_response_of_one_tap_is_flat():
    assert np.allclose(axis_response(np.array([1.0]), np.linspace(0, 8, 5), 16), 1)


def test_the_cursor_reads_taps_levels_and_both_directions_of_the_layer_looked_at(pipeline, monkeypatch):
    """Over the layers' curves, the taps, the responses, and the plane, in which the radial filter is as low at 45 degrees."""
    view = TINY_R.edit(Tap, layer="L3_52_16")
    values, frame = shown_filters(pipeline, view)
    layer = next(each for each in values.layers if each.spec.name == "L3_52_16")
    frame = replace(frame_of(frame.network, view), overlays={filter_view.NAME: OverlayResult(values)})
    reads, drawn = [], {}
    image = lambda name, pixels: (drawn.update({name: pixels}), imgui.ImTextureRef(1))[1]  # noqa: E731
    monkeypatch.setattr(filter_view.plots, "cursor_text", reads.append)
    with show(filter_view.PANEL, view, network=frame.network, frame=frame, image=image) as shown:
        reads.clear()
        shown.ui.frames(1)
        over_layers, taps, responses, plane = reads
        assert over_layers(2.6, 0.0).startswith("L3_52_16") and over_layers(99.0, 0.0) == "—"
        positions, down = layer.down.lowpass.positions(), layer.down
        for index in (0, 5, len(positions) - 1):
            tap = float(taps(float(positions[index]) + 0.1 / down.lowpass.factor, 0.0).splitlines()[1].split()[-1].replace("−", "-"))
            assert tap == pytest.approx(down.profile[index], rel=0.01)
        cutoff, stopband, edge = down.lowpass.cutoff, down.stopband, down.lowpass.sampling_rate / 2
        said = responses(cutoff, 0.0).splitlines()
        assert said[2].startswith("down: ") and level(said[2]) == pytest.approx(down.at_cutoff_db, abs=0.1)
        assert responses(1.1 * edge, 0.0).splitlines()[2] == "down: —"
        assert drawn[filter_view.NAME].shape[:2] == down.plane_db.shape
        assert level(plane(0.0, 0.0)) == pytest.approx(0.0, abs=0.1)
        straight, oblique = (level(plane(*at)) for at in ((cutoff, 0.0), (-cutoff / math.sqrt(2), cutoff / math.sqrt(2))))
        assert straight == pytest.approx(down.at_cutoff_db, abs=0.5) and oblique == pytest.approx(straight, abs=0.5)
        assert level(plane(0.0, stopband)) < -30 and plane(1.2 * edge, 0.0).endswith("—")


def level(text):
    """The number of decibels at the end of a text."""
    return float(text.split()[-2].replace("−", "-"))
