"""Geometry of the canvas: image coordinates for everything, margins explicit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gui_utils import theme
from gui_utils.libraries import imgui
from tests.drive import Driver
from viz.canvas.comparison import above_pictures
from viz.canvas.gestures import RING, angle_between, drag_line, grip, limited, rotate, translate, walk, wrapped
from viz.canvas.placement import Area, Content, Placement, beside, pan, place, probe, zoom_at, zoom_to
from viz.canvas.sample_values import draw_sample_values, have_room, value_text, visible_samples
from viz.request import NetworkFacts, Picture
from viz.state import Latent, Pose, Slice, View, ViewState

AREA = Area(100, 50, 800, 600)
IMAGE = Picture(np.zeros((64, 64, 3), np.float32), (0, 0, 64, 64), channels=(0, 1, 2), total_channels=3)
LAYER = Picture(np.zeros((36, 36, 1), np.float32), (10, 10, 26, 26), channels=(0,), total_channels=8)
FACTS = NetworkFacts("r", "r", "alias-free", "R", 16, 0, 128, 12, 64, True, False, (), 0, "cpu", translation_limit=0.7)


def test_a_fit_shows_the_image_centred_and_whole():
    content = Content.of(IMAGE, margins=True)
    placement = place(View(), AREA, content, 64)
    assert placement.to_screen(0, 0) == AREA.center
    top, bottom = placement.to_screen(0, -0.5)[1], placement.to_screen(0, 0.5)[1]
    assert AREA.y < top < AREA.y + 20 and AREA.y + AREA.height - 20 < bottom < AREA.y + AREA.height


def test_a_layer_is_registered_to_the_image_it_belongs_to():
    """The image frame of a 36-sample layer at 16 samples per width lies where the image itself lies, at any zoom."""
    image, layer = Content.of(IMAGE, margins=True), Content.of(LAYER, margins=True)
    view = View(zoom=4, center_x=0.1)
    on_image, on_layer = place(view, AREA, image, 64), place(view, AREA, layer, 64)
    point = on_image.to_screen(-0.5, -0.5)
    assert on_image.to_sample(image, *point) == pytest.approx((0, 0))
    assert on_layer.to_sample(layer, *on_layer.to_screen(-0.5, -0.5)) == pytest.approx((10, 10))
    assert on_layer.to_screen(-0.5, -0.5) == pytest.approx(point, abs=0.51)


@given(st.floats(0.05, 3), st.floats(0.05, 3), st.floats(10, 900), st.floats(-1, 1), st.floats(0, 900))
def test_a_caption_stands_on_its_picture_and_never_over_it(width, height, scale, center_y, wanted):
    row = Area(AREA.x, AREA.y - 40, AREA.width, 40)
    placement = Placement(AREA, scale, 0.0, center_y)
    caption = above_pictures(row, placement, (width, height), wanted)
    left, top = placement.to_screen(-width / 2, -height / 2)
    assert caption.y + caption.height == pytest.approx(max(top, AREA.y))
    assert caption.x + caption.width == pytest.approx(AREA.x + AREA.width)
    assert caption.width >= min(wanted, row.width) - 1e-6
    assert caption.x == pytest.approx(min(max(left, AREA.x), max(AREA.x, AREA.x + AREA.width - wanted)))


def test_a_text_beside_a_point_ends_before_its_area_does():
    assert beside(200, 300, 150, AREA, 20) == (218, 270)
    assert beside(200, 300, 150, AREA, 20, below=True) == (218, 306)
    assert beside(800, 300, 150, AREA, 20) == (744, 262)  # ends at 894 of 900, above the point
    assert beside(800, 300, 150, AREA, 20, below=True) == (744, 314)


def test_without_margins_the_fit_is_the_image_frame():
    oblong = Picture(np.zeros((32, 36, 1), np.float32), (10, 8, 26, 24), channels=(0,), total_channels=8)
    assert Content.of(oblong, margins=True) == Content(36, 32, 16, 36 / 16, 2)
    assert Content.of(oblong, margins=False) == Content(36, 32, 16, 1, 1)
    assert Content.of(replace(oblong, grid=2, cell=(18, 16)), margins=False).fit_width == 36 / 16, "a contact sheet is seen whole"


@given(st.floats(-20, 20), st.floats(110, 890), st.floats(60, 640))
def test_zoom_keeps_the_point_under_the_cursor(notches, px, py):
    content = Content.of(IMAGE, margins=True)
    before = place(View(zoom=3.3), AREA, content, 64)
    view = zoom_at(View(zoom=3.3), before, 64, notches, px, py)
    after = Placement(AREA, view.zoom * 64, view.center_x, view.center_y)
    assert after.to_image(px, py) == pytest.approx(before.to_image(px, py), abs=1e-9)


def test_one_to_one_is_exact_and_says_so():
    content = Content.of(IMAGE, margins=True)
    placement = place(View(zoom=1.0, center_x=0.01234), AREA, content, 64)
    assert placement.exact(content)
    assert not place(View(zoom=1.01), AREA, content, 64).exact(content)
    odd = Area(0, 0, 801, 601)
    assert place(View(zoom=1.0), odd, content, 64).exact(content)


@pytest.mark.parametrize(
    ("scale", "x", "y", "exact"),
    [
        (64, 0, 0, True),
        (64, 1, -1, True),
        (64.01, 0, 0, False),
        (32, 0, 0, False),
        *[(64, *p, False) for p in ((0.3, 0), (-0.3, 0), (0, 0.3), (0, -0.3))],
    ],
)
def test_one_to_one_needs_the_size_and_both_places(scale, x, y, exact):
    placement = Placement(AREA, scale, x / 64, y / 64)
    assert placement.exact(Content.of(IMAGE, margins=True)) == exact


@pytest.mark.parametrize(("zoom", "moved"), [(2.0, True), (1.5, False), (0.25, False)])
def test_only_whole_zooms_are_moved_to_whole_pixels_and_by_less_than_one(zoom, moved):
    content = Content.of(IMAGE, margins=True)
    placement = place(View(zoom=zoom, center_x=0.01234, center_y=-0.0321), AREA, content, 64)
    assert (placement.center_x != 0.01234) == moved == (placement.center_y != -0.0321)
    assert abs(placement.center_x - 0.01234) * placement.scale < 0.51 and abs(placement.center_y + 0.0321) * placement.scale < 0.51
    if moved:
        assert np.asarray(placement.source(content)) * zoom == pytest.approx(
            np.round(np.asarray(placement.source(content)) * zoom), abs=1e-6
        )


def test_a_fit_is_as_wide_or_as_high_as_there_is_room():
    for area, side in ((Area(0, 0, 800, 600), 600), (Area(0, 0, 500, 600), 500)):
        assert place(View(), area, Content(64, 64, 64, 1, 1), 64).scale == pytest.approx(0.97 * side)
        assert place(View(), area, Content(64, 64, 64, 2, 1), 64).scale == pytest.approx(0.97 * min(area.width / 2, area.height))
    assert place(View(), Area(0, 0, 0, 0), Content(64, 64, 64, 1, 1), 64).scale == 1


def test_an_area_ends_before_its_end():
    area = Area(10, 20, 30, 40)
    inside = {(x, y): area.contains(x, y) for x in (9, 10, 39, 40) for y in (19, 20, 59, 60)}
    assert {place for place, found in inside.items() if found} == {(10, 20), (10, 59), (39, 20), (39, 59)}


def test_zoom_stays_in_its_range_and_a_chosen_one_keeps_the_centre():
    before = place(View(zoom=2.0, center_x=0.25, center_y=-0.125), AREA, Content.of(IMAGE, margins=True), 64)
    assert [zoom_at(View(), before, 64, notches, 0, 0).zoom for notches in (-99, 1, 99)] == pytest.approx([1 / 64, 2.3, 512])
    assert zoom_to(View(gizmo=False), before, 3.0) == View(zoom=3.0, center_x=before.center_x, center_y=before.center_y, gizmo=False)


def test_a_fitted_view_keeps_its_scale_when_panned():
    content = Content.of(IMAGE, margins=True)
    fit = place(View(), AREA, content, 64)
    view = pan(View(), fit, 64, 30, -20)
    moved = Placement(AREA, view.zoom * 64, view.center_x, view.center_y)
    assert moved.scale == pytest.approx(fit.scale)
    assert moved.to_screen(0, 0) == pytest.approx((AREA.center[0] + 30, AREA.center[1] - 20))


def test_the_probe_reads_the_raw_value_under_the_cursor():
    values = np.arange(64 * 64 * 3, dtype=np.float32).reshape(64, 64, 3)
    picture = Picture(values, (0, 0, 64, 64), channels=(0, 1, 2), total_channels=3)
    content = Content.of(picture, margins=True)
    placement = place(View(zoom=8), AREA, content, 64)
    px, py = placement.to_screen(-0.5 + 10.5 / 64, -0.5 + 20.5 / 64)
    found = probe(picture, placement, content, px, py)
    assert found is not None and (found.column, found.row) == (10, 20)
    assert found.values == tuple(values[20, 10])
    assert (found.x, found.y) == pytest.approx((-0.5 + 10.5 / 64, -0.5 + 20.5 / 64)) and found.valid
    assert probe(picture, placement, content, 0, 0) is None
    for column, row in ((0, 0), (63, 0), (0, 63), (63, 63), (-1, 5), (64, 5), (5, -1), (5, 64)):
        px, py = placement.to_screen(-0.5 + (column + 0.5) / 64, -0.5 + (row + 0.5) / 64)
        found = probe(picture, placement, content, px, py)
        assert (found and (found.column, found.row)) == ((column, row) if min(column, row) >= 0 and max(column, row) < 64 else None)
    masked = replace(picture, mask=np.arange(64)[:, None] * np.ones(64) != 20)
    found = probe(masked, placement, content, *placement.to_screen(-0.5 + 10.5 / 64, -0.5 + 20.5 / 64))
    assert found is not None and not found.valid
    found = probe(masked, placement, content, *placement.to_screen(-0.5 + 10.5 / 64, -0.5 + 21.5 / 64))
    assert found is not None and found.valid


def test_the_probe_finds_the_channel_of_a_contact_sheet():
    sheet = Picture(np.zeros((20, 20, 1), np.float32), (0, 0, 10, 10), channels=(4, 5, 6), total_channels=9, grid=2, cell=(10, 10))
    content = Content.of(sheet, margins=True)
    placement = place(View(), AREA, content, 64)
    px, py = placement.to_screen(-0.78, 0.32)  # lower left cell
    found = probe(sheet, placement, content, px, py)
    assert found is not None and found.channels == (6,)
    assert (found.column, found.row, found.x, found.y) == (2, 3, pytest.approx(-0.25), pytest.approx(-0.15)), "within the cell"
    px, py = placement.to_screen(0.5, 0.5)  # lower right: empty
    assert probe(sheet, placement, content, px, py) is None


def test_a_drag_of_25_em_is_one_seed():
    view = walk(ViewState(), 25 * 16.0, -50 * 16.0, 16.0)
    assert (view.get(Latent).x, view.get(Latent).y) == pytest.approx((1.0, -2.0))


def test_translation_stops_at_the_networks_limit():
    view = translate(ViewState(), 0.9, 0.0, FACTS)
    assert view.get(Pose).x == pytest.approx(0.7)
    assert limited(Pose(x=3, y=4), FACTS).y == pytest.approx(0.56)
    assert translate(ViewState(), 0.1, 0, None) == ViewState()


@given(st.floats(-3, 3))
def test_angles_wrap_to_half_a_turn(turns):
    assert -0.5 <= wrapped(turns) <= 0.5
    assert (wrapped(turns) - turns) % 1 == pytest.approx(0, abs=1e-9) or (wrapped(turns) - turns) % 1 == pytest.approx(1, abs=1e-9)


def test_dragging_the_ring_turns_counter_clockwise():
    placement = place(View(zoom=4), AREA, Content.of(IMAGE, margins=True), 64)
    pose = Pose(x=0.1)
    right, top = placement.to_screen(0.1 + RING, 0), placement.to_screen(0.1, -RING)
    assert angle_between(placement, pose, right, top) == pytest.approx(0.25)
    assert angle_between(placement, pose, top, right) == pytest.approx(-0.25)
    assert rotate(ViewState(), 0.25, FACTS).get(Pose).turns == 0.25
    assert grip(placement, pose, right, 16) == "ring"
    assert grip(placement, pose, placement.to_screen(0.1, 0), 16) == "center"
    assert grip(placement, pose, placement.to_screen(0.3, 0.1), 16) == ""


def test_numbers_are_written_on_samples_that_have_room_and_are_on_screen():
    content = Content.of(IMAGE, margins=True)
    near, far = place(View(zoom=100, center_x=0.5, center_y=0.5), AREA, content, 64), place(View(zoom=40), AREA, content, 64)
    assert have_room(IMAGE, near, content, (50, 16)) and not have_room(IMAGE, far, content, (50, 16))
    assert not have_room(IMAGE, near, content, (50, 30))  # three lines
    rows, columns = visible_samples(IMAGE, near, content, margins=True)
    assert (columns, rows) == (range(60, 64), range(61, 64))
    for column, seen in ((59, False), (60, True)):
        right = near.to_screen((column + 1 - 32) / 64, 0)[0]
        assert (right > AREA.x) == seen


def test_numbers_of_a_layer_leave_out_hidden_margins():
    content = Content.of(LAYER, margins=False)
    placement = place(View(zoom=1), AREA, content, 64)
    assert visible_samples(LAYER, placement, content, margins=False) == (range(10, 26), range(10, 26))
    assert visible_samples(LAYER, placement, content, margins=True) == (range(36), range(36))


@pytest.mark.parametrize(
    "value, text",
    [(0.15394, "+0.154"), (-9.9, "−9.900"), (12.34, "+12.3"), (-123.46, "−123"), (1234.6, "+1235"), (2e7, "+2.0e+07"), (np.nan, "—")],
)
def test_numbers_on_samples_have_about_four_digits(value, text):
    assert value_text(value) == text


def test_each_number_is_written_on_the_sample_that_has_it(monkeypatch):
    """Channels below each other, the middle line on the sample's middle; nothing on samples that undoing a pose left empty."""
    random = np.random.default_rng(0)
    mask = random.random((64, 64)) < 0.8
    picture = replace(IMAGE, values=random.uniform(-2, 2, (64, 64, 3)).astype(np.float32), mask=mask)
    content = Content.of(picture, margins=True)
    placement = place(View(zoom=100, center_x=0.1, center_y=-0.2), AREA, content, 64)
    written = []
    monkeypatch.setattr(theme, "shadowed_text", lambda lines, at, text: written.append((*at, text)))
    with Driver(lambda: None) as ui:

        def draw():
            written.clear()
            draw_sample_values(imgui.get_background_draw_list(), picture, placement, content, margins=True)

        ui.draw = draw
        ui.frames(1)
        width, height = imgui.calc_text_size("+0.000")
        found = {}
        for left, top, text in written:
            column, row = placement.to_sample(content, left + width / 2, top + height / 2)
            found.setdefault((math.floor(row), math.floor(column)), []).append((top, text))
            assert abs(column % 1 - 0.5) < 0.2
        rows, columns = visible_samples(picture, placement, content, margins=True)
        assert set(found) == {(row, column) for row in rows for column in columns if mask[row, column]} and len(found) > 20
        for sample, lines in found.items():
            assert [text for _, text in sorted(lines)] == [value_text(value) for value in picture.values[sample]]
            assert abs(placement.to_sample(content, 0, sorted(lines)[1][0] + height / 2)[1] % 1 - 0.5) < 0.02
        placement = place(View(zoom=40), AREA, content, 64)
        ui.frames(1)
        assert not written  # no room


def test_the_scan_line_as_a_whole_keeps_its_shape_at_the_border():
    state = ViewState().put(Slice(x0=-0.1, y0=-0.2, x1=0.3, y1=0.1))
    line = drag_line(state, "line", 0.6, -0.1).get(Slice)
    assert (line.x0, line.y0, line.x1, line.y1) == pytest.approx((0.1, -0.3, 0.5, 0.0))
    line = drag_line(state, "line", -9.0, 9.0).get(Slice)
    assert (line.x0, line.y0, line.x1, line.y1) == pytest.approx((-0.5, 0.2, -0.1, 0.5))
    line = drag_line(state, "end", 9.0, 0.1).get(Slice)
    assert (line.x0, line.y0, line.x1, line.y1) == pytest.approx((-0.1, -0.2, 0.5, 0.2))
