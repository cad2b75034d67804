"""Layers and channels: selecting, stepping within the layer, contact sheets, tone."""

from dataclasses import replace

import numpy as np

from gui_utils.libraries import imgui
from tests.viz.panels.shown import alias_free_facts, frame_of, show, stylegan2_facts
from viz.canvas import contact_sheet
from viz.panels.channels import divided_text, shown_text
from viz.panels.layers import column_text, fitted, layer_rows, measured_columns
from viz.panels.parts import significant
from viz.request import LayerColumn, OverlayResult, Picture, Statistics
from viz.state import Channels, HeldRange, Tap, Tone, ViewState

R = alias_free_facts()
LAYER = ViewState().edit(Tap, layer="L6_84_96")


def test_a_click_selects_a_layer():
    with show("layers", network=R) as shown:
        shown.ui.click("Tap.layer.L3_52_96")
        assert shown.state.get(Tap).layer == "L3_52_96"
        shown.ui.click("Tap.layer.output")
        assert shown.state == ViewState()  # the picture has no name of its own, so that it is the picture of any network
        shown.ui.click("Tap.layer.output")
        assert shown.state == ViewState()


def test_the_table_of_layers_shows_whole_rows_and_gives_the_room_of_its_hint_where_that_is_enough():
    """13 rows and headings of 22 px; the hint is 40 px high."""
    assert fitted(14 * 22 + 40, 40, 22, 13, 0) == (True, 14 * 22)
    assert fitted(14 * 22 + 39, 40, 22, 13, 0) == (False, 14 * 22 + 39)
    assert fitted(14 * 22 - 1, 40, 22, 13, 0) == (True, 12 * 22)
    assert fitted(14 * 22 - 1, 40, 22, 13, 11) == (True, 11 * 22 + 11)
    assert fitted(5 * 22, 40, 22, 13, 0) == (False, 5 * 22)


def test_the_selected_layer_comes_into_view_and_no_row_is_cut():
    def rows(shown):
        table = imgui.internal.find_window_by_name(shown.ui.item("Tap.layer.L10_64_3").window)
        line = imgui.get_text_line_height() + 2 * imgui.get_style().cell_padding.y
        return table.scroll.y / line, (table.size.y - table.scrollbar_sizes.y) / line

    with show("layers", network=R) as shown:
        shown.size_em = (22.0, 12.0)
        shown.ui.frames(2)
        shown.state = shown.state.edit(Tap, layer="L7_84_91")
        shown.ui.frames(4)
        first, visible = rows(shown)
        assert first > 0 and first == round(first) and visible == round(visible)
        shown.state = shown.state.edit(Tap, layer="input")
        shown.ui.frames(4)
        assert rows(shown)[0] == 0


def test_a_layer_that_this_network_does_not_have_shows_the_picture():
    state = ViewState().edit(Tap, layer="b8.conv1")
    with show("layers", state, network=R) as shown:
        assert shown.state is state
        shown.ui.click("Tap.layer.input")
        assert shown.state.get(Tap).layer == "input"


def test_rows_of_the_table():
    rows = {row[0]: row[1:] for row in layer_rows(R)}
    assert rows["input"] == ("36", "96", "16", "2.0", "10", "f32")
    assert rows["L6_84_96"] == ("84", "96", "64", "16.0", "10", "f16")
    assert rows["output"] == ("64", "3", "64", "32.0", "—", "f32")
    assert {row[0]: row[4] for row in layer_rows(stylegan2_facts())}["b8.conv1"] == "—"


def test_measurements_add_columns_of_their_own():
    """In the order of the measurements' names, whichever answered first; a layer without a number has an em dash."""
    column = LayerColumn("EQ, dB", "Of this pose.", {"input": 52.04, "L0_36_96": None})
    results = {
        "out of band": OverlayResult(columns=(LayerColumn("folded", "", {"input": -90.0}),)),
        "by layer": OverlayResult(columns=(column,)),
    }
    frame = frame_of(R, overlays=results)
    assert [c.heading for c in measured_columns(frame)] == ["EQ, dB", "folded"]
    assert [column_text(column, name) for name in ("input", "L0_36_96", "L1_36_96")] == ["52.0", "—", "—"]
    with show("layers", network=R, frame=frame) as shown:
        assert shown.ui.item("EQ, dB") and shown.ui.item("folded")
        shown.ui.click("Tap.layer.L3_52_96")
        assert shown.state.get(Tap).layer == "L3_52_96"


def test_channels_are_stepped_within_the_layer():
    with show("channels", LAYER, network=R) as shown:
        assert shown.ui.item("Channels.previous").disabled
        shown.ui.click("Channels.next")
        assert shown.state.get(Channels).first == 1
        shown.ui.set("Channels.first", 500)
        assert shown.state.get(Channels).first == 93  # 93, 94, 95 are the last three of 96
        assert shown.ui.item("Channels.next").disabled
        shown.ui.click("Channels.previous")
        assert shown.state.get(Channels).first == 92
        shown.ui.click("Channels.mode.single")
        shown.ui.set("Channels.first", 500)
        assert shown.state.get(Channels) == Channels("single", 95)


