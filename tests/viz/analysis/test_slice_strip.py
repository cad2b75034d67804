"""The slice in the window: which pictures give a line, what begins anew, and what is saved."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gui_utils.libraries import imgui
from gui_utils.tone import ToneMap, tone_map
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from viz.analysis import slice_strip as ss
from viz.analysis.slice import ENOUGH, ScanLine, streak_score
from viz.commands import SaveMeasurement
from viz.figures.figure import Axis, ticks
from viz.request import Picture
from viz.state import BreakIt, Edit, EditActivations, OverlayView, Slice, StateError, Tone, ViewState

R = alias_free_facts()
ON = ViewState().edit(Slice, on=True)


def picture(row_shift=0, **changes):
    """A horizontal bar of four rows at the centre, moved down by some rows."""
    values = np.zeros((64, 64, 3), np.float32)
    values[30 + row_shift : 34 + row_shift] = 1
    return replace(Picture(values, (0, 0, 64, 64), "output", (0, 1, 2), 3), **changes)


def test_no_line_of_a_view_is_longer_than_a_texture_is_wide():
    """A line of 690 image widths came from a saved view; found by the proof of endurance after 15,301 actions."""
    with pytest.raises(StateError, match=r"Slice\.x0"):
        ViewState.from_json(ViewState().edit(Slice, x0=-690.0).to_json())
    longest = ViewState.from_json(ViewState().edit(Slice, x0=-2, y0=-2, x1=2, y1=2).to_json()).get(Slice)
    assert len(ScanLine(longest.x0, longest.y0, longest.x1, longest.y1).read(np.zeros((2048, 2048, 1), np.float32))) < 16384


def test_every_new_picture_adds_a_line_and_drawing_it_again_does_not():
    collected = ss.Collected()
    for shift in (0, 4, 8):
        shown = picture(shift)
        for _ in range(3):
            collected.see(Slice(on=True), shown)
    assert collected.values.shape == (19, 3, 3)
    middles = [np.flatnonzero(collected.values[:, i, 0] > 0.5).mean() for i in range(3)]
    assert np.diff(middles) == pytest.approx([4, 4], abs=0.5)


def test_another_line_or_layer_begins_anew_and_a_contact_sheet_has_none():
    collected = ss.Collected()
    collected.see(Slice(on=True), None)
    collected.see(Slice(on=True), picture())
    collected.see(Slice(on=True), shown := picture())
    assert len(collected.strip) == 2
    collected.see(Slice(on=True, x0=0.1, x1=0.1), shown)
    assert (len(collected.strip), collected.line.x0) == (1, 0.1), "of the same picture"
    collected.see(Slice(on=True, x0=0.1, x1=0.1), picture(channels=(0, 1, 1)))
    assert len(collected.strip) == 1
    collected.see(Slice(on=True, x0=0.1, x1=0.1), picture(tap="L3"))
    assert len(collected.strip) == 1
    collected.see(Slice(on=True, x0=0.1, x1=0.1), picture(grid=2))
    assert len(collected.strip) == 1


def test_another_network_begins_anew():
    """Of the same resolution, with the same layers: the strip, and its score, were of both."""
    one, other = R, replace(R, sha256="fedcba9876543210" * 4)
    with show(ss.PANEL, ON, network=one, frame=frame_of(one, picture=picture()), image=lambda *_: imgui.ImTextureRef(1)) as shown:
        shown.ui.frames(2)
        shown.context.frame = frame_of(one, picture=picture(2))
        shown.ui.frames(2)
        assert len(shown.context.scratch["slice"].strip) == 2
        shown.context.network, shown.context.frame = other, frame_of(other, picture=picture(4))
        shown.ui.frames(2)
        assert len(shown.context.scratch["slice"].strip) == 1


def test_a_network_that_is_broken_or_edited_meanwhile_begins_anew():
    """Its detail sticks in another way: one score for both would be of neither."""
    off = ViewState().put(EditActivations((Edit(layers=("L3",), amount=0.0),)))
    broken = ViewState().put(BreakIt(upsampling=1))
    with show(ss.PANEL, ON, network=R, frame=frame_of(R, picture=picture()), image=lambda *_: imgui.ImTextureRef(1)) as shown:
        for rows, view in enumerate((ViewState(), ViewState(), broken, broken, broken, off), start=1):
            shown.context.frame = frame_of(R, view, picture=picture(rows))
            shown.ui.frames(2)
            shown.context.scratch.setdefault("lengths", []).append(len(shown.context.scratch["slice"].strip))
        assert shown.context.scratch["lengths"] == [2, 3, 1, 2, 3, 1]


def test_a_layer_with_margins_is_read_in_image_coordinates():
    values = np.zeros((84, 84, 3), np.float32)
    values[42:] = 1  # the lower half of the image too
    collected = ss.Collected()
    collected.see(Slice(on=True, y0=-0.25, y1=0.25), picture(values=values, frame_rect=(10, 10, 74, 74)))
    line = collected.values[:, 0, 0]
    assert len(line) == 32 and line[:15].max() == 0 and line[17:].min() == 1


def test_streaks_score_high_and_strands_low_but_a_few_lines_nothing():
    rng = np.random.default_rng(0)
    texture = rng.standard_normal((64, 64, 1)).astype(np.float32)
    line = Slice(on=True, y0=-0.4, y1=0.4)
    stuck, moving = ss.Collected(), ss.Collected()
    for i in range(30):
        stuck.see(line, picture(values=texture.copy()))
        assert (stuck.score() is None) == (i + 1 < ENOUGH)
        moving.see(line, picture(values=np.roll(texture, i, axis=0)))
    assert stuck.score() > 0.99 and moving.score() < 0.1
    assert moving.score() == streak_score(moving.values, length=0.8, low=64 / 8)


def test_the_panel_collects_while_it_is_on_and_does_nothing_else():
    arrays = []

    def image(name, pixels):
        arrays.append(pixels)
        return imgui.ImTextureRef(1)

    with show(ss.PANEL, ON, network=R, frame=frame_of(R, picture=picture()), image=image) as shown:
        shown.ui.frames(5)
        collected = shown.context.scratch["slice"]
        assert len(collected.strip) == 1 and len({id(a) for a in arrays}) == 1
        shown.context.frame = frame_of(R, picture=picture(2))
        shown.ui.frames(3)
        assert collected.values.shape[1] == 2 and arrays[-1].shape == (19, 2, 3)
        shown.state = shown.state.edit(OverlayView, opacity=0.5)
        shown.ui.frames(2)
        assert len(collected.strip) == 2
        shown.ui.click("Slice.on")
        drawn, shown.context.frame = len(arrays), frame_of(R, picture=picture(3))
        shown.ui.frames(2)
        assert len(collected.strip) == 2 and len(arrays) == drawn and not shown.state.get(Slice).on
        shown.context.frame, shown.state = None, ON
        shown.ui.frames(2)
        assert len(collected.strip) == 2 and len(arrays) == drawn + 2
        shown.context.frame = frame_of(R, picture=picture(2))
        shown.ui.click("Slice.clear")
        assert len(collected.strip) <= 1, "only what is still on screen"


def test_of_a_line_that_ends_where_it_begins_nothing_can_be_saved():
    with show(ss.PANEL, ON.put(Slice(True, 0.1, 0.1, 0.1, 0.1)), network=R, frame=frame_of(R, picture=picture())) as shown:
        shown.ui.frames(2)
        assert shown.ui.item("Slice.export").disabled and len(shown.context.scratch["slice"].strip)


def test_over_a_contact_sheet_the_panel_says_why_no_line_is_added(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(ss, "wrapped_text", said.append)
    with show(ss.PANEL, ON, network=R, frame=frame_of(R, picture=picture(grid=2))) as shown:
        shown.ui.frames(1)
        assert set(said) == {ss.SHEET}


def test_what_is_saved_has_axes(tmp_path):
    collected = ss.Collected()
    for shift in range(10):
        collected.see(Slice(on=True), picture(shift))
    command = ss.export(collected, Tone())
    assert isinstance(command, SaveMeasurement)
    assert command.arrays["values"].shape == (19, 10, 3)
    assert command.arrays["position"][[0, -1]] == pytest.approx([-0.15 + 0.15 / 19, 0.15 - 0.15 / 19])
    assert command.arrays["line"].tolist() == [0.0, -0.15, 0.0, 0.15]
    assert command.arrays["picture"].tolist() == list(range(10)) and command.arrays["stuck"] == collected.score()
    pixels = command.figure()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert pixels.dtype == np.uint8 and pixels.shape[0] > 240 and (pixels == 255).mean() > 0.1


def test_a_strip_is_drawn_as_the_picture_is_and_a_short_one_has_no_score():
    collected = ss.Collected()
    collected.see(Slice(on=True), picture(values=np.full((64, 64, 1), 0.5, np.float32)))
    tone = Tone(gain_db=-6.0, signed=False, colormap="magma")
    expected = tone_map(np.full((1, 1, 1), 0.5), ToneMap.from_db(-6.0, offset=tone.offset, signed=False, colormap="magma"))
    assert (expected != tone_map(np.full((1, 1, 1), 0.5), ToneMap.from_db(-6.0, signed=True, colormap="magma"))).any()
    assert (ss.pixels_of(collected.values, tone) == expected).all()
    assert (ss.pixels_of(np.full((4, 4, 3), 0.5), tone) != expected).any() and np.isnan(ss.export(collected, tone).arrays["stuck"])


def test_figures_put_ticks_where_the_numbers_are():
    assert ticks(Axis("", 0, 512)) == (0, 100, 200, 300, 400, 500)
    assert ticks(Axis("", -0.15, 0.15)) == pytest.approx((-0.15, -0.1, -0.05, 0, 0.05, 0.1, 0.15))
    assert ticks(Axis("", 3, 3)) == (3,)
