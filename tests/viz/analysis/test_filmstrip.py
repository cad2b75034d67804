"""The filmstrip: every layer registered to the image, one region and one cursor for all, a click that taps."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gui_utils.libraries import imgui
from tests.viz import asked
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from tests.viz.test_app import Running
from viz.analysis import filmstrip
from viz.analysis.filmstrip import LARGEST, Cell, Region, as_colors, as_picture, region_of
from viz.canvas import shared_cursor
from viz.request import OverlayResult, RenderRequest
from viz.state import Channels, Filmstrip, Tap, ViewState

TINY_R = asked.TINY_R.edit(Filmstrip, on=True)
TINY_SG2 = asked.TINY_SG2.edit(Filmstrip, on=True)
FACTS = alias_free_facts()


def steps(pipeline, view):
    frame = pipeline.render(RenderRequest(1, view))
    found = [(f, f.overlays[filmstrip.NAME]) for f in (frame, *pipeline.refine(frame)) if filmstrip.NAME in f.overlays]
    assert found and all(result.error is None for _, result in found)
    return found


# ---------------------------------------------------------------------------------------------------- cells


@pytest.mark.parametrize("view", [TINY_R, TINY_SG2], ids=["R", "StyleGAN2"])
def test_a_cell_with_every_step_and_all_of_them_to_scale(pipeline, view):
    found = steps(pipeline, view)
    taps = found[-1][0].network.taps
    assert [len(r.values) for _, r in found] == list(range(1, len(taps) + 1)) and found[-1][1].fraction == 1
    for cell, tap in zip(found[-1][1].values, taps, strict=True):
        assert cell.name == tap.name and cell.pixels.dtype == np.uint8
        assert cell.canvas == (tap.size[0] / tap.sampling_rate, tap.size[1] / tap.sampling_rate)
        assert cell.pixels.shape == (tap.size[1], tap.size[0], 3)


def test_the_last_cell_is_the_picture(pipeline):
    frame, result = steps(pipeline, TINY_R)[-1]
    expected = np.round((np.clip(frame.picture.values, -1, 1) + 1) * 127.5)
    assert np.abs(result.values[-1].pixels.astype(float) - expected).max() <= 1


def test_a_large_layer_is_reduced_and_stays_where_it_is():
    values = torch.zeros(8, 2 * LARGEST, 2 * LARGEST)
    values[:, : LARGEST // 2, -LARGEST // 2 :] = torch.randn(8, 1, 1, generator=torch.Generator().manual_seed(0))
    colors = as_colors(values, 2.0 * LARGEST)
    assert colors.shape == (LARGEST, LARGEST, 3)
    assert np.abs(colors[: LARGEST // 4, -LARGEST // 4 :].astype(int) - colors[-1, 0]).max() > 50
    assert np.ptp(colors[LARGEST // 4 :].astype(int), axis=(0, 1)).max() == 0


def test_a_single_channel_is_grey():
    grey = as_picture(torch.tensor([[[-1.0, 0.0, 2.0]]]))
    assert grey.tolist() == [[[0, 0, 0], [128, 128, 128], [255, 255, 255]]]


def test_another_layer_on_screen_changes_no_cell(pipeline):
    before = steps(pipeline, TINY_R)[-1][1].values
    after = pipeline.render(RenderRequest(2, TINY_R.edit(Tap, layer="input").edit(Channels, first=1))).overlays[filmstrip.NAME]
    assert after.values is before and not after.stale


# ---------------------------------------------------------------------------------------------------- one region, one cursor


def test_places_and_pixels_lead_to_each_other():
    region, corner = Region(0.1, -0.2, 0.5), (100.0, 50.0)
    assert region.to_screen(corner, 200, (0.1, -0.2)) == pytest.approx((200, 150))
    for pixel in ((100, 50), (300, 250), (130, 60)):
        assert region.to_screen(corner, 200, region.to_plane(corner, 200, pixel)) == pytest.approx(pixel)


def test_the_region_is_all_or_what_the_picture_shows_within_it():
    assert region_of(2.25, None) == Region(0, 0, 2.25)
    assert region_of(2.25, (0.0, 0.1, 0.4, 0.3)) == Region(0.2, 0.2, 0.4)
    assert region_of(2.25, (-9.0, -9.0, 9.0, 9.0)) == Region(0, 0, 2.25)
    edge = region_of(2.25, (1.0, 0.0, 1.5, 0.5))
    assert edge.side == 0.5 and edge.x == pytest.approx(0.875)  # no further than the canvas


def test_only_who_pointed_takes_the_cursor_back():
    scratch = {}
    shared_cursor.point(scratch, "a", (0.1, 0.2))
    shared_cursor.point(scratch, "b", None)
    assert shared_cursor.cursor(scratch) == (0.1, 0.2) and shared_cursor.cursor(scratch, outside="a") is None
    shared_cursor.point(scratch, "a", None)
    assert shared_cursor.cursor(scratch) is None


# ---------------------------------------------------------------------------------------------------- control


def shown_strip():
    cells = tuple(Cell(t.name, np.zeros((8, 8, 3), np.uint8), (t.size[0] / t.sampling_rate,) * 2) for t in FACTS.taps)
    frame = replace(frame_of(FACTS), overlays={filmstrip.NAME: OverlayResult(cells)})
    context = {"network": FACTS, "frame": frame, "image": lambda name, pixels: imgui.ImTextureRef(1)}
    return show(filmstrip.PANEL, ViewState().edit(Filmstrip, on=True), **context)


def test_a_click_looks_at_the_layer_and_the_mouse_is_marked_everywhere():
    with shown_strip() as shown:
        name = FACTS.taps[3].name
        shown.ui.click(f"Filmstrip.layer.{name}")
        assert shown.state.get(Tap).layer == name
        item = shown.ui.item(f"Filmstrip.layer.{name}")
        shown.ui.hover((item.left + 0.75 * (item.right - item.left), item.center[1]))
        x, y = shared_cursor.cursor(shown.context.scratch)
        assert (x, y) == pytest.approx((0.25 * 36 / 16, 0), abs=0.03)
        shown.ui.hover((5.0, 1100.0))
        assert shared_cursor.cursor(shown.context.scratch) is None
        shown.ui.click(f"Filmstrip.layer.{FACTS.taps[-1].name}")
        assert shown.state.get(Tap).layer == ""


def test_the_switch_starts_it():
    with show(filmstrip.PANEL, network=FACTS) as shown:
        shown.ui.click("Filmstrip.on")
        assert shown.state == ViewState().edit(Filmstrip, on=True)


@pytest.mark.window
def test_picture_and_strip_share_cursor_and_zoom(tmp_path):
    running = Running(tmp_path, TINY_R)
    try:
        running.ui.key("2")
        running.ui.frames(40)
        scratch = running.app.context.scratch
        running.ui.hover(running.canvas_point(0.2, -0.1))
        assert shared_cursor.cursor(scratch) == pytest.approx((0.2, -0.1), abs=0.01)
        assert shared_cursor.shown_region(scratch) is None
        plain = running.ui.screenshot()
        name = running.app.good.network.taps[0].name
        item = running.ui.item(f"Filmstrip.layer.{name}")
        running.ui.hover(item.center)
        assert shared_cursor.cursor(scratch, outside="canvas") == pytest.approx((0, 0), abs=0.05)
        marked = running.ui.screenshot()
        x, y = (round(v) for v in running.canvas_point(*shared_cursor.cursor(scratch)))
        brightest = [image[y - 3 : y + 4, x - 5 : x + 6].min(axis=(1, 2)).max() for image in (plain, marked)]  # of any row
        assert brightest[0] < 130 < 170 < brightest[1]
        for _ in range(3):
            running.ui.wheel(running.canvas_point(0.1, 0.1), 5)
        x0, _, x1, _ = shared_cursor.shown_region(scratch)
        assert x1 - x0 < 1
    finally:
        running.close()