def test_three_free_channels():
    with show("channels", LAYER.edit(Channels, first=5), network=R) as shown:
        shown.ui.click("Channels.free")
        assert shown.state.get(Channels).triple == (5, 6, 7)
        shown.ui.set("Channels.triple.2", 400)
        assert shown.state.get(Channels).triple == (5, 6, 95)
        assert shown.ui.item("Channels.next").disabled
        shown.ui.click("Channels.free")
        assert shown.state.get(Channels) == Channels(first=5)


def test_pages_of_the_contact_sheet():
    with show("channels", LAYER.edit(Channels, mode="sheet"), network=R) as shown:
        assert shown.ui.item("Channels.previous_page").disabled
        shown.ui.click("Channels.next_page")
        assert shown.state.get(Channels).sheet_page == 1
        assert shown.ui.item("Channels.next_page").disabled  # 96 channels are two pages


def test_how_many_channels_a_page_holds():
    for channels, samples, size, pages in ((96, 84 * 84, 64, 2), (512, 1044**2, 15, 35), (3, 9, 3, 1), (1, 0, 1, 1)):
        assert contact_sheet.page_size(channels, samples) == size
        assert contact_sheet.page_count(channels, samples) == pages


def test_tone():
    with show("channels", network=R) as shown:
        shown.ui.set("Tone.gain_db", -6.5)
        shown.ui.set("Tone.offset", 0.5)
        shown.ui.click("Tone.signed.False")
        shown.ui.click("Channels.normalize")
        assert shown.state.get(Tone) == Tone(gain_db=-6.5, offset=0.5, signed=False)
        assert shown.state.get(Channels).normalize
        shown.ui.menu("Tone.gain_db", "Reset to default")
        assert shown.state.get(Tone).gain_db == 0


def test_the_range_of_this_picture_is_held():
    """From the numbers on screen, for these channels of this layer; not for components, and not for other channels."""
    measured = Statistics(0.0, 1.0, 8.0, largest=(8.0, 0.5, 2.25))
    frame = frame_of(R, picture=Picture(np.zeros((84, 84, 3), np.float32), (10, 10, 74, 74), "L6_84_96", (3, 4, 5), 96))
    frame = replace(frame, statistics_shown=measured)
    with show("channels", LAYER, network=R, frame=frame) as shown:
        assert shown.ui.item("HeldRange.on").disabled  # nothing is normalised
        shown.ui.click("Channels.normalize")
        assert divided_text(shown.state, frame) == "8.00, 0.500, 2.25"
        shown.ui.click("HeldRange.on")
        assert shown.state.get(HeldRange) == HeldRange("L6_84_96", (3, 4, 5), (8.0, 0.5, 2.25))
        shown.context.frame = frame = replace(frame, statistics_shown=Statistics(0.0, 1.0, 3.0, largest=(3.0, 1.0, 1.0)))
        assert divided_text(shown.state, frame) == "8.00, 0.500, 2.25 held"
        assert frame.picture is not None
        other = replace(frame, picture=replace(frame.picture, channels=(4, 5, 6)))
        assert divided_text(shown.state, other) == "3.00, 1.00, 1.00"
        shown.ui.click("HeldRange.on")
        assert shown.state.get(HeldRange) == HeldRange()
        shown.ui.click("Channels.mode.pca")
        assert shown.ui.item("HeldRange.on").disabled


def test_colours_are_for_one_channel_and_diverging_ones_have_zero_in_the_middle():
    with show("channels", LAYER, network=R) as shown:
        assert shown.ui.item("Tone.colormap").disabled
        shown.ui.click("Channels.mode.single")
        assert not shown.ui.item("Tone.colormap").disabled
        shown.ui.choose("Tone.colormap", "diverging")
        assert shown.state.get(Tone).colormap == "diverging"
        assert shown.ui.item("Tone.signed.False").disabled


def test_what_is_on_screen():
    frame = frame_of(R)
    assert frame.picture is not None
    assert shown_text(frame) == "0, 1, 2 of 3"
    sheet = Picture(frame.picture.values, (0, 0, 1, 1), channels=tuple(range(64, 96)), total_channels=96, grid=6)
    assert shown_text(frame_of(R, picture=sheet)) == "64 – 95 of 96"
    assert shown_text(None) == "—"


def test_significant_digits():
    values = (0.0, -1.23456, 123.456, 0.00012345, 1e-9, float("nan"), None)
    assert [significant(v) for v in values] == ["0.000", "−1.235", "123.5", "0.0001234", "1.000e−09", "—", "—"]
